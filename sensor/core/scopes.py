"""Scopes that turned out to be two views of one network.

A scope is a hash of the VLANs and tunnels that set equal addresses apart. Where one packet, or the two directions of one
connection, are seen in two scopes, the network is one: taps that tag one direction only, routed traffic seen in both VLANs.
"""

import numpy as np

from sensor.core.hashing import U
from sensor.core.jit import kernel

PLACES = 256
HOPS = 4

ALIAS = np.dtype([("scope", "<u8"), ("stands_for", "<u8")])


def new_aliases() -> np.ndarray:
    """ALIAS[PLACES]: every scope stands for itself."""
    return np.zeros(PLACES, ALIAS)


@kernel
def canonical(aliases, scope):
    """The scope that a scope is another view of."""
    for _ in range(HOPS):
        alias = aliases[np.int64(scope & U(PLACES - 1))]
        if alias["scope"] != scope:
            return scope
        scope = alias["stands_for"]
    return scope


@kernel
def unite(aliases, scope, other):
    """Two scopes are one from now on, the second giving the name; a scope of 0 (no tags) always does."""
    scope, other = canonical(aliases, scope), canonical(aliases, other)
    if scope == U(0):
        scope, other = other, scope
    if scope != other:
        alias = aliases[np.int64(scope & U(PLACES - 1))]
        alias["scope"] = scope
        alias["stands_for"] = other
