"""ClientHellos: read as a plain reader does, however they are cut, and never a wrong value of one that is damaged."""

import hashlib
import ssl

import numpy as np
import pytest
from helpers import ASK, CLIENT, REPLY, SERVER, Http, address, data, examples, fin, gap
from hypothesis import given
from hypothesis import strategies as st

from sensor.core.reasons import REASON
from sensor.core.records import HELLO
from sensor.inventory.encrypted import CLIENTS_OF_NAME, NAMES_OF_SERVER, SERVICES, Encrypted
from sensor.inventory.ja4 import VERSIONS, ja4

GREASE = [0x0A0A + 0x1010 * k for k in range(16)]
SERVER_HELLO = bytes.fromhex("160303007a0200007603034242") + bytes(110)
numbers = st.lists(st.one_of(st.integers(0, 0xFFFF), st.sampled_from(GREASE)), max_size=30)


def extension(kind: int, body: bytes) -> bytes:
    return kind.to_bytes(2, "big") + len(body).to_bytes(2, "big") + body


def packed(values: list[int], size: int) -> bytes:
    body = b"".join(value.to_bytes(2, "big") for value in values)
    return len(body).to_bytes(size, "big") + body


def message(ciphers: list[int], extensions: list[bytes], version: int = 0x0303, session: bytes = b"") -> bytes:
    """A ClientHello without records."""
    body = version.to_bytes(2, "big") + bytes(32) + bytes([len(session)]) + session + packed(ciphers, 2) + b"\x01\x00"
    if extensions:
        joined = b"".join(extensions)
        body += len(joined).to_bytes(2, "big") + joined
    return b"\x01" + len(body).to_bytes(3, "big") + body


def records(hello: bytes, size: int = 1 << 14) -> bytes:
    """It in records of at most so many bytes."""
    parts = [hello[k : k + size] for k in range(0, len(hello), size)]
    return b"".join(b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part for part in parts)


def server_name(name: str) -> bytes:
    return extension(0, (len(name) + 3).to_bytes(2, "big") + b"\x00" + len(name).to_bytes(2, "big") + name.encode())


def alpn(*protocols: bytes) -> bytes:
    body = b"".join(bytes([len(one)]) + one for one in protocols)
    return extension(16, len(body).to_bytes(2, "big") + body)


def hellos_of(events: list[tuple], start_seen: bool = True) -> tuple[np.ndarray, dict[str, int]]:
    http = Http()
    assert http.run(events, start_seen) == []
    return np.concatenate(http.hellos), {name: int(http.counters[REASON[name]]) for name in ("tls", "tls_hello_lost")}


def reference_ja4(ciphers: list[int], kinds: list[int], algorithms: list[int], version: str, name: bool, protocol: str) -> str:
    """As the technical details of JA4 say it, over lists."""
    ciphers, kinds, algorithms = ([n for n in many if n not in GREASE] for many in (ciphers, kinds, algorithms))

    def digest(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()[:12] if text else "0" * 12

    first = f"t{version}{'d' if name else 'i'}{min(99, len(ciphers)):02}{min(99, len(kinds)):02}{protocol}"
    listed = ",".join(sorted(f"{n:04x}" for n in kinds if n not in (0, 16)))
    if algorithms:
        listed += "_" + ",".join(f"{n:04x}" for n in algorithms)
    return f"{first}_{digest(','.join(sorted(f'{n:04x}' for n in ciphers)))}_{digest(listed) if kinds else '0' * 12}"


def test_the_published_example():
    """The one that the technical details of JA4 work out."""
    ciphers = [0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013, 0xC014, 0x9C, 0x9D, 0x2F, 0x35]
    algorithms = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601]
    empty = [0x1B, 0x33, 0x4469, 0x17, 0x2D, 0x05, 0x23, 0x12, 0x0B, 0x0A, 0xFF01, 0x15]
    extensions = [server_name("example.com"), alpn(b"h2", b"http/1.1"), extension(13, packed(algorithms, 2))]
    extensions += [extension(43, packed([0x1A1A, 0x0304, 0x0303], 1)), extension(0x2A2A, b"")]
    hello = message([0x3A3A, *ciphers], extensions + [extension(kind, b"") for kind in empty])
    (found,), _ = hellos_of([data(ASK, records(hello))])
    assert ja4(found) == "t13d1516h2_8daaf6152771_e5627efa2ab1"


