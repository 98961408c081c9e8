"""One message head (RFC 9112 2 to 6): the first line and the fields that matter, as offsets into the buffer."""

import numpy as np

from parsers.http1.auth import note_authorization, note_cookies
from parsers.http1.recognise import FIVE, HTTP_SLASH
from parsers.http1.text import COLON, CR, HT, LF, LOWER, SP, find_byte, first_eight, number_of, trim
from sensor.core.hashing import mix
from sensor.core.jit import kernel
from sensor.core.records import AUTH, WEIRD_BIT
from sensor.core.wide import load_le64, word

U = np.uint64
NAME_A, NAME_B = U(0x9E3779B97F4A7C15), U(0xD6E8FEB86659FD93)
INTERESTING = sum(1 << length for length in (4, 6, 7, 9, 10, 12, 13, 14, 15, 17))
"""Lengths of the field names that note_field knows, as bits."""
INCOMPLETE, NOT_A_HEAD = 0, -1

W_BARE_LF, W_FOLD, W_SPACE = WEIRD_BIT["bare_lf"], WEIRD_BIT["obs_fold"], WEIRD_BIT["space_before_colon"]
W_BAD, W_CONFLICT, W_BOTH = WEIRD_BIT["bad_header"], WEIRD_BIT["conflicting_length"], WEIRD_BIT["length_and_chunked"]
W_LENGTH, W_CODING, W_HOST = WEIRD_BIT["bad_length"], WEIRD_BIT["unknown_coding"], WEIRD_BIT["no_host"]
W_HOSTS, W_VERSION, W_09 = WEIRD_BIT["many_hosts"], WEIRD_BIT["bad_version"], WEIRD_BIT["http09"]
A_API_KEY = AUTH["api_key"]


def _ends(name: bytes) -> tuple[np.uint64, np.uint64]:
    """First and last eight bytes of a field name, lower-cased as first_eight does."""
    return word(name[:8]) | LOWER, word(name[-8:]) | LOWER


HOST, COOKIE, REFERER, UPGRADE = (word(name) | LOWER for name in (b"host", b"cookie", b"referer", b"upgrade"))
API_KEY, API_KEY_END = _ends(b"x-api-key")
FORWARDED, FORWARDED_END = _ends(b"forwarded")
USER_AGENT, USER_AGENT_END = _ends(b"user-agent")
CONTENT_TYPE, CONTENT_TYPE_END = _ends(b"content-type")
AUTH_TOKEN, AUTH_TOKEN_END = _ends(b"x-auth-token")
AUTHORIZATION, AUTHORIZATION_END = _ends(b"authorization")
CONTENT_LENGTH, CONTENT_LENGTH_END = _ends(b"content-length")
FORWARDED_FOR, FORWARDED_FOR_END = _ends(b"x-forwarded-for")
TRANSFER, TRANSFER_END = _ends(b"transfer-encoding")
API_DASH = word(b"api-key") | LOWER
CHUNKED = word(b"chunked") | LOWER
IDENTITY = word(b"identity") | LOWER


@kernel
def clear(message):
    """Make a message empty."""
    message["line_at"] = 0
    message["method_len"] = 0
    message["target_at"] = 0
    message["target_len"] = 0
    message["status"] = 0
    message["version"] = 0
    message["host_at"] = 0
    message["host_len"] = 0
    message["agent_len"] = 0
    message["agent_at"] = 0
    message["referer_at"] = 0
    message["referer_len"] = 0
    message["type_at"] = 0
    message["type_len"] = 0
    message["forwarded_at"] = 0
    message["forwarded_len"] = 0
    message["credential_at"] = 0
    message["credential_len"] = 0
    message["session_at"] = 0
    message["session_len"] = 0
    message["length"] = -1
    message["auth"] = 0
    message["hosts"] = 0
    message["chunked"] = 0
    message["coded"] = 0
    message["upgrade"] = 0
    message["weird"] = 0
    message["fingerprint"] = 0


@kernel
def version_of(buffer, at):
    """HTTP version times ten at `HTTP/x.y`, 0 when there is none."""
    major, minor = np.int64(buffer[at + 5]) - 48, np.int64(buffer[at + 7]) - 48
    if buffer[at + 6] != 46 or major < 0 or major > 9 or minor < 0 or minor > 9:
        return np.int64(0)
    return major * 10 + minor


