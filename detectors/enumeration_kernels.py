"""State of the enumeration detector, and its run over a batch."""

import numpy as np

from detectors.campaigns import Campaigns, new_campaigns
from detectors.combinations import BUSY, IN_COMBINATION, add_to_combination, new_combination, start_combination
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
)
from detectors.enumeration_groups import (
    AXES,
    LEAST_DISTINCT,
    REFERENCE,
    learn_reference,
    raise_or_update_group,
    update_group,
)
from detectors.enumeration_tracks import (
    BY_ADDRESS,
    BY_FINGERPRINT,
    BY_PLACE,
    BY_TOKEN,
    SAMPLES,
    TRACK,
    VOTE_CAP,
    becomes_heavy,
    is_due,
    is_miss,
    is_new,
    judge,
    keep_first,
    keep_last,
    keep_sample,
    note_number,
    start_track,
)
from detectors.enumeration_trades import A_JOB, may_ask_for_all
from detectors.focus import Focus, new_focus, note_request
from detectors.incidents import claim, update
from detectors.owners import NOBODY, identity, new_owners, other_owner, teach_met
from detectors.paging import PAGING
from detectors.sets import PairSet, new_pair_set
from sensor.core.bits import address_hash
from sensor.core.bundle import Bundle
from sensor.core.hashing import U, mix
from sensor.core.jit import kernel
from sensor.core.records import FLOW, OPERATION
from sensor.core.sensitive import EMAIL_SECRET, HARMLESS
from sensor.inventory.lexical import INT, LONGEST_WORD
from sensor.inventory.refusals import REFUSED
from sensor.inventory.secrets import is_among, name_hashes, plain_name_hash
from sensor.inventory.values import IN_BODY, IN_PATH, find_in

TRACKS = 32_768
"""Actors times parameters watched at once."""
WAYS = 8
"""Places that a new track may take: the longest silent of them gives way."""
RAISED_LIMIT = 1_024
"""Incidents kept; later ones are counted, not described."""
CONTROL = np.dtype([
    ("raised", "<i8"), ("unkept", "<i8"), ("asked", "<i8"), ("owner", "<u8"), ("axes", "<i8", (2,)),
    ("axis", "<f8", (2, AXES, 2)),
])  # fmt: skip
"""asked: requests of the row's address, wherever; owner: who was served the value in work before another asks for it; axis:
(different values, draws) of each parameter of the request in work, in its fingerprint's group and in that of all"""
SPACE = 32
JSON_RPC, RPC_ID = OPERATION["jsonrpc"], U(plain_name_hash(b"id"))
F_LOGIN, F_PAYMENT, F_CODE, F_SIGNUP = FLOW["login"], FLOW["payment"], FLOW["code"], FLOW["signup"]
SAMPLED_FROM = 8
"""Different values of an actor from which on its transactions are kept as evidence: most actors never ask for so many."""


class EnumerationState(Bundle):
    """Everything the detector remembers."""

    tags: np.ndarray
    """uint64[TRACKS]: key of the track in each place, 0 for none: one cache line tells which of a set it is"""
    tracks: np.ndarray
    """TRACK[TRACKS], sets of WAYS places"""
    slots: np.ndarray
    """SLOT[SLOTS]"""
    references: np.ndarray
    """REFERENCE[SLOTS]: what those who are not focused ask for, by the same places"""
    seen: PairSet
    raised: np.ndarray
    """TRACK[RAISED_LIMIT]: incidents, as they were last seen"""
    ignored: np.ndarray
    """uint64[…]: hashes of parameter names that count pages or time"""
    control: np.ndarray
    focus: Focus
    campaigns: Campaigns
    combination: np.ndarray
    """VALUE[1]: all parameters of the request in work"""
    owners: np.ndarray
    """OWNER[OWNERS]: who was served a value first"""


def new_enumeration() -> EnumerationState:
    ignored = name_hashes(*PAGING, *(f"variables.{name}" for name in PAGING))
    return EnumerationState(
        np.zeros(TRACKS, np.uint64),
        np.zeros(TRACKS, TRACK),
        np.zeros(SLOTS, SLOT),
        np.zeros(SLOTS, REFERENCE),
        new_pair_set(),
        np.zeros(RAISED_LIMIT, TRACK),
        ignored,
        np.zeros(1, CONTROL),
        new_focus(),
        new_campaigns(),
        new_combination(),
        new_owners(),
    )


