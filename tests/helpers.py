"""What tests share: the sensor driven in process, rows as dictionaries, and a count of what was given back."""

import ipaddress
import itertools
import os
import pathlib

import numpy as np
from hypothesis import settings

from parsers.http.consume import consume, take_output
from parsers.http.state import HttpLimits, new_http
from sensor.capture.files import CaptureFile
from sensor.core.reasons import REASONS, named
from sensor.core.records import (
    COMPLETENESS,
    DELIVER_CLOSE,
    DELIVER_DATA,
    DELIVER_FIN,
    DELIVER_GAP,
    DELIVER_OPEN,
    DELIVERY,
    FRAME,
    PACKET,
    TEXTS,
    TRANSACTION,
    WEIRD,
    Batch,
    names_of,
)
from sensor.core.wide import SLACK, padded
from sensor.packets.decode import decode, new_decoder
from sensor.packets.encap import encap_texts
from sensor.packets.fragments import new_side
from sensor.simulate.wire import Conversation, write_pcap
from sensor.streams.state import StreamLimits, new_streams
from sensor.worker import Worker, in_order, join

PCAPS = pathlib.Path(__file__).resolve().parent.parent / "pcaps"
FEATURES = PCAPS / "features"
KEY = (0x0706050403020100, 0x0F0E0D0C0B0A0908)
SEED = np.uint64(0x1234567)
CLIENT, SERVER = ("192.0.2.10", 50_100), ("10.20.0.10", 80)
PLAIN = [name for name in TRANSACTION.names if not name.endswith(("_at", "_len")) and not TRANSACTION[name].shape]


def examples(count: int) -> settings:
    """So many examples of a property, times TAPWATCH_EXAMPLES."""
    return settings(max_examples=max(1, int(count * float(os.environ.get("TAPWATCH_EXAMPLES", "1")))))


def address(high: int, low: int) -> str:
    """128 bits as text, IPv4 as such."""
    ip = ipaddress.IPv6Address(int(high) << 64 | int(low))
    return str(ip.ipv4_mapped or ip)


def rows_of(batch: Batch, encaps=None) -> list[dict]:
    """The transactions of a batch, every field of them, as dictionaries."""
    names = encap_texts(encaps) if encaps is not None else None
    found = []
    for index, row in enumerate(batch.rows):
        values = {name: int(row[name]) for name in PLAIN}
        for side in ("client", "server"):
            values[side + "_ip"] = address(values.pop(side + "_hi"), values.pop(side + "_lo"))
        values |= {name: batch.text(index, name) for name in TEXTS}
        values |= {name: batch.body(index, name) for name in ("request_body", "response_body")}
        values["completeness"] = names_of(values["completeness"], COMPLETENESS)
        values["weird"] = names_of(values["weird"], WEIRD)
        if names:
            values["encap"] = names[values["encap"]]
        found.append(values)
    return found


class Sensor:
    """Decoder and workers, one capture after the other. options: of new_decoder."""

    def __init__(self, shards: int = 1, connections: int = 4096, **options):
        self.decoder = new_decoder(**options)
        self.encaps = self.decoder.encaps
        self.counters = np.zeros(len(REASONS), np.uint64)
        self.workers = [
            Worker(shard, shards, StreamLimits(connections), HttpLimits(connections), KEY) for shard in range(shards)
        ]
        self._packets = np.zeros(1024, PACKET)
        self._joined = new_side()
        self._first = 0

    def take(self, chunk: np.ndarray, frames: np.ndarray) -> Batch:
        if len(frames) > len(self._packets):
            self._packets = np.zeros(len(frames), PACKET)
        count = decode(self.decoder, chunk, frames, self._first, SEED, self._packets, self._joined, self.counters)
        self._first += len(frames)
        for worker in self.workers:
            worker.process(self._packets, count, chunk, self._joined)
        return self._taken()

    def finish(self) -> Batch:
        self._first = 0
        for worker in self.workers:
            worker.finish()
        return self._taken()

    def _taken(self) -> Batch:
        return in_order(join([batch for worker in self.workers for batch in worker.take()])).copy()

    def read(self, path, rows=rows_of) -> list[list[dict]]:
        """Transactions of a capture file, a list for each chunk and one for its end."""
        capture = CaptureFile(str(path))
        try:
            found = [rows(self.take(*chunk), self.encaps) for chunk in capture.chunks()]
        finally:
            capture.close()
        return [*found, rows(self.finish(), self.encaps)]

    def counted(self) -> dict[str, int]:
        return named(self.counters + sum(worker.counters for worker in self.workers))


