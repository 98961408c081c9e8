"""Encapsulations that scapy builds, in any order within each other: the segment inside and the layers around it are what was put in."""

import dataclasses
import struct
from collections.abc import Callable

import pytest
from helpers import examples
from hypothesis import given
from hypothesis import strategies as st
from scapy.contrib.erspan import ERSPAN_II, ERSPAN_III
from scapy.contrib.geneve import GENEVE
from scapy.contrib.gtp import GTP_U_Header, GTPPDUSessionContainer
from scapy.contrib.macsec import MACsec
from scapy.contrib.mpls import MPLS, EoMCW
from scapy.contrib.nsh import NSH
from scapy.layers.dot11 import Dot11, Dot11QoS, RadioTap
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import GRE, LLC, SNAP, Dot1AD, Dot1Q, Ether, GRErouting
from scapy.layers.l2tp import L2TP
from scapy.layers.ppp import PPP, PPPoE
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw
from test_decode import MACS, decoded

V4 = {"src": "192.0.2.1", "dst": "198.51.100.2"}
V6 = {"src": "2001:db8::1", "dst": "2001:db8::2"}
INNER = IP(src="10.1.2.3", dst="10.3.2.1") / TCP(sport=40_000, dport=80, seq=7, ack=9, flags="PA") / Raw(b"GET / HTTP/1.1\r\n")
INNER6 = IPv6(src="2001:db8::3", dst="2001:db8::4") / TCP(sport=40_000, dport=80, seq=7, ack=9, flags="PA") / Raw(b"x")


@dataclasses.dataclass
class Choices:
    """Hypothesis's draw, and whether what lies around the next layer can announce either IP version."""

    draw: Callable
    any_version: bool

    def __call__(self, strategy):
        return self.draw(strategy)


def ether(inside=None, **fields):
    return Ether(**MACS, **fields) if inside is None else Ether(**MACS, **fields) / inside


def outer(draw, *, udp: int = 0):
    """An outer IP header, of either version where `nested` allows it, with UDP to a port."""
    header = IPv6(**V6) if draw.any_version and draw(st.booleans()) else IP(**V4)
    return header / UDP(sport=draw(st.integers(49_152, 65_535)), dport=udp) if udp else header


# One function for each encapsulation: what it carries ("ip" or "ether"), and (scapy layers, text of `encap`) for a label.
def vlan(draw, label):
    return Dot1Q(vlan=label % 4096), f"vlan:{label % 4096}"


def service_vlan(draw, label):
    return Dot1AD(vlan=label % 4096), f"vlan:{label % 4096}"


def mpls(draw, label):
    return MPLS(label=label, s=1, ttl=64), f"mpls:{label}"


def mpls_stack(draw, label):
    return MPLS(label=label, s=0) / MPLS(label=16, s=1), f"mpls:{label}/mpls:16"


def pseudowire(draw, label):
    return MPLS(label=label, s=1) / EoMCW(zero=0, reserved=0, seq=1), f"mpls:{label}"


def pppoe(draw, label):
    return PPPoE(sessionid=label % 65_536) / PPP(), f"pppoe:{label % 65_536}"


def gre(draw, label):
    fields = {"chksum_present": draw(st.integers(0, 1)), "seqnum_present": draw(st.integers(0, 1))}
    if draw(st.booleans()):
        return outer(draw) / GRE(key_present=1, key=label, **fields), f"gre:{label}"
    return outer(draw) / GRE(**fields), "gre"


def gre_bridge(draw, label):
    return outer(draw) / GRE(proto=0x6558, key_present=1, key=label), f"gre:{label}"


def gre_routed(draw, label):
    route = GRErouting(address_family=2, SRE_offset=0, SRE_len=4, routing_info=b"\1\2\3\4")
    return outer(draw) / GRE(routing_present=1, chksum_present=1, proto=0x800) / route / GRErouting(SRE_len=0), "gre"


def erspan1(draw, label):
    return outer(draw) / GRE(proto=0x88BE), "gre/erspan"


def erspan2(draw, label):
    return outer(draw) / GRE(proto=0x88BE, seqnum_present=1) / ERSPAN_II(session_id=label % 1024), f"gre/erspan:{label % 1024}"


