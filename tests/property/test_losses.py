"""Lost packets, from the wire to the rows: nothing is paired or counted wrongly, and what may be wrong is marked."""

import pytest
from helpers import CLIENT, SERVER, Sensor, assert_empty, chunk_of, examples, rows_of, transactions_of_packets
from hypothesis import given
from hypothesis import strategies as st

from sensor.simulate.wire import Conversation

START = 1_700_000_000_000_000_000
MSS = 90


def numbered(k):
    """Requests and responses that tell their number by path, status and size; most are longer than a segment."""
    ask = b"POST /%d HTTP/1.1\r\nHost: h\r\nX-Pad: %s\r\nContent-Length: %d\r\n\r\n" % (
        k,
        b"p" * 30 * (k % 3),
        100 + k,
    ) + b"q" * (100 + k)
    reply = b"HTTP/1.1 %d OK\r\nContent-Type: a/b\r\nContent-Length: %d\r\n\r\n" % (210 + k, 200 + k) + b"r" * (200 + k)
    if k % 3 == 2:
        reply = (
            b"HTTP/1.1 %d OK\r\nTransfer-Encoding: chunked\r\n\r\n" % (210 + k)
            + b"1e\r\n"
            + b"d" * 30
            + b"\r\n3\r\nddd\r\n0\r\n\r\n"
        )
    return ask, reply


def frames():
    conversation = Conversation(CLIENT, SERVER, START, mss=MSS)
    conversation.handshake()
    for k in range(5):
        conversation.exchange(*numbered(k))
        conversation.wait(conversation.rtt_ns)
    conversation.close()
    return conversation.frames


FRAMES = frames()
SENSOR = Sensor(connections=16)


def rows_of_frames(kept):
    return transactions_of_packets(kept, sensor=SENSOR)


WHOLE = {row["path"]: row for row in rows_of_frames(FRAMES)}
MARKS = {"gap", "cut", "request_cut", "truncated", "no_request", "no_response", "late_join"}


def plain(row):
    return {name: value for name, value in row.items() if name not in ("order", "serial", "end", "latency_us", "ts")}


def check(rows):
    for row in rows:
        marks = set(row["completeness"])
        assert marks <= MARKS
        if "no_request" in marks:
            continue
        assert row["method"] == b"POST"
        twin = WHOLE[row["path"]]
        assert row["status"] in (0, twin["status"]), "a response of another request"
        if marks <= {"late_join"}:
            assert plain(row) | {"completeness": []} == plain(twin), "a loss that is not marked"
    paths = [row["path"] for row in rows if "no_request" not in row["completeness"]]
    statuses = [row["status"] for row in rows if row["status"]]
    assert len(set(paths)) == len(paths) and len(set(statuses)) == len(statuses), "told twice"


def test_nothing_is_marked_where_nothing_is_lost():
    assert [(row["path"], row["status"], row["completeness"]) for row in WHOLE.values()] == [
        (b"/%d" % k, 210 + k, []) for k in range(5)
    ]


@pytest.mark.parametrize("count", range(1, 12))
def test_packets_lost_in_a_row(count):
    for first in range(len(FRAMES) - count + 1):
        check(rows_of_frames(FRAMES[:first] + FRAMES[first + count :]))
    assert_empty(SENSOR)


def without(*lost, slower=1):
    return [(START + (ts - START) * slower, frame) for k, (ts, frame) in enumerate(FRAMES) if k not in lost]


SYN_ACK, FIRST_REPLY = 1, 5
PAIRS = [(first, second) for first in range(len(FRAMES)) for second in range(first + 1, len(FRAMES))]


def test_any_two_packets_lost():
    for pair in PAIRS:
        if pair != (SYN_ACK, FIRST_REPLY):
            check(rows_of_frames(without(*pair)))


def test_the_syn_ack_and_the_first_response_segment_lost():
    check(rows_of_frames(without(SYN_ACK, FIRST_REPLY)))


def test_any_two_packets_lost_of_slow_traffic():
    """Holes are given up while the conversation goes on."""
    for pair in PAIRS:
        if pair != (SYN_ACK, FIRST_REPLY):
            check(rows_of_frames(without(*pair, slower=10)))


@examples(500)
@given(st.sets(st.integers(2, len(FRAMES) - 1), max_size=25), st.sets(st.integers(2, len(FRAMES) - 1), max_size=4))
def test_many_packets_lost_and_some_seen_twice(lost, twice):
    kept = []
    for k, frame in enumerate(FRAMES):
        if k not in lost:
            kept.append(frame)
            if k in twice:
                kept.insert(max(len(kept) - 3, 3), frame)
    check(rows_of_frames(kept))


@pytest.mark.parametrize("cut", [54, 60, 100, 130])
def test_frames_cut_by_the_snap_length(cut):
    """Heads end within the first segment of each message; all that is cut is bodies, or heads where it is very short."""
    chunk, records = chunk_of(FRAMES)
    for record in records:
        record["captured"] = min(int(record["captured"]), cut)
    check(rows_of(SENSOR.take(chunk, records)) + rows_of(SENSOR.finish()))
