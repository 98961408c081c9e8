"""Frame headers (RFC 9113 4.1 and 6): which ones can be, and where one begins in the midst of a connection."""

import numpy as np

from parsers.http2.state import FRAME_LIMIT
from sensor.core.jit import inlined, kernel
from sensor.core.wide import load_be32, load_be64

U = np.uint64
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, HAS_PRIORITY = 0x01, 0x01, 0x04, 0x08, 0x20
HEADER_BYTES = 9
CHAINED = 3
"""Frame headers in a row that are no coincidence: each has some 30 bits that random bytes would have to hit."""
LAST_TYPE = 0x1F
"""Types beyond are in nobody's register (IANA's ends at 0x10)."""
CONNECTION_ONLY, STREAM_ONLY = 1, 2
SCOPE = np.array([STREAM_ONLY, STREAM_ONLY, STREAM_ONLY, STREAM_ONLY, CONNECTION_ONLY, STREAM_ONLY, CONNECTION_ONLY,
                  CONNECTION_ONLY, 0, STREAM_ONLY], np.uint8)  # fmt: skip
"""By type: whether it belongs to the connection (stream 0) or to a stream."""
FIXED = np.array([-1, -1, 5, 4, -1, -1, 8, -1, 4, -1], np.int64)
"""By type: the only payload length, or -1."""
FLAGS = np.array([0x09, 0x2D, 0, 0, 0x01, 0x0C, 0x01, 0, 0, 0x04], np.uint8)
"""By type: flags that have a meaning."""
PREFACE_BYTES = 24
PREFACE = np.frombuffer(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ">u8").astype(np.uint64)
PSEUDO_LAST = 14
"""Static indices 1 to 14 are pseudo-header fields, which come first in a block."""


@inlined
def is_plausible(length, kind, flags, stream):
    """Whether a frame's header can be one. stream: with its reserved bit."""
    if kind > LAST_TYPE or length > FRAME_LIMIT or stream >> 31:
        return False
    if kind > CONTINUATION:
        return True
    if SCOPE[kind] == CONNECTION_ONLY and stream != 0:
        return False
    if SCOPE[kind] == STREAM_ONLY and stream == 0:
        return False
    if FIXED[kind] >= 0 and length != FIXED[kind]:
        return False
    return not (kind == SETTINGS and (length % 6 or (flags & ACK and length)))


@kernel
def is_ordinary(buffer, at):
    """Whether the 9 bytes at `at` are a header without anything unusual, as it must be where nothing else tells of a frame."""
    length = np.int64(load_be32(buffer, at) >> U(8))
    kind, flags = np.int64(buffer[at + 3]), np.int64(buffer[at + 4])
    stream = np.int64(load_be32(buffer, at + 5))
    if kind > CONTINUATION or flags & ~FLAGS[kind]:
        return False
    if kind == HEADERS and length == 0:
        return False
    return is_plausible(length, kind, flags, stream)


@kernel
def begins_block(buffer, at, end):
    """Whether a HEADERS frame at `at` begins with a size update, a pseudo-header field, or a reference to the dynamic table
    (RFC 7541 6)."""
    flags = buffer[at + 4]
    at += HEADER_BYTES + (1 if flags & PADDED else 0) + (5 if flags & HAS_PRIORITY else 0)
    if at >= end:
        return False
    byte = buffer[at]
    if byte & 128:
        return 1 <= byte & 127 <= PSEUDO_LAST or byte & 127 > 61
    if byte & 64:
        return 1 <= byte & 63 <= PSEUDO_LAST
    if byte & 32:
        return True
    return 1 <= byte & 15 <= PSEUDO_LAST


@kernel
def begins_frames(buffer, at, end, fresh):
    """Whether frames begin at `at`. fresh: it is the beginning of a segment, where writers like to begin a frame."""
    start, count = at, 0
    while end - at >= HEADER_BYTES:
        if not is_ordinary(buffer, at):
            return False
        count += 1
        kind = buffer[at + 3]
        last = at
        at += HEADER_BYTES + np.int64(load_be32(buffer, at) >> U(8))
        if count == CHAINED:
            return True
        if at > end:
            # a block that reaches into the next segment, behind other frames or with the look of one
            return fresh and (count == 2 or (kind == HEADERS and begins_block(buffer, last, end)))
    if at != end:
        return fresh and count == 2
    if count == 2:
        return True
    return (
        count == 1
        and fresh
        and (buffer[start + 3] >= PRIORITY or (buffer[start + 3] == HEADERS and begins_block(buffer, start, end)))
    )


@kernel
def find_frames(buffer, at, end):
    """Offset of the first frame of buffer[at:end] that is none by coincidence, -1 when there is none."""
    if begins_frames(buffer, at, end, True):
        return at
    for k in range(at + 1, end - HEADER_BYTES):
        if buffer[k] == 0 and begins_frames(buffer, np.int64(k), end, False):
            return np.int64(k)
    return np.int64(-1)


@kernel
def is_preface(buffer, at, end):
    """Whether the client's preface begins here (RFC 9113 3.4)."""
    if end - at < PREFACE_BYTES:
        return False
    for k in range(3):
        if load_be64(buffer, at + 8 * k) != PREFACE[k]:
            return False
    return True
