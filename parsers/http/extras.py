"""Fields that few clients and servers send, and cookies: parameters of an API, and what it exposes, may be among them."""

import numpy as np

from parsers.http.state import EXTRAS, EXTRAS_LIMIT
from parsers.http.text import COLON, SP, copy_lower, copy_short, find_byte
from sensor.core.jit import inlined, kernel
from sensor.core.records import PACKED_COOKIE, PACKED_HEAD, PACKED_PREFIX, PACKED_TAIL
from sensor.core.words import begins_with, words_table

NAME_KEPT = 64
"""Bytes of a name; fields and cookies with longer ones are left out."""
LONGEST = PACKED_PREFIX + NAME_KEPT + PACKED_HEAD + PACKED_TAIL
SEMICOLON, EQUALS, QUOTE = 59, 61, 34
(COOKIE,), COOKIE_BYTES = words_table("cookie"), 6


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
