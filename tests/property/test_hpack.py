"""Header blocks against RFC 7541's own examples and against hpack, block by block."""

import random

import hpack
import numpy as np
import pytest
from helpers import examples
from hypothesis import given
from hypothesis import strategies as st

from parsers.http2.fields import NO_FIELD, NO_NAME, read_field, read_integer
from parsers.http2.huffman import decode_huffman
from parsers.http2.state import new_http2
from parsers.http2.table import forget, new_table
from sensor.core.records import GAP, LATE_JOIN
from sensor.core.wide import SLACK, padded

UNSEEN = object()
HTTP2 = new_http2(2)


class Decoder:
    """One direction's table, and all fields of a block as pairs; UNSEEN instead of a name that was not seen."""

    def __init__(self, missed: int = 0):
        new_table(HTTP2, 0, missed)
        self.table = HTTP2.tables[0]

    def decode(self, block: bytes) -> list[tuple]:
        buffer, at, found = padded(block), 0, []
        while at < len(block):
            at, _, name, value = read_field(HTTP2, self.table, buffer, at, len(block), True, 0)
            if at < 0:
                raise ValueError("broken")
            if name == NO_NAME:
                found.append((UNSEEN, None))
            elif name != NO_FIELD:
                found.append((HTTP2.fields[:name].tobytes(), HTTP2.fields[name : name + value].tobytes()))
        return found


