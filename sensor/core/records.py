"""The layouts of everything that travels through the sensor in batches: one dtype a record, one comment a field.

All integers are little endian and unaligned (packed). Text is never inside a record: a pair `NAME_at`, `NAME_len`
points into the byte arena of the same batch.
"""

import dataclasses

import numpy as np

from sensor.core.limits import SLACK

FRAME = np.dtype([
    ("at", "<i8"),        # offset of the link-layer header in the chunk, bytes
    ("captured", "<u4"),  # bytes present in the chunk
    ("wire", "<u4"),      # bytes that were on the wire
    ("ts", "<i8"),        # ns since the epoch
    ("link", "<u4"),      # LINKTYPE_* number of its interface
])  # fmt: skip
"""A captured frame, as the capture layer found it."""

PACKET = np.dtype([
    ("number", "<i8"),   # number of the frame in the capture, from 0
    ("ts", "<i8"),       # ns since the epoch
    ("src_hi", "<u8"), ("src_lo", "<u8"),  # source address as a 128-bit number; IPv4 as ::ffff:a.b.c.d
    ("dst_hi", "<u8"), ("dst_lo", "<u8"),  # destination address
    ("src_port", "<u2"), ("dst_port", "<u2"),
    ("flags", "<u2"),    # TCP flags
    ("window", "<u2"),   # TCP window, unscaled
    ("seq", "<u4"), ("ack", "<u4"),
    ("ip_id", "<u2"),    # IPv4 identification, 0 for IPv6
    ("side", "u1"),      # where the payload lies: 0 in the chunk, 1 in the side buffer of datagrams put together
    ("at", "<i8"),       # its offset there, bytes
    ("length", "<u4"),   # payload bytes present
    ("missing", "<u4"),  # payload bytes that the snap length cut off
    ("encap", "<u4"),    # encapsulation: id in the decoder's table, 0 for none
    ("scope", "<u4"),    # what sets equal addresses apart: hash of VLANs and tunnels, 0 for none
    ("hash", "<u8"),     # of addresses and ports: the same for both directions, in every scope
])  # fmt: skip
"""A decoded TCP segment."""

DELIVERY = np.dtype([
    ("kind", "u1"),        # DELIVER_*
    ("direction", "u1"),   # side of the connection that sent it: 0 or 1
    ("stored", "u1"),      # DATA: where its bytes lie: IN_CHUNK, IN_STORE or IN_SIDE
    ("flags", "u1"),       # OPEN: 1 when the start was seen; CLOSE: reason
    ("connection", "<i4"),  # entry of the connection table
    ("packet", "<i4"),     # OPEN: index of its packet in the batch
    ("length", "<u4"),     # DATA: bytes; GAP: bytes never seen
    ("at", "<i8"),         # DATA: offset of the bytes
    ("ts", "<i8"),         # ns: when the bytes were captured
    ("order", "<i8"),      # number of the packet that released it
])  # fmt: skip
"""What reassembly tells a parser: a connection opened, bytes arrived, bytes are missing, one side ended, it closed."""

IN_CHUNK, IN_STORE, IN_SIDE = range(3)
"""The capture's chunk; the reassembler's buffer of held bytes; the decoder's buffer of datagrams put together."""

DELIVER_OPEN = 1
DELIVER_DATA = 2
DELIVER_GAP = 3
DELIVER_FIN = 4
DELIVER_CLOSE = 5
DELIVER_CONFLICT = 6
"""Bytes came twice with different content; the first ones count."""

