"""Damaged captures: the bundled ones with bytes, lengths and records changed at random. Nothing raises, hangs or stays behind.

TAPWATCH_FUZZ_SECONDS: how long to go on (20); TAPWATCH_FUZZ_SEED: where to begin (1).
"""

import faulthandler
import os
import random
import struct
import time

import dpkt
import numpy as np
import pytest
from helpers import FEATURES, assert_empty, chunk_of, rows_of, small_sensor

from sensor.capture.files import CaptureError

SECONDS = float(os.environ.get("TAPWATCH_FUZZ_SECONDS", "20"))
SEED = int(os.environ.get("TAPWATCH_FUZZ_SEED", "1"))
SLOWEST = 20
"""Seconds that one capture may take; the bundled ones take milliseconds."""
FILES = sorted(path for path in FEATURES.iterdir() if not path.name.endswith(".json"))
FIELDS = (
    b"Content-Length: 7\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"\r\n",
    b"0\r\n\r\n",
    b"fff\r\n",
)
NUMBERS = (0, 1, 3, 4, 7, 8, 12, 20, 127, 128, 255, 1460, 65_535, 65_536, 262_144, 2**31 - 1, 2**31, 2**32 - 1)


def change_bytes(chance, content):
    """Flip bits, put in numbers, cut, remove, repeat, insert text; lengths stay as they were or become odd ones."""
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        at = chance.randrange(len(content) or 1)
        what = chance.randrange(7)
        if what == 0 and content:
            content[min(at, len(content) - 1)] ^= 1 << chance.randrange(8)
        elif what == 1:
            content[at : at + 4] = struct.pack(chance.choice("<>") + "I", chance.choice(NUMBERS))
        elif what == 2:
            content[at : at + 2] = struct.pack(chance.choice("<>") + "H", chance.choice(NUMBERS) & 0xFFFF)
        elif what == 3 and chance.randrange(4) == 0:
            del content[at:]
        elif what == 4:
            del content[at : at + chance.randrange(1, 40)]
        elif what == 5:
            content[at:at] = content[at : at + chance.randrange(1, 200)]
        else:
            text = chance.choice(FIELDS)
            content[at : at + chance.choice((0, len(text)))] = text
    return content


def change_frames(chance, frames):
    """Swap, drop, duplicate, cut and delay whole frames, and change bytes within them."""
    for _ in range(chance.choice((1, 2, 5, 20))):
        if not frames:
            break
        at, other, what = chance.randrange(len(frames)), chance.randrange(len(frames)), chance.randrange(6)
        ts, data = frames[at]
        if what == 0:
            frames[at], frames[other] = frames[other], frames[at]
        elif what == 1:
            del frames[at]
        elif what == 2:
            frames.insert(other, (ts, data))
        elif what == 3:
            frames[at] = (ts, data[: chance.randrange(len(data) + 1)])
        elif what == 4:
            frames[at] = (ts + chance.choice((-1, 1)) * chance.choice((10**6, 10**9, 10**11, 10**13)), data)
        else:
            frames[at] = (ts, bytes(change_bytes(chance, bytearray(data))))
    return frames


class Watch:
    """Ends the process with a traceback when one capture takes too long, even within a kernel."""

    def __enter__(self):
        faulthandler.dump_traceback_later(SLOWEST, exit=True)

    def __exit__(self, *_):
        faulthandler.cancel_dump_traceback_later()


def run_for(seconds, once):
    """Call once(number) with SEED, SEED + 1, … for so many seconds, looking at the stores now and then."""
    once(SEED)  # compiles what is not in the cache
    end, number = time.monotonic() + seconds, SEED
    while time.monotonic() < end:
        with Watch():
            try:
                once(number)
            except Exception as error:
                raise AssertionError(f"TAPWATCH_FUZZ_SEED={number}") from error
        number += 1


@pytest.mark.parametrize("size", ["large", "tiny"])
def test_damaged_files(tmp_path, size):
    sensor, path, contents = sensor_of(size), tmp_path / "x", [file.read_bytes() for file in FILES]

    def once(number):
        chance = random.Random(number)
        path.write_bytes(change_bytes(chance, bytearray(chance.choice(contents))))
        try:
            found = sensor.read(path)
        except CaptureError as error:
            assert str(error).endswith(".")
            sensor.finish()
            found = []
        check(sensor, [row for rows in found for row in rows])

    run_for(SECONDS / 4, once)


@pytest.mark.parametrize("size", ["large", "tiny"])
def test_damaged_frames(size):
    sensor, captures = sensor_of(size), []
    for file in FILES:
        if file.suffix == ".pcap":
            with file.open("rb") as stream:
                reader = dpkt.pcap.Reader(stream)
                captures.append((reader.datalink(), [(int(ts * 1_000_000_000), frame) for ts, frame in reader]))

    def once(number):
        chance = random.Random(number)
        link, frames = chance.choice(captures)
        chunk, records = chunk_of(change_frames(chance, list(frames)), link)
        records["wire"] += np.uint32(chance.choice((0, 0, 7)))
        check(sensor, rows_of(sensor.take(chunk, records), sensor.encaps) + rows_of(sensor.finish(), sensor.encaps))

    run_for(SECONDS / 4, once)


def sensor_of(size):
    return small_sensor() if size == "large" else small_sensor(connections=1, pending=2, text_bytes=1024, held_bytes=2048)


def check(sensor, rows):
    assert_empty(sensor)
    for row in rows:
        assert row["end"] >= row["ts"] or row["ts"] < 0
        assert row["request_bytes"] >= 0 and row["response_bytes"] >= 0 and row["latency_us"] >= -1
        assert 0 <= row["status"] <= 999
