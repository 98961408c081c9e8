"""A sweep that is divided over many addresses: groups of focused addresses against everybody else at the same parameter.

Everybody else is who also does other things (detectors/focus.py): their requests make the reference of a parameter: how often
values repeat among them at so many draws, how often successive ones differ by one step, how often they miss. What a campaign
asks for never enters it.
"""

import math

import numpy as np

from detectors.campaigns import BY_FINGERPRINT, BY_PLACE, NOBODY, add_evidence, incident_of, open_incident, take_in
from detectors.combinations import IN_COMBINATION
from detectors.enumeration_baseline import RAISED, UPPER_QUARTILE, share_of_others
from detectors.enumeration_tracks import (
    PRIOR_MISSES,
    PRIOR_WALK,
    SAMPLES,
    VOTE_CAP,
    is_miss,
    is_new,
    keep_first,
    keep_last,
    keep_sample,
    note_number,
)
from detectors.focus import ACTORS, focus_shares
from detectors.incidents import claim, update
from detectors.sets import add_pair
from detectors.statistics import fewer_than_expected_nats, more_than_expected_nats
from sensor.core.hashing import U, mix
from sensor.core.jit import kernel
from sensor.inventory.lexical import INT
from sensor.inventory.values import IN_BODY

OCTAVES = 24
FIRST_OCTAVE = 5
"""The reference says nothing of repeats before 2^5 draws."""
SAMPLED = 4
"""One in four draws enters the reference after the first TAKEN_WHOLE: a rarefaction curve is that of a sample, and looking up a
pair costs most of all."""
TAKEN_WHOLE = 256
LEAST_DISTINCT = 8
"""Different values of a group below which nothing is called a sweep, however many ask for them."""
MIN_ADDRESSES = 8
EASY = 0.7
"""Repeats are expected at 0.7 of the reference's share: clients of one kind may have other interests."""
PRIOR_FOCUS, PRIOR_ADDRESSES = 0.3, 10.0
MIN_OTHERS = 8
"""Addresses without which nothing is known of how many are focused: where all are, as devices, none stands out."""
AXES, LEAST_ALONG = 4, 3.0
"""Parameters that may be the axes of a grid: those of which each address asks for at least 3 values on the average. Who has
one value of its own, as a device its number or a person a postal code, repeats no combination with others by nature."""
HEAVY_SHARE = 0.3
"""Of ordinary addresses a quarter lies above the upper quartile; for ties some more."""

REFERENCE = np.dtype([
    ("requests", "<f8"), ("actors", "<u4"), ("offered", "<u4"), ("draws", "<u4"), ("distinct", "<u4"), ("misses", "<f8"),
    ("last_number", "<i8"), ("step", "<i8"), ("votes", "<i4"), ("numeric", "<u4"), ("low", "<i8"), ("high", "<i8"),
    ("steps", "<u4"), ("same_steps", "<u4"), ("rising", "u1"), ("onward", "<u4"),
    ("curve", "<u4", (OCTAVES,)),  # different values among the first 2^k draws: the rarefaction curve
])  # fmt: skip


@kernel
def learn_reference(state, place, row, value, draw):
    """Add a request of somebody who is not focused. draw: the value was new to its actor."""
    reference = state.references[place]
    reference["requests"] += 1.0
    reference["misses"] += 1.0 if is_miss(row, value) else 0.0
    if value["kind"] == INT:
        note_number(reference, value["number"])
    reference["offered"] += np.uint32(draw)
    if not draw or (reference["offered"] > TAKEN_WHOLE and reference["offered"] % SAMPLED != 0):
        return
    reference["draws"] += np.uint32(1)
    reference["distinct"] += np.uint32(add_pair(state.seen, mix(U(place) | U(1) << U(50)), value["hash"]))
    draws = np.int64(reference["draws"])
    if draws & (draws - 1) == 0:
        octave = np.int64(math.log2(np.float64(draws)) + 0.5)
        if 0 <= octave < OCTAVES:
            reference["curve"][octave] = reference["distinct"]


@kernel
def expected_repeats(reference, draws):
    """Share of repeats among so many draws of the reference, or of the fewer that it has seen; -1 when these are too few."""
    octave = min(np.int64(math.log2(np.float64(max(1, draws)))), OCTAVES - 1)
    while octave >= FIRST_OCTAVE:
        if reference["curve"][octave] > 0:
            return 1.0 - np.float64(reference["curve"][octave]) / np.float64(np.int64(1) << octave)
        octave -= 1
    return -1.0


@kernel
def update_group(state, track, row, value, arena, draw, heavy):
    """Add a request of a focused address to its group's track. heavy: it comes above the upper quartile just now."""
    track["heavy"] += np.uint32(heavy)
    if track["requests"] == 0:
        keep_first(track, arena, value)
    track["requests"] += np.uint32(1)
    track["misses"] += np.uint32(is_miss(row, value))
    track["last_ts"] = max(track["last_ts"], row["ts"])
    if track["samples"] < SAMPLES - 1:
        keep_sample(track, row)
    if value["kind"] == INT:
        note_number(track, value["number"])
    if draw:
        track["draws"] += np.uint32(1)
        track["distinct"] += np.uint32(is_new(track, state.seen, value["hash"]))


