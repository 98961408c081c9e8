"""HTTP/2 conversations of two h2 peers: whole however they are cut, and never wrong whatever of them is lost."""

import functools
import random

import hpack
import pytest
from h2_peers import UNSEEN, Peers, Window, blocks_of
from helpers import ASK, REPLY, Http, data, examples, gap
from hyperframe.frame import HeadersFrame, SettingsFrame
from hypothesis import given
from hypothesis import strategies as st

from sensor.core.reasons import REASON

PARSER = Http()
SEEDS = st.integers(0, 10_000)
TEXTS = ("method", "path", "query", "host", "user_agent", "request_type", "response_type")
COUNTS = (
    "request_bytes",
    "response_bytes",
    "request_messages",
    "response_messages",
    "request_message_bytes",
    "response_message_bytes",
)
NAMED = {b":method": "method", b":path": "path", b":authority": "host", b"user-agent": "user_agent"}
SEPARATORS = {"path": b"?", "host": b":"}
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@functools.lru_cache(maxsize=64)
def peers_of(seed):
    return Peers(seed)


def events_of(events):
    sides = [(ASK if from_client else REPLY, what) for from_client, what in events]
    return [gap(side, what) if isinstance(what, int) else data(side, what) for side, what in sides]


def rows_of(events, start_seen=True):
    """Rows of (from_client, bytes or the length of a gap) events; client is the side that opened the connection."""
    return PARSER.run(events_of(events), start_seen)


def told(row, said):
    return {name: row[name] for name in said if name not in ("pushed", "reset", "whole")}


def cut(events, choose):
    """The same bytes in other pieces."""
    for from_client, whole in events:
        at = 0
        while at < len(whole):
            size = choose.choice((1, 7, 50, 2000))
            yield from_client, whole[at : at + size]
            at += size


def assert_whole(rows, streams):
    assert sorted(row["stream_id"] for row in rows) == sorted(streams)
    for row in rows:
        said = streams[row["stream_id"]]
        assert told(row, said) == {name: said[name] for name in told(row, said)}
        assert row["version"] == 20
        assert "server_push" in row["weird"] or not said["pushed"]
        if said["whole"]:
            assert row["completeness"] == []
            assert "stream_reset" not in row["weird"]
        elif said["reset"]:
            assert "stream_reset" in row["weird"]


@examples(60)
@given(SEEDS, SEEDS)
def test_whole_conversations_however_they_are_cut(seed, cuts):
    choose = random.Random(cuts)
    peers = peers_of(seed)
    assert_whole(rows_of(cut(peers.events, choose)), peers.streams)


def assert_never_wrong(rows, whole):
    """Field by field against the same conversation without a loss."""
    assert len(by_stream(rows)) == len(rows), "a stream was told twice"
    assert_no_wrong_value(rows, whole)


def assert_no_wrong_value(rows, whole):
    for row in rows:
        twin, marks = whole[row["stream_id"]], set(row["completeness"])
        if not marks:
            assert without(row) == without(twin)
        for name in TEXTS:
            assert row[name] == twin[name] or (row[name] == b"" and marks), name
        assert row["status"] == twin["status"] or (row["status"] == 0 and marks)
        assert row["grpc_status"] == twin["grpc_status"] or (row["grpc_status"] == -1 and marks)
        for name in COUNTS:
            assert row[name] == twin[name] or (row[name] < twin[name] and marks), name
        for name in ("credential", "session", "fingerprint"):
            assert row[name] in (0, twin[name]), name


def without(row):
    return {
        name: value for name, value in row.items() if name not in ("order", "serial", "ts", "end", "latency_us", "fingerprint")
    }


def by_stream(rows):
    return {row["stream_id"]: row for row in rows}


@examples(40)
@given(SEEDS)
def test_each_write_lost(seed):
    peers = peers_of(seed)
    whole = by_stream(rows_of(peers.events))
    for lost, (from_client, what) in enumerate(peers.events):
        events = [*peers.events[:lost], (from_client, len(what)), *peers.events[lost + 1 :]]
        assert_never_wrong(rows_of(events), whole)


@examples(300)
@given(SEEDS, SEEDS)
def test_random_runs_lost(seed, cuts):
    choose = random.Random(cuts)
    """Runs of bytes of each direction, of known or of unknown length, within frames and across them."""
    peers = peers_of(seed)
    whole = by_stream(rows_of(peers.events))
    events = []
    for from_client, what in cut(peers.events, choose):
        lost = choose.random() < 0.03
        events.append((from_client, (0 if choose.random() < 0.2 else len(what)) if lost else what))
    assert_never_wrong(rows_of(events), whole)


