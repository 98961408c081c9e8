"""ClickHouse's Native format straight from arrays: one block of named columns, no Python per row.

Each column function gives a Column: its type and its bytes, which ClickHouse converts where the table's type
differs. Layout: https://clickhouse.com/docs/interfaces/formats/Native (varint counts, then name, type and data
of each column).
"""

from typing import Any, NamedTuple

import numpy as np

from sensor.core.hashing import hash_bytes
from sensor.core.jit import kernel
from sensor.core.wide import copy, load_le64

_DICTIONARY_VERSION = 1
_NEW_DICTIONARY = 1 << 9 | 1 << 10  # additional keys follow; the dictionary is this block's own
_KEYS = 4096
"""Distinct texts of a block up to which they are sent as a dictionary."""
_PROBES = 64
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


class Column(NamedTuple):
    """One encoded column."""

    type: str
    """ClickHouse's name of the type"""
    data: list[np.ndarray | bytes]
    """contiguous pieces, one behind the other"""


class Gather(NamedTuple):
    """Texts in an arena: one (at, length) a row."""

    arena: np.ndarray
    """uint8[m]"""
    at: np.ndarray
    """int64[n] or uint32[n]"""
    length: np.ndarray
    """uint32[n]"""


def block(rows: int, columns: dict[str, Column]) -> bytes:
    """One Native block of `rows` rows."""
    pieces: list[Any] = [_varint(len(columns)), _varint(rows)]
    for name, column in columns.items():
        pieces.append(_text(name) + _text(column.type))
        pieces += column.data
    return b"".join(pieces)


def rows_in(data: bytes, fmt: str) -> int:
    """Rows of an encoded block: the second number of a Native one, the lines of any other."""
    if fmt != "Native":
        return data.count(b"\n") + (not data.endswith(b"\n")) if data else 0
    at, value, shift = 0, 0, 0
    for _ in range(2):
        value = shift = 0
        while at < len(data):
            value |= (data[at] & 127) << shift
            at, shift = at + 1, shift + 7
            if data[at - 1] < 128:
                break
    return value


def numbers(type_name: str, values: np.ndarray) -> Column:
    """A fixed-width column, sent as `type_name`; `values` must already have its width."""
    return Column(type_name, [np.ascontiguousarray(values)])


def nullable(type_name: str, values: np.ndarray, missing: np.ndarray) -> Column:
    """Nullable(`type_name`): `values`, NULL where `missing` (bool[n])."""
    return Column(f"Nullable({type_name})", [missing.astype(np.uint8), np.ascontiguousarray(values)])


def ipv6(high: np.ndarray, low: np.ndarray) -> Column:
    """IPv6 from the upper and lower 64 bits (uint64[n])."""
    both = np.empty((len(high), 2), dtype=">u8")
    both[:, 0] = high
    both[:, 1] = low
    return Column("IPv6", [both])


def dictionary(keys: list[str], index: np.ndarray) -> Column:
    """LowCardinality(String): row i is keys[index[i]]."""
    return _low_cardinality(b"".join(map(_text, keys)), len(keys), index)


def _low_cardinality(texts: np.ndarray | bytes, count: int, index: np.ndarray) -> Column:
    if not len(index):
        return Column("LowCardinality(String)", [])
    width = 0 if count <= 1 << 8 else 1 if count <= 1 << 16 else 2
    head = np.array([_DICTIONARY_VERSION, _NEW_DICTIONARY | width, count], dtype="<u8").tobytes()
    rows = np.array([len(index)], dtype="<u8").tobytes()
    return Column("LowCardinality(String)", [head, texts, rows, index.astype(f"<u{1 << width}")])


def repeated(texts: Gather) -> Column:
    """LowCardinality(String) of texts that mostly repeat; String when they turn out not to."""
    at, length = np.ascontiguousarray(texts.at, dtype=np.int64), np.ascontiguousarray(texts.length, dtype=np.uint32)
    first = np.empty(_KEYS, dtype=np.int64)
    codes = np.empty(len(at), dtype=np.uint16)
    count = find_repeats(texts.arena, at, length, np.full(4 * _KEYS, -1, dtype=np.int32), first, codes)
    if count < 0:
        return strings(texts)
    keys = strings(Gather(texts.arena, at[first[:count]], length[first[:count]]))
    return _low_cardinality(keys.data[0], count, codes)


def constant(text: str, rows: int) -> Column:
    """LowCardinality(String): the same text in all rows."""
    return dictionary([text], np.zeros(rows, dtype=np.uint8))


def strings(texts: Gather) -> Column:
    """String."""
    at, length = np.ascontiguousarray(texts.at, dtype=np.int64), np.ascontiguousarray(texts.length, dtype=np.uint32)
    out = np.empty(strings_size(length), dtype=np.uint8)
    put_strings(texts.arena, at, length, out)
    return Column("String", [out])


def hex_words(values: np.ndarray) -> Column:
    """String: 16 hex digits of each uint64, empty for 0."""
    values = np.ascontiguousarray(values, dtype=np.uint64)
    out = np.empty(len(values) + 16 * int(np.count_nonzero(values)), dtype=np.uint8)
    put_hex(values, _HEX, out)
    return Column("String", [out])


