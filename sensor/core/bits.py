"""Words of 64 bits as sketches of sets: each member sets the bit of its hash (linear counting; Whang et al. 1990)."""

import math

import numpy as np

from sensor.core.hashing import U, mix
from sensor.core.jit import kernel


@kernel
def address_hash(row):
    """Hash of who asks, by address. row: client_hi, client_lo."""
    return mix(row["client_lo"] ^ mix(row["client_hi"]))


@kernel
def address_bit(row):
    """One of 64 bits that stands for the address."""
    return U(1) << (address_hash(row) & U(63))


@kernel
def distinct_bits(bits):
    """How many bits are set: a lower bound of how many different hashes set them."""
    count = 0
    while bits != U(0):
        bits &= bits - U(1)
        count += 1
    return count


@kernel
def counted_by_bits(bits):
    """How many different hashes set these bits, as far as they can tell; at least one."""
    return max(1.0, 64.0 * math.log(64.0 / max(0.25, np.float64(64 - distinct_bits(bits)))))
