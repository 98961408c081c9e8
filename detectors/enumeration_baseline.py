"""What is ordinary at a parameter: how many values its actors ask for, how often they repeat, step and miss."""

import math

import numpy as np

from sensor.core.hashing import U, mix
from sensor.core.jit import kernel

RAISED = 1
"""Status of a track that is an incident: its actor does not count as ordinary."""
LN2 = math.log(2.0)
SLOTS = 8_192
"""Parameters whose ordinary use is known."""
LEVELS = 64
"""Levels of distinct values: four to an octave."""
TABLED = 1_024
LEVEL_OF = np.array([0, *(int(4 * math.log2(distinct)) for distinct in range(1, TABLED))], np.uint8)
MEASURE_EVERY = 16
"""Moves between levels after which a population is measured anew."""
MIN_SPREAD = 0.5
"""Floor of the spread of ln(distinct): people differ by that much anywhere."""
UPPER_QUARTILE = 0.6745
PRIOR_WEIGHT = 50.0
"""Requests that each prior share counts for."""

SLOT = np.dtype([
    ("key", "<u8"), ("requests", "<f8"), ("repeats", "<f8"), ("misses", "<f8"), ("steps", "<f8"), ("same_steps", "<f8"),
    ("onward", "<f8"),
    ("actors", "<u4"), ("levels", "<u4", (LEVELS,)),
    ("median", "<f8"), ("spread", "<f8"), ("measured", "<u4"),  # of ln(distinct); moves between levels since then
    ("askers", "<f8"), ("met", "<f8"), ("met_squares", "<f8"),  # who bears a token or session; sums of ln(1 + owners met)
])  # fmt: skip


@kernel
def level_of(distinct):
    """Level of a number of distinct values."""
    if distinct < TABLED:
        return np.int64(LEVEL_OF[distinct])
    return min(np.int64(LEVELS - 1), np.int64(4.0 * math.log2(np.float64(distinct))))


@kernel
def find_slot(slots, endpoint, slot):
    """Place of a parameter's ordinary use; parameters that share a place by chance share their baseline."""
    key = mix(U(endpoint) * U(0x9E3779B97F4A7C15) ^ mix(slot))
    place = np.int64(key & U(SLOTS - 1))
    for step in range(16):
        at = (place + step) & (SLOTS - 1)
        if slots[at]["key"] == key or slots[at]["actors"] == 0:
            slots[at]["key"] = key
            return np.int64(at)
    return place


@kernel
def quantile_level(slot, own, share):
    """Level below which `share` of the other actors lie; `own`: the level of the actor itself, left out."""
    total = np.int64(slot["actors"]) - (1 if own >= 0 else 0)
    wanted, seen = share * total, 0.0
    for level in range(LEVELS):
        seen += slot["levels"][level] - (1 if level == own else 0)
        if seen >= wanted and seen > 0:
            return np.float64(level)
    return np.float64(LEVELS - 1)


@kernel
def measure_population(slot, track):
    """Median and spread of ln(distinct) over the other actors of a parameter; the asking one is left out."""
    own = level_of(track["distinct"]) if track["taught"] else np.int64(-1)
    half, upper = quantile_level(slot, own, 0.5), quantile_level(slot, own, 0.75)
    slot["median"] = (half + 0.5) / 4.0 * LN2
    slot["spread"] = max(MIN_SPREAD, (upper - half) / 4.0 * LN2 / UPPER_QUARTILE)
    slot["measured"] = 0


@kernel
def share_of_others(own, own_trials, total, total_trials, prior):
    """Share of something among the other actors of a parameter, drawn to its prior."""
    return min(0.95, max(0.01, (total - own + prior * PRIOR_WEIGHT) / (total_trials - own_trials + PRIOR_WEIGHT)))


@kernel
def least_share_of_others(own, own_trials, total, total_trials, prior):
    """The same without a floor: for what is judged by its absence."""
    share = (total - own + prior * PRIOR_WEIGHT) / (total_trials - own_trials + PRIOR_WEIGHT)
    return min(0.95, max(1e-4, share))


@kernel
def count_population(slot, before, after):
    """Move an actor from one level of distinct values to another; old counts are halved before they overflow."""
    if before == 0:
        slot["actors"] += np.uint32(1)
    else:
        slot["levels"][level_of(before)] -= np.uint32(slot["levels"][level_of(before)] > 0)
    slot["levels"][level_of(after)] += np.uint32(1)
    slot["measured"] += np.uint32(1)
    if slot["actors"] > 65_000:
        slot["actors"] = 0
        for level in range(LEVELS):
            slot["levels"][level] >>= np.uint32(1)
            slot["actors"] += slot["levels"][level]


@kernel
def forget_in_baseline(track, slot):
    """Take an actor that turned out to be an attacker out of what counts as ordinary, once."""
    if not track["taught"]:
        return
    track["taught"] = 0
    if track["distinct"] == 0:
        return
    level = level_of(track["distinct"])
    slot["levels"][level] -= np.uint32(slot["levels"][level] > 0)
    slot["actors"] -= np.uint32(slot["actors"] > 1)
    slot["requests"] = max(0.0, slot["requests"] - np.float64(track["requests"]))
    slot["repeats"] = max(0.0, slot["repeats"] - np.float64(track["requests"] - track["distinct"]))
    slot["misses"] = max(0.0, slot["misses"] - np.float64(track["misses"]))
    slot["steps"] = max(0.0, slot["steps"] - np.float64(track["steps"]))
    slot["same_steps"] = max(0.0, slot["same_steps"] - np.float64(track["same_steps"]))
    slot["onward"] = max(0.0, slot["onward"] - np.float64(track["onward"]))
