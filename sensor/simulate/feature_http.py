"""Feature captures of HTTP/1.1 itself: framing of bodies, interim answers, forms of the target, what ends HTTP."""

from sensor.simulate.feature_base import Feature, answer, ask, feature, finished, ids, label, opened


@feature
def keepalive() -> Feature:
    """Several exchanges on one connection."""
    conversation, transactions = opened(), []
    for number in range(10_001, 10_006):
        conversation.exchange(ask("GET", f"/v1/products/{number}"), answer(ids(number)))
        conversation.wait(conversation.rtt_ns)
        transactions.append(label("GET", f"/v1/products/{number}", 200, 0, len(ids(number))))
    return finished(conversation, "Five exchanges, one after the other, on one connection.", transactions)


@feature
def pipelining() -> Feature:
    """Requests that do not wait for answers."""
    conversation = opened()
    body = ids(10_001)
    plain = [ask("GET", "/v1/cart"), ask("GET", "/v1/missing"), ask("DELETE", "/v1/cart")]
    requests = [plain[0], ask("POST", "/v1/cart/items", body), *plain[1:]]
    answers = [
        answer(b'{"items":[]}'),
        answer(b'{"items":1}', "201 Created"),
        answer(b"{}", "404 Not Found"),
        answer(status="204 No Content", length=None),
    ]
    conversation.send(True, b"".join(requests))
    conversation.wait(3_000_000)
    # The answers' segments end within messages.
    conversation.send(False, b"".join(answers), [150, 20])
    transactions = [
        label("GET", "/v1/cart", 200, 0, 12),
        label("POST", "/v1/cart/items", 201, len(body), 11),
        label("GET", "/v1/missing", 404, 0, 2),
        label("DELETE", "/v1/cart", 204),
    ]
    return finished(conversation, "Four requests in one segment before any answer; the answers in order.", transactions)


@feature
def chunked_trailers() -> Feature:
    """Transfer-Encoding: chunked, both ways."""
    conversation = opened()
    chunks = [b'{"product":', b"10001", b',"text":"good"}']
    request = ask("POST", "/v1/reviews", b"", "Transfer-Encoding: chunked", "Trailer: X-Checksum")
    request += _chunked(chunks, b"X-Checksum: 5f3e\r\n")
    pieces = [b'{"reviews":[', b"1,2,3," * 60, b"4]}"]
    response = answer(b"", "201 Created", "Transfer-Encoding: chunked", "Trailer: Server-Timing", length=None)
    response += _chunked(pieces, b"Server-Timing: db;dur=2.1\r\nX-Late: yes\r\n", b";name=value")
    conversation.exchange(request, response)
    conversation.wait(conversation.rtt_ns)
    conversation.exchange(ask("GET", "/v1/cart"), answer(b"{}"))
    transactions = [
        label("POST", "/v1/reviews", 201, len(b"".join(chunks)), len(b"".join(pieces))),
        label("GET", "/v1/cart", 200, 0, 2),
    ]
    return finished(
        conversation, "Chunked both ways, with a chunk extension and trailers, then a plain exchange.", transactions
    )


def _chunked(pieces: list[bytes], trailers: bytes, extension: bytes = b"") -> bytes:
    chunks = [b"%X%s\r\n%s\r\n" % (len(piece), extension, piece) for piece in pieces]
    return b"".join(chunks) + b"0\r\n" + trailers + b"\r\n"


@feature
def continue_100() -> Feature:
    """Expect: 100-continue."""
    conversation = opened()
    body = b'{"note":"' + b"x" * 1200 + b'"}'
    request = ask("POST", "/v1/notes", body, "Expect: 100-continue")
    head = len(request) - len(body)
    conversation.send(True, request[:head])
    conversation.wait(400_000)
    conversation.send(False, b"HTTP/1.1 100 Continue\r\n\r\n")
    conversation.wait(conversation.rtt_ns)
    conversation.exchange(request[head:], answer(b'{"id":1}', "201 Created"))
    transactions = [label("POST", "/v1/notes", 201, len(body), 8)]
    return finished(conversation, "A request that waits for 100 Continue before its body; 201 is its answer.", transactions)


