"""The interfaces of a live run: opened, looked after while they go down, away and come back, and closed."""

import dataclasses
import select
import socket
from collections.abc import Callable, Iterator

import numpy as np

from sensor.budget import memory_bytes
from sensor.capture.files import CaptureError, Chunk
from sensor.capture.ring import Ring
from sensor.capture.sniffer import Sniffer
from sensor.config import Live as LiveSettings
from sensor.core.reasons import REASON, REASONS, named
from sensor.service import WARNING

HAS_RINGS = hasattr(socket, "AF_PACKET")
R_SEEN, R_DROPPED = REASON["kernel_frames"], REASON["kernel_dropped"]
BLOCKS_IN_TURN = 64
"""Blocks of one interface before the others and the clock have their turn."""


@dataclasses.dataclass(slots=True)
class Tap:
    """One interface, whether it is there or not."""

    name: str
    ring: Ring | Sniffer | None = None
    trouble: str = ""
    """`down`, `gone` or nothing"""
    packets: int = 0
    size: int = 0
    """bytes on the wire"""
    passed: int = 0
    """frames that passed the filter, as the operating system counts"""
    dropped: int = 0
    """frames of these that found no room in the ring"""
    counters: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(len(REASONS), np.uint64))
    """what was counted of its packets, up to their transport layer"""

    @property
    def waiting(self) -> float:
        """Share of its ring that waits to be taken."""
        return self.ring.filled / self.ring.blocks if self.ring else 0.0

    def counted(self) -> dict[str, int]:
        """All that was counted of it, by name."""
        counters = self.counters.copy()
        counters[R_SEEN], counters[R_DROPPED] = self.passed, self.dropped
        return named(counters)


class Taps:
    """All of them. Raises CaptureError, FilterError or ConfigError on opening, and nothing later.

    say: called with (level, one line).
    """

    def __init__(self, settings: LiveSettings, say: Callable[[int, str], None]):
        self._settings, self._say = settings, say
        self._poller = select.poll()
        self.all = [Tap(name) for name in settings.interfaces]
        for tap in self.all:
            self._open(tap)

    @property
    def packets(self) -> int:
        """Frames that were taken so far."""
        return sum(tap.packets for tap in self.all)

    def take(self) -> Iterator[tuple[Tap, Chunk]]:
        """What waits, some of each interface. A chunk's ring must be given it back before long."""
        for tap in self.all:
            for _ in range(BLOCKS_IN_TURN):
                chunk = tap.ring.take() if tap.ring is not None else None
                if chunk is None:
                    break
                tap.packets += len(chunk.frames)
                tap.size += int(chunk.frames["wire"].sum())
                yield tap, chunk

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
            if tap.ring is not None:
                passed, dropped = tap.ring.statistics()
                tap.passed += passed
                tap.dropped += dropped

    def filter_by(self, settings: LiveSettings) -> None:
        """Take another filter from here on. Raises FilterError, all being as before."""
        found = [(tap.ring, _program(settings, tap.ring.link)) for tap in self.all if tap.ring is not None]
        for ring, program in found:
            ring.filter_by(program)
        self._settings = settings

    def no_more(self) -> None:
        """Take nothing that comes from here on."""
        for tap in self.all:
            if tap.ring is not None:
                tap.ring.no_more()

    def close(self) -> None:
        """The rings must not be read any more."""
        for tap in self.all:
            self._close(tap)

    def _state(self, tap: Tap, unused: Callable[[], None]) -> str:
        trouble = "gone"
        if tap.ring is not None:
            called = tap.ring.name
            trouble = tap.ring.trouble()
            if tap.ring.name != called:
                self._say(WARNING, f"The interface {called} is called {tap.ring.name} now.")
            if trouble == "gone":
                unused()
                self._close(tap)
        if tap.ring is None:
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
        if HAS_RINGS:
            size = memory_bytes(settings.ring)
            tap.ring = Ring(tap.name, size, lambda link: _program(settings, link), settings.hardware_clock)
        else:
            tap.ring = Sniffer(tap.name, settings.filter)
        self._poller.register(tap.ring.fileno(), select.POLLIN | select.POLLERR)

    def _close(self, tap: Tap) -> None:
        if tap.ring is not None:
            self._poller.unregister(tap.ring.fileno())
            tap.ring.close()
            tap.ring = None


def _program(settings: LiveSettings, link: int) -> list | None:
    if not settings.filter:
        return None
    from sensor.scapy_bridge import compile_bpf

    return compile_bpf(settings.filter, link)
