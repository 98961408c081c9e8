"""Which (owner, value) pairs were seen before: one bounded set for all owners, with a false-positive rate that is stated.

Two Bloom filters of 512-bit blocks (Putze, Sanders and Singler 2007) take turns: when the newer has taken CAPACITY
pairs it becomes the older, and the older is emptied. A pair counts as seen when either holds it. At CAPACITY pairs,
16 bits and 6 probes a pair, about 1 new pair in 1,000 is taken for a repeat; a pair is forgotten after CAPACITY to
2 * CAPACITY others.
"""

import numpy as np

from sensor.core.bundle import Bundle
from sensor.core.hashing import U, mix
from sensor.core.jit import kernel

BLOCKS = 1 << 16
CAPACITY = BLOCKS * 512 // 16
PROBES = 6


class PairSet(Bundle):
    """The two filters."""

    words: np.ndarray
    """uint64[2, BLOCKS * 8]"""
    control: np.ndarray
    """int64[3]: pairs in the newer filter; which of the two it is; whether the older one holds any"""


def new_pair_set() -> PairSet:
    return PairSet(np.zeros((2, BLOCKS * 8), np.uint64), np.zeros(3, np.int64))


@kernel
def holds(words, which, base, bits):
    """Whether all probed bits of a block are set."""
    for k in range(PROBES):
        bit = (bits >> U(9 * k)) & U(511)
        if not (words[which, base + np.int64(bit >> U(6))] >> (bit & U(63))) & U(1):
            return False
    return True


@kernel
def add_pair(pairs, owner, value):
    """Add a pair: True when it was not there."""
    hashed = mix(owner ^ mix(value))
    base = np.int64(hashed & U(BLOCKS - 1)) * 8
    bits = mix(hashed)
    newer = pairs.control[1]
    if holds(pairs.words, newer, base, bits):
        return False
    known = pairs.control[2] != 0 and holds(pairs.words, 1 - newer, base, bits)
    for k in range(PROBES):
        bit = (bits >> U(9 * k)) & U(511)
        pairs.words[newer, base + np.int64(bit >> U(6))] |= U(1) << (bit & U(63))
    pairs.control[0] += 1
    if pairs.control[0] == CAPACITY:
        pairs.control[0] = 0
        pairs.control[2] = 1
        pairs.control[1] = 1 - newer
        for k in range(BLOCKS * 8):
            pairs.words[1 - newer, k] = U(0)
    return not known
