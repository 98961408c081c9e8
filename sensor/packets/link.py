"""Link layers: Ethernet and its tags, LLC, Linux cooked captures, BSD loopback, raw IP, NFLOG."""

import numpy as np

from sensor.core.jit import inlined, kernel
from sensor.core.wide import load_be16, load_be32, load_le16, load_le32
from sensor.packets.encap import KIND_PBB, KIND_VLAN, KIND_VNTAG, push
from sensor.packets.layers import (
    ETHERNET,
    ETHERTYPE,
    IPV4,
    IPV6,
    LLC,
    MALFORMED,
    MPLS,
    NOT_IP,
    NSH,
    PPPOE,
    TOO_DEEP,
    TRUNCATED,
    UNREADABLE,
)

AF_INET = 2
AF_INET6 = (10, 24, 28, 30)
"""Linux; OpenBSD and NetBSD; FreeBSD; Darwin."""
LARGEST_LENGTH = 1500
"""Where an EtherType could stand, numbers up to this are the length of an IEEE 802.3 frame."""
NFLOG_PAYLOAD = 9


@inlined
def ethernet(chunk, at, end):
    """Two addresses of six bytes; the type field is the next layer's business."""
    if end - at < 14:
        return TRUNCATED, at, end
    return ETHERTYPE, at + 12, end


@kernel
def tag(chunk, at, end, stack, kind):
    """A tag before another EtherType: 802.1Q and its stacked kin, Cisco's VN-tag, 802.1ah."""
    if kind == 0x8926:  # direction and destination of 16 bits, source of 16
        size, layer, label = 4, KIND_VNTAG, load_be16(chunk, at) & np.uint64(0x3FFF)
    elif kind == 0x88E7:  # priority of 8 bits, service of 24; a whole Ethernet frame follows
        size, layer, label = 4, KIND_PBB, load_be32(chunk, at) & np.uint64(0xFFFFFF)
    else:
        size, layer, label = 2, KIND_VLAN, load_be16(chunk, at) & np.uint64(0xFFF)
    if end - at < size + 2:
        return TRUNCATED, at, end
    if not push(stack, layer, np.uint32(label)):
        return TOO_DEEP, at, end
    return (ETHERNET if layer == KIND_PBB else ETHERTYPE), at + size, end


@inlined
def by_ethertype(kind, chunk, at, end, stack):
    """What an EtherType announces, chunk[at] being the byte behind it."""
    if kind == 0x0800:
        return IPV4, at, end
    if kind == 0x86DD:
        return IPV6, at, end
    if kind == 0x8100 or kind == 0x88A8 or kind == 0x9100 or kind == 0x9200 or kind == 0x8926 or kind == 0x88E7:
        return tag(chunk, at, end, stack, kind)
    if kind == 0x8847 or kind == 0x8848:
        return MPLS, at, end
    if kind == 0x8864:
        return PPPOE, at, end
    if kind <= LARGEST_LENGTH:
        return LLC, at, (min(end, at + kind) if kind > 4 else end)  # Linux writes 1 and 4 for IEEE 802.3 and LLC
    if kind == 0x894F:
        return NSH, at, end
    if kind == 0x6558:
        return ETHERNET, at, end
    if kind == 0x88E5:  # MACsec
        return UNREADABLE, at, end
    return NOT_IP, at, end


@inlined
def ethertype(chunk, at, end, stack):
    """An EtherType and what it announces."""
    if end - at < 2:
        return TRUNCATED, at, end
    return by_ethertype(np.int64(load_be16(chunk, at)), chunk, at + 2, end, stack)


@kernel
def llc(chunk, at, end):
    """IEEE 802.2 with SNAP (RFC 1042): an EtherType behind six bytes."""
    if end - at < 8:
        return TRUNCATED, at, end
    if load_be32(chunk, at) >> np.uint64(8) != np.uint64(0xAAAA03):
        return NOT_IP, at, end
    return ETHERTYPE, at + 6, end


@kernel
def sll(chunk, at, end):
    """Linux cooked capture: packet type, ARPHRD, address, then an EtherType at 14."""
    if end - at < 16:
        return TRUNCATED, at, end
    return ETHERTYPE, at + 14, end


@kernel
def sll2(chunk, at, end, stack):
    """Linux cooked capture v2: the EtherType comes first in a header of 20 bytes."""
    if end - at < 20:
        return TRUNCATED, at, end
    return by_ethertype(np.int64(load_be16(chunk, at)), chunk, at + 20, end, stack)


@kernel
def family(number):
    """Layer of an address family."""
    if number == AF_INET:
        return IPV4
    for known in AF_INET6:
        if number == known:
            return IPV6
    return NOT_IP


@kernel
def loopback(chunk, at, end):
    """BSD loopback: an address family of four bytes in the order of the machine that captured, or of the network (LOOP)."""
    if end - at < 4:
        return TRUNCATED, at, end
    return family(np.int64(min(load_le32(chunk, at), load_be32(chunk, at)))), at + 4, end


@kernel
def raw_ip(chunk, at, end):
    """An IP packet without a link layer: its first four bits tell which."""
    if end - at < 1:
        return TRUNCATED, at, end
    version = chunk[at] >> 4
    if version == 4:
        return IPV4, at, end
    if version == 6:
        return IPV6, at, end
    return MALFORMED, at, end


@kernel
def nflog(chunk, at, end):
    """Linux netfilter log: a family, then attributes in the byte order of the machine that captured; one is the packet."""
    if end - at < 4:
        return TRUNCATED, at, end
    layer = family(np.int64(chunk[at]))
    at += 4
    while end - at >= 4:
        little, big = np.int64(load_le16(chunk, at)), np.int64(load_be16(chunk, at))
        length = min(little, big)  # attributes of more than 255 bytes whose bytes read smaller the other way are told by kind
        kind = np.int64(load_le16(chunk, at + 2)) & 0x7FFF
        if kind > 255:
            kind, length = np.int64(load_be16(chunk, at + 2)) & 0x7FFF, big
        elif kind > 0:
            length = little
        if length < 4:
            return MALFORMED, at, end
        if kind == NFLOG_PAYLOAD:
            return layer, at + 4, min(end, at + length)
        at += (length + 3) & ~3
    return TRUNCATED, at, end
