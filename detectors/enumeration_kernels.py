"""State and kernels of the enumeration detector."""

import math

import numpy as np

from detectors.enumeration_baseline import (
    MEASURE_EVERY,
    RAISED,
    SLOT,
    SLOTS,
    count_population,
    find_slot,
    forget_in_baseline,
    level_of,
    measure_population,
    share_of_others,
)
from detectors.incidents import claim, update
from detectors.sets import PairSet, add_pair, new_pair_set
from detectors.statistics import fewer_than_expected_nats, more_than_expected_nats, normal_tail_nats
from sensor.core.bundle import Bundle
from sensor.core.hashing import U, mix
from sensor.core.jit import kernel
from sensor.inventory.lexical import INT
from sensor.inventory.secrets import plain_name_hash
from sensor.inventory.values import IN_PATH

TRACKS = 65_536
"""Actors times parameters watched at once."""
WAYS = 8
"""Places that a new track may take: the longest silent of them gives way."""
RAISED_LIMIT = 1_024
"""Incidents kept; later ones are counted, not described."""
TEXT = 32
SAMPLES = 8

MIN_POPULATION = 10
PRIOR_MEDIAN, PRIOR_SPREAD = 8.0, 1.0
"""Before a parameter's population is known: most actors ask for about 8 values, one in six for more than 22."""
PRIOR_MEDIAN_LOG = math.log(PRIOR_MEDIAN)
VOTE_CAP = 16.0
"""nats; no vote alone reaches the threshold, since each null model is only nearly true."""
VOLUME_FLOOR = 4.6
"""nats: fewer than one ordinary actor in a hundred does that."""
PRIOR_WALK, PRIOR_REPEATS, PRIOR_MISSES = 0.1, 0.05, 0.05

SAMPLE = np.dtype([("ts", "<i8"), ("port", "<u2"), ("status", "<u2")])
TRACK = np.dtype([
    ("key", "<u8"), ("status", "u1"), ("rung", "u1"), ("location", "u1"), ("secret", "u1"),
    ("endpoint", "<u4"), ("slot", "<u8"), ("place", "<u4"),
    ("actor_hi", "<u8"), ("actor_lo", "<u8"), ("source_hi", "<u8"), ("source_lo", "<u8"),
    ("first_ts", "<i8"), ("last_ts", "<i8"), ("raised_ts", "<i8"), ("raised_at", "<i4"),
    ("requests", "<u4"), ("distinct", "<u4"), ("misses", "<u4"), ("numeric", "<u4"),
    ("low", "<i8"), ("high", "<i8"), ("last_number", "<i8"),
    ("step", "<i8"), ("votes", "<i4"), ("steps", "<u4"), ("same_steps", "<u4"),  # Boyer-Moore majority of the steps
    ("nats", "<f8"), ("usual", "<f8"), ("population", "<u4"),
    ("name", "u1", (TEXT,)), ("name_len", "u1"),  # from here on: touched at the start and in incidents alone
    ("first_text", "u1", (TEXT,)), ("first_len", "<u4"), ("last_text", "u1", (TEXT,)), ("last_len", "<u4"),
    ("sample", SAMPLE, (SAMPLES,)), ("samples", "u1"),
])  # fmt: skip
CONTROL = np.dtype([("raised", "<i8"), ("unkept", "<i8")])

PAGING = (
    "page", "offset", "limit", "cursor", "start", "size", "per_page", "pagesize", "skip", "count", "from", "to", "since",
    "until", "_", "t", "ts", "time", "timestamp", "cb", "rand", "nocache",
)  # fmt: skip
"""Names of parameters that count pages or time: everybody walks through them."""


class EnumerationState(Bundle):
    """Everything the detector remembers."""

    tags: np.ndarray
    """uint64[TRACKS]: key of the track in each place, 0 for none: one cache line tells which of a set it is"""
    tracks: np.ndarray
    """TRACK[TRACKS], sets of WAYS places"""
    slots: np.ndarray
    """SLOT[SLOTS]"""
    seen: PairSet
    raised: np.ndarray
    """TRACK[RAISED_LIMIT]: incidents, as they were last seen"""
    ignored: np.ndarray
    """uint64[…]: hashes of parameter names that count pages or time"""
    control: np.ndarray


def new_enumeration() -> EnumerationState:
    ignored = np.array([plain_name_hash(name.encode()) for name in PAGING], np.uint64)
    return EnumerationState(
        np.zeros(TRACKS, np.uint64),
        np.zeros(TRACKS, TRACK),
        np.zeros(SLOTS, SLOT),
        new_pair_set(),
        np.zeros(RAISED_LIMIT, TRACK),
        ignored,
        np.zeros(1, CONTROL),
    )


