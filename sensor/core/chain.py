"""Byte strings of any length in a fixed store of blocks: the only place where the sensor keeps what it must keep for later."""

import numpy as np

from sensor.core.bundle import Bundle
from sensor.core.jit import inlined, kernel
from sensor.core.wide import OVERWRITTEN, SLACK, copy, copy_wide

BLOCK = 512
"""Bytes of a block: a request's texts fill one, a full segment three."""
NONE = -1
FULL = -2


class Chains(Bundle):
    """A store of blocks; a chain is known by its first block."""

    data: np.ndarray
    """uint8[blocks * BLOCK + SLACK]"""
    following: np.ndarray
    """int32[blocks]: next block of the chain or of the free list, NONE at its end"""
    free: np.ndarray
    """int32[1]: first free block"""


def free_list(length: int) -> np.ndarray:
    """int32[length] that chains all entries from 0 up."""
    chain = np.arange(1, length + 1, dtype=np.int32)
    chain[-1] = NONE
    return chain


def new_chains(size: int) -> Chains:
    """An empty store of about `size` bytes."""
    blocks = max(1, size // BLOCK)
    return Chains(np.zeros(blocks * BLOCK + SLACK, np.uint8), free_list(blocks), np.zeros(1, np.int32))


@kernel
def release_chain(chains, block):
    """Give all blocks of a chain back."""
    while block >= 0:
        following = np.int64(chains.following[block])
        chains.following[block] = chains.free[0]
        chains.free[0] = block
        block = following


@kernel
def extend(chains, last, used, source, at, length):
    """Append source[at : at + length] to a chain of `used` bytes whose last block is `last` (NONE: a new chain).

    Returns (first new block or NONE, last block); (FULL, last) when the store ran out, the chain then being as before.
    """
    first_new, previous = np.int64(NONE), np.int64(last)
    room = (BLOCK - used % BLOCK) % BLOCK if last >= 0 else 0
    size = min(room, length)
    if size > 0:
        copy(chains.data, last * BLOCK + used % BLOCK, source, at, size)
        at += size
        length -= size
    while length > 0:
        block = np.int64(chains.free[0])
        if block < 0:
            if last >= 0:
                chains.following[last] = NONE
            release_chain(chains, first_new)
            return np.int64(FULL), np.int64(last)
        chains.free[0] = chains.following[block]
        chains.following[block] = NONE
        if previous >= 0:
            chains.following[previous] = block
        if first_new < 0:
            first_new = block
        previous = block
        size = min(length, BLOCK)
        if size + OVERWRITTEN <= BLOCK:
            copy_wide(chains.data, block * BLOCK, source, at, size)
        else:
            copy(chains.data, block * BLOCK, source, at, size)
        at += size
        length -= size
    return first_new, previous


@kernel
def read_chain(chains, first, length, target, at):
    """Copy the first `length` bytes of a chain to target[at:]."""
    block = first
    while length > 0 and block >= 0:
        size = min(length, BLOCK)
        copy(target, at, chains.data, block * BLOCK, size)
        at += size
        length -= size
        block = np.int64(chains.following[block])


@inlined
def read_short_chain(chains, first, length, target, at):
    """As read_chain, quicker for one block; up to OVERWRITTEN bytes behind the copy are overwritten."""
    if 0 < length <= BLOCK:
        copy_wide(target, at, chains.data, first * BLOCK, length)
    else:
        read_chain(chains, first, length, target, at)
