"""Attempts that fail: one address by many tries, many addresses by a few each. The kernels of all detectors of guessing.

Per (place, address): the CUSUM of the log-likelihood ratio of failed against successful attempts (Page 1954),
S = max(0, S + ln(p1/p0)) on a failure, S + ln((1-p1)/(1-p0)) on a success. p0 is the share that is usual at the place,
p1 = ATTACK_FAILS, as what is guessed rarely fits.

Of an address p0 is never less than that of the cold start: failures of a person, and of an office behind one address, come in
runs. Its counts are those since S left zero.

Per (place, fingerprint), and per place: the same over the *first* attempt of each address (after Javed and Paxson 2013: one
Bernoulli trial an address), or where everybody comes by (ONCE is 0) its first failure and all successes. For a place as a whole
p1 is p0 + MIXED, since ordinary attempts are among them. An incident takes in members while the sum is at least half of its
threshold.

Wald's bound: under the null a CUSUM rises above h once in e^h attempts at the earliest (Lorden 1971), so h = ln(run_length).

p0 is learned from the same trials, but not while a sum has come half the way: an attacker who begins slowly teaches
nothing that hides what comes later. Failures of a kind that is rare in itself (`foreign`) have a p0 of their own.
"""

import numpy as np

from detectors.attempts_state import FAILURE, TRACKS, find_group, find_track
from detectors.campaigns import (
    BY_ADDRESS,
    BY_FINGERPRINT,
    BY_PLACE,
    NOBODY,
    add_evidence,
    incident_of,
    member_of,
    open_incident,
    take_in,
)
from sensor.core.bits import distinct_bits
from sensor.core.hashing import U, mix
from sensor.core.jit import kernel

ATTACK_FAILS = 0.98
GROUP_FAILS = 0.9
MIXED, MIXED_AT_MOST = 0.3, 0.95
FLOOR, CEILING = 0.02, 0.7
PRIOR_ATTEMPTS, PRIOR_FOREIGN = 20.0, 0.05
"""Trials that p0 of the cold start counts for; that of foreign failures."""
BACKLOG = 2.0
"""A sum stops at so many thresholds: when an attack is over, that is noticed in time."""
OF_ADDRESS, OF_GROUP, MIN_ATTEMPTS, MIN_ADDRESSES, IDLE, PRIOR, MIN_FORMS, ONCE = range(8)
"""Places in `limits` (float64): thresholds of the sums of an address and of a group, nats; attempts of an address and
addresses of a group below which nothing is called an attack; silence, ns, after which a count begins anew; p0 of the cold
start; different failures of a group below which all may have one cause; whether a success, too, counts but once for each
address."""
MET, MET_FOREIGN = 1, 2
"""An address has counted for its group: by its first attempt; by its first foreign one, too."""
MIN_DIFFERENT = 3
"""Different attempts at least: a client that repeats one wrong request guesses nothing."""


@kernel
def usual_share(state, place, prior):
    """p0 of a place, drawn to that of the cold start."""
    failures, trials = state.usual[place, 0], state.usual[place, 1]
    return min(CEILING, max(FLOOR, (failures + prior * PRIOR_ATTEMPTS) / (trials + PRIOR_ATTEMPTS)))


@kernel
def foreign_share(state, place):
    """p0 of foreign failures at a place."""
    foreign, trials = state.usual[place, 2], state.usual[place, 1]
    return min(CEILING, max(FLOOR, (foreign + PRIOR_FOREIGN * PRIOR_ATTEMPTS) / (trials + PRIOR_ATTEMPTS)))


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
def learn(state, place, group, failed, foreign, limit):
    """Let a trial teach p0, unless something at this place looks like an attack."""
    if state.places[place]["sum"] >= limit / 2 or (group != NOBODY and state.groups[group]["sum"] >= limit / 2):
        return
    state.usual[place, 0] += 1.0 if failed and not foreign else 0.0
    state.usual[place, 2] += 1.0 if foreign else 0.0
    state.usual[place, 1] += 1.0
    if state.usual[place, 1] > 10_000.0:  # an endpoint may change: old trials fade
        state.usual[place, 0] *= 0.5
        state.usual[place, 1] *= 0.5
        state.usual[place, 2] *= 0.5


