"""Requests that wait for their response, made from parsed heads and paired with the heads of responses."""

import numpy as np

from parsers.http.aging import enter, is_crowded, take_oldest
from parsers.http.auth import A_KEY, F_UNSIGNED
from parsers.http.bodies import choose_body, clear_bodies
from parsers.http.eviction import give_up_oldest_head
from parsers.http.extras import pack_extras
from parsers.http.queue import leave, unanswered
from parsers.http.rows import (
    AGENT,
    ANSWER_FIELDS,
    FIELDS,
    FORWARDED,
    HOST,
    METHOD,
    PATH,
    QUERY,
    REFERER,
    TOKEN,
    TYPE,
    W_PENDING,
    emit,
    give_up_oldest,
)
from parsers.http.state import (
    METHOD_LIMIT,
    NO_FRAMING,
    TARGET_LIMIT,
    TEXT_LIMIT,
    TOKEN_LIMIT,
    TYPE_LIMIT,
)
from parsers.http.target import location_hash, split_target
from parsers.http.text import copy_lower, copy_short, find_byte
from sensor.core.chain import FULL, NONE, extend
from sensor.core.hashing import siphash
from sensor.core.jit import inlined, kernel
from sensor.core.reasons import REASON
from sensor.core.records import NO_REQUEST, TRUNCATED, WAITING_TEXTS, WEIRD_BIT
from sensor.core.wide import copy

U = np.uint64
COMMA = 44
R_PENDING, R_BLOCKS, R_TEXT = REASON["pending_overflow"], REASON["block_overflow"], REASON["text_truncated"]
SHORT = 64
"""Bytes up to which a copy is done without a call."""
ROTATIONS = 64
"""Live requests at the head of a crowded age list that are passed over in search of a stale one."""
W_EARLY = WEIRD_BIT["early_response"]


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
    pending["before"] = -1
    pending["block"] = NONE
    pending["last_block"] = NONE
    pending["used"] = 0
    for k in range(len(WAITING_TEXTS)):
        pending["lengths"][k] = 0
    pending["version"] = 0
    pending["auth"] = 0
    pending["bodyless"] = 0
    pending["connect"] = 0
    pending["upgrade"] = 0
    pending["entry"] = -1
    pending["stamp"] = 0
    pending["queued"] = 0
    pending["stream"] = 0
    pending["bucket"] = -1
    pending["grpc_status"] = -1
    for k in range(2):
        pending["framing"][k] = NO_FRAMING
        pending["prefix"][k] = 0
        pending["rest"][k] = 0
        pending["messages"][k] = 0
        pending["message_bytes"][k] = 0
    pending["facts"] = 0
    pending["absent"] = 0
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
    pending["location"] = 0
    pending["allowed_origin"] = 0
    pending["request_bytes"] = 0
    pending["response_bytes"] = 0
    clear_bodies(pending)
    pending["first_ts"] = 0
    pending["sent_ts"] = 0
    pending["reply_ts"] = -1
    pending["end_ts"] = 0
    return index


@kernel
def put_text(http, pending, which, buffer, at, length, limit, to, lower):
    """Copy one text into the scratch area at `to`, cut at its limit: the offset behind it."""
    if length == 0:
        return to
    if length > limit:
        length = limit
        pending["completeness"] |= TRUNCATED
        http.counters[R_TEXT] += U(1)
    pending["lengths"][which] = length
    if lower:
        copy_lower(http.text, to, buffer, at, length)
    elif length > SHORT:
        copy(http.text, to, buffer, at, length)
    else:
        copy_short(http.text, to, buffer, at, length)
    return to + length


@kernel
def end_of_list(pending, buffer, at, length):
    """(offset, length) of the last entries of a list that fit into TEXT_LIMIT: proxies append, so its end is what counts."""
    if length <= TEXT_LIMIT:
        return at, length
    pending["completeness"] |= TRUNCATED
    end = at + length
    comma = find_byte(buffer, end - TEXT_LIMIT, end, COMMA)
    return (comma + 1, end - comma - 1) if comma >= 0 else (end, np.int64(0))


@kernel
def keep_texts(http, pending, size, urgent):
    """Append the first `size` bytes of the scratch area to a record's chain; False where there is no block for them.

    urgent: the oldest heads and requests give way, of which this record must be none.
    """
    used, last_block = np.int64(pending["used"]), np.int64(pending["last_block"])
    first, last = extend(http.chains, last_block, used, http.text, 0, size)
    while first == FULL and urgent and (give_up_oldest_head(http) or give_up_oldest(http)):
        first, last = extend(http.chains, last_block, used, http.text, 0, size)
    if first == FULL:
        http.counters[R_BLOCKS] += U(1)
        return False
    if used == 0:
        pending["block"] = first
    pending["last_block"] = last
    pending["used"] = used + size
    return True


