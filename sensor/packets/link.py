"""Link layers: Ethernet with 802.1Q and QinQ, Linux cooked captures, BSD loopback, raw IP."""

import numpy as np

from sensor.core.jit import inlined, kernel
from sensor.core.wide import load_be16, load_be32, load_le32
from sensor.packets.encap import KIND_VLAN, push
from sensor.packets.layers import ETHERTYPE, IPV4, IPV6, MALFORMED, NOT_IP, TOO_DEEP, TRUNCATED

AF_INET = 2
AF_INET6 = (10, 24, 28, 30)
"""Linux; OpenBSD and NetBSD; FreeBSD; Darwin."""


@inlined
def ethernet(chunk, at, end):
    """Two addresses of six bytes; the type field is the next layer's business."""
    if end - at < 14:
        return TRUNCATED, at, end
    return ETHERTYPE, at + 12, end


@inlined
def ethertype(chunk, at, end, encaps, vlan_separates):
    """An EtherType and what it announces; 802.1Q, 802.1ad and the older QinQ types bring another one behind them."""
    if end - at < 2:
        return TRUNCATED, at, end
    kind = np.int64(load_be16(chunk, at))
    at += 2
    if kind == 0x0800:
        return IPV4, at, end
    if kind == 0x86DD:
        return IPV6, at, end
    if kind == 0x8100 or kind == 0x88A8 or kind == 0x9100 or kind == 0x9200:
        if end - at < 4:
            return TRUNCATED, at, end
        if not push(encaps, KIND_VLAN, np.uint32(load_be16(chunk, at) & np.uint64(0xFFF)), vlan_separates):
            return TOO_DEEP, at, end
        return ETHERTYPE, at + 2, end
    return NOT_IP, at, end


@kernel
def sll(chunk, at, end):
    """Linux cooked capture: packet type, ARPHRD, address, then an EtherType at 14."""
    if end - at < 16:
        return TRUNCATED, at, end
    return ETHERTYPE, at + 14, end


@kernel
def sll2(chunk, at, end):
    """Linux cooked capture v2: the EtherType comes first in a header of 20 bytes."""
    if end - at < 20:
        return TRUNCATED, at, end
    kind = load_be16(chunk, at)
    at += 20
    if kind == np.uint64(0x0800):
        return IPV4, at, end
    if kind == np.uint64(0x86DD):
        return IPV6, at, end
    return NOT_IP, at, end


@kernel
def loopback(chunk, at, end):
    """BSD loopback: an address family of four bytes in the order of the machine that captured, or of the network (LOOP)."""
    if end - at < 4:
        return TRUNCATED, at, end
    family = min(load_le32(chunk, at), load_be32(chunk, at))
    at += 4
    if family == np.uint64(AF_INET):
        return IPV4, at, end
    for known in AF_INET6:
        if family == np.uint64(known):
            return IPV6, at, end
    return NOT_IP, at, end


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
