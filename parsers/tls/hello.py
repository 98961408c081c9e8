"""The ClientHello (RFC 8446 4.1.2): whom a client asks for, and what it can do. No secret is in it.

Offsets are relative to a buffer that holds the handshake message alone, without the headers of the records that carried it.
"""

import numpy as np

from sensor.core.jit import kernel
from sensor.core.records import HELLO_EXTENSIONS, HELLO_NAME
from sensor.core.wide import copy, load_be16

RECORD, MESSAGE = 5, 4
"""Bytes of the headers of a record and of a handshake message."""
HANDSHAKE, CLIENT_HELLO = 22, 1
HELLO_LIMIT = 16_384
"""Bytes of a ClientHello with its records. With post-quantum key shares they have about 1,800."""
MORE, NOT = 0, -1
SERVER_NAME, SIGNATURE_ALGORITHMS, ALPN, SUPPORTED_VERSIONS = 0, 13, 16, 43
FIXED = 2 + 32
"""Bytes of legacy_version and random."""


@kernel
def is_grease(value):
    """Whether a number is one of those that mean nothing (RFC 8701)."""
    return (value & 0x0F0F) == 0x0A0A and (value >> 8) == (value & 0xFF)


@kernel
def be16(buffer, at):
    """Two bytes as a signed number."""
    return np.int64(load_be16(buffer, at))


@kernel
def join_records(buffer, at, end, target):
    """Copy the first handshake message in the records of buffer[at:end] to the target, which has room for HELLO_LIMIT bytes.

    Returns its length; MORE when a part is still to come; NOT when this is no handshake, or one that is too long.
    """
    used, wanted = np.int64(0), np.int64(MESSAGE)
    while used < wanted:
        if end - at < RECORD:
            return np.int64(MORE)
        length = be16(buffer, at + 3)
        if buffer[at] != HANDSHAKE or buffer[at + 1] != 3 or length == 0 or used + length > HELLO_LIMIT:
            return np.int64(NOT)
        size = min(length, end - at - RECORD)
        copy(target, used, buffer, at + RECORD, size)
        used += size
        at += RECORD + size
        if used >= MESSAGE:
            wanted = MESSAGE + (np.int64(target[1]) << 16) + be16(target, 2)
            if target[0] != CLIENT_HELLO or wanted > HELLO_LIMIT:
                return np.int64(NOT)
        if size < length and used < wanted:
            return np.int64(MORE)
    return wanted


@kernel
def add_sorted(numbers, count, value):
    """Put a number in its place among numbers[:count], which are in order."""
    while count > 0 and numbers[count - 1] > value:
        numbers[count] = numbers[count - 1]
        count -= 1
    numbers[count] = value


@kernel
def read_list(buffer, at, end, numbers, in_order):
    """Numbers of two bytes but those of GREASE, in the order sent or in their own: how many, or NOT when they are too many."""
    count = 0
    while at + 2 <= end:
        value = be16(buffer, at)
        at += 2
        if is_grease(value):
            continue
        if count == numbers.shape[0]:
            return np.int64(NOT)
        if in_order:
            add_sorted(numbers, count, value)
        else:
            numbers[count] = value
        count += 1
    return np.int64(count)


@kernel
def read_name(buffer, at, end, hello):
    """The host_name of a server_name extension (RFC 6066 3), in lower case; one with characters that no name has is none."""
    if end - at < 5 or buffer[at + 2] != 0:
        return
    length = be16(buffer, at + 3)
    if length > end - at - 5 or length > HELLO_NAME:
        return
    for k in range(length):
        byte = buffer[at + 5 + k]
        if 65 <= byte <= 90:
            byte += 32
        is_name = 97 <= byte <= 122 or 48 <= byte <= 57 or byte == 45 or byte == 46 or byte == 95
        if not is_name:
            hello["name"][:k] = 0
            return
        hello["name"][k] = byte
    hello["name_len"] = length


@kernel
def read_alpn(buffer, at, end, hello):
    """First and last byte of the first protocol of an ALPN extension (RFC 7301 3.1)."""
    if end - at < 3:
        return
    length = np.int64(buffer[at + 2])
    if length == 0 or at + 3 + length > end:
        return
    hello["alpn"][0] = buffer[at + 3]
    hello["alpn"][1] = buffer[at + 2 + length]
    hello["has_alpn"] = 1


@kernel
def read_versions(buffer, at, end, hello):
    """The highest version of a supported_versions extension (RFC 8446 4.2.1)."""
    highest, at = 0, at + 1
    while at + 2 <= end:
        value = be16(buffer, at)
        if not is_grease(value):
            highest = max(highest, value)
        at += 2
    if highest:
        hello["version"] = highest


@kernel
def read_extensions(buffer, at, end, hello):
    """All extensions: False when they are too many, or do not fit into what holds them."""
    count = 0
    while at + 4 <= end:
        kind, length = be16(buffer, at), be16(buffer, at + 2)
        at += 4
        if length > end - at:
            return False
        if kind == SERVER_NAME:
            hello["named"] = 1
            read_name(buffer, at, at + length, hello)
        elif kind == ALPN:
            read_alpn(buffer, at, at + length, hello)
        elif kind == SUPPORTED_VERSIONS:
            read_versions(buffer, at, at + length, hello)
        elif kind == SIGNATURE_ALGORITHMS:
            found = read_list(buffer, at + 2, at + length, hello["algorithm"], False)
            if found < 0:
                return False
            hello["algorithms"] = found
        if not is_grease(kind):
            if count == HELLO_EXTENSIONS:
                return False
            add_sorted(hello["extension"], count, kind)
            count += 1
        at += length
    hello["extensions"] = count
    return True


@kernel
def read_hello(buffer, length, hello):
    """Fill a HELLO (zeros before) from the message in buffer[:length]. `whole` stays 0 where it cannot be read to its end."""
    at = np.int64(MESSAGE + FIXED)
    if length < at + 1:
        return
    hello["version"] = be16(buffer, np.int64(MESSAGE))
    at += 1 + np.int64(buffer[at])  # the session's identifier
    if at + 2 > length:
        return
    ciphers = be16(buffer, at)
    at += 2
    if at + ciphers + 1 > length:
        return
    found = read_list(buffer, at, at + ciphers, hello["cipher"], True)
    at += ciphers
    at += 1 + np.int64(buffer[at])  # methods of compression
    hello["ciphers"] = max(found, 0)
    if at + 2 > length:
        hello["whole"] = found >= 0 and at == length  # without extensions, as before TLS 1.2
        return
    end = at + 2 + be16(buffer, at)
    fits = end <= length and read_extensions(buffer, at + 2, min(end, length), hello)
    hello["whole"] = fits and found >= 0
