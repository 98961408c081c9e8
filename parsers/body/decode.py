"""Content codings of samples undone (RFC 9110 8.4.1), never beyond the sample's limit: a bomb costs no more than a body."""

import io
import zlib

import brotli
import numpy as np
import zstandard

from sensor.core.reasons import REASON
from sensor.core.records import CODING, Batch
from sensor.core.wide import SLACK

DECODED_BYTES = 16 << 20
"""What is decoded of one batch comes to no more."""
R_UNDECODED = REASON["body_undecoded"]
ZSTD_WINDOW = 8 << 20
"""Bytes of the largest window that HTTP allows (RFC 9659)."""


def _inflate(data: bytes, limit: int, window: int) -> bytes:
    return zlib.decompressobj(window).decompress(data, limit)


def _gzip(data: bytes, limit: int) -> bytes:
    return _inflate(data, limit, 31)


def _deflate(data: bytes, limit: int) -> bytes:
    """In zlib's format as the standard says, or raw as some senders do."""
    try:
        return _inflate(data, limit, zlib.MAX_WBITS)
    except zlib.error:
        return _inflate(data, limit, -zlib.MAX_WBITS)


def _brotli(data: bytes, limit: int) -> bytes:
    return brotli.Decompressor().process(data, output_buffer_limit=limit)[:limit]


def _zstd(data: bytes, limit: int) -> bytes:
    return zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW).stream_reader(io.BytesIO(data)).read(limit)


DECODERS = {CODING["gzip"]: _gzip, CODING["deflate"]: _deflate, CODING["br"]: _brotli, CODING["zstd"]: _zstd}


def decode_sample(data: bytes, coding: int, limit: int) -> bytes | None:
    """The first `limit` bytes of a body whose sample is `data`; None when it is not coded as it says."""
    try:
        decoder = DECODERS[coding]
        return decoder(data, limit + 1)
    except (KeyError, zlib.error, brotli.error, zstandard.ZstdError):
        return None


def decode_bodies(batch: Batch, side: str, chosen: np.ndarray, limit: int, counters: np.ndarray) -> Batch:
    """The batch with the samples of `side` (request or response) of the rows `chosen` decoded, at most `limit` bytes of each.

    A sample that cannot be decoded goes, and is counted; so do those for which DECODED_BYTES leave no room.
    """
    rows = batch.rows
    at, length, coding, partial = (f"{side}_{name}" for name in ("body_at", "body_len", "coding", "partial"))
    chosen = chosen[(rows[length][chosen] > 0) & (rows[coding][chosen] != 0)]
    if not len(chosen):
        return batch
    parts, end = [batch.bodies[: batch.bodies_used].tobytes()], batch.bodies_used
    for index in chosen.tolist():
        row = rows[index]
        found = None
        if end - batch.bodies_used + limit <= DECODED_BYTES:
            found = decode_sample(batch.body(index, f"{side}_body"), int(row[coding]), limit)
        if found is None:
            counters[R_UNDECODED] += np.uint64(1)
            row[length], row[partial] = 0, 1
            continue
        kept = found[:limit]
        row[at], row[length], row[coding] = end, len(kept), 0
        row[partial] |= len(found) > limit
        parts.append(kept)
        end += len(kept)
    bodies = np.frombuffer(bytearray().join([*parts, bytes(SLACK)]), np.uint8)
    return Batch(rows, batch.arena, batch.used, bodies, end)
