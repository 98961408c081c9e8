"""Floods among ordinary traffic: what must cost no ordinary client a transaction, and no memory beyond the budget.

The ordinary part is that of load.py; the flood's packets are spread evenly over its time.
"""

import heapq
import itertools
import struct
from collections.abc import Iterator
from pathlib import Path
from random import Random

from sensor.simulate.load import Load, Record
from sensor.simulate.wire import ACK, ETHERNET, PSH, SNAPLEN, SYN

SERVER = bytes((10, 20, 0, 10))
HEAD = b"GET /slow HTTP/1.1\r\nHost: api.load.test\r\nX-Wait: "
_RECORD = struct.Struct("<IIII")


def _packet(
    time: int, source: bytes, target: bytes, ports: tuple[int, int], numbers: tuple[int, int], flags: int, data: bytes = b""
) -> Record:
    tcp = struct.pack(">HHIIBBHHH", *ports, *numbers, 5 << 4, flags, 64_240, 0, 0) + data
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), numbers[0] & 0xFFFF, 0x4000, 64, 6, 0, source, target)
    frame = b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\x00" + ip + tcp
    return time, _RECORD.pack(time // 1_000_000, time % 1_000_000, len(frame), len(frame)) + frame


def _clients(rng: Random) -> Iterator[tuple[bytes, int, int]]:
    """(address, port, initial number) of made-up clients."""
    while True:
        address = bytes((203, rng.randrange(256), rng.randrange(256), rng.randrange(1, 255)))
        yield address, rng.randrange(1024, 65_536), rng.getrandbits(31)


def syn(rng: Random, times: Iterator[int]) -> Iterator[Record]:
    """A SYN from somewhere else each time."""
    for time, (client, port, number) in zip(times, _clients(rng), strict=False):
        yield _packet(time, client, SERVER, (port, 80), (number, 0), SYN)


def idle(rng: Random, times: Iterator[int]) -> Iterator[Record]:
    """Handshakes, after which nothing is said."""
    for time, (client, port, number) in zip(times, _clients(rng), strict=False):
        yield _packet(time, client, SERVER, (port, 80), (number, 0), SYN)
        yield _packet(time, SERVER, client, (80, port), (number ^ 5, number + 1), SYN | ACK)
        yield _packet(time, client, SERVER, (port, 80), (number + 1, (number ^ 5) + 1), ACK)


def slow_heads(rng: Random, times: Iterator[int]) -> Iterator[Record]:
    """Connections that begin a head and never end it (slowloris)."""
    for time, (client, port, number) in zip(times, _clients(rng), strict=False):
        yield _packet(time, client, SERVER, (port, 80), (number, 0), SYN)
        yield _packet(time, client, SERVER, (port, 80), (number + 1, 1), ACK | PSH, HEAD)


def unanswered(rng: Random, times: Iterator[int]) -> Iterator[Record]:
    """Whole requests that nobody answers."""
    for time, (client, port, number) in zip(times, _clients(rng), strict=False):
        yield _packet(time, client, SERVER, (port, 80), (number, 0), SYN)
        yield _packet(time, client, SERVER, (port, 80), (number + 1, 1), ACK | PSH, HEAD + b"x\r\n\r\n")


def endless_heads(rng: Random, times: Iterator[int]) -> Iterator[Record]:
    """A few hundred connections whose heads go on and on."""
    clients = list(itertools.islice(_clients(rng), 200))
    sent = [0] * len(clients)
    for time, which in zip(times, itertools.cycle(range(len(clients))), strict=False):
        client, port, number = clients[which]
        data = HEAD if sent[which] == 0 else b"X-More: " + b"y" * 1000 + b"\r\n"
        yield _packet(time, client, SERVER, (port, 80), ((number + sent[which]) & 0xFFFFFFFF, 1), ACK, data)
        sent[which] += len(data)


FLOODS = {"syn": syn, "idle": idle, "slow_heads": slow_heads, "unanswered": unanswered, "endless_heads": endless_heads}


def write_flood(path: Path | str, kind: str, size: int, transactions: int, seed: int = 1) -> dict[str, int]:
    """Write a pcap of so many ordinary transactions and `size` flooding steps: the true counts of the ordinary part.

    The ordinary part is held in memory while it is mixed: about 2 KB a transaction.
    """
    load = Load(seed)
    ordinary = [record for batch in load.batches(transactions, seed) for record in batch]
    first, last = ordinary[0][0], ordinary[-1][0]
    times = (first + (last - first) * k // size for k in range(size))
    with Path(path).open("wb", buffering=1 << 20) as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, SNAPLEN, ETHERNET))
        for _, record in heapq.merge(ordinary, FLOODS[kind](Random(seed), times), key=lambda record: record[0]):
            file.write(record)
    return load.counts
