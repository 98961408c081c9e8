"""When a segment may be delivered, and when waiting for what is missing is over.

A segment is delivered when all bytes before it were, and when all bytes of the other side that it acknowledges were
too. What does not come is given up after a while in packet time, and told to the parser as a gap.
"""

import numpy as np

from sensor.core.jit import kernel
from sensor.core.records import DELIVER_FIN
from sensor.streams.hold import deliver, deliver_gap, discard, distance, release
from sensor.streams.state import PATIENCE_ACKED, PATIENCE_LOST, PATIENCE_SILENT, WINDOW


@kernel
def caused(peer, has_ack, ack):
    """Whether all that a segment acknowledges was delivered, as far as that can be told."""
    if not has_ack or not peer["known"] or peer["blind"]:
        return True
    ahead = distance(ack, peer["next"])
    return ahead <= 0 or ahead > WINDOW


@kernel
def finish_sides(streams, entry):
    """Deliver the end of each side that has been read up to its FIN; True when one was."""
    ended = False
    for side in range(2):
        me = streams.sides[2 * entry + side]
        if me["fin"] and not me["ended"] and me["known"] and me["next"] == me["fin_seq"]:
            discard(streams, me)
            me["ended"] = 1
            me["next"] += np.uint32(1)
            deliver(streams, entry, side, DELIVER_FIN, 0, 0, 0, streams.connections[entry]["last_ts"])
            ended = True
    return ended


@kernel
def bring_forward(streams, me, peer):
    """Make the first segment that can be delivered now the side's first one: False when there is none.

    A copy of old bytes with newer ones may wait for the other side while a plain segment behind it need not.
    """
    before, at = np.int64(-1), np.int64(me["first"])
    while at >= 0 and me["known"]:
        segment = streams.segments[at]
        if distance(segment["seq"], me["next"]) > 0:
            return False
        if caused(peer, segment["has_ack"], segment["ack"]):
            if before >= 0:
                streams.segments[before]["next"] = segment["next"]
                segment["next"] = me["first"]
                me["first"] = at
            return True
        before, at = at, np.int64(segment["next"])
    return False


@kernel
def begin_at_first(streams, me):
    """Take the first held segment for a side's beginning: the SYN that would tell has not come."""
    if me["first"] >= 0 and not me["known"]:
        me["known"] = 1
        me["next"] = streams.segments[me["first"]]["seq"]


@kernel
def drain(streams, entry):
    """Deliver all held segments of both sides whose time has come."""
    progress = True
    while progress:
        progress = False
        for side in range(2):
            me = streams.sides[2 * entry + side]
            peer = streams.sides[2 * entry + 1 - side]
            while bring_forward(streams, me, peer):
                release(streams, entry, side)
                progress = True
        if finish_sides(streams, entry):
            progress = True


@kernel
def give_up_hole(streams, entry, side):
    """Go on at the side's first held segment although bytes before it are missing."""
    me = streams.sides[2 * entry + side]
    segment = streams.segments[me["first"]]
    deliver_gap(streams, entry, side, distance(segment["seq"], me["next"]), segment["ts"])
    me["next"] = segment["seq"]
    me["hole_ts"] = streams.control[0]["now"]
    drain(streams, entry)


@kernel
def give_up_cause(streams, entry, side):
    """Take the side's first held segment although it acknowledges bytes that were not seen.

    Where the other side went on behind those bytes, they are lost, and that is told first: the segment was sent
    after them. Where the other side is silent, the acknowledgement alone proves nothing.
    """
    me, peer = streams.sides[2 * entry + side], streams.sides[2 * entry + 1 - side]
    segment = streams.segments[me["first"]]
    if peer["first"] >= 0:
        to = segment["ack"]
        beyond = streams.segments[peer["first"]]["seq"]
        if distance(to, beyond) > 0:
            to = beyond
        hole = distance(to, peer["next"])
        if hole > 0:
            deliver_gap(streams, entry, 1 - side, hole, segment["ts"])
            peer["next"] = to
    release(streams, entry, side)
    me["hole_ts"] = streams.control[0]["now"]
    drain(streams, entry)


@kernel
def is_early(streams, me):
    """Whether bytes before the side's first held segment are missing."""
    return distance(streams.segments[me["first"]]["seq"], me["next"]) > 0


@kernel
def impatient(streams, entry, now):
    """Give up waiting, for both sides, where it has lasted too long."""
    for side in range(2):
        me, peer = streams.sides[2 * entry + side], streams.sides[2 * entry + 1 - side]
        if me["first"] < 0:
            continue
        waited = now - me["hole_ts"]
        if not me["known"]:
            if waited > PATIENCE_ACKED:
                begin_at_first(streams, me)
                drain(streams, entry)
            continue
        if is_early(streams, me):
            acked = me["ack_known"] and distance(me["acked"], me["next"]) > 0
            if waited > (PATIENCE_ACKED if acked else PATIENCE_LOST):
                give_up_hole(streams, entry, side)
        elif peer["first"] >= 0 and is_early(streams, peer):
            if waited > PATIENCE_ACKED:
                give_up_cause(streams, entry, side)
        elif waited > PATIENCE_SILENT:
            peer["blind"] = 1
            drain(streams, entry)


@kernel
def give_up_first(streams, entry, side):
    """Take the side's first held segment, whatever it waits for."""
    if is_early(streams, streams.sides[2 * entry + side]):
        give_up_hole(streams, entry, side)
    else:
        give_up_cause(streams, entry, side)


@kernel
def flush(streams, entry):
    """Deliver everything that is held, oldest first."""
    begin_at_first(streams, streams.sides[2 * entry])
    begin_at_first(streams, streams.sides[2 * entry + 1])
    drain(streams, entry)
    while True:
        a, b = streams.sides[2 * entry]["first"], streams.sides[2 * entry + 1]["first"]
        if a < 0 and b < 0:
            return
        side = 0 if b < 0 or (a >= 0 and streams.segments[a]["ts"] <= streams.segments[b]["ts"]) else 1
        give_up_first(streams, entry, side)
