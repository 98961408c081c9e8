"""Who asked, behind proxies: addresses as the standard library reads them, lists as far as they are believed, the PROXY protocol."""

import ipaddress

import numpy as np
import pytest
from helpers import ASK, REPLY, Http, address, data, examples
from hypothesis import given
from hypothesis import strategies as st
from rows import batch_of

from sensor.core.addresses import parse_address
from sensor.core.wide import padded
from sensor.inventory.analyse import Inventory

TRUSTED = ("10.0.0.0/8", "fd00::/8", "192.0.2.128/25")
ASKED = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def parsed(text: str) -> str | None:
    good, high, low = parse_address(padded(text.encode()), 0, len(text.encode()), np.zeros(8, np.int64))
    return address(high, low) if good else None


def plain(text: str) -> str | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return str(getattr(found, "ipv4_mapped", None) or found)


@examples(300)
@given(
    st.one_of(st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str), st.ip_addresses(v=6).map(lambda ip: ip.exploded))
)
def test_addresses_are_read(text):
    assert parsed(text) == plain(text)
    if ":" in text:
        assert parsed(f"[{text}]:4711") == parsed(f"[{text}]") == plain(text)
    else:
        assert parsed(f"{text}:4711") == plain(text)


@examples(500)
@given(st.text("0123456789abcdefF:.", max_size=24))
def test_what_is_no_address_is_none(text):
    expected = plain(text)
    if text.count(":") == 1:
        expected = plain(text.partition(":")[0])
    leading_zero = any(len(part) > 1 and part[0] == "0" for part in text.replace(":", ".").split(".")) and "." in text
    if not leading_zero:  # the library refuses 01.2.3.4; a proxy that writes it means decimal
        assert parsed(text) == expected


@pytest.mark.parametrize(
    "text", ["::ffff:192.0.2.1", "64:ff9b::192.0.2.33", "1:2:3:4:5:6:192.0.2.33", "::", "::1", "1::", "1:2:3:4:5:6:7::"]
)
def test_forms_of_ipv6(text):
    assert parsed(text) == plain(text)


