"""How long a message's body is (RFC 9112 6.3), and the walk through it."""

from parsers.http.state import CHUNK_DATA, CHUNK_END, CHUNK_SIZE, LENGTH, LOST, START, TRAILER, UNTIL_CLOSE
from parsers.http.text import CR, HT, LF, SP
from sensor.core.addresses import hex_value
from sensor.core.jit import kernel
from sensor.core.records import CUT, REQUEST_CUT, WEIRD_BIT

W_CHUNK, W_EXTENSION = WEIRD_BIT["bad_chunk"], WEIRD_BIT["chunk_extension"]
SEMICOLON = 59
W_AMBIGUOUS = WEIRD_BIT["conflicting_length"] | WEIRD_BIT["bad_length"]
LARGEST_CHUNK = 1 << 56
"""Bytes of a chunk beyond which one more digit could overflow, which is an old attack."""
IN_DIGITS, IN_EXTENSION, BEHIND_DIGITS = range(3)


@kernel
def begin_request_body(flow, message):
    """State after a request's head; START when it has no body."""
    flow["body"] = 0
    flow["remaining"] = 0
    if message["chunked"]:
        flow["digits"] = 0
        flow["extension"] = 0
        return CHUNK_SIZE
    if message["coded"] or message["weird"] & W_AMBIGUOUS:
        return LOST  # nobody can tell where it ends
    if message["length"] > 0:
        flow["remaining"] = message["length"]
        return LENGTH
    return START


@kernel
def begin_response_body(flow, message, bodyless):
    """State after a response's head; START when it has no body."""
    flow["body"] = 0
    flow["remaining"] = 0
    status = message["status"]
    if bodyless or status < 200 or status == 204 or status == 304:
        return START
    if message["chunked"]:
        flow["digits"] = 0
        flow["extension"] = 0
        return CHUNK_SIZE
    if message["coded"]:
        return UNTIL_CLOSE
    if message["weird"] & W_AMBIGUOUS and message["length"] < 0:
        return UNTIL_CLOSE
    if message["length"] > 0:
        flow["remaining"] = message["length"]
        return LENGTH
    return START if message["length"] == 0 else UNTIL_CLOSE


@kernel
def take_counted(flow, at, end):
    """Bytes of a body of known length or of a chunk: the offset behind them."""
    size = min(end - at, flow["remaining"])
    flow["remaining"] -= size
    flow["body"] += size
    return at + size


@kernel
def lose_chunks(flow):
    """The chunked framing is broken: the body's end is unknown."""
    flow["weird"] |= W_CHUNK
    flow["completeness"] |= CUT if flow["response"] else REQUEST_CUT
    flow["state"] = LOST


@kernel
def take_size(flow, buffer, at, end):
    """A chunk-size line (RFC 9112 7.1): the offset behind what of it lies here."""
    while at < end:
        byte = buffer[at]
        at += 1
        if byte == LF:
            if flow["digits"] == 0:
                lose_chunks(flow)
            elif flow["remaining"] == 0:
                flow["state"] = TRAILER
                flow["digits"] = 0
            else:
                flow["state"] = CHUNK_DATA
            return at
        if flow["extension"] == IN_EXTENSION:
            continue
        digit = hex_value(byte)
        if digit >= 0 and flow["extension"] == IN_DIGITS and flow["remaining"] < LARGEST_CHUNK:
            flow["remaining"] = flow["remaining"] * 16 + digit
            flow["digits"] = 1
        elif byte == SEMICOLON and flow["digits"]:
            flow["extension"] = IN_EXTENSION
            flow["weird"] |= W_EXTENSION
        elif flow["digits"] and (byte == CR or byte == SP or byte == HT):
            flow["extension"] = BEHIND_DIGITS
        else:
            lose_chunks(flow)
            return at
    return at


@kernel
def take_chunk_end(flow, buffer, at, end):
    """The line end behind a chunk's data."""
    while at < end:
        byte = buffer[at]
        at += 1
        if byte == LF:
            flow["state"] = CHUNK_SIZE
            flow["digits"] = 0
            flow["extension"] = 0
            flow["remaining"] = 0
            return at
        if byte != CR:
            lose_chunks(flow)
            return at
    return at


@kernel
def take_trailer(flow, buffer, at, end):
    """Trailer fields up to an empty line (RFC 9112 7.1.2), then START. `digits` is 1 within a line that has text."""
    while at < end:
        byte = buffer[at]
        at += 1
        if byte == LF:
            if flow["digits"] == 0:
                flow["state"] = START
                return at
            flow["digits"] = 0
        elif byte != CR:
            flow["digits"] = 1
    return at


@kernel
def take_body(flow, buffer, at, end):
    """Whatever of a body lies in buffer[at:end]: the offset behind it. The state is START when the body is complete."""
    state = flow["state"]
    if state == LENGTH:
        at = take_counted(flow, at, end)
        if flow["remaining"] == 0:
            flow["state"] = START
    elif state == CHUNK_DATA:
        at = take_counted(flow, at, end)
        if flow["remaining"] == 0:
            flow["state"] = CHUNK_END
    elif state == CHUNK_SIZE:
        at = take_size(flow, buffer, at, end)
    elif state == CHUNK_END:
        at = take_chunk_end(flow, buffer, at, end)
    elif state == TRAILER:
        at = take_trailer(flow, buffer, at, end)
    else:  # UNTIL_CLOSE
        flow["body"] += end - at
        at = end
    return at