@kernel
def grid_nats(control, group, draws, repeats, addresses):
    """Surprise of so few repeats among combinations, were each parameter's value drawn by itself from those the group uses.

    Of draws from a grid of cells the share 1 - (1 - exp(-draws / cells)) cells / draws repeats (occupancy, Feller 1968).
    """
    cells, axes = 1.0, 0
    for k in range(control["axes"][group]):
        if control["axis"][group, k, 1] >= LEAST_ALONG * addresses:
            cells *= max(1.0, control["axis"][group, k, 0])
            axes += 1
    if axes < 2 or draws <= 0.0:
        return 0.0
    usual = 1.0 - (1.0 - math.exp(-draws / cells)) * cells / draws
    return fewer_than_expected_nats(repeats, draws, min(0.95, EASY * usual)) if usual > 0.0 else 0.0


@kernel
def judge_group(state, track, fingerprint):
    """Sum of the four votes on a group's track."""
    actors, focused, everybody = focus_shares(state.focus, track["endpoint"], fingerprint)
    track["population"] = np.uint32(focused)
    if focused < MIN_ADDRESSES:
        return 0.0
    reference = state.references[track["place"]]
    draws, repeats = np.float64(track["draws"]), np.float64(track["draws"]) - np.float64(track["distinct"])
    usual = expected_repeats(reference, np.int64(track["draws"]))
    overlap = fewer_than_expected_nats(repeats, draws, max(1e-4, EASY * usual)) if usual >= 0.0 else 0.0
    steps, same = np.float64(track["steps"]), np.float64(track["same_steps"])
    requests, misses = np.float64(track["requests"]), np.float64(track["misses"])
    if track["location"] == IN_COMBINATION:
        group = 1 if fingerprint == U(0) else 0
        overlap = max(overlap, grid_nats(state.control[0], group, draws, repeats, focused))
    walk = 0.0
    if track["location"] != IN_BODY:  # what many write counts up by nature: numbers of events, of messages
        usual_walk = share_of_others(0.0, 0.0, reference["same_steps"], reference["steps"], PRIOR_WALK)
        walk = more_than_expected_nats(same, steps, usual_walk)
    absent = more_than_expected_nats(
        misses, requests, share_of_others(0.0, 0.0, reference["misses"], reference["requests"], PRIOR_MISSES)
    )
    bound = 0.0
    if fingerprint == U(0):  # there are no others to hold them against, but how much each asks for tells
        bound = more_than_expected_nats(min(focused, np.float64(track["heavy"])), focused, HEAVY_SHARE)
    elif reference["actors"] >= MIN_OTHERS:
        like = max(0.0, everybody - focused)
        alike = (like + PRIOR_FOCUS * PRIOR_ADDRESSES) / (like + np.float64(reference["actors"]) + PRIOR_ADDRESSES)
        bound = more_than_expected_nats(focused, actors, min(0.99, alike))
    return min(overlap, VOTE_CAP) + min(walk, VOTE_CAP) + min(absent, VOTE_CAP) + min(bound, VOTE_CAP)


@kernel
def campaign_key(endpoint, fingerprint):
    """Key of a campaign's members."""
    return mix(fingerprint ^ mix(U(endpoint) | U(1) << U(42))) | U(1)


@kernel
def least_requests(slot, fingerprint):
    """Requests of a member: of those who share nothing but the endpoint more than three in four make."""
    return math.exp(slot["median"] + UPPER_QUARTILE * slot["spread"]) if fingerprint == U(0) else 0.0


@kernel
def gather(state, at, endpoint, fingerprint, since, least):
    """Those who were focused on the endpoint before the campaign was noticed are its members. least: requests of each."""
    for k in range(ACTORS):
        actor = state.focus.actors[k]
        if actor["focused"] and actor["endpoint"] == endpoint and actor["last_ts"] >= since and actor["main"] > least:
            if fingerprint == U(0) or actor["fingerprint"] == fingerprint:
                take_in(state.campaigns, at, actor["hi"], actor["lo"], actor["main"], 0, 0, since)


@kernel
def transaction_key(row):
    """What tells a transaction from its neighbours."""
    return mix(U(row["order"]) ^ mix(U(row["serial"]) << U(20) ^ U(row["client_port"])))


@kernel
def go_on_group(state, track, row, requests, fingerprint, idle):
    """Count a transaction of an open campaign, once however many parameters it has; a campaign not yet open is opened."""
    key, least = campaign_key(track["endpoint"], fingerprint), least_requests(state.slots[track["place"]], fingerprint)
    at = incident_of(state.campaigns, key, row["ts"], idle)
    if at == NOBODY:
        at = open_incident(state.campaigns, key, BY_PLACE if fingerprint == U(0) else BY_FINGERPRINT, track, row["end"], idle)
        if at == NOBODY:
            return
        gather(state, at, track["endpoint"], fingerprint, max(track["first_ts"], row["ts"] - idle), least)
        state.campaigns.incidents[at]["counted"] = transaction_key(row)
        return
    incident = state.campaigns.incidents[at]
    if requests <= least or incident["counted"] == transaction_key(row):
        return
    incident["counted"] = transaction_key(row)
    incident["last_ts"] = max(incident["last_ts"], row["ts"])
    take_in(state.campaigns, at, row["client_hi"], row["client_lo"], 1, 0, 0, row["ts"])
    add_evidence(incident, row)


@kernel
def raise_or_update_group(state, track, threshold, arena, value, row, requests, fingerprint, idle):
    """Judge a group's track; a raised one is kept up to date. True while it is raised. requests: of the row's address here."""
    fresh = track["status"] != RAISED
    nats = judge_group(state, track, fingerprint)
    track["nats"] = max(track["nats"], nats)
    if fresh:
        if nats < threshold:
            return False
        track["status"] = RAISED
        track["raised_ts"] = row["end"]
        claim(state.raised, state.control[0], track)
    keep_last(track, arena, value, row)
    update(state.raised, track)
    go_on_group(state, track, row, requests, fingerprint, idle)
    return True
