"""What a report tells."""

import dataclasses
from typing import Any

Row = dict[str, Any]


@dataclasses.dataclass
class Incident:
    """An alert, and what its plots show."""

    alert: Row
    values: list[tuple[float, float]] = dataclasses.field(default_factory=list)
    """(seconds since its beginning, number that was asked for), in the order of time"""
    expected: float | None = None
    outcomes: list[tuple[float, int, int]] = dataclasses.field(default_factory=list)
    """(seconds since its beginning, its transactions that were served, that were refused) by stretch of time"""
    sources: list[tuple[float, int]] = dataclasses.field(default_factory=list)
    """(seconds since its beginning, its addresses that were active) by stretch of time"""
    tries: bool = False
    """whether what it tries mostly fails, as a guess does: what succeeded is the harm"""


@dataclasses.dataclass
class Report:
    """Everything that the page tells."""

    first: str
    last: str
    transactions: int
    hosts: int
    clients: int
    endpoints: list[Row]
    findings: list[Row]
    alerts: list[Row]
    incidents: list[Incident]
    blind: list[Row]
    """figures of hygiene"""
    incomplete: dict[str, int]
    """transactions by what was not seen of them"""
    intents: dict[str, int]
    """actors by who seems to be behind them"""
    automation: list[Row]
    """those that behave as bad automation does, the busiest first: actor, bad_automation, transactions, endpoints, reasons"""
    services: list[Row]
    traffic: list[Row]
    """by stretch of time: at (seconds since the first), c2 to c5, none, p50, p95 (µs)"""
    sensors: list[str]
    encrypted: Row | None = None
    """that of `blind` which tells how many connections were encrypted"""