def erspan3(draw, label):
    header = ERSPAN_III(session_id=label % 1024, o=0, ft=0)
    return outer(draw) / GRE(proto=0x22EB, seqnum_present=1) / header, f"gre/erspan:{label % 1024}"


def vxlan(draw, label):
    return outer(draw, udp=draw(st.sampled_from([4789, 8472]))) / VXLAN(vni=label, flags=8), f"vxlan:{label}"


def vxlan_generic(draw, label):
    return outer(draw, udp=4790) / VXLAN(vni=label, flags=12, NextProtocol=1), f"vxlan:{label}"


def geneve(draw, label):
    options = draw(st.sampled_from([b"", struct.pack(">HBB", 0x0102, 0x80, 1) + b"abcd"]))
    return outer(draw, udp=6081) / GENEVE(vni=label, proto=0x6558, options=options), f"geneve:{label}"


def geneve_ip(draw, label):
    return outer(draw, udp=6081) / GENEVE(vni=label, proto=0x0800), f"geneve:{label}"


def gtp(draw, label):
    header = GTP_U_Header(teid=label, S=draw(st.integers(0, 1)))
    if draw(st.booleans()):
        header = GTP_U_Header(teid=label, E=1, next_ex=0x85) / GTPPDUSessionContainer(ExtHdrLen=1, type=0, QFI=1)
    return outer(draw, udp=2152) / header, f"gtp:{label}"


def ip_in_ip(draw, label):
    return IP(**V4, proto=4), "ipip"


def ip_in_ip6(draw, label):
    return (IPv6(**V6, nh=4), "4in6") if draw.any_version else ip_in_ip(draw, label)


def l2tp(draw, label):
    header = L2TP(hdr=0x4000 | 0x0200 if draw(st.booleans()) else 0, tunnel_id=label >> 16, session_id=label & 0xFFFF, offset=0)
    return outer(draw, udp=1701) / header / PPP(), f"l2tp:{label}"


def nsh(draw, label):
    return NSH(spi=label, mdtype=1, nextproto=1), f"nsh:{label}"


OVER_ETHER_TO_IP = [
    vlan,
    service_vlan,
    mpls,
    mpls_stack,
    pppoe,
    gre,
    vxlan_generic,
    geneve_ip,
    gtp,
    ip_in_ip,
    ip_in_ip6,
    l2tp,
    nsh,
    gre_routed,
]
OVER_ETHER_TO_ETHER = [pseudowire, gre_bridge, erspan1, erspan2, erspan3, vxlan, geneve]
OVER_IP = [
    gre,
    gre_routed,
    vxlan_generic,
    geneve_ip,
    gtp,
    ip_in_ip,
    ip_in_ip6,
    l2tp,
    gre_bridge,
    erspan1,
    erspan2,
    erspan3,
    vxlan,
    geneve,
]
OVER_TAG = [vlan, service_vlan]
ETHERTYPES = {
    vlan: 0x8100,
    service_vlan: 0x88A8,
    mpls: 0x8847,
    mpls_stack: 0x8847,
    pseudowire: 0x8847,
    pppoe: 0x8864,
    nsh: 0x894F,
}


@st.composite
def nested(draw):
    """(bytes of an Ethernet frame, its `encap`): a chain of up to five encapsulations around one segment."""
    frame, texts, inside = ether(), [], "ether"
    for _ in range(draw(st.integers(1, 5))):
        kinds = {"ether": OVER_ETHER_TO_IP + OVER_ETHER_TO_ETHER, "ip": OVER_IP}[inside]
        kind = draw(st.sampled_from(kinds))
        choices = Choices(draw, isinstance(frame.lastlayer(), Ether | Dot1Q))
        layers, text = kind(choices, draw(st.integers(0, 0xFFFFF)))
        if isinstance(frame.lastlayer(), Ether | Dot1Q) and kind in ETHERTYPES:
            frame.lastlayer().type = ETHERTYPES[kind]
        frame /= layers
        texts.append(text)
        if kind in OVER_ETHER_TO_ETHER:
            frame /= ether()
            inside = "ether"
        elif kind in OVER_TAG:
            inside = "ether"
        else:
            inside = "ip"
    return bytes(frame / INNER), "/".join(texts)


