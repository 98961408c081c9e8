"""Compiles every kernel of the replay path before the first real packet, or loads it from the cache."""

import contextlib
import ctypes
import io
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from detectors.base import View, find_detectors
from parsers.body.operations import find_operations
from parsers.http.consume import consume, take_output
from parsers.http.state import HttpLimits, new_http
from sensor.capture.blocks import BLOCK_HEADER, index_block
from sensor.capture.files import CaptureFile
from sensor.core.cache import CACHE_FOLDER, PROJECT, is_cached
from sensor.core.modules import put_modules_away
from sensor.core.reasons import REASONS
from sensor.core.records import DELIVERY, FRAME, PACKET, TRANSACTION, Batch
from sensor.core.wide import SLACK
from sensor.intent.actors import Actors, Judge
from sensor.intent.sessions import SESSION
from sensor.inventory.analyse import Inventory
from sensor.inventory.endpoints import new_endpoints
from sensor.inventory.merging import rehearse
from sensor.inventory.samples import grant_samples, new_grants
from sensor.inventory.values import VALUE
from sensor.packets.decode import decode, new_decoder
from sensor.pipeline import Pipeline
from sensor.settings import Config
from sensor.streams.reassemble import age, finish, reassemble
from sensor.streams.state import StreamLimits, new_streams


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
    response = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{"a":1}'
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


def _compile_parser() -> None:
    """The parser's kernels."""
    counters = np.zeros(len(REASONS), np.uint64)
    http = new_http(HttpLimits(connections=16, pending=16, text_bytes=1 << 16), (1, 2), counters)
    nothing = np.zeros(SLACK, np.uint8)
    consume(http, np.zeros(1, DELIVERY), 0, 0, np.zeros(1, PACKET), nothing, nothing, nothing)
    take_output(http)


def _compile_detectors() -> None:
    """The detectors' kernels, on no input."""
    view = View(Batch(np.zeros(0, TRANSACTION), np.zeros(SLACK, np.uint8), 0), np.zeros(0, VALUE), new_endpoints())
    for kind in find_detectors().values():
        kind().update(view)


def _compile_packets() -> None:
    """The kernels of captures, packets and streams."""
    counters = np.zeros(len(REASONS), np.uint64)
    streams = new_streams(StreamLimits(connections=16, held_bytes=1 << 16), counters)
    nothing, packets = np.zeros(SLACK, np.uint8), np.zeros(1, PACKET)
    reassemble(streams, packets, 0, 0, nothing, nothing, 0, 1)
    finish(streams)
    age(streams, 0)
    index_block(np.zeros(BLOCK_HEADER + SLACK, np.uint8), 0, 1, np.zeros(1, FRAME))
    decode(new_decoder(), nothing, np.zeros(0, FRAME), 0, np.uint64(1), packets, nothing, counters)
    for example in (example_capture()[:24], example_pcapng()):
        list(CaptureFile("example", io.BytesIO(example)).chunks())


def _compile_inventory() -> None:
    """The kernels of the inventory, of actors and of the store's encoder."""
    inventory = Inventory((1, 2))
    rehearse()
    empty = Batch(np.zeros(0, TRANSACTION), np.zeros(SLACK, np.uint8), 0)
    batch, _, wire = inventory.analyse(find_operations(empty))
    inventory.read_answers(batch)
    grant_samples(batch.rows, new_grants(), 1, np.zeros(len(REASONS), np.uint64))
    Actors().taken(empty, np.zeros(0, VALUE))
    Judge().rows(np.zeros(1, SESSION))
    _EncodeSink().transactions(batch, wire, [""], "")


M_MMAP_THRESHOLD, LARGE = -3, 1 << 20
"""Arrays of so many bytes are mapped on their own, whatever was freed before: zeros that nobody wrote then take no memory. Left
alone, glibc takes ever larger ones from its heap once some were freed, and writes their zeros: 130 MB for the inventory."""
PARTS = {
    "parser": _compile_parser,
    "inventory": _compile_inventory,
    "detectors": _compile_detectors,
    "packets": _compile_packets,
}
"""What processes of their own compile in a cold start."""


def ready_kernels(config: Config, store: bool, say: Callable[[str], None]) -> None:
    """`warm_up`, told to whoever waits for it."""
    cold = not is_cached()
    if cold:
        say("Compiling the kernels for this machine, once; this takes one to three minutes.")
    seconds = warm_up(config, store)
    if cold:
        say(f"Compiled in {seconds:.0f} s, kept in {CACHE_FOLDER}.")


def warm_up(config: Config, store: bool = False) -> float:
    """Have all kernels ready: seconds that it took. store: whether rows will go to one.

    A cold start compiles in processes of its own, at once: Numba compiles one kernel at a time in each, and what that
    takes, half a gigabyte each, is gone with them. The kernels are then found in the cache. An example goes through a pipeline.
    """
    begin = time.perf_counter()
    with contextlib.suppress(OSError, AttributeError):  # another C library than glibc
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE)
    if not is_cached():
        # The very same files: kernels of others, as in a checkout in the working folder, would be kept under other names.
        command, environment = [sys.executable, "-P", "-m", "sensor.warmup"], os.environ | {"PYTHONPATH": str(PROJECT)}
        with contextlib.ExitStack() as all_parts:  # what one of them fails at is compiled here
            for part in PARTS:
                quiet = subprocess.DEVNULL
                all_parts.enter_context(subprocess.Popen([*command, part], env=environment, stdout=quiet, stderr=quiet))
    pipeline = Pipeline(Config(detectors=config.detectors), (1, 2), [_EncodeSink()] if store else [])
    for example in (example_capture(), example_pcapng()):
        pipeline.run(CaptureFile("example", io.BytesIO(example)))
    pipeline.finish("example")
    pipeline.alerts()
    put_modules_away()
    return time.perf_counter() - begin


if __name__ == "__main__":
    PARTS[sys.argv[1]]()
