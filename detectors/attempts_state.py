"""What detectors of guessing remember: addresses that failed, groups of them, places, and incidents."""

import numpy as np

from detectors.campaigns import NOBODY, Campaigns, new_campaigns
from sensor.core.bundle import Bundle
from sensor.core.hashing import U, mix
from sensor.core.jit import kernel
from sensor.inventory.endpoints import CAPACITY

TRACKS, WAYS = 16_384, 8
GROUPS = 8_192

NEUTRAL, SUCCESS, FAILURE = range(3)
"""What an answer means to whoever guesses."""

TRACK = np.dtype([
    ("key", "<u8"), ("place", "<u4"), ("endpoint", "<u4"), ("fingerprint", "<u8"),
    ("source_hi", "<u8"), ("source_lo", "<u8"), ("first_ts", "<i8"), ("last_ts", "<i8"),
    ("attempts", "<u4"), ("failures", "<u4"),
    ("different", "<u8"),                  # bits of hashes of what was tried
    ("users", "<u8"), ("secrets", "<u8"),  # of account names and of passwords
    ("sum", "<f8"), ("met", "u1"), ("joined", "u1"),  # MET…: it has counted for its group; it takes part in an incident
])  # fmt: skip
GROUP = np.dtype(
    [("key", "<u8"), ("sum", "<f8"), ("failing", "<u4"), ("different", "<u8"), ("onset", "<i8"), ("last_ts", "<i8")]
)
"""failing: addresses that failed since the sum left zero, at `onset`; different: bits of hashes of what they tried."""
TRIAL = np.dtype([
    ("row", "<u4"), ("outcome", "u1"), ("place", "<u4"), ("what", "<u8"), ("user", "<u8"), ("secret", "<u8"),
    ("foreign", "u1"),
])  # fmt: skip
"""One attempt. place: its endpoint, or what else failures are held against; what: hash of what was tried; user, secret:
hashes of an account name and a password, 0 where none was seen; foreign: a failure of a
kind that is rare in itself, with a p0 of its own."""


class AttemptState(Bundle):
    """Everything that such a detector remembers."""

    tags: np.ndarray
    """uint64[TRACKS]: key of the track in each place, 0 for none"""
    tracks: np.ndarray
    """TRACK[TRACKS], sets of WAYS places: addresses that failed at least once"""
    group_tags: np.ndarray
    """uint64[GROUPS]: key of the group in each place, 0 for none"""
    groups: np.ndarray
    """GROUP[GROUPS], by place and fingerprint, sets of WAYS"""
    places: np.ndarray
    """GROUP[CAPACITY], by place"""
    usual: np.ndarray
    """float64[CAPACITY, 3]: failures, trials and foreign failures from which p0 is learned"""
    campaigns: Campaigns


def new_attempts() -> AttemptState:
    return AttemptState(
        np.zeros(TRACKS, np.uint64),
        np.zeros(TRACKS, TRACK),
        np.zeros(GROUPS, np.uint64),
        np.zeros(GROUPS, GROUP),
        np.zeros(CAPACITY, GROUP),
        np.zeros((CAPACITY, 3)),
        new_campaigns(),
    )


@kernel
def find_track(state, trial, row, idle, create):
    """Place of the track of (place, address), begun anew after a long silence; NOBODY where there is none."""
    key = mix(row["client_lo"] ^ mix(row["client_hi"]) ^ (U(trial["place"]) << U(40))) | U(1)
    base = np.int64(key & U(TRACKS // WAYS - 1)) * WAYS
    chosen = np.int64(base)
    for k in range(base, base + WAYS):
        if state.tags[k] == key:
            if row["ts"] - state.tracks[k]["last_ts"] <= idle:
                return np.int64(k)
            chosen = np.int64(k)
            break
        if state.tags[chosen] != U(0) and (
            state.tags[k] == U(0) or state.tracks[k]["last_ts"] < state.tracks[chosen]["last_ts"]
        ):
            chosen = np.int64(k)
    if not create:
        return np.int64(NOBODY)
    state.tags[chosen] = key
    track = state.tracks[chosen]
    track["key"] = key
    track["place"] = trial["place"]
    track["endpoint"] = row["endpoint"]
    track["fingerprint"] = row["fingerprint"]
    track["source_hi"] = row["client_hi"]
    track["source_lo"] = row["client_lo"]
    track["first_ts"] = row["ts"]
    track["last_ts"] = row["ts"]
    track["attempts"] = 0
    track["failures"] = 0
    track["different"] = 0
    track["users"] = 0
    track["secrets"] = 0
    track["sum"] = 0.0
    track["met"] = 0
    track["joined"] = 0
    return chosen


@kernel
def find_group(state, key, create):
    """Place of the group of (place, fingerprint), NOBODY where there is none."""
    base = np.int64(key & U(GROUPS // WAYS - 1)) * WAYS
    for k in range(base, base + WAYS):
        if state.group_tags[k] == key:
            return np.int64(k)
    if not create:
        return np.int64(NOBODY)
    chosen = np.int64(base)
    for k in range(base, base + WAYS):
        if state.groups[k]["last_ts"] < state.groups[chosen]["last_ts"]:
            chosen = np.int64(k)
    state.group_tags[chosen] = key
    group = state.groups[chosen]
    group["sum"] = 0.0
    group["failing"] = 0
    return chosen
