"""What a detector is, and how the sensor finds and runs them.

A detector is a subclass of Detector in a module of this package: it is found by listing the package. Its numeric
class attributes are its settings. `update` is given merged batches in packet order; `alerts` describes every incident
raised so far. State lives in arrays of fixed size; time is the packets'; results do not depend on batch size.
"""

import abc
import dataclasses
import hashlib
import importlib
import inspect
import json
import math
import pkgutil

import numpy as np

from sensor.core.bundle import Bundle
from sensor.core.records import Batch
from sensor.core.severities import SEVERITIES
from sensor.inventory.endpoints import Endpoints, endpoint_text

MINUTE = 60 * 1_000_000_000
MAX_SOURCES = 10_000
MAX_EVIDENCE = 20
MAX_TOLD = 4_096
"""Incidents whose names are remembered: more than a detector keeps."""


@dataclasses.dataclass(slots=True)
class View:
    """A batch as detectors see it."""

    batch: Batch
    values: np.ndarray
    """VALUE[n]: parameters of the batch's requests, in row order"""
    endpoints: Endpoints


@dataclasses.dataclass(slots=True)
class Alert:
    """One incident. Times are ns since the epoch."""

    detector: str
    owasp: str
    severity: str
    confidence: float
    first_seen: int
    last_seen: int
    raised_at: int
    host: str
    method: str
    endpoint: str
    actor: str
    actors: int
    sources: list[str]
    transactions: int
    statistic: dict
    threshold: float
    explanation: str
    evidence: list[str]
    identity: str = ""
    """who and since when, where members may join that were there before"""

    @property
    def alert_id(self) -> str:
        """Stable over replays: what, where, who and since when."""
        who = self.identity or f"{self.actor}\0{self.first_seen}"
        key = "\0".join((self.detector, self.host, self.method, self.endpoint, who))
        return hashlib.blake2b(key.encode(), digest_size=8).hexdigest()

    def as_row(self) -> dict:
        row = {"alert_id": self.alert_id, **dataclasses.asdict(self)}
        del row["identity"]
        return row


class Detector(abc.ABC):
    """Base of all detectors."""

    name: str
    owasp: str
    severity: str

    def __init__(self, **settings: float):
        self._told: dict[tuple[int, int], tuple[str, str, str]] = {}
        for key, value in settings.items():
            if key not in self.settings():
                known = ", ".join(sorted(self.settings()))
                raise ValueError(f"detector {self.name} has no setting {key!r}; it has: {known}")
            setattr(self, key, type(getattr(self, key))(value))

    @classmethod
    def settings(cls) -> dict[str, float]:
        """Names and defaults of what can be set."""
        return {
            key: getattr(cls, key)
            for key in dir(cls)
            if not key.startswith("_")
            and isinstance(getattr(cls, key), (int, float))
            and not isinstance(getattr(cls, key), bool)
        }

    def place_of(self, identity: tuple[int, int], place: int, endpoints: Endpoints) -> tuple[str, str, str]:
        """(host, method, template) of an incident's endpoint, as it was when somebody first asked. identity: (key, since when)

        An incident that was told keeps its name, and so its id, when its endpoint becomes a part of another.
        """
        if identity not in self._told:
            if len(self._told) >= MAX_TOLD:
                self._told.pop(next(iter(self._told)))
            self._told[identity] = place_text(endpoints, place)
        return self._told[identity]

    def state(self) -> dict[str, np.ndarray]:
        """Everything that it remembers: every array and bundle among its attributes, by name."""
        found: dict[str, np.ndarray] = {}
        for name, value in sorted(vars(self).items()):
            if isinstance(value, Bundle):
                found |= {f"{name}.{inner}": array for inner, array in value.arrays().items()}
            elif isinstance(value, np.ndarray):
                found[name] = value
        return found

    @abc.abstractmethod
    def update(self, view: View) -> None:
        """Take the next batch."""

    @abc.abstractmethod
    def alerts(self, endpoints: Endpoints) -> list[Alert]:
        """All incidents so far, in the order in which they were raised."""


def find_detectors() -> dict[str, type[Detector]]:
    """Every detector of this package by name."""
    found = {}
    for module in pkgutil.iter_modules(__path_of_package()):
        for _, item in inspect.getmembers(importlib.import_module(f"detectors.{module.name}"), inspect.isclass):
            if issubclass(item, Detector) and not inspect.isabstract(item):
                found[item.name] = item
    return dict(sorted(found.items()))


def __path_of_package():
    return importlib.import_module("detectors").__path__


def place_text(endpoints: Endpoints, place: int) -> tuple[str, str, str]:
    """(host, method, template) of an endpoint."""
    return endpoint_text(endpoints, place)


def severity_above(severity: str) -> str:
    """The next higher severity."""
    return SEVERITIES[min(SEVERITIES.index(severity) + 1, len(SEVERITIES) - 1)]


def duration_text(ns: int) -> str:
    """A length of time for a sentence."""
    seconds = ns / 1e9
    if seconds < 1:
        return f"{max(1, round(seconds * 1000))} ms"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def who_of(sources: list[str]) -> str:
    """How a sentence calls the addresses of an incident."""
    return f"ip:{sources[0]}" if len(sources) == 1 else f"{len(sources):,} addresses"


def printable(raw: bytes) -> str:
    """Bytes of the wire for a sentence: control characters and invalid UTF-8 are escaped."""
    text = raw.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def evidence_key(ts: int, source: str, port: int, method: str, status: int) -> str:
    """What tells a transaction to an analyst, as JSON. status: 0 for none."""
    return json.dumps({"ts": ts, "client_ip": source, "client_port": port, "method": method, "status": status or None})


def confidence_from(excess: float) -> float:
    """Confidence from how far a statistic in nats lies above its threshold: 0.5 at the threshold, never 1."""
    return round(min(0.99, 1 - 0.5 * math.exp(-max(0.0, excess) / 10)), 3)