@examples(400)
@given(nested())
def test_the_segment_within_any_stack_of_encapsulations(frame):
    data, text = frame
    found, counted = decoded([data], 1)
    assert len(found) == 1, counted
    packet = found[0]
    assert (packet["src"], packet["dst"], packet["src_port"], packet["seq"]) == ("10.1.2.3", "10.3.2.1", 40_000, 7)
    assert (packet["payload"], packet["missing"]) == (b"GET / HTTP/1.1\r\n", 0)
    assert packet["encap"] == text


@examples(100)
@given(
    st.sampled_from([b"", b"cook", b"cookcook"]),
    st.sampled_from([b"", bytes(4)]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.data(),
)
def test_sessions_of_l2tp_version_3(cookie, sublayer, over_udp, tagged, is_v6, draw):
    """Whatever its ends agreed on, which no packet tells; a control message is none."""
    inner = ether() / Dot1Q(vlan=9) if tagged else ether()
    inside = bytes(
        inner
        / (
            IPv6(src="2001:db8::1", dst="2001:db8::2") / TCP(sport=40_000, dport=80, seq=7) / b"GET / HTTP/1.1\r\n"
            if is_v6
            else INNER
        )
    )
    number = struct.pack(">I", draw.draw(st.integers(1, 2**32 - 2)))
    head = (
        IP(**V4) / UDP(dport=1701, sport=5_000) / (struct.pack(">HH", 3, 0) + number)
        if over_udp
        else IP(**V4, proto=115) / number
    )
    packet = one(bytes(ether() / head / (cookie + sublayer + inside)))
    assert (packet["src_port"], packet["seq"], packet["payload"]) == (40_000, 7, b"GET / HTTP/1.1\r\n")
    assert packet["encap"] == f"l2tp:{int.from_bytes(number, 'big')}" + ("/vlan:9" if tagged else "")
    control = bytes(ether() / IP(**V4, proto=115) / (bytes(4) + inside))
    assert decoded([control], 1)[0] == []
    noise = draw.draw(st.binary(max_size=80))
    assert decoded([bytes(ether() / head / noise)], 1)[1]["frames"] == 1


@given(nested(), st.data())
def test_a_cut_stack_of_encapsulations_is_told_or_counted(frame, draw):
    data, _ = frame
    found, counted = decoded([data[: draw.draw(st.integers(0, len(data)))]], 1)
    assert counted["frames"] == 1 and all(
        data.endswith(packet["payload"] + b"GET / HTTP/1.1\r\n"[len(packet["payload"]) :]) for packet in found
    )


def one(data: bytes, link: int = 1, **options) -> dict:
    found, counted = decoded([data], link, **options)
    assert len(found) == 1, counted
    return found[0]


PPP_V4 = b"\x00\x21" + bytes(INNER)
SNAP_FRAME = LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(code=0x0800) / INNER


@pytest.mark.parametrize(
    ("link", "data", "encap"),
    [
        (9, b"\xff\x03" + PPP_V4, ""),
        (9, b"\x21" + bytes(INNER), ""),
        (50, b"\xff\x03" + PPP_V4, ""),
        (51, bytes(PPPoE(sessionid=5) / PPP() / INNER), "pppoe:5"),
        (104, b"\x0f\x00\x08\x00" + bytes(INNER), ""),
        (105, bytes(Dot11(type=2, subtype=0, FCfield=1) / SNAP_FRAME), "wlan"),
        (105, bytes(Dot11(type=2, subtype=0, FCfield=3, addr4="02:00:00:00:00:03") / SNAP_FRAME), "wlan"),
        (105, bytes(Dot11(type=2, subtype=8, FCfield=2) / Dot11QoS() / SNAP_FRAME), "wlan"),
        (127, bytes(RadioTap() / Dot11(type=2, subtype=0, FCfield=1) / SNAP_FRAME), "wlan"),
        (192, struct.pack("<BBHI", 0, 0, 8, 105) + bytes(Dot11(type=2, FCfield=1) / SNAP_FRAME), "wlan"),
        (192, struct.pack("<BBHI", 0, 0, 12, 1) + b"abcd" + bytes(ether(INNER)), ""),
        (239, b"\x02\x00\x00\x00" + struct.pack("<HHI", 8, 1, 0) + struct.pack("<HH", 4 + len(INNER), 9) + bytes(INNER), ""),
        (239, b"\x02\x00\x00\x00" + struct.pack(">HHI", 8, 1, 0) + struct.pack(">HH", 4 + len(INNER), 9) + bytes(INNER), ""),
        (113, b"\x00\x00\x00\x01\x00\x06" + bytes(8) + b"\x81\x00\x00\x07\x08\x00" + bytes(INNER), "vlan:7"),
        (276, b"\x81\x00" + bytes(18) + b"\x00\x07\x08\x00" + bytes(INNER), "vlan:7"),
        (1, bytes(ether(SNAP_FRAME, type=len(SNAP_FRAME))) + b"trailer", ""),
        (1, bytes(ether(type=0x8926)) + b"\x00\x05\x00\x00\x08\x00" + bytes(INNER), "vntag:5"),
        (1, bytes(ether(type=0x88E7)) + b"\x00\x00\x00\x09" + bytes(ether(INNER)), "pbb:9"),
        (1, bytes(ether(IP(**V4, proto=97) / (b"\x30\x00" + bytes(ether(INNER))))), "etherip"),
        (1, bytes(ether(IP(**V4, proto=137) / MPLS(label=3, s=1) / INNER)), "mpls:3"),
        (1, bytes(ether(IP(**V4, proto=41) / INNER6)), "6in4"),
        (1, bytes(ether(IPv6(**V6, nh=41) / INNER6)), "6in6"),
        (1, bytes(ether(IP(**V4) / UDP(sport=50_000, dport=3544) / INNER6)), "teredo"),
        (1, bytes(ether(IP(**V4) / UDP(sport=3544, dport=3544) / (b"\x00\x01\x00\x00" + bytes(9) + b"\x00\x00" + bytes(6)) / INNER6)), "teredo"),
        (1, bytes(ether(IP(**V4, proto=47) / (b"\x30\x81\x88\x0b\x00\x30\x12\x34" + bytes(8) + b"\xff\x03" + PPP_V4))), "gre:4660"),
    ],
)  # fmt: skip
def test_link_types_and_rarer_tunnels(link, data, encap):
    packet = one(data, link)
    assert packet["seq"] == 7 and packet["encap"] == encap and packet["dst_port"] == 80


def test_what_cannot_be_read_is_counted_so():
    for data in (bytes(ether(MACsec(AN=0, PN=1) / INNER)), bytes(ether(IP(**V4, proto=50) / bytes(40)))):
        found, counted = decoded([data], 1)
        assert not found and counted["unreadable"] == 1
    protected = bytes(Dot11(type=2, FCfield=0x41) / SNAP_FRAME)
    assert decoded([protected], 105)[1]["unreadable"] == 1


def test_a_port_of_a_tunnel_without_its_header_is_ordinary_udp():
    for port in (4789, 6081, 2152, 3544, 1701, 5072):
        data = bytes(ether(IP(**V4) / UDP(sport=50_000, dport=port) / bytes([0xC0, 0, 0, 0, 0, 0, 0, 0, 0, 0])))
        assert decoded([data], 1)[1]["udp"] == 1


def test_tunnel_ports_can_be_set():
    data = bytes(ether(IP(**V4) / UDP(sport=50_000, dport=9999) / VXLAN(vni=4, flags=8) / ether(INNER)))
    assert decoded([data], 1)[1]["udp"] == 1
    assert one(data, tunnel_ports={"vxlan": (9999,)})["encap"] == "vxlan:4"


def test_tunnels_set_equal_addresses_apart_and_by_choice_do_not():
    frames = [bytes(ether(IP(**V4) / UDP(dport=4789) / VXLAN(vni=vni, flags=8) / ether(INNER))) for vni in (1, 2)]
    apart, together = (decoded(frames, 1, tunnel_separates=choice)[0] for choice in (True, False))
    assert apart[0]["scope"] != apart[1]["scope"] and together[0]["scope"] == together[1]["scope"]


def test_labels_that_differ_by_direction_do_not_set_apart():
    frames = [bytes(ether(IP(**V4) / UDP(dport=2152) / GTP_U_Header(teid=teid) / INNER)) for teid in (1, 2)]
    found, _ = decoded(frames, 1)
    assert found[0]["scope"] == found[1]["scope"]
