"""What goes into the ledger of evidence."""

import pathlib
import time
from collections.abc import Callable, Iterable
from typing import Any

from sensor.config import state_folder
from sensor.outputs.anchors import Anchors
from sensor.outputs.ledger import Ledger, LedgerError, load_key
from sensor.outputs.lines import rfc3339
from sensor.settings import Config

WAITING = 256
"""Alerts that may wait to be written again; beyond that those go first that were quiet for longest."""
GROWN = 2
"""An alert that goes on is written again once it has so many times the transactions that it had."""
TIMES = ("first_seen", "last_seen", "raised_at", "ts")

Row = dict[str, Any]


def ledger_key(config: Config) -> pathlib.Path:
    """Where the signing key lies."""
    return pathlib.Path(config.ledger.key_file) if config.ledger.key_file else state_folder() / "ledger.key"


def known_anchors() -> Anchors:
    """How the ledgers of this machine ended."""
    return Anchors(state_folder() / "ledger-anchors.json")


def open_ledger(config: Config, say: Callable[[str], None], patient: bool = False) -> "Evidence | None":
    """The ledger of the configuration, None where none is wanted. Raises LedgerError, OSError.

    patient: rows that cannot be written later on, as on a full disk, are told and given up.
    """
    if not config.ledger.file:
        return None
    ledger = Ledger(pathlib.Path(config.ledger.file), load_key(ledger_key(config)), known_anchors())
    if ledger.torn:
        say(f"{ledger.torn:,} bytes behind the last seal of {config.ledger.file} were put aside in {config.ledger.file}.torn.")
    return Evidence(ledger, config.sensor, say if patient else None)


class Evidence:
    """Chooses what is written to a ledger, so that its length follows what happens and not how long it takes."""

    def __init__(self, ledger: Ledger, sensor: str, say: Callable[[str], None] | None):
        self._ledger, self._sensor, self._say = ledger, sensor, say
        self._told: dict[str, int] = {}
        self._waiting: dict[str, Row] = {}
        self._failed = False

    def alerts(self, rows: Iterable[Row]) -> None:
        """Alerts that are new or have grown; `close` writes how the others ended."""
        for row in rows:
            self._waiting.pop(row["alert_id"], None)
            self._waiting[row["alert_id"]] = row
        grown = [one for one, row in self._waiting.items() if row["transactions"] >= GROWN * self._told.get(one, 0)]
        self._tell(grown)
        if len(self._waiting) > WAITING:
            self._tell(list(self._waiting)[: len(self._waiting) - WAITING])

    def _tell(self, chosen: list[str]) -> None:
        rows = [self._waiting[one] for one in chosen]
        if self._append("alert", rows):
            for row in rows:
                self._told[row["alert_id"]] = row["transactions"]
                self._waiting.pop(row["alert_id"])

    def endpoints(self, rows: Iterable[Row]) -> None:
        """Endpoints, each once: what is known of them is what they are and when they were first seen."""
        self._append("endpoint", [{name: row[name] for name in ("host", "method", "endpoint", "first_seen")} for row in rows])

    def changes(self, rows: list[Row]) -> None:
        """What was learned of paths."""
        self._append("template", rows)

    def _append(self, kind: str, rows: list[Row]) -> bool:
        """Whether they are in the ledger."""
        made = [
            {"kind": kind, "sensor": self._sensor} | row | {name: rfc3339(row[name]) for name in TIMES if name in row}
            for row in rows
        ]
        try:
            self._ledger.append(made, rfc3339(time.time_ns()))
            self._failed = False
        except (OSError, LedgerError, TypeError, UnicodeError) as error:
            if self._say is None:
                raise
            if not self._failed:
                self._failed = True
                self._say(f"The ledger cannot be written, and has a hole until it can: {error}.")
        return not self._failed

    def close(self) -> None:
        """Write what waits, and close the file."""
        self._tell(list(self._waiting))
        self._ledger.close()
