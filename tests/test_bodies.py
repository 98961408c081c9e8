"""Bodies on their way through the pipeline: decoded, within each endpoint's budget, and their operations as endpoints."""

import gzip
import json

import brotli
import pytest
from click.testing import CliRunner
from helpers import CLIENT, FEATURES, SERVER

from sensor.capture.files import CaptureFile
from sensor.cli import main
from sensor.core.reasons import REASON
from sensor.pipeline import Pipeline
from sensor.settings import Bodies, Config
from sensor.simulate.wire import Conversation, write_pcap

START = 1_772_528_400_000_000_000


class Kept:
    """A sink that keeps rows and their samples."""

    def __init__(self):
        self.samples, self.endpoints = [], []

    def transactions(self, batch, wire, encaps, capture):
        for index in range(len(batch.rows)):
            self.samples.append((batch.body(index, "request_body"), batch.body(index, "response_body")))
            self.endpoints.append(batch.text(index, "template").decode())


def replayed(path, **bodies):
    """(what a pipeline tells of a capture, its counters)."""
    kept = Kept()
    pipeline = Pipeline(Config(bodies=Bodies(**bodies)), (1, 2), [kept])
    capture = CaptureFile(str(path))
    try:
        pipeline.run(capture)
    finally:
        capture.close()
    pipeline.finish("x")
    pipeline.close()
    return kept, pipeline.totals()


def exchange(conversation, path, request=b"", response=b"", *lines):
    """A POST and its answer; lines: fields of either."""
    asked = b"".join(line + b"\r\n" for line in lines if line.startswith(b">"))
    asked = asked.replace(b">", b"")
    answered = b"".join(line + b"\r\n" for line in lines if not line.startswith(b">"))
    kind = b"Content-Type: application/json\r\n"
    conversation.exchange(
        b"POST %s HTTP/1.1\r\nHost: h\r\n%s%sContent-Length: %d\r\n\r\n" % (path, kind, asked, len(request)) + request,
        b"HTTP/1.1 200 OK\r\n%s%sContent-Length: %d\r\n\r\n" % (kind, answered, len(response)) + response,
    )
    conversation.wait(1_000_000)


@pytest.fixture
def capture(tmp_path):
    """A conversation with compressed bodies both ways, and 100 plain exchanges at one endpoint within a minute, 10 later."""
    conversation = Conversation(CLIENT, SERVER, START)
    conversation.handshake()
    query = json.dumps({"query": "query Cart { cart { id } }"}).encode()
    exchange(
        conversation,
        b"/graphql",
        gzip.compress(query),
        brotli.compress(b'{"data":1}'),
        b">Content-Encoding: gzip",
        b"Content-Encoding: br",
    )
    for k in range(110):
        if k == 100:
            conversation.wait(60_000_000_000)
        exchange(conversation, b"/v1/items/%d" % k, b"", b'{"id":%d}' % k)
    conversation.close()
    path = tmp_path / "bodies.pcap"
    write_pcap(path, conversation.frames)
    return path


def test_bodies_reach_the_analysers_decoded_and_within_the_budget(capture):
    kept, counters = replayed(capture)
    assert kept.endpoints[0] == "/graphql#query:Cart"
    assert kept.samples[0] == (b'{"query": "query Cart { cart { id } }"}', b'{"data":1}')
    items = [response for _, response in kept.samples[1:]]
    assert items[:60] == [b'{"id":%d}' % k for k in range(60)]
    assert items[60:100] == [b""] * 40
    assert items[100:] == [b'{"id":%d}' % k for k in range(100, 110)]
    assert counters[REASON["body_over_budget"]] == 40


def test_samples_are_bounded_by_configuration(capture):
    kept, _ = replayed(capture, request_bytes=0, response_bytes=4, per_endpoint=1_000)
    assert {len(request) for request, _ in kept.samples} == {0}
    assert {len(response) for _, response in kept.samples[1:]} == {4}
    assert kept.endpoints[0] == "/graphql"


def test_the_store_and_the_lines_hold_no_body(tmp_path):
    """What went through is in no file: not in the lines, not in the store's folder."""
    conversation = Conversation(CLIENT, SERVER, START)
    conversation.handshake()
    exchange(conversation, b"/v1/notes", b'{"note":"XyzzyRequest"}', b'{"note":"XyzzyResponse"}')
    conversation.close()
    path, lines = tmp_path / "notes.pcap", tmp_path / "lines.jsonl"
    write_pcap(path, conversation.frames)
    done = CliRunner().invoke(main, ["replay", "--no-store", "--transactions", str(lines), str(path)])
    assert done.exit_code == 0
    assert lines.read_bytes().count(b"\n") == 1
    assert b"Xyzzy" not in lines.read_bytes() + done.output.encode()


def test_procedures_and_operations_are_endpoints():
    kept, _ = replayed(FEATURES / "operations.pcap")
    assert kept.endpoints == [
        "/graphql#query:Cart",
        "/graphql#mutation:{addItem,checkout}",
        "/rpc#stock.reserve",
        "/ws/prices#GetPrice",
    ]
    kept, _ = replayed(FEATURES / "grpc_calls.pcap")
    assert kept.endpoints == ["/shop.v1.Inventory/Reserve", "/shop.v1.Inventory/Watch", "/shop.v1.Inventory/Reserve"]


def test_what_looks_like_a_secret_is_no_operation_and_no_procedure(tmp_path):
    """A JWT or a card number as JSON-RPC's method, or in the path of a call that says it is gRPC."""
    conversation = Conversation(CLIENT, SERVER, START)
    conversation.handshake()
    card = b"4111111111111111"
    exchange(conversation, b"/rpc", b'{"jsonrpc":"2.0","method":"%s"}' % card, b"{}")
    conversation.exchange(
        b"POST /v1/%s HTTP/1.1\r\nHost: h\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\n\r\n" % card,
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    )
    conversation.close()
    path, lines = tmp_path / "secrets.pcap", tmp_path / "lines.jsonl"
    write_pcap(path, conversation.frames)
    done = CliRunner().invoke(main, ["replay", "--no-store", "--transactions", str(lines), str(path)])
    assert done.exit_code == 0
    assert lines.read_bytes().count(b"\n") == 2
    assert card not in lines.read_bytes() + done.output.encode()
