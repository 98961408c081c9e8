"""Copies without secrets, whose places are taken by their classes as `{card}`: of paths, queries, referring URLs and words."""

import numpy as np

from sensor.core.jit import kernel
from sensor.core.sensitive import HARMLESS, SESSION
from sensor.core.wide import copy
from sensor.inventory.hidden import BETWEEN, FEW_DIGITS, could_be_secret, secret_of_field, secret_of_value
from sensor.inventory.lexical import DIGIT, KIND, classify_value
from sensor.inventory.secrets import PLACEHOLDER_LENGTHS, PLACEHOLDERS, secret_by_value
from sensor.inventory.targets import segment_class, segment_secret
from sensor.inventory.value_forms import KEY_LENGTH
from sensor.inventory.values import AMPERSAND, EQUALS, find_in

SLASH, SEMICOLON, QUESTION, AT, COLON, LETTER_E, LETTER_Y = 47, 59, 63, 64, 58, 101, 121
PLAIN = np.array([chr(c) not in "?#@;%" for c in range(256)])
"""Bytes of a URL that are no sign of a secret."""


@kernel
def put_placeholder(arena, to, secret):
    """Write `{class}`: the offset behind it."""
    copy(arena, to, PLACEHOLDERS, secret * 16, PLACEHOLDER_LENGTHS[secret])
    return to + PLACEHOLDER_LENGTHS[secret]


@kernel
def redact_path(arena, at, end, to):
    """Copy a path without its secrets: the offset behind the copy."""
    while at < end:
        if arena[at] == SLASH:
            arena[to] = SLASH
            to += 1
            at += 1
        stop = find_in(arena, at, end, SLASH)
        matrix = find_in(arena, at, stop, SEMICOLON)
        kind, part = segment_class(arena, at, matrix)
        _, part, secret = segment_secret(arena, at, matrix, kind, part)
        if secret != HARMLESS:
            to = put_placeholder(arena, to, secret)
            copy(arena, to, arena, part, matrix - part)
            to += matrix - part
        else:
            copy(arena, to, arena, at, matrix - at)
            to += matrix - at
        equals = find_in(arena, matrix, stop, EQUALS)
        if equals < stop:  # a matrix parameter with a value: where servers put session ids
            arena[to] = SEMICOLON
            to = put_placeholder(arena, to + 1, SESSION)
        else:
            copy(arena, to, arena, matrix, stop - matrix)
            to += stop - matrix
        at = stop
    return to


@kernel
def redact_query(arena, at, end, to):
    """Copy a query string, values of secrets replaced by their class: the offset behind the copy."""
    while at < end:
        stop = find_in(arena, at, end, AMPERSAND)
        equals = find_in(arena, at, stop, EQUALS)
        secret = np.int64(HARMLESS)
        value = min(equals + 1, stop)
        if equals < stop:
            kind = classify_value(arena, value, stop - value)
            secret = secret_of_field(arena, at, equals, value, stop, kind)
        else:
            value = at
            secret = secret_of_value(arena, at, stop, classify_value(arena, at, stop - at))
        if secret != HARMLESS and stop > value:
            copy(arena, to, arena, at, value - at)
            to = put_placeholder(arena, to + value - at, secret)
        else:
            copy(arena, to, arena, at, stop - at)
            to += stop - at
        if stop < end:
            arena[to] = AMPERSAND
            to += 1
        at = stop + 1
    return to


@kernel
def is_plain_url(arena, at, end):
    """Whether a URL has nothing in which a secret could stand: no query, fragment, user information, matrix or encoded part,
    no segment with 8 digits or as long as a key, and no `ey`, with which every JWT begins."""
    digits, length = 0, 0
    for k in range(at, end):
        byte = arena[k]
        length += 1
        if byte == SLASH:
            digits = length = 0
        elif KIND[byte] & DIGIT:
            digits += 1
        elif byte == LETTER_Y:
            if k > at and arena[k - 1] == LETTER_E:
                return False
        elif not PLAIN[byte]:
            return False
        if digits == FEW_DIGITS or length == KEY_LENGTH:
            return False
    return True


@kernel
def redact_url(arena, at, end, to):
    """Copy a referring URL without secrets: user information goes, path and query as above, the fragment goes too."""
    end = find_in(arena, at, end, 35)
    question = find_in(arena, at, end, QUESTION)
    colon = find_in(arena, at, question, COLON)
    path = at
    if colon + 2 < question and arena[colon + 1] == SLASH and arena[colon + 2] == SLASH:
        path = find_in(arena, colon + 3, question, SLASH)
        mark = path - 1
        while mark > colon + 2 and arena[mark] != AT:
            mark -= 1
        host = mark + 1 if mark > colon + 2 else colon + 3
        copy(arena, to, arena, at, colon + 3 - at)
        to += colon + 3 - at
        copy(arena, to, arena, host, path - host)
        to += path - host
    to = redact_path(arena, path, question, to)
    if question < end:
        arena[to] = QUESTION
        to = redact_query(arena, question + 1, end, to + 1)
    return to


@kernel
def word_end(arena, at, end):
    """(end of the word that begins here, whether it is long enough, or has what it takes, to be a secret)."""
    stop, digits, mail = at, 0, False
    while stop < end and not BETWEEN[arena[stop]]:
        digits += KIND[arena[stop]] & DIGIT
        mail |= arena[stop] == AT
        stop += 1
    return stop, could_be_secret(stop - at, digits, mail)


@kernel
def word_secret(arena, at, end):
    """(end of the word that begins here, its class as a secret)."""
    stop, could_be = word_end(arena, at, end)
    if not could_be:
        return stop, np.int64(HARMLESS)
    return stop, secret_by_value(arena, at, stop - at, classify_value(arena, at, stop - at))


@kernel
def has_secret_word(arena, at, end):
    """Whether a text of words, as User-Agent is, bears a secret."""
    while at < end:
        stop, secret = word_secret(arena, at, end)
        if secret != HARMLESS:
            return True
        at = stop + 1
    return False


@kernel
def redact_words(arena, at, end, to):
    """Copy a text without its secret words: the offset behind the copy."""
    while at < end:
        stop, secret = word_secret(arena, at, end)
        if secret != HARMLESS:
            to = put_placeholder(arena, to, secret)
        else:
            copy(arena, to, arena, at, stop - at)
            to += stop - at
        if stop < end:
            arena[to] = arena[stop]
            to += 1
        at = stop + 1
    return to
