"""Incidents with their members: who takes part, how often, and the first transactions as evidence. All of fixed size.

An incident belongs to a place (an endpoint, or a host) and a group: those who share a fingerprint, one address, or
everybody. Where a set of places for incidents is full, the one that was quiet for longest gives way, if it is over.
"""

import numpy as np

from sensor.core.bundle import Bundle
from sensor.core.hashing import U, mix
from sensor.core.jit import kernel

INCIDENTS, WAYS = 512, 8
MEMBERS, PROBES = 32_768, 16
SAMPLES = 8
NOBODY = -1

BY_ADDRESS, BY_FINGERPRINT, BY_PLACE = range(3)
"""What an incident's members share. BY_PLACE: nothing but what they do."""

SAMPLE = np.dtype([("ts", "<i8"), ("hi", "<u8"), ("lo", "<u8"), ("port", "<u2"), ("status", "<u2")])
MEMBER = np.dtype([
    ("serial", "<u4"), ("place", "<u2"), ("hi", "<u8"), ("lo", "<u8"), ("transactions", "<u4"), ("failures", "<u4"),
    ("users", "<u8"),
])  # fmt: skip
INCIDENT = np.dtype([
    ("key", "<u8"), ("serial", "<u4"),     # which group at which place; 0: free
    ("group", "u1"), ("wide", "u1"),       # BY_*; whoever of the group fails takes part, not those alone who stand out
    ("endpoint", "<u4"), ("fingerprint", "<u8"), ("source_hi", "<u8"), ("source_lo", "<u8"),  # of the first member
    ("began", "<i8"), ("first_ts", "<i8"), ("last_ts", "<i8"), ("raised_ts", "<i8"),  # began: first_ts as it was when raised
    ("actors", "<u4"), ("transactions", "<u4"), ("failures", "<u4"),
    ("nats", "<f8"), ("threshold", "<f8"), ("usual", "<f8"),
    ("counted", "<u8"),                    # key of the transaction that was counted last
    ("users", "<u8"), ("secrets", "<u8"),  # bits of hashes: how many different ones, roughly
    ("sample", SAMPLE, (SAMPLES,)), ("samples", "u1"),
])  # fmt: skip


class Campaigns(Bundle):
    """All incidents of a detector."""

    incidents: np.ndarray
    """INCIDENT[INCIDENTS], sets of WAYS places"""
    members: np.ndarray
    """MEMBER[MEMBERS], open addressing; one whose incident is gone is free"""
    serials: np.ndarray
    """int64[3]: incidents so far; those that found no place; members that found no room"""


def new_campaigns() -> Campaigns:
    return Campaigns(np.zeros(INCIDENTS, INCIDENT), np.zeros(MEMBERS, MEMBER), np.zeros(3, np.int64))


