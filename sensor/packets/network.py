"""IPv4 with options (RFC 791) and IPv6 with extension headers (RFC 8200)."""

import numpy as np

from sensor.core.jit import inlined, kernel
from sensor.core.wide import load_be16, load_be32, load_be64
from sensor.packets.layers import ICMP, IP_FRAGMENT, MALFORMED, OTHER_PROTOCOL, TCP, TRUNCATED, UDP

V4_PREFIX = np.uint64(0xFFFF00000000)
"""Low half of ::ffff:0:0/96, where IPv4 addresses live."""
MAX_EXTENSIONS = 16
"""Extension headers of one packet; each costs a step, and no ordinary packet has more than a few."""


@kernel
def transport(protocol):
    """Layer of an IP protocol number."""
    if protocol == 6:
        return TCP
    if protocol == 17:
        return UDP
    if protocol == 1 or protocol == 58:
        return ICMP
    return OTHER_PROTOCOL


@inlined
def ipv4(chunk, at, end, packet):
    """Addresses into `packet`; the packet's own length trims link-layer padding, and counts what the snap length cut."""
    if end - at < 20:
        return TRUNCATED, at, end
    first = np.int64(chunk[at])
    header = (first & 0xF) * 4
    if first >> 4 != 4 or header < 20:
        return MALFORMED, at, end
    if end - at < header:
        return TRUNCATED, at, end
    total = np.int64(load_be16(chunk, at + 2))
    if total == 0:  # segmentation offload leaves the length to the card
        total = end - at
    if total < header:
        return MALFORMED, at, end
    packet["src_hi"] = 0
    packet["src_lo"] = V4_PREFIX | load_be32(chunk, at + 12)
    packet["dst_hi"] = 0
    packet["dst_lo"] = V4_PREFIX | load_be32(chunk, at + 16)
    packet["missing"] = max(0, at + total - end)
    if load_be16(chunk, at + 6) & np.uint64(0x3FFF):
        return IP_FRAGMENT, at, end
    return transport(chunk[at + 9]), at + header, min(end, at + total)


@kernel
def ipv6(chunk, at, end, packet):
    """Addresses into `packet`, then along the extension headers to the transport layer."""
    if end - at < 40:
        return TRUNCATED, at, end
    if chunk[at] >> 4 != 6:
        return MALFORMED, at, end
    payload = np.int64(load_be16(chunk, at + 4))
    if payload == 0:  # a jumbogram, or segmentation offload
        payload = end - at - 40
    packet["src_hi"] = load_be64(chunk, at + 8)
    packet["src_lo"] = load_be64(chunk, at + 16)
    packet["dst_hi"] = load_be64(chunk, at + 24)
    packet["dst_lo"] = load_be64(chunk, at + 32)
    packet["missing"] = max(0, at + 40 + payload - end)
    header = np.int64(chunk[at + 6])
    end = min(end, at + 40 + payload)
    at += 40
    for _ in range(MAX_EXTENSIONS):
        if header == 6 or header == 17 or header == 58 or header == 59:
            return transport(header), at, end
        if end - at < 8:
            return TRUNCATED, at, end
        if header == 44:  # fragment: an atomic one (RFC 6946) is whole
            if load_be16(chunk, at + 2) & np.uint64(0xFFF9):
                return IP_FRAGMENT, at, end
            size = 8
        elif header == 51:  # authentication header
            size = (np.int64(chunk[at + 1]) + 2) * 4
        elif header == 0 or header == 43 or header == 60 or header == 135 or header == 139 or header == 140:
            size = (np.int64(chunk[at + 1]) + 1) * 8
        else:
            return transport(header), at, end
        if end - at < size:
            return TRUNCATED, at, end
        header = np.int64(chunk[at])
        at += size
    return MALFORMED, at, end
