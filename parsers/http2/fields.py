"""Header blocks (RFC 7541 5 and 6), decoded field by field into one buffer, and the fields that matter."""

import numpy as np
from hpack.table import HeaderTable

from parsers.http.fields import note_name, note_value
from parsers.http.names import IS_USUAL, KIND_MASK, KINDS, PSEUDO, UNKNOWN_NAME, label, label_of, name_words
from parsers.http.text import LOWER, number_of
from parsers.http2.huffman import decode_huffman
from parsers.http2.state import FIELDS_LIMIT, UNKNOWN
from parsers.http2.table import INVALID, NOWHERE, STATIC_LENGTH, find_entry, insert, read_entry, set_limit
from sensor.core.jit import inlined, kernel
from sensor.core.records import WEIRD_BIT
from sensor.core.wide import copy_wide, load_le64, padded, word

U = np.uint64
LARGEST = 1 << 31
"""Integers beyond this are no lengths or indices of anything."""
STATIC_NAMES = np.array([len(name) for name, _ in HeaderTable.STATIC_TABLE], np.int64)
STATIC_VALUES = np.array([len(value) for _, value in HeaderTable.STATIC_TABLE], np.int64)
STATIC = padded(b"".join(name + value for name, value in HeaderTable.STATIC_TABLE))
STATIC_AT = np.cumsum(STATIC_NAMES + STATIC_VALUES) - STATIC_NAMES - STATIC_VALUES
"""The static table (RFC 7541 appendix A): names and values side by side, from index 1 on."""
STATIC_LABELS = np.array([label(name) for name, _ in HeaderTable.STATIC_TABLE])

BROKEN = -1
NO_FIELD, NO_NAME = -1, -3
IS_REQUEST, IS_RESPONSE, IS_WEBSOCKET = 1, 2, 4
METHOD, PATH, SCHEME, AUTHORITY, PROTOCOL, STATUS = (KINDS[name] for name in PSEUDO)
COLON = 58
WEBSOCKET_NAME = word(b"websocke") | LOWER
W_BAD = WEIRD_BIT["bad_header"]


@inlined
def read_integer(buffer, at, end, bits):
    """An integer, its first `bits` bits in its first byte (RFC 7541 5.1): (value, offset behind); BROKEN as offset if none."""
    if at >= end:
        return np.int64(0), np.int64(BROKEN)
    mask = (np.int64(1) << bits) - 1
    value = np.int64(buffer[at]) & mask
    at += 1
    if value < mask:
        return value, at
    shift = np.int64(0)
    while at < end and shift <= 28:
        byte = np.int64(buffer[at])
        at += 1
        value += (byte & 127) << shift
        if value > LARGEST:
            break
        if byte < 128:
            return value, at
        shift += 7
    return np.int64(0), np.int64(BROKEN)


@kernel
def read_string(http2, buffer, at, end, to):
    """A string (RFC 7541 5.2), written to fields[to:]: (offset behind, its bytes); BROKEN as offset when it is none."""
    coded = at < end and buffer[at] & 128
    length, at = read_integer(buffer, at, end, 7)
    if at < 0 or length > end - at:
        return np.int64(BROKEN), np.int64(0)
    if not coded:
        copy_wide(http2.fields, to, buffer, at, length)
        return at + length, length
    stop = decode_huffman(http2.huffman, buffer, at, at + length, http2.fields, to)
    if stop < 0:
        return np.int64(BROKEN), np.int64(0)
    return at + length, stop - to


@inlined
def refer(http2, table, index, with_value, all_fields, to):
    """Write the name (and value) with an index to fields[to:]: (label and bytes of the name, bytes of the value).

    all_fields: also those of which the sensor wants no more than the label; the others are not written. NO_NAME as bytes for an
    entry that was not seen, INVALID for an index that nothing has.
    """
    label, value = np.int64(UNKNOWN_NAME), np.int64(0)
    if index <= STATIC_LENGTH:
        if index == 0:
            return label, np.int64(INVALID), value
        name = STATIC_NAMES[index - 1]
        value = STATIC_VALUES[index - 1] if with_value else np.int64(0)
        label = STATIC_LABELS[index - 1]
        if all_fields or label & KIND_MASK != IS_USUAL:
            copy_wide(http2.fields, to, STATIC, STATIC_AT[index - 1], name + value)
        return label, name, value
    place = find_entry(table, index)
    if place == INVALID:
        return label, np.int64(INVALID), value
    if place == NOWHERE or http2.entries[place]["name"] == UNKNOWN:
        return label, np.int64(NO_NAME), value
    entry = http2.entries[place]
    label = np.int64(entry["label"])
    if all_fields or label & KIND_MASK != IS_USUAL:
        read_entry(http2, table, entry, with_value, to)
    return label, np.int64(entry["name"]), np.int64(entry["value"]) if with_value else value


