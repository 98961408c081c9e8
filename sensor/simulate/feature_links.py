"""Feature captures below HTTP: IPv6, VLAN tags, link types. All carry the same two exchanges."""

from sensor import scapy_bridge
from sensor.simulate import wire
from sensor.simulate.feature_base import Feature, feature, simple

CLIENT6, SERVER6 = ("2001:db8::10", 50_100), ("2001:db8:20::10", 80)
NULL, RAW, SLL, SLL2 = 0, 101, 113, 276


@feature
def ipv6() -> Feature:
    """IPv6."""
    return simple("IPv6 instead of IPv4.", client=CLIENT6, server=SERVER6)


@feature
def vlan() -> Feature:
    """One VLAN tag."""
    return simple("Every frame has the 802.1Q tag 10.", vlans=(10,))


@feature
def qinq() -> Feature:
    """Two VLAN tags."""
    return simple("Every frame has the 802.1ad tag 100 and within it the 802.1Q tag 10.", vlans=(100, 10))


def _cooked(version: int) -> wire.Framer:
    return lambda packet, from_client: scapy_bridge.cooked(version, packet, from_client)


@feature
def sll() -> Feature:
    """Linux cooked capture."""
    return simple("Linux cooked capture, version 1 (link type 113).", SLL, framer=_cooked(1))


@feature
def sll2() -> Feature:
    """Linux cooked capture, version 2."""
    return simple("Linux cooked capture, version 2 (link type 276).", SLL2, framer=_cooked(2))


@feature
def null_loopback() -> Feature:
    """BSD loopback."""
    framer: wire.Framer = lambda packet, from_client: scapy_bridge.loopback(packet)  # noqa: E731
    return simple("BSD loopback (link type 0), the protocol as a little-endian number.", NULL, framer=framer)


@feature
def raw_ip() -> Feature:
    """No link layer."""
    return simple("IP packets without a link layer (link type 101).", RAW, framer=wire.raw_ip)
