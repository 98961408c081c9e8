"""Decoding in lanes, each with a decoder of its own: one for captures, and one for each ring that an interface has.

The operating system shares packets out between the rings of an interface so that a connection stays in one
(sensor.capture.ring): fragments, duplicates and VLAN tags of one direction only are known to the lane that sees them all.
"""

import concurrent.futures
import re
import time
from collections.abc import Callable

import msgspec
import numpy as np

from sensor.capture.files import Chunk
from sensor.capture.filter import Filter
from sensor.core.reasons import REASON, REASONS
from sensor.packets.decode import decode, new_decoder
from sensor.packets.encap import CAPACITY, encap_texts
from sensor.settings import Capture

SPLIT = (
    "Traffic comes through tunnels over UDP: the operating system may put the two directions of a connection into different "
    "rings. Set live.fanout = 1 if requests are told without their responses."
)
OVER_UDP = re.compile(r"\b(vxlan|geneve|gtp|teredo|ayiya)\b")
R_FILTERED = REASON["filtered"]


class Lane:
    """One decoder, whose chunks are decoded in turn: at once, or in a thread of its own."""

    def __init__(
        self, number: int, settings: Capture, fragment_bytes: int, seed: np.uint64, filter_: Filter | None, apart: bool
    ):
        self.counters = np.zeros(len(REASONS), np.uint64)
        self.seconds = 0.0
        """time spent in decoding"""
        self._settings = {"fragment_bytes": fragment_bytes, **msgspec.structs.asdict(settings)}
        self._seed, self._filter = seed, filter_
        self._base = np.uint32(number * CAPACITY)
        self._thread = concurrent.futures.ThreadPoolExecutor(1) if apart else None
        self.reset()

    def reset(self) -> None:
        """Forget all traffic."""
        self._decoder = new_decoder(**self._settings)

    def take(
        self, chunk: Chunk, first: int, packets: np.ndarray, joined: np.ndarray, counters: np.ndarray | None
    ) -> Callable[[], int]:
        """Decode a chunk into packets (PACKET[>= frames]) and its side buffer: what waits for it, and tells how many there are.

        first: number of its first frame; counters: as of Pipeline.take.
        """
        if self._thread is not None:
            return self._thread.submit(self._decode, chunk, first, packets, joined, counters).result
        found = self._decode(chunk, first, packets, joined, counters)
        return lambda: found

    def encaps(self) -> list[str]:
        """The text of PACKET.encap, from the lane's first on."""
        return encap_texts(self._decoder.encaps)

    def close(self) -> None:
        if self._thread is not None:
            self._thread.shutdown()

    def _decode(self, chunk: Chunk, first: int, packets: np.ndarray, joined: np.ndarray, counters: np.ndarray | None) -> int:
        begin, before, frames = time.perf_counter(), self.counters.copy(), chunk.frames
        if self._filter is not None:
            frames = self._filter.apply(chunk.data, frames)
            self.counters[R_FILTERED] += np.uint64(len(chunk.frames) - len(frames))
        found = int(decode(self._decoder, chunk.data, frames, first, self._seed, packets, joined, self.counters))
        if self._base:
            packets["encap"][:found] += self._base
        if counters is not None:
            counters += self.counters - before
        self.seconds += time.perf_counter() - begin
        return found


def all_encaps(lanes: list[Lane]) -> list[str]:
    """The text of PACKET.encap by its value, over all lanes."""
    texts: list[str] = []
    for number, lane in enumerate(lanes):
        texts += [""] * (number * CAPACITY - len(texts))
        texts += lane.encaps()
    return texts


def trouble_of(lanes: list[Lane]) -> str:
    """A sentence where connections are shared out by ports that do not tell them apart; else nothing."""
    if len(lanes) > 1 and any(OVER_UDP.search(text) for lane in lanes for text in lane.encaps()):
        return SPLIT
    return ""
