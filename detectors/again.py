"""How often addresses ask for the same things again within an hour, and how often that is usual at each endpoint."""

import math

import numpy as np

from detectors.statistics import nats_against_others
from detectors.ways import address_key, way_of
from sensor.core.bits import counted_by_bits, distinct_bits
from sensor.core.bundle import Bundle
from sensor.core.hashing import U, mix
from sensor.core.jit import kernel
from sensor.inventory.endpoints import CAPACITY
from sensor.inventory.secrets import is_among
from sensor.inventory.values import IN_QUERY

WATCHERS = 16_384
LN_2 = math.log(2.0)
USUAL_LOG, SPREAD = LN_2, 1.0
"""ln(1 + repeats) of an address in an hour before its endpoint is known: most look twice, one in six six times."""
PRIOR, LEAST_SPREAD = 20.0, 0.7
"""Addresses that this counts for, and how little they may differ at the least."""
TEACHES = math.log(30.0)
"""ln(1 + repeats) that one address teaches at the most: watchers must not make each other usual."""
BUCKETS, NEAR, HABIT = 20, 3, 0.25
"""Addresses are counted by the logarithm of their repeats to base 2; where so large a share of them lies no more than NEAR
below one, it does what one does there."""
MANY_THINGS = 48
"""Bits of 64 from which on what was asked for cannot be told from what was not: no watching, but a walk."""
GET, HEAD = 71, 72

WATCHER = np.dtype([
    ("key", "<u8"), ("endpoint", "<u4"), ("generation", "<u4"), ("hi", "<u8"), ("lo", "<u8"),
    ("began", "<i8"), ("requests", "<u4"), ("things", "<u8"), ("kinds", "<u8"), ("sessions", "<u8"), ("proven", "u1"),
    ("taught", "<f8"), ("all", "<u4"), ("most", "<f8"), ("first_ts", "<i8"), ("last_ts", "<i8"), ("raised_ts", "<i8"),
    ("nats", "<f8"), ("port", "<u2"), ("status", "<u2"),
])  # fmt: skip
"""An address at one endpoint. requests, things: of the hour that began at `began`, and bits of hashes of what they asked for;
kinds, sessions: bits of hashes of its orders of header fields, and of its sessions; proven: it bore a token; taught: what it
last added to its endpoint's sums, -1 nothing; all: since it was silent for long; most: repeats of an hour at the most."""
USUAL = np.dtype([("generation", "<u4"), ("since", "<i8"), ("addresses", "<f8"), ("sum", "<f8"), ("squares", "<f8"),
                  ("buckets", "<f8", (BUCKETS,))])  # fmt: skip
"""An endpoint: addresses of the last hour or so, and the sums of ln(1 + repeats) and of its square over them; buckets:
addresses by ln2(1 + repeats)."""


class Again(Bundle):
    """Everything that is known of repeats."""

    watchers: np.ndarray
    """WATCHER[WATCHERS], by detectors.ways"""
    usual: np.ndarray
    """USUAL[CAPACITY], by endpoint"""


def new_again() -> Again:
    return Again(np.zeros(WATCHERS, WATCHER), np.zeros(CAPACITY, USUAL))


@kernel
def watcher_of(watchers, row, generation, idle):
    """The entry of an address at an endpoint, begun anew after a long silence; its hour after an hour."""
    key = address_key(row, generation)
    watcher = watchers[way_of(watchers, key)]
    if watcher["key"] != key or row["ts"] - watcher["last_ts"] > idle:
        watcher["key"] = key
        watcher["endpoint"] = row["endpoint"]
        watcher["generation"] = generation
        watcher["hi"] = row["client_hi"]
        watcher["lo"] = row["client_lo"]
        watcher["all"] = 0
        watcher["most"] = 0.0
        watcher["kinds"] = 0
        watcher["sessions"] = 0
        watcher["proven"] = 0
        watcher["first_ts"] = row["ts"]
        watcher["last_ts"] = row["ts"]
        watcher["raised_ts"] = 0
        watcher["nats"] = 0.0
        begin_hour(watcher, row)
    elif row["ts"] - watcher["began"] > idle:
        begin_hour(watcher, row)
    return watcher


@kernel
def begin_hour(watcher, row):
    """Count anew."""
    watcher["began"] = row["ts"]
    watcher["requests"] = 0
    watcher["things"] = 0
    watcher["taught"] = -1.0


