"""Values within bodies: the leaves of a JSON object, the fields of a form, what stands out in other text; as VALUE rows.

Of a list the first element counts alone, as everywhere in the inventory. What is longer than TEXT_BYTES has its first
bytes in the arena; its hash is that of the whole.
"""

import numpy as np

from sensor.core.hashing import U, hash_bytes
from sensor.core.jit import kernel
from sensor.core.quoted import QUOTE, string_end
from sensor.core.records import MEDIA
from sensor.core.sensitive import CARD, HARMLESS
from sensor.core.wide import copy, load_le64
from sensor.inventory.lexical import DIGIT, INT, KIND, LITERAL, TEXT, classify_value, decimal
from sensor.inventory.personal import body_name_hash, exposed_class
from sensor.inventory.secrets import NAME_LIMIT, name_hash, secret_by_name, secret_by_value
from sensor.inventory.shapes import CLOSE, CLOSE_LIST, COMMA, OPEN, OPEN_LIST, colon_behind
from sensor.inventory.targets import CLASS_LENGTHS, CLASS_TEXTS
from sensor.inventory.value_forms import BEGIN_KEY, CARD_DIGITS, class_by_prefix, class_by_value
from sensor.inventory.values import (
    AMPERSAND,
    EQUALS,
    IN_BODY,
    IN_RESPONSE,
    VALUES_OF_ANSWER,
    VALUES_OF_BODY,
    find_in,
)

