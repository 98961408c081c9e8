"""From frames to TCP segments: layer by layer inwards, until a segment is found or a reason why there is none.

The order of the layers is the frame's own: each function of link.py, labels.py, wireless.py, network.py and tunnels.py names
the next one. A new layer is one function, a number in layers.py and a line in `next_layer` or `rarer_layer`.
"""

import numpy as np

from sensor.core.bundle import Bundle
from sensor.core.hashing import U, mix
from sensor.core.jit import inlined, kernel
from sensor.core.limits import DUPLICATE_WINDOW_MS
from sensor.core.reasons import REASON
from sensor.core.scopes import canonical
from sensor.core.wide import load_be16, load_be32
from sensor.packets import l2tp, labels, layers, link, network, tunnels, wireless
from sensor.packets.checksum import sum_is_right
from sensor.packets.duplicates import Duplicates, is_duplicate, new_duplicates
from sensor.packets.encap import Encaps, clear_stack, intern, new_encaps
from sensor.packets.fragments import Fragments, fragment, new_fragments
from sensor.packets.layers import DONE, FRAGMENT4, LAST_OUTCOME, LINK_TYPES, MALFORMED, TCP, TOO_DEEP, TRUNCATED, TUNNELS

FIN, SYN, RST, ACK, URG = 1, 2, 4, 16, 32
MAX_STEPS = 64
"""Layers of one frame, encapsulating or not; ends any loop that a decoder function could be led into."""
FRAGMENT_BYTES = 8 << 20
CHECKSUM_SAMPLE = 64
"""Every so many frames one checksum is looked at: wrong ones tell of offload."""

LINK_LAYER = np.full(65_536, layers.UNKNOWN_LINK, np.uint8)
for _link, _layer in LINK_TYPES.items():
    LINK_LAYER[_link] = _layer
OUTCOME_REASON = np.zeros(LAST_OUTCOME + 1, np.int64)
for _outcome, _name in layers.OUTCOMES.items():
    OUTCOME_REASON[_outcome] = REASON[_name]
R_FRAMES, R_BYTES, R_TCP, R_ENCAP = REASON["frames"], REASON["frame_bytes"], REASON["tcp"], REASON["encap_overflow"]
R_TUNNELLED, R_DUPLICATE, R_SNAPPED = REASON["tunnelled"], REASON["duplicate"], REASON["snapped"]
R_BAD, R_LOOKED, R_WRONG = REASON["bad_checksum"], REASON["checksum_looked_at"], REASON["checksum_wrong"]


class Decoder(Bundle):
    """What the decoder knows between frames."""

    encaps: Encaps
    fragments: Fragments
    duplicates: Duplicates
    links: np.ndarray
    """uint8[65536]: layer by link type"""
    ports: np.ndarray
    """uint8[65536]: layer of a tunnel by UDP port, 0 for none"""
    verify: np.ndarray
    """uint8[1]: whether segments with a wrong checksum are dropped"""


def new_decoder(
    *,
    vlan_separates: bool = True,
    tunnel_separates: bool = True,
    duplicate_window_ms: float = DUPLICATE_WINDOW_MS,
    verify_checksums: bool = False,
    tunnel_ports: dict[str, tuple[int, ...]] | None = None,
    fragment_bytes: int = FRAGMENT_BYTES,
) -> Decoder:
    """A decoder that has seen nothing. tunnel_ports: UDP ports by name of layers.TUNNELS, instead of the usual ones."""
    ports = np.zeros(65_536, np.uint8)
    for name, (layer, usual) in TUNNELS.items():
        ports[list((tunnel_ports or {}).get(name, usual))] = layer
    return Decoder(
        new_encaps(vlan_separates, tunnel_separates),
        new_fragments(fragment_bytes),
        new_duplicates(duplicate_window_ms),
        LINK_LAYER.copy(),
        ports,
        np.array([verify_checksums], np.uint8),
    )


