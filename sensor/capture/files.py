"""Capture files: pcap and pcapng, plain, gzip or Zstandard, from disk or standard input.

Reads large pieces into one of a few buffers and lets a kernel find the frames. A file that is cut or damaged
yields everything before the damage; `problem` then says where it stopped.
"""

import hashlib
import io
import pathlib
import struct
import sys
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from sensor.capture.gzip import GzipReader
from sensor.capture.index import GOOD, MAX_CAPTURED, PROBLEMS, Pcapng, index_pcap, index_pcapng, new_pcapng
from sensor.core.records import FRAME
from sensor.core.wide import SLACK

READ_SIZE = 1 << 20
"""Bytes read at once: larger ones fall out of the processor's cache before the kernels come to them."""
BUFFERS = 6
"""Chunks in memory: all but two of them may be in work while the next is read."""
FRAMES_PER_CHUNK = READ_SIZE // 16

_PCAP = {  # magic as little-endian number: (big endian, ns per unit, record header bytes)
    0xA1B2C3D4: (False, 1000, 16),
    0xD4C3B2A1: (True, 1000, 16),
    0xA1B23C4D: (False, 1, 16),
    0x4D3CB2A1: (True, 1, 16),
    0xA1B2CD34: (False, 1000, 24),
    0x34CDB2A1: (True, 1000, 24),
}
_PCAPNG = 0x0A0D0D0A


class CaptureError(Exception):
    """A capture that cannot be read at all; the text is a sentence for the user."""


class Chunk(NamedTuple):
    """A piece of a capture: bytes, and the frames in it."""

    data: np.ndarray
    """uint8[…]; valid until BUFFERS - 1 further chunks were taken"""
    frames: np.ndarray
    """FRAME[n]"""


