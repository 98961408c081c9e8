"""IP fragments put together, bounded in memory, time and number.

A datagram whose fragments overlap is dropped whole, as RFC 5722 demands of IPv6 and as Linux does for IPv4 since 4.19: no two
hosts agree on who wins, and no honest sender makes them. An exact repetition is passed over. What is given up is counted.
"""

import numpy as np

from sensor.core.bundle import Bundle
from sensor.core.chain import FULL, NONE, Chains, extend, free_list, new_chains, read_chain, release_chain
from sensor.core.hashing import U, mix
from sensor.core.jit import kernel
from sensor.core.reasons import REASON
from sensor.core.wide import SLACK, load_be16, load_be32
from sensor.packets.layers import FRAGMENT4, IP_FRAGMENT, MALFORMED, TRUNCATED
from sensor.packets.network import extensions, transport

DATAGRAMS = 1_024
WAYS = 8
"""Places that a new datagram may take: an expired one, else the oldest of them, gives way."""
MAX_PIECES = 64
"""Fragments of one datagram: 64 KiB in Ethernet frames are 45. An attacker would send eight bytes at a time."""
LIFETIME = 30_000_000_000
"""ns that a datagram may take to come together: what Linux allows; RFC 8200 says 60 s."""
LARGEST = 65_535
SIDE = 2 << 20
"""Bytes of datagrams that one chunk can complete."""
EXPECTING, BROKEN = 1, 2

R_FRAGMENTS, R_WHOLE, R_OVERLAP = REASON["fragments"], REASON["datagrams"], REASON["fragment_overlap"]
R_TIMEOUT, R_EVICTED, R_OVERFLOW = REASON["fragment_timeout"], REASON["fragment_evicted"], REASON["fragment_overflow"]

DATAGRAM = np.dtype([
    ("key", "<u8"),
    ("state", "u1"),     # 0: free, EXPECTING, or BROKEN: what is still to come of it is passed over
    ("header", "u1"),    # protocol, or IPv6 header, that the first fragment names
    ("pieces", "<u4"),
    ("first", "<i4"),    # first piece, -1 none
    ("received", "<i8"), # bytes
    ("reach", "<i8"),    # end of the last piece
    ("total", "<i8"),    # bytes of the whole, -1: its last fragment was not seen
    ("since", "<i8"),    # ns: first fragment seen
])  # fmt: skip
PIECE = np.dtype([("offset", "<i8"), ("length", "<i8"), ("block", "<i4"), ("next", "<i4")])


class Fragments(Bundle):
    """Datagrams that are still incomplete."""

    datagrams: np.ndarray
    """DATAGRAM[DATAGRAMS], sets of WAYS places"""
    pieces: np.ndarray
    """PIECE[…]: of a datagram in the order of their offsets"""
    chains: Chains
    """their bytes"""
    free: np.ndarray
    """int64[2]: first free piece; bytes of the side buffer in use"""


