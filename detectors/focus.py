"""Who does nothing but one thing: for each address its main endpoint, and how many addresses of a group are focused on one.

A person's client calls many endpoints; one source of an automated campaign calls the one that it is after. An address is
focused while requests elsewhere are at most SPARE, and one in STRAY of all (a log-in before, a redirect).
"""

import numpy as np

from sensor.core.bits import address_hash, distinct_bits
from sensor.core.bundle import Bundle
from sensor.core.hashing import U, mix
from sensor.core.jit import kernel
from sensor.inventory.endpoints import CAPACITY

ACTORS, WAYS = 65_536, 8
GROUPS = 8_192
SPARE, STRAY = 1, 10
CLIENTS = 3
"""Kinds of clients, by the order of their headers, from which on an address may stand for several people."""

ACTOR = np.dtype([
    ("hi", "<u8"), ("lo", "<u8"), ("endpoint", "<u4"), ("votes", "<i4"), ("requests", "<u4"), ("main", "<u4"),
    ("fingerprint", "<u8"), ("fingerprints", "<u8"), ("counted", "u1"), ("focused", "u1"), ("last_ts", "<i8"),
])  # fmt: skip
"""endpoint: where most of its requests go (Boyer and Moore's vote); main: requests there since it is that; counted, focused:
it is in the counts of its group and endpoint."""
FOCUS = np.dtype([("key", "<u8"), ("actors", "<i4"), ("focused", "<i4"), ("last_ts", "<i8")])
"""Addresses of one fingerprint whose main endpoint is this one, and those of them that are focused."""


class Focus(Bundle):
    """The tables."""

    tags: np.ndarray
    """uint64[ACTORS]: key of the address in each place, 0 for none: one cache line tells which of a set it is"""
    actors: np.ndarray
    """ACTOR[ACTORS], sets of WAYS places"""
    groups: np.ndarray
    """FOCUS[GROUPS], by endpoint and fingerprint, sets of WAYS places"""
    endpoints: np.ndarray
    """FOCUS[CAPACITY], by endpoint"""


def new_focus() -> Focus:
    return Focus(np.zeros(ACTORS, np.uint64), np.zeros(ACTORS, ACTOR), np.zeros(GROUPS, FOCUS), np.zeros(CAPACITY, FOCUS))


@kernel
def find_actor(focus, row, idle):
    """Place of an address, begun anew after a long silence."""
    key = address_hash(row) | U(1)
    base = np.int64(key & U(ACTORS // WAYS - 1)) * WAYS
    chosen = np.int64(base)
    known = np.int64(-1)
    for k in range(base, base + WAYS):
        if focus.tags[k] == key:
            known = np.int64(k)
    if known >= 0 and row["ts"] - focus.actors[known]["last_ts"] <= idle:
        return known
    if known >= 0:
        chosen = known
    else:
        for k in range(base, base + WAYS):
            if focus.actors[k]["last_ts"] < focus.actors[chosen]["last_ts"]:
                chosen = np.int64(k)
    actor = focus.actors[chosen]
    depart(focus, actor)
    focus.tags[chosen] = key
    actor["hi"] = row["client_hi"]
    actor["lo"] = row["client_lo"]
    actor["endpoint"] = 0
    actor["votes"] = 0
    actor["requests"] = 0
    actor["main"] = 0
    actor["fingerprint"] = 0
    actor["fingerprints"] = 0
    return chosen


@kernel
def find_focus(focus, endpoint, fingerprint):
    """Place of a group's counts; a group that was quiet for long gives way."""
    key = mix(fingerprint ^ mix(U(endpoint) | U(1) << U(41))) | U(1)
    base = np.int64(key & U(GROUPS // WAYS - 1)) * WAYS
    chosen = np.int64(base)
    for k in range(base, base + WAYS):
        if focus.groups[k]["key"] == key:
            return np.int64(k)
        if focus.groups[k]["last_ts"] < focus.groups[chosen]["last_ts"]:
            chosen = np.int64(k)
    group = focus.groups[chosen]
    group["key"] = key
    group["actors"] = 0
    group["focused"] = 0
    return chosen


@kernel
def count_focus(focus, actor, actors, focused):
    """Add to the counts of an address's group and endpoint."""
    group = focus.groups[find_focus(focus, actor["endpoint"], actor["fingerprint"])]
    group["last_ts"] = actor["last_ts"]
    group["actors"] += actors
    group["focused"] += focused
    whole = focus.endpoints[actor["endpoint"]]
    whole["actors"] += actors
    whole["focused"] += focused


@kernel
def leave(focus, actor):
    """An address is no longer focused on its endpoint."""
    if actor["focused"]:
        count_focus(focus, actor, 0, -1)
        actor["focused"] = 0


@kernel
def depart(focus, actor):
    """An address has another main endpoint from here on, or is forgotten."""
    leave(focus, actor)
    if actor["counted"]:
        count_focus(focus, actor, -1, 0)
        actor["counted"] = 0


@kernel
def note_request(focus, row, idle):
    """One more request of an address.

    Returns its requests at the row's endpoint while it is focused on that, else 0; and all of them, 0 where they come from
    fewer than CLIENTS kinds of client.
    """
    actor = focus.actors[find_actor(focus, row, idle)]
    actor["requests"] += np.uint32(1)
    actor["last_ts"] = max(actor["last_ts"], row["ts"])
    actor["fingerprints"] |= U(1) << (row["fingerprint"] & U(63))
    if actor["votes"] == 0 and actor["endpoint"] != row["endpoint"]:
        depart(focus, actor)
        actor["endpoint"] = row["endpoint"]
        actor["fingerprint"] = row["fingerprint"]
        actor["main"] = 0
    there = actor["endpoint"] == row["endpoint"]
    actor["votes"] += 1 if there else -1
    actor["main"] += np.uint32(there)
    if there and not actor["counted"]:
        actor["counted"] = 1
        count_focus(focus, actor, 1, 0)
    strays = actor["requests"] - actor["main"]
    focused = strays <= SPARE + actor["requests"] // STRAY
    if focused and there and not actor["focused"]:
        actor["focused"] = 1
        count_focus(focus, actor, 0, 1)
    elif not focused:
        leave(focus, actor)
    asked = np.int64(actor["requests"]) if distinct_bits(actor["fingerprints"]) >= CLIENTS else np.int64(0)
    return np.int64(actor["main"]) if there and focused else np.int64(0), asked


@kernel
def focus_shares(focus, endpoint, fingerprint):
    """(addresses of the group, focused ones of them, focused ones of the endpoint); fingerprint 0: the group is all of them."""
    whole = focus.endpoints[endpoint]
    everybody = np.float64(max(0, whole["focused"]))
    if fingerprint == U(0):
        return np.float64(max(0, whole["actors"])), everybody, everybody
    group = focus.groups[find_focus(focus, endpoint, fingerprint)]
    return np.float64(max(0, group["actors"])), np.float64(max(0, group["focused"])), everybody
