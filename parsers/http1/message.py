"""What a parsed head sets going, and how a message ends."""

import numpy as np

from parsers.http.bodies import clear_choice
from parsers.http.eviction import drop_head
from parsers.http.fields import TO_HTTP2, TO_WEBSOCKET
from parsers.http.pending import begin_request, begin_response
from parsers.http.rows import emit, emit_if_done, write_row
from parsers.http.state import FRAMES, LOSS, LOST, NO_ONE, OPAQUE, PENDING_LIMIT, SOCKET, START, WEBSOCKET
from parsers.http.websocket import LOST as OUT_OF_STEP
from parsers.http1.body import begin_request_body, begin_response_body
from parsers.http1.doubt import count_request, count_response
from parsers.http1.recognise import RESPONSE
from parsers.http2.connection import begin_by_preface, begin_by_upgrade
from parsers.http2.headers import note_range
from parsers.http2.streams import remember_stream
from sensor.core.hashing import mix
from sensor.core.jit import kernel
from sensor.core.reasons import REASON
from sensor.core.records import CUT, GAP, LATE_JOIN, NO_REQUEST, REQUEST_CUT
from sensor.core.wide import load_be32

U = np.uint64
HTTP2 = 20
LETTER_I, STAR = 73, 42
PREFACE_REST = 6
"""The preface of HTTP/2 (RFC 9113 3.4) begins like a request's head, `PRI * HTTP/2.0`; six bytes more follow."""
R_REQUESTS, R_RESPONSES, R_UPGRADED = REASON["requests"], REASON["responses"], REASON["upgraded"]


@kernel
def begin_message(flow, ts):
    """A message starts here."""
    flow["completeness"] = 0
    flow["weird"] = 0
    flow["pending"] = -1
    flow["first_ts"] = ts


@kernel
def is_side_for(http, entry, side, kind):
    """Whether a message of this kind may come from this side."""
    client = http.connections[entry]["client"]
    return client == NO_ONE or client == (side if kind != RESPONSE else 1 - side)


@kernel
def set_both(http, entry, state):
    """Both directions go on in another state; messages that they were in the middle of end here."""
    for side in range(2):
        flow = http.flows[2 * entry + side]
        drop_head(http, flow)
        if flow["pending"] >= 0:
            flow["completeness"] |= CUT if flow["response"] else REQUEST_CUT
            finish_message(http, entry, flow)
        flow["state"] = state


@kernel
def hand_on(http, entry, tunnel):
    """The connection stops being this HTTP/1 conversation: it may begin another within a tunnel, or none after an upgrade."""
    http.counters[R_UPGRADED] += U(1)
    set_both(http, entry, START if tunnel else OPAQUE)
    if tunnel:
        http.connections[entry]["client"] = NO_ONE


@kernel
def switch_to_frames(http, entry, flow, index):
    """101 to HTTP/2 (RFC 7540 3.2). The upgrade is told as it is; its request is stream 1 too, and answered there."""
    http.counters[R_UPGRADED] += U(1)
    flow["pending"] = -1
    flow["body"] = 0
    set_both(http, entry, FRAMES)
    slot = begin_by_upgrade(http, entry, http.connections[entry]["client"])
    pending = http.pending[index]
    if pending["completeness"] & NO_REQUEST or not pending["queued"]:
        emit(http, entry, index)
        return
    write_row(http, entry, index)
    pending["sent"] = 1
    pending["status"] = 0
    pending["version"] = HTTP2
    pending["type_len"] = 0
    clear_choice(pending, 1)
    pending["reply_ts"] = -1
    remember_stream(http, slot, np.int64(1), index)
    note_range(http.http2.connections[slot], np.uint32(1))