@kernel
def status_line(buffer, at, end, message):
    """`HTTP/1.1 200 OK` (RFC 9112 4): False when no three digits follow the version."""
    if end - at < 12:
        return False
    message["version"] = version_of(buffer, at)
    if message["version"] != 10 and message["version"] != 11:
        message["weird"] |= W_VERSION
    at = find_byte(buffer, at, end, SP)
    if at < 0:
        return False
    while at < end and buffer[at] == SP:
        at += 1
    if end - at < 3 or (end - at > 3 and 48 <= buffer[at + 3] <= 57):
        return False
    message["status"] = number_of(buffer, at, at + 3)
    return message["status"] >= 0


@kernel
def version_at(buffer, at, end):
    """Where the last word of a request line begins, when it is or was meant to be a version; else `end`."""
    space = end - 1
    while space > at and buffer[space] != SP:
        space -= 1
    word_at = space + 1 if buffer[space] == SP else at
    if end - word_at >= 5 and (load_le64(buffer, word_at) & FIVE) == HTTP_SLASH:
        return word_at
    return end


@kernel
def request_line(buffer, at, end, message):
    """`GET /path HTTP/1.1` (RFC 9112 3): a target with spaces goes up to the last one before the version."""
    space = find_byte(buffer, at, end, SP)
    if space < 0:
        return False
    message["line_at"] = at
    message["method_len"] = space - at
    at = space + 1
    stop = version_at(buffer, at, end)
    if end - stop == 8:
        message["version"] = version_of(buffer, stop)
    elif stop < end:
        message["version"] = 10  # the oldest version with fields: what a broken number can be taken for
    if end - stop != 8 or (message["version"] != 10 and message["version"] != 11):
        message["weird"] |= W_VERSION
    at, stop = trim(buffer, at, stop)
    message["target_at"] = at
    message["target_len"] = stop - at
    return True


@kernel
def note_length(buffer, at, end, message):
    """Content-Length (RFC 9112 6.3): equal repeats are one, different ones are an attack."""
    comma = find_byte(buffer, at, end, 44)
    while at <= end:
        stop = comma if comma >= 0 else end
        a, b = trim(buffer, at, stop)
        value = number_of(buffer, a, b)
        if value < 0:
            message["weird"] |= W_LENGTH
        elif message["length"] >= 0 and message["length"] != value:
            message["weird"] |= W_CONFLICT
        else:
            message["length"] = value
        if comma < 0:
            return
        at = comma + 1
        comma = find_byte(buffer, at, end, 44)


@kernel
def note_coding(buffer, at, end, message):
    """Transfer-Encoding: whether the last coding of all its fields is chunked (RFC 9112 6.1)."""
    comma = find_byte(buffer, at, end, 44)
    alone = comma < 0 and not message["coded"]
    while comma >= 0:
        at = comma + 1
        comma = find_byte(buffer, at, end, 44)
    at, end = trim(buffer, at, end)
    chunked = end - at == 7 and first_eight(buffer, at, 7) == CHUNKED
    if alone and end - at == 8 and first_eight(buffer, at, 8) == IDENTITY:
        return  # RFC 2616's name for no coding at all
    if not chunked:
        message["weird"] |= W_CODING
    message["coded"] = 1
    message["chunked"] = chunked


@kernel
def note_field(buffer, first, last, length, at, end, message):
    """One field with the value buffer[at:end], kept when it matters. first, last: eight bytes of its name, lower-cased."""
    if length == 4:
        if first == HOST:
            message["hosts"] += np.uint8(message["hosts"] < 255)
            if message["hosts"] == 1:
                message["host_at"] = at
                message["host_len"] = end - at
    elif length == 6:
        if first == COOKIE:
            note_cookies(buffer, at, end, message)
    elif length == 7:
        if first == REFERER:
            message["referer_at"] = at
            message["referer_len"] = end - at
        elif first == UPGRADE:
            message["upgrade"] = 1
        elif first == API_DASH:
            note_key(message, at, end)
    elif length == 9:
        if first == API_KEY and last == API_KEY_END:
            note_key(message, at, end)
        elif first == FORWARDED and last == FORWARDED_END and message["forwarded_len"] == 0:
            message["forwarded_at"] = at
            message["forwarded_len"] = end - at
    elif length == 10:
        if first == USER_AGENT and last == USER_AGENT_END:
            message["agent_at"] = at
            message["agent_len"] = end - at
    elif length == 12:
        if first == CONTENT_TYPE and last == CONTENT_TYPE_END:
            semicolon = find_byte(buffer, at, end, 59)
            at, end = trim(buffer, at, semicolon if semicolon >= 0 else end)
            message["type_at"] = at
            message["type_len"] = end - at
        elif first == AUTH_TOKEN and last == AUTH_TOKEN_END:
            note_key(message, at, end)
    elif length == 13:
        if first == AUTHORIZATION and last == AUTHORIZATION_END:
            note_authorization(buffer, at, end, message)
    elif length == 14:
        if first == CONTENT_LENGTH and last == CONTENT_LENGTH_END:
            note_length(buffer, at, end, message)
    elif length == 15:
        if first == FORWARDED_FOR and last == FORWARDED_FOR_END:
            message["forwarded_at"] = at
            message["forwarded_len"] = end - at
    elif length == 17 and first == TRANSFER and last == TRANSFER_END:
        note_coding(buffer, at, end, message)


