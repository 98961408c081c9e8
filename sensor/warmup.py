"""Compiles every kernel of the replay path before the first real packet, or loads it from the cache."""

import io
import struct
import time

import numpy as np

from sensor.capture.files import CaptureFile
from sensor.config import Config
from sensor.core.records import Batch
from sensor.pipeline import Pipeline


def _frame(to_server: bool, seq: int, ack: int, flags: int, payload: bytes) -> bytes:
    """An Ethernet frame of a made-up connection, without checksums."""
    ends = [(b"\x0a\x00\x00\x01", 40_000), (b"\x0a\x00\x00\x02", 80)]
    (source, source_port), (target, target_port) = ends if to_server else ends[::-1]
    tcp = struct.pack(">HHIIBBHHH", source_port, target_port, seq, ack, 0x50, flags, 8192, 0, 0) + payload
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, source, target)
    return bytes(12) + b"\x08\x00" + ip + tcp


def example_capture() -> bytes:
    """A pcap file of one small conversation that touches every stage: a log-in with a query, and its answer."""
    request = b"POST /login/1?user=2 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\nContent-Length: 0\r\n\r\n"
    response = b"HTTP/1.1 401 Unauthorized\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n"
    frames = [
        _frame(True, 0, 0, 2, b""),
        _frame(False, 0, 1, 18, b""),
        _frame(True, 1, 1, 24, request),
        _frame(False, 1, 1 + len(request), 24, response),
    ]
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1)
    return header + b"".join(struct.pack("<IIII", k, 0, len(f), len(f)) + f for k, f in enumerate(frames))


def example_pcapng() -> bytes:
    """A pcapng file without a packet."""
    section = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    return section + struct.pack("<IIHHII", 1, 20, 1, 0, 0, 20)


class _EncodeSink:
    """Compiles the store's encoder too, without a store."""

    def transactions(self, batch: Batch, wire: dict, encaps: list[str], capture: str) -> None:
        from sensor.store.encode import encode_transactions

        encode_transactions(batch.rows, batch.arena, "", "", ([""], np.zeros(len(batch.rows), np.uint32)), encaps)


def warm_up(config: Config, store: bool = False) -> float:
    """Run the examples through a pipeline of their own: seconds that it took. store: whether rows will go to one."""
    begin = time.perf_counter()
    pipeline = Pipeline(Config(detectors=config.detectors), (1, 2), [_EncodeSink()] if store else [])
    for example in (example_capture(), example_pcapng()):
        pipeline.run(CaptureFile("example", io.BytesIO(example)))
    pipeline.finish("example")
    pipeline.alerts()
    return time.perf_counter() - begin
