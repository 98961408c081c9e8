"""State of the reassembler: arrays made once, at sizes from the configuration."""

import dataclasses

import numpy as np

from sensor.core.bundle import Bundle
from sensor.core.chain import BLOCK, Chains, free_list, new_chains
from sensor.core.records import DELIVERY
from sensor.core.scopes import new_aliases
from sensor.core.wide import SLACK

MAX_SEGMENTS = 512
"""Segments that one side may hold back: an attacker could send every other byte and never the first."""
MAX_HELD = 1 << 20
"""Bytes that one side may hold back."""
DELIVERIES = 32_768
STORED = 8 << 20
ROOM_DELIVERIES = 16 * MAX_SEGMENTS
"""Deliveries that one packet can set free at the most: both sides of its connection and of one evicted for it, with gaps."""
ROOM_STORED = 4 * (MAX_HELD + 65_536)

MILLISECOND = 1_000_000
SECOND = 1_000_000_000
PATIENCE_ACKED = 200 * MILLISECOND
"""A hole that the receiver acknowledged was lost by the tap; it is given up after this, as the tap may reorder."""
PATIENCE_LOST = 10 * SECOND
"""A hole that nobody acknowledged will be sent again: retransmission time-outs go to several seconds."""
PATIENCE_SILENT = 2 * SECOND
"""How long bytes that the other side acknowledges, but that nothing else speaks of, hold a segment back."""
SWEEP_EVERY = 10 * SECOND
IDLE_CLOSED = 60 * SECOND
"""How long a closed connection is remembered, so that late copies of its segments do not open a new one (TIME-WAIT)."""
RESET_LINGERS = 2 * SECOND
"""How long a connection may go on after a RST, as one does whose receiver did not believe it."""
RECENT_SCOPES = 8
"""Scopes of new connections that are remembered: one may hold the other half of a connection tagged in one direction only."""
IDLE_SILENT = 60 * SECOND
"""For a connection that never carried data: half-open handshakes and scans."""
IDLE_OPEN = 300 * SECOND
WINDOW = 1 << 24
"""Farthest believable jump of sequence numbers: 16 MiB, more than any receive window in use on such links."""
FAR_LIMIT = 4
"""Segments in a row outside the window before they are believed."""

CONNECTION = np.dtype([
    ("a_hi", "<u8"), ("a_lo", "<u8"), ("b_hi", "<u8"), ("b_lo", "<u8"),  # a: who sent the first packet seen
    ("hash", "<u8"),
    ("last_ts", "<i8"),   # ns: newest packet
    ("a_port", "<u2"), ("b_port", "<u2"),
    ("scope", "<u4"),
    ("state", "u1"),      # FREE, OPEN, CLOSED, RESET
    ("carried", "u1"),    # bits of the sides that sent payload
])  # fmt: skip
FREE, OPEN, CLOSED, RESET = range(4)
"""RESET: a RST was seen. Whether its receiver believed it, only what follows tells: the connection ends if nothing does."""

SIDE = np.dtype([
    ("next", "<u4"),      # sequence number of the next byte to deliver
    ("acked", "<u4"),     # highest number that the other side acknowledged
    ("fin_seq", "<u4"),
    ("isn", "<u4"),       # initial sequence number, where the SYN was seen
    ("known", "u1"),      # `next` holds a value
    ("ack_known", "u1"),
    ("syn", "u1"),        # SYN was seen
    ("fin", "u1"),        # FIN was seen
    ("ended", "u1"),      # FIN was delivered
    ("blind", "u1"),      # the other side acknowledges bytes of this one that never come: it need not wait for them
    ("far", "u1"),        # segments in a row outside the window
    ("last_seq", "<u4"), ("last_length", "<u4"),  # the newest segment that was delivered as it came
    ("last_head", "<u8"), ("last_tail", "<u8"),   # its first and last eight bytes, or fewer
    ("first", "<i4"),     # first held segment, -1 none
    ("segments", "<u4"),  # held segments
    ("held", "<u4"),      # held bytes
    ("hole_ts", "<i8"),   # ns: since when segments are held back
])  # fmt: skip