def expected_late(events):
    """By stream: what a decoder that joins at the first of these events can know of its request, UNSEEN where it cannot."""
    window, known = Window(late=True), {}
    for from_client, stream, promised, block in blocks_of(events):
        if from_client and not promised:
            fields = {}
            for name, value in window.decode(block):
                fields.setdefault(name, value)
            if b":scheme" in fields:  # no trailers
                known.setdefault(stream, fields)
    return known


@examples(40)
@given(SEEDS)
def test_joined_at_each_write(seed):
    """Nothing is wrong, and what was seen is known."""
    peers = peers_of(seed)
    whole = by_stream(rows_of(peers.events))
    for start in range(1, len(peers.events)):
        rows = rows_of(peers.events[start:], start_seen=False)
        assert_never_wrong(rows, whole)
        for stream, fields in expected_late(peers.events[start:]).items():
            row = by_stream(rows)[stream]
            for name, column in NAMED.items():
                value = fields.get(name, UNSEEN)
                if value is not UNSEEN and column in SEPARATORS:
                    value = value.partition(SEPARATORS[column])[0]
                assert row[column] == (b"" if value is UNSEEN else value)


@examples(150)
@given(SEEDS, SEEDS)
def test_joined_at_any_byte(seed, cuts):
    """In the midst of frames, in pieces of any size: what is made out of it is right."""
    choose, peers = random.Random(cuts), peers_of(seed)
    whole = by_stream(rows_of(peers.events))
    pieces = list(cut(peers.events, choose))
    assert_never_wrong(rows_of(pieces[choose.randrange(len(pieces)) :], start_seen=False), whole)


def request_of(encoder, stream, path) -> bytes:
    fields = [(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "h.example")]
    return HeadersFrame(stream, encoder.encode(fields), flags=("END_HEADERS", "END_STREAM")).serialize()


def response_of(encoder, stream) -> bytes:
    return HeadersFrame(stream, encoder.encode([(":status", "200")]), flags=("END_HEADERS", "END_STREAM")).serialize()


OPENING = [(True, PREFACE + SettingsFrame(0).serialize()), (False, SettingsFrame(0).serialize())]


@pytest.mark.parametrize("lost", [40, 0])
def test_the_first_request_of_new_entries_after_a_gap_is_whole(lost):
    """A gap between frames; the next block refers to nothing older than itself, the one after it to that one alone."""
    encoder, fresh = hpack.Encoder(), hpack.Encoder()
    rows = rows_of([
        *OPENING,
        (True, request_of(encoder, 1, "/before")),
        (True, lost),
        (True, request_of(fresh, 5, "/after/a-long-path")),
        (True, request_of(fresh, 7, "/after/a-long-path")),
        (False, response_of(hpack.Encoder(), 5)),
        (False, response_of(hpack.Encoder(), 7)),
    ])  # fmt: skip
    found = {row["stream_id"]: (row["path"], row["host"], row["status"], row["completeness"]) for row in rows}
    assert found[5] == found[7] == (b"/after/a-long-path", b"h.example", 200, [])
    assert found[1] == (b"/before", b"h.example", 0, ["no_response"])


def test_an_old_entry_is_unknown_after_a_gap():
    """Deepflow told keys with other keys' values here: the lost block inserted an entry, and all older ones moved."""
    encoder = hpack.Encoder()
    first = request_of(encoder, 1, "/first")
    lost = request_of(encoder, 3, "/second")
    again = request_of(encoder, 5, "/first")
    rows = rows_of([*OPENING, (True, first), (True, len(lost)), (True, again), (False, response_of(hpack.Encoder(), 5))])
    row = by_stream(rows)[5]
    assert (row["method"], row["path"], row["host"], row["status"]) == (b"GET", b"", b"", 200)
    assert set(row["completeness"]) == {"gap", "unknown_field"}


def test_more_connections_than_slots():
    """The one that was used longest ago gives way, and is taken up again as one joined late: nothing is wrong."""
    small, several = Http(http2=2), [peers_of(seed) for seed in range(4)]
    whole = [by_stream(rows_of(peers.events)) for peers in several]
    found = small.run_many([events_of(peers.events) for peers in several])
    assert small.counters[REASON["http2_evicted"]] > 10
    for rows, twins in zip(found, whole, strict=True):
        assert_no_wrong_value(rows, twins)
