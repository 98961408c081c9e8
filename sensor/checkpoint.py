"""What a live sensor has learned, kept in a file over restarts: arrays as they are, compressed, under one digest.

The file is replaced as a whole or not at all. It is taken up only by a program whose arrays have the same layout: a state that
was made otherwise is not guessed at.
"""

import hashlib
import os
import pathlib
from typing import Any

import msgspec
import numpy as np
import zstandard

MAGIC = b"TAPWATCH STATE 1\n"
DIGEST_BYTES = 32
LEVEL = 1
PIECE = 1 << 20
HEADER_LIMIT = 64 << 20


class CheckpointError(Exception):
    """A state that cannot be taken up, or kept; the text is a sentence for the user."""


class _Header(msgspec.Struct):
    layout: list[list[str]]
    """name, type and shape of each array, in the order in which they follow"""
    meta: dict[str, Any]


def save(path: pathlib.Path, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
    """Write arrays (C order) and what JSON can say. Raises CheckpointError; what was there before is then still there."""
    header = msgspec.json.encode(_Header(_layout(arrays), meta))
    fresh = path.with_suffix(".new")
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            out: Any = _Hashed(file, digest)
            out.write(MAGIC + len(header).to_bytes(8, "little") + header)
            with zstandard.ZstdCompressor(level=LEVEL).stream_writer(out, closefd=False) as packed:
                for array in arrays.values():
                    packed.write(_bytes_of(array))
            file.write(digest.digest())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise CheckpointError(f"What was learned cannot be kept in {path}: {error.strerror}.") from None


def load(path: pathlib.Path, arrays: dict[str, np.ndarray]) -> dict[str, Any] | None:
    """Fill the arrays as they were saved: what was saved with them; None where there is no file.

    Raises CheckpointError, the arrays then being as before.
    """
    try:
        with path.open("rb") as file:
            _check_digest(file, path)
            file.seek(len(MAGIC))
            size = int.from_bytes(file.read(8), "little")
            header = msgspec.json.decode(file.read(min(size, HEADER_LIMIT)), type=_Header)
            if header.layout != _layout(arrays):
                raise CheckpointError(f"{path} was written by another version or configuration: learning begins anew.")
            with zstandard.ZstdDecompressor().stream_reader(file, closefd=False) as packed:
                for array in arrays.values():
                    _fill(packed, _bytes_of(array))
            return header.meta
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}: learning begins anew.") from None


class _Hashed:
    """A file whose bytes are hashed on their way."""

    def __init__(self, file, digest):
        self._file, self._digest = file, digest

    def write(self, data) -> int:
        self._digest.update(data)
        return self._file.write(data)

    def flush(self, *_) -> None:
        self._file.flush()


def _layout(arrays: dict[str, np.ndarray]) -> list[list[str]]:
    return [[name, repr(array.dtype.descr), repr(array.shape)] for name, array in arrays.items()]


def _bytes_of(array: np.ndarray) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _check_digest(file, path: pathlib.Path) -> None:
    digest, left = hashlib.blake2b(digest_size=DIGEST_BYTES), os.fstat(file.fileno()).st_size - DIGEST_BYTES
    begins = left > len(MAGIC) and file.read(len(MAGIC)) == MAGIC
    digest.update(MAGIC)
    left -= len(MAGIC)
    while begins and left > 0:
        piece = file.read(min(PIECE, left))
        if not piece:
            break
        digest.update(piece)
        left -= len(piece)
    if not begins or file.read(DIGEST_BYTES) != digest.digest():
        raise CheckpointError(f"{path} is damaged: learning begins anew.")


def _fill(packed, room: memoryview) -> None:
    done = 0
    while done < len(room):
        size = packed.readinto(room[done : done + PIECE])
        if not size:
            raise EOFError  # cannot be: digest and layout are right
        done += size
