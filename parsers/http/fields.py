"""The fields of a message that matter, kept as offsets into the buffer that they were read from."""

import numpy as np

from parsers.http.auth import is_jwt, note_authorization, note_cookies, note_token
from parsers.http.extras import note_extra
from parsers.http.facts import note_fact, redirect_facts
from parsers.http.media import coding_of
from parsers.http.names import CODE, FIRST_TELLING, IS_USUAL, KIND_MASK, READ, UNKNOWN_NAME, label_of, name_words
from parsers.http.state import FORWARDED as BY_STANDARD
from parsers.http.state import X_FORWARDED_FOR as BY_X
from parsers.http.text import LOWER, find_in_value, first_eight, number_of, trim
from sensor.core.jit import inlined, kernel
from sensor.core.records import AUTH, WEIRD_BIT
from sensor.core.sensitive import NO_KEYS
from sensor.core.wide import word
from sensor.core.words import holds_one_of

U = np.uint64
FOLD = U(0x94D049BB133111EB)

W_CONFLICT, W_LENGTH, W_CODING = WEIRD_BIT["conflicting_length"], WEIRD_BIT["bad_length"], WEIRD_BIT["unknown_coding"]
A_API_KEY = AUTH["api_key"]
H2C, WEBSOCKET = word(b"h2c") | LOWER, word(b"websocke") | LOWER
ANY_LAST_FIVE = U(0xFFFFFFFFFF000000)
TO_OTHER, TO_HTTP2, TO_WEBSOCKET = 1, 2, 3
LARGEST_GRPC_STATUS = 255
"""Kept of a grpc-status; those in use end at 16."""


(
    HOST, COOKIE, REFERER, UPGRADE, API_KEY, LOCATION, X_API_KEY, FORWARDED, USER_AGENT, GRPC_STATUS, CONTENT_TYPE, AUTH_TOKEN,
    AUTHORIZATION, CONTENT_LENGTH, FORWARDED_FOR, CONTENT_ENCODING, TRANSFER_ENCODING,
) = (CODE[name] for name in READ)  # fmt: skip
X_DASH, KEY_END, TOKEN_END = U(0x2D78), word(b"-key") | U(0x20202020), word(b"-token") | U(0x202020202020)
TWO_BYTES = U(0xFFFF)
CHUNKED = word(b"chunked") | LOWER
IDENTITY = word(b"identity") | LOWER


@kernel
def clear(message):
    """Make a message empty."""
    message["line_at"] = 0
    message["method_len"] = 0
    message["target_at"] = 0
    message["target_len"] = 0
    message["status"] = 0
    message["version"] = 0
    message["host_at"] = 0
    message["host_len"] = 0
    message["agent_len"] = 0
    message["agent_at"] = 0
    message["referer_at"] = 0
    message["referer_len"] = 0
    message["type_at"] = 0
    message["type_len"] = 0
    message["forwarded_at"] = 0
    message["forwarded_len"] = 0
    message["forwarding"] = 0
    message["location_at"] = 0
    message["location_len"] = 0
    message["credential_at"] = 0
    message["credential_len"] = 0
    message["session_at"] = 0
    message["session_len"] = 0
    message["key_at"] = 0
    message["key_len"] = 0
    message["token_at"] = 0
    message["token_len"] = 0
    message["extras"] = 0
    message["length"] = -1
    message["auth"] = 0
    message["hosts"] = 0
    message["chunked"] = 0
    message["coded"] = 0
    message["coding"] = 0
    message["upgrade"] = 0
    message["pseudo"] = 0
    message["unknown"] = 0
    message["grpc_status"] = -1
    message["weird"] = 0
    message["facts"] = 0
    message["allowed_origin"] = 0
    message["fingerprint"] = 0


@kernel
def note_length(buffer, at, end, message):
    """Content-Length (RFC 9112 6.3): equal repeats are one, different ones are an attack."""
    while at <= end:
        comma = find_in_value(buffer, at, end, 44)
        a, b = trim(buffer, at, comma if comma >= 0 else end)
        value = number_of(buffer, a, b)
        if value < 0:
            message["weird"] |= W_LENGTH
        elif message["length"] >= 0 and message["length"] != value:
            message["weird"] |= W_CONFLICT
        else:
            message["length"] = value
        if comma < 0:
            return
        at = comma + 1


@kernel
def note_coding(buffer, at, end, message):
    """Transfer-Encoding: whether the last coding of all its fields is chunked (RFC 9112 6.1)."""
    comma = find_in_value(buffer, at, end, 44)
    alone = comma < 0 and not message["coded"]
    while comma >= 0:
        at = comma + 1
        comma = find_in_value(buffer, at, end, 44)
    at, end = trim(buffer, at, end)
    chunked = end - at == 7 and first_eight(buffer, at, 7) == CHUNKED
    if alone and end - at == 8 and first_eight(buffer, at, 8) == IDENTITY:
        return  # RFC 2616's name for no coding at all
    if not chunked:
        message["weird"] |= W_CODING
    message["coded"] = 1
    message["chunked"] = chunked


