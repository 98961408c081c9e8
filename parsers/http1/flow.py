"""One direction of a connection: messages found in bytes that are cut anywhere.

The law of the automaton: START begins every message; HEAD is START with a part stored; body.py owns the states
from LENGTH to UNTIL_CLOSE; LOST leaves only by a segment that begins a message; OPAQUE is never left.
"""

import numpy as np

from parsers.http1.body import begin_request_body, begin_response_body, take_body
from parsers.http1.head import INCOMPLETE, parse_head, version_at
from parsers.http1.pending import begin_request, begin_response, emit_all, emit_if_done
from parsers.http1.recognise import MORE, NEITHER, REQUEST, RESPONSE, classify, is_known_method
from parsers.http1.state import HEAD, HEAD_LIMIT, LENGTH, LOST, METHOD_LIMIT, NO_ONE, OPAQUE, START, UNTIL_CLOSE
from parsers.http1.text import CR, LF, SP, find_byte
from sensor.core.chain import BLOCK, FULL, NONE, extend, read_chain, release_chain
from sensor.core.jit import inlined, kernel
from sensor.core.reasons import REASON
from sensor.core.records import CUT, GAP, REQUEST_CUT, TRUNCATED, WEIRD_BIT
from sensor.core.wide import copy, load_be32

U = np.uint64
R_REQUESTS, R_RESPONSES, R_RESYNC, R_NOT = REASON["requests"], REASON["responses"], REASON["resync"], REASON["not_http"]
R_HEAD, R_BLOCKS, R_UPGRADED, R_HTTP2 = REASON["head_overflow"], REASON["block_overflow"], REASON["upgraded"], REASON["http2"]
R_HEAD_LOST = REASON["head_lost"]
W_LONG = WEIRD_BIT["head_too_long"]
FIRST_LINE = 8_192
"""Bytes to wait for the end of a first line that begins with an unknown method."""
PREFACE = 0x50524920  # "PRI "


@kernel
def drop_head(http, flow):
    """Forget the stored part of a head."""
    release_chain(http.chains, np.int64(flow["block"]))
    flow["block"] = NONE
    flow["last_block"] = NONE
    flow["stored"] = 0
    flow["ends"] = 0


@kernel
def begin_message(flow, ts):
    """A message starts here."""
    flow["completeness"] = 0
    flow["weird"] = 0
    flow["pending"] = -1
    flow["first_ts"] = ts


@kernel
def head_end(flow, buffer, at, end):
    """Offset behind the empty line that ends a head, or -1. `ends`: 1 at the start of a line, 2 behind a CR there."""
    ends = flow["ends"]
    for k in range(at, end):
        byte = buffer[k]
        if byte == LF:
            if ends > 0:
                return np.int64(k + 1)
            ends = 1
        elif byte == CR and ends == 1:
            ends = 2
        else:
            ends = 0
    flow["ends"] = ends
    return np.int64(-1)


@kernel
def store_head(http, flow, buffer, at, end):
    """Keep a part of a head until the rest comes: False when there is no room."""
    first, last = extend(http.chains, np.int64(flow["last_block"]), np.int64(flow["stored"]), buffer, at, end - at)
    if first == FULL:
        http.counters[R_BLOCKS] += U(1)
        return False
    if flow["block"] == NONE:
        flow["block"] = first
    flow["last_block"] = last
    flow["stored"] += np.uint32(end - at)
    flow["state"] = HEAD
    return True


@kernel
def is_side_for(http, entry, side, kind):
    """Whether a message of this kind may come from this side."""
    client = http.connections[entry]["client"]
    return client == NO_ONE or client == (side if kind != RESPONSE else 1 - side)


@kernel
def out_of_step(http, entry, side):
    """Messages of this side may have been lost.

    Requests that wait for one of its responses can no longer be told from those that were answered unseen; a request
    after lost ones is marked, until a response without a request shows that they were answered.
    """
    http.flows[2 * entry + side]["state"] = LOST
    client = http.connections[entry]["client"]
    if client == side:
        http.connections[entry]["dropped"] = 1
    elif client != NO_ONE:
        emit_all(http, entry, GAP)


@kernel
def lose(http, flow):
    """Out of step."""
    drop_head(http, flow)
    flow["state"] = LOST


@kernel
def set_both(http, entry, state):
    """Both directions go on in another state, whatever they were in the middle of."""
    for side in range(2):
        drop_head(http, http.flows[2 * entry + side])
        http.flows[2 * entry + side]["state"] = state


@kernel
def hand_on(http, entry, tunnel):
    """The connection stops being this HTTP/1 conversation: it may begin another within a tunnel, or none after an upgrade."""
    http.counters[R_UPGRADED] += U(1)
    set_both(http, entry, START if tunnel else OPAQUE)
    if tunnel:
        http.connections[entry]["client"] = NO_ONE


