"""Whether bytes begin an HTTP/1 message. The port is never asked."""

import numpy as np

from parsers.http.state import METHOD_LIMIT
from parsers.http.text import CR, LF, SP, TOKEN, find_byte
from sensor.core.hashing import U
from sensor.core.jit import kernel
from sensor.core.wide import load_le64, word

REQUEST, RESPONSE, MORE, NEITHER = range(4)

HTTP_SLASH = word(b"HTTP/")
FIVE = np.uint64(0xFFFFFFFFFF)
METHODS = (
    b"GET", b"POST", b"PUT", b"DELETE", b"HEAD", b"OPTIONS", b"PATCH", b"CONNECT", b"TRACE", b"QUERY",
    b"PROPFIND", b"PROPPATCH", b"MKCOL", b"COPY", b"MOVE", b"LOCK", b"UNLOCK", b"SEARCH", b"REPORT", b"PURGE",
    b"SUBSCRIBE", b"UNSUBSCRIBE", b"NOTIFY", b"M-SEARCH", b"LINK", b"UNLINK", b"BIND", b"UNBIND", b"ACL", b"MERGE",
    b"CHECKOUT", b"MKACTIVITY", b"MKCALENDAR", b"PRI",
)  # fmt: skip
"""Methods in use; PRI is how HTTP/2 begins (RFC 9113 3.4). After one of these a space settles it; any other token must be borne
out by the version at the line's end."""
METHOD_WORDS = np.array([word(m[:8]) for m in METHODS], np.uint64)
METHOD_LENGTHS = np.array([len(m) for m in METHODS], np.int64)


@kernel
def is_known_method(buffer, at, length):
    """Whether buffer[at : at + length] is one of METHODS (their first eight bytes tell them apart)."""
    value = load_le64(buffer, at)
    if length < 8:
        value &= (np.uint64(1) << np.uint64(8 * length)) - np.uint64(1)
    for k in range(METHOD_WORDS.shape[0]):
        if METHOD_LENGTHS[k] == length and METHOD_WORDS[k] == value:
            return True
    return False


@kernel
def ends_in_version(buffer, at, line_end):
    """Whether the line buffer[at:line_end] ends in ` HTTP/` digit `.` digit."""
    end = line_end
    if end > at and buffer[end - 1] == CR:
        end -= 1
    if end - at < 9 or buffer[end - 9] != SP:
        return False
    return (load_le64(buffer, end - 8) & FIVE) == HTTP_SLASH and buffer[end - 2] == 46


@kernel
def classify(buffer, at, end, limit):
    """REQUEST, RESPONSE or NEITHER, or MORE when buffer[at:end] is too short to tell. limit: bytes to wait for at the most."""
    length = end - at
    if buffer[at] == 72 and length < 5:  # "H": HTTP/ or HEAD
        return MORE
    if (load_le64(buffer, at) & FIVE) == HTTP_SLASH:
        return RESPONSE if length < 6 or 48 <= buffer[at + 5] <= 57 else NEITHER
    space = at
    stop = min(end, at + METHOD_LIMIT)
    while space < stop and TOKEN[buffer[space]]:
        space += 1
    if space == stop:
        if stop - at == METHOD_LIMIT:
            return NEITHER
        return MORE if 65 <= buffer[at] <= 90 else NEITHER
    if space == at or buffer[space] != SP:
        return NEITHER
    if space + 1 < end and (buffer[space + 1] < SP or buffer[space + 1] == 127):
        return NEITHER
    if is_known_method(buffer, at, space - at):
        return REQUEST
    line_end = find_byte(buffer, space, end, LF)
    if line_end >= 0:
        return REQUEST if ends_in_version(buffer, space, line_end) else NEITHER
    return MORE if length < limit else NEITHER


@kernel
def is_tls(buffer, at, end, amid):
    """Whether a TLS record begins here (RFC 8446 5.1): a handshake's hello, or, amid a connection, any kind of record."""
    if end - at < 6 or buffer[at + 1] != 3 or buffer[at + 2] > 4:
        return False
    if buffer[at] == 22:
        return amid or buffer[at + 5] == 1 or buffer[at + 5] == 2
    return amid and 20 <= buffer[at] <= 23


@kernel
def has_known_method(buffer, at, end):
    """Whether a request begins with a method in use: what is left of one that began earlier does not."""
    space = find_byte(buffer, at, min(end, at + METHOD_LIMIT), SP)
    return space > at and is_known_method(buffer, at, space - at)


@kernel
def begins_response(buffer, at, end):
    """Whether the bytes are the first few of `HTTP/`."""
    if end - at > 4:
        return False
    return load_le64(buffer, at) & ((U(1) << U(8 * (end - at))) - U(1)) == HTTP_SLASH & ((U(1) << U(8 * (end - at))) - U(1))
