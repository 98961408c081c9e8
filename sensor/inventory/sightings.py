"""What is met again, at another time: names that somebody makes up are met once.

An endpoint's first parameters, and the first keys of its bodies, are taken as they come; the later ones only when they are met
again. So a client that fuzzes names does not use up the room of those that are meant.
"""

import numpy as np

from sensor.core.hashing import U
from sensor.core.jit import kernel

LENGTH = 16_384
"""Names that are remembered, one at each place: of so many new ones in a row each must come again."""
NEVER = -1
TIME_BITS = U(0xFFFFFFFF)


def new_sightings() -> np.ndarray:
    """uint64[LENGTH]: by the low bits of a key its high 32 bits, and the low 32 bits of the time when it was met last."""
    return np.zeros(LENGTH, np.uint64)


@kernel
def is_met_again(sightings, key, ts):
    """Whether a key (its hash) was met before, in a transaction that did not begin at `ts` (ns) as this one."""
    place, now = np.int64(key & U(LENGTH - 1)), key & ~TIME_BITS | U(ts) & TIME_BITS
    before = sightings[place]
    sightings[place] = now
    return before != now and before & ~TIME_BITS == key & ~TIME_BITS


@kernel
def is_welcome(sightings, taken, freely, key, ts):
    """Whether a new name gets one of its endpoint's places, of which `taken` are in use and `freely` are for any name.

    key: hash of the name; ts: when the transaction that bore it began, NEVER for a name that is known already.
    """
    return taken < freely or ts == NEVER or is_met_again(sightings, key, ts)