@kernel
def name_words(buffer, at, length):
    """First and last eight bytes of a name, as sent; the same, zero-padded, for a shorter one."""
    first = load_le64(buffer, at)
    if length >= 8:
        return first, load_le64(buffer, at + length - 8)
    first &= (U(1) << U(8 * length)) - U(1)
    return first, first


@kernel
def note_key(message, at, end):
    """A key in a field of its own; Authorization goes before it."""
    if message["credential_len"] == 0 and end > at:
        message["auth"] = A_API_KEY
        message["credential_at"] = at
        message["credential_len"] = end - at


@kernel
def field_line(buffer, at, end, message):
    """One field line without its line end: name, colon, value."""
    colon = find_byte(buffer, at, end, COLON)
    if colon <= at:
        message["weird"] |= W_BAD
        return
    name_end = colon
    while name_end > at and (buffer[name_end - 1] == SP or buffer[name_end - 1] == HT):
        name_end -= 1
        message["weird"] |= W_SPACE
    length = name_end - at
    first, last = name_words(buffer, at, length)
    message["fingerprint"] = mix(message["fingerprint"] ^ (first * NAME_A + last * NAME_B + U(length)))
    if INTERESTING >> length & 1 if length < 20 else False:
        value, value_end = trim(buffer, colon + 1, end)
        note_field(buffer, first | LOWER, last | LOWER, length, value, value_end, message)


@kernel
def judge(message, is_response):
    """What can be said once all fields were seen."""
    if message["coded"] and message["length"] >= 0:
        message["weird"] |= W_BOTH
    if not is_response:
        if message["hosts"] == 0 and message["version"] >= 11:
            message["weird"] |= W_HOST
        elif message["hosts"] > 1:
            message["weird"] |= W_HOSTS


@kernel
def parse_head(buffer, at, end, is_response, message):
    """Parse a head that begins at `at`: bytes of it, INCOMPLETE when it does not end before `end`, or NOT_A_HEAD."""
    start = at
    clear(message)
    line_end = find_byte(buffer, at, end, LF)
    if line_end < 0:
        return np.int64(INCOMPLETE)
    stop = line_end
    if stop > at and buffer[stop - 1] == CR:
        stop -= 1
    else:
        message["weird"] |= W_BARE_LF
    good = status_line(buffer, at, stop, message) if is_response else request_line(buffer, at, stop, message)
    if not good:
        return np.int64(NOT_A_HEAD)
    if not is_response and message["version"] == 0:
        message["weird"] |= W_09
        return line_end + 1 - start
    at = line_end + 1
    while True:
        line_end = find_byte(buffer, at, end, LF)
        if line_end < 0:
            return np.int64(INCOMPLETE)
        stop = line_end
        if stop > at and buffer[stop - 1] == CR:
            stop -= 1
        else:
            message["weird"] |= W_BARE_LF
        if stop == at:
            judge(message, is_response)
            return line_end + 1 - start
        following = line_end + 1
        while following < end and (buffer[following] == SP or buffer[following] == HT):  # obs-fold (RFC 9112 5.2)
            message["weird"] |= W_FOLD
            line_end = find_byte(buffer, following, end, LF)
            if line_end < 0:
                return np.int64(INCOMPLETE)
            stop = line_end
            following = line_end + 1
        if following >= end:
            return np.int64(INCOMPLETE)
        field_line(buffer, at, stop, message)
        at = following