@kernel
def find_track(state, row, value, rung, place, idle):
    """The track of (actor or group, endpoint, parameter), begun anew after a long silence."""
    actor = address_hash(row)
    if rung == BY_TOKEN:
        actor = row["credential"]
    elif rung != BY_ADDRESS:
        actor = row["fingerprint"] if rung == BY_FINGERPRINT else U(0)
    key = mix(actor ^ mix(U(row["endpoint"]) ^ (value["slot"] << U(20)) ^ U(rung) << U(62)))
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
def update_track(state, index, row, value, arena, focused, teaches):
    """Add one request to a track and to what is known of its parameter: whether its value was new to the actor.

    teaches: what it does counts as ordinary.
    """
    track = state.tracks[index]
    slot = state.slots[track["place"]]
    miss = is_miss(row, value)
    if not focused and track["rung"] == BY_ADDRESS and not track["referenced"]:
        track["referenced"] = 1
        state.references[track["place"]]["actors"] += np.uint32(1)
    if not teaches:
        forget_in_baseline(track, slot)
    new = is_new(track, state.seen, value["hash"])
    steps, same, onward = np.int64(track["steps"]), np.int64(track["same_steps"]), np.int64(track["onward"])
    track["requests"] += np.uint32(1)
    track["misses"] += np.uint32(miss)
    track["last_ts"] = max(track["last_ts"], row["ts"])
    if track["requests"] == 1:
        keep_first(track, arena, value)
    if track["samples"] < SAMPLES - 1 and track["distinct"] >= SAMPLED_FROM:
        keep_sample(track, row)
    if value["kind"] == INT:
        note_number(track, value["number"])
    before = np.int64(track["distinct"])
    track["distinct"] += np.uint32(new)
    if state.control[0]["owner"] != NOBODY:
        track["owners"] |= U(1) << (mix(state.control[0]["owner"]) & U(63))
    if identity(row) != NOBODY and track["rung"] <= BY_TOKEN:
        teach_met(slot, track)
    if row["credential"] and 200 <= row["status"] < 300:
        track["tokens"] |= U(1) << (mix(row["credential"]) & U(63))
    if row["session"]:
        track["sessions"] |= U(1) << (mix(row["session"]) & U(63))
    if not track["taught"]:
        return before != track["distinct"]  # an attacker does not teach the baseline
    if before != track["distinct"] and (before == 0 or level_of(before) != level_of(track["distinct"])):
        count_population(slot, before, np.int64(track["distinct"]))
        if slot["measured"] >= MEASURE_EVERY:
            measure_population(slot, track)
    slot["requests"] += 1.0
    slot["repeats"] += 0.0 if before != track["distinct"] else 1.0
    slot["misses"] += 1.0 if miss else 0.0
    slot["steps"] += np.float64(np.int64(track["steps"]) - steps)
    slot["same_steps"] += np.float64(max(0, np.int64(track["same_steps"]) - same))
    slot["onward"] += np.float64(np.int64(track["onward"]) - onward)
    return before != track["distinct"]


@kernel
def raise_or_update(state, track, threshold, arena, value, row):
    """Judge a track; a raised one is kept up to date among the incidents. True when it is raised just now."""
    slot = state.slots[track["place"]]
    fresh = track["status"] != RAISED
    nats, shape, plain = judge(track, slot)
    if fresh:
        if nats < threshold or may_ask_for_all(track, shape, plain, state.control[0]["asked"], arena, row):
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
    return is_among(value["slot"], state.ignored)


@kernel
def is_watched(state, row, arena, value):
    """Whether a value may be one of an enumeration: what others watch, and what was refused as malformed, is not."""
    if value["len"] == 0 or row["endpoint"] == 0 or is_ignored(state, value):
        return False
    if value["location"] != IN_BODY:
        return True
    if value["secret"] != HARMLESS and value["secret"] != EMAIL_SECRET:
        return False
    at = np.int64(value["at"])
    end = at + min(np.int64(value["len"]), LONGEST_WORD)
    if find_in(arena, at, end, SPACE) < end:
        return False  # what people write
    if row["operation_type"] == JSON_RPC and value["slot"] == RPC_ID:
        return False  # the client's count of its requests (JSON-RPC 2.0, 4)
    flow, status = row["flow"], row["status"]
    refused = status == 400 or status == 422 or status >= 500
    if flow == F_SIGNUP and status < 400 and row["refused"] != REFUSED:
        return False  # accounts are new by nature; flow_abuse counts them
    if flow == F_CODE and (status >= 400 or row["refused"] == REFUSED):
        return False
    return not refused and value["len"] <= LONGEST_WORD and flow != F_LOGIN and flow != F_PAYMENT


