"""Whose things are asked for: who was served a value first, and whether somebody else is served it later.

What one customer asks for, others do not: of orders, invoices and accounts each token sees its own, and what colleagues see,
too. Who walks through those of others meets one owner after the other.
"""

import numpy as np

from sensor.core.hashing import U, mix
from sensor.core.jit import kernel
from sensor.inventory.refusals import REFUSED

OWNERS, WAYS = 65_536, 8
"""Values whose owners are remembered, and places that each may take: one of these gives way by chance."""
NOBODY = U(0)

OWNER = np.dtype([("key", "<u8"), ("who", "<u8")])


def new_owners() -> np.ndarray:
    """OWNER[OWNERS]"""
    return np.zeros(OWNERS, OWNER)


@kernel
def identity(row):
    """Hash of the token or session that a request bears, NOBODY where it bears none."""
    return row["credential"] if row["credential"] != U(0) else row["session"]


@kernel
def other_owner(owners, place, row, value):
    """Who was served a value before somebody else asks for it: NOBODY where it is the asker, or nobody; then it is the asker's.

    place: of the parameter. What was not served is nobody's.
    """
    who = identity(row)
    if who == NOBODY or not 200 <= row["status"] < 300 or row["refused"] == REFUSED:
        return NOBODY
    key = mix(value["hash"] ^ mix(U(place) + U(1))) | U(1)
    base = np.int64((key >> U(1)) & U(OWNERS // WAYS - 1)) * WAYS
    free = base + np.int64(key >> U(61))
    for k in range(base, base + WAYS):
        if owners[k]["key"] == key:
            return NOBODY if owners[k]["who"] == who else owners[k]["who"]
        if owners[k]["key"] == U(0):
            free = k
            break
    owners[free]["key"] = key
    owners[free]["who"] = who
    return NOBODY
