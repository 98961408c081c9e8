"""Addresses that stand out, by the endpoint at which they do: one incident each, whose name stays when members come and go."""

import abc

import numpy as np

from detectors.base import MAX_EVIDENCE, MAX_SOURCES, MINUTE, Alert, Detector, evidence_key
from sensor.core.addresses import address_text
from sensor.inventory.endpoints import CAPACITY

OPENING = np.dtype([("generation", "<u4"), ("since", "<i8"), ("last", "<i8")])
"""Since when an endpoint's incident is open, and when it was last seen to go on."""


def new_openings() -> np.ndarray:
    """OPENING[CAPACITY], by endpoint."""
    return np.zeros(CAPACITY, OPENING)


def by_place(raised: np.ndarray, openings: np.ndarray, idle: int) -> list[tuple[np.ndarray, int]]:
    """(entries, since when their incident is open) of each endpoint, the first that was raised first.

    raised: entries with endpoint, generation, key, first_ts, last_ts, raised_ts. Silence for `idle` ns ends an incident.
    """
    raised = raised[np.lexsort((raised["key"], raised["raised_ts"]))]
    found = []
    for place, generation in dict.fromkeys(zip(raised["endpoint"].tolist(), raised["generation"].tolist(), strict=True)):
        who = raised[(raised["endpoint"] == place) & (raised["generation"] == generation)]
        opening, begin, last = openings[place], int(who["first_ts"].min()), int(who["last_ts"].max())
        if opening["generation"] != generation or begin > opening["last"] + idle:
            opening["generation"], opening["since"] = generation, begin
        opening["last"] = max(int(opening["last"]), last)
        found.append((who, int(opening["since"])))
    return found


def sources_of(who: np.ndarray) -> list[str]:
    """Addresses of entries with hi and lo."""
    return [address_text(int(one["hi"]), int(one["lo"])) for one in who[:MAX_SOURCES]]


def named(who: np.ndarray, sources: list[str]) -> tuple[str, str]:
    """(how a sentence calls them, the alert's actor)"""
    if len(who) == 1:
        return f"ip:{sources[0]}", f"ip:{sources[0]}"
    return f"{len(who):,} addresses", f"campaign:{int(who[0]['endpoint']):016x}"


def evidence_of(who: np.ndarray, method: str) -> list[str]:
    """The newest request of each of the first."""
    return [
        evidence_key(int(one["last_ts"]), source, int(one["port"]), method, int(one["status"]))
        for one, source in zip(who[:MAX_EVIDENCE], sources_of(who[:MAX_EVIDENCE]), strict=True)
    ]


class ByPlace(Detector):
    """A detector whose incidents are addresses that stand out at one endpoint."""

    idle_minutes: int
    """silence after which an address begins anew"""

    def __init__(self, **settings: float):
        super().__init__(**settings)
        self._openings = new_openings()

    def alerts(self, endpoints) -> list[Alert]:
        """One alert for each endpoint, with everybody who stands out there."""
        groups = by_place(self._raised(), self._openings, self.idle_minutes * MINUTE)
        return sorted(
            (self._describe(who, since, endpoints) for who, since in groups),
            key=lambda alert: (alert.raised_at, alert.alert_id),
        )

    @abc.abstractmethod
    def _raised(self) -> np.ndarray:
        """Entries that stand out, as by_place wants them."""

    @abc.abstractmethod
    def _describe(self, who: np.ndarray, since: int, endpoints) -> Alert:
        """The incident of these entries of one endpoint, open since then (ns)."""
