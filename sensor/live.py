"""The live sensor: rings of one or more interfaces, one pipeline, and a store that rows go to every second."""

import collections
import dataclasses
import hashlib
import os
import select
import time
from collections.abc import Callable
from typing import BinaryIO

import numpy as np

from sensor import __version__
from sensor.budget import memory_bytes
from sensor.capture.files import CaptureError
from sensor.capture.pcapng import FileRing
from sensor.capture.ring import NO_MORE, RETIRE_MS, Ring
from sensor.checkpoint import CheckpointError, load, save
from sensor.config import Config, hash_key, state_folder
from sensor.core.reasons import REASON, named
from sensor.core.records import Batch
from sensor.outputs.lines import Lines, alert_line
from sensor.outputs.metrics import Figures, InterfaceFigures, MetricsServer
from sensor.pipeline import Pipeline
from sensor.service import INFO, NOTICE, WARNING, Manager
from sensor.shedding import Shedding
from sensor.warmup import ready_kernels

POLL_MS = 50
LOOK_EVERY, FLUSH_EVERY, TELL_EVERY, KEEP_EVERY = 0.25, 1.0, 10.0, 60.0
"""Seconds: transactions go to the detectors; rows and alerts to the store; endpoints and counters, too; what was learned is
kept."""
BLOCKS_IN_TURN = 64
"""Blocks of one interface before the others and the clock have their turn."""
BEHIND_NS = 2_000_000_000
"""How far the clock that ends idle connections stays behind the time: packets may still lie in a ring."""
LAST_PACKETS, LAST_ROWS = 5.0, 10.0
"""Seconds at the end, at the most, for what is left in the rings, and for the store."""
R_SEEN, R_DROPPED, R_UNWRITTEN = REASON["kernel_frames"], REASON["kernel_dropped"], REASON["unwritten"]
R_LOST = REASON["store_dropped"]


@dataclasses.dataclass(slots=True)
class Tap:
    """One interface, whether it is there or not."""

    name: str
    ring: Ring | None = None
    trouble: str = ""
    """`down`, `gone` or nothing"""
    packets: int = 0
    size: int = 0
    """bytes on the wire"""
    dropped: int = 0
    """frames that found no room in the ring"""


class StoreSink:
    """Hands transactions to the store's queue."""

    def __init__(self, writer):
        self._writer = writer

    def transactions(self, batch: Batch, wire: dict[str, np.ndarray], encaps: list[str], capture: str) -> None:
        self._writer.transactions(batch, encaps, capture)


