"""How much of a resource requests ask for: what is usual at each endpoint, and who asks for more than anybody else has.

A size is a page size in a query or body, the depth of a GraphQL document, or how many aliases it has.
"""

import math

import numpy as np

from detectors.ways import way_of
from sensor.core.bits import address_bit, address_hash, distinct_bits
from sensor.core.bundle import Bundle
from sensor.core.hashing import U, mix
from sensor.core.jit import kernel
from sensor.inventory.lexical import INT
from sensor.inventory.refusals import REFUSED
from sensor.inventory.secrets import is_among, name_hashes
from sensor.inventory.values import IN_PATH

USUAL_PLACES, ASKERS = 4_096, 4_096
NAMES = name_hashes(
    "limit", "page_size", "pagesize", "per_page", "perpage", "size", "first", "last", "take", "top", "count", "max",
    "maxresults", "max_results", "pagelimit", "page_limit", "results", "rows", "num", "batchsize", "batch_size",
    "variables.first", "variables.last", "variables.limit", "variables.take", "variables.pagesize",
)  # fmt: skip
"""Names of parameters that say how many things are wanted."""
OF_DEPTH, OF_ALIASES = U(1), U(2)
"""Slots of what is no parameter; hashes of names are never so small."""
COLD_SIZE, COLD_DEPTH, COLD_ALIASES = 1_000, 10, 10
NESTING_FACTOR = 2
"""Documents are written by hand: twice as deep as any other is no other page of the same application."""
LEARNED_FROM, COUNTED = 20, 10_000
"""Ordinary requests from which on the largest of them counts, and that are counted."""
NAME_LIMIT, LARGEST = 32, 10**15
COMMON = 5
"""Addresses that ask for too much, from which on that is what is usual: a new version of an application, another habit."""
AGAIN_NATS = math.log(2.0)
"""Surprise of one more excess by the same client: who asked so once asks so again half of the time."""

USUAL = np.dtype([
    ("key", "<u8"), ("last_ts", "<i8"), ("raised_ts", "<i8"), ("requests", "<u4"), ("largest", "<i8"), ("beyond", "<i8"),
    ("who", "<u8"), ("askers", "<u8"),
])  # fmt: skip
"""largest: what two addresses at least asked for; beyond, who: the most that one asked for, and which; askers: bits of
hashes of the addresses that asked for too much."""
ASKER = np.dtype([
    ("key", "<u8"), ("place", "<u4"), ("endpoint", "<u4"), ("slot", "<u8"), ("hi", "<u8"), ("lo", "<u8"), ("nats", "<f8"),
    ("requests", "<u4"), ("asked", "<i8"), ("usual", "<i8"), ("bytes", "<i8"),
    ("first_ts", "<i8"), ("last_ts", "<i8"), ("raised_ts", "<i8"), ("port", "<u2"), ("status", "<u2"),
    ("name", "u1", (NAME_LIMIT,)), ("name_len", "u1"),
])  # fmt: skip
"""What one address asked for beyond what is usual."""


class Sizes(Bundle):
    """What is usual, and who asked for more."""

    usual: np.ndarray
    """USUAL[USUAL_PLACES], by detectors.ways"""
    askers: np.ndarray
    """ASKER[ASKERS], by detectors.ways"""


def new_sizes() -> Sizes:
    return Sizes(np.zeros(USUAL_PLACES, USUAL), np.zeros(ASKERS, ASKER))


@kernel
def usual_of(usual, row, slot, generation):
    """Place of a size at an endpoint, which begins anew where the endpoint's place was given to another."""
    key = mix(U(row["endpoint"]) << U(32) ^ U(generation) ^ mix(slot)) | U(1)
    at = way_of(usual, key)
    if usual[at]["key"] != key:
        usual[at]["key"] = key
        usual[at]["requests"] = 0
        usual[at]["largest"] = 0
        usual[at]["beyond"] = 0
        usual[at]["who"] = 0
        usual[at]["askers"] = 0
        usual[at]["raised_ts"] = 0
    usual[at]["last_ts"] = max(usual[at]["last_ts"], row["ts"])
    return at


