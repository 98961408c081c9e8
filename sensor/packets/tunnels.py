"""Tunnels: over IP (GRE and ERSPAN in it, EtherIP) and over UDP (VXLAN, Geneve, GTP-U, Teredo, AYIYA).

What a UDP port promises is checked: where the header is not what the port stands for, the datagram is ordinary UDP.
"""

import numpy as np

from sensor.core.jit import kernel
from sensor.core.wide import load_be16, load_be32
from sensor.packets.encap import (
    KIND_AYIYA,
    KIND_ERSPAN,
    KIND_ETHERIP,
    KIND_GENEVE,
    KIND_GRE,
    KIND_GTP,
    KIND_TEREDO,
    KIND_VXLAN,
    NO_LABEL,
    push,
)
from sensor.packets.labels import inner
from sensor.packets.layers import (
    ERSPAN1,
    ERSPAN2,
    ERSPAN3,
    ETHERNET,
    IPV4,
    IPV6,
    MALFORMED,
    NOT_IP,
    PPP,
    RAW_IP,
    TOO_DEEP,
    TRUNCATED,
    UDP,
)
from sensor.packets.link import by_ethertype

U = np.uint64
GRE_CHECKSUM, GRE_ROUTING, GRE_KEY, GRE_SEQUENCE, GRE_ACK = 0x8000, 0x4000, 0x2000, 0x1000, 0x0080
ROUTES = 16
"""Source route entries of one GRE header; nobody sends any since RFC 2784."""
GTP_EXTENSIONS = 16


@kernel
def gre_routes(chunk, at, end):
    """Offset behind the source route entries (RFC 1701), or -1."""
    for _ in range(ROUTES):
        if end - at < 4:
            return np.int64(-1)
        length = np.int64(chunk[at + 3])
        if load_be16(chunk, at) == U(0) and length == 0:
            return at + 4
        at += 4 + length
    return np.int64(-1)


@kernel
def gre(chunk, at, end, stack):
    """GRE (RFC 2784, 2890, 1701) and the enhanced GRE of PPTP (RFC 2637)."""
    if end - at < 4:
        return TRUNCATED, at, end
    flags, kind = np.int64(load_be16(chunk, at)), np.int64(load_be16(chunk, at + 2))
    version = flags & 7
    at += 4
    if version > 1:
        return MALFORMED, at, end
    if version == 0 and flags & (GRE_CHECKSUM | GRE_ROUTING):
        at += 4
    label = U(NO_LABEL)
    if flags & GRE_KEY:
        label = load_be32(chunk, at) & U(0xFFFF if version else 0xFFFFFFFF)
        at += 4
    if flags & GRE_SEQUENCE:
        at += 4
    if version == 1 and flags & GRE_ACK:
        at += 4
    if version == 0 and flags & GRE_ROUTING:
        at = gre_routes(chunk, min(at, end), end)
    if at < 0 or at > end:
        return TRUNCATED, end, end
    if not push(stack, KIND_GRE, np.uint32(label)):
        return TOO_DEEP, at, end
    if kind == 0x88BE:
        return (ERSPAN2 if flags & GRE_SEQUENCE else ERSPAN1), at, end
    if kind == 0x22EB:
        return ERSPAN3, at, end
    if kind == 0x880B:
        return PPP, at, end
    return by_ethertype(kind, chunk, at, end, stack)


@kernel
def erspan(chunk, at, end, stack, version):
    """Cisco's mirror sessions (draft-foschiano-erspan): type I has no header of its own, II 8 bytes, III 12 or 20."""
    size, label = np.int64(0), U(NO_LABEL)
    if version > 1:
        size = 8 if version == 2 else 12
        if end - at < size:
            return TRUNCATED, at, end
        if chunk[at] >> 4 != version - 1:
            return MALFORMED, at, end
        label = load_be16(chunk, at + 2) & U(0x3FF)
        if version == 3 and chunk[at + 11] & 1:
            size = 20
    if end - at < size:
        return TRUNCATED, at, end
    if not push(stack, KIND_ERSPAN, np.uint32(label)):
        return TOO_DEEP, at, end
    if version == 3 and (chunk[at + 10] >> 2) & 0x1F == 2:
        return RAW_IP, at + size, end
    return ETHERNET, at + size, end


@kernel
def etherip(chunk, at, end, stack):
    """Ethernet in IP (RFC 3378)."""
    if end - at < 2:
        return TRUNCATED, at, end
    if chunk[at] >> 4 != 3:
        return MALFORMED, at, end
    if not push(stack, KIND_ETHERIP, np.uint32(NO_LABEL)):
        return TOO_DEEP, at, end
    return ETHERNET, at + 2, end


