"""Request targets (RFC 9112 3.2): origin, absolute, authority and asterisk form."""

import numpy as np

from parsers.http.text import COLON, find_in_value
from sensor.core.hashing import LOCATION_ERROR, LOCATION_SEED, U, hash_bytes, with_query
from sensor.core.jit import kernel
from sensor.core.words import begins_with_one_of, holds_one_of, words_table

HASH = 35
ERRORS = words_table("error", "fail", "invalid", "denied", "declin", "reject", "incorrect", "wrong", "err=")
"""In the query of a Location: what was asked for did not work."""
RETURNS = words_table("next", "return", "redirect", "continue", "from", "back", "url", "dest", "goto", "target", "service")
"""How the first field of a query is called that says where to go behind a log-in."""
SLASH, QUESTION, AT, OPEN_BRACKET, CLOSE_BRACKET = 47, 63, 64, 91, 93


@kernel
def without_port(buffer, at, length):
    """An authority's host: user information before and a port behind are cut off (RFC 3986 3.2)."""
    end = at + length
    mark = find_in_value(buffer, at, end, AT)
    while mark >= 0:
        at = mark + 1
        mark = find_in_value(buffer, at, end, AT)
    if at < end and buffer[at] == OPEN_BRACKET:
        close = find_in_value(buffer, at, end, CLOSE_BRACKET)
        return at, (close + 1 if close >= 0 else end) - at
    colon = find_in_value(buffer, at, end, COLON)
    return at, (colon if colon >= 0 else end) - at


@kernel
def scheme_end(buffer, at, end):
    """Offset behind `scheme://`, or -1 when the target does not begin so."""
    stop = min(end, at + 16)
    k = at
    while k < stop and buffer[k] != COLON:
        letter = buffer[k] | 32
        if not (97 <= letter <= 122 or 48 <= buffer[k] <= 57 or buffer[k] == 43 or buffer[k] == 45 or buffer[k] == 46):
            return np.int64(-1)
        k += 1
    if k == at or k + 3 > end or buffer[k] != COLON or buffer[k + 1] != SLASH or buffer[k + 2] != SLASH:
        return np.int64(-1)
    return k + 3


@kernel
def path_end(buffer, at, end):
    """Where a path ends: at its query, or at its fragment (RFC 3986 3.3)."""
    while at < end and buffer[at] != QUESTION and buffer[at] != HASH:
        at += 1
    return at


@kernel
def fragment_at(buffer, at, end):
    """Where a target's fragment begins, its end where it has none."""
    while at < end and buffer[at] != HASH:
        at += 1
    return at


@kernel
def location_hash(buffer, at, end):
    """Hash of what a Location leads to (RFC 9110 10.2.2), 0 where it has no path: a host alone, a relative path.

    That is its path; with a query that is no way back (RETURNS) path and query: a form of several steps goes on at the path
    that it came from. LOCATION_ERROR where the query names an error.
    """
    authority = scheme_end(buffer, at, end)
    if authority >= 0:
        at = authority
        while at < end and buffer[at] != SLASH:
            at += 1
    stop = path_end(buffer, at, end)
    query, query_end = stop + 1, fragment_at(buffer, stop, end)
    if query < query_end and holds_one_of(buffer, query, query_end, ERRORS):
        return LOCATION_ERROR
    if at >= end or buffer[at] != SLASH:
        return U(0)
    path = hash_bytes(buffer, at, stop - at, LOCATION_SEED)
    if query < query_end and not begins_with_one_of(buffer, query, query_end, RETURNS):
        return with_query(path, hash_bytes(buffer, query, query_end - query, LOCATION_SEED))
    return path


@kernel
def split_target(buffer, message):
    """(host, its length, path, its length, query, its length) as offsets; the target's authority goes before the Host field."""
    at, length = message["target_at"], message["target_len"]
    end = at + length
    host, host_len = without_port(buffer, message["host_at"], message["host_len"])
    authority = scheme_end(buffer, at, end) if length > 0 and buffer[at] != SLASH else np.int64(-1)
    if authority >= 0:
        at = authority
        while at < end and buffer[at] != SLASH and buffer[at] != QUESTION:
            at += 1
        if at > authority:
            host, host_len = without_port(buffer, authority, at - authority)
    elif message["hosts"] == 0 and message["method_len"] == 7 and buffer[message["line_at"]] == 67:  # CONNECT host:port
        host, host_len = without_port(buffer, at, length)
    question = find_in_value(buffer, at, end, QUESTION)
    if question < 0:
        return host, host_len, at, end - at, end, np.int64(0)
    return host, host_len, at, question - at, question + 1, end - question - 1
