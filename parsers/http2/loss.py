"""What a gap leaves: frames to be found again, a dynamic table that starts over, streams that lack something."""

import numpy as np

from parsers.http.bodies import stop_body
from parsers.http.eviction import drop_head
from parsers.http.state import NO_FRAMING
from parsers.http2.frames import CONTINUATION, DATA, HEADERS, PUSH_PROMISE, SETTINGS, WINDOW_UPDATE
from parsers.http2.state import DAMAGED, NO_BLOCK, SEARCH
from parsers.http2.table import forget
from sensor.core.jit import kernel
from sensor.core.reasons import REASON
from sensor.core.records import GAP

R_LOST = REASON["http2_block_lost"]


@kernel
def lose_body(pending, way):
    """Bytes of a body were lost: where its next message begins is not known any more."""
    pending["framing"][way] = NO_FRAMING
    stop_body(pending, way)


@kernel
def mark_streams(http, entry, from_client):
    """Mark the streams of which this side may have lost something: those that it has begun and not ended."""
    index = np.int64(http.connections[entry]["first"])
    while index >= 0:
        pending = http.pending[index]
        if from_client:
            if not pending["sent"]:
                pending["completeness"] |= GAP
                lose_body(pending, 0)
        elif pending["reply_ts"] < 0:
            pending["absent"] |= GAP
        elif not pending["answered"]:
            pending["completeness"] |= GAP
            lose_body(pending, 1)
        index = np.int64(pending["next"])


@kernel
def drop_block(http, entry, slot, side):
    """Give a header block up: what it inserted is unknown."""
    state = http.http2.sides[2 * slot + side]
    drop_head(http, http.flows[2 * entry + side])
    if state["block"] != NO_BLOCK:
        http.counters[R_LOST] += np.uint64(1)
    state["block"] = NO_BLOCK
    forget(http.http2.tables[2 * slot + side], GAP)


@kernel
def lose_frames(http, entry, slot, side):
    """Out of step: where the next frame begins is not known, nor what was lost."""
    state, connection = http.http2.sides[2 * slot + side], http.http2.connections[slot]
    drop_block(http, entry, slot, side)
    state["state"] = SEARCH
    state["have"] = 0
    state["pending"] = -1
    from_client = http.connections[entry]["client"] == side
    if not connection["settled"]:
        connection["unseen"] = 1
    mark_streams(http, entry, from_client)
    if from_client:  # requests may have been lost: a stream below the highest one need not have been seen
        connection["first"] = 1
        connection["highest"] = 0


@kernel
def count_off(http, entry, slot, side, length):
    """So many bytes of the payload in work were lost: what they were part of lacks them."""
    state = http.http2.sides[2 * slot + side]
    kind = state["type"]
    if kind == DATA and state["pending"] >= 0:
        pending = http.pending[state["pending"]]
        if state["got"] < state["need"]:  # how much of it is padding was lost
            state["pad"] = state["left"]
        body = max(np.int64(0), min(length, state["left"] - state["pad"]))
        from_client = http.connections[entry]["client"] == side
        if from_client:
            pending["request_bytes"] += body
        else:
            pending["response_bytes"] += body
        pending["completeness"] |= GAP
        lose_body(pending, 0 if from_client else 1)
    elif kind == HEADERS or kind == PUSH_PROMISE or kind == CONTINUATION:
        if state["block"] != NO_BLOCK:
            state["block"] = DAMAGED
        else:
            forget(http.http2.tables[2 * slot + side], GAP)
    elif kind == SETTINGS or kind == WINDOW_UPDATE:
        http.http2.connections[slot]["unseen"] = 1
    state["need"] = 0
    state["left"] -= length
