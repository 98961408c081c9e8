"""Who gives way where a store is full: the oldest. What never ends (heads without an empty line, requests that nobody answers)
grows old, and costs nobody else a transaction.

An age list is a ring of (index, stamp) in the order of beginning; an entry whose stamp is no longer its record's is stale.
"""

import numpy as np

from sensor.core.bundle import Bundle
from sensor.core.jit import kernel

AGE = np.dtype([("index", "<i4"), ("stamp", "<u4")])


class Ages(Bundle):
    """Records by age."""

    ring: np.ndarray
    """AGE[…]"""
    control: np.ndarray
    """int64[3]: place of the oldest entry; entries; newest stamp"""


def new_ages(length: int) -> Ages:
    """An empty list for `length` records."""
    return Ages(np.zeros(length, AGE), np.zeros(3, np.int64))


@kernel
def is_crowded(ages):
    """Whether an entry must be taken out before one more has room."""
    return ages.control[1] == ages.ring.shape[0]


@kernel
def enter(ages, index):
    """Add a record that begins now: its stamp, never 0. The list must have room."""
    ages.control[2] = ages.control[2] % 0xFFFFFFFF + 1
    age = ages.ring[(ages.control[0] + ages.control[1]) % ages.ring.shape[0]]
    age["index"] = index
    age["stamp"] = ages.control[2]
    ages.control[1] += 1
    return np.uint32(ages.control[2])


@kernel
def take_oldest(ages):
    """(index, stamp) of the oldest entry, which leaves the list; (-1, 0) when there is none."""
    if ages.control[1] == 0:
        return np.int64(-1), np.uint32(0)
    age = ages.ring[ages.control[0]]
    ages.control[0] = (ages.control[0] + 1) % ages.ring.shape[0]
    ages.control[1] -= 1
    return np.int64(age["index"]), age["stamp"]
