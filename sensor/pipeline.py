"""The spine: the way of the data, from packets to what is told about them.

capture → lanes (decode) → workers (streams, parsers) → merge → inventory → detectors, intent → sinks
"""

import collections
import concurrent.futures
import dataclasses
import os
import time
from collections.abc import Callable

import numpy as np

from detectors.base import Alert, Detector, View, find_detectors
from parsers.body.decode import decode_bodies
from parsers.body.operations import find_operations
from sensor.budget import memory_bytes, share_out
from sensor.capture.files import BUFFERS, FRAMES_PER_CHUNK, CaptureFile, Chunk
from sensor.capture.filter import Filter
from sensor.config import ConfigError
from sensor.core.reasons import REASONS
from sensor.core.records import PACKET, Batch
from sensor.documented import said_of
from sensor.intent.actors import Actors
from sensor.inventory.analyse import Inventory
from sensor.inventory.encrypted import Encrypted
from sensor.inventory.merging import TemplateChange
from sensor.inventory.samples import grant_samples, new_grants
from sensor.lanes import Lane, all_encaps, trouble_of
from sensor.origins import Origins
from sensor.packets.fragments import new_side
from sensor.settings import Config
from sensor.sinks import Sink, TellActors
from sensor.worker import Worker, in_order, join

ANALYSED_AT_ONCE = 8_192
"""Transactions that are gathered before inventory and detectors look at them."""
CHUNKS_TOGETHER = 8
"""Chunks after which several workers wait for each other."""
DECODED_AT_ONCE = 1_024
"""Compressed bodies of either side that are decoded of ANALYSED_AT_ONCE transactions."""
Release = Callable[[], None]
"""Called once the bytes of a chunk are not needed any more."""


ACTORS_AT_ONCE = 8_192
"""Sessions that are gathered before they are told: most of a session's states are outdated by then."""


def make_detectors(settings: dict[str, dict[str, float]]) -> list[Detector]:
    """All detectors with their settings by name, their defaults where none is named. Raises ConfigError."""
    try:
        return [kind(**settings.get(name, {})) for name, kind in find_detectors().items()]
    except ValueError as error:
        raise ConfigError(f"{error}.") from None


