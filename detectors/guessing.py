"""What all detectors of guessing share: settings, the run over trials, and their alerts. Statistic: detectors/attempts.py."""

import abc
import math

import numpy as np

from detectors.attempts import take_attempts
from detectors.attempts_state import new_attempts
from detectors.base import (
    MAX_SOURCES,
    MINUTE,
    Alert,
    Detector,
    View,
    confidence_from,
    duration_text,
    severity_above,
)
from detectors.campaigns import (
    BY_PLACE,
    MEMBER,
    members_by_incident,
    members_once,
    open_incidents,
    put_together,
    together,
)
from detectors.enumeration_text import evidence_of_campaign
from detectors.trials import TrialRoom
from sensor.core.addresses import address_text
from sensor.core.bits import distinct_bits

FEW, MANY = 3, 8
"""Different values, of at most 64 that can be told apart: below FEW they are few, from MANY on many."""


class Guessing(Detector):
    """Attempts that fail too often: by one address, by addresses with one fingerprint, or at one endpoint by all."""

    run_length: float = 1e6
    """attempts of ordinary traffic in which a group's sum rises above its threshold once, at the earliest"""
    threshold: float = 13.8
    """nats of an address's own sum; ordinary attempts reach it once in e^13.8 = 1,000,000 at the earliest"""
    min_attempts: int = 20
    """attempts of one address below which it may be a person who errs"""
    min_addresses: int = 10
    """addresses below which a group's failures may be those of a few people"""
    idle_minutes: int = 60
    """silence after which an address begins anew, and an incident is over"""
    min_forms: int = 3
    """different failures of a group, of at most 64 that can be told apart, below which all may have one cause"""
    usual_failures: float = 0.15
    """share of failures before the endpoint is known"""

    once: int = 1
    """1: of each address the first attempt alone counts for its group; 0: its first failure, and every success"""

    what: str
    """what an attempt is, for sentences: `log-in`"""
    statistic: str = ""
    """name of the statistic; `CUSUM of failed …s` where it is empty"""
    success_matters: bool = True
    """a success of a guesser makes the incident worse"""

    def __init__(self, **settings: float):
        super().__init__(**settings)
        self._state = new_attempts()
        self._room = TrialRoom()
        self._named_to = 0
        self._described: dict[tuple[int, ...], tuple[tuple[int, ...], Alert | None]] = {}

    @abc.abstractmethod
    def trials(self, view: View, room: TrialRoom) -> tuple[np.ndarray, int]:
        """(TRIAL[:], how many of them are the batch's)"""

    def update(self, view: View) -> None:
        limits = np.array(
            [self.threshold, math.log(self.run_length), self.min_attempts, self.min_addresses, self.idle_minutes * MINUTE,
             self.usual_failures, self.min_forms, self.once]
        )  # fmt: skip
        trials, count = self.trials(view, self._room)
        take_attempts(self._state, view.batch.rows, trials, count, limits)
        self._name_newcomers(view.endpoints)

    def _name_newcomers(self, endpoints) -> None:
        """Name new incidents at once: the place of an endpoint that was never served may be given to another."""
        raised = int(self._state.campaigns.serials[0])
        if raised != self._named_to:
            self._named_to = raised
            for incident in open_incidents(self._state.campaigns):
                self.place(incident, endpoints)

    def alerts(self, endpoints) -> list[Alert]:
        """All incidents; those that did not change since they were last told are not described again."""
        members, nobody = members_by_incident(self._state.campaigns), np.zeros(0, MEMBER)
        found = []
        for incidents in together(open_incidents(self._state.campaigns), 1):
            serials = tuple(int(one["serial"]) for one in incidents)
            state = tuple(int(one[name]) for one in incidents for name in ("last_ts", "actors", "transactions", "failures"))
            known = self._described.get(serials)
            if known is None or known[0] != state:
                own = members_once([members.get(serial, nobody) for serial in serials])
                known = state, None if self.are_people(own) else self._describe(put_together(incidents), own, endpoints)
            found.append((serials, known))
        self._described = dict(found)
        return [alert for _, (_, alert) in found if alert is not None]

    def are_people(self, members: np.ndarray) -> bool:
        """Whether those who failed got in in the end, most of them: people who forgot, after an outage or a change of rules."""
        return False

    def _guilty(self, incident, members: np.ndarray) -> np.ndarray:
        """MEMBER[n] of those who failed more often than not.

        Where everybody comes by (`once` is 0) a single failure is nobody's, if those with two make a group by themselves.
        """
        first = (members["hi"] == incident["source_hi"]) & (members["lo"] == incident["source_lo"])
        failing = 2 * members["failures"].astype(np.int64) > members["transactions"]
        twice = failing & (members["failures"] >= 2)
        return members[twice] if not self.once and twice.sum() >= self.min_addresses else members[first | failing]

    def _describe(self, incident, members, endpoints) -> Alert:
        guilty = self._guilty(incident, members)
        sources = [address_text(int(member["hi"]), int(member["lo"])) for member in guilty[:MAX_SOURCES]]
        attempts, failures = int(guilty["transactions"].sum()), int(guilty["failures"].sum())
        host, method, template = self.place(incident, endpoints)
        hits = attempts - failures
        return Alert(
            detector=self.name,
            owasp=self.owasp,
            severity=severity_above(self.severity) if hits and self.success_matters else self.severity,
            confidence=confidence_from(float(incident["nats"]) - float(incident["threshold"])),
            first_seen=int(incident["first_ts"]),
            last_seen=int(incident["last_ts"]),
            raised_at=int(incident["raised_ts"]),
            host=host,
            method=method,
            endpoint=template,
            actor=_actor(incident, sources),
            actors=len(guilty),
            sources=sources,
            transactions=attempts,
            statistic={
                "name": f"{self.statistic or f'CUSUM of failed {self.what}s'} (nats)",
                "value": round(float(incident["nats"]), 2),
            },
            threshold=round(float(incident["threshold"]), 2),
            explanation=self.explain(incident, sources, attempts, failures, f"{host} {method} {template}".strip()),
            evidence=evidence_of_campaign(incident, method),
            identity=f"{int(incident['key']):016x}\0{int(incident['began'])}",
        )

    def place(self, incident, endpoints) -> tuple[str, str, str]:
        """(host, method, template) of an incident."""
        return self.place_of((int(incident["key"]), int(incident["began"])), int(incident["endpoint"]), endpoints)

    def explain(self, incident, sources: list[str], attempts: int, failures: int, place: str) -> str:
        """The whole incident in sentences."""
        span = duration_text(int(incident["last_ts"]) - int(incident["first_ts"]))
        share = f"{failures} attempts ({failures / max(attempts, 1):.1%}) failed, where {incident['usual']:.1%} is usual here."
        if len(sources) == 1:
            told = f"ip:{sources[0]} made {attempts} {self.what}s at {place} within {span}: {share}"
        else:
            alike = "" if incident["group"] == BY_PLACE else " that send the same headers in the same order"
            told = (
                f"{len(sources):,} addresses{alike} made {attempts} {self.what}s at {place} within {span}, "
                f"{attempts / max(len(sources), 1):.1f} each: {share}"
            )
        if failures < attempts and self.success_matters:
            hits = attempts - failures
            told += f" {hits} attempt{'s' * (hits != 1)} succeeded: what was guessed there is to be held for known."
        return told


def tried(bits: int) -> str:
    """`no`, `one`, `few` or `many` different ones."""
    count = distinct_bits(np.uint64(bits))
    return "no" if count == 0 else "one" if count == 1 else "few" if count <= FEW else "many" if count >= MANY else "several"


def _actor(incident, sources: list[str]) -> str:
    if len(sources) == 1:
        return f"ip:{sources[0]}"
    if incident["group"] == BY_PLACE:
        return f"campaign:{int(incident['key']):016x}"
    return f"fingerprint:{int(incident['fingerprint']):016x}"
