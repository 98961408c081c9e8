"""IP fragments against scapy's, cut anywhere and in any order; and what may not be put together."""

import struct

from helpers import examples
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw
from test_decode import decoded

from sensor.packets.fragments import DATAGRAMS, MAX_PIECES

V4 = {"src": "192.0.2.1", "dst": "198.51.100.2"}
V6 = {"src": "2001:db8::1", "dst": "2001:db8::2"}


def parts_of(payload: bytes, cuts: list[int]) -> list[tuple[int, bytes, bool]]:
    """(offset, bytes, whether it is the last) of a datagram's payload cut at multiples of eight."""
    places = sorted({0, *(cut * 8 for cut in cuts if cut * 8 < len(payload))})
    return [(at, payload[at:end], end == len(payload)) for at, end in zip(places, [*places[1:], len(payload)], strict=True)]


def v4_fragment(offset: int, part: bytes, last: bool, identity: int = 7) -> bytes:
    return bytes(IP(**V4, id=identity, proto=6, frag=offset // 8, flags=0 if last else "MF") / Raw(part))


def v6_fragment(offset: int, part: bytes, last: bool, identity: int = 7, nh: int = 6) -> bytes:
    return bytes(IPv6(**V6) / IPv6ExtHdrFragment(nh=nh, id=identity, offset=offset // 8, m=not last) / Raw(part))


SEGMENT = bytes(TCP(sport=40_000, dport=80, seq=7, flags="A") / Raw(bytes(range(256)) * 4))


@examples(150)
@given(st.booleans(), st.lists(st.integers(1, 127), max_size=20), st.randoms(use_true_random=False))
def test_any_fragments_in_any_order(is_v4, cuts, random):
    make = v4_fragment if is_v4 else v6_fragment
    frames = [make(*part) for part in parts_of(SEGMENT, cuts)]
    random.shuffle(frames)
    frames += frames[:1]  # a late copy changes nothing
    found, counted = decoded(frames, 101)
    if len(frames) == 2:  # whole from the start
        return
    assert [packet["payload"] for packet in found] == [bytes(range(256)) * 4]
    assert found[0]["src_port"] == 40_000 and counted["datagrams"] == 1


def test_fragments_as_scapy_makes_them_and_a_header_behind_the_fragment_header():
    packet = IP(**V4, id=9) / TCP(sport=1, dport=80) / Raw(b"z" * 3000)
    found, _ = decoded([bytes(part) for part in fragment(packet, 1480)], 101)
    assert found[0]["payload"] == b"z" * 3000
    inside = bytes(IPv6ExtHdrDestOpt(nh=6)) + SEGMENT
    found, _ = decoded([v6_fragment(*part, nh=60) for part in parts_of(inside, [20, 60])], 101)
    assert found[0]["payload"] == bytes(range(256)) * 4


def test_a_fragmented_tunnel():
    inner = bytes(VXLAN(vni=3, flags=8)) + b"\x02" * 12 + b"\x08\x00" + bytes(IP(**V4) / TCP(dport=80) / Raw(b"q" * 1400))
    packet = IP(src="10.0.0.1", dst="10.0.0.2", id=3) / UDP(sport=50_000, dport=4789) / Raw(inner)
    found, _ = decoded([bytes(part) for part in fragment(packet, 1000)], 101)
    assert (found[0]["payload"], found[0]["encap"]) == (b"q" * 1400, "vxlan:3")


@given(st.booleans(), st.integers(1, 10), st.integers(0, 3))
def test_overlapping_fragments_are_dropped_with_their_datagram(is_v4, at, shift):
    make = v4_fragment if is_v4 else v6_fragment
    parts = parts_of(SEGMENT, [40, 80])
    evil = (at * 8, bytes(64 + 8 * shift), False)
    found, counted = decoded([make(*part) for part in (parts[0], evil, *parts[1:])], 101)
    assert not found and counted["fragment_overlap"] == 1


def test_a_second_end_elsewhere_is_an_overlap():
    parts = parts_of(SEGMENT, [40, 80])
    found, counted = decoded([v4_fragment(*part) for part in (parts[2], (320, b"short", True), *parts[:2])], 101)
    assert not found and counted["fragment_overlap"] == 1


def test_a_piece_behind_the_end_is_an_overlap_however_the_bytes_add_up():
    """Written at its offset it would lie outside the datagram, and at the end of the buffer outside that, too."""
    found, counted = decoded([v4_fragment(60_000, b"12345678", False), v4_fragment(8, b"12345678", True)], 101)
    assert not found and counted["fragment_overlap"] == 1 and "datagrams" not in counted


def test_datagrams_beyond_the_table_and_pieces_beyond_the_limit_are_counted():
    first = parts_of(SEGMENT, [40])[0]
    _, counted = decoded([v4_fragment(*first, identity=k) for k in range(3 * DATAGRAMS)], 101)
    assert counted["fragment_evicted"] >= 3 * DATAGRAMS - DATAGRAMS and counted["ip_fragment"] == 3 * DATAGRAMS
    tiny = [(8 * k, b"12345678", False) for k in range(MAX_PIECES + 1)]
    assert decoded([v4_fragment(*part) for part in tiny], 101)[1]["fragment_overflow"] == 1


def test_fragments_of_two_datagrams_are_not_mixed():
    one, two = parts_of(SEGMENT, [40]), parts_of(SEGMENT[:20] + b"other" * 100, [40])
    frames = [v4_fragment(*one[0], 1), v4_fragment(*two[0], 2), v4_fragment(*two[1], 2), v4_fragment(*one[1], 1)]
    found, _ = decoded(frames, 101)
    assert [packet["payload"][:5] for packet in found] == [b"other", bytes(range(5))]


# Duplicates of mirror ports, and checksums.
def frame(mac: int = 1, vlan: int = 0, ttl: int = 64, ip_id: int = 5, seq: int = 7, payload: bytes = b"abc", **fields) -> bytes:
    tag = struct.pack(">HH", 0x8100, vlan) if vlan else b""
    packet = IP(**V4, id=ip_id, ttl=ttl) / TCP(sport=40_000, dport=80, seq=seq, flags="PA", **fields) / Raw(payload)
    return bytes([mac]) * 12 + tag + b"\x08\x00" + bytes(packet)


def test_a_copy_that_differs_in_mac_vlan_or_ttl_is_dropped_once():
    frames = [frame(), frame(mac=2), frame(vlan=9), frame(ttl=63), frame(seq=10)]
    found, counted = decoded(frames, 1, duplicate_window_ms=5)
    assert [packet["seq"] for packet in found] == [7, 10] and counted["duplicate"] == 3


def test_a_retransmission_is_no_copy():
    frames = [frame(), frame(ip_id=6), frame(payload=b"abd"), frame(window=1)]
    found, counted = decoded(frames, 1, duplicate_window_ms=5)
    assert len(found) == 4 and "duplicate" not in counted


def test_duplicates_are_kept_where_the_window_is_zero():
    assert len(decoded([frame(), frame()], 1, duplicate_window_ms=0)[0]) == 2


def test_a_routed_network_seen_on_both_sides_is_one():
    """Requests are seen first in VLAN 10, answers first in VLAN 20: after one copy the two are known to be the same."""
    frames = [frame(vlan=10), frame(vlan=20, ttl=63), frame(vlan=20, seq=100)]
    found, _ = decoded(frames, 1, duplicate_window_ms=5)
    assert found[0]["hash"] == found[1]["hash"] and found[0]["scope"] == found[1]["scope"]


@examples(150)
@given(st.booleans(), st.binary(max_size=90), st.integers(0, 200))
def test_checksums_are_scapys(is_v4, payload, flip):
    packet = (IP(**V4) if is_v4 else IPv6(**V6)) / TCP(sport=1, dport=80, options=[("MSS", 1460)]) / Raw(payload)
    data = bytearray(bytes(packet))
    assert len(decoded([bytes(data)], 101, verify_checksums=True)[0]) == 1
    at = (20 if is_v4 else 40) + 4 + flip % (len(data) - (24 if is_v4 else 44))
    data[at] ^= 0x10
    found, counted = decoded([bytes(data)], 101, verify_checksums=True)
    assert not found and (counted.get("bad_checksum") == 1 or counted.get("malformed") or counted.get("truncated_frame"))
