"""Somebody walks through the values of one parameter: an actor, or many as one (API1:2023, broken object level authorisation).

Statistic: four independent votes on (actor, endpoint, parameter), each the surprise in nats of what was seen under
the endpoint's own ordinary traffic, capped at VOTE_CAP so that none decides alone:

- volume: distinct values against the other actors' numbers of distinct values, log-normal by median and upper quartile; or, of
  who bears a token or session, others who were served the same values before, against the other actors' (detectors/owners.py);
- walk: successive values that differ by one and the same step (binomial; in ordinary use steps repeat rarely);
- novelty: too few repeats, as ordinary interest returns to popular values (binomial, share of repeats of the others);
- misses: too many answers that say the value does not exist or is forbidden (binomial, share of misses of the others).

For a group (addresses with one fingerprint that do nothing else) volume gives way to focus: too many addresses for which
this endpoint is all (binomial, share of the other groups); novelty is that of the union over the sum of its value sets
(detectors/enumeration_groups.py). All parameters of a busy actor are watched together, too: a grid sweep repeats each of
them, but no combination (detectors/combinations.py). An address that stands for many sessions or tokens counts as so many
actors.

Threshold: Fisher's method (Fisher 1925): under the null the sum of four votes is Erlang(4) distributed, and exceeds
`threshold` = 29.2 nats with probability 1e-9 for each actor and parameter. The votes are bounds or have heavy tails, so take
this as an order of magnitude. Volume is required of an actor besides: what one actor in a hundred does is no attack. A client
that bears a token, or calls itself a crawler and is no faster than one, is left alone while it neither walks nor misses: it is
given everything that it asks for, in no order, as partners' jobs and search engines are. So is who bears a token and asks for
numbers that lie scattered, none of which is missing, and which few others were served (detectors/enumeration_trades.py).
Cold start: until MIN_POPULATION actors were seen, the priors below stand for them; fields of bodies wait for a population.
"""

import numpy as np

from detectors.base import MAX_SOURCES, MINUTE, Alert, Detector, View, confidence_from
from detectors.campaigns import MEMBER, members_by_incident, members_once
from detectors.enumeration_baseline import RAISED
from detectors.enumeration_groups import MIN_ADDRESSES, campaign_key
from detectors.enumeration_kernels import enumerate_rows, new_enumeration
from detectors.enumeration_text import actor_text, evidence_of_actor, evidence_of_campaign, explain_actor, explain_group
from detectors.enumeration_tracks import BY_PLACE, BY_TOKEN
from sensor.core.addresses import address_text


