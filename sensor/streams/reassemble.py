"""TCP reassembly (RFC 9293) as an observer can do it: sequence numbers, acknowledgements and patience.

A response that the tap shows before its request still comes after it (order.py); what comes too early is held within
bounds (hold.py); connections that fall silent are forgotten.
"""

import numpy as np

from sensor.core.hashing import U
from sensor.core.jit import inlined, kernel
from sensor.core.reasons import REASON
from sensor.core.records import DELIVER_CLOSE, DELIVER_DATA, DELIVER_OPEN, IN_CHUNK, IN_SIDE
from sensor.packets.decode import ACK, FIN, RST, SYN
from sensor.streams.hold import deliver, deliver_gap, distance, hold
from sensor.streams.order import caused, drain, flush, give_up_first, impatient
from sensor.streams.state import (
    CLOSED,
    DELIVERIES,
    FAR_LIMIT,
    FREE,
    IDLE_CLOSED,
    IDLE_OPEN,
    IDLE_SILENT,
    OPEN,
    ROOM_DELIVERIES,
    ROOM_STORED,
    STORED,
    SWEEP_EVERY,
    WINDOW,
)
from sensor.streams.table import find, insert, remove, victim

CLOSE_FIN, CLOSE_RESET, CLOSE_IDLE, CLOSE_CAPACITY, CLOSE_END = range(5)

R_CONNECTIONS, R_NONE = REASON["connections"], REASON["no_connection"]
R_RETRANSMISSION, R_OVERLAP, R_EARLY = REASON["retransmission"], REASON["overlap"], REASON["out_of_order"]
R_WINDOW, R_OVERFLOW, R_RESET = REASON["out_of_window"], REASON["ooo_overflow"], REASON["reset"]
R_IDLE, R_CAPACITY, R_KEEP_ALIVE = REASON["evicted_idle"], REASON["evicted_capacity"], REASON["keep_alive"]


@kernel
def close(streams, entry, reason):
    """End an open connection; its entry stays to catch late copies of its segments."""
    flush(streams, entry)
    deliver(streams, entry, 0, DELIVER_CLOSE, 0, 0, 0, streams.connections[entry]["last_ts"])
    streams.deliveries[streams.control[0]["deliveries"] - 1]["flags"] = reason
    streams.connections[entry]["state"] = CLOSED


@kernel
def announce(streams, entry, index, packet):
    """Tell the parser that entry now stands for the connection of packets[index]."""
    deliver(streams, entry, 0, DELIVER_OPEN, 0, 0, 0, packet["ts"])
    row = streams.deliveries[streams.control[0]["deliveries"] - 1]
    row["packet"] = index
    row["flags"] = (packet["flags"] & SYN) != 0
    streams.counters[R_CONNECTIONS] += U(1)


@kernel
def open_connection(streams, index, packet):
    """A new entry, another one evicted for it where the table is full."""
    if streams.control[0]["free_connection"] < 0:
        gone = victim(streams)
        if streams.connections[gone]["state"] == OPEN:
            close(streams, gone, CLOSE_CAPACITY)
            streams.counters[R_CAPACITY] += U(1)
        remove(streams, gone)
    entry = insert(streams, packet)
    announce(streams, entry, index, packet)
    return entry


@kernel
def reopen(streams, entry, index, packet):
    """The same addresses and ports begin anew: a reused port. The packet's sender becomes side a."""
    if streams.connections[entry]["state"] == OPEN:
        close(streams, entry, CLOSE_RESET)
    remove(streams, entry)
    return open_connection(streams, index, packet)


@kernel
def starts_anew(streams, entry, side, packet):
    """Whether a SYN on a known connection begins another one, rather than repeat the one seen."""
    if packet["flags"] & ACK:
        return False
    me = streams.sides[2 * entry + side]
    if me["syn"] and me["isn"] == packet["seq"]:
        return False
    if streams.connections[entry]["state"] == CLOSED:
        return True
    peer = streams.sides[2 * entry + 1 - side]
    if not me["known"] and peer["syn"]:
        return False  # simultaneous open
    return True


@kernel
def note_syn(me, packet):
    """Take the initial sequence number; a repeated SYN changes nothing."""
    if me["syn"] and me["known"]:
        return
    me["syn"] = 1
    me["isn"] = packet["seq"]
    if not me["known"]:
        me["next"] = np.uint32(packet["seq"] + np.uint32(1))
        me["known"] = 1


@kernel
def note_ack(peer, ack):
    """Remember how far the other side's bytes have arrived."""
    if not peer["ack_known"] or distance(ack, peer["acked"]) > 0:
        peer["acked"] = ack
        peer["ack_known"] = 1


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
def accept(streams, entry, side, packet, source, seq, at, length, missing):
    """Payload of one segment: delivered at once where it is next in line, held where it is early, dropped where it is old."""
    me = streams.sides[2 * entry + side]
    me["blind"] = 0
    if not me["known"]:
        me["known"] = 1
        me["next"] = seq
    if me["fin"]:
        allowed = distance(me["fin_seq"], seq)
        if allowed <= 0 and length > 0:
            streams.counters[R_WINDOW] += U(1)
            return
        if length + missing > allowed:
            length = min(length, allowed)
            missing = 0
    if outside_window(streams, entry, side, seq, packet["ts"]):
        return
    old = -distance(seq, me["next"])
    if old > 0:
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
    peer = streams.sides[2 * entry + 1 - side]
    if old == 0 and caused(peer, (packet["flags"] & ACK) != 0, packet["ack"]):
        if length > 0:
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


