"""Frames that scapy builds, decoded: every field is what was put in; and no bytes at all can confuse the counters."""

import ipaddress

import numpy as np
import pytest
from helpers import SEED, address, chunk_of, examples
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
)
from scapy.layers.ipsec import AH
from scapy.layers.l2 import ARP, CookedLinux, CookedLinuxV2, Dot1AD, Dot1Q, Ether
from scapy.packet import Raw

from sensor.core.reasons import REASONS, named
from sensor.core.records import PACKET
from sensor.packets.decode import decode, new_decoder
from sensor.packets.encap import CAPACITY, MAX_LAYERS, encap_texts
from sensor.packets.fragments import new_side
from sensor.packets.layers import LINK_TYPES, OUTCOMES

ENDS = {"tcp", *OUTCOMES.values()}


def decoded(frames, link, **options):
    """(packets, counters by name) of frames; options: of new_decoder, duplicates being kept unless they say otherwise."""
    decoder, side = new_decoder(**{"duplicate_window_ms": 0} | options), new_side()
    chunk, records = chunk_of([(1000 + k, data) for k, data in enumerate(frames)], link)
    packets, counters = np.zeros(len(frames) + 1, PACKET), np.zeros(len(REASONS), np.uint64)
    count = decode(decoder, chunk, records, 7, SEED, packets, side, counters)
    found, texts = [], encap_texts(decoder.encaps)
    for packet in packets[:count]:
        at, length = int(packet["at"]), int(packet["length"])
        values = {name: int(packet[name]) for name in PACKET.names}
        values["payload"] = (side if packet["side"] else chunk)[at : at + length].tobytes()
        values["src"], values["dst"] = (address(packet[side + "_hi"], packet[side + "_lo"]) for side in ("src", "dst"))
        values["encap"] = texts[packet["encap"]]
        found.append(values)
    return found, named(counters)


PORTS, U16, U32 = st.integers(0, 65_535), st.integers(0, 65_535), st.integers(0, 2**32 - 1)
V4 = st.ip_addresses(v=4).map(str)
V6 = st.ip_addresses(v=6).map(str)
TCP_OPTIONS = st.lists(
    st.sampled_from([("NOP", None), ("MSS", 1460), ("WScale", 7), ("SAckOK", b""), ("Timestamp", (1, 2)), ("SAck", (5, 9))]),
    max_size=4,
)
VLANS = st.lists(st.tuples(st.sampled_from(["q", "ad", "9100", "9200"]), st.integers(0, 4095)), max_size=4)


