"""A walk through the members of a JSON text's outermost object (RFC 8259), which may be cut off anywhere."""

import numpy as np

from sensor.core.jit import kernel
from sensor.core.quoted import BACKSLASH, QUOTE, string_end

COLON, COMMA, OPEN, CLOSE, OPEN_LIST, CLOSE_LIST = 58, 44, 123, 125, 91, 93
LETTER_U, SOMETHING = 117, 63
ESCAPES = np.zeros(256, np.uint8)
"""What a letter behind a backslash stands for."""
for _letter, _meaning in zip(b'"\\/bfnrt', b'"\\/\b\f\n\r\t', strict=True):
    ESCAPES[_letter] = _meaning


@kernel
def skip_space(text, at, end):
    """Offset behind white space."""
    while at < end and (text[at] == 32 or 9 <= text[at] <= 13):
        at += 1
    return at


@kernel
def skip_value(text, at, end):
    """Offset behind the value at `at`, `end` when it is cut off."""
    depth = 0
    while at < end:
        byte = text[at]
        if byte == QUOTE:
            at = string_end(text, at + 1, end)
            if depth == 0:
                return min(at + 1, end)
        elif byte == OPEN or byte == OPEN_LIST:
            depth += 1
        elif byte == CLOSE or byte == CLOSE_LIST:
            if depth == 0:
                return at
            depth -= 1
            if depth == 0:
                return at + 1
        elif depth == 0 and (byte == COMMA or byte <= 32):
            return at
        at += 1
    return end


@kernel
def outermost(text, at, end):
    """Offset of the first member of the outermost object, or of the first one of a list of objects; -1 when there is none."""
    at = skip_space(text, at, end)
    if at < end and text[at] == OPEN_LIST:
        at = skip_space(text, at + 1, end)
    return at + 1 if at < end and text[at] == OPEN else np.int64(-1)


@kernel
def next_member(text, at, end):
    """The member at `at`: (begin and end of its key, begin of its value, end of its value); -1 first when there is none."""
    none = np.int64(-1), np.int64(0), np.int64(0), np.int64(0)
    at = skip_space(text, at, end)
    if at < end and text[at] == COMMA:
        at = skip_space(text, at + 1, end)
    if at >= end or text[at] != QUOTE:
        return none
    key = at + 1
    key_end = string_end(text, key, end)
    at = skip_space(text, key_end + 1, end)
    if at >= end or text[at] != COLON:
        return none
    value = skip_space(text, at + 1, end)
    if value >= end:
        return none
    return key, key_end, value, skip_value(text, value, end)


@kernel
def unescape(text, at, end, target, to, limit):
    """Copy the inside of a string, its escapes resolved, to target[to:limit]: the offset behind the copy.

    A character beyond ASCII that is escaped becomes a question mark: no name has one.
    """
    while at < end and to < limit:
        byte = text[at]
        at += 1
        if byte == BACKSLASH and at < end:
            byte = text[at]
            at += 1
            if byte == LETTER_U:
                byte = hex_character(text, at, end)
                at += 4
            else:
                byte = ESCAPES[byte]
        target[to] = byte
        to += 1
    return to


@kernel
def hex_character(text, at, end):
    """The ASCII character of four hexadecimal digits, or a question mark."""
    value = np.int64(0)
    for k in range(at, min(at + 4, end)):
        byte = np.int64(text[k])
        digit = byte - 48 if 48 <= byte <= 57 else (byte | 32) - 87
        if digit < 0 or digit > 15:
            return np.uint8(SOMETHING)
        value = value * 16 + digit
    return np.uint8(value) if value < 128 else np.uint8(SOMETHING)