@kernel
def open_socket(http, entry, index):
    """101 to WebSocket (RFC 6455 4): the transaction goes on as what either side then sends, until the connection ends."""
    http.counters[R_UPGRADED] += U(1)
    for way in range(2):
        http.pending[index]["framing"][way] = WEBSOCKET
    client = http.connections[entry]["client"]
    if http.flows[2 * entry + np.int64(client)]["state"] != START:  # frames of the client came before the answer
        http.pending[index]["prefix"][0] = OUT_OF_STEP
        http.pending[index]["completeness"] |= GAP
    http.pending[index]["sent"] = 0
    http.pending[index]["completeness"] |= http.flows[2 * entry]["completeness"] | http.flows[2 * entry + 1]["completeness"]
    http.pending[index]["weird"] |= http.flows[2 * entry]["weird"] | http.flows[2 * entry + 1]["weird"]
    for side in range(2):
        flow = http.flows[2 * entry + side]
        drop_head(http, flow)
        flow["state"] = SOCKET
        flow["response"] = side != http.connections[entry]["client"]
        flow["pending"] = index
        flow["body"] = 0
        flow["completeness"] = 0
        flow["weird"] = 0


@kernel
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


@kernel
def is_preface_line(buffer, message):
    """Whether a request's line with the version 2.0 is that of the preface, or what is left of it where a capture begins."""
    if message["method_len"] > 3 or message["target_len"] != 1 or buffer[message["target_at"]] != STAR:
        return False
    return buffer[message["line_at"] + message["method_len"] - 1] == LETTER_I


@kernel
def on_request(http, entry, flow, buffer, message):
    """A request's head was parsed."""
    if message["version"] == HTTP2 and is_preface_line(buffer, message):
        other = http.flows[2 * entry + 1 - np.int64(http.connections[entry]["client"])]["state"]
        side = np.int64(http.connections[entry]["client"])
        set_both(http, entry, FRAMES)
        begin_by_preface(http, entry, side, PREFACE_REST, other)
        return
    http.counters[R_REQUESTS] += U(1)
    message["fingerprint"] = mix(message["fingerprint"])
    flow["weird"] |= message["weird"]
    connection = http.connections[entry]
    count_request(http, entry, np.int64(connection["client"]))
    if connection["doubt"]:
        flow["completeness"] |= GAP if connection["doubt"] == LOSS else LATE_JOIN
    index = begin_request(http, entry, flow, buffer, message, PENDING_LIMIT)
    flow["pending"] = index
    if index >= 0:
        doubt = connection["doubt"]
        http.pending[index]["alone"] = (doubt and connection["pipelines"]) or (doubt == LOSS and not connection["steady"])
        method = load_be32(buffer, message["line_at"])
        http.pending[index]["bodyless"] = message["method_len"] == 4 and method == U(0x48454144)
        http.pending[index]["connect"] = message["method_len"] == 7 and method == U(0x434F4E4E)
    state = begin_request_body(flow, message) if message["version"] > 0 else OPAQUE
    flow["state"] = state
    if state == LOST:
        flow["completeness"] |= REQUEST_CUT
    if state == START or state == LOST or state == OPAQUE:
        finish_message(http, entry, flow)


@kernel
def on_response(http, entry, flow, buffer, message):
    """A response's head was parsed."""
    http.counters[R_RESPONSES] += U(1)
    if 100 <= message["status"] < 200 and message["status"] != 101:
        flow["state"] = START  # an interim response: the final one follows
        return
    flow["weird"] |= message["weird"]
    count_response(http.connections[entry])
    index = begin_response(http, entry, flow, buffer, message)
    flow["pending"] = index
    bodyless, connect, upgrade = False, False, True
    if index >= 0:
        pending = http.pending[index]
        bodyless, connect, upgrade = pending["bodyless"] != 0, pending["connect"] != 0, True
    if message["status"] == 101 and message["upgrade"] == TO_HTTP2 and index >= 0:
        switch_to_frames(http, entry, flow, index)
        return
    if message["status"] == 101 and message["upgrade"] == TO_WEBSOCKET and index >= 0 and http.pending[index]["queued"]:
        open_socket(http, entry, index)
        return
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


@kernel
def on_head(http, entry, side, flow, buffer, message):
    """A head was parsed: the first one settles who is the client."""
    http.connections[entry]["client"] = 1 - side if flow["response"] else side
    if flow["response"]:
        on_response(http, entry, flow, buffer, message)
    else:
        on_request(http, entry, flow, buffer, message)
