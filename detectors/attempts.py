"""Attempts that fail: one address by many tries, many addresses by a few each. The kernels of all detectors of guessing.

Per (place, address): the CUSUM of the log-likelihood ratio of failed against successful attempts (Page 1954),
S = max(0, S + ln(p1/p0)) on a failure, S + ln((1-p1)/(1-p0)) on a success. p0 is the share that is usual at the place,
p1 = ATTACK_FAILS, as what is guessed rarely fits.

Per (place, fingerprint), and per place: the same over the *first* failure of each address and all successes (after Javed and
Paxson 2013: one Bernoulli trial an address, since a person's failures come in runs). For a place as a whole p1 is p0 +
MIXED, since ordinary attempts are among them.

Wald's bound: under the null a CUSUM rises above h once in e^h attempts at the earliest (Lorden 1971), so h = ln(run_length).

p0 is learned from the same trials, but not while a sum has come half the way: an attacker who begins slowly teaches
nothing that hides what comes later.
"""

import numpy as np

from detectors.campaigns import (
    BY_ADDRESS,
    BY_FINGERPRINT,
    BY_PLACE,
    NOBODY,
    Campaigns,
    add_evidence,
    distinct_bits,
    incident_of,
    member_of,
    new_campaigns,
    open_incident,
    take_in,
)
from sensor.core.bundle import Bundle
from sensor.core.hashing import U, mix
from sensor.core.jit import kernel
from sensor.inventory.endpoints import CAPACITY

TRACKS, WAYS = 32_768, 8
GROUPS = 8_192
ATTACK_FAILS = 0.98
GROUP_FAILS = 0.9
MIXED = 0.3
FLOOR, CEILING = 0.02, 0.7
PRIOR_ATTEMPTS = 20.0
"""Trials that p0 of the cold start counts for."""
BACKLOG = 2.0
"""A sum stops at so many thresholds: when an attack is over, that is noticed in time."""

NEUTRAL, SUCCESS, FAILURE = range(3)
"""What an answer means to whoever guesses."""

TRACK = np.dtype([
    ("key", "<u8"), ("place", "<u4"), ("endpoint", "<u4"), ("fingerprint", "<u8"),
    ("source_hi", "<u8"), ("source_lo", "<u8"), ("first_ts", "<i8"), ("last_ts", "<i8"),
    ("attempts", "<u4"), ("failures", "<u4"),
    ("different", "<u8"),                  # bits of hashes of what was tried
    ("users", "<u8"), ("secrets", "<u8"),  # of account names and of passwords
    ("sum", "<f8"), ("joined", "u1"),      # takes part in an incident
])  # fmt: skip
GROUP = np.dtype(
    [("key", "<u8"), ("sum", "<f8"), ("failing", "<u4"), ("different", "<u8"), ("onset", "<i8"), ("last_ts", "<i8")]
)
"""failing: addresses that failed since the sum left zero, at `onset`; different: bits of hashes of what they tried."""
TRIAL = np.dtype([
    ("row", "<u4"), ("outcome", "u1"), ("place", "<u4"), ("what", "<u8"), ("user", "<u8"), ("secret", "<u8"),
])  # fmt: skip
"""One attempt. place: its endpoint, or what else failures are held against; what: hash of what was tried; user, secret:
hashes of an account name and a password, 0 where none was seen."""


OF_ADDRESS, OF_GROUP, MIN_ATTEMPTS, MIN_ADDRESSES, IDLE, PRIOR = range(6)
"""Places in `limits` (float64): thresholds of the sums of an address and of a group, nats; attempts of an address and
addresses of a group below which nothing is called an attack; silence, ns, after which a count begins anew; p0 of the cold
start."""
MIN_DIFFERENT = 3
"""Different attempts at least: a client that repeats one wrong request guesses nothing."""


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
    """float64[CAPACITY, 2]: failures and trials from which p0 is learned"""
    campaigns: Campaigns


