"""The parser's entry: deliveries of the reassembler in, transactions out."""

import numpy as np

from parsers.http.eviction import drop_head
from parsers.http.rows import emit_all, has_room
from parsers.http.state import (
    FRAMES,
    LATE,
    NO_ONE,
    START,
)
from parsers.http1.flow import end_of_flow, feed, on_gap
from parsers.http2.connection import feed_frames, on_frames_conflict, on_frames_gap, release
from parsers.http2.state import NO_SLOT
from sensor.core.jit import kernel
from sensor.core.records import (
    DELIVER_CLOSE,
    DELIVER_CONFLICT,
    DELIVER_DATA,
    DELIVER_FIN,
    DELIVER_GAP,
    DELIVER_OPEN,
    IN_CHUNK,
    IN_STORE,
    WEIRD_BIT,
)

U = np.uint64
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
    connection["header"] = 0
    connection["proxied_hi"] = 0
    connection["proxied_lo"] = 0
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
    connection["slot"] = NO_SLOT
    clear_flow(http.flows[2 * entry])
    clear_flow(http.flows[2 * entry + 1])


@kernel
def on_close(http, entry):
    """The connection is over: what waits will wait no longer."""
    end_of_flow(http, entry, np.int64(0), False)
    end_of_flow(http, entry, np.int64(1), False)
    for side in range(2):
        drop_head(http, http.flows[2 * entry + side])
    emit_all(http, entry, 0)
    release(http, entry)


@kernel
def on_conflict(http, entry, side):
    """Bytes of this side came twice and differed: the message in work, or the newest request, can be read in two ways."""
    flow, connection = http.flows[2 * entry + side], http.connections[entry]
    if flow["state"] == FRAMES:
        on_frames_conflict(http, entry, side)
    elif flow["state"] != START:
        flow["weird"] |= W_OVERLAP
    elif connection["waiting"] > 0:
        http.pending[connection["last"]]["weird"] |= W_OVERLAP


@kernel
def consume(http, deliveries, count, start, packets, chunk, stored, joined):
    """Take deliveries[start:count], whose bytes lie in chunk, stored or joined. A connection may go on as HTTP/2 within one.

    Returns the number of the first that was not taken, for want of room for its rows; what was taken of it is cut off.
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
            at, where = np.int64(delivery["at"]), delivery["stored"]
            end = at + np.int64(delivery["length"])
            buffer = chunk if where == IN_CHUNK else stored if where == IN_STORE else joined
            if http.flows[2 * entry + side]["state"] != FRAMES:
                at = feed(http, entry, side, buffer, at, end, delivery["ts"])
            if at < end and http.flows[2 * entry + side]["state"] == FRAMES:
                at = feed_frames(http, entry, side, buffer, at, end, delivery["ts"])
            if at < end:
                delivery["at"] = at
                delivery["length"] = end - at
                return index
        elif kind == DELIVER_OPEN:
            on_open(http, entry, packets[delivery["packet"]], delivery["flags"])
        elif kind == DELIVER_GAP and http.flows[2 * entry + side]["state"] == FRAMES:
            on_frames_gap(http, entry, side, np.int64(delivery["length"]))
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
    """Rows, arena bytes, bytes of samples and ClientHellos written since the last call; the output is empty afterwards."""
    control = http.control[0]
    rows, used, bodies, hellos = control["rows"], control["arena"], control["bodies"], control["hellos"]
    control["rows"] = 0
    control["arena"] = 0
    control["bodies"] = 0
    control["hellos"] = 0
    return rows, used, bodies, hellos