@kernel
def try_once(track, trial, row, usual):
    """Add an attempt to its address's track, whose counts are those since its sum left zero."""
    failed = trial["outcome"] == FAILURE
    track["last_ts"] = max(track["last_ts"], row["ts"])
    track["sum"] = step(track["sum"], failed, usual, ATTACK_FAILS)
    if track["sum"] == 0.0:
        track["attempts"] = 0
        track["failures"] = 0
        track["different"] = 0
        track["users"] = 0
        track["secrets"] = 0
        return
    if track["attempts"] == 0:
        track["first_ts"] = row["ts"]
    track["attempts"] += np.uint32(1)
    track["failures"] += np.uint32(failed)
    track["different"] |= U(1) << (trial["what"] & U(63))
    if trial["user"] != U(0):
        track["users"] |= U(1) << (trial["user"] & U(63))
    if trial["secret"] != U(0):
        track["secrets"] |= U(1) << (trial["secret"] & U(63))


@kernel
def join(state, at, track, usual, limit):
    """Make a track's address a member of an incident, with everything since its sum left zero."""
    campaigns = state.campaigns
    tried, failed = track["attempts"], track["failures"]
    take_in(campaigns, at, track["source_hi"], track["source_lo"], tried, failed, track["users"], track["first_ts"])
    incident = campaigns.incidents[at]
    incident["users"] |= track["users"]
    incident["secrets"] |= track["secrets"]
    incident["usual"] = usual
    incident["threshold"] = limit
    track["joined"] = 1


@kernel
def takes_part(state, k, place, fingerprint, since):
    """Whether a track's address failed more often than not since a time, at a place and with a fingerprint (0: any)."""
    track = state.tracks[k]
    if state.tags[k] == U(0) or track["place"] != place or track["last_ts"] < since:
        return False
    return 2 * track["failures"] > track["attempts"] and (fingerprint == U(0) or track["fingerprint"] == fingerprint)


@kernel
def widen(state, at, place, fingerprint, since, usual, limits):
    """An incident becomes one of its whole group: whoever failed more often than not since the onset takes part; where foreign
    failures make a group by themselves, whoever had one."""
    foreign = 0
    for k in range(TRACKS):
        foreign += takes_part(state, k, place, fingerprint, since) and state.tracks[k]["met"] == MET_FOREIGN
    least = MET_FOREIGN if foreign >= limits[MIN_ADDRESSES] else MET
    state.campaigns.incidents[at]["wide"] = least
    for k in range(TRACKS):
        track = state.tracks[k]
        if takes_part(state, k, place, fingerprint, since) and not track["joined"] and track["met"] >= least:
            join(state, at, track, usual, limits[OF_GROUP])


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
    if distinct_bits(group["different"]) < limits[MIN_FORMS]:
        return np.int64(NOBODY)
    key = group_key(trial["place"], fingerprint)
    at = incident_of(state.campaigns, key, row["ts"], np.int64(limits[IDLE]))
    if at == NOBODY:
        at = open_incident(
            state.campaigns, key, BY_FINGERPRINT if fingerprint else BY_PLACE, track, row["end"], np.int64(limits[IDLE])
        )
    if at == NOBODY:
        return at
    incident = state.campaigns.incidents[at]
    incident["nats"] = max(incident["nats"], group["sum"])
    if not incident["wide"]:
        incident["group"] = BY_FINGERPRINT if fingerprint else BY_PLACE
        widen(state, at, trial["place"], fingerprint, group["onset"], usual, limits)
        if fingerprint:  # what one incident explains counts for no other
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
        at = open_incident(state.campaigns, key, BY_ADDRESS, track, row["end"], np.int64(limits[IDLE]))
    if at == NOBODY:
        return at
    state.campaigns.incidents[at]["nats"] = max(state.campaigns.incidents[at]["nats"], track["sum"])
    join(state, at, track, usual, limits[OF_ADDRESS])
    return at


@kernel
def still_failing(state, at, trial, row, limits):
    """Whether the group of a wide incident fails too often still: its sum is at least half of the threshold."""
    if state.campaigns.incidents[at]["group"] == BY_PLACE:
        return state.places[trial["place"]]["sum"] >= limits[OF_GROUP] / 2
    group = find_group(state, group_key(trial["place"], row["fingerprint"]), False)
    return group != NOBODY and state.groups[group]["sum"] >= limits[OF_GROUP] / 2