NEXT_HEADER = {"hop": 0, "tcp": 6, "routing": 43, "fragment": 44, "ah": 51, "dest": 60}
MACS = {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02"}  # given, as scapy would otherwise ask the network for them


@st.composite
def segments(draw):
    """(scapy's TCP, its fields)."""
    fields = {
        "sport": draw(PORTS),
        "dport": draw(PORTS),
        "seq": draw(U32),
        "ack": draw(U32),
        "flags": draw(st.integers(0, 255)),
        "window": draw(U16),
    }
    payload = draw(st.binary(max_size=80))
    return TCP(**fields, options=draw(TCP_OPTIONS)) / Raw(payload), fields, payload


@st.composite
def ip_packets(draw):
    """(bytes of an IP packet, version, addresses, fields, payload)."""
    tcp, fields, payload = draw(segments())
    if draw(st.booleans()):
        src, dst = draw(V4), draw(V4)
        options = draw(st.sampled_from([[], b"\x01" * 4, b"\x07\x04\x04\x00" + b"\x01" * 36]))
        packet = IP(src=src, dst=dst, options=options, id=draw(U16), flags=draw(st.sampled_from(["DF", 0]))) / tcp
        return bytes(packet), 4, src, dst, fields, payload
    src, dst = draw(V6), draw(V6)
    packet = IPv6(src=src, dst=dst)
    kinds = draw(st.lists(st.sampled_from(["hop", "routing", "dest", "ah", "fragment"]), max_size=5))
    for kind, following in zip(kinds, [*kinds[1:], "tcp"], strict=False):
        if kind == "hop":
            packet /= IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(draw(st.sampled_from([4, 12, 20]))))])
        elif kind == "routing":
            packet /= IPv6ExtHdrRouting(addresses=draw(st.lists(V6, max_size=2)))
        elif kind == "dest":
            packet /= IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(4))])
        elif kind == "ah":
            size = draw(st.sampled_from([12, 20, 28]))
            packet /= AH(nh=NEXT_HEADER[following], payloadlen=(12 + size) // 4 - 2, spi=1, seq=2, icv=bytes(size))
        else:
            packet /= IPv6ExtHdrFragment(id=draw(U32))
    return bytes(packet / tcp), 6, src, dst, fields, payload


@st.composite
def frames(draw):
    """(link type, frame without padding, text of its VLANs, and what ip_packets says)."""
    packet, version, *rest = draw(ip_packets())
    ethertype = 0x0800 if version == 4 else 0x86DD
    link = draw(st.sampled_from([0, 1, 12, 14, 101, 108, 113, 276, 228 if version == 4 else 229]))
    tags, labels = b"", ""
    if link in (1, 113):
        vlans = draw(VLANS)
        for position, (kind, vlan) in enumerate(vlans):
            following = (
                {"q": 0x8100, "ad": 0x88A8, "9100": 0x9100, "9200": 0x9200}[vlans[position + 1][0]]
                if position + 1 < len(vlans)
                else ethertype
            )
            layer = (Dot1AD if kind == "ad" else Dot1Q)(vlan=vlan, prio=draw(st.integers(0, 7)), type=following)
            tags += bytes(layer)
        labels = "/".join(f"vlan:{vlan}" for _, vlan in vlans)
        if vlans:
            ethertype = {"q": 0x8100, "ad": 0x88A8, "9100": 0x9100, "9200": 0x9200}[vlans[0][0]]
    header = b""
    if link == 1:
        header = bytes(Ether(type=ethertype, **MACS))
    elif link == 113:
        header = bytes(CookedLinux(proto=ethertype))
    elif link == 276:
        header = bytes(CookedLinuxV2(proto=ethertype))
    elif link in (0, 108):
        family = 2 if version == 4 else draw(st.sampled_from([10, 24, 28, 30]))
        header = family.to_bytes(4, draw(st.sampled_from(["little", "big"])))
    return link, header + tags + packet, labels, *rest


@examples(400)
@given(frames(), st.binary(max_size=46))
def test_every_field_is_what_was_put_in(frame, padding):
    link, data, labels, src, dst, fields, payload = frame
    if link in (0, 108, 12, 14, 101, 228, 229):
        padding = b""
    found, counted = decoded([b"\x00", data + padding], link)
    assert len(found) == 1, counted
    packet = found[0]
    expected = {
        "number": 8, "ts": 1001, "src": address_of(src), "dst": address_of(dst), "src_port": fields["sport"], "dst_port": fields["dport"],
        "flags": fields["flags"], "window": fields["window"], "seq": fields["seq"], "ack": fields["ack"], "payload": payload,
        "length": len(payload), "missing": 0, "encap": labels,
    }  # fmt: skip
    assert {name: packet[name] for name in expected} == expected
    assert (packet["scope"] == 0) == (labels == "")


def address_of(text):
    ip = ipaddress.ip_address(text)
    return str(getattr(ip, "ipv4_mapped", None) or ip)


@given(frames())
def test_what_the_snap_length_cut_is_counted_as_missing(frame):
    link, data, _, _, _, _, payload = frame
    for cut in range(len(payload) + 1):
        found, _ = decoded([data[: len(data) - cut]], link)
        assert (found[0]["payload"], found[0]["missing"]) == (payload[: len(payload) - cut], cut)


@given(frames())
def test_a_frame_cut_within_its_headers_is_truncated_or_not_recognised(frame):
    link, data, _, _, _, _, payload = frame
    for cut in range(len(data) - len(payload)):
        found, counted = decoded([data[:cut]], link)
        assert not found
        assert counted["frames"] == 1 and set(counted) & ENDS <= {"truncated_frame"}


@given(frames())
def test_both_directions_have_the_same_hash_and_another_vlan_another_scope(frame):
    link, data, labels, src, dst, fields, _ = frame
    found, _ = decoded([data], link)
    make = (IP if "." in src else IPv6)(src=dst, dst=src)
    back = bytes(make / TCP(sport=fields["dport"], dport=fields["sport"]))
    other, _ = decoded([bytes(Ether(type=0x0800 if "." in src else 0x86DD, **MACS)) + back], 1)
    assert other[0]["hash"] == found[0]["hash"]
    if not labels:
        assert other[0]["scope"] == found[0]["scope"]
    else:
        assert other[0]["scope"] != found[0]["scope"]
        assert decoded([data], link, vlan_separates=False)[0][0]["scope"] == other[0]["scope"]


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (Ether(**MACS) / IP(dst="192.0.2.1") / UDP() / b"x", "udp"),
        (Ether(**MACS) / IP(dst="192.0.2.1") / ICMP(), "icmp"),
        (Ether(**MACS) / IP(dst="192.0.2.1", proto=47) / b"x", "truncated_frame"),
        (Ether(**MACS) / IP(dst="192.0.2.1", proto=132) / b"x", "other_protocol"),
        (Ether(**MACS) / IP(dst="192.0.2.1", flags="MF") / TCP(), "ip_fragment"),
        (Ether(**MACS) / IP(dst="192.0.2.1", frag=5) / TCP(), "ip_fragment"),
        (Ether(**MACS) / IP(dst="192.0.2.1", ihl=4) / TCP(), "malformed"),
        (Ether(**MACS) / IP(dst="192.0.2.1", version=5) / TCP(), "malformed"),
        (Ether(**MACS) / IP(dst="192.0.2.1", len=19) / TCP(), "malformed"),
        (Ether(**MACS) / IP(dst="192.0.2.1") / TCP(dataofs=4), "malformed"),
        (Ether(**MACS) / IP(dst="192.0.2.1") / TCP(dataofs=15), "truncated_frame"),
        (Ether(**MACS) / IPv6(dst="2001:db8::1") / IPv6ExtHdrFragment(m=1) / TCP() / b"1234", "ip_fragment"),
        (Ether(**MACS) / IPv6(dst="2001:db8::1") / IPv6ExtHdrFragment(offset=3) / TCP(), "ip_fragment"),
        (Ether(**MACS) / IPv6(dst="2001:db8::1", nh=59) / b"x", "other_protocol"),
        (Ether(**MACS) / IPv6(dst="2001:db8::1", nh=50) / bytes(20), "unreadable"),
        (Ether(type=0x88E5, **MACS) / bytes(40), "unreadable"),
        (Ether(**MACS) / ARP(), "not_ip"),
    ],
)
def test_what_is_no_whole_tcp_segment_is_counted_by_reason(packet, reason):
    found, counted = decoded([bytes(packet)], 1)
    assert not found
    assert {name: count for name, count in counted.items() if name in ENDS} == {reason: 1}