@kernel
def asker_of(askers, row, place, slot, idle):
    """Place of an address at one size, its entry begun anew after a long silence; who was silent longest gives way."""
    key = mix(row["client_lo"] ^ mix(row["client_hi"] ^ mix(U(place)))) | U(1)
    found = way_of(askers, key)
    asker = askers[found]
    if asker["key"] != key or (asker["raised_ts"] == 0 and row["ts"] - asker["last_ts"] > idle):
        asker["key"] = key
        asker["place"] = place
        asker["endpoint"] = row["endpoint"]
        asker["slot"] = slot
        asker["hi"] = row["client_hi"]
        asker["lo"] = row["client_lo"]
        asker["nats"] = 0.0
        asker["requests"] = 0
        asker["asked"] = 0
        asker["bytes"] = 0
        asker["first_ts"] = row["ts"]
        asker["last_ts"] = row["ts"]
        asker["raised_ts"] = 0
        asker["name_len"] = 0
    return found


@kernel
def teach(place, number, row):
    """An ordinary request: the largest is what a second address asked for as well, so that one alone moves nothing."""
    who = address_hash(row) | U(1)
    place["requests"] = min(place["requests"] + np.uint32(1), np.uint32(COUNTED))
    if number <= place["largest"]:
        return
    if place["who"] != who and place["beyond"] > 0:
        place["largest"] = max(place["largest"], min(number, place["beyond"]))
    if number >= place["beyond"]:
        place["beyond"] = number
        place["who"] = who


@kernel
def take_size(state, row, number, slot, generation, cold, factor, threshold, idle):
    """One size that a request asks for: the place of who asks for too much among the askers, -1 where it is ordinary."""
    at = usual_of(state.usual, row, slot, generation)
    place = state.usual[at]
    usual = place["largest"] if place["requests"] >= LEARNED_FROM and place["largest"] > 0 else max(place["largest"], cold)
    if number <= factor * usual or distinct_bits(place["askers"]) >= COMMON:
        teach(place, number, row)
        return np.int64(-1)
    found = asker_of(state.askers, row, at, slot, idle)
    asker = state.askers[found]
    asker["nats"] += math.log(max(place["requests"], LEARNED_FROM) + 1.0) if asker["requests"] == 0 else AGAIN_NATS
    place["askers"] |= address_bit(row)
    asker["requests"] += np.uint32(1)
    asker["asked"] = max(asker["asked"], number)
    asker["usual"] = usual
    asker["bytes"] += max(0, row["response_bytes"])
    asker["last_ts"] = max(asker["last_ts"], row["ts"])
    asker["port"] = row["client_port"]
    asker["status"] = row["status"]
    if asker["raised_ts"] == 0 and asker["nats"] >= threshold:
        asker["raised_ts"] = row["end"]
        place["raised_ts"] = row["end"]
    return found


@kernel
def keep_name(asker, arena, value):
    """The parameter's name, for the explanation."""
    length = min(np.int64(value["name_len"]), NAME_LIMIT)
    asker["name_len"] = length
    for at in range(length):
        asker["name"][at] = arena[np.int64(value["name_at"]) + at]


@kernel
def is_size(value, names):
    """Whether a value says how many things are wanted."""
    if value["kind"] != INT or value["location"] == IN_PATH or value["number"] <= 0:
        return False
    return is_among(value["slot"], names)


@kernel
def take_sizes(state, rows, values, arena, endpoints, names, factor, threshold, idle):
    """All sizes of a batch that were served: what is refused costs nothing, and teaches nothing. names: NAMES."""
    at = 0
    for index in range(rows.shape[0]):
        row = rows[index]
        if row["endpoint"] == 0 or not 200 <= row["status"] < 400 or row["refused"] == REFUSED:
            continue
        generation = endpoints[row["endpoint"]]["generation"]
        while at < values.shape[0] and values[at]["row"] < index:
            at += 1
        while at < values.shape[0] and values[at]["row"] == index:
            if is_size(values[at], names):
                number, slot = min(values[at]["number"], LARGEST), values[at]["slot"]
                asker = take_size(state, row, number, slot, generation, COLD_SIZE, factor, threshold, idle)
                if asker >= 0:
                    keep_name(state.askers[asker], arena, values[at])
            at += 1
        if row["graphql_depth"] > 0:
            depth, aliases = np.int64(row["graphql_depth"]), np.int64(row["graphql_aliases"])
            take_size(state, row, depth, OF_DEPTH, generation, COLD_DEPTH, NESTING_FACTOR, threshold, idle)
            take_size(state, row, aliases, OF_ALIASES, generation, COLD_ALIASES, NESTING_FACTOR, threshold, idle)
