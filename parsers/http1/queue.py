"""The requests of one connection that wait for a response, oldest first."""

import numpy as np

from sensor.core.jit import kernel


@kernel
def leave(http, entry, index):
    """Take a request out of its connection's queue."""
    connection = http.connections[entry]
    before, at = np.int64(-1), np.int64(connection["first"])
    while at != index:
        before, at = at, np.int64(http.pending[at]["next"])
    following = http.pending[index]["next"]
    if before < 0:
        connection["first"] = following
    else:
        http.pending[before]["next"] = following
    if connection["last"] == index:
        connection["last"] = before
    connection["waiting"] -= 1
    http.pending[index]["next"] = -1
    http.pending[index]["stamp"] = 0


@kernel
def unanswered(http, entry):
    """The oldest request that waits for a response, or for the rest of one; -1 when there is none."""
    connection = http.connections[entry]
    if connection["waiting"] == 0:
        return np.int64(-1)
    index = np.int64(connection["first"])
    while index >= 0 and (http.pending[index]["answered"] or http.pending[index]["alone"]):
        index = np.int64(http.pending[index]["next"])
    return index