@kernel
def incident_of(campaigns, key, now, idle):
    """Place of the open incident under this key, NOBODY where there is none, or none that was heard of for `idle` ns."""
    base = np.int64(key & U(INCIDENTS // WAYS - 1)) * WAYS
    for k in range(base, base + WAYS):
        incident = campaigns.incidents[k]
        if incident["serial"] > 0 and incident["key"] == key and now - incident["last_ts"] <= idle:
            return np.int64(k)
    return np.int64(NOBODY)


@kernel
def open_incident(campaigns, key, group, track, now, idle):
    """A new incident under this key, begun by a track (key, endpoint, fingerprint, source_*, first_ts): its place.

    NOBODY, and counted, where all places that it could have belong to incidents that go on.
    """
    base = np.int64(key & U(INCIDENTS // WAYS - 1)) * WAYS
    place = base
    for k in range(base, base + WAYS):
        if campaigns.incidents[k]["serial"] == 0:
            place = np.int64(k)
            break
        if campaigns.incidents[k]["last_ts"] < campaigns.incidents[place]["last_ts"]:
            place = np.int64(k)
    incident = campaigns.incidents[place]
    if incident["serial"] > 0 and now - incident["last_ts"] <= idle:
        campaigns.serials[1] += 1
        return np.int64(NOBODY)
    campaigns.serials[0] += 1
    incident["serial"] = campaigns.serials[0]
    incident["key"] = key
    incident["group"] = group
    incident["wide"] = 0
    incident["endpoint"] = track["endpoint"]
    incident["fingerprint"] = track["fingerprint"]
    incident["source_hi"] = track["source_hi"]
    incident["source_lo"] = track["source_lo"]
    incident["began"] = track["first_ts"]
    incident["first_ts"] = track["first_ts"]
    incident["last_ts"] = now
    incident["raised_ts"] = now
    incident["actors"] = 0
    incident["transactions"] = 0
    incident["failures"] = 0
    incident["users"] = 0
    incident["secrets"] = 0
    incident["samples"] = 0
    incident["nats"] = 0.0
    incident["counted"] = 0
    return place


@kernel
def member_of(campaigns, place, hi, lo, create):
    """Place of a member among all, NOBODY where it is none (or, to be created, finds no room)."""
    incident = campaigns.incidents[place]
    first = np.int64(mix(lo ^ mix(hi ^ U(incident["serial"]))) & U(MEMBERS - 1))
    free = np.int64(NOBODY)
    for step in range(PROBES):
        at = (first + step) & (MEMBERS - 1)
        member = campaigns.members[at]
        if member["serial"] == incident["serial"] and member["lo"] == lo and member["hi"] == hi:
            return at
        if free == NOBODY and (member["serial"] == 0 or campaigns.incidents[member["place"]]["serial"] != member["serial"]):
            free = at
    if not create:
        return np.int64(NOBODY)
    if free == NOBODY:
        campaigns.serials[2] += 1
        return free
    member = campaigns.members[free]
    member["serial"] = incident["serial"]
    member["place"] = place
    member["hi"] = hi
    member["lo"] = lo
    member["transactions"] = 0
    member["failures"] = 0
    member["users"] = 0
    incident["actors"] += np.uint32(1)
    return free


@kernel
def take_in(campaigns, place, hi, lo, transactions, failures, users, first_ts):
    """Count transactions of a member, a new or a known one. users: bits of hashes of the accounts that it tried."""
    incident = campaigns.incidents[place]
    at = member_of(campaigns, place, hi, lo, True)
    if at != NOBODY:
        campaigns.members[at]["transactions"] += np.uint32(transactions)
        campaigns.members[at]["failures"] += np.uint32(failures)
        campaigns.members[at]["users"] |= U(users)
    incident["transactions"] += np.uint32(transactions)
    incident["failures"] += np.uint32(failures)
    incident["first_ts"] = min(incident["first_ts"], first_ts)


@kernel
def add_evidence(incident, row):
    """Keep a transaction: the first ones, and the newest in the last place."""
    at = min(np.int64(incident["samples"]), SAMPLES - 1)
    sample = incident["sample"][at]
    sample["ts"] = row["ts"]
    sample["hi"] = row["client_hi"]
    sample["lo"] = row["client_lo"]
    sample["port"] = row["client_port"]
    sample["status"] = row["status"]
    incident["samples"] = at + 1


def open_incidents(campaigns: Campaigns) -> list[np.void]:
    """All incidents, in the order in which they were raised."""
    found = [incident for incident in campaigns.incidents if incident["serial"]]
    return sorted(found, key=lambda incident: (int(incident["raised_ts"]), int(incident["serial"])))


def members_by_incident(campaigns: Campaigns) -> dict[int, np.ndarray]:
    """MEMBER[n] of each incident by its serial number, most active first, then by address."""
    members = campaigns.members
    taken = members[members["serial"] > 0]
    order = np.lexsort((taken["lo"], taken["hi"], -taken["transactions"].astype(np.int64), taken["serial"]))
    taken = taken[order]
    serials, starts = np.unique(taken["serial"], return_index=True)
    return dict(zip(serials.tolist(), np.split(taken, starts[1:]), strict=True)) if len(serials) else {}


def members_once(parts: list[np.ndarray]) -> np.ndarray:
    """Members of several incidents, each address once, with its largest counts; most active first, then by address."""
    members = np.concatenate(parts)
    order = np.lexsort((-members["transactions"].astype(np.int64), members["lo"], members["hi"]))
    members = members[order]
    first = np.ones(len(members), bool)
    first[1:] = (members["hi"][1:] != members["hi"][:-1]) | (members["lo"][1:] != members["lo"][:-1])
    members = members[first]
    return members[np.lexsort((members["lo"], members["hi"], -members["transactions"].astype(np.int64)))]


def together(incidents: list[np.void], least: int) -> list[list[np.void]]:
    """Incidents of many addresses (wide ones, or of `least`) at one endpoint at the same time are one campaign.

    It changes its headers. They come in the order in which the first of each was raised.
    """
    found: list[list[np.void]] = []
    for incident in incidents:
        many = incident["wide"] or incident["actors"] >= least
        known = next((one for one in found if many and _is_same(one, incident, least)), None)
        if known is None:
            found.append([incident])
        else:
            known.append(incident)
    return found


def _is_same(campaign: list[np.void], incident: np.void, least: int) -> bool:
    """Whether an incident belongs to a campaign."""
    if campaign[0]["endpoint"] != incident["endpoint"] or not (campaign[0]["wide"] or campaign[0]["actors"] >= least):
        return False
    begin, end = min(one["first_ts"] for one in campaign), max(one["last_ts"] for one in campaign)
    return bool(incident["first_ts"] <= end and incident["last_ts"] >= begin)


def put_together(incidents: list[np.void]) -> np.void:
    """One INCIDENT for several: the first, with the times of all, and no header in common."""
    whole = incidents[0].copy()
    if len(incidents) == 1:
        return whole
    whole["group"] = BY_PLACE
    whole["first_ts"] = min(one["first_ts"] for one in incidents)
    whole["last_ts"] = max(one["last_ts"] for one in incidents)
    whole["nats"] = max(one["nats"] for one in incidents)
    for one in incidents[1:]:
        whole["users"] |= one["users"]
        whole["secrets"] |= one["secrets"]
    return whole
