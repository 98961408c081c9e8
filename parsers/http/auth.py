"""Which kind of credential a request bears, and where it stands: to be hashed, never to be kept."""

import numpy as np

from parsers.http.text import LOWER, SP, find_in_value, first_eight, trim
from sensor.core.jit import kernel
from sensor.core.records import AUTH, FACT_BIT
from sensor.core.wide import load_be32, word
from sensor.core.words import holds_one_of, words_table

BASIC, BEARER, DIGEST, NTLM, NEGOTIATE, APIKEY, TOKEN_WORD = (
    word(name[:8]) | LOWER for name in (b"basic", b"bearer", b"digest", b"ntlm", b"negotiate", b"apikey", b"token")
)
A_BASIC, A_BEARER, A_JWT, A_DIGEST, A_NTLM = AUTH["basic"], AUTH["bearer"], AUTH["jwt"], AUTH["digest"], AUTH["ntlm"]
A_NEGOTIATE, A_AWS, A_KEY, A_COOKIE, A_OTHER = AUTH["negotiate"], AUTH["aws"], AUTH["api_key"], AUTH["cookie"], AUTH["other"]
AWS4 = 0x41575334
F_UNSIGNED = FACT_BIT["unsigned_jwt"]
DOT = 46
EYJ = 0x65794A  # base64 of `{"`, with which every JWT begins


@kernel
def is_jwt(buffer, at, end):
    """Three base64url parts of which the first begins like a JSON object (RFC 7519)."""
    if end - at < 20 or (load_be32(buffer, at) >> np.uint64(8)) != np.uint64(EYJ):
        return False
    dot = find_in_value(buffer, at, end, 46)
    if dot < 0:
        return False
    dot = find_in_value(buffer, dot + 1, end, 46)
    return dot >= 0 and find_in_value(buffer, dot + 1, end, 46) < 0


@kernel
def scheme_of(buffer, at, length):
    """AUTH code of an Authorization scheme (RFC 9110 11)."""
    name = first_eight(buffer, at, length)
    if length == 5 and name == BASIC:
        return A_BASIC
    if length == 6 and name == BEARER:
        return A_BEARER
    if length == 6 and name == DIGEST:
        return A_DIGEST
    if length == 4 and name == NTLM:
        return A_NTLM
    if length == 9 and name == NEGOTIATE:
        return A_NEGOTIATE
    if (length == 6 and name == APIKEY) or (length == 5 and name == TOKEN_WORD):
        return A_KEY
    if length >= 8 and load_be32(buffer, at) == np.uint64(AWS4):
        return A_AWS
    return A_OTHER


@kernel
def note_token(buffer, at, end, message):
    """Where a JWT's claims stand, without its signature: that is what makes it a credential. One without any is a fact."""
    stop = end - 1
    while buffer[stop] != DOT:
        stop -= 1
    message["token_at"] = at
    message["token_len"] = stop - at
    if stop == end - 1:
        message["facts"] |= F_UNSIGNED


@kernel
def note_authorization(buffer, at, end, message):
    """Scheme and credential; those of Digest, NTLM and Negotiate change with each request and name nobody."""
    if end == at:
        return
    space = find_in_value(buffer, at, end, SP)
    stop = space if space >= 0 else end
    kind = scheme_of(buffer, at, stop - at)
    value, end = trim(buffer, stop, end)
    if (kind == A_BEARER or kind == A_OTHER) and is_jwt(buffer, value, end):
        kind = A_JWT
        note_token(buffer, value, end, message)
    message["auth"] = kind
    message["credential_len"] = 0
    if kind != A_DIGEST and kind != A_NTLM and kind != A_NEGOTIATE and kind != A_AWS and end > value:
        message["credential_at"] = value
        message["credential_len"] = end - value


SESSIONS = words_table("sess", "sid", "auth", "toke", "jwt", "identity.app", "wordpress_logged", "netcore.cookies")
NO_SESSIONS = words_table("csrf", "xsrf", "forgery")
"""Names of cookies that hold a token, but of a form: everybody gets one."""


@kernel
def names_session(buffer, at, end):
    """Whether a cookie's name speaks of a session or a log-in."""
    return holds_one_of(buffer, at, end, SESSIONS) and not holds_one_of(buffer, at, end, NO_SESSIONS)


@kernel
def note_cookies(buffer, at, end, message):
    """The first cookie that names a session (RFC 6265 5.4)."""
    while at < end:
        semicolon = find_in_value(buffer, at, end, 59)
        stop = semicolon if semicolon >= 0 else end
        equals = find_in_value(buffer, at, stop, 61)
        if equals > at and message["session_len"] == 0 and names_session(buffer, at, equals):
            value, value_end = trim(buffer, equals + 1, stop)
            message["session_at"] = value
            message["session_len"] = value_end - value
            if message["token_len"] == 0 and is_jwt(buffer, value, value_end):
                note_token(buffer, value, value_end, message)
            if message["auth"] == 0 and value_end > value:
                message["auth"] = A_COOKIE
        at = stop + 1
