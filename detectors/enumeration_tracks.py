"""Tracks of the enumeration detector: what one actor, or one group, asks of one parameter, and the votes on it."""

import math

import numpy as np

from detectors.combinations import IN_COMBINATION, keep_names
from detectors.enumeration_baseline import (
    MEASURE_EVERY,
    UPPER_QUARTILE,
    least_share_of_others,
    measure_population,
    share_of_others,
)
from detectors.owners import strangers_nats
from detectors.sets import add_pair
from detectors.statistics import fewer_than_expected_nats, more_than_expected_nats, normal_tail_nats
from sensor.core.bits import counted_by_bits
from sensor.core.hashing import U
from sensor.core.jit import kernel
from sensor.inventory.refusals import REFUSED
from sensor.inventory.values import IN_BODY

TEXT = 32
SAMPLES = 8
FEW = 16
"""Different values that a track remembers itself: most actors never ask for more, and the common set is out of the cache."""
JUDGED_EACH = 8
"""A track is judged again when it has grown by an eighth, and by LEAST_GROWTH: logarithms cost more than all the rest."""
LEAST_GROWTH = 4

BY_ADDRESS, BY_TOKEN, BY_FINGERPRINT, BY_PLACE = range(4)
"""Whose track it is: an address's, a token's, that of focused addresses with one fingerprint, or of all focused addresses."""

MIN_POPULATION = 10
PRIOR_MEDIAN, PRIOR_SPREAD = 8.0, 1.0
"""Before a parameter's population is known: most actors ask for about 8 values, one in six for more than 22."""
PRIOR_MEDIAN_LOG, LN_2 = math.log(PRIOR_MEDIAN), math.log(2.0)
VOTE_CAP = 16.0
"""nats; no vote alone reaches the threshold, since each null model is only nearly true."""
VOLUME_FLOOR = 4.6
"""nats: fewer than one ordinary actor in a hundred does that."""
PRIOR_WALK, PRIOR_ONWARD, PRIOR_REPEATS, PRIOR_MISSES = 0.1, 0.5, 0.05, 0.05
"""Of numbers in no order one step in three goes on in the direction of the one before; lists are often sorted."""
UPWARDS, DOWNWARDS = 1, 2

SAMPLE = np.dtype([("ts", "<i8"), ("port", "<u2"), ("status", "<u2")])
TRACK = np.dtype([
    ("key", "<u8"), ("status", "u1"), ("rung", "u1"), ("location", "u1"), ("secret", "u1"),
    ("endpoint", "<u4"), ("slot", "<u8"), ("place", "<u4"),
    ("actor_hi", "<u8"), ("actor_lo", "<u8"), ("source_hi", "<u8"), ("source_lo", "<u8"),
    ("first_ts", "<i8"), ("last_ts", "<i8"), ("raised_ts", "<i8"), ("raised_at", "<i4"),
    ("requests", "<u4"), ("distinct", "<u4"), ("misses", "<u4"), ("numeric", "<u4"),
    ("low", "<i8"), ("high", "<i8"), ("last_number", "<i8"),
    ("step", "<i8"), ("votes", "<i4"), ("steps", "<u4"), ("same_steps", "<u4"),  # Boyer-Moore majority of the steps
    ("rising", "u1"), ("onward", "<u4"),  # direction of the last step; steps in the direction of the one before
    ("nats", "<f8"), ("usual", "<f8"), ("population", "<u4"),
    ("fingerprint", "<u8"), ("draws", "<u4"),  # draws: values that were new to their actor, in a group
    ("referenced", "u1"),   # its actor was counted among those of the reference
    ("heavy", "u4"),        # whether it lies above the upper quartile; of a group: how many addresses do
    ("taught", "u1"),       # what it did counts as ordinary; not so once it, or its group, stands out
    ("tokens", "<u8"), ("sessions", "<u8"),  # bits of hashes of those that stand behind an address; tokens: served ones
    ("owners", "<u8"), ("met", "<f8"), ("strangers", "<f8"),  # bits of hashes of others who were served its values before;
    # what it taught of that, -1 for nothing; the surprise at it, nats
    ("due", "<u4"),         # different values (draws, of a group) at which it is judged next
    ("few", "<u4", (FEW,)),  # hashes of its first different values; those of later ones are in the common set
    ("name", "u1", (TEXT,)), ("name_len", "u1"),  # from here on: touched at the start and in incidents alone
    ("first_text", "u1", (TEXT,)), ("first_len", "<u4"), ("last_text", "u1", (TEXT,)), ("last_len", "<u4"),
    ("sample", SAMPLE, (SAMPLES,)), ("samples", "u1"),
])  # fmt: skip


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
    track["actor_hi"] = row["client_hi"] if rung == BY_ADDRESS else U(0)
    track["actor_lo"] = row["client_lo"] if rung == BY_ADDRESS else row["credential"]
    track["fingerprint"] = row["fingerprint"]
    track["tokens"] = 0
    track["sessions"] = 0
    track["owners"] = 0
    track["met"] = -1.0
    track["strangers"] = 0.0
    track["draws"] = 0
    track["due"] = 0
    track["heavy"] = 0
    track["referenced"] = 0
    track["taught"] = 1
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
    track["rising"] = 0
    track["onward"] = 0
    track["nats"] = 0.0
    track["samples"] = 0


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
            direction = UPWARDS if step > 0 else DOWNWARDS
            track["onward"] += np.uint32(direction == track["rising"])
            track["rising"] = direction
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
def becomes_heavy(track, slot):
    """Whether an actor comes above the upper quartile of its parameter's population just now."""
    if track["heavy"] or slot["actors"] < MIN_POPULATION or slot["median"] == 0.0:
        return False
    if math.log(np.float64(track["distinct"])) <= slot["median"] + UPPER_QUARTILE * slot["spread"]:
        return False
    track["heavy"] = 1
    return True


