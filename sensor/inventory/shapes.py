"""The shape of a JSON body: a number that is the same for bodies with the same keys, whatever their values and order."""

import numpy as np

from sensor.core.hashing import U, hash_bytes, mix
from sensor.core.jit import kernel
from sensor.core.quoted import QUOTE, string_end

DEPTH = 32
"""Nesting beyond which a body has no shape."""
COUNTED = 2
"""Nesting down to which keys count: what lies deeper is often optional."""
LEAST_KEYS = 2
"""A shape of fewer keys says nothing: any two services have `{"data": …}` in common."""
COLON, COMMA, OPEN, CLOSE, OPEN_LIST, CLOSE_LIST = 58, 44, 123, 125, 91, 93
NO_SHAPE = U(0)


@kernel
def colon_behind(text, at, end):
    """Offset behind the colon that follows text[at:] after white space, -1 when something else does."""
    while at < end and text[at] <= 32:
        at += 1
    return at + 1 if at < end and text[at] == COLON else np.int64(-1)


@kernel
def json_shape(text, at, end, stack):
    """Shape of the JSON text text[at:end]: the sum over its key paths of their hashes, so that order does not matter.

    Of a list the first element counts alone. stack: uint64[DEPTH]. NO_SHAPE for what is cut off, too deep or has few keys.
    """
    depth, keys, total, muted = np.int64(0), np.int64(0), U(0), np.int64(0)
    lists = U(0)  # bit k: what is open at depth k is a list
    stack[0] = U(1)
    key = U(2)
    while at < end:
        byte = text[at]
        if byte == QUOTE:
            stop = string_end(text, at + 1, end)
            behind = colon_behind(text, stop + 1, end)
            if behind >= 0:
                key = hash_bytes(text, at + 1, stop - at - 1, U(17))
                if muted == 0 and depth <= COUNTED:
                    keys += 1
                    total += mix(stack[depth] ^ key)
            at = behind if behind >= 0 else stop + 1
            continue
        if byte == OPEN or byte == OPEN_LIST:
            depth += 1
            if depth >= DEPTH:
                return NO_SHAPE
            stack[depth] = mix(stack[depth - 1] ^ key ^ U(byte))
            lists = lists | U(1) << U(depth) if byte == OPEN_LIST else lists & ~(U(1) << U(depth))
        elif byte == CLOSE or byte == CLOSE_LIST:
            if muted == depth:
                muted = np.int64(0)
            depth -= 1
            if depth < 0:
                return NO_SHAPE
        elif byte == COMMA and muted == 0 and lists >> U(depth) & U(1):
            muted = depth
        at += 1
    return total | U(1) if depth == 0 and keys >= LEAST_KEYS else NO_SHAPE


@kernel
def vote(counts, shape):
    """Keep the shape that most of an endpoint's bodies have (Boyer and Moore's majority vote)."""
    if counts["shape_votes"] == 0:
        counts["shape"] = shape
        counts["shape_votes"] = 1
    elif counts["shape"] == shape:
        counts["shape_votes"] += np.uint32(counts["shape_votes"] < 1_000)
    else:
        counts["shape_votes"] -= np.uint32(1)
