"""The HTTP/1 parser: the same messages whatever way they are cut, as h11 reads them; oddities flagged; losses marked."""

import pathlib
import subprocess
import sys

import h11
import helpers
import pytest
from helpers import ASK, REPLY, SECOND, Http, data, examples, fin, gap, without_order
from hypothesis import given
from hypothesis import strategies as st

from parsers.http.state import HEAD_LIMIT, PENDING_LIMIT, TARGET_LIMIT, TEXT_LIMIT, TYPE_LIMIT

# Messages

TOKENS = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", min_size=1, max_size=12)
VALUES = st.text('abcdefghijklmnopqrstuvwxyz0123456789 ,;=/."()-', max_size=30).map(str.strip)
TARGETS = st.text("abcXYZ019/-_.~%&=?+:@!$'()*,;", max_size=30).map(lambda text: "/" + text)
RESERVED = {"host", "content-length", "transfer-encoding", "connection", "upgrade", "expect", "te", "trailer"}


@st.composite
def cased(draw, name):
    return "".join(letter.upper() if draw(st.booleans()) else letter.lower() for letter in name)


@st.composite
def chunked(draw, body, trailers=True):
    """(wire form, whether it has an extension)"""
    wire, at, extended = b"", 0, False
    while at < len(body):
        size = draw(st.integers(1, len(body) - at))
        extension = draw(st.sampled_from([b"", b"", b";a", b"; name=value", b';q="x y"']))
        extended = extended or bool(extension)
        digits = (b"%x" if draw(st.booleans()) else b"%X") % size
        wire += b"0" * draw(st.integers(0, 2)) + digits + extension + b"\r\n" + body[at : at + size] + b"\r\n"
        at += size
    fields = draw(st.lists(st.tuples(TOKENS, VALUES), max_size=2)) if trailers else []
    fields = [f"{name}: {value}\r\n".encode() for name, value in fields if name.lower() not in RESERVED]
    return wire + b"0\r\n" + b"".join(fields) + b"\r\n", extended


@st.composite
def headers(draw, *framing):
    """Field lines, those given among others."""
    lines = [
        (name, value) for name, value in draw(st.lists(st.tuples(TOKENS, VALUES), max_size=3)) if name.lower() not in RESERVED
    ]
    lines += [(draw(cased(name)), value) for name, value in framing]
    blank = st.sampled_from(["", " ", "\t ", "   "])
    return "".join(f"{name}:{draw(blank)}{value}{draw(blank)}\r\n" for name, value in draw(st.permutations(lines)))


@st.composite
def exchanges(draw, last=False):
    """(request, response, whether a chunk has an extension); bytes as on the wire."""
    method = draw(st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "FROB", "X-y_z"]))
    kind, body = draw(st.sampled_from(["none", "length", "chunked"])), draw(st.binary(max_size=60))
    framing, wire, extended = [], b"", False
    if kind == "length":
        framing, wire = [("content-length", str(len(body)))], body
    elif kind == "chunked":
        framing = [("transfer-encoding", draw(cased("chunked")))]
        wire, extended = draw(chunked(body))
    request = f"{method} {draw(TARGETS)} HTTP/1.1\r\n{draw(headers(('host', 'api.shop.test'), *framing))}\r\n".encode() + wire
    status = draw(st.sampled_from([200, 201, 204, 304, 401, 404, 500, 599]))
    interim = b"".join(
        b"HTTP/1.1 %d Wait\r\nX-A: b\r\n\r\n" % code for code in draw(st.lists(st.sampled_from([100, 102, 103]), max_size=2))
    )
    kind, body = draw(st.sampled_from(["length", "chunked"] + ["close"] * last)), draw(st.binary(max_size=60))
    bodyless = method == "HEAD" or status in (204, 304)
    framing, wire, more = [], body, False
    if kind == "length":
        framing = [("content-length", str(len(body)))]
    elif kind == "chunked":
        framing = [("transfer-encoding", "chunked")]
        wire, more = draw(chunked(body))
    if status == 204:
        framing = []
    reason = draw(st.sampled_from(["OK", "", "Not At All", "201 Created"]))
    head = f"HTTP/1.1 {status} {reason}\r\n{draw(headers(('content-type', 'application/json'), *framing))}\r\n".encode()
    return request, interim + head + (b"" if bodyless else wire), extended or (more and not bodyless)


