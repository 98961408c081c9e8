"""What each actor did since it came: counts, times and small sketches, in a table of fixed size.

An actor is an API token or password, else a session cookie, else an address. It is told when it has made LEAST requests, and
whenever these have doubled, so that what is told does not depend on batches; and once more when it goes.
"""

import math

import numpy as np

from sensor.core.bits import address_bit, address_hash
from sensor.core.bundle import Bundle
from sensor.core.hashing import U, hash_bytes, mix
from sensor.core.jit import kernel
from sensor.core.records import FLOW
from sensor.core.words import begins_with, words_table
from sensor.inventory.agents import agent_kind
from sensor.inventory.lexical import INT
from sensor.inventory.refusals import REFUSED
from sensor.inventory.values import IN_BODY, IN_QUERY

ACTORS, WAYS = 16_384, 8
"""Actors that are remembered, and places that each may take: who was silent longest gives way."""
IDLE = 30 * 60 * 1_000_000_000
"""ns of silence that end a session, as web analytics have it."""
LEAST = 5
"""Requests before which nothing is said of an actor."""
NEWS = 4_096
"""Sessions that a kernel may tell before they are taken from it."""
BUCKETS = 16
"""Groups of endpoints, by hash: whose entropy says how varied the requests are."""
BITS = 256
"""Of the sketch of values; it begins anew at three quarters, so that it knows about the latest 350 of them."""
FULL = BITS * 3 // 4
QUICK = 100_000_000
"""ns: what follows so soon was not asked for by a hand."""
MINUTE, HOUR, DAY = 60_000_000_000, 3_600_000_000_000, 24
BY_ADDRESS, BY_SESSION, BY_TOKEN = range(3)
IDENTITIES = ("ip", "session", "token")

SENSITIVE = np.zeros(len(FLOW), np.uint8)
SENSITIVE[[FLOW[name] for name in ("login", "signup", "reset", "payment", "code", "content")]] = 1
"""Flows that are worth attacking one by one."""
PARTS_OF_PAGES = words_table("text/html", "text/css", "text/javascript", "application/javascript", "image/", "font/")
ROBOTS = words_table("/robots.txt")

