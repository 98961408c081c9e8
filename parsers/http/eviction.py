"""Heads and header blocks that lie in several segments: stored in chains; where room is needed the oldest gives way."""

import numpy as np

from parsers.http.aging import enter, is_crowded, take_oldest
from parsers.http.state import FRAMES, HELLO_PART, LOST, OPAQUE
from parsers.http2.state import DAMAGED
from sensor.core.chain import FULL, NONE, extend, release_chain
from sensor.core.hashing import U
from sensor.core.jit import kernel
from sensor.core.reasons import REASON

R_EVICTED, R_BLOCKS = REASON["head_evicted"], REASON["block_overflow"]


@kernel
def drop_head(http, flow):
    """Forget the stored part of a head."""
    release_chain(http.chains, np.int64(flow["block"]))
    flow["block"] = NONE
    flow["last_block"] = NONE
    flow["stamp"] = 0
    flow["stored"] = 0
    flow["ends"] = 0


@kernel
def lose(http, flow):
    """Out of step."""
    drop_head(http, flow)
    flow["state"] = LOST


@kernel
def give_up_oldest_head(http):
    """Forget the head that was begun first and has not ended since: False when none is stored."""
    index, stamp = take_oldest(http.heads)
    if index >= 0 and http.flows[index]["stamp"] == stamp:
        http.counters[R_EVICTED] += U(1)
        if http.flows[index]["state"] == FRAMES:
            slot = np.int64(http.connections[index >> 1]["slot"])
            http.http2.sides[2 * slot + (index & 1)]["block"] = DAMAGED
            drop_head(http, http.flows[index])
        elif http.flows[index]["state"] == HELLO_PART:
            drop_head(http, http.flows[index])
            http.flows[index]["state"] = OPAQUE
        else:
            lose(http, http.flows[index])
    return index >= 0


@kernel
def keep_bytes(http, entry, side, flow, buffer, at, end):
    """Add to what is stored of a head; older ones give way. False when there is no room all the same."""
    begins = flow["stamp"] == 0
    if begins and is_crowded(http.heads):
        give_up_oldest_head(http)
    first, last = extend(http.chains, np.int64(flow["last_block"]), np.int64(flow["stored"]), buffer, at, end - at)
    while first == FULL and give_up_oldest_head(http):
        if not begins and flow["stamp"] == 0:
            return False  # it was the oldest itself
        first, last = extend(http.chains, np.int64(flow["last_block"]), np.int64(flow["stored"]), buffer, at, end - at)
    if first == FULL:
        http.counters[R_BLOCKS] += U(1)
        return False
    if begins:
        flow["block"] = first
        flow["stamp"] = enter(http.heads, 2 * entry + side)
    flow["last_block"] = last
    flow["stored"] += np.uint32(end - at)
    return True