@inlined
def tcp(chunk, at, end, packet):
    """Ports, numbers and flags into `packet` (RFC 9293), and where its payload lies."""
    if end - at < 20:
        return TRUNCATED, at, end
    header = np.int64(chunk[at + 12] >> 4) * 4
    if header < 20:
        return MALFORMED, at, end
    if end - at < header:
        return TRUNCATED, at, end
    packet["src_port"] = load_be16(chunk, at)
    packet["dst_port"] = load_be16(chunk, at + 2)
    packet["seq"] = load_be32(chunk, at + 4)
    packet["ack"] = load_be32(chunk, at + 8)
    packet["flags"] = chunk[at + 13]
    packet["window"] = load_be16(chunk, at + 14)
    packet["at"] = at + header
    packet["length"] = end - at - header
    return DONE, at, end


@inlined
def next_layer(layer, chunk, at, end, packet, stack, links, ports):
    """One step inwards."""
    if layer == TCP:
        return tcp(chunk, at, end, packet)
    if layer == layers.IPV4:
        return network.ipv4(chunk, at, end, packet, stack)
    if layer == layers.ETHERTYPE:
        return link.ethertype(chunk, at, end, stack)
    if layer == layers.ETHERNET:
        return link.ethernet(chunk, at, end)
    if layer == layers.IPV6:
        return network.ipv6(chunk, at, end, packet, stack)
    if layer == layers.DATAGRAM:
        return tunnels.udp(chunk, at, end, ports)
    return rarer_layer(layer, chunk, at, end, stack, links)


@kernel
def rarer_layer(layer, chunk, at, end, stack, links):
    """One step inwards, through a layer that few frames have."""
    if layer == layers.SLL:
        return link.sll(chunk, at, end)
    if layer == layers.SLL2:
        return link.sll2(chunk, at, end, stack)
    if layer == layers.LOOPBACK:
        return link.loopback(chunk, at, end)
    if layer == layers.RAW_IP:
        return link.raw_ip(chunk, at, end)
    if layer == layers.LLC:
        return link.llc(chunk, at, end)
    if layer == layers.NFLOG:
        return link.nflog(chunk, at, end)
    if layer == layers.MPLS:
        return labels.mpls(chunk, at, end, stack)
    if layer == layers.PPPOE:
        return labels.pppoe(chunk, at, end, stack)
    if layer == layers.PPP:
        return labels.ppp(chunk, at, end)
    if layer == layers.NSH:
        return labels.nsh(chunk, at, end, stack)
    if layer == layers.CISCO_HDLC:
        return labels.cisco_hdlc(chunk, at, end)
    if layer == layers.IEEE80211:
        return wireless.ieee80211(chunk, at, end, stack)
    if layer == layers.RADIOTAP:
        return wireless.radiotap(chunk, at, end)
    if layer == layers.PPI:
        return wireless.ppi(chunk, at, end, links)
    return tunnel_layer(layer, chunk, at, end, stack)


@kernel
def tunnel_layer(layer, chunk, at, end, stack):
    """One step inwards, through a tunnel."""
    if layer == layers.VXLAN or layer == layers.VXLAN_GPE:
        return tunnels.vxlan(chunk, at, end, stack, layer == layers.VXLAN_GPE)
    if layer == layers.GENEVE:
        return tunnels.geneve(chunk, at, end, stack)
    if layer == layers.GTP_U:
        return tunnels.gtp_u(chunk, at, end, stack)
    if layer == layers.GRE:
        return tunnels.gre(chunk, at, end, stack)
    if layer == layers.ERSPAN1:
        return tunnels.erspan(chunk, at, end, stack, 1)
    if layer == layers.ERSPAN2:
        return tunnels.erspan(chunk, at, end, stack, 2)
    if layer == layers.ERSPAN3:
        return tunnels.erspan(chunk, at, end, stack, 3)
    if layer == layers.TEREDO:
        return tunnels.teredo(chunk, at, end, stack)
    if layer == layers.L2TP:
        return l2tp.l2tp(chunk, at, end, stack)
    if layer == layers.L2TP_IP:
        return l2tp.over_ip(chunk, at, end, stack)
    if layer == layers.ETHERIP:
        return tunnels.etherip(chunk, at, end, stack)
    if layer == layers.AYIYA:
        return tunnels.ayiya(chunk, at, end, stack)
    return MALFORMED, at, end


