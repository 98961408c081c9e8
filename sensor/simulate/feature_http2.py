"""Feature captures of HTTP/2 and gRPC, built by h2 on both sides, and of requests that name an operation in their body."""

import json
import struct

from sensor.simulate.feature_base import HOST, Feature, answer, ask, feature, finished, label, opened
from sensor.simulate.http2 import Fields, Http2Conversation

JSON = ("content-type", "application/json")
GRPC = ("content-type", "application/grpc+proto")


def request(method: str, path: str, *others: tuple[str, str]) -> Fields:
    """The fields of a request."""
    fields = [(":method", method), (":scheme", "http"), (":path", path), (":authority", HOST)]
    return [*fields, ("user-agent", "curl/8.5.0"), *others]


def response(status: int, *others: tuple[str, str]) -> Fields:
    """The fields of a response."""
    return [(":status", str(status)), ("server", "nginx"), *others]


def message(size: int) -> bytes:
    """A gRPC message with its prefix (Length-Prefixed-Message)."""
    return struct.pack(">BI", 0, size) + bytes(k % 251 for k in range(size))


def labels2(*rows: tuple) -> list:
    """Labels of HTTP/2 transactions."""
    return [label(*row, http_version="2") for row in rows]


@feature
def http2_multiplexed() -> Feature:
    """Streams that overlap."""
    talk = Http2Conversation(opened())
    first = talk.ask(request("GET", "/v1/products?page=2"))
    second = talk.ask(request("POST", "/v1/cart/items", JSON), b'{"product":10001}')
    third = talk.ask(request("GET", "/v1/products?page=2", ("x-trace", "~" * 12_000)))
    talk.wire.wait(2_000_000)
    talk.answer(third, response(404))
    talk.answer(first, response(200, JSON), [b'{"items":[', b"1,2,3", b"]}"])
    talk.answer(second, response(201, JSON), [b'{"items":1}'], [("server-timing", "db;dur=2.1")])
    return finished(
        talk.wire,
        "HTTP/2 with prior knowledge: three streams, answered out of their order; fields from the dynamic table, a head that "
        "needs CONTINUATION, padding, trailers.",
        labels2(
            ("GET", "/v1/products?page=2", 404),
            ("GET", "/v1/products?page=2", 200, 0, 17),
            ("POST", "/v1/cart/items", 201, 17, 11),
        ),
    )


@feature
def http2_upgrade() -> Feature:
    """h2c by Upgrade."""
    conversation = opened()
    talk = Http2Conversation(conversation, by_preface=False)
    settings = talk.client.initiate_upgrade_connection()
    assert settings is not None
    talk.server.initiate_upgrade_connection(settings)
    upgrade = "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", f"HTTP2-Settings: {settings.decode()}"
    conversation.send(True, ask("GET", "/v1/cart", b"", *upgrade))
    conversation.wait(1_000_000)
    conversation.send(False, b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    talk.flush(True)
    talk.flush(False)
    talk.answer(1, response(200, JSON), [b'{"items":[]}'])
    stream = talk.ask(request("DELETE", "/v1/cart"))
    talk.answer(stream, response(204))
    return finished(
        conversation,
        "HTTP/1.1 that goes on as HTTP/2 (h2c by Upgrade): the upgrade, its request answered as stream 1, one more stream.",
        [label("GET", "/v1/cart", 101), *labels2(("GET", "/v1/cart", 200, 0, 12), ("DELETE", "/v1/cart", 204))],
    )


@feature
def http2_reset() -> Feature:
    """Streams given up."""
    talk = Http2Conversation(opened())
    for number in range(10_001, 10_004):
        stream = talk.ask(request("GET", f"/v1/products/{number}"))
        talk.client.reset_stream(stream, 8)
        talk.flush(True)
    last = talk.ask(request("GET", "/v1/cart"))
    talk.answer(last, response(200, JSON), [b"{}"])
    given_up = [
        label("GET", f"/v1/products/{number}", None, http_version="2", completeness=["no_response"])
        for number in range(10_001, 10_004)
    ]
    return finished(
        talk.wire,
        "HTTP/2: three requests that the client gives up at once, as in a rapid reset, then one that is answered.",
        [*given_up, *labels2(("GET", "/v1/cart", 200, 0, 2))],
    )


@feature
def grpc_calls() -> Feature:
    """gRPC over HTTP/2."""
    talk = Http2Conversation(opened())
    te = ("te", "trailers")
    unary = talk.ask(request("POST", "/shop.v1.Inventory/Reserve", GRPC, te), message(40))
    talk.answer(unary, response(200, GRPC), [message(12)], [("grpc-status", "0")])
    streamed = talk.ask(request("POST", "/shop.v1.Inventory/Watch", GRPC, te), message(3))
    talk.answer(streamed, response(200, GRPC), [message(100), message(0), message(1_000)], [("grpc-status", "0")])
    refused = talk.ask(request("POST", "/shop.v1.Inventory/Reserve", GRPC, te), message(40))
    talk.answer(refused, response(200, GRPC, ("grpc-status", "8"), ("grpc-message", "sold out")))
    return finished(
        talk.wire,
        "gRPC: a call with one answer, one with a stream of three, one refused with trailers alone. Sizes are those of DATA.",
        labels2(
            ("POST", "/shop.v1.Inventory/Reserve", 200, 45, 17),
            ("POST", "/shop.v1.Inventory/Watch", 200, 8, 1_115),
            ("POST", "/shop.v1.Inventory/Reserve", 200, 45, 0),
        ),
    )


CART = "query Cart($id: ID!) { cart(id: $id) { items { sku a: price } } }"
ADD = "mutation { addItem(sku: 10001) { total } checkout { id } }"
PRICE = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><p:GetPrice xmlns:p="urn:shop">'
    "<p:Sku>10001</p:Sku></p:GetPrice></s:Body></s:Envelope>"
)
OPERATIONS = (
    ("/graphql", "application/json", json.dumps({"query": CART})),
    ("/graphql", "application/json", json.dumps({"query": ADD})),
    ("/rpc", "application/json", json.dumps({"jsonrpc": "2.0", "method": "stock.reserve", "params": [10001], "id": 1})),
    ("/ws/prices", "text/xml", PRICE),
)


@feature
def operations() -> Feature:
    """Operations named in bodies."""
    conversation, transactions = opened(), []
    for path, media, text in OPERATIONS:
        body = text.encode()
        conversation.exchange(ask("POST", path, body, f"Content-Type: {media}"), answer(b"{}"))
        conversation.wait(conversation.rtt_ns)
        transactions.append(label("POST", path, 200, len(body), 2))
    return finished(
        conversation,
        "Requests that name their operation in the body: two of GraphQL, one of JSON-RPC, one of SOAP.",
        transactions,
    )