def as_h11_reads(request, response):
    """(method, target, status, request body length, response body length)"""
    server, client = h11.Connection(h11.SERVER), h11.Connection(h11.CLIENT)
    server.receive_data(request)
    asked, sent = server.next_event(), 0
    while not isinstance(event := server.next_event(), h11.EndOfMessage):
        sent += len(event.data)
    client.send(h11.Request(method=asked.method, target=asked.target, headers=[("Host", "x"), ("Content-Length", "0")]))
    client.send(h11.EndOfMessage())
    client.receive_data(response)
    client.receive_data(b"")
    while not isinstance(answer := client.next_event(), h11.Response):
        assert isinstance(answer, h11.InformationalResponse)
    received = 0
    while not isinstance(event := client.next_event(), h11.EndOfMessage):
        received += len(event.data)
    return asked.method, asked.target, answer.status_code, sent, received


def cut(draw, events):
    """The same bytes in other pieces."""
    pieces = []
    for kind, side, what, ts in events:
        if isinstance(what, bytes) and what:
            places = sorted(draw(st.sets(st.integers(1, len(what)), max_size=6)) - {len(what)})
            pieces += [(kind, side, what[a:b], ts) for a, b in zip([0, *places], [*places, len(what)], strict=True)]
        else:
            pieces.append((kind, side, what, ts))
    return pieces


def in_turn(several):
    """Events of exchanges, one after the other."""
    return [
        event
        for k, (request, response, *_) in enumerate(several)
        for event in (data(ASK, request, 2 * k * SECOND), data(REPLY, response, (2 * k + 1) * SECOND))
    ]


def pipelined(several):
    return [
        data(ASK, b"".join(item[0] for item in several), SECOND),
        data(REPLY, b"".join(item[1] for item in several), 2 * SECOND),
    ]


@st.composite
def conversations(draw):
    several = draw(st.lists(exchanges(), max_size=3))
    return [*several, draw(exchanges(last=True))]


@examples(300)
@given(conversations(), st.sampled_from([in_turn, pipelined]), st.data())
def test_messages_are_read_as_h11_reads_them(several, order, draw):
    events = [*order(several), fin(REPLY, 20 * SECOND), fin(ASK, 20 * SECOND)]
    rows = Http().run(events)
    found = [
        (
            row["method"],
            row["path"] + (b"?" + row["query"] if row["query"] else b""),
            row["status"],
            row["request_bytes"],
            row["response_bytes"],
        )
        for row in rows
    ]
    expected = [as_h11_reads(*item[:2]) for item in several]
    assert found == [
        (method, target[:-1] if target.endswith(b"?") and target.count(b"?") == 1 else target, *rest)
        for method, target, *rest in expected
    ]
    assert [row["weird"] for row in rows] == [["chunk_extension"] if item[2] else [] for item in several]
    assert all(row["completeness"] == [] and row["version"] == 11 and row["host"] == b"api.shop.test" for row in rows)
    assert without_order(Http().run(cut(draw.draw, events))) == without_order(rows)


# Cut at every position

