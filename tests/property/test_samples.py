"""Samples of bodies: the first bytes, whatever framing, however cut, never with a hole in them."""

import random

import hpack
import pytest
from helpers import ASK, REPLY, Http, data, examples, gap
from hyperframe.frame import DataFrame, HeadersFrame, SettingsFrame
from hypothesis import given
from hypothesis import strategies as st

from parsers.http.media import coding_of, media_of
from sensor.core.limits import REQUEST_SAMPLE, RESPONSE_SAMPLE
from sensor.core.reasons import REASON
from sensor.core.records import CODING, MEDIA
from sensor.core.wide import padded

PARSER = Http()
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SIZES = st.sampled_from([0, 1, 100, 511, 512, 513, REQUEST_SAMPLE, REQUEST_SAMPLE + 1, RESPONSE_SAMPLE, RESPONSE_SAMPLE + 1])


def http1(asked: bytes, answered: bytes, chunked: bool, media=b"application/json") -> list:
    head = b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (media, len(asked))
    reply = b"HTTP/1.1 200 OK\r\nContent-Type: %s; charset=utf-8\r\n" % media
    if not chunked:
        return [(ASK, head + asked), (REPLY, reply + b"Content-Length: %d\r\n\r\n" % len(answered) + answered)]
    chunks = b"".join(
        b"%x\r\n%s\r\n" % (len(part), part) for at in range(0, len(answered), 700) if (part := answered[at : at + 700])
    )
    return [(ASK, head + asked), (REPLY, reply + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")]


def http2(asked: bytes, answered: bytes, padding: bool) -> list:
    def message(fields, body):
        frames = HeadersFrame(1, hpack.Encoder().encode(fields), flags=("END_HEADERS",)).serialize()
        for at in range(0, len(body), 9_000):
            flags, pad = (("PADDED",), 7) if padding else ((), 0)
            frames += DataFrame(1, body[at : at + 9_000], pad_length=pad, flags=flags).serialize()
        return frames + DataFrame(1, b"", flags=("END_STREAM",)).serialize()

    request = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/x"),
        (":authority", "h"),
        ("content-type", "application/json"),
    ]
    response = [(":status", "200"), ("content-type", "application/problem+json")]
    return [
        (ASK, PREFACE + SettingsFrame(0).serialize() + message(request, asked)),
        (REPLY, SettingsFrame(0).serialize() + message(response, answered)),
    ]


def cut(writes, choose):
    size = choose.choice((1, 100, 1460, 70_000))
    for side, whole in writes:
        step = max(size, len(whole) // 300)
        yield from ((side, whole[at : at + step]) for at in range(0, len(whole), step))


@examples(120)
@given(SIZES, SIZES, st.booleans(), st.booleans(), st.integers(0, 10_000))
def test_the_first_bytes_of_each_body(asked, answered, second, variant, seed):
    choose = random.Random(seed)
    request, response = choose.randbytes(asked), choose.randbytes(answered)
    writes = http2(request, response, variant) if second else http1(request, response, variant)
    (row,) = PARSER.run([data(side, part) for side, part in cut(writes, choose)])
    assert row["completeness"] == []
    assert (row["request_bytes"], row["response_bytes"]) == (asked, answered)
    assert row["request_body"] == request[:REQUEST_SAMPLE]
    assert row["response_body"] == response[:RESPONSE_SAMPLE]
    assert (row["request_partial"], row["response_partial"]) == (asked > REQUEST_SAMPLE, answered > RESPONSE_SAMPLE)
    assert (row["request_media"], row["response_media"]) == (MEDIA["json"], MEDIA["json"])


@examples(200)
@given(st.booleans(), st.booleans(), st.integers(0, 10_000))
def test_a_sample_ends_where_bytes_were_lost(second, variant, seed):
    choose = random.Random(seed)
    request, response = choose.randbytes(3_000), choose.randbytes(9_000)
    writes = http2(request, response, variant) if second else http1(request, response, variant)
    events = []
    for side, part in cut(writes, choose):
        lost = choose.random() < 0.05
        events.append(gap(side, len(part)) if lost else data(side, part))
    for row in PARSER.run(events):
        assert request.startswith(row["request_body"]) and response.startswith(row["response_body"])
        if "gap" not in row["completeness"] and "no_request" not in row["completeness"]:
            assert row["request_body"] == request or row["request_partial"]


def test_bodies_that_nobody_reads_are_not_kept():
    for media in (b"image/png", b"text/event-stream", b"application/octet-stream", b"text/html"):
        (row,) = PARSER.run([data(side, part) for side, part in http1(b"x" * 100, b"y" * 100, False, media)])
        assert (row["request_body"], row["response_body"]) == (b"", b"")


def test_no_room_costs_the_sample_alone():
    """Many bodies at once in a small store: those without room come without a sample, all else is as ever."""
    small = Http(body_bytes=64 << 10)
    asked = [b"%d" % k * 4_000 for k in range(8)]
    rows = small.run(
        [
            *(data(ASK, http1(body, b"", False)[0][1]) for body in asked),
            *(data(REPLY, http1(b"", b"", False)[1][1]) for _ in asked),
        ]
    )
    assert [row["request_bytes"] for row in rows] == [4_000] * 8
    assert [row["request_body"] in (b"", body) for row, body in zip(rows, asked, strict=True)] == [True] * 8
    assert all(row["request_partial"] for row in rows if not row["request_body"])
    full = Http(body_bytes=8 << 10)
    rows = full.run(
        [
            *(data(ASK, http1(body, b"", False)[0][1]) for body in asked),
            *(data(REPLY, http1(b"", b"", False)[1][1]) for _ in asked),
        ]
    )
    assert full.counters[REASON["body_dropped"]] == 6
    assert [bool(row["request_body"]) for row in rows].count(True) == 2


@pytest.mark.parametrize(("name", "kind"), [
    ("application/json", "json"), ("Application/JSON", "json"), ("application/vnd.api+json", "json"), ("text/xml", "xml"),
    ("application/soap+xml", "xml"), ("application/x-www-form-urlencoded", "form"), ("multipart/form-data", "multipart"),
    ("application/graphql", "graphql"), ("application/graphql-response+json", "json"), ("text/plain", "text"), ("text/csv", "text"),
    ("application/grpc", "none"), ("application/grpc+json", "none"), ("image/svg+xml", "none"), ("application/xhtml+xml", "none"),
    ("", "none"), ("x", "none"), ("text/event-stream", "none"), ("a" * 2_000 + "json", "none"),
])  # fmt: skip
def test_media(name, kind):
    assert media_of(padded(name.encode()), 0, len(name)) == MEDIA[kind]


@pytest.mark.parametrize(("name", "kind"), [
    ("gzip", "gzip"), ("X-GZIP", "gzip"), (" br ", "br"), ("zstd", "zstd"), ("deflate", "deflate"), ("identity", "identity"),
    ("", "identity"), ("gzip, br", "other"), ("compress", "other"), ("aes128gcm", "other"),
])  # fmt: skip
def test_codings(name, kind):
    assert coding_of(padded(name.encode()), 0, len(name)) == CODING[kind]