@inlined
def finish_message(http, entry, flow):
    """The message in work is complete, as far as it will be."""
    index = np.int64(flow["pending"])
    flow["pending"] = -1
    if index < 0:
        return
    pending = http.pending[index]
    pending["completeness"] |= flow["completeness"]
    pending["weird"] |= flow["weird"]
    pending["end_ts"] = max(pending["end_ts"], flow["last_ts"])
    if flow["response"]:
        pending["response_bytes"] = flow["body"]
        pending["answered"] = 1
    else:
        pending["request_bytes"] = flow["body"]
        pending["sent_ts"] = flow["last_ts"]
        pending["sent"] = 1
    emit_if_done(http, entry, index)


@inlined
def on_request(http, entry, flow, buffer, message):
    """A request's head was parsed."""
    http.counters[R_REQUESTS] += U(1)
    flow["weird"] |= message["weird"]
    if http.connections[entry]["dropped"]:
        flow["completeness"] |= GAP
    index = begin_request(http, entry, flow, buffer, message)
    flow["pending"] = index
    if index >= 0:
        method = load_be32(buffer, message["line_at"])
        http.pending[index]["bodyless"] = message["method_len"] == 4 and method == U(0x48454144)
        http.pending[index]["connect"] = message["method_len"] == 7 and method == U(0x434F4E4E)
    state = begin_request_body(flow, message) if message["version"] > 0 else OPAQUE
    flow["state"] = state
    if state == LOST:
        flow["completeness"] |= REQUEST_CUT
    if state == START or state == LOST or state == OPAQUE:
        finish_message(http, entry, flow)


@inlined
def on_response(http, entry, flow, buffer, message):
    """A response's head was parsed."""
    http.counters[R_RESPONSES] += U(1)
    if 100 <= message["status"] < 200 and message["status"] != 101:
        flow["state"] = START  # an interim response: the final one follows
        return
    flow["weird"] |= message["weird"]
    index = begin_response(http, entry, flow, buffer, message)
    flow["pending"] = index
    bodyless, connect, upgrade = False, False, True
    if index >= 0:
        pending = http.pending[index]
        bodyless, connect, upgrade = pending["bodyless"] != 0, pending["connect"] != 0, True
    if message["status"] == 101 and upgrade:
        flow["body"] = 0
        finish_message(http, entry, flow)
        hand_on(http, entry, False)
        return
    if connect and message["status"] < 300:
        flow["body"] = 0
        finish_message(http, entry, flow)
        hand_on(http, entry, True)
        return
    flow["state"] = begin_response_body(flow, message, bodyless)
    if flow["state"] == START:
        finish_message(http, entry, flow)


@inlined
def on_head(http, entry, side, flow, buffer, message):
    """A head was parsed: the first one settles who is the client."""
    http.connections[entry]["client"] = 1 - side if flow["response"] else side
    if flow["response"]:
        on_response(http, entry, flow, buffer, message)
    else:
        on_request(http, entry, flow, buffer, message)


@kernel
def has_known_method(buffer, at, end):
    """Whether a request begins with a method in use: what is left of one that began earlier does not."""
    space = find_byte(buffer, at, min(end, at + METHOD_LIMIT), SP)
    return space > at and is_known_method(buffer, at, space - at)


@kernel
def is_certain(http, entry, buffer, at, end):
    """Whether a request begins here beyond doubt: where the connection's start was not seen, it may be the rest of one."""
    connection = http.connections[entry]
    return not connection["late"] or connection["client"] != NO_ONE or has_known_method(buffer, at, end)


@inlined
def begin(http, entry, side, flow, buffer, at, end, ts):
    """At a message boundary: the offset up to which bytes were used."""
    while at < end and (buffer[at] == CR or buffer[at] == LF):  # RFC 9112 2.2 asks to ignore empty lines here
        at += 1
    if at == end:
        return at
    kind = classify(buffer, at, end, FIRST_LINE)
    if kind == NEITHER:
        if load_be32(buffer, at) == U(PREFACE) and end - at >= 16:
            http.counters[R_HTTP2] += U(1)
            set_both(http, entry, OPAQUE)
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
    if not store_head(http, flow, buffer, at, end):
        lose(http, flow)
    return end


@kernel
def settle_kind(http, entry, side, flow):
    """Tell what a stored head is, by its first bytes: False when it is no head or does not belong to this side."""
    first = np.int64(flow["block"]) * BLOCK
    kind = classify(http.chains.data, first, first + min(np.int64(flow["stored"]), BLOCK), FIRST_LINE)
    if kind == NEITHER and flow["stored"] <= BLOCK:
        return False
    if kind == MORE or kind == NEITHER:
        return True
    flow["response"] = kind == RESPONSE
    return is_side_for(http, entry, side, kind)


