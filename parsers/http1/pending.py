"""Requests that wait for their response, in order, and the rows that they become."""

import numpy as np

from parsers.http1.aging import enter, is_crowded, take_oldest
from parsers.http1.eviction import give_up_oldest_head
from parsers.http1.state import (
    ARENA,
    METHOD_LIMIT,
    NO_ONE,
    PENDING_LIMIT,
    ROOM_ARENA,
    ROOM_ROWS,
    ROWS,
    TARGET_LIMIT,
    TEXT_LIMIT,
    TYPE_LIMIT,
)
from parsers.http1.target import split_target
from parsers.http1.text import copy_lower
from sensor.core.chain import FULL, NONE, extend, read_chain, release_chain
from sensor.core.hashing import siphash
from sensor.core.jit import inlined, kernel
from sensor.core.reasons import REASON
from sensor.core.records import CUT, LATE_JOIN, NO_REQUEST, NO_RESPONSE, REQUEST_CUT, TRUNCATED, WEIRD_BIT
from sensor.core.wide import copy

U = np.uint64
R_TRANSACTIONS, R_PENDING, R_BLOCKS = REASON["transactions"], REASON["pending_overflow"], REASON["block_overflow"]
R_TEXT, R_EVICTED = REASON["text_truncated"], REASON["pending_evicted"]
W_PENDING, W_EARLY = WEIRD_BIT["pending_overflow"], WEIRD_BIT["early_response"]
METHOD, HOST, PATH, QUERY, AGENT, REFERER, TYPE, FORWARDED = range(8)


@kernel
def has_room(http):
    """Whether the rows that one delivery can complete fit into the output."""
    control = http.control[0]
    return control["rows"] + ROOM_ROWS <= ROWS and control["arena"] + ROOM_ARENA <= ARENA


@kernel
def allocate(http):
    """An empty pending record, made by giving up the oldest request that waits where none is free; else -1."""
    control = http.control[0]
    while control["free_pending"] < 0 and give_up_oldest(http):
        pass
    index = np.int64(control["free_pending"])
    if index < 0:
        http.counters[R_PENDING] += U(1)
        return index
    pending = http.pending[index]
    control["free_pending"] = pending["next"]
    pending["next"] = -1
    pending["block"] = NONE
    pending["last_block"] = NONE
    pending["used"] = 0
    for k in range(8):
        pending["lengths"][k] = 0
    pending["version"] = 0
    pending["auth"] = 0
    pending["bodyless"] = 0
    pending["connect"] = 0
    pending["upgrade"] = 0
    pending["entry"] = -1
    pending["stamp"] = 0
    pending["alone"] = 0
    pending["sent"] = 0
    pending["answered"] = 0
    pending["status"] = 0
    pending["completeness"] = 0
    pending["weird"] = 0
    pending["type_len"] = 0
    pending["fingerprint"] = 0
    pending["credential"] = 0
    pending["session"] = 0
    pending["request_bytes"] = 0
    pending["response_bytes"] = 0
    pending["first_ts"] = 0
    pending["sent_ts"] = 0
    pending["reply_ts"] = -1
    pending["end_ts"] = 0
    return index


@kernel
def put_text(http, pending, which, buffer, at, length, limit, to, lower):
    """Copy one text into the scratch area at `to`, cut at its limit: the offset behind it."""
    if length > limit:
        length = limit
        pending["completeness"] |= TRUNCATED
        http.counters[R_TEXT] += U(1)
    pending["lengths"][which] = length
    if lower:
        copy_lower(http.text, to, buffer, at, length)
    else:
        copy(http.text, to, buffer, at, length)
    return to + length


@inlined
def put_texts(http, pending, buffer, message):
    """Keep the texts of a request in a chain, in the order of TEXTS."""
    host_at, host_len, path_at, path_len, query_at, query_len = split_target(buffer, message)
    to = put_text(http, pending, METHOD, buffer, message["line_at"], message["method_len"], METHOD_LIMIT, np.int64(0), False)
    to = put_text(http, pending, HOST, buffer, host_at, host_len, TEXT_LIMIT, to, True)
    if path_len == 0:  # an absolute form without a path means the root (RFC 9110 4.2.3)
        http.text[to] = 47
        pending["lengths"][PATH] = 1
        to += 1
    else:
        to = put_text(http, pending, PATH, buffer, path_at, path_len, TARGET_LIMIT, to, False)
    to = put_text(http, pending, QUERY, buffer, query_at, query_len, TARGET_LIMIT, to, False)
    to = put_text(http, pending, AGENT, buffer, message["agent_at"], message["agent_len"], TEXT_LIMIT, to, False)
    to = put_text(http, pending, REFERER, buffer, message["referer_at"], message["referer_len"], TEXT_LIMIT, to, False)
    to = put_text(http, pending, TYPE, buffer, message["type_at"], message["type_len"], TYPE_LIMIT, to, True)
    to = put_text(http, pending, FORWARDED, buffer, message["forwarded_at"], message["forwarded_len"], TEXT_LIMIT, to, False)
    first, last = extend(http.chains, NONE, 0, http.text, 0, to)
    while first == FULL and (give_up_oldest_head(http) or give_up_oldest(http)):
        first, last = extend(http.chains, NONE, 0, http.text, 0, to)
    if first == FULL:
        http.counters[R_BLOCKS] += U(1)
        pending["completeness"] |= TRUNCATED
        for k in range(8):
            pending["lengths"][k] = 0
        return
    pending["block"] = first
    pending["last_block"] = last
    pending["used"] = to