WAITING_TEXTS = (
    "method", "host", "path", "query", "user_agent", "referer", "request_type", "forwarded_for", "fields", "token",
    "answer_fields",
)  # fmt: skip
"""Text fields of a request and, behind them, of its answer, in the order in which a parser keeps and writes them."""
TEXTS = (*WAITING_TEXTS, "response_type")
"""Those of a transaction."""
NOT_TOLD = ("fields", "token", "answer_fields")
"""Those for the inventory alone, which nobody stores: fields of the request that few clients send, cookies among them; header
and payload of a JWT, without its signature; fields of the answer that few servers send."""
PACKED_PREFIX, PACKED_COOKIE, PACKED_HEAD, PACKED_TAIL = 4, 0x80, 32, 16
"""Fields are packed one behind the other: bytes of the name (one byte, or-ed with PACKED_COOKIE for a cookie), of the value
as sent (two bytes, little endian) and of what is kept of it (one byte), then the name in lower case and the value. Of a value
with more than PACKED_HEAD and PACKED_TAIL bytes these are kept, its first and its last."""

ADDED_TEXTS = ("operation", "root_fields", "template")
"""Text fields that later stages add: what the request's body names, and the path's template."""
ALL_TEXTS = (*TEXTS, *ADDED_TEXTS)

SENSITIVE_OF_ROW = 4
"""Sensitive values of one transaction by which it can be grouped: the first ones of path, query and body."""

TRANSACTION = np.dtype(
    [
        ("order", "<i8"),          # number of the packet that completed it
        ("ts", "<i8"),             # ns: first byte of the request; of the response when no request was seen
        ("end", "<i8"),            # ns: last byte seen of it
        ("client_hi", "<u8"), ("client_lo", "<u8"),  # who asked: what trusted proxies say, from the inventory on
        ("peer_hi", "<u8"), ("peer_lo", "<u8"),      # the other end of the connection; set by the inventory
        ("proxied_hi", "<u8"), ("proxied_lo", "<u8"),  # who asked, by the PROXY protocol; 0: nothing was said
        ("server_hi", "<u8"), ("server_lo", "<u8"),
        ("client_port", "<u2"), ("server_port", "<u2"),
        ("encap", "<u4"),          # as in PACKET
        ("stream_id", "<u4"),      # HTTP/2 stream, else 0
        ("serial", "<u4"),         # number of the transaction in its connection, from 0
        ("status", "<u2"),         # 0: no response seen
        ("version", "u1"),         # HTTP version times 10
        ("auth", "u1"),            # AUTH_KINDS
        ("completeness", "<u2"),   # bits of COMPLETENESS
        ("weird", "<u4"),          # bits of WEIRD
        ("facts", "<u4"),          # bits of FACTS
        ("request_bytes", "<i8"), ("response_bytes", "<i8"),  # body bytes as on the wire
        ("request_messages", "<u4"), ("response_messages", "<u4"),  # gRPC messages, WebSocket messages, else 0
        ("request_message_bytes", "<i8"), ("response_message_bytes", "<i8"),  # what they carry, without their framing
        ("grpc_status", "<i2"),    # -1: none
        ("latency_us", "<i8"),     # last request byte to first response byte; -1: unknown
        ("fingerprint", "<u8"),    # hash of the order and casing of the request's header names; 0: no request seen
        ("credential", "<u8"),     # keyed hash of the API token or password; 0: none
        ("session", "<u8"),        # keyed hash of the session cookie; 0: none
        ("proven", "u1"),          # it bears a credential where hardly anybody is served without one; set by the inventory
        ("endpoint", "<u4"),       # id in the endpoint table; set by the inventory
        ("looked", "u1"),          # transactions for which it stands to who looks closer, 0: to nobody; set by the inventory
        ("served", "u1"),          # some answer so far, or this one, said that its endpoint exists; set by the inventory
        ("signature", "<u8"),      # SimHash of the text that it adds, 0 none; set by the inventory
        ("linked", "u1"),          # that text has a web address in it
        ("location", "<u8"),       # hash of the path that a response leads to; 0: to none
        ("allowed_origin", "<u8"),  # hash of the site that Access-Control-Allow-Origin names; 0: of none
        ("refused", "u1"),         # the answer says no although its status does not (sensor.inventory.refusals)
        ("sensitive", "u1"),       # sensitive values of it that are told of; set by the inventory
        ("sensitive_class", "u1", (SENSITIVE_OF_ROW,)),  # their classes in sensitive.SENSITIVE
        ("sensitive_hash", "<u8", (SENSITIVE_OF_ROW,)),  # keyed hashes of them
        ("flow", "u1"),            # FLOWS: what its endpoint does; set by the inventory
        ("request_media", "u1"), ("response_media", "u1"),    # MEDIA
        ("request_coding", "u1"), ("response_coding", "u1"),  # CODINGS; of the sample: identity once it is decoded
        ("request_partial", "u1"), ("response_partial", "u1"),  # the sample is not the whole body
        ("operation_type", "u1"),  # OPERATIONS
        ("graphql_depth", "<u2"), ("graphql_aliases", "<u2"),  # nesting of its selections, renamed fields of one of them
        ("request_body_at", "<u4"), ("request_body_len", "<u4"),    # samples of the bodies, in the batch's `bodies`
        ("response_body_at", "<u4"), ("response_body_len", "<u4"),
    ]
    + [(name + part, "<u4") for name in ALL_TEXTS for part in ("_at", "_len")]
)  # fmt: skip
"""One HTTP request with its response."""

