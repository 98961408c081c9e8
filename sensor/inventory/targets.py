"""Targets taken apart: the path's template, the values of its parameters, and a copy without secrets where there are any."""

import numpy as np

from sensor.core.hashing import U, hash_bytes
from sensor.core.jit import kernel
from sensor.core.placeholders import CLASSES
from sensor.core.sensitive import HARMLESS
from sensor.core.wide import copy, padded
from sensor.inventory.hidden import hidden_secret, secret_of_field, secret_of_value
from sensor.inventory.learned import USED_PLACES, is_value
from sensor.inventory.lexical import (
    DIGIT,
    FUZZY,
    INT,
    KIND,
    LITERAL,
    LOWER,
    SLUG,
    TEXT,
    UPPER,
    classify_value,
    decimal,
)
from sensor.inventory.patterns import NO_TEMPLATE, find_template, is_kept, is_placeholder, split_path
from sensor.inventory.secrets import name_hash, secret_by_value
from sensor.inventory.values import AMPERSAND, EQUALS, IN_PATH, IN_QUERY, VALUES_OF_PATH, VALUES_OF_QUERY, count_once, find_in

TEMPLATE_LIMIT = 512
SLASH, SEMICOLON, DOT, QUESTION, AT, COLON = 47, 59, 46, 63, 64, 58
CLASS_TEXTS = padded(b"".join(f"{{{name}}}".encode().ljust(16, b"\0") for name in CLASSES))
CLASS_LENGTHS = np.array([len(name) + 2 for name in CLASSES])
REST = padded(b"/{rest}")


@kernel
def stem_of(arena, at, end):
    """Where a segment's file extension begins (the dot), or `end`: one to five letters and digits, a letter first."""
    dot = end - 1
    while dot > at and arena[dot] != DOT and end - dot <= 6:
        dot -= 1
    if dot <= at or arena[dot] != DOT or end - dot < 2 or end - dot > 6 or not KIND[arena[dot + 1]] & (LOWER | UPPER):
        return end
    return dot


@kernel
def segment_class(arena, at, end):
    """(class, end of the part that it holds for): the whole segment, or what stands before its extension."""
    kind = classify_value(arena, at, end - at)
    if kind != LITERAL:
        return kind, end
    dot = stem_of(arena, at, end)
    if dot < end:
        kind = classify_value(arena, at, dot - at)
        if kind != LITERAL and kind != TEXT:
            return kind, dot
    return np.int64(LITERAL), end


@kernel
def segment_secret(arena, at, end, kind, part):
    """(class, end of the part that it holds for, class as a secret) of a segment of such a class, secrets among names too."""
    secret = secret_by_value(arena, at, part - at, kind)
    if kind == LITERAL and secret == HARMLESS:
        dot = stem_of(arena, at, end)
        if dot < end:
            secret = secret_by_value(arena, at, dot - at, kind)
            part = end if secret == HARMLESS else dot
    if secret == HARMLESS:
        secret = hidden_secret(arena, at, end, kind)
    return (np.int64(SLUG) if kind == LITERAL and secret != HARMLESS else kind), part, secret


@kernel
def is_version(arena, at, end):
    """`v1`, `V2.1`, `v1beta1`: never a value."""
    if end - at < 2 or arena[at] | 32 != 118 or not KIND[arena[at + 1]] & DIGIT:
        return False
    at += 2
    while at < end and (KIND[arena[at]] & DIGIT or arena[at] == DOT):
        at += 1
    return at == end or arena[at] | 32 == 97 or arena[at] | 32 == 98


@kernel
def note_value(values, count, row, kind, secret, location, slot, arena, at, end):
    """Append a parameter value: the new count."""
    value = values[count]
    value["row"] = row
    value["kind"] = kind
    value["secret"] = secret
    value["exposed"] = secret
    value["location"] = location
    value["weight"] = 1
    value["slot"] = slot
    value["hash"] = hash_bytes(arena, at, end - at, U(11))
    value["number"] = decimal(arena, at, end - at) if kind == INT else np.int64(-1)
    value["name_at"] = 0
    value["name_len"] = 0
    value["at"] = at
    value["len"] = end - at
    return count + 1


