"""One message head (RFC 9112 2 to 6): the first line and the fields that matter, as offsets into the buffer."""

import numpy as np

from parsers.http.fields import clear, note
from parsers.http.text import COLON, CR, HT, LF, SP, find_byte, number_of, trim
from parsers.http1.recognise import FIVE, HTTP_SLASH
from sensor.core.jit import kernel
from sensor.core.records import WEIRD_BIT
from sensor.core.wide import load_le64

INCOMPLETE, NOT_A_HEAD = 0, -1

W_BARE_LF, W_FOLD, W_SPACE = WEIRD_BIT["bare_lf"], WEIRD_BIT["obs_fold"], WEIRD_BIT["space_before_colon"]
W_BAD, W_BOTH, W_HOST = WEIRD_BIT["bad_header"], WEIRD_BIT["length_and_chunked"], WEIRD_BIT["no_host"]
W_HOSTS, W_VERSION, W_09 = WEIRD_BIT["many_hosts"], WEIRD_BIT["bad_version"], WEIRD_BIT["http09"]


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
    value, value_end = trim(buffer, colon + 1, end)
    note(buffer, at, name_end - at, value, value_end, message)


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