class Pipeline:
    """State of one run. `run` may be called for several captures in a row: connections go on from one into the next.

    lanes: decoders; chunks of one lane are decoded in turn.
    """

    def __init__(self, config: Config, key: tuple[int, int], sinks: list[Sink], filter_: Filter | None = None, lanes: int = 1):
        self._config = config
        self._key = key
        self._sinks = sinks
        self._patterns, self._documents = said_of(config)
        self._origins = Origins(config.geo)
        self._tell_actors: TellActors | None = None
        self._told_actors: list[np.ndarray] = []
        self._budget = share_out(memory_bytes(config.limits.memory), config.workers, config.limits.connections)
        self._packets = [np.zeros(FRAMES_PER_CHUNK, PACKET) for _ in range(BUFFERS)]
        self._joined = [new_side() for _ in range(BUFFERS)]
        self._seed = np.uint64(int.from_bytes(os.urandom(8), "little"))
        bodies = config.bodies
        http = dataclasses.replace(
            self._budget.http,
            request_sample=bodies.request_bytes,
            response_sample=bodies.response_bytes,
            standard=config.proxies.header == "forwarded",
        )
        self._workers = [Worker(shard, config.workers, self._budget.streams, http, key) for shard in range(config.workers)]
        several = config.workers > 1
        # One thread each: a worker takes its chunks in order, and never two at a time.
        self._threads = [concurrent.futures.ThreadPoolExecutor(1) for _ in self._workers] if several else []
        self._analyst = concurrent.futures.ThreadPoolExecutor(1) if several else None
        self._in_work: collections.deque[tuple[list[concurrent.futures.Future], Release | None]] = collections.deque()
        self._handed_over = self._turn = 0
        room = self._budget.fragment_bytes // lanes
        self._lanes = [Lane(number, config.capture, room, self._seed, filter_, several) for number in range(lanes)]
        self._in_analysis: concurrent.futures.Future | None = None
        self.seconds: dict[str, float] = dict.fromkeys(
            ("read", "decode", "streams", "http", "bodies", "inventory", "detectors", "intent", "output"), 0.0
        )
        """time spent by stage; with several workers, streams and http add up over them"""
        self.counters = np.zeros(len(REASONS), np.uint64)
        self.reset()

    def use(self, sinks: list[Sink], tell_actors: TellActors | None = None) -> None:
        """Send what comes next to these sinks."""
        self._sinks = sinks
        self._tell_actors = tell_actors

    def reset(self) -> None:
        """Forget all traffic."""
        for lane in self._lanes:
            lane.reset()
        self._inventory = self._make_inventory()
        self._grants = new_grants()
        self._encrypted = Encrypted()
        self._detectors = make_detectors(self._config.detectors)
        self._actors = Actors()
        self._told_actors = []
        self._frames = 0

    def _make_inventory(self) -> Inventory:
        proxies = self._config.proxies
        standard = proxies.header == "forwarded"
        said = self._patterns, self._documents
        return Inventory(self._key, self._config.flows, proxies.trusted, proxies.protocol, standard, *said)

    def run(
        self, capture: CaptureFile, progress: Callable[[CaptureFile, int, int], None] | None = None, count: int = 0
    ) -> None:
        """Take all packets of a capture, or the first `count`. progress: called with (capture, frames, bytes) of each chunk."""
        chunks, taken = capture.chunks(), 0
        while True:
            begin = time.perf_counter()
            chunk = next(chunks, None)
            self.seconds["read"] += time.perf_counter() - begin
            if chunk is None or (count and taken >= count):
                break
            frames = chunk.frames[: count - taken] if count else chunk.frames
            taken += len(frames)
            self.take(Chunk(chunk.data, frames), capture.name)
            if progress is not None:
                progress(capture, len(frames), int(frames["wire"].sum()))
        self.look(capture.name)

    def take(
        self, chunk: Chunk, capture: str, release: Release | None = None, counters: np.ndarray | None = None, lane: int = 0
    ) -> None:
        """Take a chunk of the capture's, or interface's, packets. release: called once its bytes are not needed any more.

        counters: uint64[len(REASONS)], to which is added what was counted of these packets up to their transport layer.
        """
        packets, joined = self._packets[self._turn], self._joined[self._turn]
        self._turn = (self._turn + 1) % BUFFERS
        first, self._frames = self._frames, self._frames + len(chunk.frames)
        found = self._lanes[lane].take(chunk, first, packets, joined, counters)
        self._process(packets, found, chunk.data, joined, release)
        if not self._in_work and sum(worker.waiting for worker in self._workers) >= ANALYSED_AT_ONCE:
            self._analyse(capture)

    def look(self, capture: str) -> None:
        """Have inventory and detectors look at everything that was taken so far, and wait for it."""
        self.settle()
        self._analyse(capture)
        self._finish_analysis()

    def settle(self) -> None:
        """Wait until the workers have taken all chunks, and given them back."""
        self._wait(0)

    def age(self, now: int) -> None:
        """It is `now` (ns since the epoch), whether packets say so or not: connections that are idle for too long end."""
        self.settle()
        for worker in self._workers:
            worker.age(now)

    def shed(self, bodies: bool, refused: int) -> None:
        """Under load: whether bodies are sampled, and how many 256ths of the new connections are refused."""
        self.settle()
        for worker in self._workers:
            worker.shed(bodies, refused)

    def set_thresholds(self, settings: dict[str, dict[str, float]]) -> None:
        """Settings of detectors by name, their defaults where none is named. ConfigError: all are as before."""
        self._finish_analysis()
        make_detectors(settings)
        for detector in self._detectors:
            for key, value in (type(detector).settings() | settings.get(detector.name, {})).items():
                setattr(detector, key, type(type(detector).settings()[key])(value))

    def finish(self, name: str) -> None:
        """End of the traffic: what was still open is told under the capture's name."""
        self.settle()
        for worker in self._workers:
            worker.finish()
        self.look(name)

    def tell_rest_of_actors(self, now: int | None = None) -> None:
        """Tell of actors that were silent before `now` (packet time, ns), or of all, what was not told yet."""
        self._finish_analysis()
        self._gather_actors(self._actors.rest(now), 0)

    def close(self) -> None:
        for thread in filter(None, (*self._threads, self._analyst)):
            thread.shutdown()
        for lane in self._lanes:
            lane.close()

    def endpoints(self) -> list[dict]:
        """Endpoint profiles, as rows of the store."""
        self._finish_analysis()
        return self._inventory.endpoints()

    def news_of_endpoints(self) -> tuple[list[dict], list[tuple[str, str, str]]]:
        """(profiles that changed since the last call, as rows of the store; keys of those that became part of others)."""
        self._finish_analysis()
        return self._inventory.news()

    def hottest(self, most: int) -> list[tuple[str, str, str, int]]:
        """(host, method, template, transactions since the last call) of the busiest endpoints."""
        self._finish_analysis()
        return self._inventory.hottest(most)

    def parameters(self) -> list[dict]:
        """Parameters of endpoints, as rows of the store."""
        self._finish_analysis()
        return self._inventory.parameters()

    def news_of_parameters(self) -> list[dict]:
        """Parameters that were seen since the last call."""
        self._finish_analysis()
        return self._inventory.news_of_parameters()

    def schemas(self) -> list[dict]:
        """Keys of bodies of endpoints, as rows of the store."""
        self._finish_analysis()
        return self._inventory.schemas()

    def news_of_schemas(self) -> list[dict]:
        """Those of bodies of which many were seen since they were told."""
        self._finish_analysis()
        return self._inventory.news_of_schemas()

    def encrypted_services(self) -> list[dict]:
        """Services that speak TLS, as rows of the store."""
        return self._encrypted.services()

    def template_changes(self, first: int = 0) -> list[dict]:
        """What was learned of paths, from the `first` decision on, as rows of the store."""
        return [dataclasses.asdict(change) for change in self._inventory.changes[first:]]

    def take_up_changes(self, rows: list[dict]) -> int:
        """Take up the decisions of an earlier run, as `template_changes` gave them: how many there are."""
        self._inventory.changes[:] = [TemplateChange(**{**row, "names": tuple(row["names"])}) for row in rows]
        return len(rows)

    def alerts(self) -> list[Alert]:
        """All incidents, in the order in which they were raised."""
        self._finish_analysis()
        found = [alert for detector in self._detectors for alert in detector.alerts(self._inventory.table)]
        return sorted(found, key=lambda alert: (alert.raised_at, alert.detector, alert.alert_id))

    def located(self, rows: list[dict]) -> list[dict]:
        """Alerts that are to be told (Alert.as_row), with where their addresses are."""
        return self._origins.enrich(rows)

    def learned(self) -> dict[str, np.ndarray]:
        """Everything that inventory and detectors remember, by name. The arrays are theirs: what is written to them counts."""
        self._finish_analysis()
        found = {f"inventory.{name}": array for name, array in self._inventory.arrays().items()}
        found |= {f"encrypted.{name}": array for name, array in self._encrypted.arrays().items()}
        found |= {f"actors.{name}": array for name, array in self._actors.arrays().items()}
        for detector in self._detectors:
            found |= {f"{detector.name}.{name}": array for name, array in detector.state().items()}
        return found

    @property
    def connections(self) -> int:
        """Connections that are tracked at the moment."""
        return sum(worker.connections for worker in self._workers)

    @property
    def known_endpoints(self) -> int:
        """Endpoints in the inventory."""
        return self._inventory.known

    @property
    def trouble(self) -> str:
        """What the lanes cannot do with this traffic, as a sentence; mostly nothing."""
        return trouble_of(self._lanes)

    def totals(self) -> np.ndarray:
        """All counters of all workers, by reason."""
        found = self.counters.copy()
        for lane in self._lanes:
            found += lane.counters
        for worker in self._workers:
            found += worker.counters
        return found

    def _process(
        self, packets: np.ndarray, found: Callable[[], int], data: np.ndarray, joined: np.ndarray, release: Release | None
    ) -> None:
        """Have the workers take a chunk. Several workers go on with it meanwhile, but meet every CHUNKS_TOGETHER chunks:
        their transactions together are complete only up to a chunk that all have taken. found: waits for the decoder.
        """
        if not self._threads:
            self._workers[0].process(packets, found(), data, joined)
            if release is not None:
                release()
            return
        futures = [
            thread.submit(worker.process_found, packets, found, data, joined)
            for thread, worker in zip(self._threads, self._workers, strict=True)
        ]
        self._in_work.append((futures, release))
        self._handed_over += 1
        self._wait(0 if self._handed_over % CHUNKS_TOGETHER == 0 else BUFFERS - 2)

    def _wait(self, chunks: int) -> None:
        """Wait until at most so many chunks are in work."""
        while len(self._in_work) > chunks:
            futures, release = self._in_work.popleft()
            for future in futures:
                future.result()
            if release is not None:
                release()

    def _analyse(self, capture: str) -> None:
        """Look at all finished transactions: at once, or in a thread of its own where there are several workers."""
        self._finish_analysis()
        parts = [batch for worker in self._workers for batch in worker.take() if len(batch.rows)]
        hellos = np.concatenate([worker.take_hellos() for worker in self._workers])
        if len(hellos):
            self._encrypted.update(hellos[np.argsort(hellos["order"], kind="stable")], self.counters)
        if not parts:
            return
        gathered = join(parts)
        if self._analyst is None:
            self._look(gathered, capture)
        else:
            own = gathered if len(parts) > 1 else gathered.copy()  # several were put together in arrays of their own
            self._in_analysis = self._analyst.submit(self._look, own, capture)

    def _finish_analysis(self) -> None:
        if self._in_analysis is not None:
            self._in_analysis.result()
            self._in_analysis = None

    def _read_bodies(self, batch: Batch) -> Batch:
        """Decode what requests carry, and find the operations that they name there."""
        chosen = np.flatnonzero(batch.rows["request_coding"])[:DECODED_AT_ONCE]
        batch = decode_bodies(batch, "request", chosen, self._config.bodies.request_bytes, self.counters)
        return find_operations(batch)

    def _grant_bodies(self, batch: Batch) -> Batch:
        """Keep what the analysers may look at of each endpoint, decode what answers carry, and learn from it."""
        bodies = self._config.bodies
        grant_samples(batch.rows, self._grants, bodies.per_endpoint, self.counters)
        chosen = np.flatnonzero(batch.rows["response_coding"])[:DECODED_AT_ONCE]
        batch = decode_bodies(batch, "response", chosen, bodies.response_bytes, self.counters)
        self._inventory.read_answers(batch)
        return batch

    def _gather_actors(self, sessions: np.ndarray, at_once: int) -> None:
        """Tell of actors once there are so many sessions to tell."""
        if self._tell_actors is None:
            return
        self._told_actors.append(sessions)
        if sum(len(one) for one in self._told_actors) > at_once:
            told, self._told_actors = np.concatenate(self._told_actors), []
            self._tell_actors(told)

    def _look(self, gathered: Batch, capture: str) -> None:
        """Inventory, detectors and sinks, in turn."""
        begin = time.perf_counter()
        gathered = self._read_bodies(in_order(gathered))
        read = time.perf_counter()
        batch, values, wire = self._inventory.analyse(gathered)
        batch = self._grant_bodies(batch)
        self._inventory.count(self.counters)
        learned = time.perf_counter()
        view = View(batch, values, self._inventory.table)
        for detector in self._detectors:
            detector.update(view)
        judged = time.perf_counter()
        self._gather_actors(self._actors.taken(batch, values), ACTORS_AT_ONCE)
        known = time.perf_counter()
        if self._sinks:
            encaps = all_encaps(self._lanes)
            for sink in self._sinks:
                sink.transactions(batch, wire, encaps, capture)
        done = time.perf_counter()
        self.seconds["bodies"] += read - begin
        self.seconds["inventory"] += learned - read
        self.seconds["detectors"] += judged - learned
        self.seconds["intent"] += known - judged
        self.seconds["output"] += done - known
        self.seconds["decode"] = sum(lane.seconds for lane in self._lanes)
        self.seconds["streams"] = sum(worker.seconds[0] for worker in self._workers)
        self.seconds["http"] = sum(worker.seconds[1] for worker in self._workers)
