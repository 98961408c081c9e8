"""Values within bodies: the leaves of a JSON object, the fields of a form, what stands out in other text; as VALUE rows.

Of a list the first element counts alone, as everywhere in the inventory.
"""

import numpy as np

from sensor.core.hashing import U
from sensor.core.jit import kernel
from sensor.core.quoted import QUOTE, string_end
from sensor.core.records import MEDIA
from sensor.inventory.body_leaves import enter_key, note_leaf
from sensor.inventory.body_words import read_words
from sensor.inventory.multipart_values import read_multipart_values
from sensor.inventory.shapes import CLOSE, CLOSE_LIST, COMMA, OPEN, OPEN_LIST, colon_behind
from sensor.inventory.values import (
    AMPERSAND,
    EQUALS,
    IN_BODY,
    IN_RESPONSE,
    VALUES_OF_ANSWER,
    VALUES_OF_BODY,
    count_once,
    find_in,
)

SCANNED, ANSWER_SCANNED = 4_096, 8_192
"""Bytes of a request's and of a response's body that are looked at."""
DEPTH = 8
"""Nesting beyond which leaves do not count."""
M_JSON, M_FORM, M_TEXT, M_XML, M_MULTIPART = (MEDIA[name] for name in ("json", "form", "text", "xml", "multipart"))


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
            if depth <= 0:
                break  # of several texts in a row (NDJSON) the first counts alone, as of a list
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
            count_once(values, first, count)
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
    if row["request_media"] == M_MULTIPART:
        return read_multipart_values(bodies, at, end, index, values, count, arena, used, scratch)
    return count, used


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
            count = read_words(bodies, at, end, index, IN_RESPONSE, VALUES_OF_ANSWER, values, count)
    return np.int64(rows.shape[0]), count


@kernel
def read_texts(bodies, rows, values):
    """What stands out in the text of requests without fields, as much as there is room for: (rows taken, values).

    values: VALUE[>= VALUES_OF_BODY]. Detectors are not handed it: no name tells which value of a text is which.
    """
    count = np.int64(0)
    for index in range(rows.shape[0]):
        if count + VALUES_OF_BODY > values.shape[0]:
            return index, count
        row = rows[index]
        if row["request_coding"] == 0 and (row["request_media"] == M_TEXT or row["request_media"] == M_XML):
            at = np.int64(row["request_body_at"])
            end = at + min(np.int64(row["request_body_len"]), SCANNED)
            count = read_words(bodies, at, end, index, IN_BODY, VALUES_OF_BODY, values, count)
    return np.int64(rows.shape[0]), count
