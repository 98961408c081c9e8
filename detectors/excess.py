"""More is asked for at once than anybody else asks for: pages of 100,000 rows, GraphQL documents without end (API4:2023).

Statistic: at each endpoint, for each parameter that says how many things are wanted, and for depth and aliases of GraphQL, the
largest number that at least two addresses asked for. Who asks for more than `factor` = 10 times as much (twice for depth and
aliases, which are written by hand), and is given it, collects surprise in nats: ln(n + 1) for the first time, ln 2 for each
further one (detectors/sizes.py).

Null model: exchangeability. Of n + 1 ordinary requests each is the largest with probability 1 / (n + 1); a client that asked
so once does it again every other time, since it is the same program.

Threshold: `threshold` = 13.8 nats: once in 1,000,000 clients, if they were exchangeable. What one address alone asks for never
moves what is usual; excess does not teach, until five addresses do it: then it is a habit.
Cold start: before 20 ordinary requests 1,000 things, 10 levels and 10 aliases are usual.
"""

import numpy as np

from detectors.base import MAX_SOURCES, MINUTE, Alert, Detector, View, confidence_from, duration_text, printable, who_of
from detectors.by_place import evidence_of
from detectors.sizes import NAMES, OF_ALIASES, OF_DEPTH, new_sizes, take_sizes
from sensor.core.addresses import address_text

NESTING = {int(OF_DEPTH): "levels of a GraphQL document", int(OF_ALIASES): "aliases of a GraphQL document"}


class Excess(Detector):
    """Sizes beyond what is usual."""

    name = "excess"
    owasp = "API4:2023"
    severity = "medium"

    threshold: float = 13.8
    """nats that an address must have collected"""
    factor: int = 10
    """how many times what is usual is too much"""
    idle_minutes: int = 60
    """silence after which an address begins anew"""

    def __init__(self, **settings: float):
        super().__init__(**settings)
        self._state = new_sizes()

    def update(self, view: View) -> None:
        take_sizes(
            self._state, view.batch.rows, view.values, view.batch.arena, view.endpoints.rows, NAMES, int(self.factor),
            float(self.threshold), self.idle_minutes * MINUTE,
        )  # fmt: skip

    def alerts(self, endpoints) -> list[Alert]:
        """One alert for each endpoint and size, with everybody who asks for too much of it."""
        raised = self._state.askers[self._state.askers["raised_ts"] > 0]
        raised = raised[np.lexsort((raised["key"], raised["raised_ts"]))]
        found = [
            self._describe(raised[raised["place"] == place], endpoints) for place in dict.fromkeys(raised["place"].tolist())
        ]
        return sorted(found, key=lambda alert: (alert.raised_at, alert.alert_id))

    def _describe(self, askers: np.ndarray, endpoints) -> Alert:
        first, most = askers[0], askers[np.argmax(askers["asked"])]
        sources = [address_text(int(one["hi"]), int(one["lo"])) for one in askers[np.argsort(-askers["requests"].astype(int))]]
        key = int(self._state.usual[int(first["place"])]["key"])
        host, method, template = self.place_of((key, 0), int(first["endpoint"]), endpoints)
        what = NESTING.get(int(first["slot"]), f"of `{printable(first['name'][: int(first['name_len'])].tobytes())}`")
        requests, begin, end = int(askers["requests"].sum()), int(askers["first_ts"].min()), int(askers["last_ts"].max())
        who = who_of(sources)
        return Alert(
            detector=self.name,
            owasp=self.owasp,
            severity=self.severity,
            confidence=confidence_from(float(askers["nats"].max()) - self.threshold),
            first_seen=begin,
            last_seen=end,
            raised_at=int(first["raised_ts"]),
            host=host,
            method=method,
            endpoint=template,
            actor=f"ip:{sources[0]}" if len(sources) == 1 else f"campaign:{key:016x}",
            actors=len(sources),
            sources=sources[:MAX_SOURCES],
            transactions=requests,
            statistic={"name": "surprise of sizes (nats)", "value": round(float(askers["nats"].max()), 2)},
            threshold=float(self.threshold),
            explanation=(
                f"{who} asked {host} {method} {template} for up to {int(most['asked']):,} {what}, in {requests} requests "
                f"within {duration_text(end - begin)}; others ask for up to {int(most['usual']):,}. "
                f"They were answered with {int(askers['bytes'].sum()):,} bytes in all."
            ),
            evidence=evidence_of(askers, method),
            identity=f"{key:016x}\0{int(first['first_ts'])}",
        )