@kernel
def go_on(state, at, track, trial, row, usual, limits):
    """One more attempt while an incident is open: True when its address takes part in that."""
    incident = state.campaigns.incidents[at]
    failed = trial["outcome"] == FAILURE
    if track["joined"] and member_of(state.campaigns, at, row["client_hi"], row["client_lo"], False) != NOBODY:
        user = U(1) << (trial["user"] & U(63)) if trial["user"] else U(0)
        take_in(state.campaigns, at, row["client_hi"], row["client_lo"], 1, 1 if failed else 0, user, row["ts"])
    elif failed and 0 < incident["wide"] <= track["met"] and still_failing(state, at, trial, row, limits):
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
    idle, place, once = np.int64(limits[IDLE]), state.places[trial["place"]], limits[ONCE] > 0.0
    if not once and row["ts"] - place["last_ts"] > idle:  # nobody failed here for long, or ever
        place["sum"] = 0.0
        learn(state, trial["place"], np.int64(NOBODY), False, False, limits[OF_GROUP])
        return
    usual = usual_share(state, trial["place"], limits[PRIOR])
    group = find_group(state, group_key(trial["place"], row["fingerprint"]), False)
    found = find_track(state, trial, row, idle, once)
    if not once or not state.tracks[found]["met"]:
        if group != NOBODY:
            step_group(state.groups[group], False, trial["what"], usual, GROUP_FAILS, limits, row["ts"])
        step_group(place, False, trial["what"], usual, min(MIXED_AT_MOST, usual + MIXED), limits, row["ts"])
        learn(state, trial["place"], group, False, False, limits[OF_GROUP])
    if found == NOBODY:
        return
    track = state.tracks[found]
    track["met"] = max(track["met"], np.uint8(once))
    try_once(track, trial, row, max(usual, limits[PRIOR]))
    at = open_for(state, track, trial, row, idle)
    if at != NOBODY:
        go_on(state, at, track, trial, row, usual, limits)


@kernel
def count_for_group(state, track, trial, row, group, at, usual, limits):
    """An address counts for its group, and for its place unless an incident of its fingerprint explains it; and teaches p0."""
    track["met"] = MET_FOREIGN if trial["foreign"] else MET
    open_here = at != NOBODY and state.campaigns.incidents[at]["wide"]
    if trial["foreign"]:
        usual = foreign_share(state, trial["place"])
    if not open_here:
        learn(state, trial["place"], group, True, trial["foreign"], limits[OF_GROUP])
    step_group(state.groups[group], True, trial["what"], usual, GROUP_FAILS, limits, row["ts"])
    if not open_here or state.campaigns.incidents[at]["group"] == BY_PLACE:
        attack = min(MIXED_AT_MOST, usual + MIXED)
        step_group(state.places[trial["place"]], True, trial["what"], usual, attack, limits, row["ts"])


@kernel
def take_failure(state, trial, row, limits):
    """An attempt that failed."""
    idle, place = np.int64(limits[IDLE]), state.places[trial["place"]]
    if row["ts"] - place["last_ts"] > idle:
        place["sum"] = 0.0
    place["last_ts"] = max(place["last_ts"], row["ts"])
    usual = usual_share(state, trial["place"], limits[PRIOR])
    track = state.tracks[find_track(state, trial, row, idle, True)]
    try_once(track, trial, row, max(usual, limits[PRIOR]))
    group = find_group(state, group_key(trial["place"], row["fingerprint"]), True)
    at = open_for(state, track, trial, row, idle)
    counts = not track["met"] or (trial["foreign"] and track["met"] < MET_FOREIGN)
    if counts:
        count_for_group(state, track, trial, row, group, at, usual, limits)
    if at != NOBODY and go_on(state, at, track, trial, row, usual, limits):
        return
    at = np.int64(NOBODY)
    if counts and row["fingerprint"] != U(0):
        at = raise_group(state, track, trial, row, state.groups[group], row["fingerprint"], limits, usual)
    if counts and at == NOBODY:
        at = raise_group(state, track, trial, row, place, U(0), limits, usual)
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
