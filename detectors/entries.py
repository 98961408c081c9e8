"""How often addresses enter a flow that people enter once: who does it again and again, and how many addresses do."""

import math

import numpy as np

from detectors.statistics import more_than_expected_nats, normal_tail_nats
from detectors.ways import address_key, way_of
from sensor.core.bits import counted_by_bits
from sensor.core.bundle import Bundle
from sensor.core.hashing import U, mix
from sensor.core.jit import kernel
from sensor.inventory.endpoints import CAPACITY
from sensor.inventory.refusals import NO_REFUSAL

ENTRANTS = 32_768
REPEATS = 3
"""Entries of an address from which on it enters again and again: a family has two children, a form is sent twice."""
LEAST_REPEATERS = 5
PRIOR_WEIGHT = 20.0
"""Addresses that the usual share before the endpoint is known counts for."""
USUAL_LOG, SPREAD = math.log(1.5), 0.7
"""ln(entries) of one address in an hour, for each kind of client behind it: mostly one; one in six makes three, a class 30."""

ENTRANT = np.dtype([
    ("key", "<u8"), ("endpoint", "<u4"), ("generation", "<u4"), ("hi", "<u8"), ("lo", "<u8"), ("tokens", "u1"),
    ("kinds", "<u8"),
    ("began", "<i8"), ("entries", "<u4"), ("most", "<u4"), ("all", "<u4"), ("first_ts", "<i8"), ("last_ts", "<i8"),
    ("raised_ts", "<i8"), ("nats", "<f8"), ("port", "<u2"), ("status", "<u2"),
])  # fmt: skip
"""An address at one endpoint. entries: within the hour that began at `began`; most: in any hour; all: since it was silent for
long; tokens: it proved who it is; kinds: bits of hashes of the orders of its header fields."""
FLOOR = np.dtype([
    ("generation", "<u4"), ("addresses", "<f8"), ("repeaters", "<f8"), ("usual_addresses", "<f8"), ("usual_repeaters", "<f8"),
    ("since", "<i8"), ("first_ts", "<i8"), ("last_ts", "<i8"), ("raised_ts", "<i8"), ("nats", "<f8"), ("peak", "<f8"),
    ("open", "u1"),
])  # fmt: skip
"""An endpoint: addresses of the last hour or so, those of them that enter again and again; both as they are usual. first_ts to
last_ts: the newest incident; peak: its nats; open: it goes on."""


class Entries(Bundle):
    """Everything that is known of entries."""

    entrants: np.ndarray
    """ENTRANT[ENTRANTS], by detectors.ways"""
    floors: np.ndarray
    """FLOOR[CAPACITY], by endpoint"""


def new_entries() -> Entries:
    return Entries(np.zeros(ENTRANTS, ENTRANT), np.zeros(CAPACITY, FLOOR))


@kernel
def entrant_of(entrants, row, generation, idle):
    """The entry of an address at an endpoint, begun anew after a long silence; its hour after an hour."""
    key = address_key(row, generation)
    entrant = entrants[way_of(entrants, key)]
    if entrant["key"] != key or row["ts"] - entrant["last_ts"] > idle:
        entrant["key"] = key
        entrant["endpoint"] = row["endpoint"]
        entrant["generation"] = generation
        entrant["hi"] = row["client_hi"]
        entrant["lo"] = row["client_lo"]
        entrant["tokens"] = 0
        entrant["kinds"] = 0
        entrant["began"] = row["ts"]
        entrant["entries"] = 0
        entrant["most"] = 0
        entrant["all"] = 0
        entrant["first_ts"] = row["ts"]
        entrant["last_ts"] = row["ts"]
        entrant["raised_ts"] = 0
        entrant["nats"] = 0.0
    elif row["ts"] - entrant["began"] > idle:
        entrant["began"] = row["ts"]
        entrant["entries"] = 0
    return entrant


@kernel
def usual_share(floor, prior):
    """Share of addresses that enter again and again, drawn to that of the cold start."""
    return min(0.7, (floor["usual_repeaters"] + prior * PRIOR_WEIGHT) / (floor["usual_addresses"] + PRIOR_WEIGHT))