FIXED = [
    (
        (b"\r\nPOST /v1/items?x=1&y=%20 HTTP/1.1\r\nHost: API.Shop.test:8080\r\nUser-Agent: curl/8\r\nCookie: a=b; sessionid=s3cret\r\n"
        b"Authorization: Bearer abc.def\r\nContent-Type: Application/JSON; charset=utf-8\r\ncontent-length: 5\r\n\r\nhello"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\nHTTP/1.1 201 Created\r\nContent-Type: text/Plain ; q=1\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n0A\r\n0123456789\r\n0\r\nX-Trailer: yes\r\n\r\n"),
    ),
    (
        b"FROB /w HTTP/1.1\nHost: h\nX-Folded: a\n  b\n\tc\nTransfer-Encoding: gzip, chunked\n\n1\nz\n0\n\n",
        b"HTTP/1.1 404 Not Found\nContent-Length: 3\nBad line\n\nabc",
    ),
    (b"HEAD /h HTTP/1.1\r\nHost : h\r\nReferer: http://r.test/a?b\r\nX-Forwarded-For: 1.2.3.4, 5.6.7.8\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"),
    (b"GET http://other.test:99/abs?q HTTP/1.1\r\nHost: h\r\nX-Api-Key: key\r\n\r\n", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n"),
    (b"GET / HTTP/1.0\r\nAuthorization: Basic dTpw\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\nuntil the very end"),
]  # fmt: skip


def fixed_events():
    return [*in_turn([(*item, False) for item in FIXED]), fin(REPLY, 30 * SECOND), fin(ASK, 31 * SECOND)]


@pytest.fixture(scope="module")
def uncut():
    rows = without_order(Http().run(fixed_events()))
    assert [
        (row["method"], row["host"], row["path"], row["query"], row["status"], row["request_bytes"], row["response_bytes"])
        for row in rows
    ] == [
        (b"POST", b"api.shop.test", b"/v1/items", b"x=1&y=%20", 201, 5, 13),
        (b"FROB", b"h", b"/w", b"", 404, 1, 3),
        (b"HEAD", b"h", b"/h", b"", 200, 0, 0),
        (b"GET", b"other.test", b"/abs", b"q", 304, 0, 0),
        (b"GET", b"", b"/", b"", 200, 0, 18),
    ]
    assert [set(row["weird"]) for row in rows] == [
        {"chunk_extension"},
        {"bare_lf", "obs_fold", "bad_header"},
        {"space_before_colon"},
        set(),
        set(),
    ]
    assert rows[0]["request_type"] == b"application/json" and rows[0]["response_type"] == b"text/plain"
    assert all(row["completeness"] == [] for row in rows)
    return rows


@pytest.mark.parametrize("number", range(2 * len(FIXED)))
def test_a_cut_at_any_position_changes_nothing(uncut, number):
    events, http = fixed_events(), Http()
    kind, side, what, ts = events[number]
    for place in range(1, len(what)):
        pieces = [(kind, side, what[:place], ts), (kind, side, what[place:], ts)]
        assert without_order(http.run(events[:number] + pieces + events[number + 1 :])) == uncut, what[:place]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64])
def test_pieces_of_any_size_change_nothing(uncut, size):
    pieces = [
        (kind, side, part, ts)
        for kind, side, what, ts in fixed_events()
        for part in ([what[k : k + size] for k in range(0, len(what), size)] if isinstance(what, bytes) else [what])
    ]
    assert without_order(Http().run(pieces)) == uncut


def test_a_cut_within_a_request_of_http_0_9_changes_nothing():
    def rows(*parts):
        return without_order(Http().run([*(data(ASK, part) for part in parts), data(REPLY, b"<html>"), fin(REPLY), fin(ASK)]))

    assert rows(b"GET /old", b"/page\r\n") == rows(b"GET /old/page\r\n")


