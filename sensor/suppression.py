"""Which incidents are not told: those that the operator's rules name, and those like what analysts called false alarms.

An analyst's word moves the threshold: each `false-positive` more than `true-positive` at the same detector and endpoint asks
for half as much again of the statistic (STEP), up to MOST times. What is not told is counted.
"""

import collections
import dataclasses
import datetime
import ipaddress
from collections.abc import Iterable
from typing import Any

from sensor.settings import Config, Suppress

FALSE, TRUE, BENIGN = MARKS = ("false-positive", "true-positive", "benign")
"""What an analyst may say of an alert. benign: it is what it seems, and allowed (a test, a partner): nothing moves by it."""
STEP, MOST = 0.5, 4.0
SECOND = 1_000_000_000


@dataclasses.dataclass(frozen=True)
class Mark:
    """An analyst's word on one alert."""

    alert_id: str
    detector: str
    host: str
    method: str
    endpoint: str
    mark: str


class Suppression:
    """Rules and marks that are in force."""

    def __init__(self, rules: Iterable[Suppress] = (), marks: Iterable[Mark] = ()):
        self._rules = [(rule, [ipaddress.ip_network(text, strict=False) for text in rule.sources]) for rule in rules]
        self._denied: set[str] = set()
        self._balance: collections.Counter[tuple[str, str, str, str]] = collections.Counter()
        for mark in marks:
            if mark.mark != TRUE:
                self._denied.add(mark.alert_id)
            weight = {FALSE: 1, TRUE: -1}.get(mark.mark, 0)
            self._balance[mark.detector, mark.host, mark.method, mark.endpoint] += weight

    def told(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The alerts (Alert.as_row) that are to be told."""
        return [row for row in rows if not self.why_not(row)]

    def why_not(self, row: dict[str, Any]) -> str:
        """Why an alert is not told; empty where it is."""
        if row["alert_id"] in self._denied:
            return "an analyst marked it"
        rule = next((rule for rule, networks in self._rules if _fits(rule, networks, row)), None)
        if rule is not None:
            return rule.reason or "a rule of the configuration names it"
        balance = self._balance[row["detector"], row["host"], row["method"], row["endpoint"]]
        factor = min(MOST, 1 + STEP * max(0, balance))
        if float(row["statistic"]["value"]) < factor * float(row["threshold"]):
            return f"analysts raised the threshold there {factor:g} times"
        return ""


def suppression_of(config: Config, store: Any) -> Suppression:
    """The rules of the configuration, and what analysts said of the alerts in a store (None: nothing)."""
    if store is None:
        return Suppression(config.suppress)
    from sensor.store.queries import marks

    return Suppression(config.suppress, [Mark(**row) for row in marks(store)])


def _fits(rule: Suppress, networks: list[Any], row: dict[str, Any]) -> bool:
    """Whether a rule is in force at the alert's time, and all that it names is the alert's. networks: its sources."""
    last = datetime.datetime.fromtimestamp(row["last_seen"] / SECOND, datetime.UTC).date()
    if rule.until is not None and last > rule.until:
        return False
    if any(getattr(rule, name) not in ("", row[name]) for name in ("detector", "host", "method", "endpoint", "actor")):
        return False
    if not networks:
        return True
    return bool(row["sources"]) and all(
        any(ipaddress.ip_address(source) in network for network in networks) for source in row["sources"]
    )
