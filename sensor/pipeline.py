"""The spine: the way of the data, from packets to what is told about them.

capture → decode → workers (streams, parsers) → merge → inventory → detectors → sinks
"""

import concurrent.futures
import os
import time
from collections.abc import Callable
from typing import Protocol

import numpy as np

from detectors.base import Alert, View, find_detectors
from sensor.capture.files import BUFFERS, FRAMES_PER_CHUNK, CaptureFile
from sensor.capture.filter import Filter
from sensor.config import Config, ConfigError
from sensor.core.reasons import REASON, REASONS
from sensor.core.records import PACKET, Batch
from sensor.inventory.analyse import Inventory
from sensor.packets.decode import decode
from sensor.packets.encap import encap_texts, new_encaps
from sensor.worker import Worker, merge

ANALYSED_AT_ONCE = 8_192
"""Transactions that are gathered before inventory and detectors look at them."""
R_FILTERED = REASON["filtered"]


class Sink(Protocol):
    """Takes finished transactions."""

    def transactions(self, batch: Batch, wire: dict[str, np.ndarray], encaps: list[str], capture: str) -> None: ...


class Pipeline:
    """State of one run. `run` may be called for several captures in a row: connections go on from one into the next."""

    def __init__(self, config: Config, key: tuple[int, int], sinks: list[Sink], filter_: Filter | None = None):
        self._config = config
        self._key = key
        self._sinks = sinks
        self._filter = filter_
        self._packets = [np.zeros(FRAMES_PER_CHUNK, PACKET) for _ in range(BUFFERS)]
        self._seed = np.uint64(int.from_bytes(os.urandom(8), "little"))
        self._workers = [
            Worker(shard, config.workers, -(-config.limits.connections // config.workers), key)
            for shard in range(config.workers)
        ]
        self._threads = concurrent.futures.ThreadPoolExecutor(config.workers) if config.workers > 1 else None
        self.seconds: dict[str, float] = dict.fromkeys(
            ("read", "decode", "streams", "http", "inventory", "detectors", "output"), 0.0
        )
        """time spent by stage; with several workers, streams and http add up over them"""
        self.counters = np.zeros(len(REASONS), np.uint64)
        self.reset()

    def use(self, sinks: list[Sink]) -> None:
        """Send what comes next to these sinks."""
        self._sinks = sinks

    def reset(self) -> None:
        """Forget all traffic."""
        self._encaps = new_encaps()
        self._inventory = Inventory(self._key)
        self._detectors = [self._make(name, kind) for name, kind in find_detectors().items()]
        self._frames = 0

    def _make(self, name: str, kind: type):
        try:
            return kind(**self._config.detectors.get(name, {}))
        except ValueError as error:
            raise ConfigError(f"{error}.") from None

    def run(
        self, capture: CaptureFile, progress: Callable[[CaptureFile, int, int], None] | None = None, count: int = 0
    ) -> None:
        """Take all packets of a capture, or the first `count`. progress: called with (capture, frames, bytes) of each chunk."""
        in_work: list[concurrent.futures.Future] = []
        chunks, turn, taken = capture.chunks(), 0, 0
        while True:
            begin = time.perf_counter()
            chunk = next(chunks, None)
            self.seconds["read"] += time.perf_counter() - begin
            if chunk is None or (count and taken >= count):
                break
            frames = chunk.frames[: count - taken] if count else chunk.frames
            taken += len(frames)
            packets = self._packets[turn]
            found = self._decode(chunk.data, frames, packets)
            in_work = self._advance(in_work, packets, found, chunk.data, capture.name)
            turn = (turn + 1) % BUFFERS
            if progress is not None:
                progress(capture, len(frames), int(frames["wire"].sum()))
        self._analyse(self._finish_work(in_work, everything=True), capture.name)

    def finish(self, name: str) -> None:
        """End of the traffic: what was still open is told under the capture's name."""
        for worker in self._workers:
            worker.finish()
        self._analyse(self._finish_work([], everything=True), name)

    def close(self) -> None:
        if self._threads:
            self._threads.shutdown()

    def endpoints(self) -> list[dict]:
        """Endpoint profiles, as rows of the store."""
        return self._inventory.endpoints()

    def alerts(self) -> list[Alert]:
        """All incidents, in the order in which they were raised."""
        found = [alert for detector in self._detectors for alert in detector.alerts(self._inventory.table)]
        return sorted(found, key=lambda alert: (alert.raised_at, alert.detector, alert.alert_id))

    def totals(self) -> np.ndarray:
        """All counters of all workers, by reason."""
        return self.counters + sum((worker.counters for worker in self._workers), np.zeros(len(REASONS), np.uint64))

    def _decode(self, data: np.ndarray, frames: np.ndarray, packets: np.ndarray) -> int:
        begin = time.perf_counter()
        first, self._frames = self._frames, self._frames + len(frames)
        if self._filter is not None:
            before = len(frames)
            frames = self._filter.apply(data, frames)
            self.counters[R_FILTERED] += np.uint64(before - len(frames))
        found = decode(
            data, frames, first, self._encaps, self._config.capture.vlan_separates, self._seed, packets, self.counters
        )
        self.seconds["decode"] += time.perf_counter() - begin
        return int(found)

    def _advance(self, in_work: list, packets: np.ndarray, found: int, data: np.ndarray, name: str) -> list:
        """Hand a chunk to the workers; look at what came of those before, at once for one worker, meanwhile for several."""
        batch = self._finish_work(in_work)
        if self._threads is None:
            self._analyse(batch, name)
            self._workers[0].process(packets, found, data)
            return []
        if batch is not None:
            batch = batch.copy()
        in_work = [self._threads.submit(worker.process, packets, found, data) for worker in self._workers]
        self._analyse(batch, name)
        return in_work

    def _finish_work(self, in_work: list[concurrent.futures.Future], everything: bool = False) -> Batch | None:
        """Wait for the workers, and take what they have once it is enough to look at.

        All are asked at the same chunk, so that their transactions together are complete up to it.
        """
        for future in in_work:
            future.result()
        if not everything and sum(worker.waiting for worker in self._workers) < ANALYSED_AT_ONCE:
            return None
        return merge([worker.take() for worker in self._workers])

    def _analyse(self, gathered: Batch | None, capture: str) -> None:
        """Inventory, detectors and sinks look at finished transactions."""
        if gathered is None or not len(gathered.rows):
            return
        begin = time.perf_counter()
        batch, values, wire = self._inventory.analyse(gathered)
        learned = time.perf_counter()
        view = View(batch, values, self._inventory.table)
        for detector in self._detectors:
            detector.update(view)
        judged = time.perf_counter()
        if self._sinks:
            encaps = encap_texts(self._encaps)
            for sink in self._sinks:
                sink.transactions(batch, wire, encaps, capture)
        done = time.perf_counter()
        self.seconds["inventory"] += learned - begin
        self.seconds["detectors"] += judged - learned
        self.seconds["output"] += done - judged
        self.seconds["streams"] = sum(worker.seconds[0] for worker in self._workers)
        self.seconds["http"] = sum(worker.seconds[1] for worker in self._workers)
