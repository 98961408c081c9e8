"""Which samples of bodies the analysers get: so many of each endpoint in a minute of packet time, whoever asks how often.

An endpoint's bodies are alike; what a few say, the next thousand say again. The rest goes before anything is spent on it.
"""

import numpy as np

from sensor.core.jit import kernel
from sensor.core.reasons import REASON
from sensor.core.records import FLOW
from sensor.inventory.endpoints import CAPACITY

R_OVER = REASON["body_over_budget"]
MINUTE = 60_000_000_000
TOLD_BY_BODY = np.ones(len(FLOW), np.int64)
TOLD_BY_BODY[[FLOW["login"], FLOW["payment"], FLOW["code"]]] = 50
"""So many times as many samples by flow: where something can be guessed every answer counts, and some say no in their body."""
GRANT = np.dtype([("minute", "<i8"), ("granted", "<i8")])


@kernel
def drop_sample(row):
    """Take both samples from a row."""
    row["request_partial"] |= row["request_body_len"] > 0
    row["response_partial"] |= row["response_body_len"] > 0
    row["request_body_len"] = 0
    row["response_body_len"] = 0


@kernel
def grant_samples(rows, grants, limit, counters):
    """Leave rows[:] (in the order of time) their samples as long as their endpoint has any left in this minute."""
    for index in range(rows.shape[0]):
        row = rows[index]
        if row["request_body_len"] == 0 and row["response_body_len"] == 0:
            continue
        grant, minute = grants[row["endpoint"]], row["ts"] // MINUTE
        if minute > grant["minute"]:
            grant["minute"] = minute
            grant["granted"] = 0
        if grant["granted"] < limit * TOLD_BY_BODY[row["flow"]]:
            grant["granted"] += 1
        else:
            counters[R_OVER] += np.uint64(1)
            drop_sample(row)


def new_grants() -> np.ndarray:
    """GRANT[CAPACITY], by endpoint."""
    return np.zeros(CAPACITY, GRANT)
