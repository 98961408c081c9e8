"""The Huffman code of RFC 7541 appendix B, decoded up to two symbols at a time by a table of the next twelve bits."""

import functools

import numpy as np
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

from sensor.core.jit import kernel
from sensor.core.wide import load_be64, store_le64

U = np.uint64
WINDOW = 12
"""Bits looked at at once: the codes of all characters that are common in fields have 5 to 8, and the table stays in the
first cache; that of all (node of the code's tree, next byte) does not, which took three times as long."""
STEPS_AT_ONCE = 4
MOST_AT_ONCE = STEPS_AT_ONCE * WINDOW
"""Bits that so many windows can take: eight bytes still have 57 once they are shifted to begin at a given bit."""
TREE = 1 << WINDOW
"""Where the tree begins in the table: two entries for each inner node, the next node or LEAF and a symbol."""
LEAF, EOS = 1 << 16, 256
USED = 63  # of a step: the bits that it takes
BROKEN = -1
ALL_ONES = U(0xFFFFFFFFFFFFFFFF)


def _tree() -> np.ndarray:
    """uint32[512]: for an inner node and a bit, the next inner node, or LEAF | symbol. Node 0 is the root."""
    children = np.zeros((256, 2), np.uint32)
    nodes = 1
    for symbol, (code, length) in enumerate(zip(REQUEST_CODES, REQUEST_CODES_LENGTH, strict=True)):
        node = 0
        for place in range(length - 1, 0, -1):
            bit = code >> place & 1
            if children[node, bit] == 0:
                children[node, bit] = nodes
                nodes += 1
            node = int(children[node, bit])
        children[node, code & 1] = LEAF | symbol
    return children.reshape(-1)


@functools.cache
def huffman_steps() -> np.ndarray:
    """uint32[4096 + 512]: by the next twelve bits how many of them the codes in them take (bits 0 to 7), the first symbol (8 to
    15), the second (16 to 23), and how many they are (from 24 on): none where the first code is longer. The tree stands behind.
    """
    codes = {
        (length, code): symbol
        for symbol, (code, length) in enumerate(zip(REQUEST_CODES, REQUEST_CODES_LENGTH, strict=True))
        if length <= WINDOW
    }
    steps = np.zeros(TREE, np.uint32)
    for window in range(TREE):
        found: list[int] = []
        used = 0
        while len(found) < 2:
            rest = WINDOW - used
            lengths = (n for n in range(5, rest + 1) if (n, window >> (rest - n) & (1 << n) - 1) in codes)
            length = next(lengths, 0)
            if not length:
                break
            found.append(codes[length, window >> (rest - length) & (1 << length) - 1])
            used += length
        symbols = sum(symbol << 8 * k for k, symbol in enumerate(found, 1))
        steps[window] = used | symbols | len(found) << 24
    return np.concatenate([steps, _tree()])


@kernel
def walk(steps, source, place, end):
    """One symbol, bit by bit from bit `place` of source on: (symbol, bit behind its code); BROKEN when it ends before."""
    node = np.int64(0)
    while place < end:
        bit = np.int64(source[place >> 3]) >> (7 - (place & 7)) & 1
        place += 1
        step = np.int64(steps[TREE + 2 * node + bit])
        if step >= LEAF:
            return step - LEAF, place
        node = step
    return np.int64(BROKEN), place


@kernel
def decode_tail(steps, source, place, end, target, to):
    """The last bits of a string, MOST_AT_ONCE at the most, as if ones without end followed: as decode_huffman.

    A code that takes some of those ones is cut off. Ones alone are no code that the table has: where less than a byte of them
    is left they are the end (RFC 7541 5.2).
    """
    while True:
        zeros = ~load_be64(source, place >> 3) << U(place & 7) & ~(ALL_ONES >> U(end - place))
        step = np.int64(steps[~zeros >> U(64 - WINDOW)])
        while step >> 24 > 0:
            store_le64(target, to, U(step >> 8))
            to += step >> 24
            place += step & USED
            zeros <<= U(step & USED)
            step = np.int64(steps[~zeros >> U(64 - WINDOW)])
        if place > end:
            return np.int64(BROKEN)
        if end - place < 8 and zeros == U(0):
            return to
        symbol, place = walk(steps, source, place, end)
        if symbol < 0 or symbol == EOS:
            return np.int64(BROKEN)
        target[to] = symbol
        to += 1


@kernel
def decode_huffman(steps, source, at, end, target, to):
    """Decode source[at:end] to target[to:]: the offset behind, BROKEN when it is no code. Up to 7 bytes behind it change."""
    place, stop = 8 * at, 8 * end
    while stop - place >= MOST_AT_ONCE:
        word = load_be64(source, place >> 3) << U(place & 7)
        for _ in range(STEPS_AT_ONCE):
            step = np.int64(steps[word >> U(64 - WINDOW)])
            if step >> 24 == 0:
                symbol, place = walk(steps, source, place, stop)
                if symbol < 0 or symbol == EOS:
                    return np.int64(BROKEN)
                target[to] = symbol
                to += 1
                break
            store_le64(target, to, U(step >> 8))
            to += step >> 24
            word <<= U(step & USED)
            place += step & USED
    return decode_tail(steps, source, place, stop, target, to)
