"""The Huffman code of RFC 7541 appendix B, decoded a byte at a time by a table of (node of the code's tree, next byte)."""

import functools

import numpy as np
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

from sensor.core.jit import kernel

U = np.uint32
FAIL, ENDS_WELL = U(1 << 31), U(1 << 30)
EOS = 256


def _tree() -> np.ndarray:
    """int16[256, 2]: for an inner node and a bit, the next inner node, or -1 - symbol at a leaf. Node 0 is the root."""
    children = np.zeros((256, 2), np.int16)
    nodes = 1
    for symbol, (code, length) in enumerate(zip(REQUEST_CODES, REQUEST_CODES_LENGTH, strict=True)):
        node = 0
        for place in range(length - 1, 0, -1):
            bit = code >> place & 1
            if children[node, bit] == 0:
                children[node, bit] = nodes
                nodes += 1
            node = children[node, bit]
        children[node, code & 1] = -1 - symbol
    return children


@functools.cache
def huffman_steps() -> np.ndarray:
    """uint32[65536]: at node * 256 + byte, the next node in bits 0 to 7, up to two symbols in bits 8 to 23, how many in bits
    24 and 25, whether the string may end here (padding of less than a byte, all ones: RFC 7541 5.2) and whether it is broken.
    """
    children = _tree()
    node = np.repeat(np.arange(256), 256)
    byte = np.tile(np.arange(256), 256)
    symbols, found, broken = np.zeros((2, 65_536), np.int64), np.zeros(65_536, np.int64), np.zeros(65_536, bool)
    for place in range(7, -1, -1):
        following = children[node, byte >> place & 1].astype(np.int64)
        leaf = following < 0
        symbol = -1 - following
        broken |= leaf & (symbol == EOS)
        symbols[np.minimum(found, 1)[leaf], np.flatnonzero(leaf)] = symbol[leaf] & 255
        found += leaf
        node = np.where(leaf, 0, following)
    endings = {0}
    ones = 0
    for _ in range(7):
        ones = int(children[ones, 1])
        endings.add(ones)
    steps = node | symbols[0] << 8 | symbols[1] << 16 | found << 24
    steps |= np.where(np.isin(node, list(endings)), int(ENDS_WELL), 0) | np.where(broken, int(FAIL), 0)
    return steps.astype(np.uint32)


@kernel
def decode_huffman(steps, source, at, end, target, to):
    """Decode source[at:end] to target[to:]: the offset behind, -1 when it is no code. Writes one byte more than it says."""
    step, node = ENDS_WELL, U(0)
    for k in range(at, end):
        step = steps[node * U(256) + source[k]]
        if step & FAIL:
            return np.int64(-1)
        node = step & U(255)
        target[to] = np.uint8(step >> U(8))
        target[to + 1] = np.uint8(step >> U(16))
        to += np.int64(step >> U(24) & U(3))
    return to if step & ENDS_WELL else np.int64(-1)
