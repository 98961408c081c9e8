"""The live sensor: rings of one or more interfaces, one pipeline, and a store that rows go to every second."""

import collections
import hashlib
import itertools
import os
import time
from collections.abc import Callable
from typing import BinaryIO

import numpy as np

from sensor.budget import memory_bytes
from sensor.capture.pcapng import FileRing
from sensor.capture.ring import RETIRE_MS
from sensor.checkpoint import CheckpointError, load, save
from sensor.config import hash_key, state_folder
from sensor.core.reasons import REASON, named
from sensor.core.records import Batch
from sensor.drift import Drift
from sensor.figures import figures_of
from sensor.hygiene import hygiene
from sensor.ledgering import open_ledger
from sensor.live_store import LiveStore
from sensor.notifying import Notifiers
from sensor.outputs.lines import Lines, alert_line, rfc3339
from sensor.outputs.metrics import NEWEST, Figures, InterfaceFigures, MetricsServer, open_incidents
from sensor.pipeline import Pipeline
from sensor.service import INFO, NOTICE, WARNING, Manager
from sensor.settings import Config
from sensor.shedding import Shedding
from sensor.sinks import StoreSink
from sensor.store.errors import StoreError
from sensor.suppression import Suppression, suppression_of
from sensor.taps import Taps
from sensor.warmup import ready_kernels

KEY = ("host", "method", "endpoint")
POLL_MS = 50
LOOK_EVERY, FLUSH_EVERY, TELL_EVERY, KEEP_EVERY = 0.25, 1.0, 10.0, 60.0
"""Seconds: transactions go to the detectors; rows and alerts to the store; endpoints and counters, too; what was learned is
kept."""
BEHIND_NS = 2_000_000_000
"""How far the clock that ends idle connections stays behind the time: packets may still lie in a ring."""
TURNS_AT_THE_END = 32
"""Turns of all rings, at the most, for what lies in that of an interface which is gone."""
LAST_PACKETS, LAST_ROWS, LAST_MESSAGES = 5.0, 10.0, 5.0
"""Seconds at the end, at the most, for what is left in the rings, for the store, and for each receiver of alerts."""
R_SEEN, R_DROPPED, R_UNWRITTEN = REASON["kernel_frames"], REASON["kernel_dropped"], REASON["unwritten"]
R_LOST = REASON["store_dropped"]


class LinesSink:
    """Writes transactions as lines, as far as they can be written."""

    def __init__(self, lines: Lines, attempt: Callable[[Callable[[], None]], None]):
        self._lines, self._attempt = lines, attempt

    def transactions(self, batch: Batch, wire: dict[str, np.ndarray], encaps: list[str], capture: str) -> None:
        self._attempt(lambda: self._lines.transactions(batch, wire, encaps, capture))


