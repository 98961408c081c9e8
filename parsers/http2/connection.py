"""One HTTP/2 connection: how it begins, the walk through one direction's bytes, and its end."""

import numpy as np

from parsers.http.eviction import drop_head
from parsers.http.rows import emit_all, has_room
from parsers.http.state import FRAMES, NO_ONE, START
from parsers.http2.frames import HEADER_BYTES, PREFACE_BYTES, find_frames, is_preface
from parsers.http2.loss import count_off, lose_frames
from parsers.http2.payload import begin_frame, end_frame, take_payload
from parsers.http2.state import BUCKETS, HEADER, NO_BLOCK, NO_SLOT, PAYLOAD, PREFACE, SEARCH
from parsers.http2.table import give_back_ring, new_table
from sensor.core.jit import kernel
from sensor.core.reasons import REASON
from sensor.core.records import GAP, LATE_JOIN, WEIRD_BIT

U = np.uint64
W_OVERLAP = WEIRD_BIT["overlap"]
R_HTTP2, R_EVICTED = REASON["http2"], REASON["http2_evicted"]
LOOKED_AT = 8
"""Slots of which the one that was used longest ago gives way."""


@kernel
def release(http, entry):
    """Give a connection's slot back, if it has one. Its transactions must have been told."""
    slot = np.int64(http.connections[entry]["slot"])
    if slot < 0:
        return
    http.connections[entry]["slot"] = NO_SLOT
    for side in range(2):
        give_back_ring(http.http2, http.http2.tables[2 * slot + side])
    http.http2.connections[slot]["entry"] = -1
    http.http2.connections[slot]["next"] = http.http2.control[0]
    http.http2.control[0] = slot


@kernel
def evict(http):
    """Make a slot free: its connection is taken up again, in the midst of it, when it goes on."""
    slots = http.http2.connections.shape[0]
    hand = http.http2.control[2]
    victim = hand
    for k in range(1, min(LOOKED_AT, slots)):
        other = (hand + k) % slots
        if http.http2.connections[other]["used"] < http.http2.connections[victim]["used"]:
            victim = other
    http.http2.control[2] = (hand + LOOKED_AT) % slots
    entry = np.int64(http.http2.connections[victim]["entry"])
    http.counters[R_EVICTED] += U(1)
    for side in range(2):
        drop_head(http, http.flows[2 * entry + side])
    emit_all(http, entry, GAP)
    release(http, entry)


@kernel
def begin_side(http, slot, side, state, left, missed):
    """Make one direction as new."""
    this = http.http2.sides[2 * slot + side]
    this["state"] = state
    this["left"] = left
    this["have"] = 0
    this["got"] = 0
    this["need"] = 0
    this["pad"] = 0
    this["pending"] = -1
    this["block"] = NO_BLOCK
    this["promised"] = 0
    this["opens"] = 0
    new_table(http.http2, 2 * slot + side, missed)


@kernel
def begin_connection(http, entry, missed):
    """HTTP/2 begins, or goes on, on a connection whose flows are told already: its slot. Both directions look for a frame."""
    release(http, entry)
    if http.http2.control[0] < 0:
        evict(http)
    slot = np.int64(http.http2.control[0])
    connection = http.http2.connections[slot]
    http.http2.control[0] = connection["next"]
    http.connections[entry]["slot"] = slot
    connection["entry"] = entry
    connection["used"] = http.control[0]["order"]
    connection["preamble"] = 0
    connection["settled"] = 0
    connection["unseen"] = 1
    connection["first"] = 1
    connection["highest"] = 0
    connection["seen"] = 0
    connection["resets"] = 0
    for k in range(BUCKETS):
        http.http2.buckets[slot * BUCKETS + k] = -1
    for side in range(2):
        begin_side(http, slot, side, SEARCH, 0, missed)
        http.flows[2 * entry + side]["state"] = FRAMES
        http.flows[2 * entry + side]["weird"] = 0
    return slot


@kernel
def begin_client(http, entry, slot, side, rest):
    """This side is the client and sends, or has sent, the preface, of which `rest` bytes are still to come."""
    http.connections[entry]["client"] = side
    http.http2.connections[slot]["unseen"] = 0
    begin_side(http, slot, side, PREFACE, rest, 0)


