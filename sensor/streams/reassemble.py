"""TCP reassembly (RFC 9293) as an observer can do it: sequence numbers, acknowledgements and patience.

A response that the tap shows before its request still comes after it (order.py); what comes too early is held within
bounds (hold.py); connections that fall silent are forgotten (life.py).
"""

import numpy as np

from sensor.core.hashing import U
from sensor.core.jit import inlined, kernel
from sensor.core.reasons import REASON
from sensor.core.scopes import canonical
from sensor.packets.decode import ACK, FIN, RST, SYN, URG
from sensor.streams.accept import accept, note_ack, note_syn
from sensor.streams.halves import find_half
from sensor.streams.life import (
    CLOSE_END,
    CLOSE_FIN,
    CLOSE_IDLE,
    CLOSE_RESET,
    close,
    forget,
    goes_on,
    open_connection,
    reopen,
    reset_is_believable,
    starts_anew,
)
from sensor.streams.order import drain, impatient
from sensor.streams.state import (
    CLOSED,
    DELIVERIES,
    FREE,
    IDLE_CLOSED,
    IDLE_OPEN,
    IDLE_SILENT,
    RESET,
    RESET_LINGERS,
    ROOM_DELIVERIES,
    ROOM_STORED,
    SECOND,
    STORED,
    SWEEP_EVERY,
)
from sensor.streams.table import find, remove

R_SHED = REASON["shed"]
CLOCK_SET_BACK = 60 * SECOND
"""The clock was set back, and packets are not just late."""
R_NONE, R_RETRANSMISSION, R_RESET = REASON["no_connection"], REASON["retransmission"], REASON["reset"]
R_URGENT, R_IDLE = REASON["urgent"], REASON["evicted_idle"]


@kernel
def is_refused(control, packet, flags):
    """Whether an unknown connection is left alone: one of those refused now, or the rest of one refused before."""
    place = np.int64(packet["hash"] & U(255))
    if place < control["refused"]:
        return True
    return place < control["refused_before"] and control["now"] < control["refused_until"] and not flags & SYN


@inlined
def arrive(streams, index, packet, source):
    """One segment of a connection that this worker owns."""
    flags = packet["flags"]
    length, missing = np.int64(packet["length"]), np.int64(packet["missing"])
    scope = np.uint32(canonical(streams.aliases, U(packet["scope"])))
    entry, side = find(streams, packet, scope)
    if entry < 0 and flags & ACK:
        entry, side = find_half(streams, packet, scope)
    if entry < 0:
        if not flags & SYN and length == 0:
            streams.counters[R_NONE] += U(1)
            return
        if is_refused(streams.control[0], packet, flags):
            streams.counters[R_SHED] += U(1)
            return
        entry, side = open_connection(streams, index, packet, scope), np.int64(0)
    elif flags & SYN and starts_anew(streams, entry, side, packet):
        entry, side = reopen(streams, entry, index, packet, scope), np.int64(0)
    connection = streams.connections[entry]
    connection["last_ts"] = max(connection["last_ts"], packet["ts"])
    if connection["state"] == CLOSED:
        if length > 0:
            streams.counters[R_RETRANSMISSION] += U(1)
        return
    me, peer = streams.sides[2 * entry + side], streams.sides[2 * entry + 1 - side]
    if connection["state"] == RESET and not goes_on(streams, entry, me, packet, length):
        return
    seq = packet["seq"]
    if flags & URG:
        streams.counters[R_URGENT] += U(1)
    if flags & SYN:
        note_syn(me, packet)
        seq = np.uint32(seq + np.uint32(1))
        drain(streams, entry)
    if flags & ACK:
        note_ack(streams, peer, packet["ack"])
    if length + missing > 0 and not flags & RST:
        connection["carried"] |= np.uint8(1 << side)
        accept(streams, entry, side, packet, source, seq, np.int64(packet["at"]), length, missing)
    if flags & FIN and not me["fin"] and not flags & RST:
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
        connection["state"] = RESET
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
        elif connection["state"] == RESET:
            if idle > RESET_LINGERS:
                close(streams, entry, CLOSE_RESET)
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
def age(streams, now):
    """Time passes without packets. False when deliveries must be taken and it called again."""
    control = streams.control[0]
    control["deliveries"] = 0
    control["stored"] = 0
    if now + CLOCK_SET_BACK < control["now"]:  # packets will bear earlier times, too: begin to count anew
        control["now"] = now
        control["next_sweep"] = now
    control["now"] = max(control["now"], now)
    if control["sweep_at"] < 0:
        if control["now"] < control["next_sweep"]:
            return True
        control["sweep_at"] = 0
        control["next_sweep"] = control["now"] + SWEEP_EVERY
    return sweep(streams)


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
        if streams.connections[entry]["state"] != FREE:
            forget(streams, entry, CLOSE_END)
    control["sweep_at"] = -1
    control["next_sweep"] = 0
    control["now"] = 0
    return True
