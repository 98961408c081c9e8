"""What people write: a signature of the longest text in a request's body, alike for texts that differ in little.

64-bit SimHash (Charikar 2002; Manku, Jain and Das Sarma 2007) over all runs of four bytes of the text, decoded, without its
case, digits, web addresses and repeated white space: names and links that are exchanged change few bits. Texts of people that
have nothing to do with each other differ in 32 bits on the average.
"""

import numpy as np

from sensor.core.addresses import hex_value
from sensor.core.hashing import U, hash_bytes, mix
from sensor.core.jit import kernel
from sensor.core.quoted import QUOTE, string_end
from sensor.core.records import FLOW, MEDIA
from sensor.core.wide import load_be32
from sensor.core.words import url_byte
from sensor.inventory.lexical import DIGIT, KIND, LOWER, UPPER
from sensor.inventory.secrets import is_among, name_hash, name_hashes
from sensor.inventory.values import AMPERSAND, EQUALS, find_in

SHORTEST, SHORTEST_LINKED, LONGEST = 40, 8, 512
"""Bytes of a text, without what does not count, from which on it has a signature; from which on one with a web address has; and
that are looked at."""
SCANNED = 8_192
"""Bytes of a body in which the longest text is looked for."""
SHINGLE = 4
CONTENT = FLOW["content"]
M_JSON, M_FORM, M_TEXT, M_MULTIPART = MEDIA["json"], MEDIA["form"], MEDIA["text"], MEDIA["multipart"]
WORD = 16
"""Bytes to a space at the most, for a text to be one."""
SPACE, PLUS, DIGIT_0, DIGIT_9, CASE = 32, 43, 48, 57, 32
PERCENT, BACKSLASH, LINE_FEED, LETTER_U, LETTER_N, LETTER_T = 37, 92, 10, 117, 110, 116
ESCAPED = 6
"""Bytes of `\\u0041`."""
DASH, DOT, NAME_BYTE = 45, 46, DIGIT | LOWER | UPPER
LONGEST_DOMAIN, ADDRESS = 8, 256
DOMAINS = name_hashes(
    "com", "net", "org", "info", "biz", "io", "co", "ai", "app", "dev", "top", "shop", "store", "online", "site", "xyz",
    "club", "click", "link", "live", "win", "vip", "pro", "fun", "icu", "space", "website", "today", "buzz", "cc", "ru", "cn",
    "uk", "eu", "tk", "ml", "ga", "cf", "gq", "ly", "gl", "cyou", "sbs", "lol", "bet", "casino", "loan",
)  # fmt: skip
"""Domains under which links are written without a scheme; none that is a word of a language, as `me` or `it`: after a full
stop without a space these are no links."""
HTTP, WWW = 0x68747470, 0x7777772E  # "http", "www."


@kernel
def words_of(text, at, end):
    """How much of text[at:end] reads as words: bytes, where it has a space (or what stands for one) in every WORD or so; 0."""
    spaces, wide = 0, 0
    for k in range(at, end):
        byte = text[k]
        spaces += byte == SPACE or byte == PLUS or (byte == PERCENT and text[k + 1] == 50 and text[k + 2] == 48)
        wide += byte >= 128 or byte == PERCENT or byte == BACKSLASH
    length = end - at
    return length if spaces * WORD >= length or wide * 8 >= length else 0


@kernel
def longest_string(text, at, end):
    """(offset, length) of the longest text among the strings of a JSON text; tokens and keys are none."""
    found, length = at, 0
    while at < end:
        if text[at] != QUOTE:
            at += 1
            continue
        stop = string_end(text, at + 1, end)
        if stop - at - 1 > length and words_of(text, at + 1, stop):
            found, length = at + 1, stop - at - 1
        at = stop + 1
    return found, length


@kernel
def longest_field(text, at, end):
    """(offset, length) of the longest text among the values of a form."""
    found, length = at, 0
    while at < end:
        stop = find_in(text, at, end, AMPERSAND)
        equals = find_in(text, at, stop, EQUALS)
        if stop - equals - 1 > length and words_of(text, equals + 1, stop):
            found, length = equals + 1, stop - equals - 1
        at = stop + 1
    return found, length


@kernel
def longest_line(text, at, end):
    """(offset, length) of the longest text among the lines of a multipart body."""
    found, length = at, 0
    while at < end:
        stop = find_in(text, at, end, LINE_FEED)
        if stop - at > length and words_of(text, at, stop):
            found, length = at, stop - at
        at = stop + 1
    return found, length


@kernel
def decoded(text, at, end):
    """(value of what begins at text[at], how many bytes it takes): `%41` and `\\u0041` are one character."""
    byte, size = url_byte(text, at, end)
    if size > 1:
        return byte, size
    if byte == BACKSLASH and at + 5 < end and text[at + 1] == LETTER_U:
        value = np.int64(0)
        for k in range(2, 6):
            digit = hex_value(text[at + k])
            if digit < 0:
                return byte, 1
            value = 16 * value + digit
        return value, ESCAPED
    if byte == BACKSLASH and at + 1 < end:
        return np.int64(SPACE if text[at + 1] == LETTER_N or text[at + 1] == LETTER_T else text[at + 1]), 2
    return byte, 1


