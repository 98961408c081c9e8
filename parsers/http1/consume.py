"""The parser's entry: deliveries of the reassembler in, transactions out."""

import numpy as np

from parsers.http1.body import take_counted
from parsers.http1.doubt import fall_in_doubt, out_of_step
from parsers.http1.eviction import drop_head
from parsers.http1.flow import end_of_flow, feed
from parsers.http1.message import finish_message
from parsers.http1.rows import emit_all, has_room
from parsers.http1.state import (
    CHUNK_DATA,
    CHUNK_END,
    HEAD,
    LATE,
    LENGTH,
    NO_ONE,
    OPAQUE,
    START,
    UNTIL_CLOSE,
)
from sensor.core.jit import kernel
from sensor.core.reasons import REASON
from sensor.core.records import (
    CUT,
    DELIVER_CLOSE,
    DELIVER_CONFLICT,
    DELIVER_DATA,
    DELIVER_FIN,
    DELIVER_GAP,
    DELIVER_OPEN,
    GAP,
    IN_CHUNK,
    IN_STORE,
    REQUEST_CUT,
    WEIRD_BIT,
)

U = np.uint64
R_HEAD_LOST = REASON["head_lost"]
W_OVERLAP = WEIRD_BIT["overlap"]


@kernel
def clear_flow(flow):
    """Make one direction as new."""
    flow["state"] = START
    flow["response"] = 0
    flow["digits"] = 0
    flow["extension"] = 0
    flow["ends"] = 0
    flow["completeness"] = 0
    flow["status"] = 0
    flow["weird"] = 0
    flow["pending"] = -1
    flow["block"] = -1
    flow["last_block"] = -1
    flow["stamp"] = 0
    flow["stored"] = 0
    flow["remaining"] = 0
    flow["body"] = 0
    flow["first_ts"] = 0
    flow["last_ts"] = 0


@kernel
def on_open(http, entry, packet, start_seen):
    """A connection begins; the packet's sender is side a."""
    connection = http.connections[entry]
    connection["a_hi"] = packet["src_hi"]
    connection["a_lo"] = packet["src_lo"]
    connection["b_hi"] = packet["dst_hi"]
    connection["b_lo"] = packet["dst_lo"]
    connection["a_port"] = packet["src_port"]
    connection["b_port"] = packet["dst_port"]
    connection["encap"] = packet["encap"]
    connection["serial"] = 0
    connection["client"] = NO_ONE
    connection["late"] = not start_seen
    connection["first"] = -1
    connection["last"] = -1
    connection["waiting"] = 0
    connection["doubt"] = 0 if start_seen else LATE
    connection["asked"] = 0
    connection["pipelines"] = 0
    connection["steady"] = 0
    connection["replies"] = 0
    clear_flow(http.flows[2 * entry])
    clear_flow(http.flows[2 * entry + 1])


@kernel
def on_gap(http, entry, side, length):
    """Bytes were lost (0: nobody knows how many).

    Inside a body of known length they are counted. Elsewhere messages may have been lost with them.
    """
    flow = http.flows[2 * entry + side]
    state = flow["state"]
    if state == OPAQUE:
        return
    if length > 0 and (state == LENGTH or state == CHUNK_DATA) and length <= flow["remaining"]:
        take_counted(flow, np.int64(0), length)
        flow["completeness"] |= GAP
        if flow["remaining"] == 0:
            if state == CHUNK_DATA:
                flow["state"] = CHUNK_END
            else:
                flow["state"] = START
                finish_message(http, entry, flow)
        return
    if length > 0 and state == UNTIL_CLOSE:
        flow["body"] += length
        flow["completeness"] |= GAP
        return
    flow["completeness"] |= GAP
    if state == HEAD:  # fields that were lost cannot be told from fields that were not sent: better no request than a wrong one
        http.counters[R_HEAD_LOST] += U(1)
        drop_head(http, flow)
    elif LENGTH <= state <= UNTIL_CLOSE:
        flow["completeness"] |= CUT if flow["response"] else REQUEST_CUT
        finish_message(http, entry, flow)
    out_of_step(http, entry, side)
    if http.connections[entry]["client"] == NO_ONE:
        fall_in_doubt(http.connections[entry])


@kernel
def on_close(http, entry):
    """The connection is over: what waits will wait no longer."""
    end_of_flow(http, entry, np.int64(0), False)
    end_of_flow(http, entry, np.int64(1), False)
    emit_all(http, entry, 0)


@kernel
def on_conflict(http, entry, side):
    """Bytes of this side came twice and differed: the message in work, or the newest request, can be read in two ways."""
    flow, connection = http.flows[2 * entry + side], http.connections[entry]
    if flow["state"] != START:
        flow["weird"] |= W_OVERLAP
    elif connection["waiting"] > 0:
        http.pending[connection["last"]]["weird"] |= W_OVERLAP


@kernel
def consume(http, deliveries, count, start, packets, chunk, stored, joined):
    """Take deliveries[start:count], whose bytes lie in chunk, stored or joined.

    Returns the number of the first that was not taken, for want of room for its rows.
    """
    control = http.control[0]
    for index in range(start, count):
        if not has_room(http):
            return index
        delivery = deliveries[index]
        entry, side = np.int64(delivery["connection"]), np.int64(delivery["direction"])
        control["order"] = delivery["order"]
        kind = delivery["kind"]
        if kind == DELIVER_DATA:
            at = np.int64(delivery["at"])
            end = at + np.int64(delivery["length"])
            where = delivery["stored"]
            feed(
                http,
                entry,
                side,
                chunk if where == IN_CHUNK else stored if where == IN_STORE else joined,
                at,
                end,
                delivery["ts"],
            )
        elif kind == DELIVER_OPEN:
            on_open(http, entry, packets[delivery["packet"]], delivery["flags"])
        elif kind == DELIVER_GAP:
            on_gap(http, entry, side, np.int64(delivery["length"]))
        elif kind == DELIVER_FIN:
            end_of_flow(http, entry, side, True)
        elif kind == DELIVER_CLOSE:
            on_close(http, entry)
        elif kind == DELIVER_CONFLICT:
            on_conflict(http, entry, side)
    return np.int64(count)


@kernel
def take_output(http):
    """Rows and arena bytes written since the last call; the output is empty afterwards."""
    control = http.control[0]
    rows, used = control["rows"], control["arena"]
    control["rows"] = 0
    control["arena"] = 0
    return rows, used
