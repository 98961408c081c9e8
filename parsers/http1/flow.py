"""One direction of a connection: messages found in bytes that are cut anywhere.

The law of the automaton: START begins every message; HEAD is START with a part stored; body.py owns the states
from LENGTH to UNTIL_CLOSE; LOST leaves only by a segment that begins a message; OPAQUE is never left.
"""

import numpy as np

from parsers.http.bodies import keep_body, stop_body
from parsers.http.eviction import drop_head, lose
from parsers.http.rows import emit_if_done
from parsers.http.state import (
    CHUNK_DATA,
    CHUNK_END,
    FRAMES,
    HEAD,
    HELLO_PART,
    LENGTH,
    LOSS,
    LOST,
    NO_ONE,
    OPAQUE,
    SOCKET,
    START,
    UNTIL_CLOSE,
)
from parsers.http.text import CR, LF
from parsers.http.websocket import count_frames, count_off_frames
from parsers.http1.body import take_body, take_counted
from parsers.http1.doubt import fall_in_doubt, out_of_step
from parsers.http1.head import INCOMPLETE, parse_head
from parsers.http1.message import begin_message, finish_message, is_side_for, on_head, set_both
from parsers.http1.proxy import take_proxy_header
from parsers.http1.recognise import MORE, NEITHER, REQUEST, RESPONSE, begins_response, classify, has_known_method, is_tls
from parsers.http1.stored import FIRST_LINE, continue_head, force_head, head_end, store_head
from parsers.http2.connection import begin_connection
from parsers.http2.frames import begins_frames
from parsers.tls.flow import begin_tls, continue_hello, lose_hello
from sensor.core.jit import inlined, kernel
from sensor.core.reasons import REASON
from sensor.core.records import CUT, GAP, LATE_JOIN, NO_REQUEST, REQUEST_CUT

U = np.uint64
R_RESYNC, R_NOT, R_HEAD_LOST = REASON["resync"], REASON["not_http"], REASON["head_lost"]
R_HTTP2 = REASON["http2"]


@kernel
def is_certain(http, entry, buffer, at, end):
    """Whether a request begins here beyond doubt: where the connection's start was not seen, it may be the rest of one."""
    connection = http.connections[entry]
    return not connection["late"] or connection["client"] != NO_ONE or has_known_method(buffer, at, end)


@kernel
def is_fresh(http, entry, side):
    """Whether nothing was said on a connection whose start was seen, and it is for its opener to speak."""
    connection = http.connections[entry]
    return side == 0 and not connection["late"] and connection["client"] == NO_ONE and not connection["header"]


@inlined
def begin(http, entry, side, flow, buffer, at, end, ts):
    """At a message boundary: the offset up to which bytes were used."""
    start = at
    while at < end and (buffer[at] == CR or buffer[at] == LF):  # RFC 9112 2.2 asks to ignore empty lines here
        at += 1
    if at == end:
        return at
    kind = classify(buffer, at, end, FIRST_LINE)
    if kind == NEITHER:
        if is_fresh(http, entry, side):
            size = take_proxy_header(buffer, start, end, http.connections[entry], http.groups)
            if size:
                http.connections[entry]["header"] = 1
                return start + size
        if http.connections[entry]["client"] == NO_ONE and begins_frames(buffer, at, end, True):
            join_frames(http, entry, side)
            return at
        if http.connections[entry]["client"] == NO_ONE and is_tls(buffer, at, end, http.connections[entry]["late"]):
            set_both(http, entry, OPAQUE)
            begin_tls(http, entry, side, flow, buffer, at, end, ts)
            return end
        http.counters[R_NOT] += U(1)
        out_of_step(http, entry, side)
        return end
    if kind == REQUEST and not is_certain(http, entry, buffer, at, end):
        flow["state"] = LOST
        return end
    begin_message(flow, ts)
    if kind != MORE:
        if not is_side_for(http, entry, side, kind):
            flow["state"] = LOST
            return end
        flow["response"] = kind == RESPONSE
        message = http.message[0]
        used = parse_head(buffer, at, end, flow["response"], message)
        if used > 0:
            on_head(http, entry, side, flow, buffer, message)
            return at + used
        if used != INCOMPLETE:
            flow["state"] = LOST
            return end
    flow["ends"] = 0
    head_end(flow, buffer, at, end)
    if not store_head(http, entry, side, flow, buffer, at, end):
        lose(http, flow)
    return end


@kernel
def join_frames(http, entry, side):
    """Frames of HTTP/2 begin here, without its preface: from the server, or in the midst of a connection."""
    connection = http.connections[entry]
    fresh = not connection["late"] and http.flows[2 * entry]["state"] == START and http.flows[2 * entry + 1]["state"] == START
    http.counters[R_HTTP2] += U(1)
    set_both(http, entry, FRAMES)
    begin_connection(http, entry, 0 if fresh else LATE_JOIN)


@kernel
def has_no_body(http, flow, buffer, at, end):
    """Whether a response whose request was not seen answered HEAD: another one begins where its body would."""
    index = np.int64(flow["pending"])
    if index < 0 or not http.pending[index]["completeness"] & NO_REQUEST:
        return False
    return classify(buffer, at, end, 0) == RESPONSE


@kernel
def take_socket(http, flow, buffer, at, end):
    """Bytes of a WebSocket: all of them."""
    if flow["pending"] >= 0:
        pending = http.pending[flow["pending"]]
        count_frames(pending, np.int64(flow["response"]), buffer, at, end)
        pending["end_ts"] = max(pending["end_ts"], flow["last_ts"])
    return end


