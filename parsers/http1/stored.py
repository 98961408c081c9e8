"""Heads that lie in more than one segment: kept in a chain until their empty line comes."""

import numpy as np

from parsers.http.eviction import drop_head, keep_bytes, lose
from parsers.http.state import HEAD, HEAD_LIMIT, LOST, OPAQUE
from parsers.http.text import CR, LF, find_byte
from parsers.http1.head import parse_head, version_at
from parsers.http1.message import finish_message, is_side_for, on_head
from parsers.http1.recognise import MORE, NEITHER, RESPONSE, classify, has_known_method
from sensor.core.chain import BLOCK, read_chain
from sensor.core.jit import kernel
from sensor.core.reasons import REASON
from sensor.core.records import CUT, REQUEST_CUT, TRUNCATED, WEIRD_BIT
from sensor.core.wide import copy

U = np.uint64
R_HEAD = REASON["head_overflow"]
W_LONG = WEIRD_BIT["head_too_long"]
FIRST_LINE = 8_192
"""Bytes to wait for the end of a first line that begins with an unknown method."""


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
def store_head(http, entry, side, flow, buffer, at, end):
    """Keep a part of a head until the rest comes; older ones give way. False when there is no room all the same."""
    if not keep_bytes(http, entry, side, flow, buffer, at, end):
        return False
    flow["state"] = HEAD
    return True


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
            if flow["state"] < OPAQUE:  # unless it began another protocol
                flow["state"] = LOST
        elif not store_head(http, entry, side, flow, buffer, at, end) or not settle_kind(http, entry, side, flow):
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
