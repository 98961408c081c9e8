"""Whose things are asked for: who was served a value first, and whether somebody else is served it later.

What one customer asks for, others do not: of orders, invoices and accounts each token sees its own, and what colleagues see,
too. Who walks through those of others meets one owner after the other.
"""

import math

import numpy as np

from detectors.statistics import nats_against_others
from sensor.core.bits import counted_by_bits
from sensor.core.hashing import U, mix
from sensor.core.jit import kernel
from sensor.inventory.refusals import REFUSED

OWNERS, WAYS = 65_536, 8
"""Values whose owners are remembered, and places that each may take: one of these gives way by chance."""
NOBODY = U(0)
USUAL_LOG, SPREAD = math.log(2.0), 0.8
"""ln(1 + owners met) of an actor before its parameter is known: most meet one, a colleague; one in six more than three."""
PRIOR, LEAST_SPREAD = 20.0, 0.5
"""Actors that this counts for, and how little they may differ at the least."""
TEACHES, FADES = math.log(16.0), 10_000.0
"""ln(1 + owners met) that one actor teaches at the most; actors from which on older ones fade."""

OWNER = np.dtype([("key", "<u8"), ("who", "<u8")])


def new_owners() -> np.ndarray:
    """OWNER[OWNERS]"""
    return np.zeros(OWNERS, OWNER)


@kernel
def identity(row):
    """Hash of the token or session that a request bears, NOBODY where it bears none."""
    return row["credential"] if row["credential"] != U(0) else row["session"]


@kernel
def other_owner(owners, place, row, value):
    """Who was served a value before somebody else asks for it: NOBODY where it is the asker, or nobody; then it is the asker's.

    place: of the parameter. What was not served is nobody's.
    """
    who = identity(row)
    if who == NOBODY or not 200 <= row["status"] < 300 or row["refused"] == REFUSED:
        return NOBODY
    key = mix(value["hash"] ^ mix(U(place) + U(1))) | U(1)
    base = np.int64((key >> U(1)) & U(OWNERS // WAYS - 1)) * WAYS
    free = base + np.int64(key >> U(61))
    for k in range(base, base + WAYS):
        if owners[k]["key"] == key:
            return NOBODY if owners[k]["who"] == who else owners[k]["who"]
        if owners[k]["key"] == U(0):
            free = k
            break
    owners[free]["key"] = key
    owners[free]["who"] = who
    return NOBODY


@kernel
def owners_met(track):
    """ln(1 + others whose things each of a track's people was served), of whom 64 can be told apart."""
    if track["owners"] == U(0):
        return 0.0
    people = max(counted_by_bits(track["tokens"]), counted_by_bits(track["sessions"]))
    return math.log(1.0 + min(64.0, counted_by_bits(track["owners"])) / people)


@kernel
def teach_met(slot, track):
    """Add a track to what is usual at its parameter, or what it has met since."""
    value, before = min(TEACHES, owners_met(track)), track["met"]
    if value == before:
        return
    if before < 0:
        slot["askers"] += 1.0
        before = 0.0
    slot["met"] += value - before
    slot["met_squares"] += value * value - before * before
    track["met"] = value
    if slot["askers"] > FADES:
        slot["askers"] *= 0.5
        slot["met"] *= 0.5
        slot["met_squares"] *= 0.5


@kernel
def strangers_nats(slot, track):
    """Surprise at so many others whose things an actor was served, against the other actors of the parameter."""
    if track["met"] < 0:
        return 0.0
    return nats_against_others(
        owners_met(track),
        track["met"],
        slot["askers"],
        slot["met"],
        slot["met_squares"],
        PRIOR,
        USUAL_LOG,
        SPREAD,
        LEAST_SPREAD,
    )