@kernel
def lose_socket(http, flow, length):
    """Bytes of a WebSocket were lost."""
    flow["completeness"] |= GAP
    if flow["pending"] >= 0:
        count_off_frames(http.pending[flow["pending"]], np.int64(flow["response"]), length)


@kernel
def feed(http, entry, side, buffer, at, end, ts):
    """Bytes of one direction, in order: the offset behind those that were taken, all unless they go on as another protocol."""
    flow = http.flows[2 * entry + side]
    if flow["state"] == OPAQUE:
        return end
    flow["last_ts"] = ts
    if flow["state"] == LOST:
        kind = classify(buffer, at, end, 0)
        if kind == MORE and http.connections[entry]["client"] == 1 - side and begins_response(buffer, at, end):
            kind = RESPONSE
        if kind == NEITHER or kind == MORE or (kind == REQUEST and not has_known_method(buffer, at, end)):
            if kind == NEITHER and http.connections[entry]["client"] == NO_ONE and begins_frames(buffer, at, end, True):
                join_frames(http, entry, side)
                return at
            return end
        http.counters[R_RESYNC] += U(1)
        flow["state"] = START
    while at < end:
        state = flow["state"]
        if state == START:
            at = begin(http, entry, side, flow, buffer, at, end, ts)
        elif state == HEAD:
            at = continue_head(http, entry, side, flow, buffer, at, end)
        elif state == FRAMES:
            return at
        elif state == SOCKET:
            at = take_socket(http, flow, buffer, at, end)
        elif state == HELLO_PART:
            continue_hello(http, entry, side, flow, buffer, at, end, ts)
            return end
        elif state == LOST or state == OPAQUE:
            return end
        elif flow["response"] and flow["body"] == 0 and has_no_body(http, flow, buffer, at, end):
            flow["state"] = START
            finish_message(http, entry, flow)
        else:
            begin_at, pending = at, np.int64(flow["pending"])
            at = take_body(flow, buffer, at, end)
            if pending >= 0 and (state == LENGTH or state == CHUNK_DATA or state == UNTIL_CLOSE):
                keep_body(http, http.pending[pending], np.int64(flow["response"]), buffer, begin_at, at)
            if flow["state"] == START or flow["state"] == LOST:
                finish_message(http, entry, flow)
    return at


@kernel
def on_gap(http, entry, side, length):
    """Bytes were lost (0: nobody knows how many).

    Inside a body of known length they are counted. Elsewhere messages may have been lost with them.
    """
    flow = http.flows[2 * entry + side]
    state = flow["state"]
    if state == OPAQUE:
        return
    if state == SOCKET:
        lose_socket(http, flow, length)
        return
    if state == HELLO_PART:
        lose_hello(http, flow)
        return
    if flow["pending"] >= 0:
        stop_body(http.pending[flow["pending"]], np.int64(flow["response"]))
    if length > 0 and (state == LENGTH or state == CHUNK_DATA) and length <= flow["remaining"]:
        take_counted(flow, np.int64(0), length)
        flow["completeness"] |= GAP
        if flow["remaining"] == 0:
            if state == CHUNK_DATA:
                flow["state"] = CHUNK_END
            else:
                flow["state"] = START
                finish_message(http, entry, flow)
        return
    if length > 0 and state == UNTIL_CLOSE:
        flow["body"] += length
        flow["completeness"] |= GAP
        return
    flow["completeness"] |= GAP
    if state == HEAD:  # fields that were lost cannot be told from fields that were not sent: better no request than a wrong one
        http.counters[R_HEAD_LOST] += U(1)
        drop_head(http, flow)
    elif LENGTH <= state <= UNTIL_CLOSE:
        flow["completeness"] |= CUT if flow["response"] else REQUEST_CUT
        finish_message(http, entry, flow)
    out_of_step(http, entry, side)
    if http.connections[entry]["client"] == NO_ONE:
        fall_in_doubt(http.connections[entry])


@kernel
def end_socket(http, entry, flow):
    """One side of a WebSocket says no more. (The times of the request and of its answer stay what they were.)"""
    index = np.int64(flow["pending"])
    flow["pending"] = -1
    if index < 0:
        return
    pending = http.pending[index]
    pending["completeness"] |= flow["completeness"]
    pending["weird"] |= flow["weird"]
    if flow["response"]:
        pending["response_bytes"] = flow["body"]
        pending["answered"] = 1
    else:
        pending["request_bytes"] = flow["body"]
        pending["sent"] = 1
    emit_if_done(http, entry, index)


@kernel
def end_of_flow(http, entry, side, seen):
    """No more bytes will come; `seen`: the sender said so itself (FIN), rather than being lost from sight."""
    flow = http.flows[2 * entry + side]
    state = flow["state"]
    if state == HEAD:
        if http.connections[entry]["doubt"] == LOSS:  # two losses on each other: nobody can tell what this is a part of
            http.counters[R_HEAD_LOST] += U(1)
            drop_head(http, flow)
        else:
            force_head(http, entry, side, flow)
    elif LENGTH <= state <= UNTIL_CLOSE:
        if state != UNTIL_CLOSE or not seen:
            flow["completeness"] |= CUT if flow["response"] else REQUEST_CUT
        finish_message(http, entry, flow)
    elif state == SOCKET:
        end_socket(http, entry, flow)
    state = flow["state"]  # a head that was forced may have begun another protocol
    if state < OPAQUE:
        flow["state"] = LOST