@feature
def head_204_304() -> Feature:
    """Answers that have no body, whatever their fields say."""
    conversation, transactions = opened(), []
    cases = [
        ("HEAD", "/v1/products/10001", 200, answer(length=5000)),
        ("DELETE", "/v1/cart/items/1", 204, answer(status="204 No Content", length=None)),
        ("GET", "/v1/products/10001", 304, answer(b"", "304 Not Modified", 'ETag: "9a1"', length=5000)),
        ("GET", "/v1/products/10002", 200, answer(ids(10_002))),
    ]
    for method, target, status, response in cases:
        conversation.exchange(ask(method, target), response)
        conversation.wait(conversation.rtt_ns)
        transactions.append(label(method, target, status, 0, 12 if target.endswith("2") else 0))
    return finished(
        conversation, "HEAD and 304 with Content-Length but no body, 204, then an answer with a body.", transactions
    )


@feature
def close_delimited() -> Feature:
    """A body that ends with the connection."""
    conversation = opened()
    body = b'{"items":[' + b"10001," * 500 + b"10002]}"
    conversation.exchange(
        ask("GET", "/v1/export?format=json").replace(b"HTTP/1.1", b"HTTP/1.0"),
        answer(body, "200 OK", "Content-Type: application/json", length=None).replace(b"HTTP/1.1", b"HTTP/1.0"),
    )
    conversation.close(by_client=False)
    transactions = [label("GET", "/v1/export?format=json", 200, 0, len(body), http_version="1.0")]
    return Feature("HTTP/1.0; the response has no length and ends with the server's FIN.", conversation.frames, transactions)


@feature
def connect_tunnel() -> Feature:
    """CONNECT: what follows is not HTTP."""
    conversation = opened()
    target = "upstream.shop.test:443"
    request = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nProxy-Connection: keep-alive\r\n\r\n".encode()
    conversation.exchange(request, b"HTTP/1.1 200 Connection established\r\n\r\n")
    conversation.wait(conversation.rtt_ns)
    record = bytes(range(7, 256, 3)) * 4
    for from_client, kind in ((True, b"\x16"), (False, b"\x16"), (True, b"\x17"), (False, b"\x17")):
        conversation.send(from_client, kind + b"\x03\x03" + len(record).to_bytes(2, "big") + record)
        conversation.wait(conversation.rtt_ns)
    return finished(conversation, "CONNECT, then records that look like TLS.", [label("CONNECT", target, 200)])


@feature
def upgrade_websocket() -> Feature:
    """101 Switching Protocols."""
    conversation = opened()
    conversation.exchange(ask("GET", "/v1/session"), answer(b'{"user":1}'))
    conversation.wait(conversation.rtt_ns)
    both = ("Connection: Upgrade", "Upgrade: websocket")
    lines = (*both, "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    accept = (*both, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    response = answer(b"", "101 Switching Protocols", *accept, length=None)
    conversation.exchange(ask("GET", "/v1/stream?topic=stock", b"", *lines), response)
    conversation.wait(conversation.rtt_ns)
    # What looks like a request within a message is none.
    text = b"GET /v1/not-a-request HTTP/1.1"
    mask = b"\0\0\0\0"  # allowed, and leaves the text readable on the wire
    conversation.send(True, bytes((0x81, 0x80 | len(text))) + mask + text)
    conversation.wait(1_000_000)
    conversation.send(False, bytes((0x81, len(text))) + text)
    transactions = [label("GET", "/v1/session", 200, 0, 10), label("GET", "/v1/stream?topic=stock", 101)]
    return finished(conversation, "An exchange, an upgrade to WebSocket, two messages that look like requests.", transactions)


@feature
def absolute_form() -> Feature:
    """Targets that are no path."""
    conversation = opened()
    conversation.exchange(ask("GET", "http://api.shop.test/v1/products?page=3"), answer(b"[]"))
    conversation.wait(conversation.rtt_ns)
    conversation.exchange(ask("OPTIONS", "*"), answer(b"", "204 No Content", "Allow: GET, POST", length=None))
    transactions = [label("GET", "/v1/products?page=3", 200, 0, 2), label("OPTIONS", "*", 204)]
    return finished(conversation, "A target in absolute form (its path is the label's path), and OPTIONS *.", transactions)