class Enumeration(Detector):
    """Values of one parameter tried one after the other."""

    name = "enumeration"
    owasp = "API1:2023"
    severity = "high"

    threshold: float = 29.2
    """nats of the summed votes; 29.2 means a false-alarm probability of about 1e-9 for each actor and parameter"""
    min_distinct: int = 20
    """distinct values below which nothing is called an enumeration"""
    idle_minutes: int = 60
    """silence after which an actor's count begins anew"""

    def __init__(self, **settings: float):
        super().__init__(**settings)
        self._state = new_enumeration()
        self._described: dict[tuple, tuple[tuple, Alert]] = {}

    def update(self, view: View) -> None:
        enumerate_rows(
            self._state, view.batch.rows, view.batch.arena, view.values, len(view.values),
            float(self.threshold), int(self.min_distinct), self.idle_minutes * MINUTE,
        )  # fmt: skip

    def alerts(self, endpoints) -> list[Alert]:
        """One alert for each endpoint and actor, or for those who share a fingerprint there."""
        raised = self._state.raised[: self._state.control["raised"][0]]
        members = members_by_incident(self._state.campaigns)
        incidents = self._incidents(raised[raised["status"] == RAISED])
        found = [self._told_once(tracks, members, endpoints) for tracks in incidents]
        self._described = {key: known for key, known in self._described.items() if known[1] in found}
        return sorted(found, key=lambda alert: (alert.raised_at, alert.alert_id))

    def _incidents(self, raised: np.ndarray) -> list[list[np.void]]:
        """Raised tracks put together: of one endpoint, and of one fingerprint or actor, with no long silence between them."""
        units: dict[tuple, list[list[np.void]]] = {}
        for track in sorted(raised, key=lambda track: (int(track["first_ts"]), int(track["raised_ts"]), int(track["key"]))):
            clusters = units.setdefault(_unit_of(track), [])
            if clusters and track["first_ts"] - max(one["last_ts"] for one in clusters[-1]) <= self.idle_minutes * MINUTE:
                clusters[-1].append(track)
            else:
                clusters.append([track])
        return _together([cluster for clusters in units.values() for cluster in clusters])

    def _told_once(self, tracks: list[np.void], members: dict[int, np.ndarray], endpoints) -> Alert:
        """The alert of an incident; one that did not change since it was last told is not described again."""
        key = tuple((int(track["key"]), int(track["first_ts"])) for track in tracks)
        state = tuple((int(track["requests"]), int(track["last_ts"])) for track in tracks)
        known = self._described.get(key)
        if known is None or known[0] != state:
            known = state, self._describe(tracks, members, endpoints)
            self._described[key] = known
        return known[1]

    def _describe(self, tracks: list[np.void], members_of: dict[int, np.ndarray], endpoints) -> Alert:
        first = min(tracks, key=lambda track: (int(track["raised_ts"]), int(track["key"])))
        host, method, template = self.place_of((int(first["key"]), int(first["first_ts"])), int(first["endpoint"]), endpoints)
        place = f"{host} {method} {template}"
        groups = [track for track in tracks if track["rung"] > BY_TOKEN]
        told = max(groups or tracks, key=lambda track: (float(track["nats"]), -int(track["raised_ts"])))
        by_actor = _best_by_actor([track for track in tracks if track["rung"] <= BY_TOKEN])
        incident, members = self._campaign(groups, members_of)
        sources = [address_text(int(one["hi"]), int(one["lo"])) for one in members[:MAX_SOURCES]]
        known = set(sources)
        others = [address_text(int(track["source_hi"]), int(track["source_lo"])) for track in by_actor]
        sources += [source for source in dict.fromkeys(others) if source not in known]
        alone = not groups and len(by_actor) == 1
        kinds = len({_fingerprint_of(track) for track in groups})
        transactions = int(members["transactions"].sum()) or sum(int(track["requests"]) for track in by_actor)
        explained = (
            explain_actor(told, place)
            if alone
            else explain_group(
                told, place, len(sources), transactions, sum(int(track["distinct"]) for track in by_actor), kinds
            )
        )
        return Alert(
            detector=self.name,
            owasp=self.owasp,
            severity=self.severity,
            confidence=confidence_from(float(told["nats"]) - self.threshold),
            first_seen=min(int(track["first_ts"]) for track in tracks),
            last_seen=max(int(track["last_ts"]) for track in tracks),
            raised_at=int(first["raised_ts"]),
            host=host,
            method=method,
            endpoint=template,
            actor=actor_text(told, alone, kinds),
            actors=1 if alone else len(sources),
            sources=sources[:MAX_SOURCES],
            transactions=transactions,
            statistic={"name": "sum of votes (nats)", "value": round(float(told["nats"]), 2)},
            threshold=float(self.threshold),
            explanation=explained,
            evidence=evidence_of_actor(told, method) if incident is None else evidence_of_campaign(incident, method),
            identity=f"{int(first['key']):016x}\0{int(first['first_ts'])}",
        )

    def _campaign(self, groups: list[np.void], members_of: dict[int, np.ndarray]) -> tuple[np.void | None, np.ndarray]:
        """(INCIDENT with the samples of a campaign, its members: MEMBER[n]); (None, none) where no group was raised."""
        nobody = np.zeros(0, MEMBER)
        if not groups:
            return None, nobody
        incidents = self._state.campaigns.incidents
        begin, end = min(one["first_ts"] for one in groups), max(one["last_ts"] for one in groups)
        found = []
        for fingerprint in dict.fromkeys(_fingerprint_of(track) for track in groups):
            key = campaign_key(groups[0]["endpoint"], fingerprint)
            fitting = incidents[(incidents["key"] == key) & (incidents["serial"] > 0)]
            fitting = fitting[(fitting["last_ts"] >= begin) & (fitting["first_ts"] <= end)]
            if len(fitting):
                found.append(fitting[np.argmax(fitting["serial"])])
        if not found:
            return None, nobody
        return found[0], members_once([members_of.get(int(incident["serial"]), nobody) for incident in found])


def _is_campaign(tracks: list[np.void]) -> bool:
    """Whether raised tracks are those of many addresses."""
    if any(track["rung"] > BY_TOKEN for track in tracks):
        return True
    return len({(int(track["actor_hi"]), int(track["actor_lo"])) for track in tracks}) >= MIN_ADDRESSES


def _together(clusters: list[list[np.void]]) -> list[list[np.void]]:
    """Campaigns against one endpoint at the same time are one, which changes its headers: their tracks put together."""
    found = [cluster for cluster in clusters if not _is_campaign(cluster)]
    campaigns: list[list[np.void]] = []
    for cluster in sorted(filter(_is_campaign, clusters), key=lambda tracks: min(int(track["first_ts"]) for track in tracks)):
        begin = min(int(track["first_ts"]) for track in cluster)
        known = next(
            (
                one
                for one in campaigns
                if one[0]["endpoint"] == cluster[0]["endpoint"] and begin <= max(int(track["last_ts"]) for track in one)
            ),
            None,
        )
        if known is None:
            campaigns.append(list(cluster))
        else:
            known.extend(cluster)
    return found + campaigns


def _fingerprint_of(track: np.void) -> np.uint64:
    """What the members of a group's track have in common; 0: the endpoint alone."""
    return np.uint64(0) if track["rung"] == BY_PLACE else track["fingerprint"]


def _unit_of(track: np.void) -> tuple:
    """What puts raised tracks together."""
    endpoint = int(track["endpoint"])
    if track["rung"] == BY_PLACE:
        return endpoint, "all"
    if track["fingerprint"]:
        return endpoint, "fingerprint", int(track["fingerprint"])
    return endpoint, "actor", int(track["actor_hi"]), int(track["actor_lo"]), int(track["rung"])


def _best_by_actor(tracks: list[np.void]) -> list[np.void]:
    """The track of each actor that shows it best."""
    best: dict[tuple[int, int, int], np.void] = {}
    for track in tracks:
        key = int(track["actor_hi"]), int(track["actor_lo"]), int(track["rung"])
        if key not in best or track["nats"] > best[key]["nats"]:
            best[key] = track
    return list(best.values())
