"""Merkle trees as RFC 6962 section 2.1 has them: one hash stands for many rows, and a short path shows that one is among
them."""

import hashlib
from collections.abc import Sequence

LEAF, NODE = b"\x00", b"\x01"
"""Prefixes that keep a node from being taken for a row."""


def leaf_hash(row: bytes) -> bytes:
    """Hash of one row."""
    return hashlib.sha256(LEAF + row).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of two subtrees."""
    return hashlib.sha256(NODE + left + right).digest()


def _above(level: Sequence[bytes]) -> list[bytes]:
    """The next level: pairs, and the last one as it is where it has no partner."""
    paired = [node_hash(level[k], level[k + 1]) for k in range(0, len(level) - 1, 2)]
    return paired + [level[-1]] * (len(level) % 2)


def root(leaves: Sequence[bytes]) -> bytes:
    """Root over the hashes of rows; of none the hash of nothing."""
    if not leaves:
        return hashlib.sha256().digest()
    level = leaves
    while len(level) > 1:
        level = _above(level)
    return level[0]


def path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The hashes that lead from one leaf to the root, lowest first (RFC 6962 2.1.1)."""
    found, level = [], leaves
    while len(level) > 1:
        beside = index ^ 1
        if beside < len(level):
            found.append(level[beside])
        level, index = _above(level), index // 2
    return found


def root_of_path(leaf: bytes, index: int, size: int, hashes: Sequence[bytes]) -> bytes | None:
    """The root that a leaf and its path lead to (RFC 9162 2.1.3.2); None where the path does not fit the tree's size."""
    if not 0 <= index < size:
        return None
    last, found = size - 1, leaf
    for beside in hashes:
        if last == 0:
            return None
        if index & 1 or index == last:
            found = node_hash(beside, found)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            found = node_hash(found, beside)
        index, last = index >> 1, last >> 1
    return found if last == 0 else None
