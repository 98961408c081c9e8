"""Lexical classes of path segments and parameter values: what a value is by its characters alone.

SLUG is the exception: a word that was learned to be a value at its place (sensor.inventory.learning).
"""

import numpy as np

from sensor.core.jit import kernel
from sensor.core.placeholders import CLASSES
from sensor.core.words import url_byte

(
    LITERAL, INT, UUID, ULID, KSUID, OBJECTID, HEX, BASE64URL, DATE, EMAIL, IP, PHONE, LOCALE, NUMBER, JWT, TEXT, SLUG,
    IPV6, BOOLEAN, NULL,
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
TIME_MARK, ZULU = 116, 122
"""`t` between a date and its time, `z` behind it, in lower case."""
NO_NUMBER = 100
IPV6_LONGEST = 39
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
def two_digits(buffer, at, end):
    """The number that two digits are, NO_NUMBER where there are no two."""
    if at + 2 > end or not KIND[buffer[at]] & KIND[buffer[at + 1]] & DIGIT:
        return NO_NUMBER
    return (np.int64(buffer[at]) - 48) * 10 + np.int64(buffer[at + 1]) - 48


@kernel
def behind_mark(buffer, at, end, mark):
    """Offset behind such a byte, as it is or as URLs write it (`%3A`); `at` where it does not stand there."""
    if at >= end:
        return at
    byte, size = url_byte(buffer, at, end)
    return at + size if byte == mark else at


@kernel
def is_time(buffer, at, end):
    """HH, HH:MM or HH:MM:SS, with colons or without, perhaps a fraction, `Z` or an offset (RFC 3339 5.6, ISO 8601)."""
    if two_digits(buffer, at, end) > 24:
        return False
    at += 2
    for k in range(2):
        part = behind_mark(buffer, at, end, COLON)
        if two_digits(buffer, part, end) > 59 + k:
            break
        at = part + 2
    if at < end and buffer[at] == DOT:
        at += 1
        while at < end and KIND[buffer[at]] & DIGIT:
            at += 1
    if at == end:
        return True
    if buffer[at] | 32 == ZULU:
        return at + 1 == end
    zone = at + 1 if buffer[at] == DASH or buffer[at] == BLANK else behind_mark(buffer, at, end, PLUS)
    if zone == at or two_digits(buffer, zone, end) > 24:
        return False
    minutes = behind_mark(buffer, zone + 2, end, COLON)
    return zone + 2 == end or (minutes + 2 == end and two_digits(buffer, minutes, end) <= 59)


@kernel
def is_date(buffer, at, length):
    """YYYY-MM-DD, alone or with a time behind it (RFC 3339)."""
    if length < 10 or buffer[at + 4] != DASH or buffer[at + 7] != DASH:
        return False
    end = at + length
    if two_digits(buffer, at, end) == NO_NUMBER or two_digits(buffer, at + 2, end) == NO_NUMBER:
        return False
    month, day = two_digits(buffer, at + 5, end), two_digits(buffer, at + 8, end)
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return False
    mark = buffer[at + 10]
    return length == 10 or ((mark | 32 == TIME_MARK or mark == BLANK) and is_time(buffer, at + 11, end))


@kernel
def is_ipv6(buffer, at, length):
    """Up to eight groups of one to four hexadecimal digits, one `::` for those that are left out (RFC 4291 2.2)."""
    groups, digits, left_out = 0, 0, False
    for k in range(length):
        if buffer[at + k] != COLON:
            digits += 1
            groups += digits == 1
            if digits > 4 or not KIND[buffer[at + k]] & (DIGIT | HEX_LETTER):
                return False
            continue
        if k + 1 < length and buffer[at + k + 1] == COLON:
            if left_out:
                return False
            left_out = True
        elif k == 0 or (k + 1 == length and buffer[at + k - 1] != COLON):
            return False
        digits = 0
    return groups < 8 if left_out else groups == 8


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
    if digits >= 8 and dashes >= 2 and is_date(buffer, at, length):
        return DATE
    if marks > 0 and is_email(buffer, at, length):
        return EMAIL
    if digits + 1 == length and digits >= 7 and digits <= 15 and buffer[at] == PLUS:
        return PHONE
    if digits + 1 == length and dashes == 1 and buffer[at] == DASH:
        return INT
    if dots > 0 and digits + dots == length:
        return dotted(buffer, at, length)
    if dots == 1 and digits + 2 == length and buffer[at] == DASH and dotted(buffer, at + 1, length - 1) == NUMBER:
        return NUMBER
    if others >= 2 and digits + hexes + others == length and length <= IPV6_LONGEST and is_ipv6(buffer, at, length):
        return IPV6
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
