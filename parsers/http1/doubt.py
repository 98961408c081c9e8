"""Whose response comes next, after losses: counted off again once a client has shown that it waits for one response before it
sends its next request.

With such a client a loss is over at its next request. Behind one that pipelines nobody can count any more: its requests are
then told without a response, and responses without a request, for a wrong pair would be worse than none.
"""

from parsers.http.queue import unanswered
from parsers.http.rows import emit_all
from parsers.http.state import LOSS, LOST, NO_ONE, UNCOUNTED
from sensor.core.jit import kernel
from sensor.core.records import GAP


@kernel
def out_of_step(http, entry, side):
    """Messages of this side may have been lost.

    Requests that wait for one of its responses can no longer be told from those that were answered unseen.
    """
    http.flows[2 * entry + side]["state"] = LOST
    connection = http.connections[entry]
    if connection["client"] != side and connection["client"] != NO_ONE:
        emit_all(http, entry, GAP)
        connection["replies"] = UNCOUNTED
    if connection["client"] == side or connection["pipelines"]:
        fall_in_doubt(connection)


@kernel
def fall_in_doubt(connection):
    """From here on nobody knows how many responses are owed to requests that were not seen, or told without one."""
    connection["doubt"] = LOSS
    connection["asked"] = 0
    connection["replies"] = 0


@kernel
def count_request(http, entry, side):
    """Learn from a request whether its client waits for one response before it sends the next request.

    With such a client losses are over at its next request: what was owed before was answered, seen or unseen.
    """
    connection = http.connections[entry]
    if unanswered(http, entry) >= 0:
        if http.flows[2 * entry + 1 - side]["state"] == LOST and not connection["pipelines"]:
            emit_all(http, entry, GAP)
        else:
            connection["pipelines"] = 1
    elif connection["replies"] == 1:
        connection["steady"] = 1
        if connection["asked"] and not connection["pipelines"]:
            connection["doubt"] = 0
    elif connection["replies"] == 0 and connection["asked"]:
        connection["pipelines"] = 1
    connection["replies"] = 0
    connection["asked"] = 1


@kernel
def count_response(connection):
    """Learn from a response: two of them with no request between tell of a client that does not wait."""
    if connection["replies"] == 1:
        connection["pipelines"] = 1
    elif connection["replies"] == 0:
        connection["replies"] = 1
