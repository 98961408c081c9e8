"""One worker: the connections of one shard, from packets to transactions."""

import dataclasses
import time
from collections.abc import Callable

import numpy as np

from parsers.http.consume import consume, take_output
from parsers.http.state import HttpLimits, new_http
from sensor.core.reasons import REASONS
from sensor.core.records import ALL_TEXTS, HELLO, PACKET, TRANSACTION, Batch
from sensor.core.wide import SLACK
from sensor.streams.reassemble import age, finish, reassemble
from sensor.streams.state import IDLE_OPEN, StreamLimits, new_streams

SPANS = tuple(name + "_at" for name in ALL_TEXTS)
BODY_SPANS = ("request_body_at", "response_body_at")


class Worker:
    """State and loop of one shard. Its kernels run without the GIL, so several workers share a processor's cores."""

    def __init__(self, shard: int, shards: int, streams: StreamLimits, http: HttpLimits, key: tuple[int, int]):
        self.counters = np.zeros(len(REASONS), np.uint64)
        self._shard, self._shards = shard, shards
        self._streams = new_streams(streams, self.counters)
        self._http = new_http(http, key, self.counters)
        self._samples = (http.request_sample, http.response_sample)
        self._spilled: list[Batch] = []
        self._hellos: list[np.ndarray] = []
        self.seconds = [0.0, 0.0]
        """time spent in reassembly and in parsing"""

    def process(self, packets: np.ndarray, count: int, chunk: np.ndarray, joined: np.ndarray) -> None:
        """Take packets[:count] (PACKET[…]) of a chunk and its side buffer."""
        at = 0
        while at < count:
            begin = time.perf_counter()
            at = reassemble(self._streams, packets, count, at, chunk, joined, self._shard, self._shards)
            self.seconds[0] += time.perf_counter() - begin
            self._parse(packets, chunk, joined)

    def process_found(self, packets: np.ndarray, found: Callable[[], int], chunk: np.ndarray, joined: np.ndarray) -> None:
        """`process`, once a decoder in another thread has found so many packets."""
        self.process(packets, found(), chunk, joined)

    @property
    def waiting(self) -> int:
        """Transactions that were completed and not yet taken, and ClientHellos."""
        rows, hellos = int(self._http.control["rows"][0]), int(self._http.control["hellos"][0])
        return rows + hellos + sum(len(batch.rows) for batch in self._spilled) + sum(len(part) for part in self._hellos)

    @property
    def connections(self) -> int:
        """Connections that are tracked at the moment."""
        return int(self._streams.control["active"][0])

    def take(self) -> list[Batch]:
        """The completed transactions. Arrays of the last are those that the next packets write to: use or copy them before."""
        spilled, self._spilled = self._spilled, []
        return [*spilled, self._output()]

    def take_hellos(self) -> np.ndarray:
        """HELLO[n]: those of the transactions that were taken last. To be called behind `take`."""
        parts, self._hellos = self._hellos, []
        return np.concatenate(parts) if parts else np.zeros(0, HELLO)

    def shed(self, bodies: bool, refused: int) -> None:
        """Whether bodies are sampled; how many 256ths of the new connections are refused."""
        self._http.control["body_limit"] = self._samples if bodies else (0, 0)
        control = self._streams.control
        control["refused"] = refused
        past = int(control["refused_before"][0]) if control["now"][0] < control["refused_until"][0] else 0
        control["refused_before"] = max(past, refused)
        control["refused_until"] = control["now"] + IDLE_OPEN

    def age(self, now: int) -> None:
        """Connections that are idle at `now` (ns since the epoch) end, packets or no packets."""
        nothing, done = np.zeros(SLACK, np.uint8), False
        no_packets = np.zeros(1, PACKET)
        while not done:
            done = age(self._streams, now)
            self._parse(no_packets, nothing, nothing)

    def finish(self) -> None:
        """End of the capture: connections that were still open are closed. The worker is as new once the rest was taken."""
        nothing, done = np.zeros(SLACK, np.uint8), False
        no_packets = np.zeros(1, PACKET)
        while not done:
            done = finish(self._streams)
            self._parse(no_packets, nothing, nothing)

    def _parse(self, packets: np.ndarray, chunk: np.ndarray, joined: np.ndarray) -> None:
        begin = time.perf_counter()
        count, at = int(self._streams.control["deliveries"][0]), 0
        while at < count:
            at = consume(self._http, self._streams.deliveries, count, at, packets, chunk, self._streams.stored, joined)
            if at < count:  # no room for more rows: put these aside
                self._spilled.append(self._output().copy())
        self.seconds[1] += time.perf_counter() - begin

    def _output(self) -> Batch:
        http = self._http
        rows, used, bodies, hellos = (int(size) for size in take_output(http))
        if hellos:
            self._hellos.append(http.hellos[:hellos].copy())
        return Batch(http.rows[:rows], http.arena, used, http.samples[: bodies + SLACK], bodies)


def join(batches: list[Batch]) -> Batch:
    """One batch of several, one behind the other; of one alone that one, with its own arrays."""
    batches = [batch for batch in batches if len(batch.rows)]
    if not batches:
        return Batch(np.zeros(0, TRANSACTION), np.zeros(SLACK, np.uint8), 0)
    return batches[0] if len(batches) == 1 else _joined(batches)


def in_order(batch: Batch) -> Batch:
    """The batch in the order of completion, whichever worker saw what.

    Rows completed by the same packet are those of one connection, in its order. An idle sweep and the end of the capture
    complete rows of several: these are ordered by connection, so that it does not matter how connections were shared out.
    """
    rows = batch.rows
    if (rows["order"][1:] < rows["order"][:-1]).any():  # of several workers, each of whose rows are in order
        rows = rows[np.argsort(rows["order"], kind="stable")]
    if not _is_settled(rows):
        rows = rows[np.lexsort((rows["serial"], rows["client_port"], rows["client_lo"], rows["client_hi"], rows["order"]))]
    return dataclasses.replace(batch, rows=rows)


def _is_settled(rows: np.ndarray) -> bool:
    """Whether rows of the same packet are of the same connection."""
    order = rows["order"]
    same = np.flatnonzero(order[1:] == order[:-1])
    return all((rows[name][same] == rows[name][same + 1]).all() for name in ("client_port", "client_lo", "client_hi"))


def _joined(batches: list[Batch]) -> Batch:
    """Several batches one behind the other."""
    used, bodies_used = sum(batch.used for batch in batches), sum(batch.bodies_used for batch in batches)
    arena, bodies = np.zeros(used + SLACK, np.uint8), np.zeros(bodies_used + SLACK, np.uint8)
    rows = np.concatenate([batch.rows for batch in batches])
    at, body_at, first = 0, 0, 0
    for batch in batches:
        arena[at : at + batch.used] = batch.arena[: batch.used]
        bodies[body_at : body_at + batch.bodies_used] = batch.bodies[: batch.bodies_used]
        part = rows[first : first + len(batch.rows)]
        for span in SPANS:
            part[span] += np.uint32(at)
        for span in BODY_SPANS:
            part[span] += np.uint32(body_at)
        at += batch.used
        body_at += batch.bodies_used
        first += len(batch.rows)
    return Batch(rows, arena, used, bodies, bodies_used)
