"""A gzip reader that gives everything before the damage (RFC 1952); Python's own loses the piece in which it finds it."""

import io
import zlib
from typing import BinaryIO

PIECE = 16_384
"""Compressed bytes taken at once."""


class GzipReader(io.RawIOBase):
    """Decompressed bytes of all members of a gzip file. Raises zlib.error or EOFError once all that can be had was read."""

    def __init__(self, compressed: BinaryIO):
        self._compressed = compressed
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._input = b""
        self._output = b""
        self._begun = False
        self._error: Exception | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, target) -> int:
        view = memoryview(target).cast("B")
        done = 0
        while done < len(view) and (self._output or self._refill(len(view) - done)):
            part = self._output[: len(view) - done]
            view[done : done + len(part)] = part
            self._output = self._output[len(part) :]
            done += len(part)
        if not done and len(view) and self._error is not None:
            raise self._error
        return done

    def _refill(self, size: int) -> bool:
        """Decompress some more: False at the end or at the damage."""
        while not self._output and self._error is None:
            if self._inflate.eof:
                self._input = self._inflate.unused_data + self._compressed.read(PIECE)
                if not self._input.startswith(b"\x1f\x8b"):
                    return False  # the end, or padding behind the last member
                self._inflate, self._begun = zlib.decompressobj(zlib.MAX_WBITS | 16), True
            piece = self._input or self._compressed.read(PIECE)
            self._input = b""
            if not piece:
                self._error = EOFError("the stream ends early")
                self._output = self._inflate.flush()
                return bool(self._output)
            self._decompress(piece, size)
        return bool(self._output)

    def _decompress(self, piece: bytes, size: int) -> None:
        """Decompress a piece; a damaged one byte by byte, to lose none before the damage."""
        before = self._inflate.copy()
        try:
            self._output = self._inflate.decompress(piece, size)
            self._input = self._inflate.unconsumed_tail
        except zlib.error as error:
            self._error = error
            parts = []
            try:
                for k in range(len(piece)):
                    parts.append(before.decompress(piece[k : k + 1]))
            except zlib.error:
                pass
            self._output = b"".join(parts)
