"""What people write: a signature of the longest text in a request's body, alike for texts that differ in little.

64-bit SimHash (Charikar 2002; Manku, Jain and Das Sarma 2007) over all runs of four bytes of the text without its case, digits,
web addresses and repeated white space: names and links that are exchanged change few bits. Texts of people that have nothing to
do with each other differ in 32 bits on the average.
"""

import numpy as np

from sensor.core.hashing import U, mix
from sensor.core.jit import kernel
from sensor.core.quoted import QUOTE, string_end
from sensor.core.records import FLOW, MEDIA
from sensor.core.wide import load_be32
from sensor.inventory.lexical import KIND, UPPER
from sensor.inventory.values import AMPERSAND, EQUALS, find_in

SHORTEST, LONGEST = 40, 512
"""Bytes of a text, without what does not count, from which on it has a signature, and that are looked at."""
SCANNED = 8_192
"""Bytes of a body in which the longest text is looked for."""
SHINGLE = 4
CONTENT = FLOW["content"]
M_JSON, M_FORM, M_TEXT = MEDIA["json"], MEDIA["form"], MEDIA["text"]
SPACE, PLUS, DIGIT_0, DIGIT_9, CASE = 32, 43, 48, 57, 32
HTTP, WWW = 0x68747470, 0x7777772E  # "http", "www."


@kernel
def longest_string(text, at, end):
    """(offset, length) of the longest string of a JSON text."""
    found, length = at, 0
    while at < end:
        if text[at] != QUOTE:
            at += 1
            continue
        stop = string_end(text, at + 1, end)
        if stop - at - 1 > length:
            found, length = at + 1, stop - at - 1
        at = stop + 1
    return found, length


@kernel
def longest_field(text, at, end):
    """(offset, length) of the longest value of a form."""
    found, length = at, 0
    while at < end:
        stop = find_in(text, at, end, AMPERSAND)
        equals = find_in(text, at, stop, EQUALS)
        if stop - equals - 1 > length:
            found, length = equals + 1, stop - equals - 1
        at = stop + 1
    return found, length


@kernel
def lowered(byte):
    """A byte without its case."""
    return byte | CASE if KIND[byte] & UPPER else byte


@kernel
def begins_address(text, at, end):
    """Whether a web address begins here."""
    if at + 4 > end:
        return False
    four = load_be32(text, at) | U(0x20202020)
    return four == U(HTTP) or four == U(WWW | 0x20202020)


@kernel
def normalise(text, at, end, target):
    """Write what counts of text[at:end] to the target (uint8[LONGEST + …]): its length."""
    used, spaced = 0, True
    while at < end and used < LONGEST:
        byte = text[at]
        if byte <= SPACE or byte == PLUS:
            if not spaced:
                target[used] = SPACE
                used += 1
            spaced = True
        elif spaced and begins_address(text, at, end):
            while at < end and text[at] > SPACE and text[at] != PLUS:
                at += 1
            continue
        else:
            spaced = False
            if not DIGIT_0 <= byte <= DIGIT_9:
                target[used] = lowered(byte)
                used += 1
        at += 1
    return used


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
    """Set `signature` of the rows of flows that add content, 0 where there is no text. scratch: uint8[LONGEST + SLACK]."""
    for index in range(rows.shape[0]):
        row = rows[index]
        row["signature"] = 0
        if row["flow"] != CONTENT or row["request_body_len"] < SHORTEST or row["request_coding"] != 0:
            continue
        at = np.int64(row["request_body_at"])
        end = at + min(np.int64(row["request_body_len"]), SCANNED)
        length = end - at
        if row["request_media"] == M_JSON:
            at, length = longest_string(bodies, at, end)
        elif row["request_media"] == M_FORM:
            at, length = longest_field(bodies, at, end)
        elif row["request_media"] != M_TEXT:
            continue
        length = normalise(bodies, at, at + length, scratch)
        if length >= SHORTEST:
            row["signature"] = simhash(scratch, length, counts)
