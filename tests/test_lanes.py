"""Several lanes, as rings of an interface fill them: the same transactions as of one."""

import contextlib
import pathlib

import numpy as np
import pytest
from helpers import rows_of, without_order

from sensor.capture.files import FRAMES_PER_CHUNK, CaptureFile, Chunk
from sensor.core.reasons import REASONS, named
from sensor.core.records import PACKET
from sensor.lanes import SPLIT
from sensor.packets.decode import decode, new_decoder
from sensor.packets.fragments import new_side
from sensor.pipeline import Pipeline
from sensor.settings import Config

FRAMES = 64
BUDGETED = {"request_body", "response_body", "request_partial", "response_partial", "looked", "proven"}
"""What depends on which transactions of an endpoint come first."""
CAPTURES = pathlib.Path(__file__).parent.parent / "pcaps"


class Kept:
    def __init__(self):
        self.rows = []

    def transactions(self, batch, wire, encaps, capture):
        self.rows += [found | {"encap": encaps[row["encap"]]} for found, row in zip(rows_of(batch), batch.rows, strict=True)]


def by_connection(chunk: Chunk, lanes: int) -> list[Chunk]:
    """The chunk's frames shared out as the operating system does it: by a hash that is the same in both directions."""
    packets, counters = np.zeros(FRAMES_PER_CHUNK, PACKET), np.zeros(len(REASONS), np.uint64)
    decoder = new_decoder(duplicate_window_ms=0)
    found = decode(decoder, chunk.data, chunk.frames, 0, np.uint64(7), packets, new_side(), counters)
    lane = np.zeros(len(chunk.frames), np.int64)
    lane[packets["number"][:found].astype(np.int64)] = (packets["hash"][:found] % np.uint64(lanes)).astype(np.int64)
    return [Chunk(chunk.data, chunk.frames[lane == number]) for number in range(lanes)]


def cut(chunk: Chunk) -> list[Chunk]:
    """As short in time as blocks of a ring are: connections are not idle for long between two of them."""
    return [Chunk(chunk.data, chunk.frames[at : at + FRAMES]) for at in range(0, len(chunk.frames), FRAMES)]


def told(path: pathlib.Path, lanes: int, workers: int) -> tuple[list[dict], dict[str, int], str]:
    kept = Kept()
    pipeline = Pipeline(Config(workers=workers), (1, 2), [kept], lanes=lanes)
    with contextlib.closing(CaptureFile(str(path))) as capture:
        for chunk in (part for whole in capture.chunks() for part in cut(whole)):
            for number, part in enumerate(by_connection(chunk, lanes)):
                pipeline.take(part, path.name, lane=number)
                pipeline.settle()  # the file's buffers come round
    pipeline.finish(path.name)
    pipeline.close()
    found = [{name: value for name, value in row.items() if name not in BUDGETED} for row in without_order(kept.rows)]
    rows = sorted(found, key=lambda row: (row["ts"], row["client_port"], row["serial"]))
    return rows, named(pipeline.totals()), pipeline.trouble


@pytest.mark.parametrize("name", [str(path.relative_to(CAPTURES)) for path in sorted(CAPTURES.rglob("*.pcap"))])
def test_lanes_tell_what_one_tells(name):
    one, counted_one, _ = told(CAPTURES / name, 1, 1)
    several, counted, trouble = told(CAPTURES / name, 3, 2)
    assert several == one
    for reason in ("frames", "frame_bytes", "tcp", "transactions", "duplicate"):
        assert counted.get(reason) == counted_one.get(reason), reason
    assert trouble == (SPLIT if any("vxlan" in row["encap"] for row in one) else "")