def new_fragments(size: int) -> Fragments:
    """A store for about `size` bytes of fragments."""
    pieces = np.zeros(max(64, size // 512), PIECE)
    pieces["next"] = free_list(len(pieces))
    return Fragments(np.zeros(DATAGRAMS, DATAGRAM), pieces, new_chains(size), np.zeros(2, np.int64))


def new_side() -> np.ndarray:
    """A buffer for the datagrams that one chunk completes."""
    return np.zeros(SIDE + SLACK, np.uint8)


@kernel
def empty(fragments, datagram):
    """Give back the pieces of a datagram."""
    piece = np.int64(datagram["first"])
    while piece >= 0:
        release_chain(fragments.chains, np.int64(fragments.pieces[piece]["block"]))
        following = np.int64(fragments.pieces[piece]["next"])
        fragments.pieces[piece]["next"] = fragments.free[0]
        fragments.free[0] = piece
        piece = following
    datagram["first"] = NONE


@kernel
def find_datagram(fragments, key, ts, counters):
    """Place of a datagram, begun anew where it is not known."""
    base = np.int64(key & U(DATAGRAMS // WAYS - 1)) * WAYS
    chosen = base
    for place in range(base, base + WAYS):
        datagram = fragments.datagrams[place]
        if datagram["state"] != 0 and ts - datagram["since"] > LIFETIME:
            counters[R_TIMEOUT] += U(datagram["state"] == EXPECTING)
            empty(fragments, datagram)
            datagram["state"] = 0
        if datagram["state"] != 0 and datagram["key"] == key:
            return np.int64(place)
    for place in range(base, base + WAYS):
        if fragments.datagrams[place]["state"] == 0:
            chosen = np.int64(place)
            break
        if fragments.datagrams[place]["since"] < fragments.datagrams[chosen]["since"]:
            chosen = np.int64(place)
    datagram = fragments.datagrams[chosen]
    if datagram["state"] != 0:
        counters[R_EVICTED] += U(datagram["state"] == EXPECTING)
        empty(fragments, datagram)
    datagram["key"] = key
    datagram["state"] = EXPECTING
    datagram["pieces"] = 0
    datagram["first"] = NONE
    datagram["received"] = 0
    datagram["reach"] = 0
    datagram["total"] = -1
    datagram["since"] = ts
    return chosen


@kernel
def give_up(fragments, datagram, counters, reason):
    """No part of this datagram can be trusted or kept any more."""
    counters[reason] += U(1)
    empty(fragments, datagram)
    datagram["state"] = BROKEN


@kernel
def insert_piece(fragments, datagram, offset, length, buffer, at, counters):
    """Keep a fragment's bytes in their place."""
    before, after = np.int64(NONE), np.int64(datagram["first"])
    while after >= 0 and fragments.pieces[after]["offset"] < offset:
        before, after = after, np.int64(fragments.pieces[after]["next"])
    if after >= 0 and fragments.pieces[after]["offset"] == offset and fragments.pieces[after]["length"] == length:
        return
    overlaps = after >= 0 and fragments.pieces[after]["offset"] < offset + length
    if before >= 0 and fragments.pieces[before]["offset"] + fragments.pieces[before]["length"] > offset:
        overlaps = True
    if overlaps:
        give_up(fragments, datagram, counters, R_OVERLAP)
        return
    index = fragments.free[0]
    if index < 0 or datagram["pieces"] >= MAX_PIECES:
        give_up(fragments, datagram, counters, R_OVERFLOW)
        return
    block, _ = extend(fragments.chains, NONE, 0, buffer, at, length)
    if block == FULL:
        give_up(fragments, datagram, counters, R_OVERFLOW)
        return
    piece = fragments.pieces[index]
    fragments.free[0] = piece["next"]
    piece["offset"] = offset
    piece["length"] = length
    piece["block"] = block
    piece["next"] = after
    if before < 0:
        datagram["first"] = index
    else:
        fragments.pieces[before]["next"] = index
    datagram["pieces"] += np.uint32(1)
    datagram["received"] += length
    datagram["reach"] = max(datagram["reach"], offset + length)


@kernel
def put_together(fragments, datagram, side, counters):
    """Write a complete datagram's bytes to the side buffer: their offset there, or -1 where it is full."""
    at = fragments.free[1]
    if at + datagram["total"] > SIDE:
        give_up(fragments, datagram, counters, R_OVERFLOW)
        return np.int64(-1)
    piece = np.int64(datagram["first"])
    while piece >= 0:
        part = fragments.pieces[piece]
        read_chain(fragments.chains, np.int64(part["block"]), np.int64(part["length"]), side, at + part["offset"])
        piece = np.int64(part["next"])
    fragments.free[1] = at + datagram["total"]
    empty(fragments, datagram)
    datagram["state"] = 0
    counters[R_WHOLE] += U(1)
    return at


@kernel
def take(fragments, key, ts, offset, last, header, buffer, at, end, side, counters):
    """Take one fragment, buffer[at:end]: (offset in side, bytes, header) of the datagram it completes, or (-1, 0, 0)."""
    counters[R_FRAGMENTS] += U(1)
    length = end - at
    datagram = fragments.datagrams[find_datagram(fragments, key, ts, counters)]
    if datagram["state"] == BROKEN:
        return np.int64(-1), np.int64(0), np.int64(0)
    if offset == 0:
        datagram["header"] = header
    known = datagram["total"]
    if (last and known >= 0 and known != offset + length) or (not last and known >= 0 and offset + length > known):
        give_up(fragments, datagram, counters, R_OVERLAP)
    elif offset + length > LARGEST or length == 0 or (not last and length & 7):
        give_up(fragments, datagram, counters, R_OVERFLOW)
    else:
        if last:
            datagram["total"] = offset + length
        insert_piece(fragments, datagram, offset, length, buffer, at, counters)
    if datagram["state"] != BROKEN and 0 <= datagram["total"] < datagram["reach"]:  # a piece lies behind the end
        give_up(fragments, datagram, counters, R_OVERLAP)
    if datagram["state"] == BROKEN or datagram["received"] != datagram["total"]:
        return np.int64(-1), np.int64(0), np.int64(0)
    total, first = np.int64(datagram["total"]), np.int64(datagram["header"])
    return put_together(fragments, datagram, side, counters), total, first


@kernel
def fragment(layer, fragments, buffer, at, end, packet, stack, ts, side, seed, counters):
    """A fragment's header at buffer[at]: what its datagram contains, in the side buffer, once it is complete."""
    if packet["missing"] > 0:
        return TRUNCATED, at, end
    if layer == FRAGMENT4:
        word, identity, protocol = np.int64(load_be16(buffer, at + 6)), U(packet["ip_id"]), np.int64(buffer[at + 9])
        offset, last, data = (word & 0x1FFF) * 8, not word & 0x2000, at + (np.int64(buffer[at]) & 0xF) * 4
    else:
        word, identity, protocol = np.int64(load_be16(buffer, at + 2)), load_be32(buffer, at + 4), np.int64(buffer[at])
        offset, last, data = word & 0xFFF8, not word & 1, at + 8
    if data > end:
        return MALFORMED, at, end
    named = U(protocol) << U(40) if layer == FRAGMENT4 else U(1) << U(50)
    key = mix(mix(mix(packet["src_lo"] ^ mix(packet["src_hi"])) ^ packet["dst_lo"]) ^ packet["dst_hi"] ^ stack["scope"])
    key = mix(key ^ identity ^ named ^ seed)
    found, length, header = take(fragments, key, ts, offset, last, protocol, buffer, data, end, side, counters)
    if found < 0:
        return IP_FRAGMENT, at, end
    if layer == FRAGMENT4:
        return transport(header, found, found + length, stack, 4)
    return extensions(header, side, found, found + length, stack)
