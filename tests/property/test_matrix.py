"""Two matrices over known conversations. Cut: whatever packets are lost, no value is wrong unless its row says so, and who
lost nothing is told whole. Shuffled: whatever order, cuts and repeats the same bytes come in, the same is told.
"""

import collections
import functools
import itertools
import random

import dpkt
import pytest
from helpers import CLIENT, SERVER, Sensor, assert_empty, transactions_of_packets

from sensor.simulate.wire import FIN, SYN, Conversation

START = 1_700_000_000_000_000_000
ISNS = 1_000_000, 2**32 - 2_000  # the server's numbers wrap
MSS = 100
QUICK, SLOW = 8_000_000, 300_000_000
"""Round trips. Holes of slow conversations are given up while they go on, those of quick ones at their end."""
Capture = collections.namedtuple("Capture", "frames spans")  # spans: {status: [(from the client, first byte, end), …]}
SENSOR = Sensor(connections=16, duplicate_window_ms=0)  # the same frames come again and again
told = functools.partial(transactions_of_packets, sensor=SENSOR)
FOUND_CUT = [177, 519, 600, 1432, 1686, 1751, 2006, 2946]
FOUND_SHUFFLED = [245, 526, 1458, 2417]
"""Seeds beyond the usual ones that found something once."""

REQUEST_VALUES = (
    "method", "host", "path", "query", "user_agent", "referer", "request_type", "forwarded_for", "version", "auth",
    "fingerprint", "credential", "session",
)  # fmt: skip
TELLING = ("host", "query", "user_agent", "referer", "forwarded_for", "fingerprint", "credential", "session", "status")
"""Values that no two transactions share."""
# What is said: (method, status, how its request's body and its response's body are told)
EXCHANGES = [
    ("GET", 201, None, "length"), ("POST", 202, "length", "chunked"), ("HEAD", 203, None, "none"),
    ("PUT", 206, "length", "length"), ("DELETE", 204, None, "none"), ("GET", 211, None, "chunked"),
    ("POST", 400, "length", "length"), ("PATCH", 212, "chunked", "length"), ("GET", 404, None, "empty"),
    ("POST", 500, "length", "chunked"), ("HEAD", 213, None, "none"), ("GET", 214, None, "close"),
]  # fmt: skip
ORDERS = {  # who speaks when: requests are positive, responses negative, counted from 1
    "keep_alive": [(turn,) for k in range(1, 13) for turn in (k, -k)],
    "pipelined": [(1, 2, 3), (-1, -2), (4, 5), (-3,), (6, 7), (-4, -5, -6), (8,), (-7, -8), (9, 10, 11), (-9, -10), (12,), (-11, -12)],
}  # fmt: skip


def body_of(k, how):
    """(fields, bytes of the body as sent); sizes tell whose they are."""
    text = b"".join(b'{"k":%d,"at":%03d}' % (k, at) for at in range(12 + k))
    if how == "length":
        return b"Content-Length: %d\r\n" % len(text), text
    if how == "chunked":
        chunks = b"".join(b"%x\r\n%s\r\n" % (size, text[:size]) for size in (150, 30 + k))
        return b"Transfer-Encoding: chunked\r\n", chunks + b"0\r\n\r\n"
    if how == "empty":
        return b"Content-Length: 0\r\n", b""
    return b"", text if how == "close" else b""


