"""Fields of a request that few clients send, and its cookies: parameters of an API may be among them."""

import numpy as np

from parsers.http.state import EXTRAS, EXTRAS_LIMIT
from parsers.http.text import COLON, SP, copy_lower, copy_short, find_byte, name_ends
from sensor.core.hashing import U
from sensor.core.jit import inlined, kernel
from sensor.core.records import PACKED_COOKIE, PACKED_HEAD, PACKED_PREFIX, PACKED_TAIL
from sensor.core.words import begins_with, words_table

USUAL = (
    ":method", ":path", ":scheme", ":authority", ":protocol", "host", "user-agent", "accept", "accept-encoding",
    "accept-language", "accept-charset", "connection", "keep-alive",
    "proxy-connection", "content-type", "content-length", "content-encoding", "transfer-encoding", "te", "trailer", "expect",
    "upgrade", "http2-settings", "cache-control", "pragma", "date", "via", "from", "warning", "max-forwards", "range",
    "if-range", "if-none-match", "if-modified-since", "if-match", "if-unmodified-since", "referer", "origin", "dnt", "priority",
    "authorization", "proxy-authorization", "upgrade-insecure-requests", "purpose", "save-data", "sec-gpc", "sec-purpose",
    "sec-fetch-site", "sec-fetch-mode", "sec-fetch-user", "sec-fetch-dest", "sec-ch-ua", "sec-ch-ua-mobile",
    "sec-ch-ua-platform", "sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions", "sec-websocket-protocol",
    "access-control-request-method", "access-control-request-headers", "x-forwarded-for", "x-forwarded-proto",
    "x-forwarded-host", "x-forwarded-port", "x-real-ip", "forwarded", "traceparent", "tracestate", "x-request-id",
    "x-correlation-id", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-amzn-trace-id", "x-requested-with",
    "grpc-accept-encoding", "grpc-encoding", "grpc-timeout",
)  # fmt: skip
"""What HTTP itself, browsers, proxies and tracing send to any server: nothing that an API would name a parameter."""
SLOTS = 512
NAME_A, NAME_B = U(0x9E3779B97F4A7C15), U(0xD6E8FEB86659FD93)
"""Factors of the hashes of names, here and in the fingerprint."""
SHIFT = U(55)  # the upper 9 bits: SLOTS
NAME_KEPT = 64
"""Bytes of a name; fields and cookies with longer ones are left out."""
LONGEST = PACKED_PREFIX + NAME_KEPT + PACKED_HEAD + PACKED_TAIL
SEMICOLON, EQUALS, QUOTE = 59, 61, 34
(COOKIE,), COOKIE_BYTES = words_table("cookie"), 6


def _table() -> np.ndarray:
    """uint64[SLOTS, 2]: (first, last ^ length) of the usual names, by hash; zeros are free."""
    table = np.zeros((SLOTS, 2), np.uint64)
    for name in USUAL:
        first, last = map(int, name_ends(name.encode()))
        slot = ((first * int(NAME_A) ^ last * int(NAME_B)) + len(name)) % 2**64 >> int(SHIFT)
        while table[slot, 0]:
            slot = (slot + 1) % SLOTS
        table[slot] = first, last ^ len(name)
    return table


TABLE = _table()


@inlined
def is_extra(first, last, length):
    """Whether a field is none of the usual ones. first, last: as in note_field."""
    slot = np.int64(((first * NAME_A ^ last * NAME_B) + U(length)) >> SHIFT)
    while TABLE[slot, 0] != U(0):
        if TABLE[slot, 0] == first and TABLE[slot, 1] == last ^ U(length):
            return False
        slot = (slot + 1) & (SLOTS - 1)
    return True


@kernel
def note_extra(message, name, length, at, end):
    """Keep where a field stands; pseudo-header fields of HTTP/2 have their own places, and there is room for a few."""
    k = np.int64(message["extras"])
    if k == EXTRAS or end <= at or length > NAME_KEPT:
        return
    message["extra_name"][k] = name
    message["extra_name_len"][k] = length
    message["extra_at"][k] = at
    message["extra_end"][k] = end
    message["extras"] = k + 1


@inlined
def pack_one(buffer, name, length, at, end, mark, text, to):
    """Write one field or cookie to text[to:]: the offset behind it."""
    sent, kept = end - at, min(end - at, PACKED_HEAD + PACKED_TAIL)
    text[to] = length | mark
    told = min(sent, 0xFFFF)
    text[to + 1], text[to + 2] = told & 255, told >> 8
    text[to + 3] = kept
    to += PACKED_PREFIX
    copy_lower(text, to, buffer, name, length)
    to += length
    if kept == sent:
        copy_short(text, to, buffer, at, kept)
    else:
        copy_short(text, to, buffer, at, PACKED_HEAD)
        copy_short(text, to + PACKED_HEAD, buffer, end - PACKED_TAIL, PACKED_TAIL)
    return to + kept


@kernel
def pack_cookies(buffer, at, end, text, to, limit):
    """Write the cookies of a field (RFC 6265 4.2.1) to text[to:] while one of the longest fits: the offset behind them."""
    while at < end and to <= limit:
        semicolon = find_byte(buffer, at, end, SEMICOLON)
        stop = semicolon if semicolon >= 0 else end
        while at < stop and buffer[at] == SP:
            at += 1
        equals = find_byte(buffer, at, stop, EQUALS)
        value, behind = equals + 1, stop
        if equals > at and behind - value >= 2 and buffer[value] == QUOTE and buffer[behind - 1] == QUOTE:
            value, behind = value + 1, behind - 1
        if equals > at and equals - at <= NAME_KEPT and value < behind:
            to = pack_one(buffer, at, equals - at, value, behind, PACKED_COOKIE, text, to)
        at = stop + 1
    return to


@kernel
def pack_extras(buffer, message, text, to):
    """Write the fields to text[to:], EXTRAS_LIMIT bytes at the most: the offset behind them."""
    limit = to + EXTRAS_LIMIT - LONGEST
    for k in range(message["extras"]):
        name, length = message["extra_name"][k], message["extra_name_len"][k]
        at, end = message["extra_at"][k], message["extra_end"][k]
        if to > limit:
            break
        if length == COOKIE_BYTES and begins_with(buffer, name, name + length, COOKIE):
            to = pack_cookies(buffer, at, end, text, to, limit)
        elif buffer[name] != COLON:  # a pseudo-header field that nobody knows
            to = pack_one(buffer, name, length, at, end, 0, text, to)
    return to