@kernel
def pass_time(floor, ts, idle, threshold):
    """Let the hour that is over teach what is usual, unless it looked like an attack, and count for half, or less."""
    hours = (ts - floor["since"]) // idle
    if hours < 1:
        return
    share = 0.5 ** min(hours, 50)
    if floor["nats"] < threshold / 2:
        floor["usual_addresses"] += floor["addresses"]
        floor["usual_repeaters"] += floor["repeaters"]
    floor["addresses"] *= share
    floor["repeaters"] *= share
    floor["nats"] *= share
    floor["since"] = ts


@kernel
def judge_floor(floor, row, prior, threshold, idle):
    """One more address of an endpoint entered for the third time within its hour: whether so many do."""
    floor["repeaters"] += 1.0
    nats = more_than_expected_nats(floor["repeaters"], max(floor["addresses"], floor["repeaters"]), usual_share(floor, prior))
    floor["nats"] = max(floor["nats"], nats)
    if floor["open"] or nats < threshold or floor["repeaters"] < LEAST_REPEATERS:
        return
    floor["open"] = 1
    floor["raised_ts"] = row["end"]
    floor["first_ts"] = row["ts"] - idle
    floor["last_ts"] = row["ts"]
    floor["peak"] = nats


@kernel
def enter(state, row, generation, prior, threshold, idle):
    """One entry."""
    floor, entrant = state.floors[row["endpoint"]], entrant_of(state.entrants, row, generation, idle)
    pass_time(floor, row["ts"], idle, threshold)
    if floor["open"] and row["ts"] - floor["last_ts"] > idle:
        floor["open"] = 0
    entrant["entries"] += np.uint32(1)
    entrant["all"] += np.uint32(1)
    entrant["most"] = max(entrant["most"], entrant["entries"])
    entrant["tokens"] |= np.uint8(row["credential"] != U(0))
    entrant["kinds"] |= U(1) << (mix(row["fingerprint"]) & U(63))
    entrant["last_ts"] = max(entrant["last_ts"], row["ts"])
    entrant["port"] = row["client_port"]
    entrant["status"] = row["status"]
    if entrant["entries"] == 1:
        floor["addresses"] += 1.0
    if entrant["entries"] < REPEATS:
        return
    if entrant["entries"] == REPEATS:
        judge_floor(floor, row, prior, threshold, idle)
    if floor["open"]:
        floor["last_ts"] = max(floor["last_ts"], row["ts"])
        floor["peak"] = max(floor["peak"], floor["nats"])
    if entrant["tokens"] == 0:
        each = np.float64(entrant["entries"]) / counted_by_bits(entrant["kinds"])
        nats = normal_tail_nats((math.log(max(1.0, each)) - USUAL_LOG) / SPREAD)
        entrant["nats"] = max(entrant["nats"], nats)
        if entrant["raised_ts"] == 0 and entrant["nats"] >= threshold:
            entrant["raised_ts"] = row["end"]


@kernel
def take_entries(state, rows, endpoints, watched, prior, threshold, idle):
    """All entries of a batch that succeeded, at endpoints of flows that are watched: uint8[flows]."""
    for index in range(rows.shape[0]):
        row = rows[index]
        if row["endpoint"] == 0 or not watched[row["flow"]] or not 200 <= row["status"] < 400 or row["refused"] != NO_REFUSAL:
            continue
        floor, generation = state.floors[row["endpoint"]], endpoints[row["endpoint"]]["generation"]
        if floor["generation"] != generation:
            floor["generation"] = generation
            floor["addresses"] = 0.0
            floor["repeaters"] = 0.0
            floor["usual_addresses"] = 0.0
            floor["usual_repeaters"] = 0.0
            floor["since"] = row["ts"]
            floor["raised_ts"] = 0
            floor["open"] = 0
            floor["nats"] = 0.0
        enter(state, row, generation, prior, threshold, idle)
