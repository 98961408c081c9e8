"""The PROXY protocol: what a load balancer writes before the first byte of a connection, versions 1 and 2.

https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt. Whether it is believed is for the inventory to say.
"""

import numpy as np

from parsers.http.text import CR, LF, SP, find_byte
from sensor.core.addresses import MAPPED, parse_address
from sensor.core.hashing import U
from sensor.core.jit import kernel
from sensor.core.wide import load_be16, load_be32, load_be64, load_le64, word

LONGEST_LINE = 107
"""Bytes of a header of version 1 with its line end."""
FIXED = 16
"""Bytes of version 2 before the addresses."""
PROXY_WORD, SIX = word(b"PROXY "), U(0xFFFFFFFFFFFF)
SIGNATURE, SIGNATURE_END = 0x0D0A0D0A000D0A51, 0x5549540A  # \r\n\r\n\0\r\nQ UIT\n
PROXIED, OVER_TCP4, OVER_TCP6 = 0x21, 0x11, 0x21


@kernel
def take_line(buffer, at, end, connection, groups):
    """Version 1, `PROXY TCP4 192.0.2.1 192.0.2.2 56324 443`: bytes of it, 0 where it is none."""
    line_end = find_byte(buffer, at, min(end, at + LONGEST_LINE), LF)
    if line_end < 0 or buffer[line_end - 1] != CR or load_le64(buffer, at) & SIX != PROXY_WORD:
        return np.int64(0)
    first = find_byte(buffer, at + 6, line_end, SP)
    second = find_byte(buffer, first + 1, line_end, SP) if first > 0 else np.int64(-1)
    if second > 0:
        good, high, low = parse_address(buffer, first + 1, second, groups)
        if good:
            connection["proxied_hi"] = high
            connection["proxied_lo"] = low
    return line_end + 1 - at


@kernel
def take_binary(buffer, at, end, connection):
    """Version 2: bytes of it, 0 where it is none, or not whole."""
    if end - at < FIXED or load_be64(buffer, at) != U(SIGNATURE) or load_be32(buffer, at + 8) != U(SIGNATURE_END):
        return np.int64(0)
    size = FIXED + np.int64(load_be16(buffer, at + 14))
    if size > end - at or buffer[at + 12] >> 4 != 2:
        return np.int64(0)
    if buffer[at + 12] == PROXIED and buffer[at + 13] == OVER_TCP4 and size >= FIXED + 12:
        connection["proxied_hi"] = 0
        connection["proxied_lo"] = U(MAPPED) | load_be32(buffer, at + FIXED)
    elif buffer[at + 12] == PROXIED and buffer[at + 13] == OVER_TCP6 and size >= FIXED + 36:
        connection["proxied_hi"] = load_be64(buffer, at + FIXED)
        connection["proxied_lo"] = load_be64(buffer, at + FIXED + 8)
    return size


@kernel
def take_proxy_header(buffer, at, end, connection, groups):
    """Bytes of such a header at the start of a connection, 0 where there is none; who is proxied goes to the connection."""
    size = take_binary(buffer, at, end, connection)
    return size if size else take_line(buffer, at, end, connection, groups)
