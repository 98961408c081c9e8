"""The requests of one connection that wait for a response, oldest first."""

import numpy as np

from sensor.core.jit import kernel


@kernel
def leave(http, entry, index):
    """Take a request out of its connection's queue."""
    connection, pending = http.connections[entry], http.pending[index]
    before, following = np.int64(pending["before"]), np.int64(pending["next"])
    if before < 0:
        connection["first"] = following
    else:
        http.pending[before]["next"] = following
    if following < 0:
        connection["last"] = before
    else:
        http.pending[following]["before"] = before
    connection["waiting"] -= 1
    pending["next"] = -1
    pending["before"] = -1
    pending["stamp"] = 0
    pending["queued"] = 0


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