@kernel
def read_literal(http2, table, buffer, at, end, bits, to):
    """A literal field (RFC 7541 6.2), written to fields[to:]: (offset behind, label and bytes of its name, bytes of its value).

    It is inserted when its index has six bits, that of incremental indexing.
    """
    nothing = np.int64(0)
    index, at = read_integer(buffer, at, end, bits)
    if at < 0:
        return at, nothing, nothing, nothing
    if index == 0:
        at, name = read_string(http2, buffer, at, end, to)
        if at < 0:
            return at, nothing, nothing, nothing
        first, last = name_words(http2.fields, to, name)
        label = label_of(first, last, name)
    else:
        label, name, _ = refer(http2, table, index, False, True, to)
        if name == INVALID:
            return np.int64(BROKEN), nothing, nothing, nothing
    at, value = read_string(http2, buffer, at, end, to + max(name, 0))
    if at >= 0 and bits == 6:
        insert(http2, table, to, label, name if name >= 0 else np.int64(UNKNOWN), value)
    return at, label, name, value


@inlined
def read_field(http2, table, buffer, at, end, all_fields, to):
    """One representation (RFC 7541 6), its field written to fields[to:]. all_fields: as in refer.

    (offset behind, label and bytes of its name, bytes of its value): NO_FIELD as bytes of the name for a size update, NO_NAME
    where the name was not seen; BROKEN as offset when it is none.
    """
    byte, nothing = buffer[at], np.int64(0)
    if byte & 128:
        index, at = read_integer(buffer, at, end, 7)
        if at < 0:
            return at, nothing, nothing, nothing
        label, name, value = refer(http2, table, index, True, all_fields, to)
        return np.int64(BROKEN) if name == INVALID else at, label, name, value
    if byte & 64:
        return read_literal(http2, table, buffer, at, end, 6, to)
    if byte & 32:
        limit, at = read_integer(buffer, at, end, 5)
        if at >= 0:
            set_limit(http2, table, limit)
        return at, nothing, np.int64(NO_FIELD), nothing
    return read_literal(http2, table, buffer, at, end, 4, to)


@inlined
def note_pseudo(kind, buffer, at, end, message):
    """A pseudo-header field (RFC 9113 8.3, RFC 8441 4): the first of each counts. kind: of its name."""
    if kind == STATUS:
        status = number_of(buffer, at, end)
        if message["status"] > 0 or end - at != 3:
            message["weird"] |= W_BAD
        elif status >= 100:
            message["status"] = status
            message["pseudo"] |= IS_RESPONSE
        return
    message["pseudo"] |= IS_REQUEST
    if kind == METHOD and message["method_len"] == 0:
        message["line_at"] = at
        message["method_len"] = end - at
    elif kind == PATH and message["target_len"] == 0:
        message["target_at"] = at
        message["target_len"] = end - at
    elif kind == AUTHORITY and message["hosts"] == 0:
        message["hosts"] = 1
        message["host_at"] = at
        message["host_len"] = end - at
    elif kind == PROTOCOL:
        if end - at == 9 and load_le64(buffer, at) | LOWER == WEBSOCKET_NAME:
            message["pseudo"] |= IS_WEBSOCKET
    elif kind != SCHEME:
        message["weird"] |= W_BAD


@inlined
def note_decoded(http2, label, at, name, value, message):
    """One field, its name and value side by side in fields[at:]."""
    fields, value_at, kind = http2.fields, at + name, label & KIND_MASK
    if kind >= METHOD or (kind == UNKNOWN_NAME and fields[at] == COLON):
        note_pseudo(kind, fields, value_at, value_at + value, message)
    else:
        note_value(label, fields, at, name, value_at, value_at + value, message)


@kernel
def decode_block(http2, table, buffer, at, end, message):
    """Decode buffer[at:end] into `fields`, and note what matters in a message that is clear.

    False when it is broken or beyond FIELDS_LIMIT: the table then no longer knows what was inserted.
    """
    to = np.int64(0)
    while at < end:
        at, label, name, value = read_field(http2, table, buffer, at, end, False, to)
        if at < 0 or to > FIELDS_LIMIT:
            return False
        if name == NO_NAME:
            message["unknown"] = 1
        elif name > 0:
            note_name(label, message)
            if label & KIND_MASK != IS_USUAL:
                note_decoded(http2, label, to, name, value, message)
                to += name + value
    return True
