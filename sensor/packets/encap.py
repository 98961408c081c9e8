"""What a segment was wrapped in, outermost first, kept as a small id for each distinct stack."""

from typing import NamedTuple

import numpy as np

from sensor.core.hashing import U, mix
from sensor.core.jit import inlined, kernel

MAX_LAYERS = 16
"""Encapsulations within each other; deeper ones are a loop or an attack on the decoder."""
CAPACITY = 4096
"""Distinct stacks that are told apart; an attacker can make up VLAN ids at will."""

KINDS = ("vlan",)
KIND_VLAN = np.uint8(0)


class Encaps(NamedTuple):
    """The stack of the frame being decoded, and the table of all stacks seen."""

    depth: np.ndarray
    """int64[2]: layers of the current frame; stacks in the table"""
    hashes: np.ndarray
    """uint64[2]: hash of the current stack; hash of those of its layers that set equal addresses apart"""
    kind: np.ndarray
    """uint8[MAX_LAYERS]"""
    label: np.ndarray
    """uint32[MAX_LAYERS]"""
    slots: np.ndarray
    """int32[2 * CAPACITY]: open addressing into the table, -1 free"""
    table_hash: np.ndarray
    """uint64[CAPACITY]"""
    table_depth: np.ndarray
    """uint8[CAPACITY]"""
    table_kind: np.ndarray
    """uint8[CAPACITY, MAX_LAYERS]"""
    table_label: np.ndarray
    """uint32[CAPACITY, MAX_LAYERS]"""


def new_encaps() -> Encaps:
    """An empty table, whose entry 0 is the frame without encapsulation."""
    return Encaps(
        depth=np.array([0, 1]),
        hashes=np.zeros(2, np.uint64),
        kind=np.zeros(MAX_LAYERS, np.uint8),
        label=np.zeros(MAX_LAYERS, np.uint32),
        slots=np.full(2 * CAPACITY, -1, np.int32),
        table_hash=np.zeros(CAPACITY, np.uint64),
        table_depth=np.zeros(CAPACITY, np.uint8),
        table_kind=np.zeros((CAPACITY, MAX_LAYERS), np.uint8),
        table_label=np.zeros((CAPACITY, MAX_LAYERS), np.uint32),
    )


@inlined
def push(encaps, kind, label, separates):
    """Note one more layer of the current frame: False when it is too deep."""
    depth = encaps.depth[0]
    if depth == MAX_LAYERS:
        return False
    encaps.kind[depth] = kind
    encaps.label[depth] = label
    encaps.depth[0] = depth + 1
    step = (U(kind) << U(32)) | U(label)
    encaps.hashes[0] = mix(encaps.hashes[0] * U(31) + step + U(1))
    if separates:
        encaps.hashes[1] = mix(encaps.hashes[1] * U(31) + step + U(1))
    return True


@kernel
def intern(encaps):
    """Id of the current stack; -1 when the table is full."""
    depth = encaps.depth[0]
    if depth == 0:
        return np.int64(0)
    wanted = encaps.hashes[0]
    mask = encaps.slots.shape[0] - 1
    slot = np.int64(wanted & U(mask))
    while encaps.slots[slot] >= 0:
        if encaps.table_hash[encaps.slots[slot]] == wanted:
            return np.int64(encaps.slots[slot])
        slot = (slot + 1) & mask
    entry = encaps.depth[1]
    if entry == CAPACITY:
        return np.int64(-1)
    encaps.depth[1] = entry + 1
    encaps.slots[slot] = entry
    encaps.table_hash[entry] = wanted
    encaps.table_depth[entry] = depth
    for k in range(depth):
        encaps.table_kind[entry, k] = encaps.kind[k]
        encaps.table_label[entry, k] = encaps.label[k]
    return entry


def encap_texts(encaps: Encaps) -> list[str]:
    """The text of every stack by id, as `vlan:10/vxlan:7`; id 0 is empty."""
    return [
        "/".join(
            f"{KINDS[encaps.table_kind[entry, k]]}:{encaps.table_label[entry, k]}" for k in range(encaps.table_depth[entry])
        )
        for entry in range(encaps.depth[1])
    ]
