"""Names of header fields: which ones the sensor reads, and which ones HTTP itself, clients and proxies send anyway."""

import numpy as np

from parsers.http.text import LOWER
from sensor.core.hashing import U
from sensor.core.jit import inlined, kernel
from sensor.core.wide import load_le64, word

USUAL = (
    "host", "user-agent", "accept", "accept-encoding", "accept-language", "accept-charset", "connection", "keep-alive",
    "proxy-connection", "content-type", "content-length", "content-encoding", "transfer-encoding", "te", "trailer", "expect",
    "upgrade", "http2-settings", "cache-control", "pragma", "date", "via", "from", "warning", "max-forwards", "range",
    "if-range", "if-none-match", "if-modified-since", "if-match", "if-unmodified-since", "referer", "origin", "dnt",
    "priority", "authorization", "proxy-authorization", "upgrade-insecure-requests", "purpose", "save-data", "sec-gpc",
    "sec-purpose", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-user", "sec-fetch-dest", "sec-ch-ua", "sec-ch-ua-mobile",
    "sec-ch-ua-platform", "sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions", "sec-websocket-protocol",
    "access-control-request-method", "access-control-request-headers", "x-forwarded-for", "x-forwarded-proto",
    "x-forwarded-host", "x-forwarded-port", "x-real-ip", "forwarded", "traceparent", "tracestate", "x-request-id",
    "x-correlation-id", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-amzn-trace-id", "x-requested-with",
    "grpc-accept-encoding", "grpc-encoding", "grpc-timeout",
    "server", "set-cookie", "location", "etag", "last-modified", "expires", "age", "vary", "allow", "accept-ranges",
    "content-range", "content-language", "content-location", "content-disposition", "www-authenticate", "proxy-authenticate",
    "retry-after", "alt-svc", "accept-patch", "accept-post", "clear-site-data", "server-timing", "timing-allow-origin",
    "report-to", "reporting-endpoints", "nel", "x-powered-by", "x-aspnet-version", "x-aspnetmvc-version", "x-generator",
    "strict-transport-security",
    "x-content-type-options", "content-security-policy", "content-security-policy-report-only", "x-frame-options",
    "x-xss-protection", "x-dns-prefetch-control", "referrer-policy", "permissions-policy", "feature-policy", "expect-ct",
    "cross-origin-opener-policy", "cross-origin-embedder-policy", "cross-origin-resource-policy", "origin-agent-cluster",
    "x-permitted-cross-domain-policies", "x-download-options", "access-control-allow-origin",
    "access-control-allow-credentials", "access-control-allow-methods", "access-control-allow-headers",
    "access-control-expose-headers", "access-control-max-age", "x-cache", "x-cache-hits", "x-served-by", "x-timer", "cf-ray",
    "cf-cache-status", "x-amz-cf-id", "x-amz-cf-pop", "x-varnish", "x-runtime", "x-envoy-upstream-service-time",
    "x-kong-upstream-latency", "x-kong-proxy-latency",
)  # fmt: skip
"""What HTTP itself, browsers, servers, proxies and tracing send anywhere: nothing that an API would name a parameter."""

READ = (
    "host", "cookie", "referer", "upgrade", "api-key", "location", "x-api-key", "forwarded", "user-agent", "grpc-status",
    "content-type", "x-auth-token", "authorization", "content-length", "x-forwarded-for", "content-encoding",
    "transfer-encoding",
)  # fmt: skip
"""Fields whose values say what a message is and who sent it: fields.py reads them."""
TELLING = (
    "server", "sunset", "deprecation", "set-cookie", "x-powered-by", "cache-control", "x-aspnet-version",
    "x-content-type-options", "content-security-policy", "strict-transport-security", "access-control-allow-origin",
    "access-control-allow-credentials", "x-aspnetmvc-version", "x-generator", "x-frame-options", "referrer-policy",
)  # fmt: skip
"""Fields that tell how a server is run: facts.py reads them."""
PSEUDO = (":method", ":path", ":scheme", ":authority", ":protocol", ":status")
"""Pseudo-header fields of HTTP/2 (RFC 9113 8.3, RFC 8441 4): http2/fields.py reads them."""
CODE = {name: code for code, name in enumerate(READ + TELLING + PSEUDO, 1)}
FIRST_TELLING = CODE[TELLING[0]]
IS_USUAL = 128
UNKNOWN_NAME = 0
KIND_MASK = 255
KINDS = CODE | {name: CODE.get(name, UNKNOWN_NAME) | IS_USUAL for name in USUAL + PSEUDO}
"""The kind of a name: its CODE, with IS_USUAL for one of the usual."""

SLOTS = 512
NAME_A, NAME_B = U(0x9E3779B97F4A7C15), U(0xD6E8FEB86659FD93)
"""Factors of the hashes of names."""
SHIFT = U(55)  # the upper 9 bits: SLOTS


@kernel
def name_words(buffer, at, length):
    """First and last eight bytes of a name, as sent; the same, zero-padded, for a shorter one."""
    first = load_le64(buffer, at)
    if length >= 8:
        return first, load_le64(buffer, at + length - 8)
    first &= (U(1) << U(8 * length)) - U(1)
    return first, first


def _ends(name: bytes) -> tuple[int, int]:
    """The plain twin of name_words."""
    return int(word(name[:8])), int(word(name[-8:]))


def _tables() -> tuple[np.ndarray, np.ndarray]:
    """By hash, uint64[SLOTS, 2]: (first, last ^ length) of a name, lower-cased, zeros are free; uint8[SLOTS]: its kind."""
    keys, kinds = np.zeros((SLOTS, 2), np.uint64), np.zeros(SLOTS, np.uint8)
    for name, kind in KINDS.items():
        first, last = (end | int(LOWER) for end in _ends(name.encode()))
        slot = ((first * int(NAME_A) ^ last * int(NAME_B)) + len(name)) % 2**64 >> int(SHIFT)
        while keys[slot, 0]:
            slot = (slot + 1) % SLOTS
        keys[slot] = first, last ^ len(name)
        kinds[slot] = kind
    return keys, kinds


KEYS, OF_KEYS = _tables()


def label(name: bytes) -> int:
    """The plain twin of label_of."""
    first, last = _ends(name)
    hashed = (first * int(NAME_A) + last * int(NAME_B) + len(name)) % 2**64
    return hashed >> 32 & ~KIND_MASK | KINDS.get(name.decode().lower(), UNKNOWN_NAME)


@inlined
def kind_of(first, last, length):
    """The kind of a name, UNKNOWN_NAME for most. first, last: of name_words."""
    first, last = first | LOWER, last | LOWER
    slot = np.int64(((first * NAME_A ^ last * NAME_B) + U(length)) >> SHIFT)
    while KEYS[slot, 0] != U(0):
        if KEYS[slot, 0] == first and KEYS[slot, 1] == last ^ U(length):
            return np.int64(OF_KEYS[slot])
        slot = (slot + 1) & (SLOTS - 1)
    return np.int64(UNKNOWN_NAME)


@inlined
def label_of(first, last, length):
    """What is remembered of a name: 32 bits, in the lowest eight its kind, in the others a hash of it as it was sent."""
    hashed = first * NAME_A + last * NAME_B + U(length)
    return np.int64(hashed >> U(32)) & ~KIND_MASK | kind_of(first, last, length)