@kernel
def lowered(byte):
    """A byte without its case."""
    return byte | CASE if KIND[byte] & UPPER else byte


@kernel
def name_end(text, at, end):
    """(offset of the last dot, offset behind) of what may be the name of a host at text[at:end]; a full stop is none of it."""
    dot, stop = at, at
    while stop < end and (KIND[text[stop]] & NAME_BYTE or text[stop] == DASH or text[stop] == DOT):
        stop += 1
    while stop > at and text[stop - 1] == DOT:
        stop -= 1
    for k in range(at, stop):
        if text[k] == DOT:
            dot = k
    return dot, stop


@kernel
def address_end(text, at, end):
    """Offset behind the web address that begins here, `at` where none does: a scheme, `www.`, a name under one of DOMAINS."""
    stop = at
    while stop < end and text[stop] > SPACE and text[stop] != PLUS:
        stop += 1
    if at + 4 <= end:
        four = load_be32(text, at) | U(0x20202020)
        if four == U(HTTP) or four == U(WWW | 0x20202020):
            return stop
    dot, behind = name_end(text, at, stop)
    if dot < at + 2 or not 2 <= behind - dot - 1 <= LONGEST_DOMAIN:
        return at
    return stop if is_among(name_hash(text, dot + 1, behind - dot - 1), DOMAINS) else at


@kernel
def put(target, used, value):
    """Append a character, one beyond ASCII as UTF-8: the new length."""
    if value < 0x80:
        target[used] = value
        return used + 1
    if value >= 0x800:
        target[used] = 0xE0 | value >> 12
        used += 1
        value = 0x800 | value & 0xFFF  # what is left are the last two bytes
        target[used] = 0x80 | value >> 6 & 0x3F
    else:
        target[used] = 0xC0 | value >> 6
    target[used + 1] = 0x80 | value & 0x3F
    return used + 2


@kernel
def normalise(text, at, end, target):
    """Write what counts of text[at:end] to the target (uint8[LONGEST + SLACK]): its length, and whether it has an address."""
    used, spaced, linked = 0, True, False
    while at < end and used < LONGEST:
        value, size = decoded(text, at, end)
        behind = address_end(text, at, min(end, at + ADDRESS)) if spaced and value > SPACE and value != PLUS else at
        if value <= SPACE or value == PLUS:
            if not spaced:
                target[used] = SPACE
                used += 1
            spaced = True
        elif behind > at:
            at, linked = behind, True
            continue
        else:
            spaced = False
            if not DIGIT_0 <= value <= DIGIT_9:
                if size == ESCAPED and value >= 0x80:
                    used = put(target, used, value)
                else:
                    target[used] = lowered(value)
                    used += 1
        at += size
    return used, linked


@kernel
def simhash(text, length, counts):
    """Signature of text[:length], never 0. counts: int64[64]."""
    counts[:] = 0
    for at in range(length - SHINGLE + 1):
        hashed = mix(load_be32(text, at) + U(1))
        for bit in range(64):
            counts[bit] += np.int64((hashed >> U(bit)) & U(1))
    signature = U(0)
    for bit in range(64):
        if 2 * counts[bit] > length - SHINGLE + 1:
            signature |= U(1) << U(bit)
    return max(signature, U(1))


@kernel
def sign_texts(rows, bodies, scratch, counts):
    """Set `signature` and `linked` of the rows of flows that add content, 0 without a text. scratch: uint8[LONGEST + SLACK]."""
    for index in range(rows.shape[0]):
        row = rows[index]
        row["signature"] = 0
        row["linked"] = 0
        if row["flow"] != CONTENT or row["request_body_len"] < SHORTEST or row["request_coding"] != 0:
            continue
        at = np.int64(row["request_body_at"])
        end = at + min(np.int64(row["request_body_len"]), SCANNED)
        length = end - at
        if row["request_media"] == M_JSON:
            at, length = longest_string(bodies, at, end)
        elif row["request_media"] == M_FORM:
            at, length = longest_field(bodies, at, end)
        elif row["request_media"] == M_MULTIPART:
            at, length = longest_line(bodies, at, end)
        elif row["request_media"] != M_TEXT:
            continue
        length, linked = normalise(bodies, at, at + length, scratch)
        row["linked"] = linked and length >= SHORTEST_LINKED
        if length < SHORTEST and row["linked"]:
            row["signature"] = hash_bytes(scratch, 0, length, U(13)) | U(1)  # near nothing but itself: too short for more
        elif length >= SHORTEST:
            row["signature"] = simhash(scratch, length, counts)