def request_of(k):
    """A request in which every value tells k, and whose target no other has."""
    method, _, how, _ = EXCHANGES[k - 1]
    fields, body = body_of(k, how)
    kind = b"Content-Type: application/x-%d\r\n" % k if how else b""
    return (
        b"%s /v1/items/%d?page=%d HTTP/1.1\r\nHost: h%d.test\r\nUser-Agent: agent/%d\r\n" % (method.encode(), k // 2, k, k, k)
        + b"X-Name-%d: x\r\nReferer: http://h%d.test/\r\nAuthorization: Bearer token-%d\r\n" % (k, k, k)
        + b"Cookie: session=s%d\r\nX-Forwarded-For: 192.0.2.%d\r\n%s%s\r\n%s" % (k, k, kind, fields, body)
    )


def response_of(k, closes):
    """A response with a status, a type and a size that no other has; one to HEAD tells the size of what it does not send."""
    method, status, _, how = EXCHANGES[k - 1]
    fields, body = body_of(k, "length" if how == "close" and not closes else how)
    if method == "HEAD":
        fields = b"Content-Length: %d\r\n" % (700 + k)
    kind = b"" if status == 204 else b"Content-Type: text/y-%d\r\n" % k
    return b"HTTP/1.1 %d OK\r\nServer: s\r\n%s%s\r\n%s" % (status, kind, fields, body)


def captured(order, rtt_ns=QUICK, cutting=None):
    """The conversation in segments of the MSS, or as `cutting` (a random.Random) cuts it; and whose bytes are where."""
    conversation = Conversation(CLIENT, SERVER, START, mss=MSS, rtt_ns=rtt_ns, isns=ISNS)
    capture, sent = Capture(conversation.frames, {}), {True: 0, False: 0}
    closes = order == "keep_alive"
    conversation.handshake()
    for turn in ORDERS[order]:
        from_client, parts = turn[0] > 0, []
        for k in turn:
            part = request_of(k) if from_client else response_of(-k, closes)
            first, sent[from_client] = sent[from_client], sent[from_client] + len(part)
            capture.spans.setdefault(EXCHANGES[abs(k) - 1][1], []).append((from_client, first, sent[from_client]))
            parts.append(part)
        sizes = [cutting.randint(1, 2 * MSS) for _ in range(99)] if cutting else ()
        conversation.send(from_client, b"".join(parts), sizes)
        conversation.wait(rtt_ns)
    if closes:  # the end of the last response is the FIN
        capture.spans[214][-1] = (False, capture.spans[214][-1][1], sent[False] + 1)
    conversation.close(by_client=not closes)
    return capture


def key_of(row):
    return row["client_port"], row["method"], row["path"], row["query"]


def test_all_is_told_of_uncut_captures():
    for order in ORDERS:
        rows = told(captured(order).frames)
        assert [(row["method"].decode(), row["status"]) for row in rows] == [said[:2] for said in EXCHANGES]
        assert all(row["completeness"] == [] and row["latency_us"] >= 0 for row in rows)
        assert all(len({row[name] for row in rows}) == len(rows) for name in TELLING)


# Cut

LOSSES = {"gap", "cut", "request_cut"}
DOUBT = {"gap", "late_join"}
SIZES_UNSURE = LOSSES | {"truncated", "no_response"}


def wrong_values(row, twin, strict):
    """[(field, got, expected), …] where a row departs from its uncut twin without saying so.

    Behind a loss nobody can count off the responses of a client that pipelines: where `strict` is not asked for, a row that
    is marked may bear another one's.
    """
    marks = set(row["completeness"])
    if not strict and marks & DOUBT:
        return [
            (name, row[name], twin[name]) for name in REQUEST_VALUES if row[name] != twin[name] and "truncated" not in marks
        ]
    names = () if "truncated" in marks else REQUEST_VALUES
    names += ("status",) if row["status"] else ()
    names += () if marks & SIZES_UNSURE else ("response_type", "response_bytes", "request_bytes")
    names += () if marks & LOSSES or row["latency_us"] == -1 else ("latency_us",)
    return [(name, row[name], twin[name]) for name in names if row[name] != twin[name]]


def findings(rows, uncut, strict):
    """What is wrong with the rows of a cut capture: wrong values, strangers, and what was told twice."""
    twins, found = {key_of(row): row for row in uncut}, []
    asked = [row for row in rows if row["method"]]
    for row in asked:
        twin = twins.get(key_of(row))
        wrong = wrong_values(row, twin, strict) if twin else [("stranger", key_of(row), None)]
        found += [(row["path"] + b"?" + row["query"], row["completeness"], *what) for what in wrong]
    for values in ([key_of(row) for row in asked], [row["status"] for row in rows if row["status"]]):
        found += [("told twice", value) for value in set(values) if values.count(value) > 1]
    strange = {row["status"] for row in rows} - {row["status"] for row in uncut} - {0}
    return found + [("strange status", status) for status in strange]


def parsed(frame):
    """(from the client, offset in its stream, TCP header with data) of a frame; a SYN lies at -1."""
    tcp = dpkt.ethernet.Ethernet(frame[1]).data.data
    from_client = tcp.sport == CLIENT[1]
    return from_client, ((tcp.seq - ISNS[not from_client]) & 0xFFFFFFFF) - 1 if not tcp.flags & SYN else -1, tcp


def innocent(capture, removed):
    """The statuses of transactions that lost no byte; none when the SYN was lost."""
    lost = [(from_client, at, at + len(tcp.data) + bool(tcp.flags & FIN)) for from_client, at, tcp in map(parsed, removed)]
    if any(from_client and at < 0 for from_client, at, _ in lost):
        return set()
    return {
        status
        for status, spans in capture.spans.items()
        if not any(a == b and at < stop and first < end for a, at, end in lost for b, first, stop in spans)
    }


def single_cuts(order, rtt_ns):
    """(name, capture, first packet to remove, how many): each packet of the capture in turn."""
    capture = captured(order, rtt_ns)
    return [((first, 1), capture, first, 1) for first in range(len(capture.frames))]


def random_cuts(order, rtt_ns):
    """The same, for runs of packets of captures that are cut into segments anyhow."""
    for seed in [*range(150), *FOUND_CUT]:
        chance = random.Random(f"{order} {rtt_ns} {seed}")
        capture = captured(order, rtt_ns, chance)
        count = chance.randint(1, 20)
        first = chance.randrange(len(capture.frames) - count + 1)
        yield (seed, first, count), capture, first, count


@functools.cache
def outcome_of(cuts, order, rtt_ns):
    """({name: what is wrong}, how many transactions lost nothing, how many of them came out whole) of many cut captures."""
    wrong, spared, spared_whole = {}, 0, 0
    for name, capture, first, count in cuts(order, rtt_ns):
        uncut, rows = told(capture.frames), told(capture.frames[:first] + capture.frames[first + count :])
        if found := findings(rows, uncut, strict=order == "keep_alive"):
            wrong[name] = found
        who = innocent(capture, capture.frames[first : first + count])
        expected = {key_of(row): row["status"] for row in uncut}
        whole = {row["status"] for row in rows if not row["completeness"] and row["status"] == expected.get(key_of(row))}
        spared, spared_whole = spared + len(who), spared_whole + len(who & whole)
    assert_empty(SENSOR)
    return wrong, spared, spared_whole


@pytest.mark.parametrize("rtt_ns", [QUICK, SLOW])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("cuts", [single_cuts, random_cuts])
def test_no_value_is_wrong_after_losses(cuts, order, rtt_ns):
    assert outcome_of(cuts, order, rtt_ns)[0] == {}


@pytest.mark.parametrize(("order", "share"), [("keep_alive", 0.9), ("pipelined", 0.6)])
def test_who_lost_nothing_is_told_whole(order, share):
    """A client that pipelines and lost a request is not paired again on that connection: its share is that of what came before."""
    every = [outcome_of(cuts, order, rtt_ns) for cuts in (single_cuts, random_cuts) for rtt_ns in (QUICK, SLOW)]
    spared, spared_whole = sum(spared for _, spared, _ in every), sum(spared_whole for *_, spared_whole in every)
    assert spared > 4_000 and spared_whole / spared >= share


# Shuffled


def segment(frame, data, ahead=0, flags=0):
    """The frame with other data, `ahead` bytes further in the sequence; flags are added."""
    link = dpkt.ethernet.Ethernet(frame[1])
    ip, tcp = link.data, link.data.data
    tcp.seq, tcp.flags, tcp.data = (tcp.seq + ahead) & 0xFFFFFFFF, tcp.flags | flags, data
    ip.len = len(ip)
    ip.sum = tcp.sum = 0  # both are computed anew
    return frame[0], bytes(link)


def reordered(chance, frames):
    """Each packet up to four places late; the SYN stays the first one, as it says who opens."""
    places = [-1, *(k + chance.uniform(0, 5) for k in range(1, len(frames)))]
    return [frame for _, frame in sorted(zip(places, frames, strict=True))]


def doubled(chance, frames):
    """Some packets again, up to three places later."""
    again = [(k + chance.uniform(0, 4), frame) for k, frame in enumerate(frames) if chance.random() < 0.5]
    return [frame for _, frame in sorted([*enumerate(frames), *again])]


def split(chance, frames):
    """Some segments in two."""
    found = []
    for frame in frames:
        data = parsed(frame)[2].data
        at = chance.randint(1, len(data) - 1) if len(data) > 1 and chance.random() < 0.4 else 0
        found += [segment(frame, data[:at]), segment(frame, data[at:], at)] if at else [frame]
    return found


def merged(chance, frames):
    """Some segments joined with what the same side sends next: data, or its FIN."""
    found = frames[:1]
    for frame in frames[1:]:
        (side, at, tcp), (last_side, last_at, last) = parsed(frame), parsed(found[-1])
        follows = side == last_side and last.data and at == last_at + len(last.data)
        if follows and (tcp.data or tcp.flags & FIN) and chance.random() < 0.5:
            found[-1] = segment(found[-1], last.data + tcp.data, flags=tcp.flags)
        else:
            found.append(frame)
    return found


def overlapping(chance, frames):
    """Some segments begin earlier, with the bytes that were sent there: instead of themselves, or sent again after them."""
    sent, found = {True: b"", False: b""}, []
    for frame in frames:
        side, at, tcp = parsed(frame)
        sent[side] += tcp.data
        back = chance.randint(1, min(at, 2 * MSS)) if tcp.data and at and chance.random() < 0.4 else 0
        longer = segment(frame, sent[side][at - back :], -back)
        found += [longer] if back and chance.random() < 0.5 else [frame, longer] if back else [frame]
    return found


def all_at_once(chance, frames):
    for change in (split, merged, overlapping, doubled, reordered):
        frames = change(chance, frames)
    return frames


def comparable(rows):
    """What is told, whatever its times and its order."""
    return sorted(({name: row[name] for name in row.keys() - {"ts", "end", "order", "latency_us"}} for row in rows), key=key_of)


def shuffled(order, change, seed):
    """Frames of a conversation cut anyhow and shuffled; time goes on evenly, whatever is captured when."""
    chance = random.Random(f"{order} {change.__name__} {seed}")
    capture = captured(order, cutting=chance)
    times = sorted(ts for ts, _ in capture.frames)
    frames = change(chance, capture.frames)
    return [(times[k * len(times) // len(frames)], frame) for k, (_, frame) in enumerate(frames)]


@pytest.mark.parametrize("change", [reordered, doubled, split, merged, overlapping, all_at_once])
@pytest.mark.parametrize("order", ORDERS)
def test_the_same_is_told_of_shuffled_captures(order, change):
    expected, wrong = comparable(told(captured(order).frames)), {}
    for seed in [*range(100), *FOUND_SHUFFLED]:
        rows = comparable(told(shuffled(order, change, seed)))
        if rows != expected:
            wrong[seed] = [(row, twin) for row, twin in itertools.zip_longest(rows, expected) if row != twin]
    assert wrong == {}
    assert_empty(SENSOR)
