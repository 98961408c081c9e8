"""Requests bring properties that the server decides on, and that no other client sends: role, is_admin, balance (API3:2023).

Statistic: fields of JSON or form bodies that bear the name of a right, of money or of an owner (detectors/fields.py), that
fewer than four addresses have ever sent to the endpoint, by one address; and how many different sets of them it tried.

Null model: clients are programs: all of a version send the same fields, so that an endpoint's fields are known after 20
requests of eight addresses. A new version brings new fields, but the same ones each time, and for many addresses.

Threshold: a rule, no probability: `least_fields` = 3 such fields, in two different sets at least: who tries one property after
the other looks for one that is taken.
Cold start: nothing is told of an endpoint before its fields are known.
"""

import numpy as np

from detectors.base import MAX_SOURCES, MINUTE, Alert, Detector, View, duration_text, evidence_key, printable
from detectors.fields import PRIVILEGES, new_fields, take_fields
from sensor.core.addresses import address_text


class MassAssignment(Detector):
    """Properties that are not a client's to set."""

    name = "mass_assignment"
    owasp = "API3:2023"
    severity = "medium"

    least_fields: int = 3
    """different fields of one address"""
    idle_minutes: int = 240
    """silence after which an address begins anew"""

    def __init__(self, **settings: float):
        super().__init__(**settings)
        self._state = new_fields()

    def update(self, view: View) -> None:
        take_fields(
            self._state, view.batch.rows, view.batch.arena, view.values, view.endpoints.rows, PRIVILEGES,
            int(self.least_fields), self.idle_minutes * MINUTE,
        )  # fmt: skip

    def alerts(self, endpoints) -> list[Alert]:
        """One alert for each endpoint, with everybody who tries there."""
        senders = self._state.senders
        raised = senders[senders["raised_ts"] > 0]
        raised = raised[np.lexsort((raised["key"], raised["raised_ts"]))]
        places = dict.fromkeys(zip(raised["endpoint"].tolist(), raised["generation"].tolist(), strict=True))
        found = [
            self._describe(raised[(raised["endpoint"] == place) & (raised["generation"] == generation)], endpoints)
            for place, generation in places
        ]
        return sorted(found, key=lambda alert: (alert.raised_at, alert.alert_id))

    def _describe(self, who: np.ndarray, endpoints) -> Alert:
        first, place, generation = who[0], int(who[0]["endpoint"]), int(who[0]["generation"])
        sources = [address_text(int(one["hi"]), int(one["lo"])) for one in who[:MAX_SOURCES]]
        host, method, template = self.place_of((place, generation), place, endpoints)
        span = duration_text(int(who["last_ts"].max()) - int(who["first_ts"].min()))
        names = list(dict.fromkeys(name for one in who for name in _names(one)))
        requests, served = int(who["requests"].sum()), int(who["served"].sum())
        begin, end = int(who["first_ts"].min()), int(who["last_ts"].max())
        several = f"{len(who):,} addresses" if len(who) > 1 else f"ip:{sources[0]}"
        return Alert(
            detector=self.name,
            owasp=self.owasp,
            severity="high" if served else self.severity,
            confidence=0.85,
            first_seen=begin,
            last_seen=end,
            raised_at=int(first["raised_ts"]),
            host=host,
            method=method,
            endpoint=template,
            actor=f"campaign:{place:016x}" if len(who) > 1 else f"ip:{sources[0]}",
            actors=len(who),
            sources=sources,
            transactions=requests,
            statistic={"name": "different fields", "value": float(max(bin(int(one["fields"])).count("1") for one in who))},
            threshold=float(self.least_fields),
            explanation=(
                f"{several} sent {host} {method} {template} properties that no other client sends, in {requests} requests "
                f"within {span}: {', '.join(f'`{name}`' for name in names[:12])}. "
                f"{served} of them were taken; whether the properties were, their objects tell."
            ),
            evidence=[_evidence(one, method) for one in who[:20]],
            identity=f"{place}\0{generation}\0{int(first['key']):016x}\0{int(first['first_ts'])}",
        )


def _names(sender: np.void) -> list[str]:
    """The first of its fields."""
    return [printable(sender["names"][k].tobytes().rstrip(b"\0")) for k in range(int(sender["shown"]))]


def _evidence(sender: np.void, method: str) -> str:
    """The newest request of an address."""
    source = address_text(int(sender["hi"]), int(sender["lo"]))
    return evidence_key(int(sender["last_ts"]), source, int(sender["port"]), method, int(sender["status"]))