@kernel
def reset_is_believable(me, seq):
    """RFC 9293 3.10.7.4 asks for a number in the window; an observer knows the window only roughly."""
    return not me["known"] or -WINDOW <= distance(seq, me["next"]) <= WINDOW


@inlined
def arrive(streams, index, packet, source):
    """One segment of a connection that this worker owns."""
    flags = packet["flags"]
    length, missing = np.int64(packet["length"]), np.int64(packet["missing"])
    entry, side = find(streams, packet)
    if entry < 0:
        if not flags & SYN and length == 0:
            streams.counters[R_NONE] += U(1)
            return
        entry, side = open_connection(streams, index, packet), np.int64(0)
    elif flags & SYN and starts_anew(streams, entry, side, packet):
        entry, side = reopen(streams, entry, index, packet), np.int64(0)
    connection = streams.connections[entry]
    connection["last_ts"] = max(connection["last_ts"], packet["ts"])
    if connection["state"] == CLOSED:
        if length > 0:
            streams.counters[R_RETRANSMISSION] += U(1)
        return
    me, peer = streams.sides[2 * entry + side], streams.sides[2 * entry + 1 - side]
    seq = packet["seq"]
    if flags & SYN:
        note_syn(me, packet)
        seq = np.uint32(seq + np.uint32(1))
    if flags & ACK:
        note_ack(peer, packet["ack"])
    if length + missing > 0 and not flags & RST:
        connection["carried"] = 1
        accept(streams, entry, side, packet, source, seq, np.int64(packet["at"]), length, missing)
    if flags & FIN and not me["fin"]:
        me["fin"] = 1
        me["fin_seq"] = np.uint32(seq + np.uint32(length + missing))
        if not me["known"]:
            me["known"] = 1
            me["next"] = me["fin_seq"]
    if me["first"] >= 0 or peer["first"] >= 0:
        impatient(streams, entry, packet["ts"])
    if me["fin"] or peer["fin"]:
        drain(streams, entry)
    if flags & RST and reset_is_believable(me, packet["seq"]):
        streams.counters[R_RESET] += U(1)
        close(streams, entry, CLOSE_RESET)
    elif me["ended"] and peer["ended"]:
        close(streams, entry, CLOSE_FIN)


@kernel
def has_room(streams):
    """Whether whatever the next packet sets free fits into the delivery buffers."""
    control = streams.control[0]
    return control["deliveries"] + ROOM_DELIVERIES <= DELIVERIES and control["stored"] + ROOM_STORED <= STORED


@kernel
def sweep(streams):
    """Age all connections; goes on at `sweep_at` after the deliveries were taken. True when it came to the end."""
    control = streams.control[0]
    now = control["now"]
    while control["sweep_at"] < control["highest"]:
        if not has_room(streams):
            return False
        entry = np.int64(control["sweep_at"])
        control["sweep_at"] += 1
        connection = streams.connections[entry]
        if connection["state"] == FREE:
            continue
        idle = now - connection["last_ts"]
        if connection["state"] == CLOSED:
            if idle > IDLE_CLOSED:
                remove(streams, entry)
        elif idle > (IDLE_OPEN if connection["carried"] else IDLE_SILENT):
            close(streams, entry, CLOSE_IDLE)
            streams.counters[R_IDLE] += U(1)
            remove(streams, entry)
        else:
            impatient(streams, entry, now)
    control["sweep_at"] = -1
    return True


@kernel
def reassemble(streams, packets, count, start, chunk, joined, shard, shards):
    """Take packets[start:count], of one chunk and its side buffer `joined`.

    Returns the number of the first that was not taken, for want of room.

    The caller hands streams.deliveries[: control.deliveries] to a parser and calls again. Every worker walks all
    packets, so that all agree on the time; it takes those whose hash falls to its shard.
    """
    control = streams.control[0]
    control["deliveries"] = 0
    control["stored"] = 0
    for index in range(start, count):
        packet = packets[index]
        control["order"] = packet["number"]
        control["now"] = max(control["now"], packet["ts"])
        if control["sweep_at"] >= 0 or control["now"] >= control["next_sweep"]:
            if control["sweep_at"] < 0:
                control["sweep_at"] = 0
                control["next_sweep"] = control["now"] + SWEEP_EVERY
            if not sweep(streams):
                return index
        if shards > 1 and np.int64((packet["hash"] >> U(32)) % U(shards)) != shard:
            continue
        if not has_room(streams):
            return index
        arrive(streams, index, packet, joined if packet["side"] else chunk)
    return np.int64(count)


@kernel
def finish(streams):
    """End of the capture: close and forget every connection. False when deliveries must be taken and it called again."""
    control = streams.control[0]
    control["deliveries"] = 0
    control["stored"] = 0
    if control["sweep_at"] < 0:
        control["sweep_at"] = 0
    while control["sweep_at"] < control["highest"]:
        if not has_room(streams):
            return False
        entry = np.int64(control["sweep_at"])
        control["sweep_at"] += 1
        state = streams.connections[entry]["state"]
        if state == OPEN:
            close(streams, entry, CLOSE_END)
        if state != FREE:
            remove(streams, entry)
    control["sweep_at"] = -1
    control["next_sweep"] = 0
    control["now"] = 0
    return True
