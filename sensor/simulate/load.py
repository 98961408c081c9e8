"""The benchmark's capture: hundreds of thousands of small API transactions, written fast and in bounded memory.

A packet here is a template of bytes with a few fields patched in: the frames of `wire.Conversation` would take minutes.
The TCP checksums are zero, as they are where the card computes them.
"""

import struct
from bisect import bisect_left
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from random import Random

from sensor.simulate.load_messages import endpoints, header_blocks, responses
from sensor.simulate.wire import ACK, ETHERNET, FIN, PSH, SNAPLEN, SYN, checksum

START = 1_772_528_400_000_000
"""2026-03-03T09:00:00Z in microseconds, as the file counts"""
CLIENTS = 5_000
SERVERS = 8
IPV6_SHARE, VLAN_SHARE = 0.15, 0.20
WRITE_SHARE = 0.12
REORDERED_MESSAGES = 0.075
"""Share of messages of several segments in which two neighbours change places: of all segments, 0.3 %."""
RETRANSMITTED = 0.003
BETWEEN_CONNECTIONS = 2_500
"""Mean µs between two connections; with their length of about a second it gives a few hundred at a time."""
BATCH = 500
"""Connections built before their packets are sorted and written."""

_RECORD = struct.Struct("<IIII")
_SEQUENCE = struct.Struct(">IIBB")
_by_time = itemgetter(0)

Record = tuple[int, bytes]
"""Packet time in µs, and the packet as it stands in the file: record header, frame."""