class Live:
    """One run of `tapwatch live`. Raises CaptureError, FilterError, StoreError, ConfigError at the start, and nothing later.

    say: called with (level of sensor.service, one line).
    """

    def __init__(self, config: Config, *, transactions: BinaryIO | None, alerts: BinaryIO | None, reveal: bool, store: bool,
                 fresh: bool, say: Callable[[int, str], None]):  # fmt: skip
        self.config, self._say = config, say
        self._lines, self._alert_lines = transactions, alerts
        self.taps = [Tap(name) for name in config.live.interfaces]
        self.name = ",".join(tap.name for tap in self.taps)
        key, lasting = hash_key(config)
        if not lasting:
            say(WARNING, "The key file cannot be written: hashes of credentials will match those of no other run.")
        self._told_alerts: dict[str, int] = {}
        self._told_problem = ""
        self._files = self._open_files()
        self._poller = select.poll()
        for tap in self.taps:
            self._open(tap)
        self.store = self._open_store() if store else None
        ready_kernels(config, store, lambda text: say(NOTICE, text))
        sinks: list = [Lines(transactions, config.sensor, reveal)] if transactions else []
        self.pipeline = Pipeline(config, key, [])
        self._shedding = Shedding(self.pipeline)
        self._state_file = state_folder() / f"live-{self.name}.state" if store else None
        self.source = self._take_up(fresh)
        self.writer = self._patient_writer() if self.store else None
        self.pipeline.use([*sinks, StoreSink(self.writer)] if self.writer else sinks)
        self._metrics = self._serve_metrics()
        self._manager = Manager()
        self._stopping = self._reload = False
        self._raised: collections.Counter[tuple[str, str]] = collections.Counter()
        self._told_endpoints: dict[tuple, int] = {}

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

    def _open_store(self):
        from sensor.store.open import open_store

        return open_store(self.config.store)

    def _patient_writer(self):
        from sensor.store.patient import PatientWriter

        return PatientWriter(self.store, self.config.sensor, self.source, lambda text: self._say(WARNING, text))

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
        self._say(NOTICE, f"Taken up from {self._state_file}: what was learned until {meta['until']}.")
        return meta["source"]

    def _keep(self) -> None:
        """Keep what was learned."""
        if self._state_file is None:
            return
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        try:
            save(
                self._state_file, self.pipeline.learned(), {"source": self.source, "alerts": self._told_alerts, "until": until}
            )
        except CheckpointError as error:
            self._say(WARNING, str(error))

    def _program(self, link: int) -> list | None:
        if not self.config.live.filter:
            return None
        from sensor.scapy_bridge import compile_bpf

        return compile_bpf(self.config.live.filter, link)

    def _open(self, tap: Tap) -> None:
        live = self.config.live
        tap.ring = Ring(tap.name, memory_bytes(live.ring), self._program, live.hardware_clock)
        self._poller.register(tap.ring.fileno(), select.POLLIN | select.POLLERR)

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
            if (count and sum(tap.packets for tap in self.taps) >= count) or (seconds and now - begin >= seconds):
                break
            if not busy:
                self._poller.poll(POLL_MS)

    def _capture(self) -> bool:
        """Take what the rings hold; whether that was anything."""
        busy = False
        for tap in self.taps:
            if tap.ring is None:
                continue
            for _ in range(BLOCKS_IN_TURN):
                chunk = tap.ring.take()
                if chunk is None:
                    break
                busy = True
                tap.packets += len(chunk.frames)
                tap.size += int(chunk.frames["wire"].sum())
                if self._files is not None:
                    self.pipeline.counters[R_UNWRITTEN] += np.uint64(self._files.write(chunk.data, chunk.frames, tap.name))
                self.pipeline.take(chunk, self.name, tap.ring.give_back)
        self._shedding.adjust(max((tap.ring.filled / tap.ring.blocks for tap in self.taps if tap.ring), default=0.0))
        return busy

    def _each_second(self) -> None:
        for tap in self.taps:
            self._look_after(tap)
        self._tell_alerts()
        if self._metrics:
            self._metrics.figures = self._figures()
        if self._lines:
            self._lines.flush()
        if self._files:
            self._files.flush()
            if self._files.problem != self._told_problem:
                self._told_problem = self._files.problem
                self._say(WARNING, self._told_problem or "Packets are written again.")
        if self.writer:
            self.pipeline.counters[R_LOST] = self.writer.dropped
            self.writer.flush()

    def _figures(self) -> Figures:
        taps = [
            InterfaceFigures(
                name=tap.name, up=not tap.trouble, packets=tap.packets, size=tap.size, dropped=tap.dropped,
                waiting=tap.ring.filled / tap.ring.blocks if tap.ring else 0.0,
            )
            for tap in self.taps
        ]  # fmt: skip
        store = {}
        if self.writer:
            store = {
                "lag_seconds": self.writer.lag, "waiting_rows": self.writer.waiting,
                "written_rows": self.writer.written, "dropped_rows": self.writer.dropped,
            }  # fmt: skip
        return Figures(
            version=__version__, sensor=self.config.sensor, interfaces=taps, counters=named(self.pipeline.totals()),
            stage_seconds=dict(self.pipeline.seconds), connections=self.pipeline.connections,
            endpoints=self.pipeline.known_endpoints, alerts=dict(self._raised), store=store, made=time.monotonic(),
        )  # fmt: skip

    def _look_after(self, tap: Tap) -> None:
        """Count what the operating system dropped, and see whether the interface is still there, or there again."""
        trouble = "gone"
        if tap.ring is not None:
            self._count(tap)
            called = tap.ring.name
            trouble = tap.ring.trouble()
            if tap.ring.name != called:
                self._say(WARNING, f"The interface {called} is called {tap.ring.name} now.")
            if trouble == "gone":
                self._close(tap)
        if tap.ring is None:
            try:
                self._open(tap)
                trouble = ""
            except CaptureError:
                pass
        if trouble != tap.trouble:
            tap.trouble = trouble
            self._say(WARNING, f"The interface {tap.name} is {trouble}." if trouble else f"The interface {tap.name} is back.")

    def _count(self, tap: Tap) -> None:
        """Add what the operating system counted since the last time."""
        if tap.ring is None:
            return
        seen, dropped = tap.ring.statistics()
        self.pipeline.counters[R_SEEN] += np.uint64(seen)
        self.pipeline.counters[R_DROPPED] += np.uint64(dropped)
        tap.dropped += dropped

    def _close(self, tap: Tap) -> None:
        if tap.ring is None:
            return
        self.pipeline.look(self.name)
        self._poller.unregister(tap.ring.fileno())
        tap.ring.close()
        tap.ring = None

    def _tell_alerts(self) -> None:
        """Alerts that are new, or that grew."""
        rows = [alert.as_row() for alert in self.pipeline.alerts()]
        fresh = [row for row in rows if self._told_alerts.get(row["alert_id"]) != row["transactions"]]
        if not fresh:
            return
        for row in fresh:
            if row["alert_id"] not in self._told_alerts:
                self._raised[row["detector"], row["severity"]] += 1
                self._say(WARNING, f"{row['severity'].upper()} {row['detector']} {row['alert_id']}: {row['explanation']}")
        self._told_alerts |= {row["alert_id"]: row["transactions"] for row in fresh}
        if self._alert_lines:
            self._alert_lines.writelines(alert_line(row) for row in fresh)
            self._alert_lines.flush()
        if self.writer:
            self.writer.alerts(fresh)

    def _tell(self) -> None:
        """Endpoints that saw traffic, the counters, and one line for the service manager."""
        counters = named(self.pipeline.totals())
        if self.writer:
            rows = self.pipeline.endpoints()
            keys = [(row["host"], row["method"], row["endpoint"]) for row in rows]
            fresh = [row for key, row in zip(keys, rows, strict=True) if self._told_endpoints.get(key) != row["transactions"]]
            self._told_endpoints = {key: row["transactions"] for key, row in zip(keys, rows, strict=True)}
            self.writer.endpoints(fresh)
            self.writer.stats({"ts": time.time_ns(), "capture": self.name, "counters": counters})
            self.writer.flush()
        self._manager.status(
            f"{counters.get('frames', 0):,} packets, {counters.get('transactions', 0):,} transactions, "
            f"{len(self._told_alerts):,} alerts; lost: {counters.get('kernel_dropped', 0):,} packets, "
            f"{counters.get('store_dropped', 0):,} rows"
        )

    def _read_again(self, load: Callable[[], Config]) -> None:
        """SIGHUP: thresholds and filter as the configuration says now. What cannot be used leaves everything as it was."""
        self._manager.reloading()
        before = self.config
        try:
            self.config = load()
            programs = [(tap.ring, self._program(tap.ring.link)) for tap in self.taps if tap.ring]
            self.pipeline.set_thresholds(self.config.detectors)
        except Exception as error:
            self.config = before
            self._say(WARNING, f"The configuration stays as it was: {error}")
        else:
            for ring, program in programs:
                ring.filter_by(program)
            self._say(INFO, "The configuration was read again: thresholds and filter are in force, all else at the next start.")
        self._manager.ready()

    def finish(self) -> dict:
        """Take what is left in the rings, tell everything, and close: the summary."""
        self._manager.stopping()
        rings = [tap.ring for tap in self.taps if tap.ring is not None]
        for ring in rings:
            ring.filter_by(NO_MORE)
        end = time.monotonic() + LAST_PACKETS
        while (self._capture() or self._poller.poll(2 * RETIRE_MS)) and time.monotonic() < end:
            pass
        for tap in self.taps:
            self._count(tap)
        self.pipeline.finish(self.name)
        self._tell_alerts()
        self._tell()
        self._keep()
        for tap in self.taps:
            self._close(tap)
        if self.writer:
            self.writer.close(LAST_ROWS)
            self.pipeline.counters[R_LOST] = self.writer.dropped
        self.pipeline.close()
        if self._files:
            self._files.close()
        if self._metrics:
            self._metrics.close()
        if self.store is not None:
            self.store.close()
        counters = named(self.pipeline.totals())
        return {
            "interfaces": {tap.name: {"packets": tap.packets, "bytes": tap.size, "dropped": tap.dropped} for tap in self.taps},
            "packets": counters.get("frames", 0),
            "transactions": counters.get("transactions", 0),
            "alerts": len(self._told_alerts),
            "counters": counters,
        }