class CaptureFile:
    """One capture, read once from front to back; from `stream` where that is given."""

    def __init__(self, path: str, stream: BinaryIO | None = None):
        self.name = "-" if path == "-" else pathlib.Path(path).name
        self.problem: str | None = None
        """where and why reading ended early"""
        self.consumed = 0
        """bytes of the (decompressed) capture that were indexed"""
        self._raw: Any
        self.size: int
        """bytes on disk, 0: unknown"""
        self._raw, self.size = (stream, 0) if stream is not None else _open_raw(path)
        try:
            self._stream = _decompressed(self._raw)
            head = _read_fully(self._stream, 4)
        except (OSError, EOFError, zlib.error, _zstd_error()) as error:
            raise CaptureError(f"{self.name} cannot be decompressed: {error}.") from None
        self._pcapng: Pcapng | None = None
        self._index, rest = self._recognise(head)
        size = READ_SIZE + MAX_CAPTURED + 65_536 + 64
        self._buffers = [np.zeros(size + SLACK, np.uint8) for _ in range(BUFFERS)]
        self._frames = [np.zeros(FRAMES_PER_CHUNK, FRAME) for _ in range(BUFFERS)]
        self._buffers[0][: len(rest)] = np.frombuffer(rest, np.uint8)
        self._filled = len(rest)

    def _recognise(self, head: bytes):
        """The index function for this format, and the bytes that it has still to see."""
        if not head:
            raise CaptureError(f"{self.name} is empty: give a pcap or pcapng file.")
        magic = int.from_bytes(head, "little")
        if len(head) == 4 and magic == _PCAPNG:
            self._pcapng = state = new_pcapng()
            return lambda chunk, filled, frames: index_pcapng(chunk, filled, state, frames), head
        if len(head) < 4 or magic not in _PCAP:
            raise CaptureError(f"{self.name} is no capture: give a pcap or pcapng file, plain or compressed (.gz, .zst).")
        big, unit, header = _PCAP[magic]
        rest = self._read_some(20)
        if len(rest) < 20:
            raise CaptureError(f"{self.name} ends within its file header: give a complete pcap file.")
        self.consumed = len(head) + len(rest)
        link = struct.unpack(">I" if big else "<I", rest[16:])[0] & 0xFFFF
        return lambda chunk, filled, frames: index_pcap(chunk, filled, big, unit, header, link, frames), b""

    @property
    def position(self) -> int:
        """Bytes of the file on disk that were read, for a progress bar."""
        try:
            return self._raw.tell()
        except (OSError, ValueError):
            return self.consumed

    def _read_some(self, size: int) -> bytes:
        try:
            return _read_fully(self._stream, size)
        except (OSError, EOFError, zlib.error, _zstd_error()) as error:
            self.problem = f"the compressed stream is damaged ({error})"
            return b""

    def _fill(self, buffer: np.ndarray) -> int:
        """Read behind what is in the buffer: how many bytes came, 0 at the end."""
        view = memoryview(buffer.data)[self._filled : self._filled + READ_SIZE]
        try:
            return self._stream.readinto(view) or 0
        except (OSError, EOFError, zlib.error, _zstd_error()) as error:
            self.problem = f"the compressed stream is damaged ({error})"
            return 0

    def chunks(self) -> Iterator[Chunk]:
        """All frames in order, a chunk at a time."""
        turn = 0
        while True:
            buffer, frames = self._buffers[turn], self._frames[turn]
            got = self._fill(buffer)
            self._filled += got
            count, used, problem = self._index(buffer, self._filled, frames)
            self.consumed += used
            rest = self._filled - used
            turn = (turn + 1) % BUFFERS
            self._buffers[turn][:rest] = buffer[used : self._filled]
            self._filled = rest
            if count:
                yield Chunk(buffer, frames[:count])
            if problem != GOOD:
                self._stop(PROBLEMS[problem])
                return
            if not got and not count:
                if self.problem:
                    self._stop(self.problem)
                elif rest or self._passed_over:
                    self._stop("the file ends within a record")
                return

    @property
    def _passed_over(self) -> int:
        """Bytes that were consumed of a pcapng block which is passed over and not yet complete."""
        if self._pcapng is None or not self._pcapng.file["skip"][0]:
            return 0
        return int(self._pcapng.file["length"][0] - self._pcapng.file["skip"][0])

    def _stop(self, why: str) -> None:
        self.problem = f"stopped at byte {self.consumed - self._passed_over}: {why}"

    def close(self) -> None:
        if self._raw is not sys.stdin.buffer:
            self._raw.close()


def fingerprint(paths: list[str]) -> str:
    """16 hex digits that name captures by size and first bytes, whatever the files are called."""
    digest = hashlib.blake2b(digest_size=8)
    for path in paths:
        raw, size = _open_raw(path)
        if path == "-":
            digest.update(raw.peek(4096)[:4096])
            continue
        with raw:
            digest.update(str(size).encode() + raw.read(READ_SIZE))
    return digest.hexdigest()


def _zstd_error():
    zstandard = sys.modules.get("zstandard")
    return zstandard.ZstdError if zstandard else EOFError


def _open_raw(path: str):
    """The file and its size on disk (0: unknown)."""
    if path == "-":
        return sys.stdin.buffer, 0
    try:
        raw = pathlib.Path(path).open("rb")  # noqa: SIM115  (closed by CaptureFile.close)
        return raw, pathlib.Path(path).stat().st_size
    except FileNotFoundError:
        raise CaptureError(f"{path} does not exist.") from None
    except IsADirectoryError:
        raise CaptureError(f"{path} is a folder: name the capture files in it.") from None
    except PermissionError:
        raise CaptureError(f"{path} may not be read by this user: change its permissions or run as its owner.") from None
    except OSError as error:
        raise CaptureError(f"{path} cannot be read: {error.strerror}.") from None


def _decompressed(raw):
    buffered = raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(raw, READ_SIZE)
    magic = buffered.peek(4)[:4]
    if magic[:2] == b"\x1f\x8b":
        return GzipReader(buffered)
    if magic == b"\x28\xb5\x2f\xfd":
        import zstandard

        return zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(buffered, read_across_frames=True)
    return buffered


def _read_fully(stream, size: int) -> bytes:
    parts = []
    while size and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