@kernel
def pass_time(usual, generation, ts, idle):
    """Let what was seen in the hour that is over count for half; an endpoint's place that was given to another begins anew."""
    if usual["generation"] != generation:
        usual["generation"] = generation
        usual["addresses"] = 0.0
        usual["sum"] = 0.0
        usual["squares"] = 0.0
        usual["buckets"][:] = 0.0
        usual["since"] = ts
    elif ts - usual["since"] > idle:
        share = 0.5 ** min((ts - usual["since"]) // idle, 50)
        usual["addresses"] *= share
        usual["sum"] *= share
        usual["squares"] *= share
        for k in range(BUCKETS):
            usual["buckets"][k] *= share
        usual["since"] = ts


@kernel
def surprise(usual, watcher, own):
    """Nats of ln(1 + repeats) = own against the endpoint's other addresses."""
    taught = min(TEACHES, watcher["taught"])
    return nats_against_others(
        own, taught, usual["addresses"], usual["sum"], usual["squares"], PRIOR, USUAL_LOG, SPREAD, LEAST_SPREAD
    )


@kernel
def teach(usual, watcher, own):
    """Add an address to its endpoint's sums, or what it has more since."""
    value, known = min(TEACHES, own), watcher["taught"] >= 0
    before = min(TEACHES, max(0.0, watcher["taught"]))
    usual["addresses"] += 0.0 if known else 1.0
    usual["sum"] += value - before
    usual["squares"] += value * value - before * before
    bucket, last = bucket_of(own), bucket_of(max(0.0, watcher["taught"]))
    if bucket != last or not known:
        usual["buckets"][bucket] += 1.0
        usual["buckets"][last] -= min(usual["buckets"][last], 1.0) if known else 0.0
    watcher["taught"] = own


@kernel
def bucket_of(own):
    """Bucket of ln(1 + repeats)."""
    return min(np.int64(own / LN_2), BUCKETS - 1)


@kernel
def is_habit(usual, own):
    """Whether many addresses repeat themselves nearly as often."""
    near = -1.0  # the address itself
    for k in range(max(1, bucket_of(own) - NEAR), BUCKETS):
        near += usual["buckets"][k]
    return near > HABIT * max(1.0, usual["addresses"] - 1.0)


@kernel
def look_again(state, row, thing, generation, threshold, idle):
    """One request for one thing."""
    usual, watcher = state.usual[row["endpoint"]], watcher_of(state.watchers, row, generation, idle)
    pass_time(usual, generation, row["ts"], idle)
    watcher["requests"] += np.uint32(1)
    watcher["all"] += np.uint32(1)
    watcher["things"] |= U(1) << (thing & U(63))
    watcher["kinds"] |= U(1) << (mix(row["fingerprint"]) & U(63))
    if row["session"] != U(0):
        watcher["sessions"] |= U(1) << (mix(row["session"]) & U(63))
    watcher["proven"] |= row["proven"]
    watcher["last_ts"] = max(watcher["last_ts"], row["ts"])
    watcher["port"] = row["client_port"]
    watcher["status"] = row["status"]
    repeats = 0.0
    if distinct_bits(watcher["things"]) < MANY_THINGS:
        people = max(counted_by_bits(watcher["kinds"]), counted_by_bits(watcher["sessions"]))
        repeats = max(0.0, (np.float64(watcher["requests"]) - counted_by_bits(watcher["things"])) / people)
    own = math.log(1.0 + repeats)
    if own != watcher["taught"]:
        teach(usual, watcher, own)
    if not watcher["proven"] and not is_habit(usual, own):
        watcher["nats"] = max(watcher["nats"], surprise(usual, watcher, own))
        watcher["most"] = max(watcher["most"], repeats)
    if watcher["raised_ts"] == 0 and watcher["nats"] >= threshold:
        watcher["raised_ts"] = row["end"]


@kernel
def take_repeats(state, rows, arena, values, endpoints, ignored, threshold, idle):
    """All requests of a batch that read a thing that parameters of path or query name, and were served.

    ignored: hashes of names in a query that name no thing: pages, times, what defeats caches.
    """
    at = 0
    for index in range(rows.shape[0]):
        row, thing = rows[index], U(0)
        while at < values.shape[0] and values[at]["row"] < index:
            at += 1
        while at < values.shape[0] and values[at]["row"] == index:
            location = values[at]["location"]
            if location < IN_QUERY or (location == IN_QUERY and not is_among(values[at]["slot"], ignored)):
                thing = mix(thing ^ mix(values[at]["hash"] ^ values[at]["slot"]))
            at += 1
        served = 200 <= row["status"] < 300 or row["status"] == 304
        if thing == U(0) or row["endpoint"] == 0 or not served or row["method_len"] == 0:
            continue
        method = arena[np.int64(row["method_at"])]
        if method == GET or method == HEAD:
            look_again(state, row, thing, endpoints[row["endpoint"]]["generation"], threshold, idle)
