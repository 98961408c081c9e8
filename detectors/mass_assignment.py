"""Requests bring properties that the server decides on, and that no other client sends: role, is_admin, balance (API3:2023).

Statistic: fields of JSON or form bodies that bear the name of a right, of money or of an owner (detectors/fields.py), that
fewer than ten addresses have ever sent to the endpoint, by one address; and how many different sets of them it tried.

Null model: clients are programs: all of a version send the same fields, so that an endpoint's fields are known after 20
requests of eight addresses. A new version brings new fields, but the same ones each time, and for many addresses.

Threshold: a rule, no probability: `least_fields` = 3 such fields, in two different sets at least: who tries one property after
the other looks for one that is taken.
Cold start: nothing is told of an endpoint before its fields are known.
"""

import numpy as np

from detectors.base import MINUTE, Alert, View, duration_text, printable
from detectors.by_place import ByPlace, evidence_of, named, sources_of
from detectors.fields import PRIVILEGES, new_fields, take_fields


class MassAssignment(ByPlace):
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

    def _raised(self) -> np.ndarray:
        return self._state.senders[self._state.senders["raised_ts"] > 0]

    def _describe(self, who: np.ndarray, since: int, endpoints) -> Alert:
        place, generation = int(who[0]["endpoint"]), int(who[0]["generation"])
        sources = sources_of(who)
        host, method, template = self.place_of((place, generation), place, endpoints)
        names = list(dict.fromkeys(name for one in who for name in _names(one)))
        requests, served = int(who["requests"].sum()), int(who["served"].sum())
        begin, end = int(who["first_ts"].min()), int(who["last_ts"].max())
        several, actor = named(who, sources)
        return Alert(
            detector=self.name,
            owasp=self.owasp,
            severity="high" if served else self.severity,
            confidence=0.85,
            first_seen=begin,
            last_seen=end,
            raised_at=int(who[0]["raised_ts"]),
            host=host,
            method=method,
            endpoint=template,
            actor=actor,
            actors=len(who),
            sources=sources,
            transactions=requests,
            statistic={"name": "different fields", "value": float(max(int(one["fields"]).bit_count() for one in who))},
            threshold=float(self.least_fields),
            explanation=(
                f"{several} sent {host} {method} {template} properties that no other client sends, in {requests} requests "
                f"within {duration_text(end - begin)}: {', '.join(f'`{name}`' for name in names[:12])}. "
                f"{served} of them were taken; whether the properties were, their objects tell."
            ),
            evidence=evidence_of(who, method),
            identity=f"{place}\0{generation}\0{since}",
        )


def _names(sender: np.void) -> list[str]:
    """The first of its fields."""
    return [printable(sender["names"][k].tobytes().rstrip(b"\0")) for k in range(int(sender["shown"]))]