def bit_names(bits: np.ndarray, names: tuple[str, ...]) -> Column:
    """Array(Enum8): the names of the bits that are set, lowest first."""
    kind = ", ".join(f"'{name}' = {code}" for code, name in enumerate(names))
    bits = np.ascontiguousarray(bits, dtype=np.uint32)
    counts = np.bitwise_count(bits & np.uint32((1 << len(names)) - 1))
    ends = np.cumsum(counts, dtype=np.uint64)
    out = np.empty(int(ends[-1]) if len(ends) else 0, dtype=np.int8)
    put_bits(bits, len(names), out)
    return Column(f"Array(Enum8({kind}))", [ends, out])


def keyed_values(counts: np.ndarray, classes: np.ndarray, hashes: np.ndarray, names: tuple[str, ...]) -> Column:
    """Array(String): `card:0123456789abcdef` for each of the first counts[k] (class, hash) of row k; classes name `names`."""
    counts = np.minimum(counts, classes.shape[1])
    ends = np.cumsum(counts, dtype=np.uint64)
    texts, lengths = np.zeros((len(names), max(map(len, names)) + 1), np.uint8), np.zeros(len(names), np.int64)
    for code, name in enumerate(names):
        texts[code, : len(name) + 1] = np.frombuffer(f"{name}:".encode(), np.uint8)
        lengths[code] = len(name) + 1
    told = np.arange(classes.shape[1]) < counts[:, None]
    codes, values = np.minimum(classes[told], len(names) - 1), np.ascontiguousarray(hashes[told])
    out = np.empty(int((lengths[codes] + 17).sum()), dtype=np.uint8)
    put_keyed(codes, values, texts, lengths, _HEX, out)
    return Column("Array(String)", [ends, out])


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _text(text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    return _varint(len(data)) + data


@kernel
def strings_size(length):
    """Bytes of the String column whose texts have these lengths."""
    total = 0
    for k in range(length.size):
        size = np.int64(length[k])
        total += size + 1
        while size > 127:
            total += 1
            size >>= 7
    return total


@kernel
def put_strings(arena, at, length, out):
    """Write each text behind its length (varint) into `out`, which has strings_size(length) bytes."""
    end = 0
    for k in range(length.size):
        size = np.int64(length[k])
        rest = size
        while rest > 127:
            out[end] = rest & 127 | 128
            rest >>= 7
            end += 1
        out[end] = rest
        end += 1
        copy(out, end, arena, at[k], size)
        end += size


@kernel
def same_bytes(arena, one, other, size):
    """Whether two pieces of the arena are equal. Reads up to 7 bytes of slack."""
    k = 0
    while k + 8 <= size:
        if load_le64(arena, one + k) != load_le64(arena, other + k):
            return False
        k += 8
    if k == size:
        return True
    difference = load_le64(arena, one + k) ^ load_le64(arena, other + k)
    return difference << np.uint64(64 - 8 * (size - k)) == 0


@kernel
def find_repeats(arena, at, length, table, first, codes):
    """Number the distinct texts: codes[k] is the number of text k, first[c] the row that brought number c.

    `table` is an empty hash table (int32, all -1, a power of two larger than `first`). Returns the count, -1 when
    there are more than `first` holds, or when so many share a place (an attacker may choose them) that it gets slow.
    """
    count = 0
    mask = table.size - 1
    for k in range(at.size):
        size = np.int64(length[k])
        place = np.int64(hash_bytes(arena, at[k], size, np.uint64(0)) & np.uint64(mask))
        probes = 0
        while True:
            code = table[place]
            if code < 0:
                if count == first.size:
                    return -1
                table[place] = count
                first[count] = k
                code = np.int32(count)
                count += 1
                break
            row = first[code]
            if np.int64(length[row]) == size and (at[row] == at[k] or same_bytes(arena, at[row], at[k], size)):
                break
            probes += 1
            if probes == _PROBES:
                return -1
            place = (place + 1) & mask
        codes[k] = code
    return count


@kernel
def put_hex(values, digits, out):
    """Write each number as a text of 16 hex digits, 0 as the empty text."""
    end = 0
    for k in range(values.size):
        value = values[k]
        if value == 0:
            out[end] = 0
            end += 1
            continue
        out[end] = 16
        for digit in range(16):
            out[end + 16 - digit] = digits[value & np.uint64(15)]
            value >>= np.uint64(4)
        end += 17


@kernel
def put_keyed(codes, values, texts, lengths, digits, out):
    """Write each class's text and its hash as 16 hex digits, behind the length of both (below 128)."""
    end = 0
    for k in range(values.size):
        size = lengths[codes[k]]
        out[end] = size + 16
        end += 1
        for n in range(size):
            out[end + n] = texts[codes[k], n]
        end += size
        for digit in range(16):
            out[end + digit] = digits[values[k] >> np.uint64(60 - 4 * digit) & np.uint64(15)]
        end += 16


@kernel
def put_bits(bits, width, out):
    """Write the numbers of the bits set in each word, lowest first; bits from `width` on are left out."""
    end = 0
    for k in range(bits.size):
        word = bits[k]
        if word == 0:
            continue
        for bit in range(width):
            if word >> np.uint32(bit) & np.uint32(1):
                out[end] = bit
                end += 1
