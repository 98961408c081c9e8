"""Tables that are sets of a few places: which of them a key has, or which entry gives way to it."""

import numpy as np

from sensor.core.hashing import U, mix
from sensor.core.jit import kernel

WAYS = 8
"""Places that a key may take."""
STAYS = 1 << 62


@kernel
def address_key(row, generation):
    """Key of an address at an endpoint; generation: of the endpoint's place."""
    return mix(row["client_lo"] ^ mix(row["client_hi"] ^ mix(U(row["endpoint"]) << U(32) ^ U(generation)))) | U(1)


@kernel
def claim_to_stay(entry):
    """The smaller, the sooner an entry gives way: a raised one last, else the one that was silent longest."""
    return entry["last_ts"] + (STAYS if entry["raised_ts"] > 0 else 0)


@kernel
def way_of(table, key):
    """Place of a key, or of the entry that gives way to it. table: as long as a power of two, with key, last_ts, raised_ts."""
    base = np.int64((key >> U(1)) & U(table.shape[0] // WAYS - 1)) * WAYS  # the lowest bit is set: 0 stands for none
    chosen = base
    for k in range(base, base + WAYS):
        if table[k]["key"] == key:
            return k
        if claim_to_stay(table[k]) < claim_to_stay(table[chosen]):
            chosen = k
    return chosen
