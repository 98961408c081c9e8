"""What the detectors make of labelled captures: what they found, how soon, who they named, and what they cried for nothing."""

import dataclasses
import datetime
import pathlib
from typing import Any

from detectors.base import Alert, address_text
from sensor.capture.files import CaptureFile
from sensor.config import Config
from sensor.pipeline import Pipeline


@dataclasses.dataclass
class Outcome:
    """One scenario, held against its labels."""

    scenario: str
    hours: float
    transactions: int
    incidents: int
    """attacks that are in it"""
    found: int
    """of these, told by their detector at their endpoint"""
    alerts: int
    """alerts that tell of them; best: as many as found"""
    false_alerts: int
    delay: int
    """requests of the attack until it was raised, the worst of all; -1: an attack was not found"""
    sources_named: float
    """share of the attack's sources that an alert names"""
    others_named: float
    """share of other clients that one does"""

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def replayed(path: pathlib.Path, config: Config) -> tuple[list[Alert], set[str]]:
    """(alerts of a capture, all client addresses)"""
    clients = _Clients()
    pipeline = Pipeline(config, (1, 2), [clients])
    capture = CaptureFile(str(path))
    pipeline.run(capture)
    pipeline.finish(capture.name)
    alerts = pipeline.alerts()
    pipeline.close()
    return alerts, clients.seen


class _Clients:
    """A sink that notes who asks."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def transactions(self, batch, wire, encaps, capture) -> None:
        self.seen |= {
            address_text(int(hi), int(lo))
            for hi, lo in zip(batch.rows["client_hi"].tolist(), batch.rows["client_lo"].tolist(), strict=True)
        }


def judged(labels: dict[str, Any], alerts: list[Alert], clients: set[str]) -> Outcome:
    """Alerts of a capture against its labels."""
    found = told = 0
    delay, named, others = 0, 1.0, 0.0
    true_alerts: set[str] = set()
    for incident in labels["incidents"]:
        sources = set(incident["sources"])
        fitting = [
            alert
            for alert in alerts
            if (alert.detector, alert.endpoint) == (incident["detector"], incident["endpoint"]) and sources & set(alert.sources)
        ]
        true_alerts |= {alert.alert_id for alert in fitting}
        told += len(fitting)
        if not fitting:
            delay, named = -1, 0.0
            continue
        found += 1
        raised = min(alert.raised_at for alert in fitting)
        before = sum(_nanoseconds(request[0]) <= raised for request in incident["requests"])
        delay = max(delay, before) if delay >= 0 else delay
        accused = {source for alert in fitting for source in alert.sources}
        named = min(named, len(accused & sources) / len(sources))
        others = max(others, len(accused - sources) / max(1, len(clients - sources)))
    return Outcome(
        labels["scenario"], labels["hours"], labels["transactions"], len(labels["incidents"]), found, told,
        len([alert for alert in alerts if alert.alert_id not in true_alerts]), delay, round(named, 4), round(others, 4),
    )  # fmt: skip


def _nanoseconds(text: str) -> int:
    return int(datetime.datetime.fromisoformat(text).timestamp() * 1e6) * 1000
