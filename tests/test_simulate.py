"""The simulator's captures: the same seed gives the same bytes, and labels agree with what dpkt finds in the packets."""

import collections
import ctypes.util
import json
import re

import dpkt
import hpack
import pytest
from h2_peers import blocks_of, data_bytes

from sensor.scapy_bridge import FilterError, compile_bpf
from sensor.simulate.captures import write_all
from sensor.simulate.features import FEATURES
from sensor.simulate.load import write_load
from sensor.simulate.storefront import write_storefront

TEMPLATES = [
    (re.compile(r"^/v1/products/\d+$"), "/v1/products/{int}"),
    (re.compile(r"^/v1/orders/[0-9a-f-]{36}$"), "/v1/orders/{uuid}"),
]
RAW_IP = {0: 4, 12: 0, 101: 0, 113: 16, 276: 20}
"""Bytes before the IP packet by link type, all but Ethernet's."""


def segments(path):
    """(client, server, whether from the client, TCP) for every packet; the server is who listens on a low port or 8080."""
    with path.open("rb") as file:
        reader = dpkt.pcap.Reader(file)
        for _, frame in reader:
            if reader.datalink() == 1:
                packet = dpkt.ethernet.Ethernet(frame).data
            else:
                data = frame[RAW_IP[reader.datalink()] :]
                packet = (dpkt.ip.IP if data[0] >> 4 == 4 else dpkt.ip6.IP6)(data)
            tcp = packet.data
            assert isinstance(tcp, dpkt.tcp.TCP)
            source, target = (packet.src, tcp.sport), (packet.dst, tcp.dport)
            from_client = tcp.dport in (80, 8080)
            yield *((source, target) if from_client else (target, source)), from_client, tcp


def streams(path):
    """Reassembled connections: {(client, server): {from_client: bytes}}."""
    pieces = collections.defaultdict(lambda: {True: [], False: []})
    for client, server, from_client, tcp in segments(path):
        if tcp.data:
            pieces[client, server][from_client].append((tcp.seq, bytes(tcp.data)))
    return {connection: {side: joined(parts) for side, parts in sides.items()} for connection, sides in pieces.items()}


def joined(parts):
    if not parts:
        return b""
    first = parts[0][0]
    # Relative to the first segment seen, as a signed number: a later segment may precede it.
    placed = sorted(((seq - first + 2**31) % 2**32 - 2**31, data) for seq, data in parts)
    start = placed[0][0]
    stream = bytearray()
    for offset, data in placed:
        assert offset - start <= len(stream), "gap"
        stream += data[max(0, start + len(stream) - offset) :]
    return bytes(stream)


def messages(kind, data):
    while data:
        message = kind(data)
        yield message
        data = message.data


def test_same_seed_gives_same_bytes(tmp_path):
    for directory in ("one", "two"):
        write_all(tmp_path / directory)
    names = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert len(names) > 55
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    assert sum((tmp_path / "one" / name).stat().st_size for name in names) < 5_000_000
    assert (tmp_path / "one" / "storefront.pcap").stat().st_size < 3_500_000
    write_storefront(tmp_path / "other.pcap", seed=2)
    assert (tmp_path / "other.pcap").read_bytes() != (tmp_path / "one" / "storefront.pcap").read_bytes()


def test_storefront_labels_agree_with_packets(tmp_path):
    path = tmp_path / "storefront.pcap"
    labels = write_storefront(path)
    assert labels == json.loads((tmp_path / "storefront.labels.json").read_text())
    counts = collections.Counter()
    by_client = collections.defaultdict(list)
    for (client, _), sides in streams(path).items():
        requests = list(messages(dpkt.http.Request, sides[True]))
        responses = list(messages(dpkt.http.Response, sides[False]))
        assert len(requests) == len(responses)
        for request, response in zip(requests, responses, strict=True):
            template = request.uri.partition("?")[0]
            for pattern, replacement in TEMPLATES:
                template = pattern.sub(replacement, template)
            counts[request.method, template] += 1
            by_client[dpkt.utils.inet_to_str(client[0])].append((request, int(response.status)))
    assert sum(counts.values()) == labels["transactions"]
    assert counts == {(row["method"], row["template"]): row["count"] for row in labels["endpoints"]}
    assert len(by_client) == labels["clients"]

    sweep, stuffing = labels["incidents"]
    swept = by_client[sweep["actor"]]
    values = [int(request.uri.rpartition("/")[2]) for request, _ in swept]
    assert values == list(range(int(sweep["first_value"]), int(sweep["last_value"]) + 1))
    assert len(values) == sweep["transactions"]
    statuses = collections.Counter(status for _, status in swept)
    assert set(statuses) == {200, 404}
    assert statuses[200] > 0.85 * len(values)

    tried = by_client[stuffing["actor"]]
    emails = [json.loads(request.body)["email"] for request, _ in tried]
    assert len(set(emails)) == len(emails) == stuffing["transactions"]
    assert (emails[0], emails[-1]) == (stuffing["first_value"], stuffing["last_value"])
    assert collections.Counter(status for _, status in tried) == {401: 394, 200: 6}

    ordinary = [
        status
        for client, exchanges in by_client.items()
        for request, status in exchanges
        if client != stuffing["actor"] and request.uri == "/v1/login"
    ]
    assert 0.05 < ordinary.count(401) / len(ordinary) < 0.2