class Direction:
    """Packets of one sender of one connection: a template, patched per packet."""

    def __init__(self, source: bytes, target: bytes, ports: bytes, tag: bytes, sequence: int):
        version = 4 if len(source) == 4 else 6
        if version == 4:
            header = struct.pack(">BBHHHBBH", 0x45, 0, 0, 0, 0x4000, 64, 6, 0)
        else:
            header = struct.pack(">IHBB", 6 << 28, 0, 6, 64)
        link = b"\2\0\0\0\0\1\2\0\0\0\0\2" + tag + (b"\x08\x00" if version == 4 else b"\x86\xdd")
        network = header + source + target
        self._packet = bytearray(16) + link + network + ports + bytes(8) + struct.pack(">BBHHH", 5 << 4, 0, 64_240, 0, 0)
        self._network = 16 + len(link)
        self._tcp = self._network + len(network)
        self._version = version
        self._sum = checksum(network) ^ 0xFFFF if version == 4 else 0
        self._ip_id = sequence & 0xFFFF
        self.sequence = sequence

    def packet(self, time: int, data: bytes, acknowledged: int, flags: int) -> bytes:
        """The next packet; the sequence number moves on by its data."""
        packet = self._packet
        length = len(packet) - 16 + len(data)
        _RECORD.pack_into(packet, 0, time // 1_000_000, time % 1_000_000, length, length)
        if self._version == 4:
            total = length - (self._network - 16)
            self._ip_id = ip_id = (self._ip_id + 1) & 0xFFFF
            folded = self._sum + total + ip_id
            folded = (folded & 0xFFFF) + (folded >> 16)
            struct.pack_into(">HH", packet, self._network + 2, total, ip_id)
            struct.pack_into(">H", packet, self._network + 10, ((folded & 0xFFFF) + (folded >> 16)) ^ 0xFFFF)
        else:
            struct.pack_into(">H", packet, self._network + 4, length - (self._tcp - 16))
        _SEQUENCE.pack_into(packet, self._tcp + 4, self.sequence, acknowledged, 5 << 4, flags)
        self.sequence = (self.sequence + len(data)) & 0xFFFFFFFF
        return bytes(packet) + data


class Load:
    """Draws connections, counts what it makes."""

    def __init__(self, seed: int):
        self._rng = rng = Random(seed)
        self._read, self._written = endpoints()
        self._headers = header_blocks(rng)
        self._responses = {4: responses(rng, 1460), 6: responses(rng, 1440)}
        self._clients = [_address(rng, 4) for _ in range(CLIENTS)]
        self._clients6 = [_address(rng, 6) for _ in range(CLIENTS)]
        self._bodies = [b'{"items":[' + b"%d," % rng.randrange(10_000) * rng.randint(5, 80) + b"0]}" for _ in range(64)]
        self.counts = dict.fromkeys(
            ("packets", "bytes", "transactions", "connections", "data_segments", "reordered", "retransmissions"), 0
        )
        self.counts |= {"ipv6_connections": 0, "vlan_connections": 0}

    def connection(self, time: int, transactions: int) -> list[Record]:
        """All packets of one connection, nearly in the order of time."""
        rng, counts = self._rng, self.counts
        version = 6 if rng.random() < IPV6_SHARE else 4
        tagged = rng.random() < VLAN_SHARE
        client = rng.choice(self._clients if version == 4 else self._clients6)
        # Ports go round, so that an address pair meets again only after tens of thousands of connections.
        port = 1024 + (counts["connections"] * 7) % 64_000
        number = rng.randrange(SERVERS)
        server = (bytes((10, 20, 0)) if version == 4 else bytes.fromhex("20010db80020") + bytes(9)) + bytes((10 + number,))
        tag = struct.pack(">HH", 0x8100, 10 + number) if tagged else b""
        up = Direction(client, server, struct.pack(">HH", port, 80), tag, rng.getrandbits(32))
        down = Direction(server, client, struct.pack(">HH", 80, port), tag, rng.getrandbits(32))
        rtt = int(rng.uniform(500, 20_000))
        records = [(time, up.packet(time, b"", 0, SYN))]
        up.sequence = (up.sequence + 1) & 0xFFFFFFFF
        records.append((time + 40, down.packet(time + 40, b"", up.sequence, SYN | ACK)))
        down.sequence = (down.sequence + 1) & 0xFFFFFFFF
        time += rtt
        records.append((time, up.packet(time, b"", down.sequence, ACK)))
        for _ in range(transactions):
            time = self._transaction(records, up, down, time + 60, version, rtt)
        records.append((time, up.packet(time, b"", down.sequence, ACK | FIN)))
        up.sequence = (up.sequence + 1) & 0xFFFFFFFF
        records.append((time + 50, down.packet(time + 50, b"", up.sequence, ACK | FIN)))
        down.sequence = (down.sequence + 1) & 0xFFFFFFFF
        records.append((time + rtt, up.packet(time + rtt, b"", down.sequence, ACK)))
        counts["connections"] += 1
        counts["transactions"] += transactions
        counts["packets"] += len(records)
        counts["ipv6_connections"] += version == 6
        counts["vlan_connections"] += tagged
        return records

    def batches(self, transactions: int, seed: int) -> Iterator[list[Record]]:
        """All packets of so many transactions in the order of time, a few hundred connections at once."""
        rng, remaining, time = Random(seed + 1), transactions, START
        waiting: list[Record] = []
        while remaining:
            for _ in range(BATCH):
                number = min(remaining, rng.randint(10, 20))
                waiting += self.connection(time, number)
                remaining -= number
                time += int(rng.expovariate(1 / BETWEEN_CONNECTIONS))
                if not remaining:
                    break
            waiting.sort(key=_by_time)
            # Later connections may still precede the rest.
            end = bisect_left(waiting, time, key=_by_time) if remaining else len(waiting)
            yield waiting[:end]
            waiting = waiting[end:]

    def _transaction(self, records: list[Record], up: Direction, down: Direction, time: int, version: int, rtt: int) -> int:
        rng = self._rng
        self._send(records, up, down, time, self._request())
        time += 300 + int(rng.expovariate(1 / 3000))
        segments = rng.choice(self._responses[version])
        after = self._send(records, down, up, time, segments)
        time += rtt
        for position in range(1, len(segments), 2):
            # An ACK a round trip after every second segment.
            moment = time + position * 12
            acknowledged = (down.sequence - sum(map(len, segments[position + 1 :]))) & 0xFFFFFFFF
            records.append((moment, up.packet(moment, b"", acknowledged, ACK)))
        time = max(time + len(segments) * 12, after)
        if len(segments) % 2:
            records.append((time, up.packet(time, b"", down.sequence, ACK)))
        return time + int(rng.expovariate(1 / 40_000))

    def _request(self) -> list[bytes]:
        rng = self._rng
        if rng.random() < WRITE_SHARE:
            before, after, numbers = rng.choice(self._written)
            body = rng.choice(self._bodies)
            head = b"%b%d%b%bContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (
                before, rng.randrange(numbers), after, rng.choice(self._headers), len(body),
            )  # fmt: skip
            # Some clients write head and body apart.
            return [head, body] if rng.random() < 0.5 else [head + body]
        before, after, numbers = rng.choice(self._read)
        return [b"%b%d%b%b\r\n" % (before, rng.randrange(numbers), after, rng.choice(self._headers))]

    def _send(self, records: list[Record], sender: Direction, receiver: Direction, time: int, segments: list[bytes]) -> int:
        """Data segments 12 µs apart, a few swapped or repeated; returns a time after the last."""
        rng, counts = self._rng, self.counts
        count = len(segments)
        first = len(records)
        counts["data_segments"] += count
        swapped = rng.randrange(count - 1) if count > 1 and rng.random() < REORDERED_MESSAGES else -1
        end = time + 12 * count
        for position, data in enumerate(segments):
            place = position
            if swapped >= 0:
                place += (position == swapped) - (position == swapped + 1)
            moment = time + 12 * place
            flags = ACK | PSH if position == count - 1 else ACK
            records.append((moment, sender.packet(moment, data, receiver.sequence, flags)))
        if swapped >= 0:
            counts["reordered"] += 1
        for position in range(count):
            if rng.random() < RETRANSMITTED:
                end += 200
                records.append((end, _at(records[first + position][1], end)))
                counts["retransmissions"] += 1
        return end


def write_load(path: Path | str, transactions: int, seed: int = 1) -> dict[str, int]:
    """Write a pcap of so many transactions to `path`; returns the true counts of what is in it.

    `bytes` are those of the frames, without record headers; `packets` contains `retransmissions`, and `reordered` counts
    pairs of data segments that changed places.
    """
    load = Load(seed)
    with Path(path).open("wb", buffering=1 << 20) as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, SNAPLEN, ETHERNET))
        for batch in load.batches(transactions, seed):
            file.write(b"".join(record for _, record in batch))
        load.counts["bytes"] = file.tell() - 24 - 16 * load.counts["packets"]
    return load.counts


def _at(record: bytes, time: int) -> bytes:
    return struct.pack("<II", time // 1_000_000, time % 1_000_000) + record[8:]


def _address(rng: Random, version: int) -> bytes:
    if version == 4:
        return bytes((100, 64 + rng.randrange(64), rng.randrange(256), 1 + rng.randrange(254)))
    return bytes.fromhex("20010db8") + rng.randbytes(12)
