"""The interfaces of a live run: opened, looked after while they go down, away and come back, and closed."""

import dataclasses
import select
import socket
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from sensor.budget import memory_bytes
from sensor.capture.files import CaptureError, Chunk
from sensor.capture.ring import Ring
from sensor.capture.sniffer import Sniffer
from sensor.core.reasons import REASON, REASONS, named
from sensor.hygiene import hygiene
from sensor.service import WARNING
from sensor.settings import Live as LiveSettings

HAS_RINGS = hasattr(socket, "AF_PACKET")
R_SEEN, R_DROPPED, R_FRAMES = REASON["kernel_frames"], REASON["kernel_dropped"], REASON["frames"]
BLOCKS_IN_TURN = 64
"""Blocks of one interface before the others and the clock have their turn."""


@dataclasses.dataclass(slots=True)
class Tap:
    """One interface, whether it is there or not."""

    name: str
    rings: list[Ring | Sniffer]
    """between which the operating system shares its packets; empty while it is away"""
    counters: np.ndarray
    """uint64[rings, len(REASONS)]: what was counted of its packets, up to their transport layer"""
    trouble: str = ""
    """`down`, `gone` or nothing"""
    packets: int = 0
    size: int = 0
    """bytes on the wire"""
    passed: int = 0
    """frames that passed the filter, as the operating system counts"""
    dropped: int = 0
    """frames of these that found no room in the ring"""

    @property
    def waiting(self) -> float:
        """Share of its fullest ring that waits to be taken."""
        return max((ring.filled / ring.blocks for ring in self.rings), default=0.0)

    def counted(self) -> dict[str, int]:
        """All that was counted of it, by name."""
        counters = self.counters.sum(axis=0)
        counters[R_SEEN], counters[R_DROPPED] = self.passed, self.dropped
        return named(counters)

    def summary(self) -> dict:
        """Its part of what is told at the end."""
        figures = [figure.as_dict() for figure in hygiene(self.counted())]
        by_ring = [int(counters[R_FRAMES]) for counters in self.counters]
        return {"packets": self.packets, "by_ring": by_ring, "bytes": self.size, "dropped": self.dropped, "hygiene": figures}


class Taken(NamedTuple):
    """A chunk of packets, and where it comes from."""

    tap: Tap
    chunk: Chunk
    number: int
    """of the ring among those of the interface"""
    give_back: Callable[[], None]
    """to be called before long, once nobody reads the chunk any more"""


class Taps:
    """All of them. Raises CaptureError, FilterError or ConfigError on opening, and nothing later.

    rings: how many each interface has; say: called with (level, one line).
    """

    def __init__(self, settings: LiveSettings, rings: int, say: Callable[[int, str], None]):
        self._settings, self._say = settings, say
        self._rings = rings
        self._poller = select.poll()
        self.all = [Tap(name, [], np.zeros((rings, len(REASONS)), np.uint64)) for name in settings.interfaces]
        for tap in self.all:
            self._open(tap)

    @property
    def packets(self) -> int:
        """Frames that were taken so far."""
        return sum(tap.packets for tap in self.all)

    def take(self) -> Iterator[Taken]:
        """What waits, some of each interface, a block of each of its rings in turn."""
        for tap in self.all:
            for _ in range(BLOCKS_IN_TURN):
                before = tap.packets
                for number, ring in enumerate(tap.rings):
                    chunk = ring.take()
                    if chunk is not None:
                        tap.packets += len(chunk.frames)
                        tap.size += int(chunk.frames["wire"].sum())
                        yield Taken(tap, chunk, number, ring.give_back)
                if tap.packets == before:
                    break

    def wait(self, milliseconds: int) -> bool:
        """Wait for packets of any: whether there are some."""
        return bool(self._poller.poll(milliseconds))

    def look_after(self, unused: Callable[[], None]) -> None:
        """See whether they are still there, or there again. unused: makes sure that nobody reads a ring any more."""
        for tap in self.all:
            trouble = self._state(tap, unused)
            if trouble != tap.trouble:
                tap.trouble = trouble
                self._say(WARNING, f"The interface {tap.name} is {trouble or 'back'}".rstrip(".") + ".")

    def count(self) -> None:
        """Ask the operating system what it passed on and what it dropped."""
        for tap in self.all:
            for ring in tap.rings:
                passed, dropped = ring.statistics()
                tap.passed += passed
                tap.dropped += dropped

    def filter_by(self, settings: LiveSettings) -> None:
        """Take another filter from here on. Raises FilterError, all being as before."""
        found = [(ring, _program(settings, ring.link)) for tap in self.all for ring in tap.rings]
        for ring, program in found:
            ring.filter_by(program)
        self._settings = settings

    def no_more(self) -> None:
        """Take nothing that comes from here on."""
        for tap in self.all:
            for ring in tap.rings:
                ring.no_more()

    def close(self) -> None:
        """The rings must not be read any more."""
        for tap in self.all:
            self._close(tap)

    def _state(self, tap: Tap, unused: Callable[[], None]) -> str:
        trouble = "gone"
        if tap.rings:
            called = tap.rings[0].name
            trouble = max((ring.trouble() for ring in tap.rings), key=len)  # of each: else poll goes on telling of it
            if tap.rings[0].name != called:
                self._say(WARNING, f"The interface {called} is called {tap.rings[0].name} now.")
            if trouble == "gone":
                unused()
                self._close(tap)
        if not tap.rings:
            try:
                self._open(tap)
            except CaptureError:
                return "gone"
            except ValueError as error:  # it is of another kind now, which the filter does not fit
                return f"back, and cannot be read: {error}"
            return ""
        return trouble

    def _open(self, tap: Tap) -> None:
        settings = self._settings
        try:
            if HAS_RINGS:
                self._open_rings(tap)
            else:
                self._add(tap, Sniffer(tap.name, settings.filter))
        except Exception:
            self._close(tap)
            raise

    def _add(self, tap: Tap, ring: Ring | Sniffer) -> None:
        self._poller.register(ring.fileno(), select.POLLIN | select.POLLERR)
        tap.rings.append(ring)

    def _open_rings(self, tap: Tap) -> None:
        settings, several = self._settings, self._rings > 1
        size, group = memory_bytes(settings.ring) // self._rings, 0 if several else None
        for _ in range(self._rings):
            ring = Ring(tap.name, size, lambda link: _program(settings, link), settings.hardware_clock, group)
            self._add(tap, ring)
            group = ring.group if several else None
        for one in tap.rings if several else ():
            one.filter_by(_program(settings, one.link))

    def _close(self, tap: Tap) -> None:
        for ring in tap.rings:
            self._poller.unregister(ring.fileno())
            ring.close()
        tap.rings.clear()


def _program(settings: LiveSettings, link: int) -> list | None:
    if not settings.filter:
        return None
    from sensor.scapy_bridge import compile_bpf

    return compile_bpf(settings.filter, link)
