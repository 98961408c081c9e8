"""The life of a connection in the table: opened, ended, reopened on the same ports, going on after a RST."""

import numpy as np

from sensor.core.hashing import U
from sensor.core.jit import kernel
from sensor.core.reasons import REASON
from sensor.core.records import DELIVER_CLOSE, DELIVER_OPEN
from sensor.packets.decode import ACK, RST, SYN
from sensor.streams.halves import note_scope
from sensor.streams.hold import deliver, distance
from sensor.streams.order import flush
from sensor.streams.state import CLOSED, OPEN, RESET, WINDOW
from sensor.streams.table import insert, remove, victim

CLOSE_FIN, CLOSE_RESET, CLOSE_IDLE, CLOSE_CAPACITY, CLOSE_END = range(5)
R_WITH_DATA, R_ONE_SIDED = REASON["with_data"], REASON["one_sided"]
R_CONNECTIONS, R_CAPACITY, R_IGNORED = REASON["connections"], REASON["evicted_capacity"], REASON["reset_ignored"]


@kernel
def close(streams, entry, reason):
    """End an open connection; its entry stays to catch late copies of its segments."""
    flush(streams, entry)
    carried = streams.connections[entry]["carried"]
    streams.counters[R_WITH_DATA] += U(carried != 0)
    streams.counters[R_ONE_SIDED] += U(carried == 1 or carried == 2)
    deliver(streams, entry, 0, DELIVER_CLOSE, 0, 0, 0, streams.connections[entry]["last_ts"])
    streams.deliveries[streams.control[0]["deliveries"] - 1]["flags"] = reason
    streams.connections[entry]["state"] = CLOSED


@kernel
def forget(streams, entry, reason):
    """End a connection, if it has not ended, and give its entry back."""
    state = streams.connections[entry]["state"]
    if state == OPEN or state == RESET:
        close(streams, entry, reason if state == OPEN else CLOSE_RESET)
    remove(streams, entry)


@kernel
def announce(streams, entry, index, packet):
    """Tell the parser that entry now stands for the connection of packets[index]."""
    deliver(streams, entry, 0, DELIVER_OPEN, 0, 0, 0, packet["ts"])
    row = streams.deliveries[streams.control[0]["deliveries"] - 1]
    row["packet"] = index
    row["flags"] = (packet["flags"] & SYN) != 0
    streams.counters[R_CONNECTIONS] += U(1)


@kernel
def open_connection(streams, index, packet, scope):
    """A new entry, another one evicted for it where the table is full."""
    if streams.control[0]["free_connection"] < 0:
        gone = victim(streams)
        if streams.connections[gone]["state"] == OPEN:
            streams.counters[R_CAPACITY] += U(1)
        forget(streams, gone, CLOSE_CAPACITY)
    entry = insert(streams, packet, scope)
    note_scope(streams, scope)
    announce(streams, entry, index, packet)
    return entry


@kernel
def reopen(streams, entry, index, packet, scope):
    """The same addresses and ports begin anew: a reused port. The packet's sender becomes side a."""
    forget(streams, entry, CLOSE_RESET)
    return open_connection(streams, index, packet, scope)


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
def goes_on(streams, entry, me, packet, length):
    """Whether a packet shows that a RST was not believed: the connection is being made after all, or new bytes follow."""
    flags = packet["flags"]
    if flags & RST or not (flags & SYN or (length > 0 and me["known"])):
        return False
    if not flags & SYN and not 0 < distance(np.uint32(packet["seq"] + np.uint32(length)), me["next"]) <= WINDOW:
        return False
    streams.connections[entry]["state"] = OPEN
    streams.counters[R_IGNORED] += U(1)
    return True


@kernel
def reset_is_believable(me, seq):
    """RFC 9293 3.10.7.4 asks for a number in the window; an observer knows the window only roughly."""
    return not me["known"] or -WINDOW <= distance(seq, me["next"]) <= WINDOW
