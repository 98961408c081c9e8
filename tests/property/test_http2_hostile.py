"""HTTP/2 of attackers and of damaged captures: bounded, counted, and no harm to what follows."""

import random
import struct

import hpack
import pytest
from h2_peers import Peers
from helpers import (
    ASK,
    CLIENT,
    REPLY,
    SECOND,
    SERVER,
    Http,
    Sensor,
    assert_empty,
    data,
    examples,
    fin,
    gap,
    transactions_of_packets,
)
from hyperframe.frame import ContinuationFrame, DataFrame, HeadersFrame, PingFrame, RstStreamFrame, SettingsFrame
from hypothesis import given
from hypothesis import strategies as st

from parsers.http2.state import CONTINUATION_LIMIT, STREAM_LIMIT
from sensor.core.reasons import REASON
from sensor.core.records import DELIVER_CONFLICT
from sensor.simulate.wire import Conversation

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
START = 1_700_000_000_000_000_000
ENDS = ("END_HEADERS", "END_STREAM")
OPENING = data(ASK, PREFACE + SettingsFrame(0).serialize()), data(REPLY, SettingsFrame(0).serialize())
BASIC = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "h.example")]


def ask(stream, fields=BASIC, encoder=None, flags=ENDS) -> bytes:
    return HeadersFrame(stream, (encoder or hpack.Encoder()).encode(fields), flags=flags).serialize()


def reply(stream, status="200") -> bytes:
    return HeadersFrame(stream, hpack.Encoder().encode([(":status", status)]), flags=ENDS).serialize()


class Counted(Http):
    """A parser, and how often each reason was counted in a run."""

    def reasons(self, events) -> tuple[list[dict], dict[str, int]]:
        before = self.counters.copy()
        rows = self.run(events)
        grown = self.counters - before
        return rows, {name: int(grown[code]) for name, code in REASON.items() if grown[code]}


PARSER = Counted()


def assert_still_works(events):
    """A transaction on another connection comes out right after these events."""
    PARSER.run(events)
    assert [(row["path"], row["status"], row["completeness"]) for row in PARSER.run([*OPENING, data(ASK, ask(1)), data(REPLY, reply(1))])] == [
        (b"/", 200, [])
    ]  # fmt: skip


def test_a_flood_of_continuation_frames():
    """CVE-2024-27316: a block that never ends. It is given up, and the connection's later streams are told."""
    first = HeadersFrame(1, hpack.Encoder().encode(BASIC)).serialize()
    empty = ContinuationFrame(1, b"").serialize()
    last = ContinuationFrame(1, b"", flags=("END_HEADERS",)).serialize()
    events = [data(ASK, first), *(data(ASK, empty) for _ in range(10 * CONTINUATION_LIMIT)), data(ASK, last)]
    rows, reasons = PARSER.reasons([*OPENING, *events, data(ASK, ask(3)), data(REPLY, reply(3))])
    assert reasons["http2_block_lost"] == 1
    assert [(row["stream_id"], row["path"], row["completeness"]) for row in rows] == [
        (3, b"/", []),
        (1, b"", ["gap", "no_response", "request_cut", "unknown_field"]),
    ]


@pytest.mark.parametrize("endless", [b"\0" + b"\x7f\xe1\xff\x03" + b"n" * 65_504, b"\x82" * 65_536])
def test_a_header_block_that_never_ends(endless):
    """Blocks beyond 64 KiB are given up."""
    frames = [HeadersFrame(1, endless[:16_000]).serialize()]
    frames += [ContinuationFrame(1, endless[:16_000]).serialize() for _ in range(40)]
    assert_still_works([*OPENING, *(data(ASK, frame) for frame in frames)])


def test_a_bomb_of_references():
    """CVE-2016-6581: one large entry, then a byte for each time that it is meant."""
    encoder = hpack.Encoder()
    large = encoder.encode([*BASIC, ("x", "v" * 4000)])
    bomb = HeadersFrame(3, b"\xbe" * 16_000, flags=ENDS).serialize()
    rows, reasons = PARSER.reasons([*OPENING, data(ASK, HeadersFrame(1, large, flags=ENDS).serialize()), data(ASK, bomb)])
    assert reasons["http2_block_lost"] == 1
    assert [row["stream_id"] for row in rows] == [1, 3]
    assert "truncated" in rows[1]["completeness"]


def test_rapid_reset():
    """CVE-2023-44487: streams that are opened and given up at once are counted, and cost no room."""
    events = [data(ASK, ask(stream) + RstStreamFrame(stream, 8).serialize()) for stream in range(1, 4001, 2)]
    rows, reasons = PARSER.reasons([*OPENING, *events])
    assert reasons["http2_reset"] == 2000
    assert len(rows) == 2000
    assert all(row["weird"] == ["stream_reset"] for row in rows)


