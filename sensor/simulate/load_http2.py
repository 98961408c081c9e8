"""The benchmark's HTTP/2 capture: small requests with dynamic tables in use, and the plain loop over the same bytes.

Header blocks come from hpack's encoder, which takes longer than all else: a few hundred connections are encoded, and sent
again and again by other clients.
"""

import struct
import time
from pathlib import Path
from random import Random
from typing import NamedTuple

import hpack
from hyperframe.frame import ContinuationFrame, Frame, HeadersFrame

from sensor.simulate.load import START, Direction
from sensor.simulate.wire import ACK, ETHERNET, FIN, PSH, SNAPLEN, SYN

SCRIPTS = 200
STREAMS = 100
"""Transactions of one connection."""
TOGETHER = 6
"""Requests that a client sends at once, at the most."""
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, ACKNOWLEDGED = b"\0\0\6\4\0\0\0\0\0\0\3\0\0\0\x64", b"\0\0\0\4\1\0\0\0\0"
HEADERS, DATA, END_STREAM, END_HEADERS = 1, 0, 1, 4
AGENTS = ("okhttp/4.12.0", "curl/8.5.0", "python-httpx/0.27.0", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X)")
PATHS = ("/v1/products/%d", "/v1/orders/%d", "/v1/carts/%d/items", "/v1/search?page=%d&size=20")


class Script(NamedTuple):
    """What goes over one connection."""

    rounds: list[tuple[bytes, bytes]]
    """(what the client sends, what the server sends), in turn"""


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One frame (RFC 9113 4.1)."""
    return struct.pack(">IBI", len(payload) << 8 | kind, flags, stream) + payload


def make_script(rng: Random) -> Script:
    """One connection of STREAMS requests."""
    asking, answering = hpack.Encoder(), hpack.Encoder()
    ordinary = [(":method", "GET"), (":scheme", "http"), (":authority", "api.shop.test"), ("user-agent", rng.choice(AGENTS))]
    ordinary += [("accept", "application/json"), ("authorization", f"Bearer {rng.getrandbits(128):032x}")]
    rounds, stream = [(PREFACE + SETTINGS, SETTINGS + ACKNOWLEDGED), (ACKNOWLEDGED, b"")], 1
    while stream < 2 * STREAMS:
        asked, answered = b"", b""
        for _ in range(min(rng.randint(1, TOGETHER), (2 * STREAMS + 1 - stream) // 2)):
            own = [(":path", rng.choice(PATHS) % rng.randrange(10_000)), ("x-request-id", f"{rng.getrandbits(64):016x}")]
            asked += frame(
                HEADERS, END_HEADERS | END_STREAM, stream, asking.encode(ordinary[:3] + own[:1] + ordinary[3:] + own[1:])
            )
            body = b'{"id":%d,"stock":%d}' % (stream, rng.randrange(1_000)) * rng.randint(1, 8)
            fields = [(":status", "200" if rng.random() < 0.97 else "404"), ("content-type", "application/json")]
            fields += [("content-length", str(len(body))), ("date", "Tue, 03 Mar 2026 09:00:00 GMT"), ("server", "nginx")]
            answered += frame(HEADERS, END_HEADERS, stream, answering.encode(fields)) + frame(DATA, END_STREAM, stream, body)
            stream += 2
        rounds.append((asked, answered))
    return Script(rounds)


def records_of(script: Script, number: int, now: int) -> list[bytes]:
    """The packets of one connection, as they stand in the file."""
    client = bytes((100, 64 + (number >> 16 & 63), number >> 8 & 255, number & 255))
    server, ports = bytes((10, 20, 0, 10)), (1024 + number % 64_000, 80)
    up = Direction(client, server, struct.pack(">HH", *ports), b"", number * 7919)
    down = Direction(server, client, struct.pack(">HH", *ports[::-1]), b"", number * 104_729)
    found = [up.packet(now, b"", 0, SYN)]
    up.sequence += 1
    found.append(down.packet(now + 20, b"", up.sequence, SYN | ACK))
    down.sequence += 1
    found.append(up.packet(now + 40, b"", down.sequence, ACK))
    for asked, answered in script.rounds:
        for sender, receiver, data in ((up, down, asked), (down, up, answered)):
            for at in range(0, len(data), 1460):
                now += 30
                found.append(sender.packet(now, data[at : at + 1460], receiver.sequence, ACK | PSH))
    found.append(up.packet(now + 50, b"", down.sequence, ACK | FIN))
    up.sequence += 1
    found.append(down.packet(now + 70, b"", up.sequence, ACK | FIN))
    return found


def write_http2_load(path: Path | str, transactions: int, seed: int = 1) -> tuple[dict[str, int], list[Script]]:
    """Write a pcap of about so many transactions: the true counts of what is in it, and the scripts that it repeats."""
    rng = Random(seed)
    connections = -(-transactions // STREAMS)
    scripts = [make_script(rng) for _ in range(min(SCRIPTS, connections))]
    counts = {"packets": 0, "bytes": 0, "transactions": connections * STREAMS, "connections": connections}
    with Path(path).open("wb", buffering=1 << 20) as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, SNAPLEN, ETHERNET))
        for number in range(connections):
            records = records_of(scripts[number % len(scripts)], number, START + number * 5_000)
            file.write(b"".join(records))
            counts["packets"] += len(records)
        counts["bytes"] = file.tell() - 24 - 16 * counts["packets"]
    return counts, scripts


def plain_rate(scripts: list[Script]) -> float:
    """Transactions a second of a loop over hyperframe and hpack, which decodes the same bytes and keeps nothing."""
    begin = time.perf_counter()
    for script in scripts:
        for side in range(2):
            data = b"".join(round_[side] for round_ in script.rounds).removeprefix(PREFACE)
            decoder, at = hpack.Decoder(), 0
            view = memoryview(data)
            while at < len(data):
                found, length = Frame.parse_frame_header(view[at : at + 9])
                found.parse_body(view[at + 9 : at + 9 + length])
                at += 9 + length
                if isinstance(found, HeadersFrame | ContinuationFrame):
                    decoder.decode(found.data)
    return len(scripts) * STREAMS / (time.perf_counter() - begin)
