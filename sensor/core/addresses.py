"""Addresses as text: IPv4, IPv6, in brackets or with a port."""

import functools
import ipaddress

import numpy as np

from sensor.core.hashing import U
from sensor.core.jit import kernel

MAPPED = 0xFFFF << 32
"""Of IPv4 addresses as IPv6 has them: ::ffff:a.b.c.d."""
COLON, DOT, OPEN, CLOSE = 58, 46, 91, 93
REMEMBERED = 8_192
"""Addresses whose text is kept: batches name the same ones again and again."""


@kernel
def parse_v4(text, at, end):
    """(whether text[at:end] is an IPv4 address, its number)"""
    value, part, digits, parts = 0, 0, 0, 0
    for k in range(at, end):
        byte = text[k]
        if byte == DOT:
            if digits == 0 or parts == 3:
                return False, U(0)
            value = value * 256 + part
            part, digits = 0, 0
            parts += 1
        elif 48 <= byte <= 57 and digits < 3:
            part = part * 10 + byte - 48
            digits += 1
            if part > 255:
                return False, U(0)
        else:
            return False, U(0)
    return parts == 3 and digits > 0, U(value * 256 + part)


@kernel
def hex_value(byte):
    """Value of a hexadecimal digit, -1 of anything else."""
    if 48 <= byte <= 57:
        return np.int64(byte) - 48
    byte |= 32
    return np.int64(byte) - 87 if 97 <= byte <= 102 else np.int64(-1)


@kernel
def put_group(high, low, place, group):
    """Set group `place` (0 to 7) of an IPv6 address."""
    shift = U(16 * (3 - place % 4))
    if place < 4:
        return high | U(group) << shift, low
    return high, low | U(group) << shift


@kernel
def read_groups(text, at, end, groups):
    """(groups of an IPv6 address in the order written, -1 for none; how many of them stand before `::`, -1 without one)"""
    count, gap = 0, -1
    if end - at < 2 or (text[at] == COLON and text[at + 1] != COLON):
        return -1, gap
    while at < end:
        if text[at] == COLON and at + 1 < end and text[at + 1] == COLON:
            if gap >= 0:
                return -1, gap
            gap = count
            at += 2
            continue
        start, value = at, np.int64(0)
        while at < end and at - start < 4 and hex_value(text[at]) >= 0:
            value = value * 16 + hex_value(text[at])
            at += 1
        if at < end and text[at] == DOT:  # the last two as an IPv4 address
            good, number = parse_v4(text, start, end)
            if not good or count > 6:
                return -1, gap
            groups[count] = np.int64(number >> U(16))
            groups[count + 1] = np.int64(number & U(0xFFFF))
            return count + 2, gap
        if at == start or count == 8:
            return -1, gap
        groups[count] = value
        count += 1
        if at < end:
            if text[at] != COLON or at + 1 == end:
                return -1, gap
            at += text[at + 1] != COLON
    return count, gap


@kernel
def parse_v6(text, at, end, groups):
    """(whether text[at:end] is an IPv6 address (RFC 4291 2.2), its halves). groups: int64[8]"""
    high, low = U(0), U(0)
    count, gap = read_groups(text, at, end, groups)
    if count < 0 or (gap < 0 and count != 8) or (gap >= 0 and count > 7):
        return False, high, low
    for k in range(count):
        high, low = put_group(high, low, k if gap < 0 or k < gap else k + 8 - count, groups[k])
    return True, high, low


@kernel
def parse_address(text, at, end, groups):
    """(whether text[at:end] is an address, maybe in brackets or with a port, its halves). groups: int64[8]"""
    if at < end and text[at] == OPEN:
        close = at
        while close < end and text[close] != CLOSE:
            close += 1
        return parse_v6(text, at + 1, close, groups)
    colons, last = 0, end
    for k in range(at, end):
        if text[k] == COLON:
            colons += 1
            last = k
    if colons <= 1:
        good, number = parse_v4(text, at, last)
        return good, U(0), U(MAPPED) | number
    return parse_v6(text, at, end, groups)


@functools.lru_cache(maxsize=REMEMBERED)
def address_text(high: int, low: int) -> str:
    """An address as text, IPv4 without its prefix."""
    if high == 0 and low >> 32 == 0xFFFF:
        return str(ipaddress.IPv4Address(low & 0xFFFFFFFF))
    return str(ipaddress.IPv6Address((high << 64) | low))
