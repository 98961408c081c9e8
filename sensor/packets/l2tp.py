"""L2TP: version 2 over UDP, which carries PPP, and version 3 over UDP or IP, which carries Ethernet.

How many bytes a session's cookie and sublayer take is agreed between its ends, and nothing in the packet tells: they are taken
for what leaves an Ethernet frame with a whole IP header behind it, whose checksum or length is right.
"""

import numpy as np

from sensor.core.jit import kernel
from sensor.core.wide import load_be16, load_be32
from sensor.packets.encap import KIND_L2TP, push
from sensor.packets.layers import ETHERNET, OTHER_PROTOCOL, PPP, TOO_DEEP, TRUNCATED, UDP

U = np.uint64
ETHERNET_HEADER, TAG = 14, 4
COOKIES_AND_SUBLAYERS = (0, 4, 8, 12)
"""Bytes between a session's number and its frame: a cookie of 0, 4 or 8 bytes (RFC 3931 4.1), a sublayer of 0 or 4 (4.6)."""
PADDED = 64
"""Bytes that an Ethernet frame may be padded with, and more."""


@kernel
def l2tp(chunk, at, end, stack):
    """A data message over UDP: of version 2 (RFC 2661 3.1) here; control messages are ordinary UDP."""
    if end - at < 6:
        return UDP, at, end
    flags = np.int64(load_be16(chunk, at))
    if flags & 0x800F == 3:
        return session(chunk, at + 4, end, stack, UDP)
    if flags & 0x800F != 2:
        return UDP, at, end
    start = at
    at += 2
    if flags & 0x4000:
        end = min(end, start + max(6, np.int64(load_be16(chunk, at))))
        at += 2
    label = np.uint32(load_be32(chunk, at))  # tunnel and session
    at += 4
    if flags & 0x0800:
        at += 4
    if flags & 0x0200:
        if end - at < 2:
            return TRUNCATED, min(at, end), end
        at += 2 + np.int64(load_be16(chunk, at))
    if end - at < 1:
        return TRUNCATED, min(at, end), end
    if not push(stack, KIND_L2TP, label):
        return TOO_DEEP, at, end
    return PPP, at, end


@kernel
def header_adds_up(chunk, at, size):
    """Whether the checksum of the IPv4 header chunk[at : at + size] is right (RFC 791 3.1)."""
    total = U(0)
    for k in range(at, at + size, 2):
        total += load_be16(chunk, k)
    while total >> U(16):
        total = (total & U(0xFFFF)) + (total >> U(16))
    return total == U(0xFFFF)


@kernel
def carries_ip(chunk, at, end):
    """Whether chunk[at:end] is an Ethernet frame, tagged or not, with an IP packet in it."""
    if end - at < ETHERNET_HEADER + 2 * TAG + 20:
        return False
    kind = load_be16(chunk, at + ETHERNET_HEADER - 2)
    at += ETHERNET_HEADER
    for _ in range(2):
        if kind == U(0x8100) or kind == U(0x88A8):
            kind = load_be16(chunk, at + 2)
            at += TAG
    first = np.int64(chunk[at])
    if kind == U(0x0800) and first >> 4 == 4:
        size = (first & 0xF) * 4
        return size >= 20 and end - at >= size and header_adds_up(chunk, at, size)
    if kind == U(0x86DD) and first >> 4 == 6 and end - at >= 40:
        rest = end - at - 40 - np.int64(load_be16(chunk, at + 4))
        return 0 <= rest <= PADDED
    return False


@kernel
def session(chunk, at, end, stack, otherwise):
    """A data message of version 3 (RFC 3931 4.1), from its session's number on; `otherwise`: what it is where it is none."""
    if end - at < 4:
        return otherwise, at, end
    number = load_be32(chunk, at)
    if number == U(0):  # a control message
        return otherwise, at, end
    for skipped in COOKIES_AND_SUBLAYERS:
        if carries_ip(chunk, at + 4 + skipped, end):
            if not push(stack, KIND_L2TP, np.uint32(number)):
                return TOO_DEEP, at, end
            return ETHERNET, at + 4 + skipped, end
    return otherwise, at, end


@kernel
def over_ip(chunk, at, end, stack):
    """Version 3 over IP (RFC 3931 4.1.1.1)."""
    return session(chunk, at, end, stack, OTHER_PROTOCOL)
