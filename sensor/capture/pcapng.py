"""Writes packets as pcapng (draft-ietf-opsawg-pcapng): one file, or a ring of files of which the oldest are removed."""

import contextlib
import os
import pathlib
import struct
import time
from typing import BinaryIO

import numpy as np

from sensor.capture.files import CaptureError
from sensor.core.jit import kernel
from sensor.core.wide import SLACK, copy

BLOCK_BYTES = 32
"""Bytes of an enhanced packet block around its packet, without padding."""
ENHANCED, INTERFACE, SECTION = 6, 1, 0x0A0D0D0A
NAME, RESOLUTION, NANOSECONDS, HARDWARE_NAME = 2, 9, 9, 4


PAUSE = 10.0
"""Seconds after a failure before the next file is begun: every attempt leaves one behind."""


@kernel
def put32(out, at, value):
    """A little-endian number."""
    for k in range(4):
        out[at + k] = value >> 8 * k & 255


@kernel
def pack_frames(chunk, frames, interfaces, out):
    """Frames (FRAME[:]) of a chunk as enhanced packet blocks into out, which has room for them: bytes written.

    interfaces: int64[:], number of the interface of each frame in the file's section.
    """
    to = np.int64(0)
    for index in range(frames.shape[0]):
        frame = frames[index]
        captured = np.int64(frame["captured"])
        size = BLOCK_BYTES + ((captured + 3) & ~3)
        put32(out, to, ENHANCED)
        put32(out, to + 4, size)
        put32(out, to + 8, interfaces[index])
        put32(out, to + 12, frame["ts"] >> 32)
        put32(out, to + 16, frame["ts"] & 0xFFFFFFFF)
        put32(out, to + 20, captured)
        put32(out, to + 24, np.int64(frame["wire"]))
        copy(out, to + 28, chunk, frame["at"], captured)
        for k in range(captured, size - BLOCK_BYTES):
            out[to + 28 + k] = 0
        put32(out, to + size - 4, size)
        to += size
    return to


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def _block(kind: int, body: bytes) -> bytes:
    size = len(body) + 12
    return struct.pack("<II", kind, size) + body + struct.pack("<I", size)


def section() -> bytes:
    """The block that a file begins with."""
    return _block(SECTION, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + _option(HARDWARE_NAME, b"tapwatch") + bytes(4))


def description(name: str, link: int) -> bytes:
    """The block that describes an interface; its times are in ns."""
    options = _option(NAME, name.encode()) + _option(RESOLUTION, bytes([NANOSECONDS])) + bytes(4)
    return _block(INTERFACE, struct.pack("<HHI", link, 0, 0) + options)


class PcapngWriter:
    """One file. Interfaces are described when their first packet comes."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self._known: dict[tuple[str, int], int] = {}
        self._room = np.zeros(1 << 20, np.uint8)
        head = section()
        file.write(head)
        self.size = len(head)
        self.packets = 0

    def write(self, chunk: np.ndarray, frames: np.ndarray, interface: str) -> None:
        """Frames of a chunk."""
        if not len(frames):
            return
        links, which = np.unique(frames["link"], return_inverse=True)
        numbers = np.array([self._number(interface, int(link)) for link in links], np.int64)
        needed = int(frames["captured"].sum()) + len(frames) * (BLOCK_BYTES + 4) + SLACK
        if len(self._room) < needed:
            self._room = np.zeros(2 * needed, np.uint8)
        used = int(pack_frames(chunk, frames, numbers[which.reshape(-1)], self._room))
        self._file.write(self._room[:used].data)
        self.size += used
        self.packets += len(frames)

    def _number(self, interface: str, link: int) -> int:
        key = interface, link
        if key not in self._known:
            self._known[key] = len(self._known)
            block = description(interface, link)
            self._file.write(block)
            self.size += len(block)
        return self._known[key]


class FileRing:
    """Packets into files of a folder, named as dumpcap names them: NAME_00001_20261125T101500.pcapng.

    A new one is begun after so many bytes or seconds; the oldest are removed, so that all together stay within `total` bytes.
    Raises CaptureError on the first file alone; later failures are told by `problem`, and capturing goes on.
    """

    def __init__(self, path: str, file_bytes: int, seconds: float, total: int):
        given = pathlib.Path(path)
        self._folder, self._stem = given.parent, given.stem
        self._file_bytes, self._seconds, self._total = file_bytes, seconds, total
        self._count, self._begun = self._last_number(), 0.0
        self._file: BinaryIO | None = None
        self._writer: PcapngWriter | None = None
        self._again = 0.0
        self.problem = ""
        try:
            self._begin()
        except OSError as error:
            raise CaptureError(f"Packets cannot be written to {given.parent}: {error.strerror}.") from None

    def files(self) -> list[pathlib.Path]:
        """All its files, oldest first."""
        return ring_files(self._folder / self._stem)

    def write(self, chunk: np.ndarray, frames: np.ndarray, interface: str) -> int:
        """Write frames: how many could not be."""
        if self._writer is None and time.monotonic() < self._again:
            return len(frames)
        try:
            if self._writer is None or self._writer.size >= self._file_bytes or time.monotonic() - self._begun >= self._seconds:
                self._begin()
            assert self._writer is not None
            self._writer.write(chunk, frames, interface)
            self.problem = ""
        except OSError as error:
            self.problem = f"Packets cannot be written to {self._folder}: {error.strerror}."
            self._close_quietly()
            self._again = time.monotonic() + PAUSE
            return len(frames)
        return 0

    def flush(self) -> None:
        """What was written can be read by others."""
        if self._file is not None:
            try:
                self._file.flush()
            except OSError as error:
                self.problem = f"Packets cannot be written to {self._folder}: {error.strerror}."

    def close(self) -> None:
        self.flush()
        self._close_quietly()

    def _begin(self) -> None:
        self._close_quietly()
        self._make_room()
        self._count += 1
        name = f"{self._stem}_{self._count:05d}_{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}.pcapng"
        self._file = os.fdopen(os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", 1 << 18)
        self._writer, self._begun = PcapngWriter(self._file), time.monotonic()

    def _close_quietly(self) -> None:
        file, self._file, self._writer = self._file, None, None
        if file is not None:
            with contextlib.suppress(OSError):  # what it could not write was counted when it was written
                file.close()

    def _make_room(self) -> None:
        found = self.files()
        sizes = [path.stat().st_size for path in found]
        while found and sum(sizes) + self._file_bytes > self._total:
            found.pop(0).unlink(missing_ok=True)
            sizes.pop(0)

    def _last_number(self) -> int:
        return max((_number_of(path, self._stem) for path in self.files()), default=0)


def ring_files(path: pathlib.Path) -> list[pathlib.Path]:
    """The files of a ring that was written as `path`, oldest first."""
    found = path.parent.glob(f"{path.stem}_[0-9]*_[0-9]*T[0-9]*.pcapng")
    return sorted(found, key=lambda one: (_number_of(one, path.stem), one.name))


def _number_of(path: pathlib.Path, stem: str) -> int:
    number = path.stem.removeprefix(stem + "_").split("_")[0]
    return int(number) if number.isdecimal() else 0
