"""Distinct values by HyperLogLog (Flajolet et al. 2007), over registers of uint8 whose number is a power of two."""

import numpy as np

from sensor.core.hashing import U
from sensor.core.jit import kernel
from sensor.core.wide import trailing_zeros


@kernel
def add_hash(registers, bits, hashed):
    """One hash into 1 << bits registers."""
    index = np.int64(hashed & ((U(1) << U(bits)) - U(1)))
    rank = np.uint8(min(trailing_zeros(hashed >> U(bits)), np.int64(63 - bits)) + 1)
    registers[index] = max(registers[index], rank)


def estimate(registers: np.ndarray) -> float:
    """How many different hashes there were, counted linearly while registers are empty and they are few."""
    size = len(registers)
    found = 0.7213 / (1 + 1.079 / size) * size**2 / np.sum(2.0 ** -registers.astype(np.float64))
    empty = int((registers == 0).sum())
    if found <= 2.5 * size and empty:
        found = size * np.log(size / empty)
    return float(found)