HELLO_NAME, HELLO_CIPHERS, HELLO_EXTENSIONS, HELLO_ALGORITHMS = 255, 256, 128, 128
"""How much is kept of a ClientHello: bytes of the name, numbers of the lists. Browsers send 16 to 20 of each."""

HELLO = np.dtype([
    ("order", "<i8"),        # number of the packet that completed it
    ("ts", "<i8"),           # ns
    ("client_hi", "<u8"), ("client_lo", "<u8"),
    ("server_hi", "<u8"), ("server_lo", "<u8"),
    ("server_port", "<u2"),
    ("version", "<u2"),      # the highest that the client offers, as on the wire
    ("named", "u1"),         # it has a server_name
    ("name_len", "u1"),      # bytes of it; 0 also where it is none
    ("has_alpn", "u1"), ("alpn", "u1", (2,)),  # first and last byte of the first protocol
    ("whole", "u1"),         # all of it was read
    ("ciphers", "<u2"), ("extensions", "<u2"), ("algorithms", "<u2"),  # how many, without GREASE
    ("name", "u1", (HELLO_NAME,)),                 # lower case
    ("cipher", "<u2", (HELLO_CIPHERS,)),           # in their order as numbers
    ("extension", "<u2", (HELLO_EXTENSIONS,)),     # the same
    ("algorithm", "<u2", (HELLO_ALGORITHMS,)),     # as sent
])  # fmt: skip
"""The ClientHello of a TLS connection."""

AUTH_KINDS = ("none", "basic", "bearer", "jwt", "digest", "ntlm", "negotiate", "aws", "api_key", "cookie", "other")
AUTH = {name: code for code, name in enumerate(AUTH_KINDS)}

MEDIA_KINDS = ("none", "json", "form", "xml", "multipart", "graphql", "text")
MEDIA = {name: code for code, name in enumerate(MEDIA_KINDS)}
"""Kinds of bodies that somebody reads."""

OPERATIONS = ("", "query", "mutation", "subscription", "jsonrpc", "soap", "persisted")
OPERATION = {name: code for code, name in enumerate(OPERATIONS)}
"""What names an operation in a request's body: GraphQL's three, JSON-RPC, SOAP; a GraphQL document that the server knows."""

FLOWS = ("", "login", "signup", "reset", "payment", "code", "cart", "search", "content")
FLOW = {name: code for code, name in enumerate(FLOWS)}
"""Business flows that an endpoint may serve; `code`: coupons, vouchers, gift cards."""

REFUSALS = ("", "refused", "untold")
"""What an answer with 2xx or 3xx says all the same: nothing; no; what its body would tell, which was not seen."""

CODINGS = ("identity", "gzip", "deflate", "br", "zstd", "other")
CODING = {name: code for code, name in enumerate(CODINGS)}
"""Content codings (RFC 9110 8.4.1)."""

