"""Connections whose two directions bear different tags: the second half is found by its numbers."""

import numpy as np

from sensor.core.hashing import U
from sensor.core.jit import kernel
from sensor.core.reasons import REASON
from sensor.core.scopes import canonical, unite
from sensor.packets.decode import ACK, SYN
from sensor.streams.state import OPEN, RECENT_SCOPES
from sensor.streams.table import find, key_of, link, unlink

R_UNITED = REASON["scopes_united"]


@kernel
def note_scope(streams, scope):
    """Remember the scope of a new connection."""
    for k in range(RECENT_SCOPES):
        if streams.recent[k] == scope:
            return
    turn = np.int64(streams.recent[RECENT_SCOPES])
    streams.recent[turn] = scope
    streams.recent[RECENT_SCOPES] = (turn + 1) % RECENT_SCOPES


@kernel
def continues(streams, entry, side, packet):
    """Whether a packet's numbers are exactly those that the other direction waits for, this one being silent so far."""
    me, peer = streams.sides[2 * entry + side], streams.sides[2 * entry + 1 - side]
    if streams.connections[entry]["state"] != OPEN or me["known"] or not packet["flags"] & ACK:
        return False
    if packet["flags"] & SYN:
        return peer["syn"] and packet["ack"] == np.uint32(peer["isn"] + np.uint32(1))
    return me["ack_known"] and packet["seq"] == me["acked"] and peer["known"] and packet["ack"] == peer["next"]


@kernel
def find_half(streams, packet, scope):
    """(entry, side) of the connection in another scope that a packet of `scope` continues; (-1, 0) when there is none."""
    for k in range(RECENT_SCOPES):
        other = np.uint32(canonical(streams.aliases, U(streams.recent[k])))
        if other == scope:
            continue
        entry, side = find(streams, packet, other)
        if entry >= 0 and continues(streams, entry, side, packet):
            unite(streams.aliases, U(scope), U(other))
            named = np.uint32(canonical(streams.aliases, U(other)))
            unlink(streams, entry)
            streams.connections[entry]["scope"] = named
            link(streams, entry, key_of(packet["hash"], named))
            streams.counters[R_UNITED] += U(1)
            return entry, side
    return np.int64(-1), np.int64(0)
