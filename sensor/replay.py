"""A replay: captures, one pipeline, and the places where the results go."""

import dataclasses
from collections.abc import Callable
from typing import BinaryIO

import msgspec
import numpy as np

from sensor.capture.files import CaptureError, CaptureFile, fingerprint
from sensor.capture.filter import Filter
from sensor.config import hash_key
from sensor.core.reasons import REASON, REASONS, named
from sensor.hygiene import hygiene
from sensor.ledgering import open_ledger
from sensor.outputs.lines import Lines, alert_line
from sensor.pipeline import Pipeline
from sensor.replay_metrics import ReplayMetrics
from sensor.settings import Config
from sensor.sinks import StoreSink
from sensor.suppression import suppression_of
from sensor.warmup import ready_kernels


@dataclasses.dataclass(slots=True)
class Totals:
    """What several captures replayed on their own come to."""

    endpoints: int = 0
    alerts: list[dict] = dataclasses.field(default_factory=list)
    suppressed: int = 0
    problems: list[str] = dataclasses.field(default_factory=list)
    captures: int = 0


class Replay:
    """One call of `tapwatch replay`. Raises StoreError, ConfigError, FilterError; captures that fail are told as problems."""

    def __init__(self, config: Config, *, expression: str | None, transactions: BinaryIO | None, alerts: BinaryIO | None,
                 reveal: bool, store: bool, say: Callable[[str], None], metrics: str | None = None):  # fmt: skip
        self._config, self._say = config, say
        self._alerts = alerts
        key, lasting = hash_key(config)
        if not lasting:
            say("The key file cannot be written: hashes of credentials will match those of no other run (set TAPWATCH_KEY).")
        filter_ = Filter(expression) if expression else None
        self._evidence = open_ledger(config, say)
        self._store = self._open_store() if store else None
        self._sinks: list = [Lines(transactions, config.sensor, reveal)] if transactions else []
        ready_kernels(config, store, say)
        self._pipeline = Pipeline(config, key, self._sinks, filter_)
        self._metrics = ReplayMetrics(metrics, config.sensor, self._pipeline) if metrics else None
        self._totals = Totals()
        self._counted = np.zeros(len(REASONS), np.uint64)
        """by reason, of the captures that are told"""
        self._suppression = suppression_of(config, self._store)
        self.seconds = self._pipeline.seconds

    def _open_store(self):
        from sensor.store.keeping import keep_as_said
        from sensor.store.open import open_store

        store = open_store(self._config.store)
        keep_as_said(store, msgspec.structs.asdict(self._config.retention), self._say)
        return store

    def run(self, paths: list[str], *, each: bool, count: int, progress) -> None:
        """Replay the captures: as one stretch of traffic, or each on its own."""
        for group in ([path] for path in paths) if each else (paths,):
            self._run_group(group, count, progress)

    def _run_group(self, paths: list[str], count: int, progress) -> None:
        writer = self._writer(paths)
        sink = StoreSink(writer) if writer else None
        self._pipeline.use([*self._sinks, sink] if sink else self._sinks, sink.actors if sink else None)
        name, note = "", self._metrics.around(progress) if self._metrics else progress
        for path in paths:
            try:
                capture = CaptureFile(path)
            except CaptureError as error:
                self._problem(str(error))
                continue
            name = capture.name
            try:
                self._pipeline.run(capture, note, count)
            finally:
                capture.close()
            self._totals.captures += 1
            if capture.problem:
                self._problem(f"{name}: {capture.problem}; everything before that was taken.")
        self._pipeline.finish(name)
        self._tell(writer, name)
        self._pipeline.reset()

    def _writer(self, paths: list[str]):
        if self._store is None:
            return None
        from sensor.store.writer import Writer

        try:
            source = fingerprint(paths)
        except CaptureError:
            source = "0" * 16  # some capture cannot be read, which is told when its turn comes
        return Writer(self._store, self._config.sensor, source)

    def _tell(self, writer, name: str) -> None:
        """Endpoints and alerts of the traffic that ends here."""
        endpoints = self._pipeline.endpoints()
        found = [alert.as_row() for alert in self._pipeline.alerts()]
        alerts = self._pipeline.located(self._suppression.told(found))
        self._totals.suppressed += len(found) - len(alerts)
        self._totals.endpoints += len(endpoints)
        self._totals.alerts += alerts
        if self._alerts:
            self._alerts.writelines(alert_line(row) for row in alerts)
        changes = self._pipeline.template_changes()
        if self._evidence:
            self._evidence.endpoints(endpoints)
            self._evidence.changes(changes)
            self._evidence.alerts(alerts)
        if writer:
            self._pipeline.tell_rest_of_actors()
            writer.flush()
            writer.endpoints(endpoints)
            writer.parameters(self._pipeline.parameters())
            writer.schemas(self._pipeline.schemas())
            writer.changes(changes)
            writer.encrypted(self._pipeline.encrypted_services())
            writer.alerts(alerts)
            last = max((row["last_seen"] for row in endpoints), default=0)
            counted = self._pipeline.totals()
            writer.stats({"ts": last, "capture": name, "counters": named(counted - self._counted)})
            self._counted = counted
            writer.close()

    def _problem(self, text: str) -> None:
        self._totals.problems.append(text)
        self._say(f"tapwatch: {text}")

    def summary(self, elapsed: float) -> dict:
        """What was found, and what was lost."""
        counters = self._pipeline.totals()
        packets, size = int(counters[REASON["frames"]]), int(counters[REASON["frame_bytes"]])
        return {
            "captures": self._totals.captures,
            "packets": packets,
            "bytes": size,
            "tcp_packets": int(counters[REASON["tcp"]]),
            "connections": int(counters[REASON["connections"]]),
            "transactions": int(counters[REASON["transactions"]]),
            "endpoints": self._totals.endpoints,
            "alerts": len(self._totals.alerts),
            "raised": self._totals.alerts,
            "suppressed": self._totals.suppressed,
            "counters": named(counters),
            "hygiene": [figure.as_dict() for figure in hygiene(named(counters))],
            "problems": self._totals.problems,
            "elapsed_s": round(elapsed, 3),
            "packets_per_s": round(packets / elapsed) if elapsed else 0,
            "mbit_per_s": round(size * 8 / elapsed / 1e6, 1) if elapsed else 0,
            "stage_seconds": {name: round(value, 4) for name, value in self.seconds.items()},
        }

    def close(self) -> None:
        if self._metrics:
            self._metrics.close()
        self._pipeline.close()
        if self._evidence:
            self._evidence.close()
        if self._store is not None:
            self._store.close()