@kernel
def udp(chunk, at, end, ports):
    """The UDP header (RFC 768): a tunnel by its ports, the server's first. ports: layer by port."""
    if end - at < 8:
        return TRUNCATED, at, end
    length = np.int64(load_be16(chunk, at + 4))
    layer = ports[load_be16(chunk, at + 2)]
    if layer == 0:
        layer = ports[load_be16(chunk, at)]
    if layer == 0:
        return UDP, at, end
    return np.int64(layer), at + 8, (min(end, at + length) if length >= 8 else end)


@kernel
def vxlan(chunk, at, end, stack, generic):
    """VXLAN (RFC 7348), and its generic protocol extension, which says what is inside."""
    if end - at < 8:
        return UDP, at, end
    flags = np.int64(chunk[at])
    if not flags & 0x08:
        return UDP, at, end
    if not push(stack, KIND_VXLAN, np.uint32(load_be32(chunk, at + 4) >> U(8))):
        return TOO_DEEP, at, end
    if generic and flags & 0x04:
        return inner(np.int64(chunk[at + 3])), at + 8, end
    return ETHERNET, at + 8, end


@kernel
def geneve(chunk, at, end, stack):
    """Geneve (RFC 8926)."""
    if end - at < 8 or chunk[at] >> 6:
        return UDP, at, end
    size = 8 + (np.int64(chunk[at]) & 0x3F) * 4
    if end - at < size:
        return TRUNCATED, at, end
    if not push(stack, KIND_GENEVE, np.uint32(load_be32(chunk, at + 4) >> U(8))):
        return TOO_DEEP, at, end
    return by_ethertype(np.int64(load_be16(chunk, at + 2)), chunk, at + size, end, stack)


@kernel
def gtp_u(chunk, at, end, stack):
    """GTP-U (3GPP TS 29.281 5): a user's packet is message 255; extension headers are passed over."""
    if end - at < 8 or chunk[at] >> 4 != 3 or chunk[at + 1] != 255:
        return UDP, at, end
    flags, label = np.int64(chunk[at]), np.uint32(load_be32(chunk, at + 4))
    end = min(end, at + 8 + np.int64(load_be16(chunk, at + 2)))
    at += 8
    if flags & 7:
        if end - at < 4:
            return TRUNCATED, at, end
        following = np.int64(chunk[at + 3]) if flags & 4 else np.int64(0)
        at += 4
        for _ in range(GTP_EXTENSIONS):
            if following == 0:
                break
            if end - at < 4:
                return TRUNCATED, at, end
            size = np.int64(chunk[at]) * 4
            if size == 0 or end - at < size:
                return MALFORMED, at, end
            following = np.int64(chunk[at + size - 1])
            at += size
        if following != 0:
            return MALFORMED, at, end
    if not push(stack, KIND_GTP, label):
        return TOO_DEEP, at, end
    return RAW_IP, at, end


@kernel
def teredo(chunk, at, end, stack):
    """IPv6 over UDP (RFC 4380 5.1.1): an authentication and an origin header may come first."""
    if end - at >= 4 and load_be16(chunk, at) == U(1):
        at += 4 + np.int64(chunk[at + 2]) + np.int64(chunk[at + 3]) + 9
    if end - at >= 8 and load_be16(chunk, at) == U(0):
        at += 8
    if end - at < 40 or chunk[at] >> 4 != 6:
        return UDP, min(at, end), end
    if not push(stack, KIND_TEREDO, np.uint32(NO_LABEL)):
        return TOO_DEEP, at, end
    return IPV6, at, end


@kernel
def ayiya(chunk, at, end, stack):
    """AYIYA (draft-massar-v6ops-ayiya): identity and signature of stated lengths, then a protocol number."""
    if end - at < 8:
        return UDP, at, end
    size = 8 + (1 << np.int64(chunk[at] >> 4)) + np.int64(chunk[at + 1] >> 4) * 4
    if chunk[at + 2] & 0xF != 1 or end - at < size:  # operation: forward
        return UDP, at, end
    following = chunk[at + 3]
    if following != 41 and following != 4:
        return NOT_IP, at, end
    if not push(stack, KIND_AYIYA, np.uint32(NO_LABEL)):
        return TOO_DEEP, at, end
    return (IPV6 if following == 41 else IPV4), at + size, end
