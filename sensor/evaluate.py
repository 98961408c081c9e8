"""What the detectors make of labelled captures: what they found, how soon, who they named, and what they cried for nothing."""

import dataclasses
import datetime
import json
import pathlib
from collections.abc import Iterator
from typing import Any

from detectors.base import Alert
from sensor.capture.files import CaptureFile
from sensor.core.addresses import address_text
from sensor.pipeline import Pipeline
from sensor.settings import Config
from sensor.simulate.attacks import ATTACKS
from sensor.simulate.scenarios import Scenario, write_scenario


@dataclasses.dataclass
class Outcome:
    """One scenario, held against its labels."""

    scenario: str
    sources: int
    """addresses that attack"""
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


class LabelsError(Exception):
    """Labels that cannot be read; the text is a sentence for the user."""


ROUND = (
    Scenario("ordinary", hours=24.0, people=100),
    *(
        Scenario(name, requests=requests, sources=sources, rate=rate, people=attack.people)
        for name, attack in ATTACKS.items()
        for requests, sources, rate in ((1_000, 1, 2.0), (2_000, 100, 2.0))
        if sources in attack.sources
    ),
    Scenario("grid", hours=2.0, requests=20_000, sources=1_000, rate=10.0),
    Scenario("stuffing", hours=2.0, requests=10_000, sources=1_000, rate=5.0),
    Scenario("sweep", hours=3.0, requests=5_000, sources=100, rate=2.0, ramp=True),
    Scenario("stuffing", hours=3.0, requests=5_000, sources=500, rate=2.0, ramp=True),
    Scenario("sweep", requests=2_000, sources=100, loss=0.01, reorder=0.01),
)
"""What is evaluated by default: a day of a shop; every attack from one address and from many; thin, slow and lossy ones."""


def evaluate_round(folder: pathlib.Path, seed: int, config: Config) -> Iterator[Outcome]:
    """Make each scenario of the round in the folder, and judge it."""
    for scenario in ROUND:
        path = folder / "scenario.pcap"
        labels = write_scenario(dataclasses.replace(scenario, seed=seed), path, None)
        yield judged(labels, *replayed(path, config))


def evaluate_file(path: pathlib.Path, config: Config) -> Outcome:
    """Judge a capture that has its labels beside it. Raises LabelsError."""
    beside = path.with_suffix(".labels.json")
    try:
        labels = json.loads(beside.read_text("utf-8"))
        incidents = labels["incidents"]
        if not all(isinstance(one["sources"], list) and one["requests"] and one["detector"] for one in incidents):
            raise KeyError
    except OSError as error:
        raise LabelsError(f"The labels {beside} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError):
        raise LabelsError(f"{beside} holds no labels as `tapwatch simulate` writes them.") from None
    return judged(labels, *replayed(path, config))


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
        scenario=labels["scenario"],
        sources=len({source for one in labels["incidents"] for source in one["sources"]}),
        hours=labels["hours"],
        transactions=labels["transactions"],
        incidents=len(labels["incidents"]),
        found=found,
        alerts=told,
        false_alerts=len([alert for alert in alerts if alert.alert_id not in true_alerts]),
        delay=delay,
        sources_named=round(named, 4),
        others_named=round(others, 4),
    )


def _nanoseconds(text: str) -> int:
    return int(datetime.datetime.fromisoformat(text).timestamp() * 1e6) * 1000
