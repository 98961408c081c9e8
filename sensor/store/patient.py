"""The way to the store of a sensor that does not stop: rows wait in a bounded queue, and inserts are tried again.

While the store is away rows wait; once the queue is full new transactions are dropped and counted, and of news of endpoints and
alerts the oldest give way. A block is sent again under the same deduplication token, so that it is taken once.
"""

import collections
import dataclasses
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from sensor.core.records import Batch
from sensor.core.wide import SLACK
from sensor.store.errors import StoreAwayError, StoreError
from sensor.store.spool import Taker
from sensor.store.writer import TABLES, Writer

WAITING_ROWS = 200_000
"""Transactions that may wait."""
WAITING_TEXT = 96 << 20
"""Bytes of their text."""
WAITING_JOBS = 1_000
"""Of endpoints, alerts, counters and flushes that may wait."""
NO_BODIES = np.zeros(SLACK, np.uint8)
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
"""Seconds between tries, doubled from the first to the longest."""
GRACE = 5.0
"""Seconds beyond what `close` is given, for an insert that is on its way."""
TRIES = 6
"""Of a block that the store can be reached for, and refuses; then it is dropped and counted."""


class PatientWriter:
    """`Writer` for a live run. No method waits for the store, and none raises, but `close` waits for so long as it is told."""

    def __init__(self, store: Taker, sensor: str, source: str, say: Callable[[str], None]):
        self._writer = Writer(store, sensor, source, self)
        self._say = say
        self._jobs: collections.deque[tuple[Callable, tuple, int, int, float]] = collections.deque()
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._deadline: float | None = None
        self._pause, self._tries = FIRST_PAUSE, 0
        self._waiting_rows = self._waiting_text = 0
        self._oldest = 0.0
        self.trouble = ""
        """why the store does not take rows at the moment"""
        self.lost: collections.Counter[str] = collections.Counter()
        """rows that were given up, by table"""
        self._thread = threading.Thread(target=self._run, name="tapwatch-store", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Transactions that were given up."""
        return self.lost["transactions"]

    @property
    def waiting(self) -> int:
        """Transactions that wait."""
        return self._waiting_rows

    @property
    def lag(self) -> float:
        """Seconds that the oldest rows have waited."""
        with self._changed:
            begin = self._jobs[0][4] if self._jobs else self._oldest
        return time.monotonic() - begin if begin else 0.0

    @property
    def written(self) -> int:
        """Transactions that the store has."""
        return self._writer.written

    def transactions(self, batch: Batch, encaps: list[str], capture: str) -> None:
        """Copy a batch into the queue, or drop it where that is full."""
        rows, text = len(batch.rows), batch.used
        if self._waiting_rows + rows > WAITING_ROWS or self._waiting_text + text > WAITING_TEXT:
            self._drop(rows)
            return
        own = dataclasses.replace(batch, bodies=NO_BODIES, bodies_used=0).copy()  # the store has no use for samples
        self._add(self._writer.transactions, (own, list(encaps), capture), rows, text)

    def endpoints(self, rows: list[dict[str, Any]]) -> None:
        self._add(self._writer.endpoints, (rows,))

    def alerts(self, rows: list[dict[str, Any]]) -> None:
        self._add(self._writer.alerts, (rows,))

    def parameters(self, rows: list[dict[str, Any]]) -> None:
        self._add(self._writer.parameters, (rows,))

    def schemas(self, rows: list[dict[str, Any]]) -> None:
        self._add(self._writer.schemas, (rows,))

    def changes(self, rows: list[dict[str, Any]]) -> None:
        self._add(self._writer.changes, (rows,))

    def encrypted(self, rows: list[dict[str, Any]]) -> None:
        self._add(self._writer.encrypted, (rows,))

    def actors(self, rows: list[dict[str, Any]]) -> None:
        self._add(self._writer.actors, (rows,))

    def stats(self, row: dict[str, Any]) -> None:
        self._add(self._writer.stats, (row,))

    def flush(self) -> None:
        """What was handed over goes to the store, however little it is."""
        with self._changed:
            idle = not self._jobs and not self._oldest
            asked = bool(self._jobs) and self._jobs[-1][0] == self._writer.flush
        if not asked and (not idle or self._writer.gathered):
            self._add(self._writer.flush, ())

    def close(self, patience: float) -> None:
        """Hand over what is left, for so many seconds at the most; what then remains is counted as dropped."""
        self._deadline = time.monotonic() + patience
        self._closing.set()
        with self._changed:
            self._changed.notify()
        self._thread.join(patience + GRACE)
        if self._thread.is_alive():  # in the midst of an insert that does not return
            self._drop(self._waiting_rows + self._writer.gathered)

    def _drop(self, rows: int, table: str = "transactions") -> None:
        with self._changed:
            self.lost[table] += rows

    def _add(self, call: Callable, arguments: tuple, rows: int = 0, text: int = 0) -> None:
        with self._changed:
            if rows == 0 and len(self._jobs) >= WAITING_JOBS:
                self._forget_oldest()
            self._jobs.append((call, arguments, rows, text, time.monotonic()))
            self._waiting_rows += rows
            self._waiting_text += text
            self._changed.notify()

    def _forget_oldest(self) -> None:
        """Make room for news of endpoints, alerts and counters: what they replace is older, and the next ones say it again."""
        for k, (call, arguments, rows, _, _) in enumerate(self._jobs):
            if rows == 0:
                del self._jobs[k]
                self._count_lost(call, arguments)
                return

    def _count_lost(self, call: Callable, arguments: tuple) -> None:
        """Rows of what is no transactions were given up."""
        if call.__name__ in TABLES and arguments:
            rows = arguments[0]
            self.lost[TABLES[call.__name__]] += len(rows) if isinstance(rows, list) else 1

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._jobs and not self._closing.is_set():
                    self._changed.wait()
                if not self._jobs:
                    break
                call, arguments, rows, text, self._oldest = self._jobs.popleft()
            self._try(call, arguments)
            with self._changed:
                self._waiting_rows -= rows
                self._waiting_text -= text
                self._oldest = 0.0
        self._try(self._writer.close, ())

    def _try(self, call: Callable, arguments: tuple) -> None:
        try:
            call(*arguments)
        except StoreError as error:
            self._drop(error.rows)
            self._count_lost(call, arguments)
            self._say(f"{error} {error.rows} transactions were given up.")
        except Exception as error:  # no memory, no thread: the sensor goes on, and says so
            self._say(f"Rows were given up for want of resources: {type(error).__name__} {error}.")

    def failed(self, error: StoreError) -> bool:
        """A block was not taken: waits, and says whether it is sent again."""
        if not self.trouble:
            self._say(f"{error} Rows wait for it.")
        self.trouble = str(error)
        if not isinstance(error, StoreAwayError):
            self._tries += 1
        late = self._deadline is not None and time.monotonic() + FIRST_PAUSE > self._deadline
        if late or self._tries >= TRIES:
            self._pause, self._tries = FIRST_PAUSE, 0
            return False
        if self._closing.wait(self._pause):
            time.sleep(FIRST_PAUSE)  # `close` set a deadline: no longer pauses from here on
        else:
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
        return True

    def worked(self) -> None:
        """A block was taken."""
        if self.trouble:
            self._say("The store takes rows again.")
        self.trouble, self._pause, self._tries = "", FIRST_PAUSE, 0
