"""Secrets of URLs that neither a whole name nor a whole value shows: `user[password]`, a card among the words of a search,
an address in a filter, a token in the query of a URL that is itself a parameter.
"""

import numpy as np

from sensor.core.jit import kernel
from sensor.core.sensitive import CARD, HARMLESS, HEALTH, PASSWORD, PLACE, SSN
from sensor.core.words import begins_with, words_table
from sensor.inventory.lexical import DIGIT, INT, KIND, LITERAL, LOWER, TEXT, UPPER, classify_value
from sensor.inventory.personal import body_name_hash, class_by_name, exposed_class
from sensor.inventory.secrets import name_hash, secret_by_name, secret_by_value
from sensor.inventory.value_forms import KEY_LENGTH, class_by_value

BETWEEN = np.array([chr(c) in " \t()<>[]{};,=:/\"'" for c in range(256)])
"""What stands between the words of a text."""
BETWEEN_IN_URL = BETWEEN | np.array([chr(c) in "+?&|" for c in range(256)])
"""What stands, as it is or percent-encoded, between the words of a value in a URL."""
FEW_DIGITS = 8
"""Digits of the shortest number that is a secret by its form (Spain's identity cards)."""
HEX = np.array([int(chr(c), 16) if chr(c) in "0123456789abcdefABCDEF" else -1 for c in range(256)])
PERCENT, AT, EQUALS, COLON, QUOTE, DOT, OPEN_BRACKET, CLOSE_BRACKET = 37, 64, 61, 58, 34, 46, 91, 93
LETTER_OR_DIGIT = LOWER | UPPER | DIGIT
NOTHING = -1
NAME_ENDS = words_table("password", "passwd", "passphrase", "secret")
"""How names end that promise a password, whatever stands before: `userPassword`."""


@kernel
def byte_at(arena, at, end):
    """(byte that stands here, percent-encoded (RFC 3986 2.1) or not; how many bytes it takes)."""
    if arena[at] == PERCENT and at + 2 < end and HEX[arena[at + 1]] >= 0 and HEX[arena[at + 2]] >= 0:
        return HEX[arena[at + 1]] << 4 | HEX[arena[at + 2]], 3
    return np.int64(arena[at]), 1


@kernel
def secret_by_part(arena, at, end):
    """Class that a name promises, with or without `_` and `-`."""
    found = secret_by_name(name_hash(arena, at, end - at))
    if found == HARMLESS:
        found = class_by_name(body_name_hash(arena, at, end - at))
        found = found if found <= SSN else np.int64(HARMLESS)  # what is personal is judged by its value, too
    return found


@kernel
def secret_by_any_name(arena, at, end):
    """Class that a name promises, as a whole, by its last part (`user[password]`, `user.password`) or by its end."""
    found = secret_by_part(arena, at, end)
    if found != HARMLESS or end == at:
        return found
    last, stop, k = at, end, at
    while k < end:
        byte, size = byte_at(arena, k, end)
        if byte == OPEN_BRACKET or byte == DOT:
            last, stop = k + size, end
        elif byte == CLOSE_BRACKET:
            stop = k
        k += size
    if last > at and stop > last:
        found = secret_by_part(arena, last, stop)
    for word in range(NAME_ENDS.shape[0]):
        length = 0
        while NAME_ENDS[word, length]:
            length += 1
        if found == HARMLESS and stop - last > length and begins_with(arena, stop - length, stop, NAME_ENDS[word]):
            found = np.int64(PASSWORD)
    return found


@kernel
def number_secret(arena, at, end):
    """Class of a number that stands in a word by itself, as in `card-4111111111111111`."""
    begin = at
    for k in range(at, end + 1):
        if k < end and KIND[arena[k]] & DIGIT:
            continue
        alone = (begin == at or not KIND[arena[begin - 1]] & LETTER_OR_DIGIT) and (
            k == end or not KIND[arena[k]] & LETTER_OR_DIGIT
        )
        if alone and k - begin > FEW_DIGITS and class_by_value(arena, begin, k - begin, INT) == CARD:
            return np.int64(CARD)
        begin = k + 1
    return np.int64(HARMLESS)


@kernel
def word_end(arena, at, end):
    """(end of the word that begins here; what stands behind it, its bytes; whether the word could be a secret, has an `@`)."""
    k, digits, mail = at, 0, False
    while k < end:
        byte, size = byte_at(arena, k, end)
        if BETWEEN_IN_URL[byte]:
            return k, byte, size, mail or digits >= FEW_DIGITS - 1 or k - at >= KEY_LENGTH, mail
        digits += KIND[byte] & DIGIT
        mail |= byte == AT
        k += size
    return k, np.int64(NOTHING), 0, mail or digits >= FEW_DIGITS - 1 or k - at >= KEY_LENGTH, mail


@kernel
def hidden_secret(arena, at, end):
    """Class of the first secret among the words of a value."""
    before = np.int64(NOTHING)
    while at < end:
        stop, between, size, could_be, mail = word_end(arena, at, end)
        follows = stop + size
        if could_be:
            kind = classify_value(arena, at, stop - at)
            found = class_by_value(arena, at, stop - at, kind)
            if found == HARMLESS and (kind == LITERAL or kind == TEXT):
                found = number_secret(arena, at, stop)
            if found == HARMLESS and mail and before == COLON:  # https://user:password@host
                found = np.int64(PASSWORD)
            if found != HARMLESS:
                return found
        named = stop > at and follows < end and between == EQUALS
        if stop > at and before == QUOTE and between == QUOTE and follows < end:  # "password":
            named = byte_at(arena, follows, end)[0] == COLON
        if named:
            found = secret_by_any_name(arena, at, stop)
            if found != HARMLESS:
                return found
        before = between
        at = follows
    return np.int64(HARMLESS)


@kernel
def secret_of_value(arena, at, end, kind):
    """Class that a value of a URL shows, as a whole or by what is in it. kind: its class in lexical.CLASSES."""
    found = secret_by_value(arena, at, end - at, kind)
    if found == HARMLESS and (kind == LITERAL or kind == TEXT):
        return hidden_secret(arena, at, end)
    return found


@kernel
def secret_of_field(arena, name, name_end, at, end, kind):
    """Class that a field of a query string bears, by its name, by its value, or by both."""
    found = secret_by_any_name(arena, name, name_end)
    if found == HARMLESS:
        found = secret_by_value(arena, at, end - at, kind)
    if found == HARMLESS:
        found = exposed_class(arena, at, end - at, kind, True, body_name_hash(arena, name, name_end - name))
        found = np.int64(HARMLESS) if found == PLACE or found == HEALTH else found
    if found == HARMLESS and (kind == LITERAL or kind == TEXT):
        found = hidden_secret(arena, at, end)
    return found