@kernel
def parse_stored(http, entry, side, flow, length):
    """Parse the head in scratch[:length]: False when it is none."""
    kind = classify(http.scratch, np.int64(0), length, FIRST_LINE)
    if kind == NEITHER or kind == MORE or not is_side_for(http, entry, side, kind):
        return False
    flow["response"] = kind == RESPONSE
    message = http.message[0]
    if parse_head(http.scratch, np.int64(0), length, flow["response"], message) <= 0:
        return False
    on_head(http, entry, side, flow, http.scratch, message)
    return True


@kernel
def continue_head(http, entry, side, flow, buffer, at, end):
    """More of a stored head: the offset up to which bytes were used."""
    stop = head_end(flow, buffer, at, end)
    length = np.int64(flow["stored"])
    if stop < 0:
        if length + end - at > HEAD_LIMIT:
            http.counters[R_HEAD] += U(1)
            flow["weird"] |= W_LONG
            force_head(http, entry, side, flow)
            flow["state"] = LOST
        elif not store_head(http, flow, buffer, at, end) or not settle_kind(http, entry, side, flow):
            lose(http, flow)
        else:
            end_simple_request(http, entry, side, flow)
        return end
    read_chain(http.chains, np.int64(flow["block"]), length, http.scratch, 0)
    copy(http.scratch, length, buffer, at, stop - at)
    drop_head(http, flow)
    if not parse_stored(http, entry, side, flow, length + stop - at):
        flow["state"] = LOST
        return end
    return stop


@kernel
def end_simple_request(http, entry, side, flow):
    """A request of HTTP/0.9 is its first line: no empty line will come. Its first block holds it, or it is none."""
    first = np.int64(flow["block"]) * BLOCK
    end = first + min(np.int64(flow["stored"]), BLOCK)
    line_end = find_byte(http.chains.data, first, end, LF)
    if line_end < 0 or flow["response"] or not is_known_method_line(http.chains.data, first, line_end):
        return
    length = line_end + 1 - first
    copy(http.scratch, 0, http.chains.data, first, length)
    drop_head(http, flow)
    if not parse_stored(http, entry, side, flow, length):
        flow["state"] = LOST


@kernel
def is_known_method_line(buffer, at, line_end):
    """Whether a complete first line is a request without a version."""
    stop = line_end - 1 if line_end > at and buffer[line_end - 1] == CR else line_end
    return has_known_method(buffer, at, stop) and version_at(buffer, at, stop) == stop


@kernel
def force_head(http, entry, side, flow):
    """Take the complete lines of a head that will never be complete, and end its message."""
    length = np.int64(flow["stored"])
    read_chain(http.chains, np.int64(flow["block"]), length, http.scratch, 0)
    drop_head(http, flow)
    while length > 0 and http.scratch[length - 1] != LF:
        length -= 1
    if length == 0:
        return
    http.scratch[length] = CR
    http.scratch[length + 1] = LF
    is_response = classify(http.scratch, np.int64(0), length, FIRST_LINE) == RESPONSE
    flow["completeness"] |= TRUNCATED | (CUT if is_response else REQUEST_CUT)
    if parse_stored(http, entry, side, flow, length + 2):
        finish_message(http, entry, flow)


@inlined
def feed(http, entry, side, buffer, at, end, ts):
    """Bytes of one direction, in order."""
    flow = http.flows[2 * entry + side]
    if flow["state"] == OPAQUE:
        return
    flow["last_ts"] = ts
    if flow["state"] == LOST:
        kind = classify(buffer, at, end, 0)
        if kind == NEITHER or kind == MORE or (kind == REQUEST and not has_known_method(buffer, at, end)):
            return
        http.counters[R_RESYNC] += U(1)
        flow["state"] = START
    while at < end:
        state = flow["state"]
        if state == START:
            at = begin(http, entry, side, flow, buffer, at, end, ts)
        elif state == HEAD:
            at = continue_head(http, entry, side, flow, buffer, at, end)
        elif state == LOST or state == OPAQUE:
            return
        else:
            at = take_body(flow, buffer, at, end)
            if flow["state"] == START or flow["state"] == LOST:
                finish_message(http, entry, flow)


@kernel
def end_of_flow(http, entry, side, seen):
    """No more bytes will come; `seen`: the sender said so itself (FIN), rather than being lost from sight."""
    flow = http.flows[2 * entry + side]
    state = flow["state"]
    if state == HEAD:
        if http.connections[entry]["dropped"]:  # two losses on each other: nobody can tell what this is a part of
            http.counters[R_HEAD_LOST] += U(1)
            drop_head(http, flow)
        else:
            force_head(http, entry, side, flow)
    elif LENGTH <= state <= UNTIL_CLOSE:
        if state != UNTIL_CLOSE or not seen:
            flow["completeness"] |= CUT if flow["response"] else REQUEST_CUT
        finish_message(http, entry, flow)
    if state != OPAQUE:
        flow["state"] = LOST