@kernel
def put_texts(http, pending, buffer, message):
    """Keep the texts of a request in a chain, in the order of TEXTS."""
    host_at, host_len, path_at, path_len, query_at, query_len = split_target(buffer, message)
    to = put_text(http, pending, METHOD, buffer, message["line_at"], message["method_len"], METHOD_LIMIT, np.int64(0), False)
    to = put_text(http, pending, HOST, buffer, host_at, host_len, TEXT_LIMIT, to, True)
    if path_len == 0 and not message["unknown"]:  # an absolute form without a path means the root (RFC 9110 4.2.3)
        http.text[to] = 47
        pending["lengths"][PATH] = 1
        to += 1
    else:
        to = put_text(http, pending, PATH, buffer, path_at, path_len, TARGET_LIMIT, to, False)
    to = put_text(http, pending, QUERY, buffer, query_at, query_len, TARGET_LIMIT, to, False)
    to = put_text(http, pending, AGENT, buffer, message["agent_at"], message["agent_len"], TEXT_LIMIT, to, False)
    to = put_text(http, pending, REFERER, buffer, message["referer_at"], message["referer_len"], TEXT_LIMIT, to, False)
    to = put_text(http, pending, TYPE, buffer, message["type_at"], message["type_len"], TYPE_LIMIT, to, True)
    at, length = end_of_list(pending, buffer, message["forwarded_at"], message["forwarded_len"])
    to = put_text(http, pending, FORWARDED, buffer, at, length, TEXT_LIMIT, to, False)
    if message["extras"] > 0:
        stop = pack_extras(buffer, message, http.text, to)
        pending["lengths"][FIELDS] = stop - to
        to = stop
    if 0 < message["token_len"] <= TOKEN_LIMIT:
        copy(http.text, to, buffer, message["token_at"], message["token_len"])
        pending["lengths"][TOKEN] = message["token_len"]
        to += message["token_len"]
    if not keep_texts(http, pending, to, True):
        pending["completeness"] |= TRUNCATED
        for k in range(len(WAITING_TEXTS)):
            pending["lengths"][k] = 0


@kernel
def put_answer_fields(http, pending, buffer, message):
    """Keep the fields of the first head of an answer behind the texts of its request."""
    if message["extras"] == 0 or pending["lengths"][ANSWER_FIELDS] > 0:
        return
    size = pack_extras(buffer, message, http.text, np.int64(0))
    if size > 0 and keep_texts(http, pending, size, False):
        pending["lengths"][ANSWER_FIELDS] = size


@kernel
def make_room_by_age(http):
    """Clear a crowded age list of entries that are stale; live ones that stand before them go to its end."""
    for _ in range(ROTATIONS):
        if not is_crowded(http.requests):
            return
        index, stamp = take_oldest(http.requests)
        if http.pending[index]["stamp"] == stamp:
            http.pending[index]["stamp"] = enter(http.requests, index)


@kernel
def enqueue(http, entry, index, limit):
    """Append a request to those of its connection that wait; the oldest gives way where they are too many."""
    connection = http.connections[entry]
    if connection["waiting"] >= limit:
        oldest = np.int64(connection["first"])
        http.pending[oldest]["weird"] |= W_PENDING
        http.counters[R_PENDING] += U(1)
        leave(http, entry, oldest)
        emit(http, entry, oldest)
    http.pending[index]["entry"] = entry
    http.pending[index]["queued"] = 1
    make_room_by_age(http)
    if not is_crowded(http.requests) or give_up_oldest(http):
        http.pending[index]["stamp"] = enter(http.requests, index)
    http.pending[index]["before"] = connection["last"]
    if connection["waiting"] == 0:
        connection["first"] = index
    else:
        http.pending[connection["last"]]["next"] = index
    connection["last"] = index
    connection["waiting"] += 1


@inlined
def begin_request(http, entry, flow, buffer, message, limit):
    """A new pending request from a parsed head: its index, or -1 when there is no room for it.

    limit: requests of one connection that may wait; the oldest gives way.
    """
    index = allocate(http)
    if index < 0:
        return index
    control, pending = http.control[0], http.pending[index]
    pending["first_ts"] = flow["first_ts"]
    pending["sent_ts"] = flow["last_ts"]
    pending["end_ts"] = flow["last_ts"]
    pending["version"] = message["version"] if message["version"] > 0 else 9
    pending["auth"] = message["auth"]
    pending["facts"] = np.uint32(message["facts"] & F_UNSIGNED)  # the others are for responses to say
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
    if message["key_len"] > 0 and message["auth"] == 0:  # nothing that is surely a credential
        pending["auth"] = A_KEY
        pending["credential"] = siphash(buffer, message["key_at"], message["key_len"], control["key0"], control["key1"])
    put_texts(http, pending, buffer, message)
    choose_body(http, pending, 0, buffer, message)
    enqueue(http, entry, index, limit)
    return index


@kernel
def begin_orphan(http, flow, message):
    """A record for a response whose request was not seen: its index, or -1 when there is no room for it."""
    index = allocate(http)
    if index >= 0:
        http.pending[index]["completeness"] = NO_REQUEST
        http.pending[index]["first_ts"] = flow["first_ts"]
        http.pending[index]["version"] = message["version"]
        http.pending[index]["sent"] = 1
    return index


@kernel
def note_response(http, index, flow, buffer, message):
    """Keep what a response's head says with the request that it answers."""
    pending = http.pending[index]
    if not pending["sent"] and pending["stream"] == 0:
        pending["weird"] |= W_EARLY
    pending["status"] = message["status"]
    pending["weird"] |= message["weird"]
    pending["facts"] |= np.uint32(message["facts"])
    pending["allowed_origin"] = message["allowed_origin"]
    pending["completeness"] |= flow["completeness"]
    pending["reply_ts"] = flow["first_ts"]
    pending["end_ts"] = flow["last_ts"]
    length = min(message["type_len"], TYPE_LIMIT)
    copy_lower(http.types, index * TYPE_LIMIT, buffer, message["type_at"], length)
    pending["type_len"] = length
    if message["location_len"] > 0:
        pending["location"] = location_hash(buffer, message["location_at"], message["location_at"] + message["location_len"])
    put_answer_fields(http, pending, buffer, message)
    choose_body(http, pending, 1, buffer, message)


@kernel
def begin_response(http, entry, flow, buffer, message):
    """The request that a response answers; a record of its own, outside the queue, for an orphan. -1: no room."""
    index = unanswered(http, entry)
    if index < 0:
        index = begin_orphan(http, flow, message)
    if index >= 0:
        note_response(http, index, flow, buffer, message)
    return index
