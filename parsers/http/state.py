"""State of the HTTP parsers of one worker: arrays made once."""

import dataclasses

import numpy as np

from parsers.http.aging import Ages, new_ages
from parsers.http2.state import STREAM_LIMIT, Http2, new_http2
from sensor.core.bundle import Bundle
from sensor.core.chain import BLOCK, Chains, free_list, new_chains
from sensor.core.limits import REQUEST_SAMPLE, RESPONSE_SAMPLE
from sensor.core.records import HELLO, TRANSACTION, WAITING_TEXTS
from sensor.core.wide import SLACK

HEAD_LIMIT = 65_536
"""Bytes of one message head. Servers stop at 8 to 64 KiB; a head that never ends must not cost more."""
TARGET_LIMIT = 16_384
"""Bytes kept of a request target; RFC 9110 4.1 asks for 8,000."""
TEXT_LIMIT = 1_024
"""Bytes kept of any other text field."""
TYPE_LIMIT = 96
"""Bytes kept of a response's media type: RFC 6838 allows 127 for each half, registered ones stay under 80 in all."""
EXTRAS, EXTRAS_LIMIT = 12, 768
"""Fields of a request that few clients send: how many are kept, and their bytes together."""
TOKEN_LIMIT = 2_048
"""Bytes of a JWT's header and payload; of a longer one nothing is kept."""
METHOD_LIMIT = 32
"""Bytes of a method; the longest registered one has 17."""
PENDING_LIMIT = 128
"""Requests of one connection that wait for a response: browsers pipelined 8, an attacker would pipeline for ever."""
ROWS = 24_576
"""Rows of the output. Beside ROOM_ROWS it must hold those of two chunks of small HTTP/2 requests (5,000 each): what finds no
room is copied aside, which took half as long again as parsing."""
ARENA = 22 << 20
SHORTEST = 10
"""Bytes of the shortest request: `ACL HTTP/` and two line ends would be 11."""
LONGEST_TEXTS = 2 * TARGET_LIMIT + 4 * TEXT_LIMIT + METHOD_LIMIT + 2 * TYPE_LIMIT + 2 * EXTRAS_LIMIT + TOKEN_LIMIT
"""Bytes of all texts of one row."""
ROOM_ROWS = 65_536 // SHORTEST + PENDING_LIMIT + STREAM_LIMIT + 4
"""Rows that one delivery can complete at the most: 64 KiB of the shortest requests, each pushing an older one out, and all
streams of the connection whose place HTTP/2 then takes."""
ROOM_ARENA = (PENDING_LIMIT + STREAM_LIMIT + 4) * LONGEST_TEXTS + 2 * 65_536
"""Their texts: both queues of the longest, and what the delivery itself holds. (HTTP/2 asks for room before each frame.)"""

HEADS_PART = 4
"""Heads that are stored at once are at most a quarter of the blocks; the rest is for the texts of waiting requests."""

HELLOS = 512
"""ClientHellos that are handed on at once."""

BODIES = 8 << 20
"""Bytes of samples that are handed on at once."""

NO_ONE = 255
"""Client side of a connection that has not shown it yet."""

CONNECTION = np.dtype([
    ("a_hi", "<u8"), ("a_lo", "<u8"), ("b_hi", "<u8"), ("b_lo", "<u8"),
    ("proxied_hi", "<u8"), ("proxied_lo", "<u8"),  # by the PROXY protocol
    ("a_port", "<u2"), ("b_port", "<u2"),
    ("encap", "<u4"),
    ("serial", "<u4"),     # number of the next transaction
    ("client", "u1"),      # side that sends requests: 0, 1 or NO_ONE
    ("late", "u1"),        # 1: its start was not seen
    ("first", "<i4"), ("last", "<i4"),  # requests that wait for a response, oldest first
    ("waiting", "<u4"),
    ("doubt", "u1"),       # why it cannot be counted off whose response comes next: 0, LATE or LOSS
    ("asked", "u1"),       # a request was seen, and none was lost since then
    ("pipelines", "u1"),   # requests are sent while others wait
    ("steady", "u1"),      # a request was answered before the next one came
    ("slot", "<i4"),       # of its HTTP/2 state, -1 none
    ("header", "u1"),      # a header of the PROXY protocol was taken
    ("replies", "u1"),     # responses begun since the last request or loss on its side: 0, 1, or UNCOUNTED
])  # fmt: skip

