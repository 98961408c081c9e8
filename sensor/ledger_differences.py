"""Whether a store still says what the ledger of evidence says: alerts, endpoints, and what was learned of paths."""

from collections.abc import Iterable
from typing import Any, BinaryIO

import msgspec

from sensor.core.severities import SEVERITIES
from sensor.outputs.ledger import blocks

LASTING = ("detector", "owasp", "host", "method", "endpoint")
"""Of an alert: what stays as it was while it grows."""
TOLD = (
    *LASTING, "severity", "confidence", "actor", "actors", "sources", "explanation", "statistic", "threshold", "first_seen",
    "last_seen", "raised_at", "evidence", "countries", "networks",
)  # fmt: skip
"""Of an alert: what must be the same in the store where as many transactions are told."""
Row = dict[str, Any]


def differences(
    file: BinaryIO, alerts: Iterable[Row], endpoints: Iterable[Row] | None = None, changes: Iterable[Row] = ()
) -> list[str]:
    """What a store says differently from a verified ledger, as sentences. Rows of the views `alerts` and `endpoints`, and of
    `template_changes`; of sensors that the ledger does not know nothing is said."""
    told: dict[str, list[Row]] = {"alert": [], "endpoint": [], "template": []}
    sensors = set()
    for lines, _, _ in blocks(file):
        for line in lines:
            row = msgspec.json.decode(line)
            if isinstance(row, dict) and row.get("kind") in told:
                told[row["kind"]].append(row)
                sensors.add(row["sensor"])
    found = _alerts(told["alert"], [row for row in alerts if row["sensor"] in sensors])
    found += _changes(told["template"], [row for row in changes if row["sensor"] in sensors])
    return found if endpoints is None else found + _endpoints(told["endpoint"], list(endpoints), told["template"])


def _alerts(told: list[Row], rows: list[Row]) -> list[str]:
    ledgered, stored = ({row["alert_id"]: row for row in some} for some in (told, rows))
    found = [f"Alert {one} is in the ledger and not in the store." for one in ledgered if one not in stored]
    found += [f"Alert {one} is in the store and not in the ledger." for one in stored if one not in ledgered]
    for one, row in ledgered.items():
        if one in stored:
            found += _changed(one, row, stored[one])
    return found


def _endpoints(told: list[Row], rows: list[Row], changes: list[Row]) -> list[str]:
    """An endpoint that became a part of another, by what was learned of its path, is not missed."""
    first = {(row["host"], row["method"], row["endpoint"]): row["first_seen"] for row in rows}
    found = []
    for row in told:
        name = f"{row['method']} {row['host']}{row['endpoint']}"
        seen = first.get((row["host"], row["method"], row["endpoint"]))
        if seen is None:
            learned = (one for one in changes if one["host"] == row["host"])
            if not any(row["endpoint"].startswith(f"{one['prefix'].rstrip('/')}/") for one in learned):
                found.append(f"Endpoint {name} is in the ledger and not in the store.")
        elif seen > row["first_seen"]:
            found.append(f"Endpoint {name} was first seen later by the store than by the ledger.")
    return found


def _changes(told: list[Row], rows: list[Row]) -> list[str]:
    """What was learned of paths, row by row."""

    def what(row: Row) -> tuple:
        return row["ts"], row["host"], row["prefix"], tuple(row["names"]), row["endpoints"], row["reason"]

    ledgered, stored = ({what(row) for row in some} for some in (told, rows))
    found = []
    for only, where in (
        (ledgered - stored, "in the ledger and not in the store"),
        (stored - ledgered, "in the store and not in the ledger"),
    ):
        found += [f"What was learned of {host}{prefix} at {ts} is {where}." for ts, host, prefix, *_ in only]
    return sorted(found)


def _changed(one: str, row: Row, stored: Row) -> list[str]:
    if stored["transactions"] < row["transactions"]:
        return [f"Alert {one} has fewer transactions in the store than in the ledger."]
    names: tuple[str, ...]
    if stored["transactions"] == row["transactions"]:
        names = TOLD
    else:
        names = (*LASTING, "raised_at")
        if SEVERITIES.index(stored["severity"]) < SEVERITIES.index(row["severity"]):
            return [f"Alert {one} is less severe in the store than in the ledger."]
        if not set(row["sources"]) <= set(stored["sources"]) and len(stored["sources"]) < len(row["sources"]):
            return [f"Alert {one} names fewer sources in the store than in the ledger."]
    return [
        f"Alert {one} has another {name} in the store than in the ledger."
        for name in names
        if name in row and stored[name] != row[name]
    ]