def small_sensor(connections: int = 32, pending: int = 128, text_bytes: int = 1 << 18, held_bytes: int = 1 << 18) -> Sensor:
    """A sensor whose stores are small enough to run full, and to be counted after every capture."""
    sensor = Sensor(connections=connections)
    worker = sensor.workers[0]
    worker._streams = new_streams(StreamLimits(connections, held_bytes), worker.counters)
    worker._http = new_http(HttpLimits(connections, pending, text_bytes), KEY, worker.counters)
    return sensor


def transactions_of(path, shards: int = 1) -> list[dict]:
    """All transactions of a capture file."""
    return [row for rows in Sensor(shards).read(path) for row in rows]


def chunk_of(frames: list[tuple[int, bytes]], link: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """(time, bytes) pairs as a chunk and its FRAME records."""
    records = np.zeros(len(frames), FRAME)
    at = 0
    for record, (ts, data) in zip(records, frames, strict=True):
        record["at"], record["captured"], record["wire"], record["ts"], record["link"] = at, len(data), len(data), ts, link
        at += len(data)
    return padded(b"".join(data for _, data in frames)), records


def transactions_of_packets(frames: list[tuple[int, bytes]], link: int = 1, sensor: Sensor | None = None) -> list[dict]:
    """All transactions of frames in memory."""
    sensor = sensor or Sensor(connections=256)
    return rows_of(sensor.take(*chunk_of(frames, link)), sensor.encaps) + rows_of(sensor.finish(), sensor.encaps)


def free_entries(following: np.ndarray, first: int) -> int:
    """Length of a free list; fails on a loop."""
    chain, seen, at = following.tolist(), 0, int(first)
    while at >= 0:
        seen += 1
        assert seen <= len(chain), "the free list is a loop"
        at = chain[at]
    return seen


def assert_streams_empty(streams) -> None:
    """No connection, segment or block of the reassembler is in use."""
    control = streams.control[0]
    assert control["active"] == 0
    assert (streams.slots == -1).all()
    assert (streams.connections["state"] == 0).all()
    assert free_entries(streams.free_next, control["free_connection"]) == len(streams.free_next)
    assert free_entries(streams.segments["next"], control["free_segment"]) == len(streams.segments)
    assert free_entries(streams.chains.following, streams.chains.free[0]) == len(streams.chains.following)


def assert_http_empty(http) -> None:
    """No pending record, block or HTTP/2 connection of the parser is in use."""
    assert free_entries(http.pending["next"], http.control[0]["free_pending"]) == len(http.pending)
    assert free_entries(http.chains.following, http.chains.free[0]) == len(http.chains.following)
    assert free_entries(http.bodies.following, http.bodies.free[0]) == len(http.bodies.following)
    http2 = http.http2
    assert free_entries(http2.connections["next"], http2.control[0]) == len(http2.connections)
    assert free_entries(http2.large, http2.control[1]) == len(http2.large)
    assert (http2.connections["entry"] == -1).all() and (http2.tables["large"] == -1).all() and (http2.buckets == -1).all()


def assert_empty(sensor: Sensor) -> None:
    for worker in sensor.workers:
        assert_streams_empty(worker._streams)
        assert_http_empty(worker._http)


# The HTTP/1 parser alone: events of one connection. ASK and REPLY are sides: 0, who opened it, and 1.
ASK, REPLY = 0, 1
SECOND = 1_000_000_000


def data(side: int, payload: bytes, ts: int = SECOND) -> tuple:
    return (DELIVER_DATA, side, payload, ts)


def gap(side: int, length: int, ts: int = SECOND) -> tuple:
    return (DELIVER_GAP, side, length, ts)


def fin(side: int, ts: int = SECOND) -> tuple:
    return (DELIVER_FIN, side, 0, ts)


def packet_of(client=CLIENT, server=SERVER, **fields) -> np.ndarray:
    """PACKET[1] with the addresses of a connection."""
    packet = np.zeros(1, PACKET)
    for side, (ip, port) in (("src", client), ("dst", server)):
        number = int(ipaddress.IPv6Address("::ffff:" + ip))
        packet[side + "_hi"], packet[side + "_lo"], packet[side + "_port"] = number >> 64, number & (2**64 - 1), port
    for name, value in fields.items():
        packet[name] = value
    return packet


class Http:
    """One parser, small enough to count its stores after every connection."""

    def __init__(self, pending: int = 256, text_bytes: int = 1 << 19, http2: int = 4, body_bytes: int = 1 << 20):
        self.counters = np.zeros(len(REASONS), np.uint64)
        self.hellos: list[np.ndarray] = []
        self.state = new_http(HttpLimits(8, pending, text_bytes, http2, body_bytes), KEY, self.counters)

    def run(self, events: list[tuple], start_seen: bool = True) -> list[dict]:
        """Transactions of one connection: opened, the events, closed. All stores must be free then."""
        return self.run_many([events], start_seen)[0]

    def run_many(self, conversations: list[list[tuple]], start_seen: bool = True) -> list[list[dict]]:
        """Transactions of each of several connections, whose events come in turn."""
        whole = [[(DELIVER_OPEN, 0, start_seen, SECOND), *events, (DELIVER_CLOSE, 0, 0, SECOND)] for events in conversations]
        turns = itertools.zip_longest(*([(which, event) for event in events] for which, events in enumerate(whole)))
        events = [turn for turn in itertools.chain.from_iterable(turns) if turn]
        deliveries, parts, at = np.zeros(len(events), DELIVERY), [], 0
        for index, (which, (kind, side, what, ts)) in enumerate(events):
            row = deliveries[index]
            row["kind"], row["direction"], row["ts"], row["order"], row["connection"] = kind, side, ts, index, which
            if kind == DELIVER_DATA:
                row["at"], row["length"] = at, len(what)
                parts.append(what)
                at += len(what)
            elif kind == DELIVER_GAP:
                row["length"] = what
            elif kind == DELIVER_OPEN:
                row["flags"], row["packet"] = what, which
        ports = [CLIENT[1] + which for which in range(len(whole))]
        packets = np.concatenate([packet_of((CLIENT[0], port)) for port in ports])
        rows = self._consume(deliveries, packets, padded(b"".join(parts)))
        assert_http_empty(self.state)
        return [[row for row in rows if port in (row["client_port"], row["server_port"])] for port in ports]

    def _consume(self, deliveries: np.ndarray, packets: np.ndarray, buffer: np.ndarray) -> list[dict]:
        found, at = [], 0
        while at < len(deliveries):
            at = consume(self.state, deliveries, len(deliveries), at, packets, buffer, buffer, buffer)
            rows, used, bodies, hellos = (int(size) for size in take_output(self.state))
            self.hellos.append(self.state.hellos[:hellos].copy())
            samples = self.state.samples[: bodies + SLACK]
            found += rows_of(Batch(self.state.rows[:rows], self.state.arena[: used + SLACK], used, samples, bodies))
        return found


def without_order(rows: list[dict]) -> list[dict]:
    """Rows without the number of the packet that completed them, which depends on how bytes were cut."""
    return [{name: value for name, value in row.items() if name != "order"} for row in rows]


def write_conversations(path, conversations, server: tuple[str, int], start: int, step: int) -> None:
    """A capture of TCP connections, `step` ns after each other. conversations: (client's address, [(request, response)])."""
    frames, at = [], start
    for number, (client, exchanges) in enumerate(conversations):
        conversation = Conversation((client, 20_000 + number), server, at)
        conversation.handshake()
        for asked, answered in exchanges:
            conversation.exchange(asked, answered)
        conversation.close()
        frames += conversation.frames
        at += step
    write_pcap(path, sorted(frames, key=lambda frame: frame[0]))