def who(peer: str, forwarded: str, trusted=TRUSTED, standard=False) -> tuple[str, str]:
    """(who asked, the other end of the connection)"""
    inventory = Inventory((1, 2), None, trusted, (), standard)
    batch, _, _ = inventory.analyse(batch_of([{"client": peer, "path": "/x", "forwarded_for": forwarded}]))
    (row,) = batch.rows
    return address(row["client_hi"], row["client_lo"]), address(row["peer_hi"], row["peer_lo"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("10.0.0.5", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.5", "203.0.113.9, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.5", "203.0.113.9, 198.51.100.7, 10.1.2.3", "198.51.100.7"),
        ("10.0.0.5", "10.9.9.9, 10.1.2.3", "10.9.9.9"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ("192.0.2.200", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.5", "", "10.0.0.5"),
        ("10.0.0.5", "unknown", "10.0.0.5"),
        ("10.0.0.5", "198.51.100.7, unknown", "10.0.0.5"),
        ("10.0.0.5", "198.51.100.7,", "10.0.0.5"),
        ("10.0.0.5", "198.51.100.7:4711", "198.51.100.7"),
        ("10.0.0.5", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.5", "[2001:db8::1]:443", "2001:db8::1"),
        ("fd00::5", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.5", '203.0.113.9", 198.51.100.7', "198.51.100.7"),
        ("10.0.0.5", "for=203.0.113.9", "10.0.0.5"),
    ],
)
def test_the_last_address_that_is_none_of_ours(peer, forwarded, expected):
    assert who(peer, forwarded) == (expected, peer)


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ('for=203.0.113.9;proto=http, for="[2001:db8:cafe::17]:4711";by=10.0.0.1', "2001:db8:cafe::17"),
        ("proto=https;FOR=198.51.100.7", "198.51.100.7"),
        ("for=_hidden", "10.0.0.5"),
        ("before=1.2.3.4", "10.0.0.5"),
        ("198.51.100.7", "10.0.0.5"),
        ('by=10.0.0.1;host="a;for=203.0.113.9";for=198.51.100.7', "198.51.100.7"),
        ('by=10.0.0.1;host="a, for=203.0.113.9";for=198.51.100.7', "198.51.100.7"),
        ('for="203.0.113.9, for=198.51.100.7', "198.51.100.7"),
    ],
)
def test_where_the_standard_is_used(forwarded, expected):
    assert who("10.0.0.5", forwarded, standard=True) == (expected, "10.0.0.5")


def asked_with(fields: str, standard: bool = False) -> tuple[bytes, list[str]]:
    """(the list that a request's fields leave, its completeness)"""
    http = Http()
    http.state.message["standard"] = standard
    (row,) = http.run([data(ASK, f"GET /x HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode()), data(REPLY, ANSWER)])
    return row["forwarded_for"], row["completeness"]


def test_what_a_client_adds_does_not_push_out_what_the_proxy_says():
    claim, truth = "203.0.113.9", "198.51.100.7"
    text, completeness = asked_with(f"X-Forwarded-For: {'0,' * 500}{claim} {' ' * 40}, {truth}\r\n")
    assert text.endswith(truth.encode()) and completeness == ["truncated"] and len(text) <= 1024
    assert who("10.0.0.5", text.decode())[0] == truth
    assert asked_with(f"X-Forwarded-For: {'9' * 3000}\r\n") == (b"", ["truncated"])
    assert asked_with(f"X-Forwarded-For: {claim}\r\nX-Forwarded-For: {truth}\r\n")[0] == truth.encode()
    assert asked_with(f"Forwarded: for={claim}\r\nX-Forwarded-For: {truth}\r\nForwarded: for={claim}\r\n")[0] == truth.encode()
    fields = f"Forwarded: for={claim}\r\nForwarded: for={truth}\r\nX-Forwarded-For: {claim}\r\n"
    assert asked_with(fields, standard=True)[0] == f"for={truth}".encode()


def test_nobody_is_believed_unless_told_to():
    assert who("10.0.0.5", "198.51.100.7", ()) == ("10.0.0.5", "10.0.0.5")


@given(st.text(max_size=60))
def test_any_list_is_survived(text):
    who("10.0.0.5", text)


def version_2(command: int, family: int, addresses: bytes, more: bytes = b"") -> bytes:
    body = addresses + more
    return SIGNATURE + bytes([0x20 | command, family]) + len(body).to_bytes(2, "big") + body


V4 = ipaddress.ip_address("198.51.100.7").packed + ipaddress.ip_address("10.0.0.9").packed + bytes(4)
V6 = ipaddress.ip_address("2001:db8::7").packed + ipaddress.ip_address("2001:db8::9").packed + bytes(4)


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"PROXY TCP4 198.51.100.7 10.0.0.9 56324 443\r\n", "198.51.100.7"),
        (b"PROXY TCP6 2001:db8::7 2001:db8::9 56324 443\r\n", "2001:db8::7"),
        (b"PROXY UNKNOWN\r\n", "::"),
        (b"PROXY TCP4 nonsense 10.0.0.9 1 2\r\n", "::"),
        (version_2(1, 0x11, V4), "198.51.100.7"),
        (version_2(1, 0x21, V6), "2001:db8::7"),
        (version_2(1, 0x11, V4, b"\x04\x00\x03abc"), "198.51.100.7"),
        (version_2(0, 0x00, b""), "::"),
    ],
)
def test_the_request_behind_a_proxy_header_is_read(header, expected, cut):
    parts = [header, ASKED] if cut else [header + ASKED]
    (row,) = Http().run([data(ASK, part) for part in parts] + [data(REPLY, ANSWER)])
    assert (row["method"], row["path"], row["status"], row["completeness"]) == (b"GET", b"/x", 200, [])
    assert address(row["proxied_hi"], row["proxied_lo"]) == expected


def test_such_a_header_in_the_midst_is_none():
    rows = Http().run([data(ASK, ASKED), data(REPLY, ANSWER), data(ASK, b"PROXY TCP4 198.51.100.7 10.0.0.9 1 2\r\n" + ASKED)])
    assert rows[0]["status"] == 200
    assert all(row["proxied_lo"] == 0 for row in rows)


@given(st.binary(max_size=60))
def test_any_bytes_behind_the_signature_are_survived(rest):
    Http().run([data(ASK, SIGNATURE + rest), data(ASK, b"PROXY TCP4 " + rest)])


@pytest.mark.parametrize(
    ("speakers", "expected"),
    [
        (TRUSTED, ["198.51.100.7", "192.0.2.1", "198.51.100.7"]),  # the list is then the client's claim
        ((), ["10.0.0.5", "192.0.2.1", "203.0.113.9"]),  # trusted for its list alone
    ],
)
def test_a_proxy_header_counts_where_its_sender_speaks_the_protocol(speakers, expected):
    batch = batch_of([{"client": peer, "path": "/x", "forwarded_for": forwarded} for peer, forwarded in
                      (("10.0.0.5", ""), ("192.0.2.1", ""), ("10.0.0.5", "203.0.113.9"))])  # fmt: skip
    batch.rows["proxied_lo"] = int(ipaddress.ip_address("198.51.100.7")) | 0xFFFF << 32
    found, _, _ = Inventory((1, 2), None, TRUSTED, speakers).analyse(batch)
    assert [address(row["client_hi"], row["client_lo"]) for row in found.rows] == expected


def test_one_header_is_believed_and_no_second():
    first, second = b"PROXY UNKNOWN\r\n", b"PROXY TCP4 203.0.113.9 1.1.1.1 1 2\r\n"
    rows = Http().run([data(ASK, first + second + ASKED), data(REPLY, ANSWER)])
    assert all(row["proxied_lo"] == 0 for row in rows)