LATE, LOSS = 1, 2
"""Reasons for doubt: requests may have been sent before the connection was first seen; messages were lost."""
UNCOUNTED = 2
"""Responses since the last request where some may have been lost."""

FLOW = np.dtype([
    ("state", "u1"),       # one of the states below
    ("response", "u1"),    # the message in work is a response
    ("digits", "u1"),      # a digit of the chunk size was read; the trailer line in work has text
    ("extension", "u1"),   # where in a chunk-size line: in its digits, in an extension, or behind the digits
    ("ends", "u1"),        # line ends in a row at the end of the stored head
    ("completeness", "<u2"),
    ("status", "<u2"),
    ("weird", "<u4"),
    ("pending", "<i4"),    # request in work, or that the response in work answers; -1 none
    ("block", "<i4"), ("last_block", "<i4"),  # stored part of a head
    ("stamp", "<u4"),      # of a stored head in its age list, 0: none is stored
    ("stored", "<u4"),     # its bytes
    ("remaining", "<i8"),  # bytes of the body or chunk still to come
    ("body", "<i8"),       # bytes of the body so far
    ("first_ts", "<i8"),   # ns: first byte of the message
    ("last_ts", "<i8"),    # ns: newest byte
])  # fmt: skip
"""One direction. An orphan response in work has no `pending`; its few facts stand here."""

START, HEAD, LENGTH, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER, UNTIL_CLOSE, LOST, OPAQUE, FRAMES, SOCKET, HELLO_PART = range(
    13
)
"""START: at a message boundary. HEAD: a part of a head is stored. LOST: out of step, waiting for a segment that begins
a message. OPAQUE: no HTTP any more (tunnel, upgrade, TLS). FRAMES: the connection is HTTP/2. SOCKET: it is a WebSocket, told
as the transaction that began it. HELLO_PART: a part of a TLS ClientHello is stored. (From OPAQUE on it is another protocol
than HTTP/1.)"""

PENDING = np.dtype([
    ("next", "<i4"), ("before", "<i4"),  # neighbours in its connection's queue; next: in the free list too
    ("queued", "u1"),        # it is in that queue
    ("entry", "<i4"),        # its connection
    ("stamp", "<u4"),        # in its age list, 0 where it is in no queue
    ("block", "<i4"), ("last_block", "<i4"),  # chain of the texts
    ("used", "<u4"),         # bytes of the texts
    ("lengths", "<u4", (len(WAITING_TEXTS),)),  # bytes of each text
    ("version", "u1"), ("auth", "u1"),
    ("bodyless", "u1"),      # a HEAD request: its response has no body
    ("connect", "u1"),
    ("upgrade", "u1"),       # the request asked for another protocol
    ("alone", "u1"),         # nobody can tell its response: it is told without
    ("sent", "u1"),          # the request is complete
    ("answered", "u1"),      # the response is complete
    ("stream", "<u4"),       # HTTP/2 stream, else 0
    ("bucket", "<i4"),       # next one in its bucket
    ("framing", "u1", (2,)),  # by direction: how its bodies frame messages: one of the kinds below
    ("grpc_status", "<i2"),  # -1 none
    ("prefix", "u1", (2,)), ("rest", "<u8", (2,)),  # by direction: bytes seen of a message's prefix, bytes to its end
    ("first", "u1", (2,)), ("second", "u1", (2,)),  # by direction: first two bytes of a WebSocket frame
    ("messages", "<u4", (2,)), ("message_bytes", "<i8", (2,)),  # by direction: messages begun, their bytes
    ("status", "<u2"),
    ("completeness", "<u2"),
    ("facts", "<u4"),        # bits of FACTS
    ("absent", "<u2"),       # to be added to it when no response is ever seen
    ("weird", "<u4"),
    ("type_len", "u1"),      # bytes of the response's media type
    # by direction, of the sample of its body: whether more is kept, MEDIA, CODINGS, whether it lacks something, its chain
    ("samples", "u1", (2,)), ("media", "u1", (2,)), ("coding", "u1", (2,)), ("partial", "u1", (2,)),
    ("body_block", "<i4", (2,)), ("body_last", "<i4", (2,)), ("body_used", "<u4", (2,)),
    ("fingerprint", "<u8"), ("credential", "<u8"), ("session", "<u8"), ("location", "<u8"), ("allowed_origin", "<u8"),
    ("request_bytes", "<i8"), ("response_bytes", "<i8"),
    ("first_ts", "<i8"),     # ns: first byte of the request
    ("sent_ts", "<i8"),      # ns: newest byte of the request
    ("reply_ts", "<i8"),     # ns: first byte of the response, -1 none
    ("end_ts", "<i8"),
])  # fmt: skip

