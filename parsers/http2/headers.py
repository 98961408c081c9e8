"""What a complete header block sets going: a request, a response, trailers or a promise (RFC 9113 8)."""

import numpy as np

from parsers.http.fields import clear
from parsers.http.pending import begin_orphan, begin_request, enqueue, note_response
from parsers.http.queue import leave
from parsers.http.rows import emit, emit_if_done
from parsers.http.state import GRPC, NO_FRAMING, NO_ONE, WEBSOCKET
from parsers.http2.fields import IS_REQUEST, IS_RESPONSE, IS_WEBSOCKET, decode_block
from parsers.http2.grpc import is_grpc_type
from parsers.http2.state import STREAM_LIMIT, UNKNOWN, WHOLE
from parsers.http2.streams import find_stream, remember_stream
from parsers.http2.table import forget
from sensor.core.hashing import mix
from sensor.core.jit import kernel
from sensor.core.reasons import REASON
from sensor.core.records import GAP, TRUNCATED, UNKNOWN_FIELD, WEIRD_BIT
from sensor.core.wide import load_be32

U = np.uint64
R_REQUESTS, R_RESPONSES = REASON["requests"], REASON["responses"]
R_LOST, R_ORPHAN, R_RESET = REASON["http2_block_lost"], REASON["http2_orphan_frame"], REASON["http2_reset"]
R_PUSH = REASON["http2_push"]
W_PUSH, W_RESET = WEIRD_BIT["server_push"], WEIRD_BIT["stream_reset"]
VERSION, ACCEPTED = 20, 200
CONNECT = 0x434F4E4E  # "CONN"


@kernel
def end_half(http, entry, index, from_client, ts):
    """One side of a stream is complete."""
    pending = http.pending[index]
    pending["end_ts"] = max(pending["end_ts"], ts)
    if from_client:
        pending["sent"] = 1
        pending["sent_ts"] = ts
    else:
        pending["answered"] = 1
    emit_if_done(http, entry, index)


@kernel
def note_range(connection, stream):
    """The client opened a stream: those between the first and the highest were all seen, since numbers only go up."""
    if connection["first"] > connection["highest"]:
        connection["first"] = stream
        connection["highest"] = stream
    else:
        connection["highest"] = max(connection["highest"], stream)


@kernel
def was_seen(connection, stream):
    """Whether a stream's request was seen, so that a stream which is not open any more is over."""
    return connection["first"] <= stream <= connection["highest"]


@kernel
def fingerprint_of(connection, message):
    """Hash of the client's settings and of the order of the request's fields; 0 where a part of it was not seen."""
    if connection["unseen"] or message["unknown"]:
        return U(0)
    return mix(connection["preamble"] ^ message["fingerprint"])


@kernel
def is_connect(fields, message):
    """Whether the method is CONNECT, which has no :path: its target is the authority (RFC 9113 8.5)."""
    return message["method_len"] == 7 and load_be32(fields, message["line_at"]) == U(CONNECT)


@kernel
def framing_of(fields, message):
    """How the bodies of a request or response frame messages."""
    if message["pseudo"] & IS_WEBSOCKET:
        return WEBSOCKET
    return GRPC if is_grpc_type(fields, message["type_at"], message["type_len"]) else NO_FRAMING


@kernel
def note_framing(pending, fields, message):
    """A response's head says whether its body, and what an extended CONNECT then sends, frames messages."""
    if pending["framing"][0] != WEBSOCKET:
        pending["framing"][1] = framing_of(fields, message)
    elif message["status"] == ACCEPTED:
        pending["framing"][1] = WEBSOCKET
    else:
        pending["framing"][0] = NO_FRAMING


@kernel
def open_stream(http, entry, slot, flow, stream, message):
    """A request's head was read: its transaction, -1 when there is no room for it."""
    http.counters[R_REQUESTS] += U(1)
    fields, connection = http.http2.fields, http.http2.connections[slot]
    message["fingerprint"] = fingerprint_of(connection, message)
    if message["target_len"] == 0 and not message["unknown"] and is_connect(fields, message):
        message["target_at"] = message["host_at"]
        message["target_len"] = message["host_len"]
    index = begin_request(http, entry, flow, fields, message, STREAM_LIMIT)
    if index >= 0:
        remember_stream(http, slot, stream, index)
        http.pending[index]["framing"][0] = framing_of(fields, message)
        http.pending[index]["weird"] |= message["weird"]
    return index


@kernel
def open_orphan(http, entry, slot, flow, stream, message):
    """A response to a request that was not seen: its transaction, -1 when there is no room for it."""
    index = begin_orphan(http, flow, message)
    if index >= 0:
        enqueue(http, entry, index, STREAM_LIMIT)
        remember_stream(http, slot, stream, index)
    return index


