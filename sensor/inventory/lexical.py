"""Lexical classes of path segments and parameter values: what a value is by its characters alone.

SLUG is the exception: a word that was learned to be a value at its place (sensor.inventory.learning).
"""

import numpy as np

from sensor.core.jit import kernel
from sensor.core.placeholders import CLASSES

(
    LITERAL, INT, UUID, ULID, KSUID, OBJECTID, HEX, BASE64URL, DATE, EMAIL, IP, PHONE, LOCALE, NUMBER, JWT, TEXT, SLUG,
) = range(len(CLASSES))  # fmt: skip

FUZZY = np.zeros(len(CLASSES), np.uint8)
FUZZY[[ULID, KSUID, OBJECTID, HEX, BASE64URL, LOCALE, NUMBER, TEXT]] = 1
"""Classes that some values of a parameter fall into by chance: where words are values, these are values of the same kind."""

DIGIT, LOWER, UPPER, HEX_LETTER, BASE64 = 1, 2, 4, 8, 16
KIND = np.zeros(256, np.uint8)
"""Character classes as bits."""
for _c in range(256):
    _text = chr(_c)
    if _text in "0123456789":
        KIND[_c] = DIGIT
    elif _text in "abcdefghijklmnopqrstuvwxyz":
        KIND[_c] = LOWER | (HEX_LETTER if _text in "abcdef" else 0)
    elif _text in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
        KIND[_c] = UPPER | (HEX_LETTER if _text in "ABCDEF" else 0)
    elif _text in "-_=":
        KIND[_c] = BASE64
DASH, UNDERSCORE, DOT, AT, PLUS, PERCENT, SLASH, COLON, BLANK = 45, 95, 46, 64, 43, 37, 47, 58, 32
LONGEST_WORD = 96
"""Bytes of a segment that can still be a word of a route; longer ones are data."""
MIXING = 0.35
"""Share of neighbours of different character class from which on a token of letters and digits is no word. Words and slugs
change class at their ends alone (under 0.2); base64 of random bytes does so at 0.6 of its places."""


@kernel
def is_uuid(buffer, at, length):
    """8-4-4-4-12 hexadecimal digits (RFC 9562 4)."""
    if length != 36:
        return False
    for k in range(36):
        byte = buffer[at + k]
        if k == 8 or k == 13 or k == 18 or k == 23:
            if byte != DASH:
                return False
        elif not KIND[byte] & (DIGIT | HEX_LETTER):
            return False
    return True


@kernel
def is_date(buffer, at, length):
    """YYYY-MM-DD, alone or with a time behind it (RFC 3339)."""
    if length < 10 or buffer[at + 4] != DASH or buffer[at + 7] != DASH:
        return False
    for k in range(10):
        if k != 4 and k != 7 and not KIND[buffer[at + k]] & DIGIT:
            return False
    month = (buffer[at + 5] - 48) * 10 + buffer[at + 6] - 48
    day = (buffer[at + 8] - 48) * 10 + buffer[at + 9] - 48
    return 1 <= month <= 12 and 1 <= day <= 31 and (length == 10 or buffer[at + 10] == 84 or buffer[at + 10] == 116)


@kernel
def dotted(buffer, at, length):
    """IP for four numbers up to 255, NUMBER for digits with one dot, else LITERAL; all bytes are digits and dots."""
    parts, value, digits = 1, 0, 0
    for k in range(length):
        byte = buffer[at + k]
        if byte == DOT:
            if digits == 0 or (value > 255 and parts > 1):
                return LITERAL
            parts += 1
            value, digits = 0, 0
        else:
            value = min(value * 10 + byte - 48, 100_000)
            digits += 1
    if digits == 0:
        return LITERAL
    if parts == 4 and value <= 255:
        return IP
    return NUMBER if parts == 2 else LITERAL


@kernel
def is_locale(buffer, at, length):
    """`en-US`, `pt_BR`."""
    if length != 5 or (buffer[at + 2] != DASH and buffer[at + 2] != UNDERSCORE):
        return False
    return (
        KIND[buffer[at]] & LOWER != 0
        and KIND[buffer[at + 1]] & LOWER != 0
        and KIND[buffer[at + 3]] & UPPER != 0
        and KIND[buffer[at + 4]] & UPPER != 0
    )


