"""Small questions about bytes: where a line ends, what a field is called, what number stands there."""

import numpy as np

from sensor.core.jit import inlined, kernel
from sensor.core.wide import byte_mask, load_le64, store_le64, trailing_zeros

U = np.uint64
LOWER = U(0x2020202020202020)
"""Or-ed to eight bytes: letters become lower case, `-` stays; digits and `_` change alike on both sides of a comparison."""
EACH_BYTE = U(0x0101010101010101)
SEVEN_BITS, HIGH_BITS = U(0x7F7F7F7F7F7F7F7F), U(0x8080808080808080)
PAST_A, PAST_Z = U(0x3F3F3F3F3F3F3F3F), U(0x2525252525252525)
CR, LF, SP, HT, COLON = 13, 10, 32, 9, 58

TOKEN = np.zeros(256, np.uint8)
"""1 for the characters of a token (RFC 9110 5.6.2)."""
for _character in b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ":
    TOKEN[_character] = 1


@kernel
def find_byte(buffer, at, end, byte):
    """Offset of the first such byte in buffer[at:end], or -1. Reads up to 63 bytes of slack."""
    while at < end:
        mask = byte_mask(buffer, at, np.int64(byte))
        if mask != U(0):
            found = at + trailing_zeros(mask)
            return found if found < end else np.int64(-1)
        at += 64
    return np.int64(-1)


@kernel
def find_in_value(buffer, at, end, byte):
    """As find_byte, eight bytes at a time: for short texts, and for those that were written a moment ago (see copy_wide)."""
    while at < end:
        other = load_le64(buffer, at) ^ U(byte) * EACH_BYTE
        same = (other - EACH_BYTE) & ~other & HIGH_BITS
        if same != U(0):
            found = at + (trailing_zeros(same) >> 3)
            return found if found < end else np.int64(-1)
        at += 8
    return np.int64(-1)


@kernel
def trim(buffer, at, end):
    """buffer[at:end] without white space around it."""
    while at < end and (buffer[at] == SP or buffer[at] == HT or buffer[at] == CR or buffer[at] == LF):
        at += 1
    while end > at and (buffer[end - 1] == SP or buffer[end - 1] == HT or buffer[end - 1] == CR or buffer[end - 1] == LF):
        end -= 1
    return at, end


@kernel
def first_eight(buffer, at, length):
    """Up to eight lower-cased bytes as a number, zero-padded before lower-casing."""
    value = load_le64(buffer, at)
    if length < 8:
        value &= (U(1) << U(8 * max(length, 0))) - U(1)
    return value | LOWER


@inlined
def copy_short(target, to, source, at, length):
    """Copy bytes, eight at a time; up to 7 bytes behind the copy are overwritten. For short ones: it saves a call."""
    for done in range(0, length, 8):
        store_le64(target, to + done, load_le64(source, at + done))


@kernel
def copy_lower(target, to, source, at, length):
    """Copy bytes, letters of ASCII lower-cased, eight at a time; up to 7 bytes behind the copy are overwritten."""
    done = 0
    while done < length:
        value = load_le64(source, at + done)
        low = value & SEVEN_BITS
        from_a = low + PAST_A  # bit 7 of a byte: its low seven bits are at least `A`
        past_z = low + PAST_Z  # they are behind `Z`
        letters = (from_a ^ past_z) & ~value & HIGH_BITS
        store_le64(target, to + done, value | (letters >> U(2)))
        done += 8


@kernel
def number_of(buffer, at, end):
    """Decimal number in buffer[at:end], digits alone (RFC 9110 8.6): -1 when it is none or does not fit."""
    if at == end or end - at > 18:
        return np.int64(-1)
    value = np.int64(0)
    while at < end:
        digit = np.int64(buffer[at]) - 48
        if digit < 0 or digit > 9:
            return np.int64(-1)
        value = value * 10 + digit
        at += 1
    return value
