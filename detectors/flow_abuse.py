"""A flow that people enter once is entered again and again: accounts are made, resets are sent in rows (API6:2023).

Statistic: at endpoints that sign somebody up or reset a password, the share of addresses that succeeded there at least 3 times
within an hour, against the share that is usual at the endpoint (detectors/entries.py). For one address alone the number of its
entries by kind of client (the order of header fields), ln(entries) normal.

Null model: people do it once, some twice; offices and schools stand behind a few addresses. Addresses are independent
(binomial). Behind an address stand as many clients as it has kinds of them. One address alone that bears a token is somebody's
program, made to do this, and is not told.

Threshold: `threshold` = 13.8 nats, once in 1,000,000 hours, and five addresses at least; one address alone reaches it with 47
entries in an hour.
Cold start: `usual_share` = 0.05 of the addresses do it, until the endpoint shows its own share.

Made-up accounts of which each has an address of its own are not found.
"""

import numpy as np

from detectors.base import MINUTE, Alert, Detector, View, confidence_from, duration_text
from detectors.by_place import evidence_of, sources_of
from detectors.entries import PRIOR_WEIGHT, REPEATS, new_entries, take_entries
from sensor.core.records import FLOW

WATCHED = np.zeros(len(FLOW), np.uint8)
WATCHED[[FLOW["signup"], FLOW["reset"]]] = 1


class FlowAbuse(Detector):
    """Sign-ups and resets in rows."""

    name = "flow_abuse"
    owasp = "API6:2023"
    severity = "medium"

    threshold: float = 13.8
    """nats that an endpoint, or an address, must reach"""
    usual_share: float = 0.05
    """share of addresses that do it again and again, before the endpoint is known"""
    idle_minutes: int = 60
    """silence after which an address begins anew, and time after which what was seen counts for half"""

    def __init__(self, **settings: float):
        super().__init__(**settings)
        self._state = new_entries()

    def update(self, view: View) -> None:
        take_entries(
            self._state, view.batch.rows, view.endpoints.rows, WATCHED, float(self.usual_share), float(self.threshold),
            self.idle_minutes * MINUTE,
        )  # fmt: skip

    def alerts(self, endpoints) -> list[Alert]:
        """One alert for each endpoint: of all who did it again and again while many did; else of those who stand out."""
        floors, entrants = self._state.floors, self._state.entrants
        found = []
        for place in np.unique(np.append(np.flatnonzero(floors["raised_ts"]), entrants["endpoint"][entrants["raised_ts"] > 0])):
            floor = floors[place]
            here = entrants[(entrants["endpoint"] == place) & (entrants["generation"] == floor["generation"])]
            during = (here["last_ts"] >= floor["first_ts"]) & (here["first_ts"] <= floor["last_ts"])
            many = here[(here["most"] >= REPEATS) & during] if floor["raised_ts"] else here[:0]
            who = many if len(many) else here[here["raised_ts"] > 0]
            if len(who):
                found.append(self._describe(int(place), floor, who, endpoints))
        return sorted(found, key=lambda alert: (alert.raised_at, alert.alert_id))

    def _describe(self, place: int, floor: np.void, who: np.ndarray, endpoints) -> Alert:
        who = who[np.lexsort((who["lo"], who["hi"], -who["all"].astype(np.int64)))]
        sources = sources_of(who)
        raised = [int(floor["raised_ts"])] if floor["raised_ts"] else [int(one) for one in who["raised_ts"] if one]
        begin, end, entries = int(who["first_ts"].min()), int(who["last_ts"].max()), int(who["all"].sum())
        host, method, template = self.place_of((place, int(floor["generation"])), place, endpoints)
        nats = float(max(floor["peak"], who["nats"].max()))
        several = f"{len(sources):,} addresses" if len(sources) > 1 else f"ip:{sources[0]}"
        repeaters, addresses = float(floor["usual_repeaters"]), float(floor["usual_addresses"])
        usual = (repeaters + PRIOR_WEIGHT * self.usual_share) / (addresses + PRIOR_WEIGHT)
        return Alert(
            detector=self.name,
            owasp=self.owasp,
            severity=self.severity,
            confidence=confidence_from(nats - self.threshold),
            first_seen=begin,
            last_seen=end,
            raised_at=min(raised),
            host=host,
            method=method,
            endpoint=template,
            actor=f"campaign:{place:016x}" if len(sources) > 1 else f"ip:{sources[0]}",
            actors=len(who),
            sources=sources,
            transactions=entries,
            statistic={"name": "surprise of repeated entries (nats)", "value": round(nats, 2)},
            threshold=float(self.threshold),
            explanation=(
                f"{several} went through {host} {method} {template} {entries} times within {duration_text(end - begin)}, "
                f"{entries / len(who):.1f} times each; {usual:.1%} of the addresses do so {REPEATS} times or more in an hour, "
                "as far as is known."
            ),
            evidence=evidence_of(who, method),
            identity=f"{place}\0{int(floor['generation'])}\0{min(raised)}",
        )
