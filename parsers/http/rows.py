"""Requests with what is known of their responses, written as rows."""

import numpy as np

from parsers.http.aging import take_oldest
from parsers.http.bodies import ROOM as ROOM_BODIES
from parsers.http.bodies import release_bodies, write_bodies
from parsers.http.queue import leave
from parsers.http.state import ARENA, BODIES, HELLOS, NO_ONE, ROOM_ARENA, ROOM_ROWS, ROWS, TYPE_LIMIT
from parsers.http2.streams import forget_stream
from sensor.core.chain import read_short_chain, release_chain
from sensor.core.hashing import U
from sensor.core.jit import inlined, kernel
from sensor.core.reasons import REASON
from sensor.core.records import CUT, LATE_JOIN, NO_REQUEST, NO_RESPONSE, REQUEST_CUT, WAITING_TEXTS, WEIRD_BIT
from sensor.core.wide import copy_wide

R_TRANSACTIONS, R_EVICTED = REASON["transactions"], REASON["pending_evicted"]
W_PENDING = WEIRD_BIT["pending_overflow"]
METHOD, HOST, PATH, QUERY, AGENT, REFERER, TYPE, FORWARDED, FIELDS, TOKEN, ANSWER_FIELDS = range(len(WAITING_TEXTS))
"""Places of a waiting request's texts."""


@kernel
def has_room(http):
    """Whether the rows that one delivery can complete fit into the output."""
    control = http.control[0]
    return (
        control["rows"] + ROOM_ROWS <= ROWS
        and control["arena"] + ROOM_ARENA <= ARENA
        and control["bodies"] + ROOM_BODIES <= BODIES
        and control["hellos"] < HELLOS
    )


@kernel
def latency_us(pending):
    """Last request byte to first response byte; 0 where the response was quicker than the request."""
    if pending["reply_ts"] < 0 or pending["completeness"] & NO_REQUEST:
        return np.int64(-1)
    return max(np.int64(0), pending["reply_ts"] - pending["sent_ts"]) // 1000


@kernel
def write_texts(http, index, row):
    """The texts of a pending request into the arena and the row's spans."""
    control, pending = http.control[0], http.pending[index]
    at = np.int64(control["arena"])
    read_short_chain(http.chains, np.int64(pending["block"]), np.int64(pending["used"]), http.arena, at)
    lengths = pending["lengths"]
    row["method_at"] = at
    row["method_len"] = lengths[METHOD]
    at += lengths[METHOD]
    row["host_at"] = at
    row["host_len"] = lengths[HOST]
    at += lengths[HOST]
    row["path_at"] = at
    row["path_len"] = lengths[PATH]
    at += lengths[PATH]
    row["query_at"] = at
    row["query_len"] = lengths[QUERY]
    at += lengths[QUERY]
    row["user_agent_at"] = at
    row["user_agent_len"] = lengths[AGENT]
    at += lengths[AGENT]
    row["referer_at"] = at
    row["referer_len"] = lengths[REFERER]
    at += lengths[REFERER]
    row["request_type_at"] = at
    row["request_type_len"] = lengths[TYPE]
    at += lengths[TYPE]
    row["forwarded_for_at"] = at
    row["forwarded_for_len"] = lengths[FORWARDED]
    at += lengths[FORWARDED]
    row["fields_at"] = at
    row["fields_len"] = lengths[FIELDS]
    at += lengths[FIELDS]
    row["token_at"] = at
    row["token_len"] = lengths[TOKEN]
    at += lengths[TOKEN]
    row["answer_fields_at"] = at
    row["answer_fields_len"] = lengths[ANSWER_FIELDS]
    at += lengths[ANSWER_FIELDS]
    copy_wide(http.arena, at, http.types, index * TYPE_LIMIT, np.int64(pending["type_len"]))
    row["response_type_at"] = at
    row["response_type_len"] = pending["type_len"]
    control["arena"] = at + pending["type_len"]


@kernel
def let_go(http, entry, index):
    """Take a record from the messages that are still writing to it; a request cut short by that says so."""
    pending = http.pending[index]
    for side in range(2):
        flow = http.flows[2 * entry + side]
        if flow["pending"] != index:
            continue
        flow["pending"] = -1
        pending["completeness"] |= flow["completeness"]
        pending["weird"] |= flow["weird"]
        if flow["response"]:
            pending["response_bytes"] = flow["body"]
            pending["completeness"] |= CUT
        else:
            pending["request_bytes"] = flow["body"]
            pending["completeness"] |= REQUEST_CUT