@kernel
def on_promise(http, entry, slot, flow, stream, message):
    """A request that the server makes up for a response which it is going to push."""
    http.counters[R_PUSH] += U(1)
    if find_stream(http, slot, stream) >= 0:
        return
    index = open_stream(http, entry, slot, flow, stream, message)
    if index >= 0:
        http.pending[index]["weird"] |= W_PUSH
        http.pending[index]["fingerprint"] = 0  # the client wrote none of it
        http.pending[index]["sent"] = 1


@kernel
def on_request_block(http, entry, slot, flow, stream, opens, message):
    """Fields from the client: those of a request, or trailers. Returns the transaction, -1 when there is none.

    opens: no frame of the stream was seen before, so that a block which cannot be read is taken for a request's.
    """
    connection = http.http2.connections[slot]
    index = find_stream(http, slot, stream)
    if index >= 0:
        return index
    if was_seen(connection, stream) or not (message["pseudo"] & IS_REQUEST or (message["unknown"] and opens)):
        http.counters[R_ORPHAN] += U(1)
        return index
    note_range(connection, np.uint32(stream))
    index = open_stream(http, entry, slot, flow, stream, message)
    connection["settled"] = 1
    return index


@kernel
def on_response_block(http, entry, slot, flow, stream, message):
    """Fields from the server: those of a response, interim or final, or trailers. Returns the transaction, or -1."""
    index = find_stream(http, slot, stream)
    is_response = message["pseudo"] & IS_RESPONSE
    if index < 0:
        if not is_response or was_seen(http.http2.connections[slot], stream):
            http.counters[R_ORPHAN] += U(1)
            return index
        index = open_orphan(http, entry, slot, flow, stream, message)
        if index < 0:
            return index
    pending = http.pending[index]
    if pending["status"] == 0:
        if is_response and (message["status"] >= 200 or message["status"] == 101):
            http.counters[R_RESPONSES] += U(1)
            note_response(http, index, flow, http.http2.fields, message)
            note_framing(pending, http.http2.fields, message)
        elif message["unknown"] and pending["reply_ts"] < 0:  # a response, or its trailers: which one is not known
            pending["reply_ts"] = flow["first_ts"]
    pending["weird"] |= flow["weird"]
    if message["unknown"]:
        pending["completeness"] |= flow["completeness"]
    if message["grpc_status"] >= 0:
        pending["grpc_status"] = message["grpc_status"]
    return index


@kernel
def note_client(http, entry, side, is_promise, message):
    """The first block with pseudo-header fields settles who is the client."""
    kind = message["pseudo"] & (IS_REQUEST | IS_RESPONSE)
    if http.connections[entry]["client"] == NO_ONE and (kind == IS_REQUEST or kind == IS_RESPONSE):
        from_client = (kind == IS_REQUEST) != is_promise
        http.connections[entry]["client"] = side if from_client else 1 - side


@kernel
def take_block(http, entry, slot, side, buffer, at, end):
    """Decode a header block, and do what it says."""
    state, message = http.http2.sides[2 * slot + side], http.message[0]
    table, flow = http.http2.tables[2 * slot + side], http.flows[2 * entry + side]
    clear(message)
    message["version"] = VERSION
    if state["block"] != WHOLE or not decode_block(http.http2, table, buffer, at, end, message):
        http.counters[R_LOST] += U(1)
        message["unknown"] = 1
        forget(table, GAP if state["block"] != WHOLE else TRUNCATED)
    flow["completeness"] = UNKNOWN_FIELD | table["missed"] if message["unknown"] else 0
    flow["first_ts"] = state["first_ts"]
    stream = np.int64(state["block_stream"])
    note_client(http, entry, side, state["promised"] > 0, message)
    client = http.connections[entry]["client"]
    if client == NO_ONE:
        return
    if state["promised"] > 0:
        if client != side and state["promised"] != UNKNOWN:
            on_promise(http, entry, slot, flow, np.int64(state["promised"]), message)
        return
    if client == side:
        index = on_request_block(http, entry, slot, flow, stream, state["opens"], message)
    else:
        index = on_response_block(http, entry, slot, flow, stream, message)
    if index >= 0 and state["block_ends"]:
        end_half(http, entry, index, client == side, flow["last_ts"])


@kernel
def on_block(http, entry, slot, side, buffer, at, end):
    """The header block buffer[at:end] is complete, or as complete as it will be."""
    take_block(http, entry, slot, side, buffer, at, end)
    http.flows[2 * entry + side]["weird"] = 0


@kernel
def on_reset(http, entry, slot, side, stream):
    """RST_STREAM: the stream is over, whatever it lacks (RFC 9113 6.4)."""
    index = find_stream(http, slot, stream)
    if index < 0:
        return
    pending = http.pending[index]
    if http.connections[entry]["client"] == side and not pending["answered"]:
        http.counters[R_RESET] += U(1)
        http.http2.connections[slot]["resets"] += 1
        pending["weird"] |= W_RESET
    leave(http, entry, index)
    emit(http, entry, index)