SEGMENT = np.dtype([
    ("seq", "<u4"), ("ack", "<u4"),
    ("length", "<u4"), ("missing", "<u4"),  # bytes held; bytes behind them that the snap length cut
    ("has_ack", "u1"),
    ("block", "<i4"),     # first block, -1 none
    ("next", "<i4"),      # next segment of the side, or of the free list
    ("ts", "<i8"),
])  # fmt: skip

CONTROL = np.dtype([
    ("free_connection", "<i4"), ("free_segment", "<i4"),
    ("highest", "<i4"),   # entries ever used: nothing above it needs a look
    ("active", "<i4"),    # entries in use
    ("hand", "<i4"),      # where the search for a victim goes on
    ("sweep_at", "<i4"),  # entry at which an unfinished sweep goes on, -1: none is running
    ("deliveries", "<i4"),
    ("stored", "<i8"),    # bytes used in the side buffer
    ("now", "<i8"),       # ns: newest packet time seen
    ("next_sweep", "<i8"),
    ("order", "<i8"),     # number of the packet in work
    ("refused", "<u2"),   # of 256 new connections so many are refused, by their hash: there is more traffic than time
    ("refused_before", "<u2"),  # the most that were: such connections are taken up at their beginning alone,
    ("refused_until", "<i8"),   # ns: until then
])  # fmt: skip


class Streams(Bundle):
    """All state of one worker's reassembler."""

    control: np.ndarray
    """CONTROL[1]"""
    slots: np.ndarray
    """int32[power of two]: open addressing into connections, -1 free"""
    connections: np.ndarray
    """CONNECTION[capacity]"""
    sides: np.ndarray
    """SIDE[2 * capacity]: connection c owns 2c (what a sends) and 2c + 1 (what b sends)"""
    free_next: np.ndarray
    """int32[capacity]: chain of free connections"""
    segments: np.ndarray
    """SEGMENT[…]"""
    chains: Chains
    """bytes of the held segments"""
    aliases: np.ndarray
    """ALIAS[…]: scopes that are one network"""
    recent: np.ndarray
    """uint32[RECENT_SCOPES + 1]: scopes of the newest connections; which of them is the oldest"""
    deliveries: np.ndarray
    """DELIVERY[DELIVERIES]"""
    stored: np.ndarray
    """uint8[STORED + SLACK]: held bytes, put together again for the parser"""
    counters: np.ndarray
    """uint64[len(REASONS)]"""


@dataclasses.dataclass(frozen=True)
class StreamLimits:
    """Sizes of the reassembler of one worker."""

    connections: int = 65_536
    """connections tracked at once"""
    held_bytes: int = 16 << 20
    """bytes of out-of-order segments held at once, over all connections"""


def new_streams(limits: StreamLimits, counters: np.ndarray) -> Streams:
    """A reassembler without connections."""
    capacity, held = limits.connections, limits.held_bytes // BLOCK
    control = np.zeros(1, CONTROL)
    control["sweep_at"] = -1
    segments = np.zeros(held, SEGMENT)
    segments["next"] = free_list(held)
    return Streams(
        control=control,
        slots=np.full(1 << (2 * capacity - 1).bit_length(), -1, np.int32),
        connections=np.zeros(capacity, CONNECTION),
        sides=np.zeros(2 * capacity, SIDE),
        free_next=free_list(capacity),
        segments=segments,
        chains=new_chains(limits.held_bytes),
        aliases=new_aliases(),
        recent=np.zeros(RECENT_SCOPES + 1, np.uint32),
        deliveries=np.zeros(DELIVERIES, DELIVERY),
        stored=np.zeros(STORED + SLACK, np.uint8),
        counters=counters,
    )