def test_more_streams_than_any_server_allows():
    """The oldest is told as it is when there are too many, and none is lost."""
    count = STREAM_LIMIT + 100
    rows = Http(pending=2 * count).run([*OPENING, *(data(ASK, ask(2 * k + 1)) for k in range(count))])
    assert sorted(row["stream_id"] for row in rows) == [2 * k + 1 for k in range(count)]
    assert sum("pending_overflow" in row["weird"] for row in rows) == 100


def test_a_ping_flood_and_settings_without_end():
    pings = PingFrame(0, b"12345678").serialize() * 1000
    settings = SettingsFrame(0, {k: k for k in range(1, 2000)}).serialize()
    assert_still_works([*OPENING, data(ASK, pings), data(ASK, settings), data(ASK, ask(1)), data(REPLY, reply(1))])


def test_upgrade_of_a_plain_connection():
    """h2c (RFC 7540 3.2): the request that upgraded is stream 1, and is told once for each protocol."""
    upgrade = b"GET /up?x=1 HTTP/1.1\r\nHost: h.example\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
    switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    server = SettingsFrame(0).serialize() + reply(1, "204")
    for cut in range(1, len(switch + server)):
        answer = switch + server
        rows = PARSER.run([
            data(ASK, upgrade),
            data(REPLY, answer[:cut]),
            data(REPLY, answer[cut:]),
            data(ASK, PREFACE + SettingsFrame(0).serialize() + ask(3)),
            data(REPLY, reply(3)),
        ])  # fmt: skip
        assert [(row["version"], row["stream_id"], row["path"], row["status"]) for row in rows] == [
            (11, 0, b"/up", 101),
            (20, 1, b"/up", 204),
            (20, 3, b"/", 200),
        ]


FRAME_PARTS = st.one_of(
    st.binary(max_size=40),
    st.builds(
        lambda length, kind, flags, stream, body: struct.pack(">I", length)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + body,
        st.integers(0, 70), st.integers(0, 12), st.integers(0, 255), st.sampled_from([0, 1, 2, 3, 5, 1 << 31]), st.binary(max_size=70),
    ),
    st.builds(lambda stream: ask(2 * stream + 1), st.integers(0, 4)),
    st.builds(lambda stream: reply(2 * stream + 1), st.integers(0, 4)),
)  # fmt: skip


@examples(1500)
@given(st.lists(st.tuples(st.booleans(), st.one_of(FRAME_PARTS, st.integers(0, 100))), max_size=30), st.booleans())
def test_any_frames(parts, preface):
    """Frames of any kind, damaged ones, losses: no error, no store left in use, and the next connection comes out right."""
    events = [gap(side, part) if isinstance(part, int) else data(side, part) for side, part in parts if part != b""]
    assert_still_works([*(OPENING if preface else ()), *events])


def frames_of(seed) -> list:
    conversation = Conversation(CLIENT, SERVER, START, mss=200)
    conversation.handshake()
    for from_client, what in Peers(seed, steps=25).events:
        conversation.send(from_client, what)
    conversation.close()
    return conversation.frames


VALUES = ("method", "path", "query", "host", "user_agent", "status", "request_bytes", "response_bytes", "grpc_status")
NOTHING = (b"", 0, -1)
WIRE = Sensor(connections=16, duplicate_window_ms=0)


def assert_right(rows, whole):
    for row in rows:
        twin = whole[row["stream_id"]]
        for name in VALUES:
            less = name.endswith("_bytes") and row[name] < twin[name]
            assert row[name] == twin[name] or (row["completeness"] and (row[name] in NOTHING or less)), name


@pytest.mark.parametrize("seed", range(3))
def test_each_packet_lost_and_each_packet_first(seed):
    """From the wire to the rows: a capture that lacks any one packet, or begins with any one."""
    frames = frames_of(seed)
    whole = {row["stream_id"]: row for row in transactions_of_packets(frames, sensor=WIRE)}
    assert len(whole) > 3
    for k in range(len(frames)):
        assert_right(transactions_of_packets(frames[:k] + frames[k + 1 :], sensor=WIRE), whole)
        assert_right(transactions_of_packets(frames[k:], sensor=WIRE), whole)


@examples(40)
@given(st.integers(0, 2), st.integers(0, 10_000))
def test_random_runs_of_packets_lost(seed, losses):
    choose, frames = random.Random(losses), frames_of(seed)
    whole = {row["stream_id"]: row for row in transactions_of_packets(frames, sensor=WIRE)}
    kept, k = [], 0
    while k < len(frames):
        k += choose.choice((0, 0, 0, 0, 0, 1, 2, 5))
        kept += frames[k : k + 1]
        k += 1
    assert_right(transactions_of_packets(kept, sensor=WIRE), whole)
    assert_empty(WIRE)


