"""Frames and their payloads, whatever way the bytes are cut."""

import numpy as np

from parsers.http.bodies import keep_body
from parsers.http.eviction import drop_head, keep_bytes
from parsers.http.state import GRPC, WEBSOCKET
from parsers.http.websocket import count_frames
from parsers.http2.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HAS_PRIORITY,
    HEADERS,
    PADDED,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    is_plausible,
)
from parsers.http2.grpc import count_messages
from parsers.http2.headers import end_half, on_block, on_reset
from parsers.http2.loss import drop_block
from parsers.http2.state import BLOCK_LIMIT, CONTINUATION_LIMIT, DAMAGED, HEADER, NO_BLOCK, PAYLOAD, UNKNOWN, WHOLE
from parsers.http2.streams import find_stream
from sensor.core.chain import read_chain
from sensor.core.hashing import mix
from sensor.core.jit import inlined, kernel
from sensor.core.reasons import REASON
from sensor.core.wide import load_be32

U = np.uint64
R_FRAMES, R_ORPHAN = REASON["http2_frames"], REASON["http2_orphan_frame"]
PROMISED_BYTES, PRIORITY_BYTES, SETTING_BYTES, INCREMENT_BYTES = 4, 5, 6, 4


@kernel
def has_fields(kind):
    """Whether frames of this type carry a part of a header block."""
    return kind == HEADERS or kind == PUSH_PROMISE or kind == CONTINUATION


@kernel
def begin_block(connection, state, stream, flags, ts):
    """A header block begins."""
    state["opens"] = stream > connection["seen"]
    state["block"] = WHOLE
    state["block_stream"] = stream
    state["block_ends"] = (flags & END_STREAM) != 0 and state["type"] == HEADERS
    state["promised"] = UNKNOWN if state["type"] == PUSH_PROMISE else 0
    state["frames"] = 0
    state["first_ts"] = ts


@kernel
def continue_block(http, entry, slot, side, stream):
    """A CONTINUATION frame: of the block in work, or of one whose beginning was not seen (RFC 9113 6.10)."""
    state = http.http2.sides[2 * slot + side]
    if state["block"] == NO_BLOCK:
        http.counters[R_ORPHAN] += U(1)
        drop_block(http, entry, slot, side)
        return
    state["frames"] += 1
    if state["frames"] > CONTINUATION_LIMIT:
        state["block"] = DAMAGED


@kernel
def numbers_of(kind, flags, stream):
    """Bytes at the beginning of a payload that are numbers: padding, priority, the promised stream, a setting, an increment."""
    if kind == DATA:
        return 1 if flags & PADDED else 0
    if kind == HEADERS:
        return (1 if flags & PADDED else 0) + (PRIORITY_BYTES if flags & HAS_PRIORITY else 0)
    if kind == PUSH_PROMISE:
        return (1 if flags & PADDED else 0) + PROMISED_BYTES
    if kind == SETTINGS:
        return 0 if flags & ACK else SETTING_BYTES
    return INCREMENT_BYTES if kind == WINDOW_UPDATE and stream == 0 else 0


@inlined
def begin_frame(http, entry, slot, side, buffer, at, ts):
    """The header of a frame lies at buffer[at:]: False when it can be none."""
    state = http.http2.sides[2 * slot + side]
    length = np.int64(load_be32(buffer, at) >> U(8))
    kind, flags = np.int64(buffer[at + 3]), np.int64(buffer[at + 4])
    stream = np.int64(load_be32(buffer, at + 5))
    if not is_plausible(length, kind, flags, stream):
        return False
    http.counters[R_FRAMES] += U(1)
    state["state"] = PAYLOAD
    state["type"] = kind
    state["flags"] = flags
    state["stream"] = stream
    state["left"] = length
    state["pad"] = 0
    state["got"] = 0
    need = numbers_of(kind, flags, stream)
    state["need"] = need if need <= length else 0
    state["pending"] = -1
    if state["block"] != NO_BLOCK and (kind != CONTINUATION or stream != state["block_stream"]):
        drop_block(http, entry, slot, side)  # nothing may come between the frames of a block
    if kind == DATA:
        state["pending"] = find_stream(http, slot, stream)
    elif kind == HEADERS or kind == PUSH_PROMISE:
        begin_block(http.http2.connections[slot], state, stream, flags, ts)
    elif kind == CONTINUATION:
        continue_block(http, entry, slot, side, stream)
    elif kind == RST_STREAM:
        on_reset(http, entry, slot, side, stream)
    if stream & 1 and kind != PRIORITY:
        connection = http.http2.connections[slot]
        connection["seen"] = max(connection["seen"], np.uint32(stream))
    return True


