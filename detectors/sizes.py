"""How much of a resource requests ask for: what is usual at each endpoint, and who asks for more than anybody else has.

A size is a page size in a query or body, the depth of a GraphQL document, or how many aliases it has.
"""

import math

import numpy as np

from sensor.core.bundle import Bundle
from sensor.core.hashing import U, mix
from sensor.core.jit import kernel
from sensor.inventory.lexical import INT
from sensor.inventory.secrets import plain_name_hash
from sensor.inventory.values import IN_PATH

USUAL_PLACES, ASKERS, PROBES, WAYS = 4_096, 4_096, 8, 8
NAMES = np.array(
    [
        plain_name_hash(name.encode())
        for name in (
            "limit", "page_size", "pagesize", "per_page", "perpage", "size", "first", "last", "take", "top", "count", "max",
            "maxresults", "max_results", "pagelimit", "page_limit", "results", "rows", "num", "batchsize", "batch_size",
            "variables.first", "variables.last", "variables.limit", "variables.take", "variables.pagesize",
        )
    ],
    np.uint64,
)  # fmt: skip
"""Names of parameters that say how many things are wanted."""
OF_DEPTH, OF_ALIASES = U(1), U(2)
"""Slots of what is no parameter; hashes of names are never so small."""
COLD_SIZE, COLD_DEPTH, COLD_ALIASES = 1_000, 10, 10
NESTING_FACTOR = 2
"""Documents are written by hand: twice as deep as any other is no other page of the same application."""
LEARNED_FROM, COUNTED = 20, 10_000
"""Ordinary requests from which on the largest of them counts, and that are counted."""
STAYS = 1 << 62
COMMON = 5
"""Addresses that ask for too much, from which on that is what is usual: a new version of an application, another habit."""
AGAIN_NATS = math.log(2.0)
"""Surprise of one more excess by the same client: who asked so once asks so again half of the time."""

USUAL = np.dtype([
    ("key", "<u8"), ("endpoint", "<u4"), ("requests", "<u4"), ("largest", "<i8"), ("beyond", "<i8"), ("who", "<u8"),
    ("askers", "<u4"),
])  # fmt: skip
"""largest: what two addresses at least asked for; beyond, who: the most that one asked for, and which; askers: addresses that
asked for too much."""
ASKER = np.dtype([
    ("key", "<u8"), ("place", "<u4"), ("endpoint", "<u4"), ("slot", "<u8"), ("hi", "<u8"), ("lo", "<u8"), ("nats", "<f8"),
    ("requests", "<u4"), ("answered", "<u4"), ("asked", "<i8"), ("usual", "<i8"), ("bytes", "<i8"),
    ("first_ts", "<i8"), ("last_ts", "<i8"), ("raised_ts", "<i8"), ("port", "<u2"), ("status", "<u2"),
    ("name", "u1", (32,)), ("name_len", "u1"),
])  # fmt: skip
"""What one address asked for beyond what is usual."""


class Sizes(Bundle):
    """What is usual, and who asked for more."""

    usual: np.ndarray
    """USUAL[USUAL_PLACES]"""
    askers: np.ndarray
    """ASKER[ASKERS], sets of WAYS places"""


def new_sizes() -> Sizes:
    return Sizes(np.zeros(USUAL_PLACES, USUAL), np.zeros(ASKERS, ASKER))


@kernel
def usual_place(usual, endpoint, slot):
    """Place of a size, -1 where its places are all taken."""
    key = mix(U(endpoint) ^ mix(slot)) | U(1)
    for step in range(PROBES):
        at = np.int64((key + U(step)) & U(USUAL_PLACES - 1))
        if usual[at]["key"] == key:
            return at
        if usual[at]["key"] == U(0):
            usual[at]["key"] = key
            usual[at]["endpoint"] = endpoint
            return at
    return np.int64(-1)


@kernel
def claim_to_stay(asker):
    """The smaller, the sooner an entry gives way: a raised one last, else the one that was silent longest."""
    return asker["last_ts"] + (STAYS if asker["raised_ts"] > 0 else 0)