NO_FRAMING, GRPC, WEBSOCKET = range(3)

MESSAGE = np.dtype([
    ("line_at", "<i8"),  # request: method; response: the status line
    ("method_len", "<i8"), ("target_at", "<i8"), ("target_len", "<i8"),
    ("status", "<i8"), ("version", "<i8"),
    ("host_at", "<i8"), ("host_len", "<i8"),
    ("agent_at", "<i8"), ("agent_len", "<i8"),
    ("referer_at", "<i8"), ("referer_len", "<i8"),
    ("type_at", "<i8"), ("type_len", "<i8"),
    ("forwarded_at", "<i8"), ("forwarded_len", "<i8"),
    ("location_at", "<i8"), ("location_len", "<i8"),
    ("credential_at", "<i8"), ("credential_len", "<i8"),
    ("session_at", "<i8"), ("session_len", "<i8"),
    ("key_at", "<i8"), ("key_len", "<i8"),  # a field whose name ends as that of a credential
    ("token_at", "<i8"), ("token_len", "<i8"),  # header and payload of a JWT
    ("extras", "u1"),    # fields that few clients send: where their names and values stand
    ("extra_name", "<i8", (EXTRAS,)), ("extra_name_len", "<i8", (EXTRAS,)),
    ("extra_at", "<i8", (EXTRAS,)), ("extra_end", "<i8", (EXTRAS,)),
    ("length", "<i8"),   # Content-Length, -1 none
    ("auth", "u1"), ("hosts", "u1"),
    ("chunked", "u1"),   # the last transfer coding is chunked
    ("coded", "u1"),     # there is a transfer coding
    ("coding", "u1"),    # its content coding (CODINGS)
    ("upgrade", "u1"),
    ("pseudo", "u1"),    # HTTP/2: what its pseudo-header fields say that it is
    ("unknown", "u1"),   # HTTP/2: a field refers to what was not seen
    ("forwarding", "u1"),  # which field forwarded_at is of: NO_FORWARDING, X_FORWARDED_FOR, FORWARDED
    ("standard", "u1"),  # a setting: Forwarded goes before X-Forwarded-For
    ("grpc_status", "<i8"),  # -1 none
    ("weird", "<u4"),
    ("facts", "<i8"),        # bits of FACTS
    ("allowed_origin", "<u8"),  # hash of the site that may read the answer
    ("fingerprint", "<u8"),
])  # fmt: skip
"""One parsed head: offsets into the buffer that it was parsed from."""

NO_FORWARDING, X_FORWARDED_FOR, FORWARDED = range(3)

CONTROL = np.dtype([
    ("free_pending", "<i4"),
    ("rows", "<i8"), ("arena", "<i8"), ("bodies", "<i8"), ("hellos", "<i8"),  # used part of the output
    ("body_limit", "<u4", (2,)),         # bytes of a sample, by direction
    ("key0", "<u8"), ("key1", "<u8"),    # key of the hashes of credentials
    ("order", "<i8"), ("now", "<i8"),    # of the delivery in work
])  # fmt: skip