def new_attempts() -> AttemptState:
    return AttemptState(
        np.zeros(TRACKS, np.uint64),
        np.zeros(TRACKS, TRACK),
        np.zeros(GROUPS, np.uint64),
        np.zeros(GROUPS, GROUP),
        np.zeros(CAPACITY, GROUP),
        np.zeros((CAPACITY, 2)),
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


@kernel
def usual_share(state, place, prior):
    """p0 of a place, drawn to that of the cold start."""
    failures, trials = state.usual[place, 0], state.usual[place, 1]
    return min(CEILING, max(FLOOR, (failures + prior * PRIOR_ATTEMPTS) / (trials + PRIOR_ATTEMPTS)))


@kernel
def step(total, failed, usual, attack):
    """A CUSUM after one more trial."""
    ratio = np.log(attack / usual) if failed else np.log((1.0 - attack) / (1.0 - usual))
    return max(0.0, total + ratio)


@kernel
def step_group(group, failed, what, usual, attack, limits, ts):
    """The same for a group, whose onset is where its sum left zero."""
    if group["sum"] == 0.0 and not failed:
        return
    if group["sum"] == 0.0 or ts - group["last_ts"] > np.int64(limits[IDLE]):
        group["sum"] = 0.0
        group["onset"] = ts
        group["failing"] = 0
        group["different"] = 0
    group["sum"] = min(BACKLOG * limits[OF_GROUP], step(group["sum"], failed, usual, attack))
    if failed:
        group["failing"] += np.uint32(1)
        group["different"] |= U(1) << (what & U(63))
        group["last_ts"] = ts


@kernel
def learn(state, place, group, failed, limit):
    """Let a trial teach p0, unless something at this place looks like an attack."""
    if state.places[place]["sum"] >= limit / 2 or (group != NOBODY and state.groups[group]["sum"] >= limit / 2):
        return
    state.usual[place, 0] += 1.0 if failed else 0.0
    state.usual[place, 1] += 1.0
    if state.usual[place, 1] > 10_000.0:  # an endpoint may change: old trials fade
        state.usual[place, 0] *= 0.5
        state.usual[place, 1] *= 0.5


@kernel
def try_once(track, trial, row, usual):
    """Add an attempt to its address's track."""
    failed = trial["outcome"] == FAILURE
    track["attempts"] += np.uint32(1)
    track["failures"] += np.uint32(failed)
    track["last_ts"] = max(track["last_ts"], row["ts"])
    track["sum"] = step(track["sum"], failed, usual, ATTACK_FAILS)
    track["different"] |= U(1) << (trial["what"] & U(63))
    if trial["user"] != U(0):
        track["users"] |= U(1) << (trial["user"] & U(63))
    if trial["secret"] != U(0):
        track["secrets"] |= U(1) << (trial["secret"] & U(63))


@kernel
def join(state, at, track, usual, limit):
    """Make a track's address a member of an incident, with everything that it tried so far."""
    campaigns = state.campaigns
    take_in(campaigns, at, track["source_hi"], track["source_lo"], track["attempts"], track["failures"], track["first_ts"])
    incident = campaigns.incidents[at]
    incident["users"] |= track["users"]
    incident["secrets"] |= track["secrets"]
    incident["usual"] = usual
    incident["threshold"] = limit
    track["joined"] = 1


@kernel
def widen(state, at, place, fingerprint, since, usual, limit):
    """An incident becomes one of its whole group: whoever failed more often than not since the onset takes part."""
    campaigns = state.campaigns
    campaigns.incidents[at]["wide"] = 1
    for k in range(TRACKS):
        track = state.tracks[k]
        if state.tags[k] == U(0) or track["joined"] or track["place"] != place or track["last_ts"] < since:
            continue
        if (fingerprint == U(0) or track["fingerprint"] == fingerprint) and 2 * track["failures"] > track["attempts"]:
            join(state, at, track, usual, limit)


@kernel
def group_key(place, fingerprint):
    """Key of a group and its incident; of the whole place for fingerprint 0."""
    return mix(fingerprint ^ mix(U(place) | U(1) << U(40))) | U(1)


@kernel
def open_for(state, track, trial, row, idle):
    """The open incident that this attempt may belong to: of its fingerprint, of its address, of its place; or NOBODY."""
    key = group_key(trial["place"], row["fingerprint"]) if row["fingerprint"] else U(track["key"])
    at = incident_of(state.campaigns, key, row["ts"], idle)
    if at == NOBODY:
        at = incident_of(state.campaigns, group_key(trial["place"], U(0)), row["ts"], idle)
    return at


@kernel
def raise_group(state, track, trial, row, group, fingerprint, limits, usual):
    """Where a group's sum came above its threshold: its incident, wide from here on; NOBODY else."""
    if group["sum"] < limits[OF_GROUP] or group["failing"] < limits[MIN_ADDRESSES]:
        return np.int64(NOBODY)
    if distinct_bits(group["different"]) < MIN_DIFFERENT:
        return np.int64(NOBODY)
    key = group_key(trial["place"], fingerprint)
    at = incident_of(state.campaigns, key, row["ts"], np.int64(limits[IDLE]))
    if at == NOBODY:
        at = open_incident(state.campaigns, key, BY_FINGERPRINT if fingerprint else BY_PLACE, track, row["end"])
    incident = state.campaigns.incidents[at]
    incident["nats"] = max(incident["nats"], group["sum"])
    if not incident["wide"]:
        incident["group"] = BY_FINGERPRINT if fingerprint else BY_PLACE
        widen(state, at, trial["place"], fingerprint, group["onset"], usual, limits[OF_GROUP])
        state.places[trial["place"]]["sum"] = 0.0
    return at


@kernel
def raise_address(state, track, trial, row, limits, usual):
    """Where an address's own sum came above its threshold: the incident of its like; NOBODY else."""
    enough = track["attempts"] >= limits[MIN_ATTEMPTS] and distinct_bits(track["different"]) >= MIN_DIFFERENT
    if track["sum"] < limits[OF_ADDRESS] or not enough:
        return np.int64(NOBODY)
    key = group_key(trial["place"], row["fingerprint"]) if row["fingerprint"] else U(track["key"])
    at = incident_of(state.campaigns, key, row["ts"], np.int64(limits[IDLE]))
    if at == NOBODY:
        at = open_incident(state.campaigns, key, BY_ADDRESS, track, row["end"])
    state.campaigns.incidents[at]["nats"] = max(state.campaigns.incidents[at]["nats"], track["sum"])
    join(state, at, track, usual, limits[OF_ADDRESS])
    return at


@kernel
def go_on(state, at, track, trial, row, usual, limits):
    """One more attempt while an incident is open: True when its address takes part in that."""
    incident = state.campaigns.incidents[at]
    failed = trial["outcome"] == FAILURE
    if track["joined"] and member_of(state.campaigns, at, row["client_hi"], row["client_lo"], False) != NOBODY:
        take_in(state.campaigns, at, row["client_hi"], row["client_lo"], 1, 1 if failed else 0, row["ts"])
    elif incident["wide"] and failed:
        join(state, at, track, usual, limits[OF_GROUP])
    else:
        return False
    incident["last_ts"] = max(incident["last_ts"], row["ts"])
    incident["users"] |= track["users"]
    incident["secrets"] |= track["secrets"]
    incident["nats"] = max(incident["nats"], track["sum"])
    add_evidence(incident, row)
    return True


@kernel
def take_success(state, trial, row, limits):
    """An attempt that succeeded: it speaks against an attack by its group, and by its address, if that has failed before."""
    place = state.places[trial["place"]]
    if row["ts"] - place["last_ts"] > np.int64(limits[IDLE]):  # nobody failed here for long, or ever
        place["sum"] = 0.0
        learn(state, trial["place"], np.int64(NOBODY), False, limits[OF_GROUP])
        return
    usual = usual_share(state, trial["place"], limits[PRIOR])
    group = find_group(state, group_key(trial["place"], row["fingerprint"]), False)
    if group != NOBODY:
        step_group(state.groups[group], False, trial["what"], usual, GROUP_FAILS, limits, row["ts"])
    step_group(place, False, trial["what"], usual, usual + MIXED, limits, row["ts"])
    learn(state, trial["place"], group, False, limits[OF_GROUP])
    found = find_track(state, trial, row, np.int64(limits[IDLE]), False)
    if found == NOBODY:
        return
    track = state.tracks[found]
    try_once(track, trial, row, usual)
    at = open_for(state, track, trial, row, np.int64(limits[IDLE]))
    if at != NOBODY:
        go_on(state, at, track, trial, row, usual, limits)


@kernel
def take_failure(state, trial, row, limits):
    """An attempt that failed."""
    usual = usual_share(state, trial["place"], limits[PRIOR])
    state.places[trial["place"]]["last_ts"] = max(state.places[trial["place"]]["last_ts"], row["ts"])
    track = state.tracks[find_track(state, trial, row, np.int64(limits[IDLE]), True)]
    first = track["attempts"] == 0
    try_once(track, trial, row, usual)
    group = find_group(state, group_key(trial["place"], row["fingerprint"]), True)
    at = open_for(state, track, trial, row, np.int64(limits[IDLE]))
    if first:
        learn(state, trial["place"], group, True, limits[OF_GROUP])
        step_group(state.groups[group], True, trial["what"], usual, GROUP_FAILS, limits, row["ts"])
        if at == NOBODY or not state.campaigns.incidents[at]["wide"]:  # what an incident explains counts for no other
            step_group(state.places[trial["place"]], True, trial["what"], usual, usual + MIXED, limits, row["ts"])
    if at != NOBODY and go_on(state, at, track, trial, row, usual, limits):
        return
    at = np.int64(NOBODY)
    if first and row["fingerprint"] != U(0):
        at = raise_group(state, track, trial, row, state.groups[group], row["fingerprint"], limits, usual)
    if first and at == NOBODY:
        at = raise_group(state, track, trial, row, state.places[trial["place"]], U(0), limits, usual)
    if at == NOBODY and not track["joined"]:
        at = raise_address(state, track, trial, row, limits, usual)
    if at != NOBODY:
        add_evidence(state.campaigns.incidents[at], row)


@kernel
def take_attempts(state, rows, trials, count, limits):
    """Take trials[:count] of rows[:], in row order."""
    for index in range(count):
        trial = trials[index]
        row = rows[trial["row"]]
        if trial["outcome"] == FAILURE:
            take_failure(state, trial, row, limits)
        else:
            take_success(state, trial, row, limits)
