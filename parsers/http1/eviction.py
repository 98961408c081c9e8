"""Stored heads given back: one that is complete or lost, and the oldest where room is needed."""

import numpy as np

from parsers.http1.aging import take_oldest
from parsers.http1.state import LOST
from sensor.core.chain import NONE, release_chain
from sensor.core.hashing import U
from sensor.core.jit import kernel
from sensor.core.reasons import REASON

R_EVICTED = REASON["head_evicted"]


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
        lose(http, http.flows[index])
    return index >= 0