@kernel
def asker_of(askers, row, place, slot, idle):
    """The entry of an address at one size, begun anew after a long silence; who was silent longest gives way."""
    key = mix(row["client_lo"] ^ mix(row["client_hi"] ^ mix(U(place)))) | U(1)
    base = np.int64(key & U(ASKERS // WAYS - 1)) * WAYS
    chosen = base
    for k in range(base, base + WAYS):
        if askers[k]["key"] == key:
            chosen = k
            break
        if claim_to_stay(askers[k]) < claim_to_stay(askers[chosen]):
            chosen = k
    asker = askers[chosen]
    if asker["key"] != key or (asker["raised_ts"] == 0 and row["ts"] - asker["last_ts"] > idle):
        asker["key"] = key
        asker["place"] = place
        asker["endpoint"] = row["endpoint"]
        asker["slot"] = slot
        asker["hi"] = row["client_hi"]
        asker["lo"] = row["client_lo"]
        asker["nats"] = 0.0
        asker["requests"] = 0
        asker["answered"] = 0
        asker["asked"] = 0
        asker["bytes"] = 0
        asker["first_ts"] = row["ts"]
        asker["last_ts"] = row["ts"]
        asker["raised_ts"] = 0
        asker["name_len"] = 0
    return asker


@kernel
def teach(place, number, row):
    """An ordinary request: the largest is what a second address asked for as well, so that one alone moves nothing."""
    who = mix(row["client_lo"] ^ mix(row["client_hi"])) | U(1)
    place["requests"] = min(place["requests"] + np.uint32(1), np.uint32(COUNTED))
    if number <= place["largest"]:
        return
    if place["who"] != who and place["beyond"] > 0:
        place["largest"] = max(place["largest"], min(number, place["beyond"]))
    if number >= place["beyond"]:
        place["beyond"] = number
        place["who"] = who


@kernel
def take_size(state, row, number, slot, cold, factor, threshold, idle):
    """One size that a request asks for: the place of who asks for too much, -1 where it is ordinary."""
    at = usual_place(state.usual, row["endpoint"], slot)
    if at < 0:
        return at
    place = state.usual[at]
    usual = place["largest"] if place["requests"] >= LEARNED_FROM and place["largest"] > 0 else max(place["largest"], cold)
    if number <= factor * usual or place["askers"] >= COMMON:
        teach(place, number, row)
        return np.int64(-1)
    asker = asker_of(state.askers, row, at, slot, idle)
    asker["nats"] += math.log(max(place["requests"], LEARNED_FROM) + 1.0) if asker["requests"] == 0 else AGAIN_NATS
    place["askers"] += np.uint32(asker["requests"] == 0)
    asker["requests"] += np.uint32(1)
    asker["answered"] += np.uint32(200 <= row["status"] < 300)
    asker["asked"] = max(asker["asked"], number)
    asker["usual"] = usual
    asker["bytes"] += max(0, row["response_bytes"])
    asker["last_ts"] = max(asker["last_ts"], row["ts"])
    asker["port"] = row["client_port"]
    asker["status"] = row["status"]
    if asker["raised_ts"] == 0 and asker["nats"] >= threshold and asker["answered"] > 0:
        asker["raised_ts"] = row["end"]
    return at


@kernel
def keep_name(state, row, place, arena, value):
    """The parameter's name, for the explanation."""
    for k in range(ASKERS):
        asker = state.askers[k]
        if asker["key"] and asker["name_len"] == 0 and asker["place"] == place:
            if asker["hi"] == row["client_hi"] and asker["lo"] == row["client_lo"]:
                length = min(np.int64(value["name_len"]), 32)
                asker["name_len"] = length
                for at in range(length):
                    asker["name"][at] = arena[np.int64(value["name_at"]) + at]


@kernel
def is_size(value, names):
    """Whether a value says how many things are wanted."""
    if value["kind"] != INT or value["location"] == IN_PATH or value["number"] <= 0:
        return False
    for k in range(names.shape[0]):
        if names[k] == value["slot"]:
            return True
    return False


@kernel
def take_sizes(state, rows, values, arena, names, factor, threshold, idle):
    """All sizes of a batch. names: NAMES."""
    at = 0
    for index in range(rows.shape[0]):
        row = rows[index]
        if row["endpoint"] == 0:
            continue
        while at < values.shape[0] and values[at]["row"] < index:
            at += 1
        while at < values.shape[0] and values[at]["row"] == index:
            if is_size(values[at], names):
                number, slot = values[at]["number"], values[at]["slot"]
                place = take_size(state, row, number, slot, COLD_SIZE, factor, threshold, idle)
                if place >= 0:
                    keep_name(state, row, place, arena, values[at])
            at += 1
        if row["graphql_depth"] > 0:
            take_size(state, row, np.int64(row["graphql_depth"]), OF_DEPTH, COLD_DEPTH, NESTING_FACTOR, threshold, idle)
            take_size(state, row, np.int64(row["graphql_aliases"]), OF_ALIASES, COLD_ALIASES, NESTING_FACTOR, threshold, idle)