class Live:
    """One run of `tapwatch live`. Raises CaptureError, FilterError, StoreError, ConfigError at the start, and nothing later.

    say: called with (level of sensor.service, one line).
    """

    def __init__(self, config: Config, *, transactions: BinaryIO | None, alerts: BinaryIO | None, reveal: bool, store: bool,
                 fresh: bool, say: Callable[[int, str], None]):  # fmt: skip
        self.config, self._say = config, say
        self._lines, self._alert_lines = transactions, alerts
        self.name = ",".join(config.live.interfaces)
        key, lasting = hash_key(config)
        if not lasting:
            say(WARNING, "The key file cannot be written: hashes of credentials will match those of no other run.")
        self._told_alerts: dict[str, int] = {}
        self._told_services: list[int] = []
        self._newest: dict[str, dict] = {}
        self._told_problem, self._told_changes, self._lines_failed, self._told_trouble = "", 0, False, ""
        self._before: collections.Counter[str] = collections.Counter()
        self._files = self._open_files()
        rings = config.live.fanout or config.workers
        Taps(config.live, rings, say).close()  # what is wrong with them is told before a minute of compiling
        ready_kernels(config, store, lambda text: say(NOTICE, text))
        self.taps = Taps(config.live, rings, say)
        self._evidence = open_ledger(config, lambda text: say(WARNING, text), patient=True)
        self._state_file = state_folder() / f"live-{self.name}.state" if store else None
        self.store = LiveStore(config, self.name, lambda text: say(WARNING, text)) if store else None
        sinks: list = [LinesSink(Lines(transactions, config.sensor, reveal), self._try_lines)] if transactions else []
        self._suppression = self._suppression_now()
        self.pipeline = Pipeline(config, key, [], lanes=rings)
        self._shedding = Shedding(self.pipeline)
        self._notifiers = Notifiers(config, lambda text: say(WARNING, text))
        self.source = self._take_up(fresh)
        self._drift = Drift(self.pipeline.schemas())
        self.writer = self.store.writer(self.source) if self.store else None
        sink = StoreSink(self.writer) if self.writer else None
        self.pipeline.use([*sinks, sink] if sink else sinks, sink.actors if sink else None)
        self._metrics = self._serve_metrics()
        self._manager = Manager()
        self._stopping = self._reload = False
        self._raised: collections.Counter[tuple[str, str]] = collections.Counter()

    def _open_files(self) -> FileRing | None:
        live = self.config.live
        if not live.write:
            return None
        return FileRing(live.write, memory_bytes(live.write_file), live.write_seconds, memory_bytes(live.write_total))

    def _serve_metrics(self) -> MetricsServer | None:
        listen = self.config.metrics.listen
        if not listen:
            return None
        try:
            return MetricsServer(listen)
        except OSError as error:
            self._say(WARNING, f"No metrics: {listen} cannot be listened on: {error.strerror or error} (metrics.listen).")
            return None

    def _take_up(self, fresh: bool) -> str:
        """Take up what an earlier run learned, and its name in the store; a new name where there is none."""
        run = f"{self.config.sensor} {os.uname().nodename} {self.name} {time.time_ns()}"
        source = hashlib.blake2b(run.encode(), digest_size=8).hexdigest()
        if self._state_file is None or fresh:
            return source
        try:
            meta = load(self._state_file, self.pipeline.learned())
        except CheckpointError as error:
            self._say(WARNING, str(error))
            meta = None
        if meta is None:
            return source
        self._told_alerts = dict(meta["alerts"])
        self._before = collections.Counter(meta["counters"])
        self._told_changes = self.pipeline.take_up_changes(meta["changes"])
        self._notifiers.take_up(meta.get("notified", {}))
        self._say(NOTICE, f"Taken up from {self._state_file}: what was learned until {meta['until']}.")
        return meta["source"]

    def _counters(self) -> dict[str, int]:
        """Since the beginning of what the store knows under this run's name: over restarts."""
        return dict(self._before + collections.Counter(named(self.pipeline.totals())))

    def _keep(self) -> None:
        """Keep what was learned."""
        if self._state_file is None:
            return
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        try:
            meta = {
                "source": self.source, "alerts": self._told_alerts, "until": until,
                "counters": self._counters(), "changes": self.pipeline.template_changes(),
                "notified": self._notifiers.told(),
            }  # fmt: skip
            save(self._state_file, self.pipeline.learned(), meta)
        except CheckpointError as error:
            self._say(WARNING, str(error))

    def stop(self, *_) -> None:
        """End soon: for a signal handler."""
        self._stopping = True

    def reload(self, *_) -> None:
        """Read the configuration again soon: for a signal handler."""
        self._reload = True

    def run(self, load: Callable[[], Config], count: int = 0, seconds: float = 0.0) -> None:
        """Capture until `stop`, or for so many packets or seconds. load: reads the configuration again."""
        begin = time.monotonic()
        looked = flushed = told = kept = begin
        self._manager.ready()
        self._say(NOTICE, f"Capturing on {self.name}.")
        while not self._stopping:
            busy = self._capture()
            now = time.monotonic()
            if now - looked >= LOOK_EVERY:
                looked = now
                self.pipeline.look(self.name)
            if now - flushed >= FLUSH_EVERY:
                flushed = now
                self._each_second()
            if now - told >= TELL_EVERY:
                told = now
                self.pipeline.age(time.time_ns() - BEHIND_NS)
                self._tell()
            if now - kept >= KEEP_EVERY:
                kept = now
                self._keep()
            if self._reload:
                self._reload = False
                self._read_again(load)
            self._manager.alive()
            if (count and self.taps.packets >= count) or (seconds and now - begin >= seconds):
                break
            if not busy:
                self.pipeline.settle()  # a block that is not given back would end the wait at once
                self.taps.wait(POLL_MS)

    def _capture(self) -> bool:
        """Take what the rings hold; whether that was anything."""
        busy = False
        for tap, chunk, number, give_back in self.taps.take():
            busy = True
            if self._files is not None:
                self.pipeline.counters[R_UNWRITTEN] += np.uint64(self._files.write(chunk.data, chunk.frames, tap.name))
            self.pipeline.take(chunk, self.name, give_back, tap.counters[number], number)
        self._shedding.adjust(max(tap.waiting for tap in self.taps.all))
        return busy

    def _each_second(self) -> None:
        self._count()
        self.taps.look_after(self._empty_rings)
        if self.store and self.store.has_new_marks():
            self._read_marks()
        self._tell_alerts()
        if self._metrics:
            self._metrics.figures = self._figures()
        if self._lines:
            self._try_lines(self._lines.flush)
        if self._files:
            self._files.flush()
            if self._files.problem != self._told_problem:
                self._told_problem = self._files.problem
                self._say(WARNING, self._told_problem or "Packets are written again.")
        if self.store and self.writer:
            self.pipeline.counters[R_LOST] = self.store.dropped
            self.writer.flush()

    def _suppression_now(self) -> Suppression:
        """The rules of the configuration, and what analysts marked in the store."""
        return suppression_of(self.config, self.store.opened if self.store else None)

    def _read_marks(self) -> None:
        """What analysts marked counts from here on."""
        try:
            self._suppression = self._suppression_now()
        except StoreError as error:
            self._say(WARNING, f"What was marked does not count yet: {error}")

    def _figures(self) -> Figures:
        taps = [
            InterfaceFigures(
                name=tap.name, up=not tap.trouble, packets=tap.packets, size=tap.size, dropped=tap.dropped,
                waiting=tap.waiting,
            )
            for tap in self.taps.all
        ]  # fmt: skip
        store, lost = (self.store.figures(), dict(self.store.lost)) if self.store else ({}, {})
        return figures_of(
            self.pipeline, sensor=self.config.sensor, interfaces=taps, alerts=dict(self._raised), store=store, store_lost=lost,
            incidents=open_incidents(self._newest.values(), time.time_ns()),
        )  # fmt: skip

    def _try_lines(self, write: Callable[[], None]) -> None:
        """Write lines; where the disk is full or the reader went away, say so once and go on."""
        try:
            write()
            self._lines_failed = False
        except (OSError, ValueError) as error:
            if not self._lines_failed:
                self._say(WARNING, f"Lines of transactions or alerts cannot be written: {error}.")
            self._lines_failed = True

    def _empty_rings(self) -> None:
        """Take what lies in the rings, and see to it that nobody reads them any more."""
        for _ in range(TURNS_AT_THE_END):
            if not self._capture():
                break
        self.pipeline.settle()

    def _count(self) -> None:
        """Take over what the operating system counts."""
        self.taps.count()
        self.pipeline.counters[R_SEEN] = sum(tap.passed for tap in self.taps.all)
        self.pipeline.counters[R_DROPPED] = sum(tap.dropped for tap in self.taps.all)

    def _tell_alerts(self) -> None:
        """Alerts that are new, or that grew."""
        rows = [alert.as_row() for alert in self.pipeline.alerts()]
        changed = [row for row in rows if self._told_alerts.get(row["alert_id"]) != row["transactions"]]
        fresh = self.pipeline.located(self._suppression.told(changed))
        if not fresh:
            return
        for row in fresh:
            if row["alert_id"] not in self._told_alerts:
                self._raised[row["detector"], row["severity"]] += 1
                self._say(WARNING, f"{row['severity'].upper()} {row['detector']} {row['alert_id']}: {row['explanation']}")
        self._told_alerts |= {row["alert_id"]: row["transactions"] for row in fresh}
        for row in fresh:
            self._newest.pop(row["alert_id"], None)
            self._newest[row["alert_id"]] = row
        while len(self._newest) > NEWEST:
            self._newest.pop(next(iter(self._newest)))
        if (lines := self._alert_lines) is not None:
            self._try_lines(lambda: lines.writelines(alert_line(row) for row in fresh))
            self._try_lines(lines.flush)
        self._notifiers.alerts(fresh, rfc3339)
        if self._evidence:
            self._evidence.alerts(fresh)
        if self.writer:
            self.writer.alerts(fresh)

    def _tell(self) -> None:
        """Endpoints that saw traffic, the counters, and one line for the service manager."""
        if (trouble := self.pipeline.trouble) != self._told_trouble:
            self._told_trouble = trouble
            self._say(WARNING, trouble)
        counters = named(self.pipeline.totals())
        schemas = self.pipeline.news_of_schemas()
        for line in self._drift.news(schemas):
            self._say(NOTICE, line)
        if self.writer or self._evidence:
            fresh, gone = self.pipeline.news_of_endpoints()
            changes = self.pipeline.template_changes(self._told_changes)
            self._told_changes += len(changes)
        if self._evidence:
            self._evidence.endpoints(fresh)
            self._evidence.changes(changes)
        if self.writer:
            # Of an endpoint that became part of another the store still has what was counted before.
            self.writer.endpoints([dict(zip(KEY, key, strict=True)) | {"transactions": 0} for key in gone])
            self.writer.endpoints(fresh)
            self.writer.parameters(self.pipeline.news_of_parameters())
            self.writer.schemas(schemas)
            self.writer.changes(changes)
            self.writer.encrypted(self._news_of_services())
            self.pipeline.tell_rest_of_actors(time.time_ns())
            by_interface = {tap.name: tap.counted() for tap in self.taps.all}
            counted = self._counters() | (self.store.counters() if self.store else {})
            stats = {"ts": time.time_ns(), "capture": self.name, "counters": counted, "interfaces": by_interface}
            self.writer.stats(stats)
            self.writer.flush()
        self._manager.status(
            f"{counters.get('frames', 0):,} packets, {counters.get('transactions', 0):,} transactions, "
            f"{len(self._told_alerts):,} alerts; lost: {counters.get('kernel_dropped', 0):,} packets, "
            f"{counters.get('store_dropped', 0):,} rows"
        )

    def _news_of_services(self) -> list[dict]:
        """TLS services that were asked since the last call."""
        rows = self.pipeline.encrypted_services()
        fresh = [row for row, told in itertools.zip_longest(rows, self._told_services) if row["connections"] != told]
        self._told_services = [row["connections"] for row in rows]
        return fresh

    def _read_again(self, load: Callable[[], Config]) -> None:
        """SIGHUP: thresholds and filter as the configuration says now. What cannot be used leaves everything as it was."""
        self._manager.reloading()
        before = self.config
        try:
            self.config = load()
            self.pipeline.set_thresholds(self.config.detectors)
            self._suppression = self._suppression_now()
            self.taps.filter_by(self.config.live)
        except Exception as error:
            self.config = before
            self.pipeline.set_thresholds(before.detectors)
            self._say(WARNING, f"The configuration stays as it was: {error}")
        else:
            self._say(INFO, "The configuration was read again: thresholds and filter are in force, all else at the next start.")
        self._manager.ready()

    def finish(self) -> dict:
        """Take what is left in the rings, tell everything, and close: the summary."""
        self._manager.stopping()
        self.taps.no_more()
        end = time.monotonic() + LAST_PACKETS
        while (self._capture() or self.taps.wait(2 * RETIRE_MS)) and time.monotonic() < end:
            self.pipeline.settle()
        self._count()
        self.pipeline.finish(self.name)
        self._tell_alerts()
        self._tell()
        self._keep()
        self.taps.close()
        if self.store:
            self.store.close(LAST_ROWS)
            self.pipeline.counters[R_LOST] = self.store.dropped
        if self._evidence:
            self._evidence.close()
        self._notifiers.close(LAST_MESSAGES)
        self.pipeline.close()
        if self._files:
            self._files.close()
        if self._metrics:
            self._metrics.close()
        counters = named(self.pipeline.totals())
        return {
            "interfaces": {tap.name: tap.summary() for tap in self.taps.all},
            "packets": counters.get("frames", 0),
            "transactions": counters.get("transactions", 0),
            "alerts": len(self._told_alerts),
            **self._notifiers.counted(),
            "counters": counters,
            "hygiene": [figure.as_dict() for figure in hygiene(counters)],
        }