@kernel
def note_key(message, at, end):
    """A key in a field of its own; Authorization goes before it."""
    if message["credential_len"] == 0 and end > at:
        message["auth"] = A_API_KEY
        message["credential_at"] = at
        message["credential_len"] = end - at


@inlined
def names_key(first, last, length):
    """Whether a field is called as those are that hold an application's key or token: X-Partner-Key, X-Access-Token."""
    return length >= 8 and first & TWO_BYTES == X_DASH and (last >> U(32) == KEY_END or last >> U(16) == TOKEN_END)


@kernel
def note_forwarding(message, at, end, which):
    """A list of who asked: of several fields the last counts, which the last proxy wrote."""
    message["forwarding"] = which
    message["forwarded_at"] = at
    message["forwarded_len"] = end - at


@kernel
def upgrade_of(buffer, at, end):
    """What an Upgrade field asks for first (RFC 9110 7.8)."""
    name = first_eight(buffer, at, end - at)
    if end - at >= 3 and (name | ANY_LAST_FIVE) == H2C | ANY_LAST_FIVE:
        return TO_HTTP2
    return TO_WEBSOCKET if end - at >= 9 and name == WEBSOCKET else TO_OTHER


@kernel
def note_field(code, buffer, at, end, message):
    """One field with the value buffer[at:end], kept as its name asks for. code: of its name."""
    if code >= FIRST_TELLING:
        note_fact(code, buffer, at, end, message)
    elif code == HOST:
        message["hosts"] += np.uint8(message["hosts"] < 255)
        if message["hosts"] == 1:
            message["host_at"] = at
            message["host_len"] = end - at
    elif code == COOKIE:
        note_cookies(buffer, at, end, message)
    elif code == REFERER:
        message["referer_at"] = at
        message["referer_len"] = end - at
    elif code == UPGRADE:
        message["upgrade"] = upgrade_of(buffer, at, end)
    elif code == API_KEY or code == X_API_KEY or code == AUTH_TOKEN:
        note_key(message, at, end)
        if message["token_len"] == 0 and is_jwt(buffer, at, end):
            note_token(buffer, at, end, message)
    elif code == LOCATION:
        message["location_at"] = at
        message["location_len"] = end - at
        message["facts"] |= redirect_facts(buffer, at, end)
    elif code == FORWARDED:
        if message["standard"] or message["forwarding"] != BY_X:
            note_forwarding(message, at, end, BY_STANDARD)
    elif code == FORWARDED_FOR:
        if not message["standard"] or message["forwarding"] != BY_STANDARD:
            note_forwarding(message, at, end, BY_X)
    elif code == USER_AGENT:
        message["agent_at"] = at
        message["agent_len"] = end - at
    elif code == GRPC_STATUS:
        message["grpc_status"] = min(number_of(buffer, at, end), LARGEST_GRPC_STATUS)
    elif code == CONTENT_TYPE:
        semicolon = find_in_value(buffer, at, end, 59)
        at, end = trim(buffer, at, semicolon if semicolon >= 0 else end)
        message["type_at"] = at
        message["type_len"] = end - at
    elif code == AUTHORIZATION:
        note_authorization(buffer, at, end, message)
    elif code == CONTENT_LENGTH:
        note_length(buffer, at, end, message)
    elif code == CONTENT_ENCODING:
        message["coding"] = coding_of(buffer, at, end)
    elif code == TRANSFER_ENCODING:
        note_coding(buffer, at, end, message)


@kernel
def note_unknown(buffer, name, length, at, end, message):
    """A field whose name says nothing to HTTP: it may hold an application's key."""
    first, last = name_words(buffer, name, length)
    if names_key(first | LOWER, last | LOWER, length) and message["key_len"] == 0:
        if not holds_one_of(buffer, name, name + length, NO_KEYS):
            message["key_at"] = at
            message["key_len"] = end - at


@inlined
def note_name(label, message):
    """A name joins the fingerprint."""
    folded = (message["fingerprint"] ^ U(label)) * FOLD
    message["fingerprint"] = folded ^ (folded >> U(29))


@kernel
def note_value(label, buffer, name, length, at, end, message):
    """One field: its value buffer[at:end] is kept when it matters."""
    kind = label & KIND_MASK
    if kind < IS_USUAL:
        note_extra(message, name, length, at, end)
    if kind == UNKNOWN_NAME:
        note_unknown(buffer, name, length, at, end, message)
    elif kind != IS_USUAL:
        note_field(kind & (IS_USUAL - 1), buffer, at, end, message)


@kernel
def note(buffer, name, length, at, end, message):
    """One field: its name joins the fingerprint, its value buffer[at:end] is kept when it matters."""
    first, last = name_words(buffer, name, length)
    label = label_of(first, last, length)
    note_name(label, message)
    note_value(label, buffer, name, length, at, end, message)