@kernel
def take_value(state, row, value, place, arena, threshold, min_distinct, idle, focused, teaches):
    """One value of an actor: (whether it was new to it, whether the actor stands for itself: stands out, or does a job; its
    requests, whether it becomes heavy).

    An actor with a token is watched by its token and by its address; where both give the same picture, the token,
    as the higher rung, is named.
    """
    new, raised, heavy, requests = False, False, False, np.int64(0)
    for rung in range(BY_TOKEN if row["credential"] != U(0) else BY_ADDRESS, BY_ADDRESS - 1, -1):
        at = find_track(state, row, value, rung, place, idle)
        track = state.tracks[at]
        new = update_track(state, at, row, value, arena, focused, teaches)
        if track["status"] == RAISED or (new and is_due(track, np.int64(track["distinct"]), min_distinct)):
            raise_or_update(state, track, threshold, arena, value, row)
        raised |= track["status"] == RAISED or (row["proven"] and track["distinct"] >= A_JOB)
        requests = np.int64(track["requests"])
        heavy = new and becomes_heavy(track, state.slots[place])
        if rung == BY_TOKEN and raised:
            break
    return new, raised, requests, heavy


@kernel
def forget_place(state, row, value, place, idle):
    """What a group explains counts no more for all: their track begins anew, unless it was raised before."""
    at = find_track(state, row, value, BY_PLACE, place, idle)
    if state.tracks[at]["status"] != RAISED:
        start_track(state.tracks[at], state.tags[at], row, value, BY_PLACE, place)


@kernel
def note_axis(control, group, value, track):
    """Keep how a group uses one parameter of the request in work: an axis of the grid that its combinations may fill."""
    at = control["axes"][group]
    if value["location"] != IN_COMBINATION and at < AXES:
        control["axis"][group, at, 0] = track["distinct"]
        control["axis"][group, at, 1] = track["draws"]
        control["axes"][group] = at + 1


@kernel
def take_group_value(state, row, value, place, arena, draw, heavy, requests, threshold, min_distinct, idle):
    """The same for the groups of a focused address: that of its fingerprint, and if that shows nothing, that of all; who bears
    a token of his own and has other headers, too, is nobody's accomplice.
    """
    last = BY_FINGERPRINT if row["proven"] else BY_PLACE
    for rung in range(BY_FINGERPRINT if row["fingerprint"] != U(0) else BY_PLACE, last + 1):
        track = state.tracks[find_track(state, row, value, rung, place, idle)]
        update_group(state, track, row, value, arena, draw, heavy)
        note_axis(state.control[0], rung - BY_FINGERPRINT, value, track)
        fingerprint = row["fingerprint"] if rung == BY_FINGERPRINT else U(0)
        due = draw and track["distinct"] >= LEAST_DISTINCT and is_due(track, np.int64(track["draws"]), min_distinct)
        if track["status"] == RAISED or due:
            fresh = track["status"] != RAISED
            if raise_or_update_group(state, track, threshold, arena, value, row, requests, fingerprint, idle):
                if fresh and rung == BY_FINGERPRINT:
                    forget_place(state, row, value, place, idle)
                return


@kernel
def is_suspicious(state, row, value, place, idle):
    """Whether more than one vote is cast on the group of a focused address: what it does then teaches nobody."""
    if row["fingerprint"] == U(0):
        return False
    return state.tracks[find_track(state, row, value, BY_FINGERPRINT, place, idle)]["nats"] > VOTE_CAP


@kernel
def watch(state, row, value, arena, focused, threshold, min_distinct, idle):
    """One value, of its actor, and of its groups or the reference: requests that its actor made with this parameter."""
    place = find_slot(state.slots, row["endpoint"], value["slot"])
    state.control[0]["owner"] = other_owner(state.owners, place, row, value)
    teaches = not focused or not is_suspicious(state, row, value, place, idle)
    draw, raised, requests, heavy = take_value(state, row, value, place, arena, threshold, min_distinct, idle, focused, teaches)
    if raised:
        return requests
    if focused:
        take_group_value(state, row, value, place, arena, draw, heavy, focused, threshold, min_distinct, idle)
    else:
        learn_reference(state, place, row, value, draw)
    return requests


@kernel
def enumerate_rows(state, rows, arena, values, count, threshold, min_distinct, idle):
    """Take the rows of a batch and their values[:count], both in row order."""
    at, together = 0, state.combination[0]
    for index in range(rows.shape[0]):
        row, requests = rows[index], np.int64(0)
        focused = np.int64(0)
        if row["endpoint"] != 0:
            focused, state.control[0]["asked"] = note_request(state.focus, row, idle)
        start_combination(together, index)
        state.control[0]["axes"][:] = 0
        while at < count and values[at]["row"] == index:
            value = values[at]
            at += 1
            if is_watched(state, row, arena, value):
                requests = max(requests, watch(state, row, value, arena, focused, threshold, min_distinct, idle))
                add_to_combination(together, value)
        if together["kind"] > 1 and requests >= BUSY:
            watch(state, row, together, arena, focused, threshold, min_distinct, idle)