SCANNED, ANSWER_SCANNED = 4_096, 8_192
"""Bytes of a request's and of a response's body that are looked at."""
WORD_SHORTEST, WORD_LONGEST = 9, 2_048
"""Bytes of what may be sensitive in text without fields: a SSN without its dashes is the shortest."""
KEY_DIGITS = 4
"""Digits from which on a key is no name."""
DEPTH = 8
"""Nesting beyond which leaves do not count."""
TEXT_BYTES = 64
ROOM_PER_VALUE = TEXT_BYTES + NAME_LIMIT
DOT = 46
WORD_BYTE = np.zeros(256, np.uint8)
WORD_BYTE[list(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@._+-%")] = 1
"""What the words of a text are made of."""
M_JSON, M_FORM, M_TEXT, M_XML = MEDIA["json"], MEDIA["form"], MEDIA["text"], MEDIA["xml"]


@kernel
def note_leaf(values, count, row, location, bodies, at, end, quoted, leaf, leaf_end, arena, name, name_len, used):
    """Append the value bodies[at:end] of the key path arena[name:]; leaf: its last key, in bodies. (count, used)"""
    kind = classify_value(bodies, at, end - at)
    if not quoted and kind != INT:
        kind = np.int64(LITERAL)  # true, false, null and numbers with fractions
    secret = secret_by_name(name_hash(bodies, leaf, leaf_end - leaf))
    if secret == HARMLESS:
        secret = secret_by_value(bodies, at, end - at, kind)
    value = values[count]
    value["row"] = row
    value["kind"] = kind
    value["secret"] = secret
    value["exposed"] = exposed_class(bodies, at, end - at, kind, quoted, body_name_hash(bodies, leaf, leaf_end - leaf))
    value["location"] = location
    value["weight"] = 1
    value["slot"] = name_hash(arena, name, name_len)
    value["hash"] = hash_bytes(bodies, at, end - at, U(11))
    value["number"] = decimal(bodies, at, end - at) if kind == INT else np.int64(-1)
    copy(arena, used, arena, name, name_len)
    value["name_at"] = used
    value["name_len"] = name_len
    used += name_len
    value["at"] = used
    value["len"] = end - at
    shown = min(end - at, TEXT_BYTES)
    copy(arena, used, bodies, at, shown)
    return count + 1, used + shown


@kernel
def kind_of_key(bodies, at, end):
    """LITERAL for a key that is a name; the class of one that is itself a value, as in maps of users or orders."""
    kind = classify_value(bodies, at, end - at)
    if kind != LITERAL:
        return np.int64(kind)
    digits = 0
    for k in range(at, end):
        digits += KIND[bodies[k]] & DIGIT
    return np.int64(TEXT if digits >= KEY_DIGITS else LITERAL)


@kernel
def enter_key(arena, name, length, bodies, at, end):
    """Append a key to the path arena[name : name + length]: its length, cut at NAME_LIMIT. Keys that are values: `{class}`."""
    if length > 0 and length < NAME_LIMIT:
        arena[name + length] = DOT
        length += 1
    kind = kind_of_key(bodies, at, end)
    if kind != LITERAL:
        if length + CLASS_LENGTHS[kind] <= NAME_LIMIT:
            copy(arena, name + length, CLASS_TEXTS, kind * 16, CLASS_LENGTHS[kind])
            length += CLASS_LENGTHS[kind]
        return length
    taken = max(np.int64(0), min(end - at, NAME_LIMIT - length))
    copy(arena, name + length, bodies, at, taken)
    return length + taken


@kernel
def skip_space(text, at, end):
    """Offset behind white space."""
    while at < end and text[at] <= 32:
        at += 1
    return at


@kernel
def end_of_bare(text, at, end):
    """Offset behind a number, true, false or null."""
    while at < end and text[at] > 32 and text[at] != COMMA and text[at] != CLOSE and text[at] != CLOSE_LIST:
        at += 1
    return at


@kernel
def read_json_values(bodies, at, end, row, location, limit, values, count, arena, used, scratch, lengths):
    """Leaves of the JSON text bodies[at:end]: (number of values, bytes of the arena used).

    limit: values at the most; scratch: offset in the arena with room for a key path; lengths: int64[DEPTH], its length at each
    depth.
    """
    depth, first, muted, lists = np.int64(0), count, np.int64(0), U(0)
    length, leaf, leaf_end = np.int64(0), np.int64(at), np.int64(at)
    lengths[0] = 0
    while at < end and count - first < limit:
        byte = bodies[at]
        if byte == OPEN or byte == OPEN_LIST:
            depth += 1
            if depth >= DEPTH:
                break
            lengths[depth] = length
            lists = lists | U(1) << U(depth) if byte == OPEN_LIST else lists & ~(U(1) << U(depth))
        elif byte == CLOSE or byte == CLOSE_LIST:
            muted = np.int64(0) if muted == depth else muted
            depth -= 1
            if depth < 0:
                break
        elif byte == COMMA:
            if muted == 0 and lists >> U(depth) & U(1):
                muted = depth
        elif byte > 32:
            quoted = byte == QUOTE
            begin = at + 1 if quoted else at
            stop = string_end(bodies, begin, end) if quoted else end_of_bare(bodies, begin, end)
            behind = colon_behind(bodies, stop + 1, end) if quoted else np.int64(-1)
            if stop >= end or (quoted and behind < 0 and skip_space(bodies, stop + 1, end) >= end):
                break  # cut off: a part of a value is another value, and a key without its colon is none
            if behind >= 0:
                length = enter_key(arena, scratch, lengths[depth], bodies, begin, stop)
                leaf, leaf_end, at = begin, stop, behind
                continue
            if muted == 0 and depth > 0 and stop > begin:
                count, used = note_leaf(
                    values,
                    count,
                    row,
                    location,
                    bodies,
                    begin,
                    stop,
                    quoted,
                    leaf,
                    leaf_end,
                    arena,
                    scratch,
                    length,
                    used,
                )
            at = max(stop + 1, at + 1) if quoted else max(stop, at + 1)
            continue
        at += 1
    return count, used


@kernel
def read_form_values(bodies, at, end, row, values, count, arena, used, scratch):
    """Fields of the form bodies[at:end]: (number of values, bytes of the arena used)."""
    first = count
    while at < end and count - first < VALUES_OF_BODY:
        stop = find_in(bodies, at, end, AMPERSAND)
        equals = find_in(bodies, at, stop, EQUALS)
        if equals + 1 < stop and equals > at:
            length = enter_key(arena, scratch, np.int64(0), bodies, at, equals)
            count, used = note_leaf(
                values, count, row, IN_BODY, bodies, equals + 1, stop, True, at, equals, arena, scratch, length, used
            )
        at = stop + 1
    return count, used


@kernel
def read_body_values(bodies, row, index, values, count, arena, used, scratch, lengths):
    """Values of one request's body, where its sample can be read: (number of values, bytes of the arena used)."""
    if row["request_body_len"] == 0 or row["request_coding"] != 0:
        return count, used
    at = np.int64(row["request_body_at"])
    end = at + min(np.int64(row["request_body_len"]), SCANNED)
    if row["request_media"] == M_JSON:
        return read_json_values(bodies, at, end, index, IN_BODY, VALUES_OF_BODY, values, count, arena, used, scratch, lengths)
    if row["request_media"] == M_FORM:
        return read_form_values(bodies, at, end, index, values, count, arena, used, scratch)
    return count, used


@kernel
def note_word(values, count, row, bodies, at, end, lexical, exposed):
    """Append what stands out in a text without fields. Its class stands for its name."""
    value = values[count]
    value["row"] = row
    value["kind"] = lexical
    value["secret"] = exposed
    value["exposed"] = exposed
    value["location"] = IN_RESPONSE
    value["weight"] = 1
    value["slot"] = max(exposed, CARD) if lexical == INT else exposed
    value["hash"] = hash_bytes(bodies, at, end - at, U(11))
    value["number"] = -1
    value["name_at"] = 0
    value["name_len"] = 0
    value["at"] = 0
    value["len"] = end - at
    return count + 1


@kernel
def read_words(bodies, at, end, row, limit, values, count):
    """What is sensitive in a text, and long numbers that are not: a share of these passes for cards by chance. Their count."""
    first = count
    while at < end and count - first < limit:
        begin = at
        while at < end and WORD_BYTE[bodies[at]]:
            at += 1
        stop = at
        while stop > begin and bodies[stop - 1] == DOT:
            stop -= 1
        if WORD_SHORTEST <= stop - begin <= WORD_LONGEST:
            lexical = classify_value(bodies, begin, stop - begin)
            if load_le64(bodies, begin) == BEGIN_KEY:
                exposed = class_by_prefix(bodies, begin, end - begin)
            else:
                exposed = class_by_value(bodies, begin, stop - begin, lexical)
            if exposed != HARMLESS or (lexical == INT and stop - begin >= CARD_DIGITS):
                count = note_word(values, count, row, bodies, begin, stop, lexical, exposed)
        at += 1
    return count


@kernel
def read_answers(bodies, rows, values, arena, scratch, lengths):
    """Values of the samples of served responses, as many as there is room for: (rows taken, values).

    values: VALUE[>= VALUES_OF_ANSWER]; arena: uint8[scratch + NAME_LIMIT + SLACK] with room for ROOM_PER_VALUE bytes a value.
    """
    count, used = np.int64(0), np.int64(0)
    for index in range(rows.shape[0]):
        if count + VALUES_OF_ANSWER > values.shape[0]:
            return index, count
        row = rows[index]
        if row["response_body_len"] == 0 or row["response_coding"] != 0:
            continue
        at = np.int64(row["response_body_at"])
        end = at + min(np.int64(row["response_body_len"]), ANSWER_SCANNED)
        if row["response_media"] == M_JSON:
            count, used = read_json_values(
                bodies, at, end, index, IN_RESPONSE, VALUES_OF_ANSWER, values, count, arena, used, scratch, lengths
            )
        elif row["response_media"] == M_TEXT or row["response_media"] == M_XML:
            count = read_words(bodies, at, end, index, VALUES_OF_ANSWER, values, count)
    return np.int64(rows.shape[0]), count