@inlined
def write_row(http, entry, index):
    """Write the row of a pending record."""
    control, pending, connection = http.control[0], http.pending[index], http.connections[entry]
    row = http.rows[control["rows"]]
    control["rows"] += 1
    http.counters[R_TRANSACTIONS] += U(1)
    row["order"] = control["order"]
    row["ts"] = pending["first_ts"]
    row["end"] = max(pending["end_ts"], pending["first_ts"])
    a_is_client = connection["client"] == 0 or (connection["client"] == NO_ONE)
    row["client_hi"] = connection["a_hi"] if a_is_client else connection["b_hi"]
    row["client_lo"] = connection["a_lo"] if a_is_client else connection["b_lo"]
    row["client_port"] = connection["a_port"] if a_is_client else connection["b_port"]
    row["proxied_hi"] = connection["proxied_hi"]
    row["proxied_lo"] = connection["proxied_lo"]
    row["server_hi"] = connection["b_hi"] if a_is_client else connection["a_hi"]
    row["server_lo"] = connection["b_lo"] if a_is_client else connection["a_lo"]
    row["server_port"] = connection["b_port"] if a_is_client else connection["a_port"]
    row["encap"] = connection["encap"]
    row["stream_id"] = pending["stream"]
    row["serial"] = connection["serial"]
    completeness = pending["completeness"]
    if connection["late"] and connection["serial"] == 0:
        completeness |= LATE_JOIN
    connection["serial"] += 1
    row["status"] = pending["status"]
    row["version"] = pending["version"]
    row["auth"] = pending["auth"]
    if pending["status"] == 0 and pending["reply_ts"] < 0:
        completeness |= NO_RESPONSE | pending["absent"]
    row["completeness"] = completeness
    row["weird"] = pending["weird"]
    row["facts"] = pending["facts"]
    row["request_bytes"] = pending["request_bytes"]
    row["response_bytes"] = pending["response_bytes"]
    row["request_messages"] = pending["messages"][0]
    row["response_messages"] = pending["messages"][1]
    row["request_message_bytes"] = pending["message_bytes"][0]
    row["response_message_bytes"] = pending["message_bytes"][1]
    row["grpc_status"] = pending["grpc_status"]
    row["latency_us"] = latency_us(pending)
    row["fingerprint"] = pending["fingerprint"]
    row["credential"] = pending["credential"]
    row["session"] = pending["session"]
    row["location"] = pending["location"]
    row["allowed_origin"] = pending["allowed_origin"]
    row["refused"] = 0
    row["operation_type"] = 0
    row["graphql_depth"] = 0
    row["graphql_aliases"] = 0
    row["operation_len"] = 0
    row["root_fields_len"] = 0
    row["endpoint"] = 0
    row["template_at"] = 0
    row["template_len"] = 0
    write_texts(http, index, row)
    write_bodies(http, pending, row)
    row["request_partial"] |= completeness & REQUEST_CUT != 0
    row["response_partial"] |= completeness & CUT != 0


@kernel
def emit(http, entry, index):
    """Write the row of a pending record that is in no queue, and free the record."""
    let_go(http, entry, index)
    if http.pending[index]["stream"] > 0:
        forget_stream(http, entry, index)
    write_row(http, entry, index)
    control, pending = http.control[0], http.pending[index]
    release_chain(http.chains, np.int64(pending["block"]))
    release_bodies(http, pending)
    pending["next"] = control["free_pending"]
    control["free_pending"] = index


@kernel
def give_up_oldest(http):
    """Tell the request that has waited longest as one without a response: False when none waits, or its row has no room."""
    if not has_room(http):
        return False
    index, stamp = take_oldest(http.requests)
    if index >= 0 and http.pending[index]["stamp"] == stamp:
        http.counters[R_EVICTED] += U(1)
        http.pending[index]["weird"] |= W_PENDING
        entry = np.int64(http.pending[index]["entry"])
        leave(http, entry, index)
        emit(http, entry, index)
    return index >= 0


@inlined
def emit_if_done(http, entry, index):
    """Write the row once both halves are complete."""
    pending = http.pending[index]
    if not pending["sent"] or not (pending["answered"] or pending["alone"]):
        return
    if pending["queued"]:
        leave(http, entry, index)
    emit(http, entry, index)


@kernel
def emit_all(http, entry, completeness):
    """Write all requests that still wait."""
    connection = http.connections[entry]
    while connection["waiting"] > 0:
        index = np.int64(connection["first"])
        http.pending[index]["completeness"] |= completeness
        leave(http, entry, index)
        emit(http, entry, index)