@kernel
def note_numbers(http, entry, slot, side):
    """The numbers at the beginning of a payload are complete."""
    state, connection = http.http2.sides[2 * slot + side], http.http2.connections[slot]
    kind, numbers = state["type"], state["numbers"]
    if kind == SETTINGS or kind == WINDOW_UPDATE:
        if http.connections[entry]["client"] == side and not connection["settled"]:
            value = U(kind)
            for k in range(state["need"]):
                value = value << U(8) | U(numbers[k])
            connection["preamble"] = mix(connection["preamble"] ^ value)
    elif state["flags"] & PADDED:
        state["pad"] = min(np.int64(numbers[0]), state["left"])
    if kind == PUSH_PROMISE:
        first = np.int64(state["need"]) - PROMISED_BYTES
        promised = np.int64(numbers[first] & 127) << 24 | np.int64(numbers[first + 1]) << 16
        state["promised"] = promised | np.int64(numbers[first + 2]) << 8 | np.int64(numbers[first + 3])
    if kind == SETTINGS and state["left"] >= SETTING_BYTES:
        state["got"] = 0
    else:
        state["need"] = 0


@kernel
def take_numbers(http, entry, slot, side, buffer, at, end):
    """Bytes that are read as numbers: the offset behind them."""
    state = http.http2.sides[2 * slot + side]
    while at < end and state["got"] < state["need"]:
        state["numbers"][state["got"]] = buffer[at]
        state["got"] += 1
        state["left"] -= 1
        at += 1
    if state["got"] == state["need"]:
        note_numbers(http, entry, slot, side)
    return at


@inlined
def take_data(http, entry, slot, side, buffer, at, end, ts):
    """Body bytes: the offset behind them."""
    state = http.http2.sides[2 * slot + side]
    size = min(end - at, state["left"] - state["pad"])
    state["left"] -= size
    if state["pending"] >= 0:
        pending = http.pending[state["pending"]]
        from_client = http.connections[entry]["client"] == side
        pending["end_ts"] = max(pending["end_ts"], ts)
        way = 0 if from_client else 1
        keep_body(http, pending, way, buffer, at, at + size)
        if pending["framing"][way] == WEBSOCKET:
            count_frames(pending, way, buffer, at, at + size)
        elif pending["framing"][way] == GRPC:
            count_messages(pending, way, buffer, at, at + size)
        if from_client:
            pending["request_bytes"] += size
            pending["sent_ts"] = ts
        else:
            pending["response_bytes"] += size
    return at + size


@kernel
def take_fragment(http, entry, slot, side, buffer, at, end):
    """Bytes of a header block: the offset behind them. A block that lies here as a whole is decoded where it lies."""
    state, flow = http.http2.sides[2 * slot + side], http.flows[2 * entry + side]
    size = min(end - at, state["left"] - state["pad"])
    state["left"] -= size
    complete = state["left"] == state["pad"] and state["flags"] & END_HEADERS
    if complete and flow["stored"] == 0:
        on_block(http, entry, slot, side, buffer, at, at + size)
        state["block"] = NO_BLOCK
    elif state["block"] == WHOLE:
        if flow["stored"] + size > BLOCK_LIMIT or not keep_bytes(http, entry, side, flow, buffer, at, at + size):
            state["block"] = DAMAGED
            drop_head(http, flow)
    return at + size


@inlined
def take_payload(http, entry, slot, side, buffer, at, end, ts):
    """Bytes of a payload: the offset behind those that were used."""
    state = http.http2.sides[2 * slot + side]
    if state["got"] < state["need"]:
        return take_numbers(http, entry, slot, side, buffer, at, end)
    if state["left"] > state["pad"]:
        if state["type"] == DATA:
            return take_data(http, entry, slot, side, buffer, at, end, ts)
        if has_fields(state["type"]) and state["block"] != NO_BLOCK:
            return take_fragment(http, entry, slot, side, buffer, at, end)
    size = min(end - at, state["left"])
    state["left"] -= size
    return at + size


@kernel
def end_frame(http, entry, slot, side, ts):
    """A frame's last byte was seen, or counted off."""
    state, flow = http.http2.sides[2 * slot + side], http.flows[2 * entry + side]
    state["state"] = HEADER
    if has_fields(state["type"]) and state["block"] != NO_BLOCK and state["flags"] & END_HEADERS:
        length = np.int64(flow["stored"])
        read_chain(http.chains, np.int64(flow["block"]), length, http.scratch, 0)
        drop_head(http, flow)
        on_block(http, entry, slot, side, http.scratch, np.int64(0), length)
        state["block"] = NO_BLOCK
    elif state["type"] == DATA and state["flags"] & END_STREAM and state["pending"] >= 0:
        index = np.int64(state["pending"])
        state["pending"] = -1
        end_half(http, entry, index, http.connections[entry]["client"] == side, ts)
