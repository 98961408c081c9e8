"""Label switching and point-to-point links: MPLS, pseudowires, NSH, PPPoE, PPP, Cisco HDLC."""

import numpy as np

from sensor.core.jit import kernel
from sensor.core.wide import load_be16, load_be32
from sensor.packets.encap import KIND_MPLS, KIND_NSH, KIND_PPPOE, push
from sensor.packets.layers import ETHERNET, ETHERTYPE, IPV4, IPV6, MALFORMED, MPLS, NOT_IP, NSH, PPP, TOO_DEEP, TRUNCATED

U = np.uint64


@kernel
def mpls(chunk, at, end, stack):
    """One entry of a label stack (RFC 3032). Behind the last one nothing says what follows: the first four bits do,
    as RFC 4928 asks: 4 and 6 are IP, 0 is a pseudowire's control word (RFC 4385), anything else an Ethernet frame.
    """
    if end - at < 5:
        return TRUNCATED, at, end
    entry = load_be32(chunk, at)
    if not push(stack, KIND_MPLS, np.uint32(entry >> U(12))):
        return TOO_DEEP, at, end
    at += 4
    if not entry & U(0x100):
        return MPLS, at, end
    nibble = chunk[at] >> 4
    if nibble == 4:
        return IPV4, at, end
    if nibble == 6:
        return IPV6, at, end
    if nibble == 0:
        return ETHERNET, at + 4, end
    if nibble == 1:  # an associated channel (RFC 4385): the network's own talk
        return NOT_IP, at, end
    return ETHERNET, at, end


@kernel
def inner(number):
    """Layer of a next-protocol number of NSH and VXLAN-GPE (RFC 8300 2.2)."""
    if number == 1:
        return IPV4
    if number == 2:
        return IPV6
    if number == 3:
        return ETHERNET
    if number == 4:
        return NSH
    if number == 5:
        return MPLS
    return NOT_IP


@kernel
def nsh(chunk, at, end, stack):
    """Network Service Header (RFC 8300)."""
    if end - at < 8:
        return TRUNCATED, at, end
    length = (np.int64(load_be16(chunk, at)) & 0x3F) * 4
    if chunk[at] >> 6 or length < 8:
        return MALFORMED, at, end
    if end - at < length:
        return TRUNCATED, at, end
    if not push(stack, KIND_NSH, np.uint32(load_be32(chunk, at + 4) >> U(8))):
        return TOO_DEEP, at, end
    return inner(np.int64(chunk[at + 3])), at + length, end


@kernel
def pppoe(chunk, at, end, stack):
    """A session packet of PPPoE (RFC 2516 4)."""
    if end - at < 6:
        return TRUNCATED, at, end
    if chunk[at] != 0x11:
        return MALFORMED, at, end
    if chunk[at + 1] != 0:
        return NOT_IP, at, end
    if not push(stack, KIND_PPPOE, np.uint32(load_be16(chunk, at + 2))):
        return TOO_DEEP, at, end
    return PPP, at + 6, min(end, at + 6 + np.int64(load_be16(chunk, at + 4)))


@kernel
def ppp(chunk, at, end):
    """Address and control fields where they were not compressed away, then a protocol of one or two bytes (RFC 1661 2)."""
    if end - at >= 2 and load_be16(chunk, at) == U(0xFF03):
        at += 2
    if end - at < 2:
        return TRUNCATED, at, end
    if chunk[at] & 1:
        number = np.int64(chunk[at])
        at += 1
    else:
        number = np.int64(load_be16(chunk, at))
        at += 2
    if number == 0x21:
        return IPV4, at, end
    if number == 0x57:
        return IPV6, at, end
    if number == 0x281 or number == 0x283:
        return MPLS, at, end
    return NOT_IP, at, end


@kernel
def cisco_hdlc(chunk, at, end):
    """Cisco's HDLC: address, control, EtherType."""
    if end - at < 4:
        return TRUNCATED, at, end
    return ETHERTYPE, at + 2, end
