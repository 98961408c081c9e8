"""Secrets of URLs that neither a whole name nor a whole value shows: `user[password]`, a card among the words of a search,
an address in a filter, a token in the query of a URL that is itself a parameter.
"""

import numpy as np

from sensor.core.jit import kernel
from sensor.core.placeholders import CLASSES
from sensor.core.sensitive import CARD, HARMLESS, HEALTH, PASSWORD, PLACE, SSN
from sensor.core.words import ends_with_one_of, url_byte, words_table
from sensor.inventory.lexical import DIGIT, INT, KIND, LITERAL, LOWER, SLUG, TEXT, UPPER, classify_value
from sensor.inventory.personal import body_name_hash, class_by_name, could_be
from sensor.inventory.secrets import name_hash, secret_by_name, secret_by_value
from sensor.inventory.value_forms import KEY_LENGTH, class_by_value

BETWEEN = np.array([chr(c) in " \t()<>[]{};,=:/\"'" for c in range(256)])
"""What stands between the words of a text."""
BETWEEN_IN_URL = BETWEEN | np.array([chr(c) in "+?&|" for c in range(256)])
"""What stands, as it is or percent-encoded, between the words of a value in a URL."""
FEW_DIGITS = 8
"""Digits of the shortest number that is a secret by its form (Spain's identity cards)."""
SIGNS = np.array([chr(c) in '%@="' for c in range(256)])
"""Bytes without one of which a short value with few digits hides nothing."""
AT, EQUALS, COLON, QUOTE, DOT, OPEN_BRACKET, CLOSE_BRACKET = 64, 61, 58, 34, 46, 91, 93
LETTER_OR_DIGIT = LOWER | UPPER | DIGIT
NOTHING = -1
MANIFOLD = np.zeros(len(CLASSES), np.uint8)
"""Lexical classes of values in which anything may stand; SLUG is what the inventory learned to be a value."""
MANIFOLD[[LITERAL, TEXT, SLUG]] = 1
NAME_ENDS = words_table("password", "passwd", "passphrase", "secret")
"""How names end that promise a password, whatever stands before: `userPassword`."""


@kernel
def secret_by_part(arena, at, end, hashed):
    """Class that a name promises, with or without `_` and `-`. hashed: body_name_hash of it."""
    found = secret_by_name(name_hash(arena, at, end - at))
    if found == HARMLESS:
        found = class_by_name(hashed)
        found = found if found <= SSN else np.int64(HARMLESS)  # what is personal is judged by its value, too
    return found


@kernel
def secret_by_any_name(arena, at, end, hashed):
    """Class that a name promises, as a whole (hashed: as in secret_by_part), by its last part (`user[password]`,
    `user.password`) or by its end."""
    found = secret_by_part(arena, at, end, hashed)
    if found != HARMLESS or end == at:
        return found
    last, stop, k = at, end, at
    while k < end:
        byte, size = url_byte(arena, k, end)
        if byte == OPEN_BRACKET or byte == DOT:
            last, stop = k + size, end
        elif byte == CLOSE_BRACKET:
            stop = k
        k += size
    if last > at and stop > last:
        found = secret_by_part(arena, last, stop, body_name_hash(arena, last, stop - last))
    if found == HARMLESS and ends_with_one_of(arena, last, stop, NAME_ENDS):
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
def could_be_secret(length, digits, mail):
    """Whether a word is long enough, or has what it takes, to be a secret. mail: it has an `@`."""
    return mail or digits >= FEW_DIGITS - 1 or length >= KEY_LENGTH


@kernel
def might_hide(arena, at, end):
    """Whether a value has anything without which no word of it is a secret, or the name of one."""
    digits = 0
    for k in range(at, end):
        digits += KIND[arena[k]] & DIGIT
        if SIGNS[arena[k]]:
            return True
    return could_be_secret(end - at, digits, False)


@kernel
def part_end(arena, at, end):
    """(end of the word that begins here; what stands behind it, its bytes; whether the word could be a secret, has an `@`)."""
    k, digits, mail = at, 0, False
    while k < end:
        byte, size = url_byte(arena, k, end)
        if BETWEEN_IN_URL[byte]:
            return k, byte, size, could_be_secret(k - at, digits, mail), mail
        digits += KIND[byte] & DIGIT
        mail |= byte == AT
        k += size
    return k, np.int64(NOTHING), 0, could_be_secret(k - at, digits, mail), mail


@kernel
def hidden_secret(arena, at, end, kind):
    """Class of the first secret among the words of a value. kind: class in lexical.CLASSES of it as a whole."""
    if not MANIFOLD[kind] or not might_hide(arena, at, end):
        return np.int64(HARMLESS)
    before = np.int64(NOTHING)
    while at < end:
        stop, between, size, could_be, mail = part_end(arena, at, end)
        follows = stop + size
        if could_be:
            form = classify_value(arena, at, stop - at)
            found = class_by_value(arena, at, stop - at, form)
            if found == HARMLESS and MANIFOLD[form]:
                found = number_secret(arena, at, stop)
            if found == HARMLESS and mail and before == COLON:  # https://user:password@host
                found = np.int64(PASSWORD)
            if found != HARMLESS:
                return found
        named = stop > at and follows < end and between == EQUALS
        if stop > at and before == QUOTE and between == QUOTE and follows < end:  # "password":
            named = url_byte(arena, follows, end)[0] == COLON
        if named:
            found = secret_by_any_name(arena, at, stop, body_name_hash(arena, at, stop - at))
            if found != HARMLESS:
                return found
        before = between
        at = follows
    return np.int64(HARMLESS)


@kernel
def secret_of_value(arena, at, end, kind):
    """Class that a value of a URL shows, as a whole or by what is in it. kind: its class in lexical.CLASSES."""
    found = secret_by_value(arena, at, end - at, kind)
    return found if found != HARMLESS else hidden_secret(arena, at, end, kind)


@kernel
def secret_of_field(arena, name, name_end, at, end, kind):
    """Class that a field of a query string bears, by its name, by its value, or by both."""
    hashed = body_name_hash(arena, name, name_end - name)
    found = secret_by_any_name(arena, name, name_end, hashed)
    if found == HARMLESS:
        found = secret_by_value(arena, at, end - at, kind)
    if found == HARMLESS:
        named = class_by_name(hashed)
        if named != HARMLESS and named != PLACE and named != HEALTH and could_be(named, arena, at, end - at, kind, True):
            return named
    return found if found != HARMLESS else hidden_secret(arena, at, end, kind)