def test_a_cut_within_what_is_no_request_changes_nothing():
    noise, exchange = (
        b"GET \x01\x02",
        [data(REPLY, b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"), data(ASK, b"HTTP/1.1 204 No Content\r\n\r\n")],
    )

    def rows(*parts):
        return without_order(Http().run([*(data(ASK, part) for part in parts), *exchange]))

    assert rows(noise[:4], noise[4:]) == rows(noise)


# Arbitrary bytes

FRAGMENTS = st.sampled_from([
    b"GET / HTTP/1.1\r\n", b"POST /a?b HTTP/1.1\r\n", b"CONNECT h:1 HTTP/1.1\r\n", b"HEAD /x HTTP/1.0\r\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 101 Up\r\n",
    b"HTTP/1.1 100 C\r\n", b"HTTP/1.1 204 N\r\n", b"Host: h\r\n", b"Content-Length: 5\r\n", b"Content-Length: 99999999999\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Cookie: sid=1; a\r\n", b"Authorization: Basic x\r\n", b"\r\n", b"\n", b"\r", b" ", b"5\r\nhello\r\n", b"0\r\n\r\n", b"hello", b"FFFFFFFFFFFFFFFF\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /0.9\r\n", b"X: " + b"y" * 700 + b"\r\n", b"ZZ ", b":", b"HTTP/", b"H",
])  # fmt: skip
SOUP = st.lists(st.one_of(FRAGMENTS, FRAGMENTS, FRAGMENTS, st.binary(min_size=1, max_size=8)), min_size=1, max_size=12).map(
    b"".join
)
EVENTS = st.lists(
    st.one_of(
        st.builds(data, st.integers(0, 1), SOUP, st.integers(0, 100)),
        st.builds(data, st.integers(0, 1), SOUP, st.integers(0, 100)),
        st.builds(gap, st.integers(0, 1), st.integers(0, 30), st.integers(0, 100)),
    ),
    max_size=14,
)
LIMITS = {"method": 32, "host": TEXT_LIMIT, "path": TARGET_LIMIT, "query": TARGET_LIMIT, "user_agent": TEXT_LIMIT, "referer": TEXT_LIMIT,
          "request_type": TYPE_LIMIT, "forwarded_for": TEXT_LIMIT, "response_type": TYPE_LIMIT}  # fmt: skip


def test_the_preface_of_http2_ends_a_response_in_work():
    """Http.run fails when a record stays in use."""
    cut = data(REPLY, b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nabc")
    rows = Http().run([cut, data(ASK, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")])
    assert [(row["status"], row["completeness"]) for row in rows] == [(200, ["no_request", "cut"])]


@pytest.mark.parametrize("count", [1, 4])
def test_a_full_delivery_of_the_shortest_requests_fits_the_rows(count):
    shortest = b"ACL HTTP/\n\n"
    rows = Http().run([data(ASK, shortest * (65_000 // len(shortest))) for _ in range(count)])
    assert len(rows) == count * (65_000 // len(shortest))


def test_a_queue_of_the_longest_requests_fits_the_arena():
    path, query, long = b"/" + b"p" * 20_000, b"q" * 20_000, b"x" * 2_000
    request = (
        b"GET " + path + b"?" + query + b" HTTP/1.1\r\nHost: " + long + b"\r\nUser-Agent: " + long + b"\r\nReferer: " + long
    )
    pieces = [data(ASK, request + b"\r\nX-Forwarded-For: " + long + b"\r\n\r\n") for _ in range(300)]
    assert len(Http().run(pieces)) == 300


def test_the_preface_of_http2_frees_what_the_other_side_had_begun():
    """Http.run fails when a block stays in use."""
    assert Http().run([data(REPLY, b"GET / HTTP/1.1\r\n"), data(ASK, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")]) == []


@examples(500)
@given(
    EVENTS,
    st.lists(st.integers(0, 1), max_size=2, unique=True),
    st.data(),
    st.sampled_from([(256, 1 << 19), (3, 1 << 19), (64, 2048), (2, 512)]),
)
def test_no_bytes_crash_or_leave_anything_behind(events, ends, draw, stores):
    http = Http(*stores)
    rows = http.run([*cut(draw.draw, events), *(fin(side) for side in ends)])
    assert len(rows) == http.counters.tolist()[reason("transactions")]
    for number, row in enumerate(rows):
        assert row["serial"] == number
        assert all(len(row[name]) <= limit for name, limit in LIMITS.items())
        assert row["end"] >= row["ts"] and row["latency_us"] >= -1 and row["request_bytes"] >= 0 and row["response_bytes"] >= 0
        assert 0 <= row["status"] <= 999
        assert (row["method"] == b"") <= bool({"no_request", "truncated"} & set(row["completeness"]))
        assert (row["status"] == 0) == ("no_response" in row["completeness"])


def reason(name):
    from sensor.core.reasons import REASON

    return REASON[name]


# Oddities

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def one(request, response=OK, *more):
    rows = Http().run([data(ASK, request), data(REPLY, response), *more])
    assert len(rows) == 1, rows
    return rows[0]


@pytest.mark.parametrize(
    ("lines", "weird"),
    [
        ("Content-Length: 3\r\nContent-Length: 4\r\n", "conflicting_length"),
        ("Content-Length: 3, 4\r\n", "conflicting_length"),
        ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "length_and_chunked"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "length_and_chunked"),
        ("Transfer-Encoding: xchunked\r\n", "unknown_coding"),
        ("Transfer-Encoding: chunked, gzip\r\n", "unknown_coding"),
        ("Transfer-Encoding: \x0bchunked\r\n", "unknown_coding"),
        ("Transfer-Encoding : chunked\r\n", "space_before_colon"),
        ("Transfer-Encoding\t: chunked\r\n", "space_before_colon"),
        ("Content-Length: +3\r\n", "bad_length"),
        ("Content-Length: 0x3\r\n", "bad_length"),
        ("Content-Length: -3\r\n", "bad_length"),
        ("Content-Length: 3 3\r\n", "bad_length"),
        ("Content-Length:\r\n", "bad_length"),
        ("Content-Length: 99999999999999999999\r\n", "bad_length"),
        ("X-A: b\n", "bare_lf"),
        ("X-A: b\r\n c\r\n", "obs_fold"),
        ("X-A: b\r\n\tc\r\n", "obs_fold"),
        ("no colon\r\n", "bad_header"),
        (": no name\r\n", "bad_header"),
        ("Host: again\r\n", "many_hosts"),
    ],
)
def test_shapes_of_request_smuggling_are_flagged(lines, weird):
    request = f"POST /x HTTP/1.1\r\nHost: h\r\n{lines}\r\n".encode()
    row = one(request + b"abc")
    assert weird in row["weird"]
    assert (row["method"], row["path"], row["status"]) == (b"POST", b"/x", 200)


@pytest.mark.parametrize("value", ["5, 5", "5 , 5", "5,5,5"])
def test_equal_lengths_are_one(value):
    row = one(f"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: {value}\r\n\r\nhello".encode())
    assert (row["weird"], row["request_bytes"]) == ([], 5)


@pytest.mark.parametrize(
    "body",
    [b"x\r\nabc\r\n0\r\n\r\n", b"\r\n\r\n", b"-3\r\nabc\r\n0\r\n\r\n", b"0x3\r\nabc\r\n0\r\n\r\n", b"3\r\nabcd\r\n0\r\n\r\n", b"3 \x00\r\nabc\r\n0\r\n\r\n"],
)  # fmt: skip
def test_broken_chunks_are_flagged_and_end_the_message(body):
    row = one(b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
    assert "bad_chunk" in row["weird"] and "request_cut" in row["completeness"]


@pytest.mark.parametrize(
    "size",
    ["8000000000000000", "8000000000000005", "C000000000000000", "FFFFFFFFFFFF0000", "FFFFFFFFFFFFFFFF", "F" * 17, "F" * 40],
)
def test_a_chunk_size_that_does_not_fit_is_flagged(size):
    """In a process of its own, which may die."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from helpers import ASK, Http, data\n"
        "head = b'POST /x HTTP/1.1\\r\\nHost: h\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n'\n"
        "row, = Http().run([data(ASK, head + sys.argv[2].encode() + b'\\r\\nabc\\r\\n0\\r\\n\\r\\n')])\n"
        "print(row['request_bytes'], 'bad_chunk' in row['weird'])\n"
    )
    tests = str(pathlib.Path(helpers.__file__).parent)
    done = subprocess.run([sys.executable, "-c", code, tests, size], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "0 True\n")


@pytest.mark.parametrize("size", [b"1 0", b"1\r0", b"\r1\t0", b"1\t0"])
def test_a_chunk_size_in_two_parts_is_flagged(size):
    row = one(
        b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + size + b"\r\n0123456789abcdef\r\n0\r\n\r\n"
    )
    assert "bad_chunk" in row["weird"]


def test_identity_behind_chunked_is_flagged():
    row = one(b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\nContent-Length: 3\r\n\r\nabc")
    assert set(row["weird"]) & {"unknown_coding", "length_and_chunked"}


@pytest.mark.parametrize(
    ("line", "weird"), [(b"GET /x HTTP/1.9\r\n", "bad_version"), (b"GET /x HTTP/3.0\r\n", "bad_version"), (b"GET /x HTTP/1\r\n", "bad_version"), (b"GET /x\r\n", "http09")]
)  # fmt: skip
def test_odd_versions_are_flagged(line, weird):
    assert weird in one(line + b"Host: h\r\n\r\n")["weird"]


def test_a_missing_host_is_flagged_in_http_1_1_alone():
    assert one(b"GET /x HTTP/1.1\r\n\r\n")["weird"] == ["no_host"]
    assert one(b"GET /x HTTP/1.0\r\n\r\n")["weird"] == []


def test_a_response_that_comes_before_its_request_is_complete_is_flagged():
    head = b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n"
    row = Http().run([data(ASK, head + b"01234"), data(REPLY, OK), data(ASK, b"56789")])[0]
    assert (row["weird"], row["request_bytes"], row["status"], row["completeness"]) == (["early_response"], 10, 200, [])


def test_more_waiting_requests_than_are_kept_are_told_and_flagged():
    count = PENDING_LIMIT + 50
    rows = Http().run([data(ASK, b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % k) for k in range(count)])
    assert [row["path"] for row in rows] == [b"/%d" % k for k in range(count)]
    assert ["pending_overflow" in row["weird"] for row in rows] == [True] * 50 + [False] * PENDING_LIMIT


# Limits


def test_long_texts_are_cut_and_marked():
    row = one(b"GET /" + b"p" * 20_000 + b"?q HTTP/1.1\r\nHost: h\r\nReferer: " + b"r" * 2000 + b"\r\n\r\n")
    assert (len(row["path"]), row["query"], len(row["referer"]), row["completeness"]) == (
        TARGET_LIMIT,
        b"q",
        TEXT_LIMIT,
        ["truncated"],
    )


def long_head():
    return b"GET /long HTTP/1.1\r\nHost: h\r\n" + b"".join(
        b"X-%d: " % k + b"v" * 1000 + b"\r\n" for k in range(HEAD_LIMIT // 1000 + 5)
    )


def pieces_of(text, size=1400):
    return [data(ASK, text[k : k + size]) for k in range(0, len(text), size)]


def test_a_head_beyond_the_limit_is_told_as_far_as_it_was_read():
    rows = Http().run([*pieces_of(long_head()), data(REPLY, OK)])
    assert [(row["path"], row["status"]) for row in rows] == [(b"/long", 200)]
    assert "truncated" in rows[0]["completeness"]


def test_a_head_beyond_the_limit_is_flagged():
    assert "head_too_long" in Http().run([*pieces_of(long_head()), data(REPLY, OK)])[0]["weird"]


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 5\r\nX-A: b",
        b"X-A: b",
    ],
)  # fmt: skip
def test_a_request_whose_head_was_not_complete_is_marked(fields):
    row = Http().run([data(ASK, b"POST /x HTTP/1.1\r\nHost: h\r\n" + fields)])[0]
    assert {"request_cut", "no_response", "truncated"} <= set(row["completeness"])


# Losses


def numbered(k, requests=40, responses=60):
    """An exchange that can be told from all others by its path, status and sizes."""
    ask = b"POST /%d HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (k, requests + k) + b"q" * (requests + k)
    reply = b"HTTP/1.1 %d OK\r\nContent-Length: %d\r\n\r\n" % (210 + k, responses + k) + b"r" * (responses + k)
    if k % 3 == 2:
        ask = b"PUT /%d HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n" % k + b"c" * 20 + b"\r\n0\r\n\r\n"
        reply = b"HTTP/1.1 %d OK\r\nTransfer-Encoding: chunked\r\n\r\n1e\r\n" % (210 + k) + b"d" * 30 + b"\r\n0\r\n\r\n"
    return ask, reply, False


NUMBERED = in_turn([numbered(k) for k in range(5)])
ENDINGS = [fin(ASK, 40 * SECOND), fin(REPLY, 40 * SECOND)]


def lossy(events, side, start, length):
    """The events without `length` bytes of a side; each message tells its own part of the gap."""
    at, found = 0, []
    for kind, whose, what, ts in events:
        if whose != side or not isinstance(what, bytes):
            found.append((kind, whose, what, ts))
            continue
        low, high = (min(max(place - at, 0), len(what)) for place in (start, start + length))
        parts = [what[:low], high - low, what[high:]]
        found += [data(side, part, ts) if isinstance(part, bytes) else gap(side, part, ts) for part in parts if part]
        at += len(what)
    return found


def check_losses(rows, whole):
    """No row pairs what does not belong together; one that is not marked is as if nothing had been lost."""
    by_path = {row["path"]: row for row in whole}

    def plain(row):
        return {name: value for name, value in row.items() if name not in ("order", "serial")}

    for row in rows:
        if "no_request" not in row["completeness"]:
            if row["method"] not in (b"POST", b"PUT"):
                continue  # the rest of a first line: has a test of its own
            twin = by_path[row["path"]]
            assert row["status"] in (0, twin["status"]), "a response of another request"
            if not row["completeness"]:
                assert plain(row) == plain(twin)
        assert row["status"] == 0 or row["status"] in {item["status"] for item in whole}
    assert len({row["path"] for row in rows if row["path"]}) == len([row for row in rows if row["path"]]), "a request twice"
    answered = [row["status"] for row in rows if row["status"]]
    assert len(set(answered)) == len(answered), "a response twice"


@pytest.fixture(scope="module")
def complete():
    rows = Http().run([*NUMBERED, *ENDINGS])
    assert [(row["path"], row["status"], row["completeness"]) for row in rows] == [(b"/%d" % k, 210 + k, []) for k in range(5)]
    return rows


@pytest.mark.parametrize("side", [ASK, REPLY])
@pytest.mark.parametrize("length", [1, 7, 20, 40, 60, 100, 150, 300])
def test_a_loss_anywhere_never_pairs_or_counts_wrongly(complete, side, length):
    http, total = Http(), sum(len(what) for _, whose, what, _ in NUMBERED if whose == side)
    for start in range(total - length + 1):
        check_losses(http.run([*lossy(NUMBERED, side, start, length), *ENDINGS]), complete)


@examples(300)
@given(st.data())
def test_several_losses_never_pair_or_count_wrongly(complete, draw):
    events = NUMBERED
    for side, start, length in draw.draw(
        st.lists(st.tuples(st.integers(0, 1), st.integers(0, 700), st.integers(1, 120)), min_size=1, max_size=4)
    ):
        events = lossy(events, side, start, length)
    check_losses(Http().run([*events, *ENDINGS]), complete)


def body_events(*parts):
    """A request whose response has a body of 30 bytes, and another exchange behind it. parts: of the first response's body."""
    ask = [data(ASK, b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % k) for k in (1, 2)]
    head = data(REPLY, b"HTTP/1.1 201 OK\r\nContent-Length: 30\r\n\r\n")
    told = [gap(REPLY, part) if isinstance(part, int) else data(REPLY, part) for part in parts]
    return [ask[0], head, *told, ask[1], data(REPLY, b"HTTP/1.1 202 OK\r\nContent-Length: 2\r\n\r\nok")]


@pytest.mark.parametrize(
    "parts", [(b"a" * 10, 5, b"a" * 15), (3, b"a", 4, b"a" * 20, 2), (30,), (b"a" * 29, 1), (1, b"a" * 29)]
)
def test_a_gap_within_a_body_of_known_length_costs_nothing_but_a_mark(parts):
    rows = Http().run(body_events(*parts))
    assert [(row["path"], row["status"], row["response_bytes"], row["completeness"]) for row in rows] == [
        (b"/1", 201, 30, ["gap"]),
        (b"/2", 202, 2, []),
    ]


def test_a_gap_past_the_body_ends_the_message_and_is_marked():
    rows = Http().run(body_events(b"a" * 10, 25))
    assert [(row["path"], row["status"], row["response_bytes"], set(row["completeness"])) for row in rows] == [
        (b"/1", 201, 10, {"gap", "cut"}),
        (b"/2", 202, 2, set()),
    ]


@pytest.mark.parametrize("rest", [b"OST /1 HTTP/1.1", b"1 HTTP/1.1", b"path-without-slash HTTP/1.1"])
def test_the_rest_of_a_first_line_is_no_request(rest):
    events = [gap(ASK, 1), data(ASK, rest + b"\r\nHost: h\r\n\r\n"), data(REPLY, OK)]
    assert [row["method"] for row in Http().run(events)] == [b""]


def test_a_gap_in_a_request_head_gives_no_request():
    events = [data(ASK, b"GET /1 HTTP/1.1\r\nHo"), gap(ASK, 5), data(ASK, b": x\r\n\r\n"), data(REPLY, OK)]
    assert [(row["method"], row["status"], row["completeness"]) for row in Http().run(events)] == [(b"", 200, ["no_request"])]


def test_a_gap_in_a_response_head_gives_a_request_without_response():
    events = [
        data(ASK, b"GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"),
        data(REPLY, b"HTTP/1.1 200"),
        gap(REPLY, 5),
        data(REPLY, b"X: y\r\n\r\nbody"),
    ]
    rows = Http().run(events)
    assert [(row["path"], row["status"]) for row in rows] == [(b"/1", 0)] and {"gap", "no_response"} <= set(
        rows[0]["completeness"]
    )


def test_a_gap_between_messages_is_marked_on_whoever_waits():
    events = [
        data(ASK, b"GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"),
        gap(REPLY, 50),
        data(ASK, b"GET /2 HTTP/1.1\r\nHost: h\r\n\r\n"),
        data(REPLY, OK),
    ]
    rows = Http().run(events)
    assert [(row["path"], row["status"], row["completeness"]) for row in rows] == [
        (b"/1", 0, ["gap", "no_response"]),
        (b"/2", 200, []),
    ]


def test_a_gap_in_a_body_until_close_is_counted():
    events = [
        data(ASK, b"GET /1 HTTP/1.0\r\n\r\n"),
        data(REPLY, b"HTTP/1.0 200 OK\r\n\r\nabc"),
        gap(REPLY, 7),
        data(REPLY, b"def"),
        fin(REPLY),
    ]
    row = Http().run(events)[0]
    assert (row["response_bytes"], row["completeness"]) == (13, ["gap"])


def test_a_body_until_close_without_an_end_is_cut():
    row = Http().run([data(ASK, b"GET /1 HTTP/1.0\r\n\r\n"), data(REPLY, b"HTTP/1.0 200 OK\r\n\r\nabc")])[0]
    assert (row["response_bytes"], row["completeness"]) == (3, ["cut"])


def test_late_join_is_marked_on_the_first_transaction_alone():
    rows = Http().run(in_turn([numbered(k) for k in range(3)]), start_seen=False)
    assert [row["completeness"] for row in rows] == [["late_join"], [], []]