SESSION = np.dtype([
    ("key", "<u8"),                      # 0: free
    ("who", "<u8"),                      # hash of token or cookie; 0 for an address
    ("hi", "<u8"), ("lo", "<u8"),        # the latest address
    ("first_ts", "<i8"), ("last_ts", "<i8"),
    ("requests", "<u4"), ("told", "<u4"), ("tell_at", "<u8"),  # told: requests when it was last told; tell_at: when next
    ("identity", "u1"),                  # BY_ADDRESS, BY_SESSION, BY_TOKEN
    ("agent", "u1"), ("agent_hash", "<u8"),  # AGENT_KINDS of the latest User-Agent
    ("robots", "u1"),                    # it asked for /robots.txt
    ("gaps", "<u4"), ("quick", "<u4"),   # times between requests: how many, how many below QUICK
    ("gap_sum", "<f8"), ("gap_squares", "<f8"),  # of their logarithms to base 2, in ms
    ("minutes", "<u4"), ("hours", "<u4"),  # minutes with requests; hours of the day, as bits
    ("buckets", "<u4", (BUCKETS,)), ("endpoints", "<u8"),  # requests by group of endpoints; the endpoints' hashes, as bits
    ("values", "<u4"), ("novel", "<f8"), ("sketch", "<u8", (BITS // 64,)), ("filled", "<u4"),
    ("steps", "<u4"), ("even_steps", "<u4"), ("number", "<i8"), ("delta", "<i8"),  # from one number to the next
    ("answered", "<u4"), ("refused", "<u4"), ("missing", "<u4"), ("failed", "<u4"),
    ("writes", "<u4"), ("sensitive", "<u4"), ("sensitive_refused", "<u4"),
    ("referers", "<u4"), ("assets", "<u4"),
    ("agents", "<u8"), ("fingerprints", "<u8"), ("addresses", "<u8"),  # hashes, as bits
])  # fmt: skip
"""One actor since it came. values: parameters seen; novel: how many of them were new, by estimate; assets: pages, images,
style sheets and scripts that it was given."""


class Sessions(Bundle):
    """All actors."""

    table: np.ndarray
    """SESSION[ACTORS]"""
    news: np.ndarray
    """SESSION[NEWS]: what is to be told"""
    blank: np.ndarray
    """SESSION[1]: zeros"""
    control: np.ndarray
    """int64[1]: how many news"""


def new_sessions() -> Sessions:
    return Sessions(np.zeros(ACTORS, SESSION), np.zeros(NEWS, SESSION), np.zeros(1, SESSION), np.zeros(1, np.int64))


@kernel
def identity_of(row):
    """(BY_…, hash of token or cookie): by what an actor is known best."""
    if row["credential"] != U(0):
        return BY_TOKEN, row["credential"]
    if row["session"] != U(0):
        return BY_SESSION, row["session"]
    return BY_ADDRESS, U(0)


@kernel
def tell(state, session):
    """Put a session among the news; the caller sees to it that there is room."""
    state.news[state.control[0]] = session
    state.control[0] += 1
    session["told"] = session["requests"]


@kernel
def part(state, session):
    """A session ends: tell what was not told of it."""
    if session["key"] != U(0) and session["requests"] >= LEAST and session["requests"] != session["told"]:
        tell(state, session)


@kernel
def claim_to_stay(session):
    """The smaller, the sooner a session gives way: who made few requests goes before who was silent for less than IDLE."""
    return session["last_ts"] + (IDLE if session["requests"] >= LEAST else 0)


@kernel
def session_of(state, row):
    """The row's actor's place in the table, begun anew where it was silent for IDLE or is new."""
    identity, who = identity_of(row)
    key = mix(who ^ U(identity)) if identity != BY_ADDRESS else address_hash(row)
    key |= U(1)
    base = np.int64((key >> U(1)) & U(ACTORS // WAYS - 1)) * WAYS
    found = base
    for k in range(base, base + WAYS):
        if state.table[k]["key"] == key:
            found = k
            break
        if claim_to_stay(state.table[k]) < claim_to_stay(state.table[found]):
            found = k
    session = state.table[found]
    if session["key"] != key or row["ts"] - session["last_ts"] > IDLE:
        part(state, session)
        state.table[found] = state.blank[0]
        session["key"] = key
        session["who"] = who
        session["identity"] = identity
        session["first_ts"] = row["ts"]
        session["tell_at"] = LEAST
    return found


@kernel
def note_time(session, row):
    """When the request came, and how long after the one before."""
    ts = row["ts"]
    if session["requests"] > 1:
        gap = max(0, ts - session["last_ts"])
        log = math.log2(gap / 1e6 + 1.0)
        session["gaps"] += np.uint32(1)
        session["quick"] += np.uint32(gap < QUICK)
        session["gap_sum"] += log
        session["gap_squares"] += log * log
    if session["requests"] == 1 or ts // MINUTE > session["last_ts"] // MINUTE:
        session["minutes"] += np.uint32(1)
    session["hours"] |= np.uint32(1) << np.uint32(ts // HOUR % DAY)
    session["last_ts"] = max(session["last_ts"], ts)


@kernel
def note_value(session, value):
    """Whether a parameter's value is new: each new bit of the sketch stands for BITS / (bits not set) new values.

    That is unbiased as long as bits are free (Cohen 2015, "historic inverse probability").
    """
    bit = mix(value["hash"] ^ mix(value["slot"])) & U(BITS - 1)
    word, mask = np.int64(bit >> U(6)), U(1) << (bit & U(63))
    session["values"] += np.uint32(1)
    if session["sketch"][word] & mask:
        return
    session["novel"] += BITS / (BITS - np.float64(session["filled"]))
    session["sketch"][word] |= mask
    session["filled"] += np.uint32(1)
    if session["filled"] >= FULL:
        session["filled"] = 0
        for k in range(BITS // 64):
            session["sketch"][k] = U(0)


@kernel
def note_number(session, number):
    """Whether a number goes on as the ones before it did."""
    delta = number - session["number"]
    if session["steps"] > 0:
        session["even_steps"] += np.uint32(delta == session["delta"] and delta != 0)
    session["steps"] += np.uint32(1)
    session["number"] = number
    session["delta"] = delta


@kernel
def note_values(session, values, at, index):
    """All parameters of a request, values[at:], that a client chooses: the place behind them."""
    counted = False
    while at < values.shape[0] and values[at]["row"] == index:
        value = values[at]
        if value["location"] <= IN_BODY:
            note_value(session, value)
            if value["kind"] == INT and not counted and value["location"] <= IN_QUERY:
                note_number(session, value["number"])
                counted = True
        at += 1
    return at


@kernel
def note_answer(session, arena, row):
    """How the request was answered."""
    if row["status"] == 0:
        return
    refused = 400 <= row["status"] < 500 or row["refused"] == REFUSED
    session["answered"] += np.uint32(1)
    session["refused"] += np.uint32(refused)
    session["missing"] += np.uint32(row["status"] == 404 or row["status"] == 410)
    session["failed"] += np.uint32(row["status"] >= 500)
    if SENSITIVE[row["flow"]]:
        session["sensitive"] += np.uint32(1)
        session["sensitive_refused"] += np.uint32(refused)
    at = np.int64(row["response_type_at"])
    end = at + np.int64(row["response_type_len"])
    for k in range(PARTS_OF_PAGES.shape[0]):
        if begins_with(arena, at, end, PARTS_OF_PAGES[k]):
            session["assets"] += np.uint32(1)
            return


@kernel
def note_request(session, arena, row):
    """What was asked, and how the client looks that asks."""
    session["hi"] = row["client_hi"]
    session["lo"] = row["client_lo"]
    session["addresses"] |= address_bit(row)
    session["fingerprints"] |= U(1) << (mix(row["fingerprint"]) & U(63))
    endpoint = mix(U(row["endpoint"]))
    session["buckets"][np.int64(endpoint & U(BUCKETS - 1))] += np.uint32(1)
    session["endpoints"] |= U(1) << (endpoint >> U(58))
    session["referers"] += np.uint32(row["referer_len"] > 0)
    method = arena[np.int64(row["method_at"])] if row["method_len"] > 0 else np.uint8(0)
    session["writes"] += np.uint32(method == 80 or method == 68)  # `P`OST, PUT, PATCH; `D`ELETE
    at = np.int64(row["user_agent_at"])
    agent = hash_bytes(arena, at, np.int64(row["user_agent_len"]), U(1))
    session["agents"] |= U(1) << (agent & U(63))
    if agent != session["agent_hash"]:
        session["agent_hash"] = agent
        session["agent"] = agent_kind(arena, at, at + np.int64(row["user_agent_len"]))
    path = np.int64(row["path_at"])
    if row["path_len"] == ROBOTS.shape[1] - 1 and begins_with(arena, path, path + np.int64(row["path_len"]), ROBOTS[0]):
        session["robots"] = 1


@kernel
def take_sessions(state, rows, first, arena, values, at):
    """Take rows[first:] with their parameters, values[at:]: (row, value) to go on from once the news were taken.

    It comes back early where there is no room for more news.
    """
    for index in range(first, rows.shape[0]):
        if state.control[0] + 2 > NEWS:
            return np.int64(index), at
        row = rows[index]
        while at < values.shape[0] and values[at]["row"] < index:
            at += 1
        if row["method_len"] == 0:
            continue
        session = state.table[session_of(state, row)]
        session["requests"] += np.uint32(1)
        note_time(session, row)
        note_request(session, arena, row)
        note_answer(session, arena, row)
        at = note_values(session, values, at, index)
        if session["requests"] >= session["tell_at"]:
            session["tell_at"] *= U(2)
            tell(state, session)
    return np.int64(rows.shape[0]), at