@kernel
def begin_by_preface(http, entry, side, rest, other_state):
    """The client's preface was seen (RFC 9113 3.3). other_state: of the server's flow before."""
    http.counters[R_HTTP2] += U(1)
    fresh = other_state == START
    slot = begin_connection(http, entry, 0 if fresh else LATE_JOIN)
    begin_client(http, entry, slot, side, rest)
    if fresh:
        http.http2.sides[2 * slot + 1 - side]["state"] = HEADER


@kernel
def begin_by_upgrade(http, entry, client):
    """The server switched to HTTP/2 on the client's demand (RFC 7540 3.2): its slot."""
    http.counters[R_HTTP2] += U(1)
    slot = begin_connection(http, entry, 0)
    begin_client(http, entry, slot, client, PREFACE_BYTES)
    http.http2.sides[2 * slot + 1 - client]["state"] = HEADER
    return slot


@kernel
def search(http, entry, slot, side, buffer, at, end):
    """Look for the beginning of a frame: its offset, or `end`."""
    client = http.connections[entry]["client"]
    if (client == NO_ONE or client == side) and is_preface(buffer, at, end):
        begin_client(http, entry, slot, side, PREFACE_BYTES)
        return at
    found = find_frames(buffer, at, end)
    if found < 0:
        return end
    http.http2.sides[2 * slot + side]["state"] = HEADER
    return found


@kernel
def take_header(http, entry, slot, side, buffer, at, end, ts):
    """Bytes of a frame's header: the offset behind them. One that lies here as a whole is read where it lies."""
    state = http.http2.sides[2 * slot + side]
    if state["have"] == 0 and end - at >= HEADER_BYTES:
        begins = begin_frame(http, entry, slot, side, buffer, at, ts)
        at += HEADER_BYTES
    else:
        while at < end and state["have"] < HEADER_BYTES:
            state["header"][state["have"]] = buffer[at]
            state["have"] += 1
            at += 1
        if state["have"] < HEADER_BYTES:
            return at
        for k in range(HEADER_BYTES):
            http.scratch[k] = state["header"][k]
        state["have"] = 0
        begins = begin_frame(http, entry, slot, side, http.scratch, np.int64(0), ts)
    if not begins:
        lose_frames(http, entry, slot, side)
        return end
    return at


@kernel
def on_frames_gap(http, entry, side, length):
    """Bytes were lost (0: nobody knows how many). Inside a frame's payload they are counted off."""
    slot = np.int64(http.connections[entry]["slot"])
    if slot < 0:
        return
    state = http.http2.sides[2 * slot + side]
    if state["state"] != PAYLOAD or length <= 0 or length > state["left"]:
        lose_frames(http, entry, slot, side)
        return
    count_off(http, entry, slot, side, length)
    if state["left"] == 0:
        end_frame(http, entry, slot, side, http.flows[2 * entry + side]["last_ts"])


@kernel
def on_frames_conflict(http, entry, side):
    """Bytes of this side came twice and differed: the data or the header block in work can be read in two ways."""
    slot = np.int64(http.connections[entry]["slot"])
    if slot >= 0 and http.http2.sides[2 * slot + side]["pending"] >= 0:
        http.pending[http.http2.sides[2 * slot + side]["pending"]]["weird"] |= W_OVERLAP
    else:
        http.flows[2 * entry + side]["weird"] |= W_OVERLAP  # of the block in work, or of the next one


@kernel
def feed_frames(http, entry, side, buffer, at, end, ts):
    """Bytes of one direction, in order: the offset behind those that were taken, for want of room not always all."""
    slot = np.int64(http.connections[entry]["slot"])
    if slot < 0:
        slot = begin_connection(http, entry, GAP)
    state = http.http2.sides[2 * slot + side]
    http.http2.connections[slot]["used"] = http.control[0]["order"]
    http.flows[2 * entry + side]["last_ts"] = ts
    while True:
        step = state["state"]
        if step == PAYLOAD and state["left"] == 0:
            end_frame(http, entry, slot, side, ts)
        elif at >= end:
            return at
        elif step == PAYLOAD:
            at = take_payload(http, entry, slot, side, buffer, at, end, ts)
        elif not has_room(http):
            return at
        elif step == HEADER:
            at = take_header(http, entry, slot, side, buffer, at, end, ts)
        elif step == SEARCH:
            at = search(http, entry, slot, side, buffer, at, end)
        else:
            size = min(end - at, state["left"])
            state["left"] -= size
            at += size
            if state["left"] == 0:
                state["state"] = HEADER