def test_contradicting_bytes_flag_what_they_belong_to_alone():
    """Bytes that came twice and differed (DELIVER_CONFLICT) within a stream's data, and within a header block."""
    second, third = ask(3, flags=("END_HEADERS",)), ask(5)
    body = DataFrame(3, b"x" * 100, flags=("END_STREAM",)).serialize()
    rows = PARSER.run([
        *OPENING,
        data(ASK, ask(1) + second + body[:50]),
        (DELIVER_CONFLICT, ASK, 0, SECOND),
        data(ASK, body[50:] + third[:20]),
        (DELIVER_CONFLICT, ASK, 0, SECOND),
        data(ASK, third[20:] + ask(7)),
        *(data(REPLY, reply(stream)) for stream in (1, 3, 5, 7)),
    ])  # fmt: skip
    assert [(row["stream_id"], row["weird"]) for row in rows] == [(1, []), (3, ["overlap"]), (5, ["overlap"]), (7, [])]


PREFACE_LINE = b"PRI * HTTP/2.0\r\n"


@pytest.mark.parametrize("again", [
    [data(ASK, PREFACE_LINE), fin(ASK), data(ASK, PREFACE_LINE + b"\r\n"), data(ASK, PREFACE_LINE + b"\r\n")],
    [data(ASK, PREFACE_LINE), *(data(ASK, b"x: y\r\n" * 2_000) for _ in range(6)), data(ASK, PREFACE_LINE + b"\r\n")],
])  # fmt: skip
def test_a_preface_that_ends_without_its_empty_line(again):
    """A head that is given up or cut off can begin HTTP/2 itself: its slot is taken once, and given back."""
    for _ in range(6):
        assert_still_works(again)


def test_both_queues_of_the_longest_texts_fit_into_the_output():
    """One delivery tells 128 long requests of its own connection and 256 of the one whose place HTTP/2 takes."""
    small = Http(pending=1_000, text_bytes=64 << 20, http2=1)
    long = "/" + "p" * 16_000
    fields = [
        (":method", "GET"),
        (":scheme", "http"),
        (":path", long),
        (":authority", "a" * 1_000),
        ("user-agent", "u" * 1_000),
    ]
    victim = [*OPENING, *(data(ASK, ask(2 * k + 1, fields)) for k in range(STREAM_LIMIT))]
    head = b"GET %s?%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\n\r\n" % (
        long.encode(),
        b"q" * 16_000,
        b"h" * 1_000,
        b"u" * 1_000,
    )
    other = [*(data(ASK, b"") for _ in victim), *(data(ASK, head) for _ in range(128))]
    other = [event for event in other if event[2]]
    burst = b"ACL / HTTP/1.1\r\nHost:a\r\n\r\n" * 130 + PREFACE
    first, second = small.run_many([victim, [*([gap(REPLY, 1)] * len(victim)), *other, data(ASK, burst)]])
    assert len(first) == STREAM_LIMIT
    assert len(second) == 258
    assert sum(len(row["path"]) for row in first) == STREAM_LIMIT * len(long)


def test_the_upgrade_s_own_answer_leaves_no_body_behind():
    """101 with a Content-Type, then data of stream 1 before its head, in a store that runs full."""
    small = Http(body_bytes=2_048)
    upgrade = (
        b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
    )
    switch = (
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Type: application/json\r\n\r\n"
    )
    head = HeadersFrame(
        1, hpack.Encoder().encode([(":status", "200"), ("content-type", "application/json")]), flags=("END_HEADERS",)
    )
    rows = small.run([
        data(ASK, upgrade),
        data(REPLY, switch + SettingsFrame(0).serialize() + DataFrame(1, b"a" * 3_000).serialize()),
        data(REPLY, head.serialize() + DataFrame(1, b"b" * 600, flags=("END_STREAM",)).serialize()),
    ])  # fmt: skip
    assert [row["status"] for row in rows] == [101, 200]
    assert set(rows[1]["response_body"]) <= {ord("b")}


def test_an_answer_that_is_no_grpc_has_no_messages():
    fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/a.B/C"),
        (":authority", "h"),
        ("content-type", "application/grpc"),
    ]
    refused = HeadersFrame(
        1, hpack.Encoder().encode([(":status", "502"), ("content-type", "text/html")]), flags=("END_HEADERS",)
    )
    body = DataFrame(1, b"<html>bad gateway, and so on</html>", flags=("END_STREAM",)).serialize()
    (row,) = PARSER.run([*OPENING, data(ASK, ask(1, fields)), data(REPLY, refused.serialize() + body)])
    assert (row["status"], row["response_bytes"], row["response_messages"]) == (502, 35, 0)


def test_a_body_that_looks_like_a_preface_makes_no_client():
    events = [
        *OPENING,
        data(ASK, ask(1)),
        gap(REPLY, 0),
        data(REPLY, PREFACE + b"x" * 40),
        data(ASK, ask(3)),
        data(REPLY, reply(3)),
    ]
    assert {row["client_port"] for row in PARSER.run(events)} == {50_100}


def test_oddities_of_a_request_are_told():
    fields = [*BASIC, ("content-length", "3"), ("content-length", "4")]
    (row,) = PARSER.run([*OPENING, data(ASK, ask(1, fields)), data(REPLY, reply(1))])
    assert row["weird"] == ["conflicting_length"]