def test_a_real_client():
    """What OpenSSL sends."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    client = context.wrap_bio(incoming, outgoing, server_hostname="API.Shop.test")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    (found,), counted = hellos_of([data(ASK, outgoing.read(), 7), data(REPLY, SERVER_HELLO), fin(ASK), fin(REPLY)])
    assert bytes(found["name"][: found["name_len"]]) == b"api.shop.test"
    assert found["ts"] == 7 and found["server_port"] == SERVER[1] and counted == {"tls": 1, "tls_hello_lost": 0}
    assert address(found["client_hi"], found["client_lo"]) == CLIENT[0]
    assert address(found["server_hi"], found["server_lo"]) == SERVER[0]
    assert ja4(found).startswith("t13d") and "h1_" in ja4(found)


@examples(150)
@given(numbers, numbers, st.lists(st.integers(0, 0xFFFF), max_size=20), st.booleans(), st.data())
def test_any_hello_cut_anywhere(ciphers, algorithms, kinds, named, drawn):
    extensions = [extension(kind, b"") for kind in kinds if kind not in (0, 13, 16, 43)]
    extensions += [server_name("a-b.example")] if named else []
    extensions += [extension(13, packed(algorithms, 2))] if algorithms else []
    extensions += [alpn(b"\xabc9", b"h2"), extension(43, packed([0x0303], 1))]
    extensions = drawn.draw(st.permutations(extensions))
    wire = records(message(ciphers, extensions, 0x0301, bytes(32)), drawn.draw(st.sampled_from([50, 1 << 14])))
    cuts = sorted(drawn.draw(st.sets(st.integers(6, len(wire)), max_size=6)))
    parts = [wire[a:b] for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True) if a < b]
    (found,), counted = hellos_of([data(ASK, part) for part in parts] + [data(REPLY, SERVER_HELLO)])
    sent = [int.from_bytes(one[:2], "big") for one in extensions]
    assert ja4(found) == reference_ja4(ciphers, sent, algorithms, "12", named, "a9")
    assert bytes(found["name"][: found["name_len"]]) == (b"a-b.example" if named else b"")
    assert counted == {"tls": 1, "tls_hello_lost": 0}


class Reader:
    """Takes bytes in turn; IndexError where there are none left."""

    def __init__(self, text: bytes):
        self.text, self.at = text, 0

    def take(self, size: int) -> bytes:
        if self.at + size > len(self.text):
            raise IndexError
        self.at += size
        return self.text[self.at - size : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")


def twos(body: bytes) -> list[int]:
    return [int.from_bytes(body[k : k + 2], "big") for k in range(0, len(body) - 1, 2)]


def plain_ja4(hello: bytes) -> str:
    """Of the message of one ClientHello that asks for a.example; empty where it cannot be read to its end."""
    reader, kinds, algorithms, protocol, named = Reader(hello), [], [], "00", False
    try:
        reader.take(4)
        version = reader.number(2)
        reader.take(32)
        reader.take(reader.number(1))
        ciphers = twos(reader.take(reader.number(2)))
        reader.take(reader.number(1))
        if reader.at == len(hello):
            return reference_ja4(ciphers, [], [], VERSIONS.get(version, "00"), False, "00")
        inner = Reader(reader.take(reader.number(2)))
        while len(inner.text) - inner.at >= 4:
            kind, body = inner.number(2), inner.take(inner.number(2))
            kinds.append(kind)
            named |= kind == 0
            if kind == 13:
                algorithms = twos(body[2:])
            elif kind == 43:
                version = max([n for n in twos(body[1:]) if n not in GREASE] + [0]) or version
            elif kind == 16 and len(body) >= 3 and 0 < body[2] <= len(body) - 3:
                ends = body[3], body[2 + body[2]]
                whole = all(byte < 128 and chr(byte).isalnum() for byte in ends)
                protocol = bytes(ends).decode() if whole else f"{ends[0]:02x}"[0] + f"{ends[1]:02x}"[1]
    except IndexError:
        return ""
    return reference_ja4(ciphers, kinds, algorithms, VERSIONS.get(version, "00"), named, protocol)


@examples(300)
@given(st.data())
def test_damage_is_read_as_a_plain_reader_does(drawn):
    """Any bytes behind the header of a message that has its length: one hello, whole or not."""
    parts = [server_name("a.example"), alpn(b"h2"), extension(13, packed([7, 8], 2)), extension(43, packed([0x0304], 1))]
    hello = bytearray(message([0x1301, 0xC02F], parts, session=b"abc"))
    for _ in range(drawn.draw(st.integers(1, 6))):
        hello[drawn.draw(st.integers(4, len(hello) - 1))] = drawn.draw(st.integers(0, 255))
    (found,), _ = hellos_of([data(ASK, records(bytes(hello)))])
    assert ja4(found) == plain_ja4(bytes(hello))


@examples(150)
@given(st.data())
def test_damaged_records_give_one_hello_at_the_most(drawn):
    wire = bytearray(records(message([0x1301, 0xC02F], [server_name("a.example"), alpn(b"h2"), extension(13, packed([7], 2))])))
    for _ in range(drawn.draw(st.integers(1, 6))):
        wire[drawn.draw(st.integers(5, len(wire) - 1))] = drawn.draw(st.integers(0, 255))
    wire[5] = 1
    found, _ = hellos_of([data(ASK, bytes(wire)), data(ASK, bytes(3_000))])
    assert len(found) <= 1


def test_lists_that_are_too_long_have_no_fingerprint():
    (found,), _ = hellos_of([data(ASK, records(message(list(range(300)), [server_name("a.example")])))])
    assert ja4(found) == "" and bytes(found["name"][:9]) == b"a.example"


def test_what_is_lost_is_counted():
    wire = records(message([0x1301], [server_name("a.example")]))
    for events in (
        [data(ASK, wire[:40]), gap(ASK, 10), data(ASK, wire[50:])],
        [data(ASK, b"\x16\x03\x01\xff\xff" + b"\x01" * 20_000)],
    ):
        found, counted = hellos_of(events)
        assert len(found) == 0 and counted == {"tls": 1, "tls_hello_lost": 1}


def test_names_with_other_characters_are_none():
    for name in ("<script>.example", "a b", "\N{LATIN SMALL LETTER E WITH ACUTE}.example"):
        body = name.encode()
        wire = extension(0, (len(body) + 3).to_bytes(2, "big") + b"\x00" + len(body).to_bytes(2, "big") + body)
        (found,), _ = hellos_of([data(ASK, records(message([0x1301], [wire])))])
        assert found["name_len"] == 0 and found["named"] and not found["name"].any()


def made_up(**fields) -> np.ndarray:
    hello = np.zeros(1, HELLO)
    hello["whole"], hello["version"] = 1, 0x0304
    for name, value in fields.items():
        if name == "server_name":
            hello["name"][0, : len(value)] = np.frombuffer(value.encode(), np.uint8)
            hello["name_len"] = len(value)
        else:
            hello[name] = value
    return hello


def test_what_clients_make_up_is_bounded():
    """Names of one server, and fingerprints of one name, are the client's choice: no other service is pushed out by them."""
    counters, inventory = np.zeros(len(REASON), np.uint64), Encrypted()
    for k in range(CLIENTS_OF_NAME + 20):
        hello = made_up(server_name="a.example", server_port=443, ciphers=1)
        hello["cipher"][0, 0] = k
        inventory.update(hello, counters)
    for k in range(NAMES_OF_SERVER + 20):
        inventory.update(made_up(server_name=f"n{k}.example", server_port=8443), counters)
    rows = inventory.services()
    assert sum(row["connections"] for row in rows) == CLIENTS_OF_NAME + 20 + NAMES_OF_SERVER + 20
    assert len([row for row in rows if row["server_name"] == "a.example"]) == CLIENTS_OF_NAME + 1
    assert len([row for row in rows if row["server_port"] == 8443]) == NAMES_OF_SERVER + 1
    for k in range(SERVICES):
        inventory.update(made_up(server_lo=k, server_port=443), counters)
    assert len(inventory.services()) == SERVICES and counters[REASON["tls_overflow"]] > 0


def test_it_goes_on_from_a_checkpoint():
    counters, before, after = np.zeros(len(REASON), np.uint64), Encrypted(), Encrypted()
    hello = made_up(server_name="a.example", server_port=443, ts=5)
    before.update(hello, counters)
    for name, array in before.arrays().items():
        after.arrays()[name][:] = array
    after.update(hello, counters)
    (row,) = after.services()
    assert row["connections"] == 2 and row["server_name"] == "a.example" and row["tls_version"] == "1.3"
