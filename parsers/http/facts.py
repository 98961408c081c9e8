"""What header fields of a message say about how an API is run: flags, no values (OWASP API8:2023)."""

from parsers.http.auth import names_session
from parsers.http.text import LOWER, find_byte, first_eight, trim
from sensor.core.hashing import U, hash_bytes
from sensor.core.jit import kernel
from sensor.core.records import FACT_BIT
from sensor.core.wide import word
from sensor.core.words import holds_one_of, words_table

F_STRICT, F_NOSNIFF, F_VERSION = FACT_BIT["strict_transport"], FACT_BIT["content_type_options"], FACT_BIT["version_told"]
F_ANY, F_NULL, F_CREDENTIALS = FACT_BIT["any_origin"], FACT_BIT["null_origin"], FACT_BIT["credentials_allowed"]
F_REDIRECT = FACT_BIT["secret_in_redirect"]
F_NO_STORE, F_CONTENT = FACT_BIT["no_store"], FACT_BIT["content_security"]
F_INSECURE, F_SCRIPT, F_DEPRECATED = FACT_BIT["insecure_cookie"], FACT_BIT["script_cookie"], FACT_BIT["deprecated"]

SERVER, SUNSET = word(b"server") | LOWER, word(b"sunset") | LOWER
SET_COOKIE, DEPRECATION = word(b"set-cook") | LOWER, word(b"deprecat") | LOWER
POWERED_BY, ASPNET = word(b"x-powere") | LOWER, word(b"x-aspnet") | LOWER
STRICT, CONTENT_TYPE_OPTIONS = word(b"strict-t") | LOWER, word(b"x-conten") | LOWER
ACCESS_CONTROL, ALLOW_ORIGIN_END = word(b"access-c") | LOWER, word(b"w-origin") | LOWER
ALLOW_CREDENTIALS_END = word(b"dentials") | LOWER
OPTIONS_END, SECURITY_END = word(b"-options") | LOWER, word(b"security") | LOWER
CACHE_CONTROL, CONTROL_END = word(b"cache-co") | LOWER, word(b"-control") | LOWER
CONTENT_SECURITY, POLICY_END = word(b"content-") | LOWER, word(b"y-policy") | LOWER
NOT_SHARED = words_table("no-store", "private")
"""What Cache-Control says where no shared cache may keep an answer (RFC 9111 5.2.2)."""
LOOKED_AT = 2_048
"""Bytes of a value in which words are looked for: a head that is made for it costs no more than others."""
NULL = word(b"null") | LOWER
LOCATION = word(b"location") | LOWER
BEARING = words_table("access_token=", "id_token=", "refresh_token=", "api_key=", "apikey=", "password=", "passwd=", "eyJhbGci")
"""What a URL has in it that bears a secret: names that are used for nothing else, and the beginning of a JWT."""
SITE_SEED = U(17)
SECURE, HTTPONLY, TRUE = word(b"secure") | LOWER, word(b"httponly") | LOWER, word(b"true") | LOWER
TELLING = sum(1 << length for length in (6, 8, 10, 11, 12, 13, 16, 22, 23, 25, 27, 32))
"""Lengths of the field names that fact_of and note_fact know, as bits."""
STAR, DOT, SLASH, COLON, SEMICOLON, EQUALS = 42, 46, 47, 58, 59, 61


@kernel
def tells_version(buffer, at, end):
    """Whether a product comes with its version, as `nginx/1.18.0` (RFC 9110 10.2.4)."""
    for k in range(at, end - 1):
        if buffer[k] == SLASH and 48 <= buffer[k + 1] <= 57:
            return True
    return False


@kernel
def cookie_facts(buffer, at, end):
    """What a session's Set-Cookie lacks (RFC 6265 4.1)."""
    stop = find_byte(buffer, at, end, SEMICOLON)
    name_end = find_byte(buffer, at, end, EQUALS)
    if name_end < 0 or not names_session(buffer, at, name_end):
        return 0
    missing = F_INSECURE | F_SCRIPT
    while stop >= 0:
        at = stop + 1
        stop = find_byte(buffer, at, end, SEMICOLON)
        a, b = trim(buffer, at, stop if stop >= 0 else end)
        if b - a == 6 and first_eight(buffer, a, 6) == SECURE:
            missing &= ~F_INSECURE
        elif b - a == 8 and first_eight(buffer, a, 8) == HTTPONLY:
            missing &= ~F_SCRIPT
    return missing


@kernel
def site_hash(buffer, at, end):
    """Hash of the site of an origin (RFC 6454 6.2): the last two labels of its host, all of an address. 0: there is none."""
    slash = find_byte(buffer, at, end, SLASH)
    if slash < 0 or slash + 2 >= end or buffer[slash + 1] != SLASH:
        return U(0)
    begin = slash + 2
    stop = find_byte(buffer, begin, end, COLON)
    stop = end if stop < 0 else stop
    if not 48 <= buffer[stop - 1] <= 57:
        dots, k = 0, stop
        while k > begin and dots < 2:
            k -= 1
            dots += buffer[k] == DOT
        begin = k + 1 if dots == 2 else k
    return hash_bytes(buffer, begin, stop - begin, SITE_SEED)


@kernel
def note_origin(buffer, at, end, message):
    """Access-Control-Allow-Origin (https://fetch.spec.whatwg.org, 3.2): anybody, nobody of a name, or one site."""
    if end - at == 1 and buffer[at] == STAR:
        message["facts"] |= F_ANY
    elif end - at == 4 and first_eight(buffer, at, 4) == NULL:
        message["facts"] |= F_NULL
    else:
        message["allowed_origin"] = site_hash(buffer, at, end)


@kernel
def fact_of(buffer, first, last, length, at, end):
    """Bits of FACTS that a field with the value buffer[at:end] stands for. first, last: as in note_field."""
    if length == 6 and first == SERVER:
        return F_VERSION if tells_version(buffer, at, end) else 0
    if (length == 6 and first == SUNSET) or (length == 11 and first == DEPRECATION):
        return F_DEPRECATED
    if length == 8 and first == LOCATION:
        return F_REDIRECT if holds_one_of(buffer, at, min(end, at + LOOKED_AT), BEARING) else 0
    if length == 10 and first == SET_COOKIE:
        return cookie_facts(buffer, at, end)
    if length == 12 and first == POWERED_BY:
        return F_VERSION if tells_version(buffer, at, end) else 0
    if length == 13 and first == CACHE_CONTROL and last == CONTROL_END:
        return F_NO_STORE if holds_one_of(buffer, at, min(end, at + LOOKED_AT), NOT_SHARED) else 0
    if length == 16 and first == ASPNET:  # X-AspNet-Version
        return F_VERSION
    if length == 22 and first == CONTENT_TYPE_OPTIONS and last == OPTIONS_END:
        return F_NOSNIFF
    if length == 23 and first == CONTENT_SECURITY and last == POLICY_END:
        return F_CONTENT
    if length == 25 and first == STRICT and last == SECURITY_END:
        return F_STRICT
    if length == 32 and first == ACCESS_CONTROL and last == ALLOW_CREDENTIALS_END:
        return F_CREDENTIALS if end - at == 4 and first_eight(buffer, at, 4) == TRUE else 0
    return 0


@kernel
def note_fact(buffer, first, last, length, at, end, message):
    """Keep what a field with the value buffer[at:end] says of how its server is run. first, last: as in note_field."""
    if length == 27 and first == ACCESS_CONTROL and last == ALLOW_ORIGIN_END:
        note_origin(buffer, at, end, message)
    else:
        message["facts"] |= fact_of(buffer, first, last, length, at, end)