@pytest.mark.parametrize("name", sorted(FEATURES))
def test_feature_labels_agree_with_packets(tmp_path, name):
    from sensor.simulate.wire import write_pcap

    built = FEATURES[name]()
    path = tmp_path / "feature.pcap"
    assert write_pcap(path, built.frames, link_type=built.link_type) == built.labels()["packets"]
    times = [time for time, _ in built.frames]
    assert times == sorted(times)
    ((_, sides),) = streams(path).items()
    # Status lines are counted by their look, requests by dpkt, as far as a connection speaks HTTP.
    statuses = [int(found) for found in re.findall(rb"HTTP/1\.[01] (\d{3}) ", sides[False]) if found != b"100"]
    assert statuses == [row["status"] for row in built.transactions if row["status"] and row["http_version"] != "2"]
    expected = [row for row in built.transactions if row["method"] and row["http_version"] != "2"]
    if name == "chunked_trailers":  # dpkt does not read trailers
        expected = expected[:1]
    data = sides[True]
    for row in expected:
        request = dpkt.http.Request(data)
        data = request.data
        path_, _, query = request.uri.removeprefix("http://api.shop.test").partition("?")
        assert (request.method, path_, query) == (row["method"], row["path"], row["query"])
        assert len(request.body) == row["request_bytes"]
    if any(row["http_version"] == "2" for row in built.transactions):
        assert_http2_labels(built.transactions, sides)


def assert_http2_labels(labels, sides):
    """Header lists as hpack reads them, DATA as hyperframe does."""
    labels = [row for row in labels if row["http_version"] == "2"]
    asked = sides[True][sides[True].index(b"PRI * HTTP/2.0") + 24 :]
    answered = sides[False][sides[False].index(b"\r\n\r\n") + 4 :] if sides[False].startswith(b"HTTP/1") else sides[False]
    decoders = {True: hpack.Decoder(), False: hpack.Decoder()}
    fields = [
        (from_client, dict(decoders[from_client].decode(block)))
        for from_client, _, _, block in blocks_of([(True, asked), (False, answered)])
    ]
    requests = [(found[":method"], found[":path"]) for from_client, found in fields if from_client]
    targets = [(row["method"], row["path"] + ("?" + row["query"] if row["query"] else "")) for row in labels]
    assert set(requests) <= set(targets)
    assert len(targets) - len(requests) in (0, 1)  # the request that upgraded was sent as HTTP/1.1
    statuses = [int(found[":status"]) for from_client, found in fields if ":status" in found]
    assert statuses == [row["status"] for row in labels if row["status"]]
    assert data_bytes(asked) == sum(row["request_bytes"] for row in labels)
    assert data_bytes(answered) == sum(row["response_bytes"] for row in labels)


def test_load_counts_are_true(tmp_path):
    path = tmp_path / "load.pcap"
    counts = write_load(path, 2500, seed=3)
    assert counts == write_load(tmp_path / "again.pcap", 2500, seed=3)
    assert path.read_bytes() == (tmp_path / "again.pcap").read_bytes()
    packets, frame_bytes, last = 0, 0, 0
    seen, repeated, connections = set(), 0, set()
    with path.open("rb") as file:
        for time, frame in dpkt.pcap.Reader(file):
            packets += 1
            frame_bytes += len(frame)
            assert time >= last
            last = time
    for client, server, from_client, tcp in segments(path):
        connections.add((client, server))
        if tcp.data:
            key = (client, server, from_client, tcp.seq)
            repeated += key in seen
            seen.add(key)
    assert packets == counts["packets"]
    assert frame_bytes == counts["bytes"]
    assert len(connections) == counts["connections"]
    assert len(seen) == counts["data_segments"]
    assert repeated == counts["retransmissions"] > 0
    requests = responses = 0
    for sides in streams(path).values():
        requests += sum(1 for _ in messages(dpkt.http.Request, sides[True]))
        responses += sum(1 for _ in messages(dpkt.http.Response, sides[False]))
    assert requests == responses == counts["transactions"] == 2500
    assert counts["reordered"] > 0


@pytest.mark.skipif(not ctypes.util.find_library("pcap"), reason="needs libpcap")
def test_filters_compile_or_say_why():
    ethernet = compile_bpf("tcp port 80", 1)
    assert ethernet[-1][0] == ethernet[-2][0] == 0x06  # both ends are BPF_RET | BPF_K
    assert ethernet != compile_bpf("tcp port 80", 101)
    # Link type 0 is BSD loopback, not "none given".
    assert compile_bpf("ip", 0)[0][3] == 0
    with pytest.raises(FilterError, match="syntax error"):
        compile_bpf("tcp prt 80", 1)
