"""Fields of a request that few clients send, and its cookies: parameters of an API may be among them."""

import numpy as np

from parsers.http.state import EXTRAS, EXTRAS_LIMIT
from parsers.http.text import LOWER, copy_lower
from sensor.core.hashing import U
from sensor.core.jit import inlined, kernel
from sensor.core.records import PACKED_PREFIX
from sensor.core.wide import copy, word
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
SHIFT = U(55)  # the upper 9 bits: SLOTS
NAME_KEPT, VALUE_KEPT = 64, 256
SEMICOLON, COLON = 59, 58
(COOKIE,), COOKIE_BYTES = words_table("cookie"), 6


def _words_of(name: bytes) -> tuple[int, int]:
    """What name_words gives for a field name, as note_field takes it."""
    first = int(word(name[:8])) | int(LOWER)
    return (first, int(word(name[-8:])) | int(LOWER)) if len(name) >= 8 else (first, first)


def _table() -> np.ndarray:
    """uint64[SLOTS, 2]: (first, last ^ length) of the usual names, by hash; zeros are free."""
    table = np.zeros((SLOTS, 2), np.uint64)
    for name in USUAL:
        first, last = _words_of(name.encode())
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


@kernel
def kept_of(buffer, at, end, room, is_cookie):
    """Bytes of a value that are kept: of cookies those which fit as a whole, of another value none or its beginning."""
    if end - at <= room:
        return end - at
    if not is_cookie:
        return min(room, VALUE_KEPT)
    stop = at + room
    while stop > at and buffer[stop] != SEMICOLON:
        stop -= 1
    return stop - at


@kernel
def pack_extras(buffer, message, text, to):
    """Write the fields to text[to:], EXTRAS_LIMIT bytes at the most: the offset behind them."""
    limit = to + EXTRAS_LIMIT
    for k in range(message["extras"]):
        name, length = message["extra_name"][k], message["extra_name_len"][k]
        at, end = message["extra_at"][k], message["extra_end"][k]
        room = limit - to - PACKED_PREFIX - length
        if room <= 0:
            return to
        if buffer[name] == COLON:
            continue
        is_cookie = length == COOKIE_BYTES and begins_with(buffer, name, name + length, COOKIE)
        kept = kept_of(buffer, at, end, room if is_cookie else min(room, VALUE_KEPT), is_cookie)
        sent = min(end - at, 0xFFFF)
        text[to] = length
        text[to + 1], text[to + 2] = sent & 255, sent >> 8
        text[to + 3], text[to + 4] = kept & 255, kept >> 8
        copy_lower(text, to + PACKED_PREFIX, buffer, name, length)
        copy(text, to + PACKED_PREFIX + length, buffer, at, kept)
        to += PACKED_PREFIX + length + kept
    return to