@kernel
def is_new(track, seen, hashed):
    """Whether a value was not asked for in this track before; it is from here on. seen: the common set of all tracks."""
    short = np.uint32(hashed >> U(32))
    known = min(np.int64(track["distinct"]), FEW)
    for k in range(known):
        if track["few"][k] == short:
            return False
    if known < FEW:
        track["few"][known] = short
        return True
    return add_pair(seen, track["key"] ^ U(track["first_ts"]), hashed)


@kernel
def is_due(track, size, least):
    """Whether a track of this size, and at least `least`, is to be judged now."""
    if size < least or size < track["due"]:
        return False
    track["due"] = np.uint32(size + max(LEAST_GROWTH, size // JUDGED_EACH))
    return True


@kernel
def is_miss(row, value):
    """Whether an answer says that the value does not exist, or not for this actor."""
    status = row["status"]
    if status == 404 or status == 403 or status == 410 or row["refused"] == REFUSED:
        return True
    return status == 400 and value["location"] != IN_BODY


@kernel
def people_behind(track, shape):
    """How many people an address stands for: tokens that were served tell; sessions anybody can make up, so that they tell
    nothing where walk or misses (`shape`, nats) speak against it."""
    tokens = counted_by_bits(track["tokens"])
    return tokens if shape >= VOTE_CAP else max(tokens, counted_by_bits(track["sessions"]))


@kernel
def volume_vote(track, slot, people):
    """Surprise of so many distinct values of each of its people; notes the population that it was held against."""
    others = np.int64(slot["actors"]) - np.int64(track["taught"])
    median, spread = PRIOR_MEDIAN_LOG, PRIOR_SPREAD
    if others >= MIN_POPULATION:
        if slot["measured"] >= MEASURE_EVERY or slot["median"] == 0.0:
            measure_population(slot, track)
        median, spread = slot["median"], slot["spread"]
    track["population"] = max(others, 0)
    track["usual"] = median
    if others < MIN_POPULATION and track["location"] == IN_BODY:
        return 0.0  # what clients write differs by nature: only a population tells how much
    each = max(1.0, np.float64(track["distinct"]) / people)
    return normal_tail_nats((math.log(each) - median) / spread)


@kernel
def walk_nats(track, slot, own):
    """Surprise of the order of its numbers: (of one and the same step, of one direction). own: 1.0 if the baseline has it."""
    steps, same, onward = np.float64(track["steps"]), np.float64(track["same_steps"]), np.float64(track["onward"])
    usual = share_of_others(own * same, own * steps, slot["same_steps"], slot["steps"], PRIOR_WALK)
    usual_onward = share_of_others(own * onward, own * steps, slot["onward"], slot["steps"], PRIOR_ONWARD)
    return more_than_expected_nats(same, steps, usual), more_than_expected_nats(onward, steps, usual_onward)


@kernel
def judge(track, slot):
    """(sum of the four votes, that of walk and misses, that without the walk's direction); 0 when the volume is ordinary."""
    requests, distinct = np.float64(track["requests"]), np.float64(track["distinct"])
    misses, repeats = np.float64(track["misses"]), requests - distinct
    own = np.float64(track["taught"])  # its part in the baseline is to be left out
    stepping, onward = walk_nats(track, slot, own)
    absent = more_than_expected_nats(
        misses, requests, share_of_others(own * misses, own * requests, slot["misses"], slot["requests"], PRIOR_MISSES)
    )
    plain = min(stepping, VOTE_CAP) + min(absent, VOTE_CAP)
    shape = min(max(stepping, onward), VOTE_CAP) + min(absent, VOTE_CAP)
    track["strangers"] = strangers_nats(slot, track)
    volume = max(volume_vote(track, slot, people_behind(track, shape)), track["strangers"] - LN_2)
    if volume < VOLUME_FLOOR and absent < 2 * VOTE_CAP:  # misses without end need no volume
        return 0.0, 0.0, 0.0
    usual = least_share_of_others(own * repeats, own * requests, slot["repeats"], slot["requests"], PRIOR_REPEATS)
    novelty = fewer_than_expected_nats(repeats, requests, usual)
    return min(volume, VOTE_CAP) + min(novelty, VOTE_CAP) + shape, shape, plain


@kernel
def keep_first(track, arena, value):
    """The parameter's name and its first value, for the explanation."""
    if value["location"] == IN_COMBINATION:
        track["first_len"] = 0
        keep_names(track, arena, value)
        return
    at, length = np.int64(value["at"]), np.int64(value["len"])
    track["first_len"] = length
    for k in range(0 if value["secret"] else min(length, TEXT)):  # a secret is kept nowhere
        track["first_text"][k] = arena[at + k]
    name = min(np.int64(value["name_len"]), TEXT)
    track["name_len"] = name
    for k in range(name):
        track["name"][k] = arena[np.int64(value["name_at"]) + k]


@kernel
def keep_last(track, arena, value, row):
    """The newest value and transaction of an incident."""
    if value["location"] != IN_COMBINATION:
        at, length = np.int64(value["at"]), np.int64(value["len"])
        track["last_len"] = 0 if value["secret"] else length
        for k in range(0 if value["secret"] else min(length, TEXT)):
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
