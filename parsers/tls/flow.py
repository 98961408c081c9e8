"""A connection that turns out to be TLS: its ClientHello is taken, all else left alone."""

import numpy as np

from parsers.http.eviction import drop_head, keep_bytes
from parsers.http.state import HELLO_PART, OPAQUE
from parsers.tls.hello import CLIENT_HELLO, HELLO_LIMIT, MORE, NOT, RECORD, join_records, read_hello
from sensor.core.chain import read_chain
from sensor.core.hashing import U
from sensor.core.jit import kernel
from sensor.core.reasons import REASON

R_TLS, R_LOST = REASON["tls"], REASON["tls_hello_lost"]


@kernel
def note_hello(http, entry, side, length, ts):
    """Tell the ClientHello in scratch[:length]. (has_room saw to it that there is a place.)"""
    control, connection = http.control[0], http.connections[entry]
    hello = http.hellos[control["hellos"]]
    control["hellos"] += 1
    hello["order"] = control["order"]
    hello["ts"] = ts
    a_asks = side == 0
    hello["client_hi"] = connection["a_hi"] if a_asks else connection["b_hi"]
    hello["client_lo"] = connection["a_lo"] if a_asks else connection["b_lo"]
    hello["server_hi"] = connection["b_hi"] if a_asks else connection["a_hi"]
    hello["server_lo"] = connection["b_lo"] if a_asks else connection["a_lo"]
    hello["server_port"] = connection["b_port"] if a_asks else connection["a_port"]
    hello["version"] = 0
    hello["named"] = 0
    hello["has_alpn"] = 0
    hello["whole"] = 0
    hello["name_len"] = 0
    hello["ciphers"] = 0
    hello["extensions"] = 0
    hello["algorithms"] = 0
    hello["alpn"][:] = 0
    hello["name"][:] = 0
    hello["cipher"][:] = 0
    hello["extension"][:] = 0
    hello["algorithm"][:] = 0
    read_hello(http.scratch, length, hello)


@kernel
def begin_tls(http, entry, side, flow, buffer, at, end, ts):
    """A record of TLS is the first that this side sent. Its ClientHello may need more segments."""
    http.counters[R_TLS] += U(1)
    if end - at <= RECORD or buffer[at + RECORD] != CLIENT_HELLO:
        return
    length = join_records(buffer, at, min(end, at + 2 * HELLO_LIMIT), http.scratch)
    if length == MORE and keep_bytes(http, entry, side, flow, buffer, at, end):
        flow["state"] = HELLO_PART
    elif length > 0:
        note_hello(http, entry, side, length, ts)
    else:
        http.counters[R_LOST] += U(1)


@kernel
def end_hello(http, flow):
    """No more is wanted, or to be had, of this side."""
    drop_head(http, flow)
    flow["state"] = OPAQUE


@kernel
def lose_hello(http, flow):
    """A part of a ClientHello will never come."""
    http.counters[R_LOST] += U(1)
    end_hello(http, flow)


@kernel
def continue_hello(http, entry, side, flow, buffer, at, end, ts):
    """More of a ClientHello."""
    stored = np.int64(flow["stored"])
    if stored + end - at > HELLO_LIMIT:
        end = at + HELLO_LIMIT - stored
    if not keep_bytes(http, entry, side, flow, buffer, at, end):
        lose_hello(http, flow)
        return
    stored = np.int64(flow["stored"])
    read_chain(http.chains, np.int64(flow["block"]), stored, http.text, 0)
    length = join_records(http.text, np.int64(0), stored, http.scratch)
    if length == NOT or (length == MORE and stored == HELLO_LIMIT):
        lose_hello(http, flow)
    elif length > 0:
        note_hello(http, entry, side, length, ts)
        end_hello(http, flow)
