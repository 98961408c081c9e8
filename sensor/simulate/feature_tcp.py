"""Feature captures of TCP: how a stream is cut into segments, and what a tap may miss of a connection."""

from itertools import cycle, islice

from sensor.simulate.feature_base import CLIENT, SERVER, START, Feature, answer, ask, feature, finished, ids, label, opened
from sensor.simulate.wire import Conversation

BODY = b'{"items":[' + b"10001," * 700 + b"10002]}"


@feature
def split_everywhere() -> Feature:
    """Segments of 1 to 7 bytes."""
    conversation = opened()
    body = ids(10_001, 10_002)
    sizes = list(islice(cycle(range(1, 8)), 200))
    conversation.send(True, ask("PUT", "/v1/cart/items/7?notify=yes", body), sizes)
    conversation.wait(2_000_000)
    conversation.send(False, answer(body), sizes[3:])
    transactions = [label("PUT", "/v1/cart/items/7?notify=yes", 200, len(body), len(body))]
    return finished(conversation, "Request and response in segments of 1 to 7 bytes.", transactions)


@feature
def out_of_order() -> Feature:
    """Segments that overtake others."""
    conversation = opened()
    request, response = ask("POST", "/v1/batch", BODY), answer(BODY, "201 Created")
    for from_client, data, order in ((True, request, (1, 0, 3, 2)), (False, response, (0, 2, 3, 1))):
        size = len(data) // 4 + 1
        segments = [conversation.segment(from_client, data[start : start + size]) for start in range(0, len(data), size)]
        for position in order:
            conversation.place(segments[position])
        conversation.wait(2_000_000)
        conversation.ack(not from_client)
    conversation.wait(conversation.rtt_ns)
    conversation.exchange(ask("GET", "/v1/cart"), answer(b"{}"))
    transactions = [label("POST", "/v1/batch", 201, len(BODY), len(BODY)), label("GET", "/v1/cart", 200, 0, 2)]
    return finished(conversation, "Segments of the request in the order 2 1 4 3, of the response 1 3 4 2.", transactions)


@feature
def retransmission() -> Feature:
    """Segments that come twice."""
    conversation = opened()
    request, response = ask("GET", "/v1/products?page=1"), answer(BODY)
    whole = conversation.segment(True, request)
    conversation.place(whole)
    conversation.wait(200_000_000)
    conversation.place(whole)
    conversation.wait(2_000_000)
    conversation.send(False, response[:1200], [600])
    # The two segments again as one, and what follows in the same segment.
    conversation.wait(200_000_000)
    conversation.rewind(False, 1200)
    conversation.send(False, response)
    conversation.wait(conversation.rtt_ns)
    conversation.exchange(ask("GET", "/v1/cart"), answer(b"{}"))
    transactions = [label("GET", "/v1/products?page=1", 200, 0, len(BODY)), label("GET", "/v1/cart", 200, 0, 2)]
    return finished(
        conversation, "The request twice; two segments of the response, then both again in one with what follows.", transactions
    )


@feature
def sequence_wrap() -> Feature:
    """Sequence numbers pass 2**32."""
    conversation = opened(isns=(2**32 - 60, 2**32 - 2000))
    conversation.exchange(ask("GET", "/v1/products?page=1"), answer(BODY))
    conversation.wait(conversation.rtt_ns)
    conversation.exchange(ask("GET", "/v1/cart"), answer(b"{}"))
    transactions = [label("GET", "/v1/products?page=1", 200, 0, len(BODY)), label("GET", "/v1/cart", 200, 0, 2)]
    return finished(conversation, "Sequence numbers wrap within the first request and within its response.", transactions)


@feature
def midstream() -> Feature:
    """A connection that was open before the capture."""
    conversation = Conversation(CLIENT, SERVER, START)
    transactions = []
    for number in (10_001, 10_002):
        conversation.exchange(ask("GET", f"/v1/products/{number}"), answer(ids(number)))
        conversation.wait(conversation.rtt_ns)
        transactions.append(label("GET", f"/v1/products/{number}", 200, 0, 12, completeness=["late_join"]))
    return finished(conversation, "No handshake: the first packet is a request.", transactions)


@feature
def unanswered_request() -> Feature:
    """The client gives up."""
    conversation = opened()
    body = b'{"payment":"invoice"}'
    conversation.exchange(ask("GET", "/v1/cart"), answer(b"{}"))
    conversation.wait(conversation.rtt_ns)
    conversation.send(True, ask("POST", "/v1/checkout", body))
    conversation.ack(False)
    conversation.wait(5_000_000_000)
    transactions = [
        label("GET", "/v1/cart", 200, 0, 2),
        label("POST", "/v1/checkout", None, len(body), 0, completeness=["no_response"]),
    ]
    return finished(conversation, "The second request gets no answer; the client closes after five seconds.", transactions)


@feature
def orphan_response() -> Feature:
    """An answer whose question was not seen."""
    conversation = Conversation(CLIENT, SERVER, START)
    conversation.send(False, answer(ids(10_001)))
    conversation.wait(conversation.rtt_ns)
    conversation.exchange(ask("GET", "/v1/products/10002"), answer(ids(10_002)))
    transactions = [
        label(None, None, 200, 0, 12, completeness=["no_request", "late_join"]),
        label("GET", "/v1/products/10002", 200, 0, 12, completeness=["late_join"]),
    ]
    return finished(conversation, "No handshake: the first packet is a response, a whole exchange follows.", transactions)


@feature
def reset_midway() -> Feature:
    """A response that a reset ends."""
    conversation = opened()
    response = answer(BODY)
    head = len(response) - len(BODY)
    conversation.send(True, ask("GET", "/v1/products?page=1"))
    conversation.wait(2_000_000)
    conversation.send(False, response[: head + 2000])
    conversation.reset(False)
    transactions = [label("GET", "/v1/products?page=1", 200, 0, 2000, completeness=["cut"])]
    return Feature(
        "The server resets the connection after 2,000 bytes of a response's body.", conversation.frames, transactions
    )