@kernel
def is_email(buffer, at, length):
    """One @ (or %40) with something before it and a dotted name behind it."""
    mark, dot = -1, -1
    for k in range(length):
        byte = buffer[at + k]
        if byte == AT or (byte == PERCENT and k + 2 < length and buffer[at + k + 1] == 52 and buffer[at + k + 2] == 48):
            if mark >= 0:
                return False
            mark = k
        elif byte == SLASH or byte == COLON or byte <= BLANK:  # a URL with a user, a sentence
            return False
        elif byte == DOT and mark >= 0:
            dot = k
    return mark > 0 and dot > mark + 1 and dot < length - 1


@kernel
def mixed_token(buffer, at, length, digits, lower, upper, dashes):
    """Class of letters, digits, `-`, `_` and `=`: identifiers that no person made up, or LITERAL."""
    if length == 26 and digits > 0 and lower == 0 and dashes == 0 and buffer[at] <= 55:
        return ULID
    if length == 27 and digits > 0 and lower > 0 and upper > 0 and dashes == 0:
        return KSUID
    if length < 16 or digits == 0 or lower + upper == 0:
        return LITERAL
    changes = 0
    for k in range(1, length):
        if (KIND[buffer[at + k]] ^ KIND[buffer[at + k - 1]]) & (DIGIT | LOWER | UPPER | BASE64):
            changes += 1
    return BASE64URL if changes > MIXING * (length - 1) else LITERAL


@kernel
def classify_value(buffer, at, length):
    """Class of buffer[at : at + length]."""
    if length == 0:
        return LITERAL
    digits, lower, upper, hexes, dashes, dots, others = 0, 0, 0, 0, 0, 0, 0
    marks = 0
    for k in range(min(length, 512)):
        byte = buffer[at + k]
        kind = KIND[byte]
        digits += kind & DIGIT
        lower += (kind & LOWER) >> 1
        upper += (kind & UPPER) >> 2
        hexes += (kind & HEX_LETTER) >> 3
        dashes += (kind & BASE64) >> 4
        if kind == 0:
            if byte == DOT:
                dots += 1
            else:
                others += 1
                marks += byte == AT or byte == PERCENT
    if digits == length:
        return INT
    if length == 36 and dashes == 4 and is_uuid(buffer, at, length):
        return UUID
    if digits + dashes + 2 >= length and digits >= 8 and is_date(buffer, at, length):
        return DATE
    if digits > 7 and others == 0 and is_date(buffer, at, length):
        return DATE
    if marks > 0 and is_email(buffer, at, length):
        return EMAIL
    if digits + 1 == length and digits >= 7 and digits <= 15 and buffer[at] == PLUS:
        return PHONE
    if digits + 1 == length and dashes == 1 and buffer[at] == DASH:
        return INT
    if dots > 0 and digits + dots == length:
        return dotted(buffer, at, length)
    if digits + hexes == length and digits > 0 and length >= 8:
        return OBJECTID if length == 24 else HEX
    if is_locale(buffer, at, length):
        return LOCALE
    if dots == 2 and others == 0 and length >= 20 and buffer[at] == 101 and buffer[at + 1] == 121 and buffer[at + 2] == 74:
        return JWT
    if dots == 0 and others == 0:
        found = mixed_token(buffer, at, length, digits, lower, upper, dashes)
        if found != LITERAL:
            return found
    return TEXT if length > LONGEST_WORD else LITERAL


@kernel
def luhn_valid(buffer, at, length):
    """Whether 13 to 19 digits are a card number: a known first digit and a right check digit (ISO/IEC 7812-1)."""
    if length < 13 or length > 19 or buffer[at] < 50 or buffer[at] > 54:
        return False
    total, double = 0, False
    for k in range(length - 1, -1, -1):
        digit = np.int64(buffer[at + k]) - 48
        if digit < 0 or digit > 9:
            return False
        if double:
            digit *= 2
            if digit > 9:
                digit -= 9
        total += digit
        double = not double
    return total % 10 == 0


@kernel
def decimal(buffer, at, length):
    """Value of up to 18 digits, with a sign or not; -1 where it does not fit (callers ask only for INT)."""
    if length > 18:
        return np.int64(-1)
    value, k, negative = np.int64(0), 0, buffer[at] == DASH
    if negative:
        k = 1
    while k < length:
        value = value * 10 + np.int64(buffer[at + k]) - 48
        k += 1
    return -value if negative else value
