"""Hashes of the sensor: a fast mix for its own tables, and keyed SipHash for whatever must not be readable."""

import numpy as np

from sensor.core.jit import kernel
from sensor.core.wide import load_le64

U = np.uint64
LOCATION_SEED = U(5)
"""Of hashes of paths that are compared between a request and the Location of its answer."""
LOCATION_ERROR = U(1)
"""Instead of such a hash: the Location names an error in its query."""
_MULTIPLIER = U(0x9E3779B97F4A7C15)
_FOLD = U(0xD6E8FEB86659FD93)


@kernel
def mix(value):
    """One uint64 to another, every input bit reaching every output bit (Stafford's variant 13 of the Murmur3 finaliser)."""
    value = (value ^ (value >> U(30))) * U(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> U(27))) * U(0x94D049BB133111EB)
    return value ^ (value >> U(31))


@kernel
def hash_bytes(buffer, at, length, seed):
    """64-bit hash of buffer[at : at + length]; for tables, not for secrets. Reads up to 7 bytes of slack."""
    value = seed ^ (U(length) * _MULTIPLIER)
    end = at + length
    while at + 8 <= end:
        value = (value ^ load_le64(buffer, at)) * _FOLD
        value ^= value >> U(29)
        at += 8
    if at < end:
        tail = load_le64(buffer, at) & ((U(1) << U(8 * (end - at))) - U(1))
        value = (value ^ tail) * _FOLD
        value ^= value >> U(29)
    return mix(value)


@kernel
def _sip_round(v0, v1, v2, v3):
    v0 += v1
    v1 = (v1 << U(13)) | (v1 >> U(51))
    v1 ^= v0
    v0 = (v0 << U(32)) | (v0 >> U(32))
    v2 += v3
    v3 = (v3 << U(16)) | (v3 >> U(48))
    v3 ^= v2
    v0 += v3
    v3 = (v3 << U(21)) | (v3 >> U(43))
    v3 ^= v0
    v2 += v1
    v1 = (v1 << U(17)) | (v1 >> U(47))
    v1 ^= v2
    v2 = (v2 << U(32)) | (v2 >> U(32))
    return v0, v1, v2, v3


@kernel
def _sip_start(key0, key1):
    return (
        U(0x736F6D6570736575) ^ key0,
        U(0x646F72616E646F6D) ^ key1,
        U(0x6C7967656E657261) ^ key0,
        U(0x7465646279746573) ^ key1,
    )


@kernel
def _sip_take(v0, v1, v2, v3, block):
    v3 ^= block
    v0, v1, v2, v3 = _sip_round(v0, v1, v2, v3)
    v0, v1, v2, v3 = _sip_round(v0, v1, v2, v3)
    return v0 ^ block, v1, v2, v3


@kernel
def _sip_end(v0, v1, v2, v3):
    v2 ^= U(0xFF)
    for _ in range(4):
        v0, v1, v2, v3 = _sip_round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


@kernel
def siphash(buffer, at, length, key0, key1):
    """SipHash-2-4 under a 128-bit key of two uint64 (Aumasson and Bernstein 2012). Reads up to 7 bytes of slack."""
    v0, v1, v2, v3 = _sip_start(key0, key1)
    end = at + length
    while at + 8 <= end:
        v0, v1, v2, v3 = _sip_take(v0, v1, v2, v3, load_le64(buffer, at))
        at += 8
    last = U(length & 0xFF) << U(56)
    if at < end:
        last |= load_le64(buffer, at) & ((U(1) << U(8 * (end - at))) - U(1))
    v0, v1, v2, v3 = _sip_take(v0, v1, v2, v3, last)
    return _sip_end(v0, v1, v2, v3)


@kernel
def siphash_word(word, key0, key1):
    """SipHash-2-4 of one uint64, as of its eight bytes."""
    v0, v1, v2, v3 = _sip_start(key0, key1)
    v0, v1, v2, v3 = _sip_take(v0, v1, v2, v3, U(word))
    v0, v1, v2, v3 = _sip_take(v0, v1, v2, v3, U(8) << U(56))
    return _sip_end(v0, v1, v2, v3)


@kernel
def with_query(path, query):
    """Hash of a path with a query, of the hashes of both."""
    return mix(path ^ mix(query))
