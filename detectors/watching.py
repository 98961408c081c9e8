"""The same few things are looked at again and again, far more often than anybody else does: prices and stock are watched
(API6:2023).

Statistic: requests of an address within an hour for things that it asked for before (path and query name the thing), at each
endpoint, divided by the kinds of clients and the sessions behind the address; ln(1 + repeats) against a normal
distribution (detectors/again.py).

Null model: other addresses at the same endpoint: mean and deviation of ln(1 + repeats) over them, the address itself left out,
the deviation 0.7 at the least, none of them counting for more than 30; where a quarter of them repeat themselves an eighth as
often, or more, it is what one does there. Who bears a token watches by trade, and is not told; nor
is who walks through many things.

Threshold: `threshold` = 13.8 nats, once in 1,000,000 addresses and hours: about 60 repeats in an hour where others have one,
and `least_repeats` = 100 at any rate: a monitor asks every minute.
Cold start: a median of one repeat, one address in six with more than five, counts for 20 addresses.
"""

import numpy as np

from detectors.again import new_again, take_repeats
from detectors.base import MINUTE, Alert, View, confidence_from, duration_text
from detectors.by_place import ByPlace, evidence_of, named, sources_of
from detectors.paging import PAGING
from sensor.inventory.secrets import name_hashes

IGNORED = name_hashes(*PAGING)


class Watching(ByPlace):
    """Prices and stock that are watched."""

    name = "watching"
    owasp = "API6:2023"
    severity = "low"

    threshold: float = 13.8
    """nats that an address must reach"""
    least_repeats: int = 100
    """repeats in an hour below which it may be a monitor, or a page that is left open"""
    idle_minutes: int = 60
    """silence after which an address begins anew, and time after which what was seen counts for half"""

    def __init__(self, **settings: float):
        super().__init__(**settings)
        self._state = new_again()

    def update(self, view: View) -> None:
        take_repeats(
            self._state, view.batch.rows, view.batch.arena, view.values, view.endpoints.rows, IGNORED, float(self.threshold),
            self.idle_minutes * MINUTE,
        )  # fmt: skip

    def _raised(self) -> np.ndarray:
        watchers = self._state.watchers
        return watchers[(watchers["raised_ts"] > 0) & (watchers["most"] >= self.least_repeats)]

    def _describe(self, who: np.ndarray, since: int, endpoints) -> Alert:
        place, generation, raised_at = int(who[0]["endpoint"]), int(who[0]["generation"]), int(who[0]["raised_ts"])
        who = who[np.lexsort((who["key"], -who["all"].astype(np.int64)))]
        sources = sources_of(who)
        begin, end, requests = int(who["first_ts"].min()), int(who["last_ts"].max()), int(who["all"].sum())
        host, method, template = self.place_of((place, generation), place, endpoints)
        several, actor = named(who, sources)
        return Alert(
            detector=self.name,
            owasp=self.owasp,
            severity=self.severity,
            confidence=confidence_from(float(who["nats"].max()) - self.threshold),
            first_seen=begin,
            last_seen=end,
            raised_at=raised_at,
            host=host,
            method=method,
            endpoint=template,
            actor=actor,
            actors=len(who),
            sources=sources,
            transactions=requests,
            statistic={"name": "surprise of repeats (nats)", "value": round(float(who["nats"].max()), 2)},
            threshold=float(self.threshold),
            explanation=(
                f"{several} asked {host} {method} {template} {requests:,} times within {duration_text(end - begin)}, "
                f"up to {float(who['most'].max()):,.0f} times in an hour for what had been asked for before; others look once "
                "or a few times."
            ),
            evidence=evidence_of(who, method),
            identity=f"{place}\0{generation}\0{since}",
        )