@inlined
def connection_hash(packet, seed):
    """The same for both directions and in every scope; without the seed nobody can aim at one slot of the table."""
    source = mix((packet["src_lo"] ^ (packet["src_hi"] * U(0x9E3779B97F4A7C15)) ^ (U(packet["src_port"]) << U(48))) + seed)
    target = mix((packet["dst_lo"] ^ (packet["dst_hi"] * U(0x9E3779B97F4A7C15)) ^ (U(packet["dst_port"]) << U(48))) + seed)
    return mix(source + target)


@kernel
def connection_hashes(packets, seed, hashes):
    """`connection_hash` of each of packets[:] (PACKET) into hashes (uint64)."""
    for index in range(packets.shape[0]):
        hashes[index] = connection_hash(packets[index], seed)


@kernel
def is_wrong(decoder, buffer, header, packet, number, counters):
    """Whether a segment is dropped for its checksum; the share of wrong ones is learned from a sample in any case."""
    if packet["missing"] > 0:
        counters[R_SNAPPED] += U(1)
        return False
    if not decoder.verify[0] and number % CHECKSUM_SAMPLE:
        return False
    right = sum_is_right(buffer, header, packet["at"] + np.int64(packet["length"]), packet)
    counters[R_LOOKED] += U(1)
    if right:
        return False
    counters[R_WRONG] += U(1)
    if decoder.verify[0]:
        counters[R_BAD] += U(1)
    return decoder.verify[0] != 0


@kernel
def decode(decoder, chunk, frames, first, seed, packets, side, counters):
    """TCP segments of frames[:] into packets (PACKET[>= frames]): how many. Everything else is counted by reason.

    first: number of frames[0] in the capture; side: a buffer of fragments.new_side for the datagrams completed here.
    """
    count, size = np.int64(0), np.int64(0)
    stack = decoder.encaps.current[0]
    decoder.fragments.free[1] = 0
    for index in range(frames.shape[0]):
        frame = frames[index]
        size += frame["wire"]
        packet = packets[count]
        clear_stack(stack)
        at = frame["at"]
        end = at + np.int64(frame["captured"])
        layer = np.int64(decoder.links[frame["link"] & np.uint32(0xFFFF)])
        buffer, ts, steps = chunk, frame["ts"], 0
        packet["side"] = 0
        while layer > LAST_OUTCOME and steps < MAX_STEPS:
            if layer >= FRAGMENT4:
                layer, at, end = fragment(layer, decoder.fragments, buffer, at, end, packet, stack, ts, side, seed, counters)
                buffer = side
                packet["side"] = 1
                packet["missing"] = 0
            else:
                layer, at, end = next_layer(layer, buffer, at, end, packet, stack, decoder.links, decoder.ports)
            steps += 1
        if stack["depth"] > 0:
            counters[R_TUNNELLED] += U(1)
        if layer != DONE:
            counters[OUTCOME_REASON[layer] if layer <= LAST_OUTCOME else OUTCOME_REASON[TOO_DEEP]] += U(1)
            continue
        counters[R_TCP] += U(1)
        if is_duplicate(decoder.duplicates, packet, buffer, at, ts, stack, seed):
            counters[R_DUPLICATE] += U(1)
            continue
        if (packet["missing"] > 0 or decoder.verify[0] or (first + index) % CHECKSUM_SAMPLE == 0) and is_wrong(
            decoder, buffer, at, packet, first + index, counters
        ):
            continue
        entry = intern(decoder.encaps)
        if entry < 0:
            counters[R_ENCAP] += U(1)
            entry = np.int64(0)
        packet["number"] = first + index
        packet["ts"] = ts
        packet["encap"] = entry
        packet["scope"] = np.uint32(canonical(decoder.duplicates.aliases, stack["scope"]) & U(0xFFFFFFFF))
        packet["hash"] = connection_hash(packet, seed)
        count += 1
    counters[R_FRAMES] += U(frames.shape[0])
    counters[R_BYTES] += U(size)
    return count