def test_a_length_of_zero_means_all_that_is_there():
    """Segmentation offload leaves the length field to the card."""
    for packet in (IP(dst="192.0.2.1", len=0), IPv6(dst="2001:db8::1", plen=0)):
        found, _ = decoded([bytes(packet / TCP() / b"payload")], 101)
        assert (found[0]["payload"], found[0]["missing"]) == (b"payload", 0)


def test_unknown_link_types_are_counted():
    assert decoded([b"x" * 60], 147)[1]["unknown_link"] == 1


def test_vlan_tags_within_each_other_are_taken_up_to_a_limit():
    def tagged(count):
        tags = b"".join(b"\x81\x00" + bytes([0, k]) for k in range(count))
        return bytes(12) + tags + b"\x08\x00" + bytes(IP(dst="192.0.2.1") / TCP())

    found, counted = decoded([tagged(MAX_LAYERS), tagged(MAX_LAYERS + 1)], 1)
    assert [packet["encap"].count("vlan") for packet in found] == [MAX_LAYERS]
    assert counted["too_many_layers"] == 1


def test_more_vlan_stacks_than_the_table_holds_are_counted_and_still_told_apart():
    packet = bytes(IP(dst="192.0.2.1") / TCP())
    data = [bytes(12) + b"\x81\x00" + k.to_bytes(2, "big") + b"\x81\x00\x00\x01\x08\x00" + packet for k in range(4096)]
    data += [bytes(12) + b"\x81\x00" + k.to_bytes(2, "big") + b"\x08\x00" + packet for k in range(100)]
    found, counted = decoded(data, 1)
    assert len(found) == len(data)
    assert counted["encap_overflow"] == len(data) - (CAPACITY - 1)
    assert len({(item["scope"], item["hash"]) for item in found}) == len(data)


LINKS = st.sampled_from([*LINK_TYPES, 147])


@st.composite
def damaged(draw):
    """A frame with some bytes changed, cut at some place."""
    link, data, *_ = draw(frames())
    data = bytearray(data)
    for at, value in draw(st.lists(st.tuples(st.integers(0, 80), st.integers(0, 255)), max_size=5)):
        if at < len(data):
            data[at] = value
    return draw(st.sampled_from([link, link, 1, 101, 113])), bytes(data[: draw(st.integers(0, 200))])


def check_outcomes(link, data):
    found, counted = decoded(data, link)
    assert counted.get("frames", 0) == len(data)
    assert counted.get("frame_bytes", 0) == sum(map(len, data))
    assert sum(counted.get(name, 0) for name in ENDS) == len(data)
    assert counted.get("tcp", 0) == len(found)
    chunk = b"".join(data)
    ends = np.cumsum([len(item) for item in data])
    for packet in found:
        index = packet["number"] - 7
        assert ends[index] - len(data[index]) <= packet["at"] <= packet["at"] + packet["length"] <= ends[index]
        assert packet["payload"] == chunk[packet["at"] : packet["at"] + packet["length"]]


@examples(300)
@given(LINKS, st.lists(st.binary(max_size=120), max_size=8))
def test_random_bytes_end_in_exactly_one_counter(link, data):
    check_outcomes(link, data)


@examples(400)
@given(damaged())
def test_damaged_frames_end_in_exactly_one_counter(frame):
    check_outcomes(frame[0], [frame[1]])
