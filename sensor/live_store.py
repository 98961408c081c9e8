"""The store of a live run: rows go to it or wait on disk, analysts ask it while it is held, and their marks count at once."""

import collections
import hashlib
import threading
from collections.abc import Callable

import msgspec

from sensor.budget import memory_bytes
from sensor.config import state_folder
from sensor.settings import Config
from sensor.store.keeping import keep_as_said
from sensor.store.open import Store, open_store
from sensor.store.patient import PatientWriter
from sensor.store.spool import Spool

ANSWERED_WITHIN = 10
"""Seconds after which a server that says nothing is away: rows do not wait for one that hangs."""


class LiveStore:
    """Raises StoreError at the start, and nothing later. name: of the run; say: called with one line."""

    def __init__(self, config: Config, name: str, say: Callable[[str], None]):
        self._config, self._say = config, say
        self._marked = threading.Event()
        self._writer: PatientWriter | None = None
        self.opened: Store = open_store(config.store, timeout=ANSWERED_WITHIN)
        keep_as_said(self.opened, msgspec.structs.asdict(config.retention), say)
        limit = memory_bytes(config.live.spool)
        wanted = limit > 0 and not self.opened.embedded  # where the disk is full an embedded store and a spool both are
        own = hashlib.blake2b(self.opened.name.encode(), digest_size=4).hexdigest()  # what waits is for this store alone
        self._spool = Spool(self.opened, state_folder() / f"spool-{name}-{own}", limit, say) if wanted else None
        self._answers = None
        if self.opened.embedded:
            try:
                self._answers = self.opened.answer(self._note_insert)
            except OSError as error:
                say(f"The store cannot be asked while this runs: no socket in its directory: {error.strerror or error}.")

    def _note_insert(self, _table: str) -> None:
        """An analyst wrote something: called on another thread."""
        self._marked.set()

    def has_new_marks(self) -> bool:
        """Whether an analyst marked an alert, or weighed a risk, since the last call."""
        if not self._marked.is_set():
            return False
        self._marked.clear()
        return True

    def writer(self, source: str) -> PatientWriter:
        """The one writer of this run, under its name in the store."""
        self._writer = PatientWriter(self._spool or self.opened, self._config.sensor, source, self._say)
        return self._writer

    @property
    def dropped(self) -> int:
        """Transactions that were given up."""
        return self.lost["transactions"]

    @property
    def lost(self) -> collections.Counter[str]:
        """Rows that were given up, in memory or on disk, by table."""
        found: collections.Counter[str] = collections.Counter()
        for place in (self._writer, self._spool):
            found += place.lost if place else collections.Counter()
        return found

    def figures(self) -> dict[str, float]:
        """How rows fare, for metrics."""
        if self._writer is None:
            return {}
        on_disk, age = (self._spool.rows, self._spool.age) if self._spool else (0, 0.0)
        return {
            "lag_seconds": max(self._writer.lag, age),
            "waiting_rows": self._writer.waiting + on_disk,
            "written_rows": max(0, self._writer.written - on_disk),
            "spool_bytes": self._spool.size if self._spool else 0,
        }

    def counters(self) -> dict[str, int]:
        """The same for `sensor_stats`."""
        figures, lost = self.figures(), self.lost
        return {
            "store_lag_ms": round(1000 * figures.get("lag_seconds", 0.0)),
            "store_waiting": int(figures.get("waiting_rows", 0)),
            "store_spool_bytes": int(figures.get("spool_bytes", 0)),
            "store_dropped_other": lost.total() - lost["transactions"],
        }

    def close(self, patience: float) -> None:
        """Hand over what is left, for so many seconds at the most; what waits on disk stays there for the next run."""
        if self._spool is not None and self._spool.age > 0:  # away, or behind: nobody waits for it at the end
            self._spool.only_keep()
        if self._writer is not None:
            self._writer.close(patience)
        if self._answers is not None:
            self._answers.close()
        self.opened.close()
