"""One segment's numbers and bytes: next in line, early, old, or not to be believed."""

import numpy as np

from sensor.core.hashing import U
from sensor.core.jit import inlined, kernel
from sensor.core.reasons import REASON
from sensor.core.records import DELIVER_DATA, IN_CHUNK, IN_SIDE
from sensor.core.wide import load_le64
from sensor.packets.decode import ACK
from sensor.streams.hold import deliver, deliver_conflict, deliver_gap, distance, hold
from sensor.streams.order import begin_at_first, caused, drain, flush, give_up_first
from sensor.streams.state import FAR_LIMIT, WINDOW

R_RETRANSMISSION, R_OVERLAP, R_EARLY = REASON["retransmission"], REASON["overlap"], REASON["out_of_order"]
R_WINDOW, R_OVERFLOW, R_FALSE_FIN, R_KEEP_ALIVE = (
    REASON[name] for name in ("out_of_window", "ooo_overflow", "false_fin", "keep_alive")
)


@kernel
def note_syn(me, packet):
    """Take the initial sequence number; a repeated SYN changes nothing.

    What claimed to come from this side before its SYN (a FIN, say) was made up by somebody else.
    """
    if me["syn"]:
        return
    me["syn"] = 1
    me["isn"] = packet["seq"]
    first = np.uint32(packet["seq"] + np.uint32(1))
    if not me["known"] or (not me["ended"] and me["last_length"] == 0):
        me["next"] = first
        me["known"] = 1
        me["fin"] = 0


@kernel
def note_ack(streams, peer, ack):
    """Remember how far the other side's bytes have arrived; bytes acknowledged behind a FIN prove it false."""
    if not peer["ack_known"] or distance(ack, peer["acked"]) > 0:
        peer["acked"] = ack
        peer["ack_known"] = 1
        if peer["fin"] and 1 < distance(ack, peer["fin_seq"]) <= WINDOW:
            streams.counters[R_FALSE_FIN] += U(1)
            peer["fin"] = 0
            if peer["ended"]:
                peer["ended"] = 0
                peer["next"] = peer["fin_seq"]


@kernel
def outside_window(streams, entry, side, seq, ts):
    """Whether a segment is too far from `next` to be believed; several in a row are, and become a gap."""
    me = streams.sides[2 * entry + side]
    ahead = distance(seq, me["next"])
    if -WINDOW <= ahead <= WINDOW:
        me["far"] = 0
        return False
    me["far"] += np.uint8(1)
    if me["far"] < FAR_LIMIT:
        streams.counters[R_WINDOW] += U(1)
        return True
    flush(streams, entry)
    deliver_gap(streams, entry, side, 0, ts)
    me["next"] = seq
    me["far"] = 0
    return False


@inlined
def remember(me, seq, source, at, length):
    """Keep what tells a repetition of this segment from one with other bytes: its first and last ones."""
    me["last_seq"] = seq
    me["last_length"] = length
    me["last_head"] = load_le64(source, at) if length >= 8 else U(0)
    me["last_tail"] = load_le64(source, at + length - 8) if length >= 8 else U(0)


@kernel
def contradicts(me, source, at, length):
    """Whether a repetition of the newest segment has other bytes, as far as they were kept."""
    if length < 8:
        return False
    return load_le64(source, at) != me["last_head"] or load_le64(source, at + length - 8) != me["last_tail"]


@kernel
def begins_at_acked(me, seq):
    """Whether the other side's acknowledgement tells where this one, whose SYN was not seen, begins."""
    if not me["ack_known"] or not 0 <= distance(seq, me["acked"]) <= WINDOW:
        return False
    me["known"] = 1
    me["next"] = me["acked"]
    return True


@inlined
def accept(streams, entry, side, packet, source, seq, at, length, missing):
    """Payload of one segment: delivered at once where it is next in line, held where it is early, dropped where it is old."""
    me = streams.sides[2 * entry + side]
    me["blind"] = 0
    peer = streams.sides[2 * entry + 1 - side]
    if not me["known"]:
        if peer["syn"] and not me["syn"] and not begins_at_acked(me, seq):  # its SYN may still come, and tell where it begins
            streams.counters[R_EARLY] += U(1)
            if hold(streams, entry, side, packet, seq, source, at, length, missing):
                return
            begin_at_first(streams, me)
        if not me["known"]:
            me["known"] = 1
            me["next"] = seq
    if me["fin"]:
        allowed = distance(me["fin_seq"], seq)
        if allowed <= 0:
            streams.counters[R_WINDOW] += U(1)
            return
        missing = min(missing, max(0, allowed - length))
        length = min(length, allowed)
    if outside_window(streams, entry, side, seq, packet["ts"]):
        return
    old = -distance(seq, me["next"])
    if old > 0:
        if seq == me["last_seq"] and length == me["last_length"] and contradicts(me, source, at, length):
            deliver_conflict(streams, entry, side, packet["ts"])
        if old >= length + missing:
            streams.counters[R_KEEP_ALIVE if length <= 1 else R_RETRANSMISSION] += U(1)
            return
        streams.counters[R_OVERLAP] += U(1)
        skipped = min(old, length)
        missing -= old - skipped
        at += skipped
        length -= skipped
        seq = me["next"]
        old = 0
    if old == 0 and caused(peer, (packet["flags"] & ACK) != 0, packet["ack"]):
        if length > 0:
            remember(me, seq, source, at, length)
            deliver(streams, entry, side, DELIVER_DATA, IN_SIDE if packet["side"] else IN_CHUNK, at, length, packet["ts"])
        if missing > 0:
            deliver_gap(streams, entry, side, missing, packet["ts"])
        me["next"] = np.uint32(me["next"] + np.uint32(length + missing))
        if me["first"] >= 0 or peer["first"] >= 0:
            drain(streams, entry)
        return
    if old < 0:
        streams.counters[R_EARLY] += U(1)
    if hold(streams, entry, side, packet, seq, source, at, length, missing):
        return
    streams.counters[R_OVERFLOW] += U(1)
    while me["first"] >= 0 and distance(streams.segments[me["first"]]["seq"], seq) < 0:
        give_up_first(streams, entry, side)
    ahead = distance(seq, me["next"])
    if ahead > 0:
        deliver_gap(streams, entry, side, ahead, packet["ts"])
    old = min(max(0, -ahead), length)
    if length > old:
        deliver(
            streams, entry, side, DELIVER_DATA, IN_SIDE if packet["side"] else IN_CHUNK, at + old, length - old, packet["ts"]
        )
    if missing > 0 and -ahead <= length:
        deliver_gap(streams, entry, side, missing, packet["ts"])
    if length + missing > -ahead:
        me["next"] = np.uint32(seq + np.uint32(length + missing))
    drain(streams, entry)
