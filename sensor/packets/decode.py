"""The decoder: frames of a chunk to TCP segments, layer by layer.

To add a tunnel: a number in layers.py, a function, and one line in `next_layer` here.
"""

import numpy as np

from sensor.core.hashing import U, mix
from sensor.core.jit import inlined, kernel
from sensor.core.reasons import REASON
from sensor.core.wide import load_be16, load_be32
from sensor.packets import layers, link, network
from sensor.packets.encap import MAX_LAYERS, intern
from sensor.packets.layers import DONE, LAST_OUTCOME, LINK_TYPES, MALFORMED, TCP, TOO_DEEP, TRUNCATED

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
MAX_STEPS = 3 * MAX_LAYERS
"""Layers of one frame, encapsulating or not; ends any loop that a decoder function could be led into."""

LINK_LAYER = np.full(65_536, layers.UNKNOWN_LINK, np.uint8)
for _link, _layer in LINK_TYPES.items():
    LINK_LAYER[_link] = _layer
OUTCOME_REASON = np.zeros(LAST_OUTCOME + 1, np.int64)
for _outcome, _name in layers.OUTCOMES.items():
    OUTCOME_REASON[_outcome] = REASON[_name]
R_FRAMES, R_BYTES, R_TCP, R_ENCAP = REASON["frames"], REASON["frame_bytes"], REASON["tcp"], REASON["encap_overflow"]


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
def next_layer(layer, chunk, at, end, packet, encaps, vlan_separates):
    """One step inwards."""
    if layer == TCP:
        return tcp(chunk, at, end, packet)
    if layer == layers.IPV4:
        return network.ipv4(chunk, at, end, packet)
    if layer == layers.ETHERTYPE:
        return link.ethertype(chunk, at, end, encaps, vlan_separates)
    if layer == layers.ETHERNET:
        return link.ethernet(chunk, at, end)
    if layer == layers.IPV6:
        return network.ipv6(chunk, at, end, packet)
    if layer == layers.SLL:
        return link.sll(chunk, at, end)
    if layer == layers.SLL2:
        return link.sll2(chunk, at, end)
    if layer == layers.LOOPBACK:
        return link.loopback(chunk, at, end)
    if layer == layers.RAW_IP:
        return link.raw_ip(chunk, at, end)
    return MALFORMED, at, end


@inlined
def connection_hash(packet, seed):
    """The same for both directions; unpredictable without the seed, so that nobody can aim at one slot of the table."""
    source = mix((packet["src_lo"] ^ (packet["src_hi"] * U(0x9E3779B97F4A7C15)) ^ (U(packet["src_port"]) << U(48))) + seed)
    target = mix((packet["dst_lo"] ^ (packet["dst_hi"] * U(0x9E3779B97F4A7C15)) ^ (U(packet["dst_port"]) << U(48))) + seed)
    return mix(source + target + U(packet["scope"]))


@kernel
def decode(chunk, frames, first, encaps, vlan_separates, seed, packets, counters):
    """TCP segments of frames[:] into packets (PACKET[>= frames]): how many. Everything else is counted by reason.

    first: number of frames[0] in the capture; vlan_separates: whether the VLAN is part of a connection's identity.
    """
    count, size = np.int64(0), np.int64(0)
    for index in range(frames.shape[0]):
        frame = frames[index]
        size += frame["wire"]
        packet = packets[count]
        encaps.depth[0] = 0
        encaps.hashes[0] = 0
        encaps.hashes[1] = 0
        at = frame["at"]
        end = at + np.int64(frame["captured"])
        layer = np.int64(LINK_LAYER[frame["link"] & np.uint32(0xFFFF)])
        steps = 0
        while layer > LAST_OUTCOME and steps < MAX_STEPS:
            layer, at, end = next_layer(layer, chunk, at, end, packet, encaps, vlan_separates)
            steps += 1
        if layer != DONE:
            counters[OUTCOME_REASON[layer] if layer <= LAST_OUTCOME else OUTCOME_REASON[TOO_DEEP]] += U(1)
            continue
        stack = intern(encaps)
        if stack < 0:
            counters[R_ENCAP] += U(1)
            stack = np.int64(0)
        packet["number"] = first + index
        packet["ts"] = frame["ts"]
        packet["encap"] = stack
        packet["scope"] = np.uint32(encaps.hashes[1] & U(0xFFFFFFFF))
        packet["hash"] = connection_hash(packet, seed)
        count += 1
    counters[R_FRAMES] += U(frames.shape[0])
    counters[R_BYTES] += U(size)
    counters[R_TCP] += U(count)
    return count
