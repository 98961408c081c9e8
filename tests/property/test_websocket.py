"""WebSockets of two wsproto peers, over HTTP/1.1 and HTTP/2: messages and bytes counted, however cut, whatever is lost."""

import random

import hpack
import pytest
from helpers import ASK, REPLY, SECOND, Http, data, examples, gap
from hyperframe.frame import DataFrame, HeadersFrame, SettingsFrame
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping

PARSER = Http()
UPGRADE = b"GET /chat?room=7 HTTP/1.1\r\nHost: ws.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SEEDS = st.integers(0, 10_000)


def talk(seed, count=12):
    """(writes as (side, bytes), messages by side, payload bytes by side) of a random conversation, closing frames in the end."""
    choose = random.Random(seed)
    ends = {ASK: Connection(ConnectionType.CLIENT), REPLY: Connection(ConnectionType.SERVER)}
    writes, messages, payload = [], {ASK: 0, REPLY: 0}, {ASK: 0, REPLY: 0}
    for _ in range(count):
        side = choose.choice((ASK, REPLY))
        if choose.random() < 0.2:
            writes.append((side, ends[side].send(Ping(payload=choose.randbytes(choose.randrange(125))))))
            continue
        body = choose.randbytes(choose.choice((0, 1, 125, 126, 400, 66_000)))
        parts = [body[: len(body) // 2], body[len(body) // 2 :]] if choose.random() < 0.3 else [body]
        for k, part in enumerate(parts):
            last = k == len(parts) - 1
            event = BytesMessage(data=part, message_finished=last)
            writes.append((side, ends[side].send(event)))
        messages[side] += 1
        payload[side] += len(body)
    for side in (ASK, REPLY):
        writes.append((side, ends[side].send(CloseConnection(code=1000))))
        ends[1 - side].receive_data(writes[-1][1])
    return writes, messages, payload


def cut(writes, choose):
    for side, whole in writes:
        at = 0
        while at < len(whole):
            size = choose.choice((1, 3, 100, 70_000))
            yield side, whole[at : at + size]
            at += size


def counts(row):
    return tuple(
        row[name] for name in ("request_messages", "response_messages", "request_message_bytes", "response_message_bytes")
    )


@examples(60)
@given(SEEDS)
def test_over_http1(seed):
    """One transaction, complete when the connection ends; the handshake's latency; no frame misread as HTTP."""
    writes, messages, payload = talk(seed)
    pieces = list(cut([(ASK, UPGRADE), (REPLY, SWITCH), *writes], random.Random(seed)))
    rows = PARSER.run([data(side, part, SECOND + 1000 * k) for k, (side, part) in enumerate(pieces)])
    assert [(row["method"], row["path"], row["status"], row["completeness"], row["weird"]) for row in rows] == [
        (b"GET", b"/chat", 101, [], [])
    ]
    assert counts(rows[0]) == (messages[ASK], messages[REPLY], payload[ASK], payload[REPLY])
    assert (rows[0]["request_bytes"], rows[0]["response_bytes"]) == (0, 0)
    assert 0 < rows[0]["latency_us"] <= len(SWITCH)


@examples(40)
@given(SEEDS)
def test_over_http2(seed):
    """RFC 8441: an extended CONNECT, whose stream is the WebSocket."""
    writes, messages, payload = talk(seed)
    fields = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/chat"), (":authority", "h")]
    head = HeadersFrame(1, hpack.Encoder().encode(fields), flags=("END_HEADERS",)).serialize()
    accepted = HeadersFrame(1, hpack.Encoder().encode([(":status", "200")]), flags=("END_HEADERS",)).serialize()
    events = [data(ASK, PREFACE + SettingsFrame(0).serialize() + head), data(REPLY, SettingsFrame(0).serialize() + accepted)]
    for side, part in cut(writes, random.Random(seed)):
        events += [data(side, DataFrame(1, part[at : at + 16_000]).serialize()) for at in range(0, len(part), 16_000)]
    events += [data(side, DataFrame(1, b"", flags=("END_STREAM",)).serialize()) for side in (ASK, REPLY)]
    rows = PARSER.run(events)
    assert [(row["method"], row["path"], row["status"], row["completeness"]) for row in rows] == [
        (b"CONNECT", b"/chat", 200, [])
    ]
    assert counts(rows[0]) == (messages[ASK], messages[REPLY], payload[ASK], payload[REPLY])


@examples(150)
@given(SEEDS, SEEDS)
def test_losses(seed, losses):
    """Nothing is counted too often, and what may lack something says so."""
    choose = random.Random(losses)
    writes, messages, payload = talk(seed)
    events, lost = [data(ASK, UPGRADE), data(REPLY, SWITCH)], False
    for side, part in cut(writes, choose):
        if choose.random() < 0.02:
            events.append(gap(side, choose.choice((len(part), len(part), 0))))
            lost = True
        else:
            events.append(data(side, part))
    (row,) = PARSER.run(events)
    whole = messages[ASK], messages[REPLY], payload[ASK], payload[REPLY]
    assert all(found <= said for found, said in zip(counts(row), whole, strict=True))
    assert row["completeness"] == (["gap"] if lost else [])
    if not lost:
        assert counts(row) == whole


@pytest.mark.parametrize("bytes_", [b"\x83\x00", b"\x0b\x00", b"\x09\x00", b"\x89\x7e", b"\x82\xff" + b"\xff" * 8 + b"\0" * 4])
def test_frames_that_are_none(bytes_):
    """A reserved opcode, a control frame in parts or too long, a length beyond 63 bits: counted no further, and said."""
    (row,) = PARSER.run([data(ASK, UPGRADE), data(REPLY, SWITCH), data(ASK, b"\x81\x00" + bytes_ + b"\x81\x00" * 20)])
    assert row["weird"] == ["bad_frame"]
    assert row["request_messages"] == 1


def test_what_is_no_websocket_after_101():
    """An upgrade to something else is told at once, and what follows is not read."""
    other = UPGRADE.replace(b"websocket", b"mine/1.0")
    rows = PARSER.run(
        [data(ASK, other), data(REPLY, SWITCH.replace(b"WebSocket", b"mine/1.0")), data(ASK, b"GET / HTTP/1.1\r\n\r\n")]
    )
    assert [(row["status"], row["request_messages"]) for row in rows] == [(101, 0)]


def test_frames_before_the_answer_are_said_to_be_missing():
    frame = b"\x81\x00"
    (row,) = PARSER.run(
        [data(ASK, UPGRADE), data(ASK, frame + frame), data(REPLY, SWITCH), data(ASK, frame), data(REPLY, frame)]
    )
    assert (row["request_messages"], row["response_messages"], row["completeness"]) == (0, 1, ["gap"])
