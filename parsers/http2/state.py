"""State of the HTTP/2 parser of one worker: arrays made once."""

import numpy as np

from parsers.http2.huffman import huffman_steps
from sensor.core.bundle import Bundle
from sensor.core.chain import free_list
from sensor.core.wide import SLACK

# Sizes of rings are powers of two: places in them are found by a mask.
TABLE_SIZE = 4_096
"""Size of a dynamic table until its encoder says otherwise (RFC 9113 6.5.2), and bytes kept of every table."""
LARGE_TABLE = 65_536
"""Bytes kept of a table that was made larger, the most that browsers offer; what is older is unknown."""
ENTRY_OVERHEAD = 32
"""What an entry counts beyond its bytes (RFC 7541 4.1)."""
LARGE_PART = 16
"""One table in so many can be large at the same time."""
BLOCK_LIMIT = 65_536
"""Bytes of one header block, encoded; servers stop at 8 to 64 KiB."""
FIELDS_LIMIT = 65_536
"""Its bytes decoded. A block of one-byte references to a large entry (an HPACK bomb) must not cost more."""
CONTINUATION_LIMIT = 64
"""CONTINUATION frames of one block; a flood of empty ones (CVE-2024-27316) would go on for ever."""
FRAME_LIMIT = 1 << 20
"""Payload bytes of a frame that are believed; 16 KiB unless a peer allows more, which servers rarely do beyond 1 MiB."""
BUCKETS = 64
"""Places of a connection's table of streams. Stream numbers are given out in order: they spread evenly."""
STREAM_LIMIT = 256
"""Streams of one connection that are open at once: servers allow 100 to 250."""
NO_SLOT = -1
UNKNOWN = 0xFFFFFFFF
"""Length of a name that refers to an entry that was never seen."""

CONNECTION = np.dtype([
    ("entry", "<i4"),      # entry of the connection table, -1 free
    ("next", "<i4"),       # of the free list
    ("used", "<i8"),       # number of the delivery that last used it
    ("preamble", "<u8"),   # hash of the client's settings and window, in their order
    ("settled", "u1"),     # the client's first request was seen: its preamble is complete
    ("unseen", "u1"),      # the beginning of the client's side was not seen: its preamble is unknown
    ("first", "<u4"), ("highest", "<u4"),  # the client's streams between these were all seen; first > highest: none
    ("seen", "<u4"),       # the highest of the client's streams that a frame of either side belonged to
    ("resets", "<u4"),     # streams that the client gave up before their response was complete
])  # fmt: skip
"""What HTTP/2 adds to a connection."""

SIDE = np.dtype([
    ("state", "u1"),       # one of the states below
    ("have", "u1"),        # bytes of `header` that were seen
    ("header", "u1", (9,)),
    ("type", "u1"), ("flags", "u1"),
    ("stream", "<u4"),
    ("left", "<i8"),       # bytes of the preface or the payload still to come
    ("pad", "<i8"),        # padding at the payload's end
    ("need", "u1"),        # bytes of the payload that are read as numbers, at once
    ("got", "u1"),         # those seen
    ("numbers", "u1", (6,)),
    ("pending", "<i4"),    # transaction of the DATA frame in work, -1 none
    ("block", "u1"),       # header block in work: NO_BLOCK, WHOLE or DAMAGED
    ("block_stream", "<u4"), ("promised", "<u4"),
    ("block_ends", "u1"),  # it ends the stream
    ("opens", "u1"),       # no frame of its stream was seen before
    ("frames", "<u2"),     # CONTINUATION frames of it
    ("first_ts", "<i8"),   # ns: its first byte
])  # fmt: skip
"""One direction: where in which frame it stands."""

PREFACE, HEADER, PAYLOAD, SEARCH = range(4)
"""PREFACE: in the client's preface. HEADER: in a frame's header. PAYLOAD: behind it. SEARCH: out of step."""
NO_BLOCK, WHOLE, DAMAGED = range(3)

TABLE = np.dtype([
    ("ring", "<i8"), ("room", "<i8"),     # its bytes in `rings`, a ring
    ("entries", "<i8"), ("places", "<i8"),  # its entries in `entries`, a ring
    ("large", "<i4"),      # number of its large ring, -1 none
    ("inserted", "<i8"),   # insertions seen since it was made new
    ("count", "<i8"),      # newest entries that are kept
    ("begin", "<i8"),      # place in its ring behind the newest byte
    ("bytes", "<i8"),      # bytes in its ring
    ("size", "<i8"),       # of the kept entries as RFC 7541 4.1 counts
    ("limit", "<i8"),      # maximum size, -1 unknown
    ("missed", "<u2"),     # why there are older entries that were not seen: bits of COMPLETENESS, 0: there are none
])  # fmt: skip
"""Dynamic table of one direction: an append-only window of the insertions that were seen. References count from the newest."""

ENTRY = np.dtype([("at", "<u4"), ("label", "<u4"), ("name", "<u4"), ("value", "<u4")])
"""One entry: its place in the ring, the label of its name, bytes of its name (or UNKNOWN), bytes of its value behind it."""


class Http2(Bundle):
    """All state of one worker's HTTP/2 connections."""

    control: np.ndarray
    """int64[3]: first free slot; first free large ring; hand of the search for a slot to give up"""
    connections: np.ndarray
    """CONNECTION[slots]"""
    sides: np.ndarray
    """SIDE[2 * slots]"""
    tables: np.ndarray
    """TABLE[2 * slots]"""
    rings: np.ndarray
    """uint8[…]: TABLE_SIZE bytes for each table, then the large rings"""
    entries: np.ndarray
    """ENTRY[…]: the same for their entries"""
    large: np.ndarray
    """int32[…]: free list of the large rings"""
    buckets: np.ndarray
    """int32[slots * BUCKETS]: transactions by stream, -1 none"""
    fields: np.ndarray
    """uint8[…]: the header block in work, decoded"""
    huffman: np.ndarray
    """uint32[…]: as huffman_steps gives it"""


def places_of(size: int) -> int:
    """Entries that a table of so many bytes can hold."""
    return size // ENTRY_OVERHEAD


def bytes_per_slot() -> int:
    """Memory of one connection."""
    ring = TABLE_SIZE + places_of(TABLE_SIZE) * ENTRY.itemsize
    large = LARGE_TABLE + places_of(LARGE_TABLE) * ENTRY.itemsize
    return CONNECTION.itemsize + 2 * (SIDE.itemsize + TABLE.itemsize + ring + large // LARGE_PART) + 4 * BUCKETS


def new_http2(slots: int) -> Http2:
    """A parser without connections, for so many at once."""
    connections = np.zeros(slots, CONNECTION)
    connections["entry"], connections["next"] = -1, free_list(slots)
    large = max(1, 2 * slots // LARGE_PART)
    tables = np.zeros(2 * slots, TABLE)
    tables["large"] = -1
    return Http2(
        control=np.zeros(3, np.int64),
        connections=connections,
        sides=np.zeros(2 * slots, SIDE),
        tables=tables,
        rings=np.zeros(2 * slots * TABLE_SIZE + large * LARGE_TABLE + SLACK, np.uint8),
        entries=np.zeros(2 * slots * places_of(TABLE_SIZE) + large * places_of(LARGE_TABLE), ENTRY),
        large=free_list(large),
        buckets=np.full(slots * BUCKETS, -1, np.int32),
        fields=np.zeros(FIELDS_LIMIT + 2 * LARGE_TABLE + 8 * BLOCK_LIMIT // 5 + SLACK, np.uint8),
        huffman=huffman_steps(),
    )