@kernel
def write_known(arena, to, row, values, count, patterns, known, segments):
    """The operator's template to arena[to:], with values of the placeholders: as write_template. segments: of the path."""
    at, length = patterns.spans[known, 0], patterns.spans[known, 1]
    copy(arena, to, patterns.texts, at, length)
    secret_seen, first = False, count
    for segment in range(segments):
        begin, stop = patterns.path[segment, 0], patterns.path[segment, 1]
        matrix = find_in(arena, begin, stop, SEMICOLON)
        secret_seen |= matrix < stop
        if not is_placeholder(patterns, segment):
            continue
        kind, part = segment_class(arena, begin, matrix)
        kind, part, secret = segment_secret(arena, begin, matrix, kind, part)
        secret_seen |= secret != HARMLESS
        if count - first < VALUES_OF_PATH:
            kind = SLUG if kind == LITERAL else kind
            count = note_value(values, count, row, kind, secret, IN_PATH, U(segment), arena, begin, part)
    return length, count, secret_seen


@kernel
def write_template(arena, at, end, to, row, values, count, learned, host, patterns):
    """Template of the path arena[at:end] to arena[to:]: (its length, number of values, whether a segment is secret).

    host: hash of the host, under which places were learned; patterns: what the operator says, which goes first.
    """
    known = find_template(patterns, arena, at, end, host)
    if known != NO_TEMPLATE:
        return write_known(arena, to, row, values, count, patterns, known, split_path(patterns, arena, at, end))
    start, secret_seen, segment, first = to, False, 0, count
    while at < end:
        stop = find_in(arena, at + 1, end, SLASH) if arena[at] == SLASH else find_in(arena, at, end, SLASH)
        begin = at + 1 if arena[at] == SLASH else at
        if to - start + (stop - at) + 16 > TEMPLATE_LIMIT:
            copy(arena, to, REST, 0, 7)
            return to + 7 - start, count, True
        if begin > at:
            arena[to] = SLASH
            to += 1
        matrix = find_in(arena, begin, stop, SEMICOLON)
        secret_seen |= matrix < stop
        kind, part = segment_class(arena, begin, matrix)
        if learned.control[USED_PLACES] > 0 and matrix > begin and (kind == LITERAL or FUZZY[kind]):
            if (
                is_value(learned, host, arena, start, to - start, begin, matrix - begin)
                and not is_version(arena, begin, matrix)
                and not is_kept(patterns, host, arena, start, to - start)
            ):
                kind, part = np.int64(SLUG), matrix
        kind, part, secret = segment_secret(arena, begin, matrix, kind, part)
        if kind == LITERAL:
            copy(arena, to, arena, begin, matrix - begin)
            to += matrix - begin
        else:
            copy(arena, to, CLASS_TEXTS, kind * 16, CLASS_LENGTHS[kind])
            to += CLASS_LENGTHS[kind]
            copy(arena, to, arena, part, matrix - part)
            to += matrix - part
            secret_seen |= secret != HARMLESS
            if count - first < VALUES_OF_PATH:
                count = note_value(values, count, row, kind, secret, IN_PATH, U(segment), arena, begin, part)
        segment += 1
        at = stop
    return to - start, count, secret_seen


@kernel
def read_query(arena, at, end, row, values, count):
    """Values of a query string: (number of values, whether one is secret, value that bears an API key or token or -1)."""
    secret_seen, key, first = False, np.int64(-1), count
    while at < end:
        stop = find_in(arena, at, end, AMPERSAND)
        equals = find_in(arena, at, stop, EQUALS)
        if equals < stop and equals > at:
            slot = name_hash(arena, at, equals - at)
            kind = classify_value(arena, equals + 1, stop - equals - 1)
            secret = secret_of_field(arena, at, equals, equals + 1, stop, kind)
            if secret != HARMLESS and stop > equals + 1:
                secret_seen = True
                if (secret == 2 or secret == 3) and key < 0:
                    key = count
            if count - first < VALUES_OF_QUERY:
                count = note_value(values, count, row, kind, secret, IN_QUERY, slot, arena, equals + 1, stop)
                values[count - 1]["name_at"] = at
                values[count - 1]["name_len"] = min(equals - at, 64)
                count_once(values, first, count)
            elif key == count:
                key = np.int64(-1)
        elif equals == stop and not secret_seen:  # a value without a name
            secret_seen = secret_of_value(arena, at, stop, classify_value(arena, at, stop - at)) != HARMLESS
        at = stop + 1
    return count, secret_seen, key