@kernel
def start_track(track, key, row, value, rung, place):
    """Begin a track anew."""
    track["key"] = key
    track["status"] = 0
    track["rung"] = rung
    track["location"] = value["location"]
    track["secret"] = value["secret"]
    track["endpoint"] = row["endpoint"]
    track["slot"] = value["slot"]
    track["place"] = place
    track["actor_hi"] = row["client_hi"] if rung == 0 else U(0)
    track["actor_lo"] = row["client_lo"] if rung == 0 else row["credential"]
    track["source_hi"] = row["client_hi"]
    track["source_lo"] = row["client_lo"]
    track["first_ts"] = row["ts"]
    track["last_ts"] = row["ts"]
    track["raised_at"] = -1
    track["requests"] = 0
    track["distinct"] = 0
    track["misses"] = 0
    track["numeric"] = 0
    track["low"] = 0
    track["high"] = 0
    track["last_number"] = 0
    track["step"] = 0
    track["votes"] = 0
    track["steps"] = 0
    track["same_steps"] = 0
    track["nats"] = 0.0
    track["samples"] = 0


@kernel
def find_track(state, row, value, rung, place, idle):
    """The track of (actor, endpoint, parameter), begun anew after a long silence."""
    actor = row["credential"] if rung else mix(row["client_lo"] ^ mix(row["client_hi"]))
    key = mix(actor ^ mix(U(row["endpoint"]) ^ (value["slot"] << U(20)) ^ U(rung) << U(63)))
    base = np.int64(key & U(TRACKS // WAYS - 1)) * WAYS
    for k in range(base, base + WAYS):
        if state.tags[k] == key:
            if row["ts"] - state.tracks[k]["last_ts"] > idle:
                start_track(state.tracks[k], key, row, value, rung, place)
            return np.int64(k)
    oldest = np.int64(base)
    for k in range(base, base + WAYS):
        if state.tags[k] == U(0):
            oldest = np.int64(k)
            break
        if state.tracks[k]["last_ts"] < state.tracks[oldest]["last_ts"]:
            oldest = np.int64(k)
    state.tags[oldest] = key
    start_track(state.tracks[oldest], key, row, value, rung, place)
    return oldest


@kernel
def note_number(track, number):
    """One more number in the walk."""
    if track["numeric"] == 0:
        track["low"] = number
        track["high"] = number
    else:
        track["low"] = min(track["low"], number)
        track["high"] = max(track["high"], number)
        step = number - track["last_number"]
        if step != 0:
            track["steps"] += np.uint32(1)
            if step == track["step"]:
                track["votes"] += 1
                track["same_steps"] += np.uint32(1)
            elif track["votes"] == 0:
                track["step"] = step
                track["votes"] = 1
                track["same_steps"] = 1
            else:
                track["votes"] -= 1
    track["last_number"] = number
    track["numeric"] += np.uint32(1)


@kernel
def volume_vote(track, slot):
    """Surprise of so many distinct values; notes the population that it was held against."""
    others = np.int64(slot["actors"]) - (1 if track["status"] != RAISED else 0)
    median, spread = PRIOR_MEDIAN_LOG, PRIOR_SPREAD
    if others >= MIN_POPULATION:
        if slot["measured"] >= MEASURE_EVERY or slot["median"] == 0.0:
            measure_population(slot, track)
        median, spread = slot["median"], slot["spread"]
    track["population"] = max(others, 0)
    track["usual"] = median
    return normal_tail_nats((math.log(np.float64(track["distinct"])) - median) / spread)


@kernel
def judge(track, slot):
    """Sum of the four votes, 0 when the volume alone is ordinary."""
    volume = volume_vote(track, slot)
    if volume < VOLUME_FLOOR:
        return 0.0
    requests, distinct = np.float64(track["requests"]), np.float64(track["distinct"])
    steps, same, misses = np.float64(track["steps"]), np.float64(track["same_steps"]), np.float64(track["misses"])
    walk = more_than_expected_nats(same, steps, share_of_others(same, steps, slot["same_steps"], slot["steps"], PRIOR_WALK))
    repeats = requests - distinct
    usual = share_of_others(repeats, requests, slot["repeats"], slot["requests"], PRIOR_REPEATS)
    novelty = fewer_than_expected_nats(repeats, requests, usual)
    absent = more_than_expected_nats(
        misses, requests, share_of_others(misses, requests, slot["misses"], slot["requests"], PRIOR_MISSES)
    )
    return min(volume, VOTE_CAP) + min(walk, VOTE_CAP) + min(novelty, VOTE_CAP) + min(absent, VOTE_CAP)


@kernel
def keep_first(track, arena, value):
    """The parameter's name and its first value, for the explanation."""
    at, length = np.int64(value["at"]), np.int64(value["len"])
    track["first_len"] = length
    for k in range(min(length, TEXT)):
        track["first_text"][k] = arena[at + k]
    name = min(np.int64(value["name_len"]), TEXT)
    track["name_len"] = name
    for k in range(name):
        track["name"][k] = arena[np.int64(value["name_at"]) + k]


@kernel
def keep_last(track, arena, value, row):
    """The newest value and transaction of an incident."""
    at, length = np.int64(value["at"]), np.int64(value["len"])
    track["last_len"] = length
    for k in range(min(length, TEXT)):
        track["last_text"][k] = arena[at + k]
    if track["samples"] >= SAMPLES - 1:
        keep_sample(track, row)


@kernel
def keep_sample(track, row):
    """The first transactions of a track, and its newest in the last place."""
    at = min(np.int64(track["samples"]), SAMPLES - 1)
    sample = track["sample"][at]
    sample["ts"] = row["ts"]
    sample["port"] = row["client_port"]
    sample["status"] = row["status"]
    track["samples"] = at + 1


@kernel
def update_track(state, index, row, value, arena):
    """Add one request to a track and to what is known of its parameter: whether its value was new to the actor."""
    track = state.tracks[index]
    slot = state.slots[track["place"]]
    miss = row["status"] == 404 or row["status"] == 403 or row["status"] == 400 or row["status"] == 410
    new = add_pair(state.seen, track["key"] ^ U(track["first_ts"]), value["hash"])
    steps, same = np.int64(track["steps"]), np.int64(track["same_steps"])
    track["requests"] += np.uint32(1)
    track["misses"] += np.uint32(miss)
    track["last_ts"] = max(track["last_ts"], row["ts"])
    if track["requests"] == 1:
        keep_first(track, arena, value)
    if track["samples"] < SAMPLES - 1:
        keep_sample(track, row)
    if value["kind"] == INT:
        note_number(track, value["number"])
    before = np.int64(track["distinct"])
    if new or before == 0:
        track["distinct"] += np.uint32(1)
    if track["status"] == RAISED:
        return before != track["distinct"]  # an attacker does not teach the baseline
    if before != track["distinct"] and (before == 0 or level_of(before) != level_of(track["distinct"])):
        count_population(slot, before, np.int64(track["distinct"]))
    slot["requests"] += 1.0
    slot["repeats"] += 0.0 if before != track["distinct"] else 1.0
    slot["misses"] += 1.0 if miss else 0.0
    slot["steps"] += np.float64(np.int64(track["steps"]) - steps)
    slot["same_steps"] += np.float64(max(0, np.int64(track["same_steps"]) - same))
    return before != track["distinct"]


@kernel
def raise_or_update(state, track, threshold, arena, value, row):
    """Judge a track; a raised one is kept up to date among the incidents. True when it is raised just now."""
    slot = state.slots[track["place"]]
    fresh = track["status"] != RAISED
    nats = judge(track, slot)
    if fresh:
        if nats < threshold:
            return False
        forget_in_baseline(track, slot)
        track["status"] = RAISED
        track["raised_ts"] = row["end"]
        claim(state.raised, state.control[0], track)
    track["nats"] = max(track["nats"], nats)
    keep_last(track, arena, value, row)
    update(state.raised, track)
    return fresh


@kernel
def is_ignored(state, value):
    """Whether a parameter counts pages or time, which everybody walks through."""
    if value["location"] == IN_PATH:
        return False
    for k in range(state.ignored.shape[0]):
        if state.ignored[k] == value["slot"]:
            return True
    return False


@kernel
def enumerate_rows(state, rows, arena, values, count, threshold, min_distinct, idle):
    """Take the parameter values of a batch, in row order.

    An actor with a token is watched by its token and by its address; where both give the same picture, the token,
    as the higher rung, is named.
    """
    for index in range(count):
        value = values[index]
        if value["len"] == 0 or is_ignored(state, value):
            continue
        row = rows[value["row"]]
        if row["endpoint"] == 0:
            continue
        place = find_slot(state.slots, row["endpoint"], value["slot"])
        named = False
        for rung in range(1 if row["credential"] != U(0) else 0, -1, -1):
            at = find_track(state, row, value, rung, place, idle)
            track = state.tracks[at]
            if rung == 0 and named:
                continue
            new = update_track(state, at, row, value, arena)
            if track["status"] == RAISED or (new and track["distinct"] >= min_distinct):
                raise_or_update(state, track, threshold, arena, value, row)
            named = rung == 1 and track["status"] == RAISED