@kernel
def enqueue(http, entry, index):
    """Append a request to those of its connection that wait; the oldest gives way where they are too many."""
    connection = http.connections[entry]
    if connection["waiting"] >= PENDING_LIMIT:
        oldest = np.int64(connection["first"])
        http.pending[oldest]["weird"] |= W_PENDING
        http.counters[R_PENDING] += U(1)
        leave(http, entry, oldest)
        emit(http, entry, oldest)
    http.pending[index]["entry"] = entry
    if not is_crowded(http.requests) or give_up_oldest(http):
        http.pending[index]["stamp"] = enter(http.requests, index)
    if connection["waiting"] == 0:
        connection["first"] = index
    else:
        http.pending[connection["last"]]["next"] = index
    connection["last"] = index
    connection["waiting"] += 1


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


@inlined
def begin_request(http, entry, flow, buffer, message):
    """A new pending request from a parsed head: its index, or -1 when there is no room for it."""
    index = allocate(http)
    if index < 0:
        return index
    control, pending = http.control[0], http.pending[index]
    pending["first_ts"] = flow["first_ts"]
    pending["sent_ts"] = flow["last_ts"]
    pending["end_ts"] = flow["last_ts"]
    pending["version"] = message["version"] if message["version"] > 0 else 9
    pending["auth"] = message["auth"]
    pending["upgrade"] = message["upgrade"]
    pending["weird"] = flow["weird"]
    pending["completeness"] = flow["completeness"]
    pending["fingerprint"] = message["fingerprint"]
    if message["credential_len"] > 0:
        at, length = message["credential_at"], message["credential_len"]
        pending["credential"] = siphash(buffer, at, length, control["key0"], control["key1"])
    if message["session_len"] > 0:
        at, length = message["session_at"], message["session_len"]
        pending["session"] = siphash(buffer, at, length, control["key0"], control["key1"])
    put_texts(http, pending, buffer, message)
    enqueue(http, entry, index)
    return index


@inlined
def begin_response(http, entry, flow, buffer, message):
    """The request that a response answers; a record of its own, outside the queue, for an orphan. -1: no room."""
    index = unanswered(http, entry)
    if index < 0:
        index = allocate(http)
        if index < 0:
            return index
        http.pending[index]["completeness"] = NO_REQUEST
        http.pending[index]["first_ts"] = flow["first_ts"]
        http.pending[index]["version"] = message["version"]
        http.pending[index]["sent"] = 1
    pending = http.pending[index]
    if not pending["sent"]:
        pending["weird"] |= W_EARLY
    pending["status"] = message["status"]
    pending["weird"] |= message["weird"]
    pending["completeness"] |= flow["completeness"]
    pending["reply_ts"] = flow["first_ts"]
    pending["end_ts"] = flow["last_ts"]
    length = min(message["type_len"], TYPE_LIMIT)
    copy_lower(http.types, index * TYPE_LIMIT, buffer, message["type_at"], length)
    pending["type_len"] = length
    return index


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
    read_chain(http.chains, np.int64(pending["block"]), np.int64(pending["used"]), http.arena, at)
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
    copy(http.arena, at, http.types, index * TYPE_LIMIT, np.int64(pending["type_len"]))
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
        if flow["response"]:
            pending["response_bytes"] = flow["body"]
            pending["completeness"] |= CUT
        else:
            pending["request_bytes"] = flow["body"]
            pending["completeness"] |= REQUEST_CUT


@kernel
def emit(http, entry, index):
    """Write the row of a pending record that is in no queue, and free the record."""
    let_go(http, entry, index)
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
    row["server_hi"] = connection["b_hi"] if a_is_client else connection["a_hi"]
    row["server_lo"] = connection["b_lo"] if a_is_client else connection["a_lo"]
    row["server_port"] = connection["b_port"] if a_is_client else connection["a_port"]
    row["encap"] = connection["encap"]
    row["stream_id"] = 0
    row["serial"] = connection["serial"]
    completeness = pending["completeness"]
    if connection["late"] and connection["serial"] == 0:
        completeness |= LATE_JOIN
    connection["serial"] += 1
    row["status"] = pending["status"]
    row["version"] = pending["version"]
    row["auth"] = pending["auth"]
    row["completeness"] = completeness | (NO_RESPONSE if pending["status"] == 0 else 0)
    row["weird"] = pending["weird"]
    row["request_bytes"] = pending["request_bytes"]
    row["response_bytes"] = pending["response_bytes"]
    row["latency_us"] = latency_us(pending)
    row["fingerprint"] = pending["fingerprint"]
    row["credential"] = pending["credential"]
    row["session"] = pending["session"]
    row["endpoint"] = 0
    row["template_at"] = 0
    row["template_len"] = 0
    write_texts(http, index, row)
    release_chain(http.chains, np.int64(pending["block"]))
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
    if not pending["completeness"] & NO_REQUEST:
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