REQUESTS = (
    [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"www.example.com")],
    [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"www.example.com"), (b"cache-control", b"no-cache")],
    [(b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/index.html"), (b":authority", b"www.example.com"), (b"custom-key", b"custom-value")],
)  # fmt: skip
DATE, LATER = b"Mon, 21 Oct 2013 20:13:21 GMT", b"Mon, 21 Oct 2013 20:13:22 GMT"
PLACE = (b"location", b"https://www.example.com")
RESPONSES = (
    [(b":status", b"302"), (b"cache-control", b"private"), (b"date", DATE), PLACE],
    [(b":status", b"307"), (b"cache-control", b"private"), (b"date", DATE), PLACE],
    [(b":status", b"200"), (b"cache-control", b"private"), (b"date", LATER), PLACE, (b"content-encoding", b"gzip"),
     (b"set-cookie", b"foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1")],
)  # fmt: skip
# RFC 7541 C.3 to C.6: (table size, blocks in turn, what they say)
APPENDIX_C = {
    "C.3": (4096, ("828684410f7777772e6578616d706c652e636f6d", "828684be58086e6f2d6361636865",
                   "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565"), REQUESTS),
    "C.4": (4096, ("828684418cf1e3c2e5f23a6ba0ab90f4ff", "828684be5886a8eb10649cbf",
                   "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf"), REQUESTS),
    "C.5": (256, ("4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d",
                  "4803333037c1c0bf",
                  "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31"), RESPONSES),
    "C.6": (256, ("488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
                  "4883640effc1c0bf",
                  "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007"), RESPONSES),
}  # fmt: skip


@pytest.mark.parametrize("name", APPENDIX_C)
def test_examples_of_appendix_c(name):
    size, blocks, said = APPENDIX_C[name]
    decoder = Decoder()
    decoder.table["limit"] = size
    assert [decoder.decode(bytes.fromhex(block)) for block in blocks] == list(said)


@pytest.mark.parametrize(("data", "bits", "value"), [("0a", 5, 10), ("1f9a0a", 5, 1337), ("2a", 8, 42)])
def test_integers_of_appendix_c(data, bits, value):
    assert read_integer(padded(bytes.fromhex(data)), 0, len(data) // 2, bits) == (value, len(data) // 2)


@pytest.mark.parametrize("data", ["1f", "1fff", "1fffffffffff", "1fffffffffffffffffffff01"])
def test_integers_that_are_none(data):
    assert read_integer(padded(bytes.fromhex(data)), 0, len(data) // 2, 5)[1] == -1


@examples(500)
@given(st.binary(max_size=200))
def test_huffman_reads_what_hpack_wrote(text):
    encoder = hpack.Encoder()
    coded = encoder.huffman_coder.encode(text)
    target = np.zeros(4 * len(coded) + SLACK, np.uint8)
    end = decode_huffman(HTTP2.huffman, padded(coded), 0, len(coded), target, 0)
    assert target[:end].tobytes() == text


@examples(500)
@given(st.binary(min_size=1, max_size=12))
def test_huffman_refuses_what_hpack_refuses(coded):
    target = np.zeros(4 * len(coded) + SLACK, np.uint8)
    end = decode_huffman(HTTP2.huffman, padded(coded), 0, len(coded), target, 0)
    try:
        text = hpack.huffman_table.decode_huffman(coded)
    except hpack.HPACKDecodingError:
        assert end == -1
    else:
        assert target[:end].tobytes() == text


NAMES = [b"x-%d" % k for k in range(150)] + [b":path", b":method", b":status", b"cookie", b"content-type", b"date"]
SIZES = (0, 64, 256, 4096, 10_000, 65_536)


def random_blocks(seed: int, count: int):
    """(encoded block, its header list) from hpack's encoder, whose table changes its size now and then."""
    choose, encoder = random.Random(seed), hpack.Encoder()
    values = [choose.randbytes(choose.choice((0, 2, 8, 30, 200))) for _ in range(400)]
    for _ in range(count):
        fields = [(choose.choice(NAMES), choose.choice(values)) for _ in range(choose.randrange(8))]
        if choose.random() < 0.02:
            encoder.header_table_size = choose.choice(SIZES)
        if choose.random() < 0.001:
            fields.append((b"large", choose.randbytes(5_000)))
        sensitive = [hpack.NeverIndexedHeaderTuple(*f) if choose.random() < 0.1 else f for f in fields]
        yield encoder.encode(sensitive, huffman=choose.random() < 0.5), fields


def test_a_hundred_thousand_header_lists():
    decoder = Decoder()
    for block, fields in random_blocks(1, 100_000):
        assert decoder.decode(block) == fields


@pytest.mark.parametrize("missed", [LATE_JOIN, GAP])
def test_what_was_not_seen_is_unknown_and_all_else_is_right(missed):
    """A decoder that joins late, and one that loses blocks, against the lists themselves."""
    unknown = known = 0
    for seed in range(20):
        choose, decoder = random.Random(seed), Decoder(missed if missed == LATE_JOIN else 0)
        for number, (block, fields) in enumerate(random_blocks(seed, 1_500)):
            if number < 200 and missed == LATE_JOIN:
                continue
            if missed == GAP and choose.random() < 0.02:
                forget(decoder.table, GAP)
                continue
            found = decoder.decode(block)
            assert len(found) == len(fields)
            for got, field in zip(found, fields, strict=True):
                unknown += got[0] is UNSEEN
                known += got[0] is not UNSEEN
                assert got[0] is UNSEEN or got == field
    assert unknown > 100
    assert known > 5 * unknown


@examples(300)
@given(st.binary(max_size=120), st.booleans())
def test_any_bytes_are_read_as_hpack_reads_them(block, late):
    """Random bytes: the same fields as hpack's decoder, or broken where it says so."""
    reference = hpack.Decoder()
    reference.max_allowed_table_size = 1 << 20
    decoder = Decoder(LATE_JOIN if late else 0)
    try:
        fields = [(bytes(name), bytes(value)) for name, value in reference.decode(block, raw=True)]
    except (hpack.HPACKError, IndexError, UnicodeDecodeError):
        return
    if late:
        assert [
            got for got, field in zip(decoder.decode(block), fields, strict=True) if got[0] is not UNSEEN and got != field
        ] == []
    else:
        assert decoder.decode(block) == fields