COMPLETENESS = ("gap", "no_request", "no_response", "late_join", "truncated", "cut", "request_cut", "unknown_field")
"""What was not seen: bytes lost inside it; the request; the response; the start of its connection;
bytes or text beyond a limit (snap length, header size); the end of the response; the end of the request;
what a header field of HTTP/2 refers to."""

WEIRD = (
    "bare_lf", "obs_fold", "space_before_colon", "bad_header", "conflicting_length", "length_and_chunked", "bad_length",
    "bad_chunk", "unknown_coding", "chunk_extension", "no_host", "many_hosts", "bad_version", "body_unexpected", "overlap",
    "pending_overflow", "early_response", "http09", "head_too_long", "trailing_garbage", "bad_character",
    "server_push", "stream_reset", "bad_frame",
)  # fmt: skip
"""Oddities of a message: what RFC 9112 forbids or leaves ambiguous, and what is worth knowing of its course."""

FACTS = (
    "strict_transport", "content_type_options", "any_origin", "credentials_allowed", "version_told", "insecure_cookie",
    "script_cookie", "deprecated", "unsigned_jwt", "stack_trace", "any_origin_with_credentials", "null_origin",
    "null_origin_with_credentials", "many_origins_with_credentials", "no_store", "content_security",
    "secret_in_redirect", "frame_options", "referrer_policy",
)  # fmt: skip
"""What a transaction shows of how its endpoint is run: fields of the response; a JWT without a signature that was sent; program
text in an error; any_origin, or null_origin, and credentials_allowed in one response; credentials_allowed together with the
origins of several sites, each in a response of its own."""
FACT_BIT = {name: 1 << k for k, name in enumerate(FACTS)}

GAP, NO_REQUEST, NO_RESPONSE, LATE_JOIN, TRUNCATED, CUT, REQUEST_CUT, UNKNOWN_FIELD = (1 << k for k in range(len(COMPLETENESS)))
WEIRD_BIT = {name: 1 << k for k, name in enumerate(WEIRD)}


def names_of(bits: int, names: tuple[str, ...]) -> list[str]:
    """The names of the bits that are set."""
    return [name for k, name in enumerate(names) if bits >> k & 1]


@dataclasses.dataclass(slots=True)
class Batch:
    """Transactions in the order of their completion, with the arena that holds their text."""

    rows: np.ndarray
    """TRANSACTION[n]"""
    arena: np.ndarray
    """uint8[m], SLACK bytes of room behind the last text"""
    used: int
    """bytes of the arena that hold text"""
    bodies: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(SLACK, np.uint8))
    """uint8[k]: samples of bodies, SLACK bytes of room behind the last"""
    bodies_used: int = 0
    """bytes of `bodies` that hold samples"""

    def with_room(self, size: int) -> "Batch":
        """The same with room for `size` bytes more in the arena."""
        if len(self.arena) >= self.used + size + SLACK:
            return self
        arena = np.empty(self.used + size + SLACK, np.uint8)
        arena[: self.used] = self.arena[: self.used]
        return dataclasses.replace(self, arena=arena)

    def copy(self) -> "Batch":
        """The same in arrays of its own."""
        bodies = self.bodies[: self.bodies_used + SLACK].copy()
        return Batch(self.rows.copy(), self.arena[: self.used + SLACK].copy(), self.used, bodies, self.bodies_used)

    def body(self, index: int, name: str) -> bytes:
        """The sample of one row's `request_body` or `response_body`."""
        start = int(self.rows[name + "_at"][index])
        return self.bodies[start : start + int(self.rows[name + "_len"][index])].tobytes()

    def text(self, index: int, name: str) -> bytes:
        """The bytes of one text field of one row."""
        start = int(self.rows[name + "_at"][index])
        return self.arena[start : start + int(self.rows[name + "_len"][index])].tobytes()
