"""What header fields of a message say about how an API is run: flags, no values (OWASP API8:2023)."""

from parsers.http.auth import names_session
from parsers.http.names import CODE, TELLING
from parsers.http.text import LOWER, find_byte, first_eight, trim
from sensor.core.hashing import U, hash_bytes
from sensor.core.jit import kernel
from sensor.core.records import FACT_BIT
from sensor.core.wide import word
from sensor.core.words import holds_one_of, words_table

F_STRICT, F_NOSNIFF, F_VERSION = FACT_BIT["strict_transport"], FACT_BIT["content_type_options"], FACT_BIT["version_told"]
F_ANY, F_NULL, F_CREDENTIALS = FACT_BIT["any_origin"], FACT_BIT["null_origin"], FACT_BIT["credentials_allowed"]
F_REDIRECT = FACT_BIT["secret_in_redirect"]
F_FRAME, F_REFERRER = FACT_BIT["frame_options"], FACT_BIT["referrer_policy"]
F_NO_STORE, F_CONTENT = FACT_BIT["no_store"], FACT_BIT["content_security"]
F_INSECURE, F_SCRIPT, F_DEPRECATED = FACT_BIT["insecure_cookie"], FACT_BIT["script_cookie"], FACT_BIT["deprecated"]

(
    SERVER, SUNSET, DEPRECATION, SET_COOKIE, POWERED_BY, CACHE_CONTROL, ASPNET_VERSION, CONTENT_TYPE_OPTIONS, CONTENT_SECURITY,
    STRICT_TRANSPORT, ALLOW_ORIGIN, ALLOW_CREDENTIALS, ASPNETMVC_VERSION, GENERATOR, FRAME_OPTIONS, REFERRER_POLICY,
) = (CODE[name] for name in TELLING)  # fmt: skip
NOT_SHARED = words_table("no-store", "private")
"""What Cache-Control says where no shared cache may keep an answer (RFC 9111 5.2.2)."""
ANCESTORS = words_table("frame-ancestors")
"""What Content-Security-Policy says in place of X-Frame-Options (CSP 3, 6.4.2)."""
LOOKED_AT = 2_048
"""Bytes of a value in which words are looked for: a head that is made for it costs no more than others."""
NULL = word(b"null") | LOWER
BEARING = words_table("access_token=", "id_token=", "refresh_token=", "api_key=", "apikey=", "password=", "passwd=", "eyJhbGci")
"""What a URL has in it that bears a secret: names that are used for nothing else, and the beginning of a JWT."""
SITE_SEED = U(17)
SECURE, HTTPONLY, TRUE = word(b"secure") | LOWER, word(b"httponly") | LOWER, word(b"true") | LOWER
STAR, DOT, SLASH, COLON, SEMICOLON, EQUALS = 42, 46, 47, 58, 59, 61


@kernel
def tells_version(buffer, at, end):
    """Whether a product comes with its version, as `nginx/1.18.0` (RFC 9110 10.2.4)."""
    for k in range(at, min(end - 1, at + LOOKED_AT)):
        if buffer[k] == SLASH and 48 <= buffer[k + 1] <= 57:
            return True
    return False


@kernel
def names_release(buffer, at, end):
    """Whether a product of words comes with a number, as `Drupal 10`."""
    for k in range(at, min(end, at + LOOKED_AT)):
        if 48 <= buffer[k] <= 57:
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
def redirect_facts(buffer, at, end):
    """What a Location says: that it bears a secret."""
    return F_REDIRECT if holds_one_of(buffer, at, min(end, at + LOOKED_AT), BEARING) else 0


@kernel
def fact_of(code, buffer, at, end):
    """Bits of FACTS that a field with the value buffer[at:end] stands for. code: of its name."""
    if code == SERVER or code == POWERED_BY:
        return F_VERSION if tells_version(buffer, at, end) else 0
    if code == SUNSET or code == DEPRECATION:
        return F_DEPRECATED
    if code == SET_COOKIE:
        return cookie_facts(buffer, at, end)
    if code == CACHE_CONTROL:
        return F_NO_STORE if holds_one_of(buffer, at, min(end, at + LOOKED_AT), NOT_SHARED) else 0
    if code == ASPNET_VERSION or code == ASPNETMVC_VERSION:
        return F_VERSION
    if code == GENERATOR:
        return F_VERSION if names_release(buffer, at, end) else 0
    if code == CONTENT_TYPE_OPTIONS:
        return F_NOSNIFF
    if code == CONTENT_SECURITY:
        long = end - at > LOOKED_AT  # what is not looked at is not said to lack anything
        return F_CONTENT | (F_FRAME if long or holds_one_of(buffer, at, end, ANCESTORS) else 0)
    if code == FRAME_OPTIONS:
        return F_FRAME
    if code == REFERRER_POLICY:
        return F_REFERRER
    if code == STRICT_TRANSPORT:
        return F_STRICT
    if code == ALLOW_CREDENTIALS:
        return F_CREDENTIALS if end - at == 4 and first_eight(buffer, at, 4) == TRUE else 0
    return 0


@kernel
def note_fact(code, buffer, at, end, message):
    """Keep what a field with the value buffer[at:end] says of how its server is run. code: of its name."""
    if code == ALLOW_ORIGIN:
        note_origin(buffer, at, end, message)
    else:
        message["facts"] |= fact_of(code, buffer, at, end)
