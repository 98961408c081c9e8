"""The connection table: open addressing with linear probing and backward-shift deletion, both directions in one entry."""

import numpy as np

from sensor.core.hashing import U, mix
from sensor.core.jit import inlined, kernel
from sensor.streams.state import FREE, OPEN

VICTIMS = 16
"""Entries looked at when one must go: closed ones first, then the longest silent."""


@kernel
def side_of(connection, packet, scope):
    """0 when the packet comes from side a, 1 when from side b, -1 when it belongs to another connection."""
    if connection["scope"] != scope:
        return -1
    if (
        connection["a_lo"] == packet["src_lo"] and connection["b_lo"] == packet["dst_lo"]
        and connection["a_port"] == packet["src_port"] and connection["b_port"] == packet["dst_port"]
        and connection["a_hi"] == packet["src_hi"] and connection["b_hi"] == packet["dst_hi"]
    ):  # fmt: skip
        return 0
    if (
        connection["b_lo"] == packet["src_lo"] and connection["a_lo"] == packet["dst_lo"]
        and connection["b_port"] == packet["src_port"] and connection["a_port"] == packet["dst_port"]
        and connection["b_hi"] == packet["src_hi"] and connection["a_hi"] == packet["dst_hi"]
    ):  # fmt: skip
        return 1
    return -1


@inlined
def key_of(packet_hash, scope):
    """Hash of a connection in its scope."""
    return mix(packet_hash + U(scope))


@inlined
def find(streams, packet, scope):
    """(entry, side) of the packet's connection in a scope; (-1, 0) when there is none."""
    mask = streams.slots.shape[0] - 1
    key = key_of(packet["hash"], scope)
    slot = np.int64(key & U(mask))
    while True:
        entry = np.int64(streams.slots[slot])
        if entry < 0:
            return np.int64(-1), np.int64(0)
        if streams.connections[entry]["hash"] == key:
            side = side_of(streams.connections[entry], packet, scope)
            if side >= 0:
                return entry, np.int64(side)
        slot = (slot + 1) & mask


@kernel
def reset_side(side):
    """Forget a side; its held segments must have been given back before."""
    side["next"] = 0
    side["acked"] = 0
    side["known"] = 0
    side["ack_known"] = 0
    side["syn"] = 0
    side["fin"] = 0
    side["ended"] = 0
    side["far"] = 0
    side["last_length"] = 0
    side["blind"] = 0
    side["first"] = -1
    side["segments"] = 0
    side["held"] = 0
    side["hole_ts"] = 0


@kernel
def link(streams, entry, key):
    """Make an entry found under a key."""
    mask = streams.slots.shape[0] - 1
    slot = np.int64(key & U(mask))
    while streams.slots[slot] >= 0:
        slot = (slot + 1) & mask
    streams.slots[slot] = entry
    streams.connections[entry]["hash"] = key


@kernel
def insert(streams, packet, scope):
    """A new entry for the packet's connection, its sender being side a. The caller sees to it that one is free."""
    control = streams.control[0]
    entry = np.int64(control["free_connection"])
    control["free_connection"] = streams.free_next[entry]
    control["active"] += 1
    control["highest"] = max(control["highest"], entry + 1)
    link(streams, entry, key_of(packet["hash"], scope))
    connection = streams.connections[entry]
    connection["a_hi"] = packet["src_hi"]
    connection["a_lo"] = packet["src_lo"]
    connection["b_hi"] = packet["dst_hi"]
    connection["b_lo"] = packet["dst_lo"]
    connection["a_port"] = packet["src_port"]
    connection["b_port"] = packet["dst_port"]
    connection["scope"] = scope
    connection["last_ts"] = packet["ts"]
    connection["state"] = OPEN
    connection["carried"] = 0
    reset_side(streams.sides[2 * entry])
    reset_side(streams.sides[2 * entry + 1])
    return entry


@kernel
def unlink(streams, entry):
    """Make an entry no longer found; entries behind it in the same run move up, so that no tombstone is needed."""
    mask = streams.slots.shape[0] - 1
    slot = np.int64(streams.connections[entry]["hash"] & U(mask))
    while streams.slots[slot] != entry:
        slot = (slot + 1) & mask
    hole, slot = slot, (slot + 1) & mask
    while streams.slots[slot] >= 0:
        home = np.int64(streams.connections[streams.slots[slot]]["hash"] & U(mask))
        if ((slot - home) & mask) >= ((slot - hole) & mask):
            streams.slots[hole] = streams.slots[slot]
            hole = slot
        slot = (slot + 1) & mask
    streams.slots[hole] = -1


@kernel
def remove(streams, entry):
    """Take an entry out."""
    unlink(streams, entry)
    streams.connections[entry]["state"] = FREE
    control = streams.control[0]
    streams.free_next[entry] = control["free_connection"]
    control["free_connection"] = entry
    control["active"] -= 1


@kernel
def victim(streams):
    """The entry missed least among the next VICTIMS ones. The table is full.

    One that has ended goes first; then one in which only one side has said something, or none (floods, half-open connections,
    heads that never end), the longest silent of them.
    """
    control = streams.control[0]
    best, best_ts, talks_best = np.int64(-1), np.int64(0), True
    for _ in range(VICTIMS):
        control["hand"] = (control["hand"] + 1) % streams.connections.shape[0]
        connection = streams.connections[control["hand"]]
        if connection["state"] != OPEN:
            return np.int64(control["hand"])
        talks = connection["carried"] == 3
        if best < 0 or (talks_best and not talks) or (talks == talks_best and connection["last_ts"] < best_ts):
            best, best_ts, talks_best = np.int64(control["hand"]), connection["last_ts"], talks
    return best
