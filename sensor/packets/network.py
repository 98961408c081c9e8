"""IPv4 with options (RFC 791), IPv6 with extension headers (RFC 8200), and IP within IP."""

import numpy as np

from sensor.core.jit import inlined, kernel
from sensor.core.wide import load_be16, load_be32, load_be64
from sensor.packets.encap import KIND_4IN6, KIND_6IN4, KIND_6IN6, KIND_IPIP, NO_LABEL, push
from sensor.packets.layers import (
    DATAGRAM,
    ETHERIP,
    FRAGMENT4,
    FRAGMENT6,
    GRE,
    ICMP,
    IPV4,
    IPV6,
    L2TP_IP,
    MALFORMED,
    MPLS,
    OTHER_PROTOCOL,
    TCP,
    TOO_DEEP,
    TRUNCATED,
    UNREADABLE,
)

V4_PREFIX = np.uint64(0xFFFF00000000)
"""Low half of ::ffff:0:0/96, where IPv4 addresses live."""
MAX_EXTENSIONS = 16
"""Extension headers of one packet; each costs a step, and no ordinary packet has more than a few."""
LARGEST = 65_535
"""Bytes of a packet that does not tell its length: buffers of the stages behind are made for no more."""
ESP, IPV4_IN, IPV6_IN, ETHERIP_IN, MPLS_IN, GRE_IN, L2TP_IN = 50, 4, 41, 97, 137, 47, 115


@kernel
def other_transport(protocol, at, end, stack, version):
    """What an IP protocol number other than TCP's announces; version: of the packet that it stands in."""
    if protocol == 17:
        return DATAGRAM, at, end
    if protocol == 1 or protocol == 58:
        return ICMP, at, end
    if protocol == GRE_IN:
        return GRE, at, end
    if protocol == IPV4_IN or protocol == 94:
        kind = KIND_IPIP if version == 4 else KIND_4IN6
        return (IPV4 if push(stack, kind, np.uint32(NO_LABEL)) else TOO_DEEP), at, end
    if protocol == IPV6_IN:
        kind = KIND_6IN4 if version == 4 else KIND_6IN6
        return (IPV6 if push(stack, kind, np.uint32(NO_LABEL)) else TOO_DEEP), at, end
    if protocol == MPLS_IN:
        return MPLS, at, end
    if protocol == ETHERIP_IN:
        return ETHERIP, at, end
    if protocol == L2TP_IN:
        return L2TP_IP, at, end
    if protocol == ESP:
        return UNREADABLE, at, end
    return OTHER_PROTOCOL, at, end


@inlined
def transport(protocol, at, end, stack, version):
    """Layer of an IP protocol number."""
    if protocol == 6:
        return TCP, at, end
    return other_transport(protocol, at, end, stack, version)


@inlined
def ipv4(chunk, at, end, packet, stack):
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
        total = min(end - at, LARGEST)
    if total < header:
        return MALFORMED, at, end
    packet["src_hi"] = 0
    packet["src_lo"] = V4_PREFIX | load_be32(chunk, at + 12)
    packet["dst_hi"] = 0
    packet["dst_lo"] = V4_PREFIX | load_be32(chunk, at + 16)
    packet["missing"] = max(0, at + total - end)
    packet["ip_id"] = load_be16(chunk, at + 4)
    if load_be16(chunk, at + 6) & np.uint64(0x3FFF):
        return FRAGMENT4, at, min(end, at + total)
    return transport(chunk[at + 9], at + header, min(end, at + total), stack, 4)


@kernel
def ipv6(chunk, at, end, packet, stack):
    """Addresses into `packet`, then along the extension headers to the transport layer."""
    if end - at < 40:
        return TRUNCATED, at, end
    if chunk[at] >> 4 != 6:
        return MALFORMED, at, end
    payload = np.int64(load_be16(chunk, at + 4))
    if payload == 0:  # a jumbogram, or segmentation offload
        payload = min(end - at - 40, LARGEST)
    packet["src_hi"] = load_be64(chunk, at + 8)
    packet["src_lo"] = load_be64(chunk, at + 16)
    packet["dst_hi"] = load_be64(chunk, at + 24)
    packet["dst_lo"] = load_be64(chunk, at + 32)
    packet["missing"] = max(0, at + 40 + payload - end)
    packet["ip_id"] = 0
    return extensions(np.int64(chunk[at + 6]), chunk, at + 40, min(end, at + 40 + payload), stack)


@kernel
def extensions(header, chunk, at, end, stack):
    """Along the extension headers (RFC 8200 4), of which `header` is the first one's number, to what they lead to."""
    for _ in range(MAX_EXTENSIONS):
        if header == 6 or header == 17 or header == 58 or header == 59:
            return transport(header, at, end, stack, 6)
        if header == 44:  # fragment: an atomic one (RFC 6946) is whole
            if end - at < 8:
                return TRUNCATED, at, end
            if load_be16(chunk, at + 2) & np.uint64(0xFFF9):
                return FRAGMENT6, at, end
            size = 8
        elif header == 51:  # authentication header
            if end - at < 8:
                return TRUNCATED, at, end
            size = (np.int64(chunk[at + 1]) + 2) * 4
        elif header == 0 or header == 43 or header == 60 or header == 135 or header == 139 or header == 140:
            if end - at < 8:
                return TRUNCATED, at, end
            size = (np.int64(chunk[at + 1]) + 1) * 8
        else:
            return transport(header, at, end, stack, 6)
        if end - at < size:
            return TRUNCATED, at, end
        header = np.int64(chunk[at])
        at += size
    return MALFORMED, at, end
