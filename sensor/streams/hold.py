"""The bounded store of segments that came too early, and the deliveries they end in."""

import numpy as np

from sensor.core.chain import BLOCK, FULL, NONE, extend, read_chain, release_chain
from sensor.core.hashing import U
from sensor.core.jit import inlined, kernel
from sensor.core.reasons import REASON
from sensor.core.records import DELIVER_CONFLICT, DELIVER_DATA, DELIVER_GAP, IN_STORE
from sensor.streams.state import MAX_HELD, MAX_SEGMENTS

R_GAP, R_GAP_BYTES, R_OVERLAP, R_WINDOW = (REASON[name] for name in ("gap", "gap_bytes", "overlap", "out_of_window"))
R_CONFLICT = REASON["overlap_conflict"]
COMPARED = 8
"""Held segments that a new one is compared with: more of them over the same bytes are an attack on the processor."""


@kernel
def distance(later, earlier):
    """later - earlier in sequence space (RFC 9293 3.4): positive when `later` lies ahead, within half of the space."""
    return np.int64(np.int32(np.uint32(later) - np.uint32(earlier)))


@inlined
def deliver(streams, entry, side, kind, stored, at, length, ts):
    """Append one delivery."""
    control = streams.control[0]
    row = streams.deliveries[control["deliveries"]]
    control["deliveries"] += 1
    row["kind"] = kind
    row["direction"] = side
    row["stored"] = stored
    row["flags"] = 0
    row["connection"] = entry
    row["packet"] = -1
    row["length"] = length
    row["at"] = at
    row["ts"] = ts
    row["order"] = control["order"]


@kernel
def deliver_gap(streams, entry, side, length, ts):
    """Tell the parser that bytes will never come."""
    deliver(streams, entry, side, DELIVER_GAP, 0, 0, length, ts)
    streams.counters[R_GAP] += U(1)
    streams.counters[R_GAP_BYTES] += U(length)


@kernel
def deliver_conflict(streams, entry, side, ts):
    """Tell the parser that bytes came twice and differed: an attack on whoever reads along (Ptacek and Newsham 1998)."""
    deliver(streams, entry, side, DELIVER_CONFLICT, 0, 0, 0, ts)
    streams.counters[R_CONFLICT] += U(1)


@kernel
def differs(streams, segment, seq, source, at, length):
    """Whether the bytes that a held segment and a new one share are not the same."""
    ahead = distance(segment["seq"], seq)
    mine, its = max(ahead, 0), max(-ahead, 0)
    shared = min(length - mine, np.int64(segment["length"]) - its)
    if shared <= 0:
        return False
    block = np.int64(segment["block"])
    for _ in range(its // BLOCK):
        block = np.int64(streams.chains.following[block])
    for k in range(shared):
        if (its + k) % BLOCK == 0 and k > 0:
            block = np.int64(streams.chains.following[block])
        if streams.chains.data[block * BLOCK + (its + k) % BLOCK] != source[at + mine + k]:
            return True
    return False


@kernel
def compare_held(streams, entry, side, packet, seq, source, at, length):
    """Tell of a new segment that contradicts held ones; the first COMPARED of those that it overlaps are looked at."""
    index, compared = np.int64(streams.sides[2 * entry + side]["first"]), 0
    while index >= 0 and compared < COMPARED:
        segment = streams.segments[index]
        if distance(segment["seq"], seq) >= length:
            return
        if distance(seq, segment["seq"]) < segment["length"]:
            compared += 1
            if differs(streams, segment, seq, source, at, length):
                deliver_conflict(streams, entry, side, packet["ts"])
                return
        index = np.int64(segment["next"])


@kernel
def hold(streams, entry, side, packet, seq, chunk, at, length, missing):
    """Keep a segment until what comes before it was seen: False when a limit forbids it.

    The side's segments stay sorted by sequence number; of equal ones the first to come stays first.
    """
    me = streams.sides[2 * entry + side]
    control = streams.control[0]
    index = np.int64(control["free_segment"])
    if index < 0 or me["segments"] >= MAX_SEGMENTS or me["held"] + length > MAX_HELD:
        return False
    if me["segments"] > 0:
        compare_held(streams, entry, side, packet, seq, chunk, at, length)
    block, _ = extend(streams.chains, NONE, 0, chunk, at, length)
    if block == FULL:
        return False
    segment = streams.segments[index]
    control["free_segment"] = segment["next"]
    segment["seq"] = seq
    segment["ack"] = packet["ack"]
    segment["has_ack"] = (packet["flags"] & 16) != 0
    segment["length"] = length
    segment["missing"] = missing
    segment["block"] = block
    segment["ts"] = packet["ts"]
    before, after = np.int64(-1), np.int64(me["first"])
    while after >= 0 and distance(seq, streams.segments[after]["seq"]) >= 0:
        before, after = after, np.int64(streams.segments[after]["next"])
    segment["next"] = after
    if before < 0:
        me["first"] = index
    else:
        streams.segments[before]["next"] = index
    if me["segments"] == 0:
        me["hole_ts"] = packet["ts"]
    me["segments"] += 1
    me["held"] += length
    return True


@kernel
def release(streams, entry, side):
    """Deliver the side's first held segment, as far as it is new, and free it. It must not lie ahead of `next`."""
    me = streams.sides[2 * entry + side]
    control = streams.control[0]
    index = np.int64(me["first"])
    segment = streams.segments[index]
    old = distance(me["next"], segment["seq"])
    length, missing = np.int64(segment["length"]), np.int64(segment["missing"])
    if old < 0:  # exactly half of the sequence space away: neither ahead nor behind
        old = length + missing
    if length > old:
        at = np.int64(control["stored"])
        read_chain(streams.chains, np.int64(segment["block"]), length, streams.stored, at)
        control["stored"] = at + length
        deliver(streams, entry, side, DELIVER_DATA, IN_STORE, at + old, length - old, segment["ts"])
        if old > 0:
            streams.counters[R_OVERLAP] += U(1)
    cut = min(missing, length + missing - old)
    if cut > 0:
        deliver_gap(streams, entry, side, cut, segment["ts"])
    if length + missing > old:
        me["next"] = np.uint32(segment["seq"] + np.uint32(length + missing))
    drop_first(streams, me)


@kernel
def drop_first(streams, me):
    """Free the side's first held segment."""
    control = streams.control[0]
    index = np.int64(me["first"])
    segment = streams.segments[index]
    release_chain(streams.chains, np.int64(segment["block"]))
    me["first"] = segment["next"]
    me["segments"] -= 1
    me["held"] -= segment["length"]
    segment["next"] = control["free_segment"]
    control["free_segment"] = index


@kernel
def discard(streams, me):
    """Free all held segments of a side: they claim to lie behind its end."""
    while me["first"] >= 0:
        streams.counters[R_WINDOW] += U(1)
        drop_first(streams, me)
