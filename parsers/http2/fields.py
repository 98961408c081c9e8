"""Header blocks (RFC 7541 5 and 6), decoded field by field into one buffer, and the fields that matter."""

import numpy as np
from hpack.table import HeaderTable

from parsers.http.fields import note
from parsers.http.text import LOWER, copy_short, number_of
from parsers.http2.huffman import decode_huffman
from parsers.http2.state import FIELDS_LIMIT, UNKNOWN
from parsers.http2.table import INVALID, NOWHERE, STATIC_LENGTH, find_entry, insert, read_entry, set_limit
from sensor.core.jit import inlined, kernel
from sensor.core.records import WEIRD_BIT
from sensor.core.wide import copy, load_le64, padded, word

U = np.uint64
LARGEST = 1 << 31
"""Integers beyond this are no lengths or indices of anything."""
STATIC_NAMES = np.array([len(name) for name, _ in HeaderTable.STATIC_TABLE], np.int64)
STATIC_VALUES = np.array([len(value) for _, value in HeaderTable.STATIC_TABLE], np.int64)
STATIC = padded(b"".join(name + value for name, value in HeaderTable.STATIC_TABLE))
STATIC_AT = np.cumsum(STATIC_NAMES + STATIC_VALUES) - STATIC_NAMES - STATIC_VALUES
"""The static table (RFC 7541 appendix A): names and values side by side, from index 1 on."""

BROKEN = -1
NO_FIELD, NO_NAME = -1, -3
IS_REQUEST, IS_RESPONSE, IS_WEBSOCKET = 1, 2, 4
METHOD, SCHEME, STATUS = word(b":method"), word(b":scheme"), word(b":status")
PATH, AUTHORITY, PROTOCOL = word(b":path"), word(b":authori"), word(b":protoco")
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
        copy(http2.fields, to, buffer, at, length)
        return at + length, length
    stop = decode_huffman(http2.huffman, buffer, at, at + length, http2.fields, to)
    if stop < 0:
        return np.int64(BROKEN), np.int64(0)
    return at + length, stop - to


@inlined
def refer(http2, table, index, with_value, to):
    """Write the name (and value) with an index to fields[to:]: (bytes of the name, bytes of the value).

    NO_NAME for an entry that was not seen, INVALID for an index that nothing has.
    """
    if index <= STATIC_LENGTH:
        if index == 0:
            return np.int64(INVALID), np.int64(0)
        name = STATIC_NAMES[index - 1]
        value = STATIC_VALUES[index - 1] if with_value else np.int64(0)
        copy_short(http2.fields, to, STATIC, STATIC_AT[index - 1], name + value)
        return name, value
    place = find_entry(table, index)
    if place == INVALID:
        return np.int64(INVALID), np.int64(0)
    if place == NOWHERE or http2.entries[place]["name"] == UNKNOWN:
        return np.int64(NO_NAME), np.int64(0)
    entry = http2.entries[place]
    read_entry(http2, table, entry, with_value, to)
    return np.int64(entry["name"]), np.int64(entry["value"]) if with_value else np.int64(0)


@kernel
def read_literal(http2, table, buffer, at, end, bits, to):
    """A literal field (RFC 7541 6.2), written to fields[to:]: (offset behind, bytes of its name, bytes of its value).

    It is inserted when its index has six bits, that of incremental indexing.
    """
    index, at = read_integer(buffer, at, end, bits)
    if at < 0:
        return at, np.int64(0), np.int64(0)
    if index == 0:
        at, name = read_string(http2, buffer, at, end, to)
        if at < 0:
            return at, name, name
    else:
        name, _ = refer(http2, table, index, False, to)
        if name == INVALID:
            return np.int64(BROKEN), np.int64(0), np.int64(0)
    at, value = read_string(http2, buffer, at, end, to + max(name, 0))
    if at >= 0 and bits == 6:
        insert(http2, table, to, name if name >= 0 else np.int64(UNKNOWN), value)
    return at, name, value


@inlined
def read_field(http2, table, buffer, at, end, to):
    """One representation (RFC 7541 6), its field written to fields[to:]: (offset behind, bytes of its name, of its value).

    NO_FIELD as the name's length for a size update, NO_NAME where the name was not seen; BROKEN as offset when it is none.
    """
    byte = buffer[at]
    if byte & 128:
        index, at = read_integer(buffer, at, end, 7)
        if at < 0:
            return at, np.int64(0), np.int64(0)
        name, value = refer(http2, table, index, True, to)
        return np.int64(BROKEN) if name == INVALID else at, name, value
    if byte & 64:
        return read_literal(http2, table, buffer, at, end, 6, to)
    if byte & 32:
        limit, at = read_integer(buffer, at, end, 5)
        if at >= 0:
            set_limit(http2, table, limit)
        return at, np.int64(NO_FIELD), np.int64(0)
    return read_literal(http2, table, buffer, at, end, 4, to)


@inlined
def note_pseudo(buffer, name, length, at, end, message):
    """A pseudo-header field (RFC 9113 8.3, RFC 8441 4): the first of each counts."""
    first = load_le64(buffer, name)
    if length < 8:
        first &= (U(1) << U(8 * length)) - U(1)
    if length == 7 and first == STATUS:
        if message["status"] > 0 or end - at != 3:
            message["weird"] |= W_BAD
        elif number_of(buffer, at, end) >= 100:
            message["status"] = number_of(buffer, at, end)
            message["pseudo"] |= IS_RESPONSE
        return
    message["pseudo"] |= IS_REQUEST
    if length == 7 and first == METHOD and message["method_len"] == 0:
        message["line_at"] = at
        message["method_len"] = end - at
    elif length == 5 and first == PATH and message["target_len"] == 0:
        message["target_at"] = at
        message["target_len"] = end - at
    elif length == 10 and first == AUTHORITY and message["hosts"] == 0:
        message["hosts"] = 1
        message["host_at"] = at
        message["host_len"] = end - at
    elif length == 9 and first == PROTOCOL:
        if end - at == 9 and load_le64(buffer, at) | LOWER == WEBSOCKET_NAME:
            message["pseudo"] |= IS_WEBSOCKET
    elif length != 7 or first != SCHEME:
        message["weird"] |= W_BAD


@kernel
def decode_block(http2, table, buffer, at, end, message):
    """Decode buffer[at:end] into `fields`, and note what matters in a message that is clear.

    False when it is broken or beyond FIELDS_LIMIT: the table then no longer knows what was inserted.
    """
    to = np.int64(0)
    while at < end:
        at, name, value = read_field(http2, table, buffer, at, end, to)
        if at < 0 or to > FIELDS_LIMIT:
            return False
        if name == NO_NAME:
            message["unknown"] = 1
        elif name > 0:
            if http2.fields[to] == 58:
                note_pseudo(http2.fields, to, name, to + name, to + name + value, message)
            note(http2.fields, to, name, to + name, to + name + value, message)
            to += name + value
    return True
