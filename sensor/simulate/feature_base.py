"""What the builders of feature captures share: the registry, messages, labels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sensor.simulate.wire import ETHERNET, Conversation, Frame

HOST = "api.shop.test"
CLIENT, SERVER = ("192.0.2.10", 50_100), ("10.20.0.10", 80)
START = 1_772_528_400_000_000_000
"""2026-03-03T09:00:00Z"""

Label = dict[str, Any]


@dataclass
class Feature:
    """A capture in memory: its frames, and its labels."""

    description: str
    frames: list[Frame]
    transactions: list[Label]
    link_type: int = ETHERNET

    def labels(self) -> dict[str, Any]:
        """What goes into NAME.labels.json."""
        return {"description": self.description, "packets": len(self.frames), "transactions": self.transactions}


FEATURES: dict[str, Callable[[], Feature]] = {}


def feature(build: Callable[[], Feature]) -> Callable[[], Feature]:
    """Register a builder under its function's name."""
    FEATURES[build.__name__] = build
    return build


def label(method: str | None, target: str | None, status: int | None, sent: int = 0, received: int = 0, **others: Any) -> Label:
    """One transaction; `others` are `completeness`, `http_version`, `client_ip`, `client_port`."""
    path, _, query = (target or "").partition("?")
    return {
        "client_ip": others.get("client_ip", CLIENT[0]),
        "client_port": others.get("client_port", CLIENT[1]),
        "method": method,
        "path": path if target is not None else None,
        "query": query if target is not None else None,
        "status": status,
        "request_bytes": sent,
        "response_bytes": received,
        "http_version": others.get("http_version", "1.1"),
        "completeness": others.get("completeness", []),
    }


def opened(**options: Any) -> Conversation:
    """A connection after its handshake."""
    conversation = Conversation(CLIENT, SERVER, START, **options)
    conversation.handshake()
    return conversation


def ask(method: str, target: str, body: bytes = b"", *lines: str) -> bytes:
    """A request with a Content-Length if it has a body."""
    length = [f"Content-Length: {len(body)}"] if body else []
    fields = (f"Host: {HOST}", "User-Agent: curl/8.5.0", *length, *lines, "", "")
    return "\r\n".join((f"{method} {target} HTTP/1.1", *fields)).encode() + body


def answer(body: bytes = b"", status: str = "200 OK", *lines: str, length: int | None = -1) -> bytes:
    """A response; `length` is the Content-Length: by default that of the body, None for no such line."""
    size = len(body) if length == -1 else length
    fields = [] if size is None else ["Content-Type: application/json", f"Content-Length: {size}"]
    return "\r\n".join((f"HTTP/1.1 {status}", "Server: nginx", *fields, *lines, "", "")).encode() + body


def finished(conversation: Conversation, description: str, transactions: list[Label], link_type: int = ETHERNET) -> Feature:
    """Close the connection in order, and label it."""
    conversation.wait(conversation.rtt_ns)
    conversation.close()
    return Feature(description, conversation.frames, transactions, link_type)


def simple(description: str, link_type: int = ETHERNET, **options: Any) -> Feature:
    """Two plain exchanges: what features of the network below HTTP carry."""
    client, server = options.pop("client", CLIENT), options.pop("server", SERVER)
    conversation = Conversation(client, server, START, **options)
    conversation.handshake()
    first, second = b'{"items":[10001,10002]}', b'{"product":10001,"quantity":1}'
    conversation.exchange(ask("GET", "/v1/products?page=2"), answer(first))
    conversation.wait(conversation.rtt_ns)
    conversation.exchange(ask("POST", "/v1/cart/items", second), answer(b'{"items":1}', "201 Created"))
    at = {"client_ip": client[0], "client_port": client[1]}
    transactions = [
        label("GET", "/v1/products?page=2", 200, 0, len(first), **at),
        label("POST", "/v1/cart/items", 201, len(second), 11, **at),
    ]
    return finished(conversation, description, transactions, link_type)


def ids(*numbers: int) -> bytes:
    """A small JSON body."""
    return b'{"id":%d}' % numbers[0] if len(numbers) == 1 else b'{"ids":[%s]}' % b",".join(b"%d" % number for number in numbers)