class Http(Bundle):
    """All state of one worker's parser, and its output buffers."""

    control: np.ndarray
    """CONTROL[1]"""
    connections: np.ndarray
    """CONNECTION[capacity], by entry of the connection table"""
    flows: np.ndarray
    """FLOW[2 * capacity]"""
    pending: np.ndarray
    """PENDING[…]"""
    types: np.ndarray
    """uint8[len(pending) * TYPE_LIMIT + SLACK]: response media types"""
    chains: Chains
    """stored heads and texts"""
    bodies: Chains
    """samples of the bodies of waiting requests"""
    heads: Ages
    """flows with a stored head"""
    requests: Ages
    """waiting requests"""
    http2: Http2
    """HTTP/2 connections"""
    message: np.ndarray
    """MESSAGE[1]: the head in work"""
    scratch: np.ndarray
    """uint8[HEAD_LIMIT + 65536 + SLACK]: a head put together"""
    text: np.ndarray
    """uint8[…]: texts of a request put side by side"""
    rows: np.ndarray
    """TRANSACTION[ROWS]"""
    arena: np.ndarray
    """uint8[ARENA + SLACK]"""
    samples: np.ndarray
    """uint8[BODIES + SLACK]: samples of bodies that are handed on"""
    groups: np.ndarray
    """int64[8]: of an IPv6 address"""
    hellos: np.ndarray
    """HELLO[HELLOS]"""
    counters: np.ndarray
    """uint64[len(REASONS)]"""


@dataclasses.dataclass(frozen=True)
class HttpLimits:
    """Sizes of the parser of one worker."""

    connections: int = 65_536
    """as in StreamLimits"""
    pending: int = 65_536
    """requests waiting for a response, over all connections"""
    text_bytes: int = 64 << 20
    """stored heads and texts of waiting requests, over all connections"""
    http2: int = 1_024
    """HTTP/2 connections at once"""
    body_bytes: int = 16 << 20
    """samples of the bodies of waiting requests, over all connections"""
    standard: bool = False
    """whether Forwarded goes before X-Forwarded-For where both are there"""
    request_sample: int = REQUEST_SAMPLE
    response_sample: int = RESPONSE_SAMPLE
    """bytes of the sample of one body"""


def new_http(limits: HttpLimits, key: tuple[int, int], counters: np.ndarray) -> Http:
    """A parser without connections. key: 128 bits that no outsider knows."""
    control = np.zeros(1, CONTROL)
    control["key0"], control["key1"] = key
    control["body_limit"] = limits.request_sample, limits.response_sample
    message = np.zeros(1, MESSAGE)
    message["standard"] = limits.standard
    pending = np.zeros(limits.pending, PENDING)
    pending["next"] = free_list(limits.pending)
    return Http(
        control=control,
        connections=np.zeros(limits.connections, CONNECTION),
        flows=np.zeros(2 * limits.connections, FLOW),
        pending=pending,
        types=np.zeros(limits.pending * TYPE_LIMIT + SLACK, np.uint8),
        chains=new_chains(limits.text_bytes),
        bodies=new_chains(limits.body_bytes),
        heads=new_ages(max(2, limits.text_bytes // BLOCK // HEADS_PART)),
        requests=new_ages(2 * limits.pending),
        http2=new_http2(limits.http2),
        message=message,
        scratch=np.zeros(HEAD_LIMIT + 65_536 + SLACK, np.uint8),
        text=np.zeros(LONGEST_TEXTS + SLACK, np.uint8),
        rows=np.zeros(ROWS, TRANSACTION),
        arena=np.zeros(ARENA + SLACK, np.uint8),
        samples=np.zeros(BODIES + SLACK, np.uint8),
        groups=np.zeros(8, np.int64),
        hellos=np.zeros(HELLOS, HELLO),
        counters=counters,
    )
