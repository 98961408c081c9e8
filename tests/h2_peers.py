"""Conversations of two h2 peers, with what they said of each stream; and the plain reference of a late decoder."""

import random
import struct

import hpack
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes
from hpack.hpack import decode_integer
from hyperframe.frame import ContinuationFrame, DataFrame, Frame, HeadersFrame, PushPromiseFrame

UNSEEN = object()
"""Instead of a name, or of a value, that refers to what was not seen."""
AGENTS = (b"curl/8.4.0", b"grpc-go/1.60", b"Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0")
HOSTS = (b"api.example.com", b"shop.example.com:8443", b"10.0.0.7")
FRAME_SIZES = (16_384, 16_384, 16_384, 300, 60)
TABLE_SIZES = (0, 128, 1024, 4096, 8192)


class Window:
    """A decoder that may join late: the insertions that it saw, newest first; UNSEEN for what is older."""

    def __init__(self, late: bool, limit: int = 4096):
        self.late, self.limit, self.entries = late, limit, []

    def forget(self) -> None:
        self.late, self.entries = True, []

    def decode(self, block: bytes) -> list[tuple]:
        fields, at = [], 0
        while at < len(block):
            byte = block[at]
            if byte & 128:
                index, size = decode_integer(block[at:], 7)
                at += size
                fields.append(self._entry(index))
                continue
            if byte & 0xE0 == 32:
                self.limit, size = decode_integer(block[at:], 5)
                at += size
                continue
            inserted = bool(byte & 64)
            index, size = decode_integer(block[at:], 6 if inserted else 4)
            at += size
            if index:
                name = self._entry(index)[0]
            else:
                name, at = self._string(block, at)
            value, at = self._string(block, at)
            fields.append((name, value if name is not UNSEEN else UNSEEN))
            if inserted:
                self._insert(name, value)
        return fields

    def _string(self, block, at):
        length, size = decode_integer(block[at:], 7)
        text = block[at + size : at + size + length]
        return (hpack.huffman_table.decode_huffman(text) if block[at] & 128 else text), at + size + length

    def _entry(self, index):
        static = hpack.table.HeaderTable.STATIC_TABLE
        if index <= len(static):
            return static[index - 1]
        age = index - len(static) - 1
        return self.entries[age] if age < len(self.entries) else (UNSEEN, UNSEEN)

    def _insert(self, name, value):
        """What is evicted may stay: no encoder refers to it. What is too large is not inserted (RFC 7541 4.4)."""
        size = 32 + len(value) + (0 if name is UNSEEN else len(name))
        if size > self.limit:
            self.entries = []
        else:
            self.entries.insert(0, (UNSEEN, UNSEEN) if name is UNSEEN else (name, value))


class Cutter(H2Connection):
    """An end whose streams send frames no longer than `cut`, so that header blocks need CONTINUATION."""

    cut = 16_384

    def _begin_new_stream(self, *args):
        stream = super()._begin_new_stream(*args)
        stream.max_outbound_frame_size = self.cut
        return stream


class Peers:
    """A client and a server, and what went over the wire: `events` as (from_client, bytes), a write each."""

    def __init__(self, seed: int, steps: int = 40):
        self.choose = random.Random(seed)
        self.events: list[tuple[bool, bytes]] = []
        self.streams: dict[int, dict] = {}
        """What each stream said, in the names of a transaction's columns."""
        self._ends = {
            True: Cutter(H2Configuration(client_side=True, header_encoding=None)),
            False: Cutter(H2Configuration(client_side=False, header_encoding=None)),
        }
        self._asking, self._answering = set(), {}
        for from_client in (True, False):
            self._ends[from_client].initiate_connection()
            self.flush(from_client)
        for _ in range(steps):
            self.step()
        while self._asking or self._answering:
            self.step(opening=False)

    def flush(self, from_client: bool) -> None:
        """Send what an end has to say, and what the other says at once."""
        data = self._ends[from_client].data_to_send()
        if data:
            self.events.append((from_client, data))
            self._ends[not from_client].receive_data(data)
            self.flush(not from_client)

    def step(self, opening: bool = True) -> None:
        """One thing that either end may do."""
        choose = self.choose
        for end in self._ends.values():
            end.cut = choose.choice(FRAME_SIZES)
            for stream in end.streams.values():
                stream.max_outbound_frame_size = end.cut
        roll = choose.random()
        if opening and roll < 0.35:
            self._open()
        elif opening and roll < 0.40:
            self._resize_table(choose.random() < 0.5)
        elif opening and roll < 0.45:
            from_client = choose.random() < 0.5
            self._ends[from_client].ping(choose.randbytes(8))
            self.flush(from_client)
        elif opening and roll < 0.48:  # a frame of a type that nobody knows, which h2 would not send
            body = choose.randbytes(choose.randrange(40))
            self.events.append((choose.random() < 0.5, struct.pack(">I", len(body))[1:] + b"\x16\0" + bytes(4) + body))
        elif self._asking and roll < 0.7:
            self._send_body(True, choose.choice(sorted(self._asking)))
        elif self._answering:
            self._answer(choose.choice(sorted(self._answering)))

    def _resize_table(self, from_client: bool) -> None:
        """Another table size, once between two blocks: hpack's encoder tells of no more than that rightly."""
        end, size = self._ends[from_client], self.choose.choice(TABLE_SIZES)
        table = self._ends[not from_client].encoder.header_table
        if not table.resized and size != table.maxsize:
            end.update_settings({SettingCodes.HEADER_TABLE_SIZE: size})
            self.flush(from_client)

    def _extra(self) -> list[tuple[bytes, bytes]]:
        """Fields that fill the tables."""
        return [
            (b"x-%d" % self.choose.randrange(12), b"v" * self.choose.randrange(60)) for _ in range(self.choose.randrange(4))
        ]

    def _request(self, number: int, grpc: bool) -> list[tuple[bytes, bytes]]:
        choose = self.choose
        path = b"/shop.Cart/Add%d" % number if grpc else b"/items/%d%s" % (number, choose.choice((b"", b"?page=%d" % number)))
        fields = [
            (b":method", b"POST" if grpc else choose.choice((b"GET", b"POST", b"DELETE"))),
            (b":scheme", b"http"),
            (b":path", path if choose.random() < 0.8 else b"/health"),
            (b":authority", choose.choice(HOSTS)),
            (b"user-agent", choose.choice(AGENTS)),
        ]
        if grpc:
            fields += [(b"content-type", b"application/grpc+proto"), (b"te", b"trailers")]
        if choose.random() < 0.3:
            fields.append(hpack.NeverIndexedHeaderTuple(b"authorization", b"Bearer " + b"t" * choose.randrange(1, 40)))
        return fields + self._extra()

    def _note_request(self, stream: int, fields, pushed: bool) -> None:
        named = dict(fields)
        path, _, query = named[b":path"].partition(b"?")
        self.streams[stream] = {
            "method": named[b":method"], "path": path, "query": query, "host": named[b":authority"].partition(b":")[0],
            "user_agent": named[b"user-agent"], "request_type": named.get(b"content-type", b""),
            "status": 0, "response_type": b"", "request_bytes": 0, "response_bytes": 0,
            "request_messages": 0, "response_messages": 0, "grpc_status": -1,
            "request_message_bytes": 0, "response_message_bytes": 0,
            "pushed": pushed, "reset": False, "whole": False,
        }  # fmt: skip

    def _open(self) -> None:
        choose, client = self.choose, self._ends[True]
        if len(self._answering) > 30:
            return
        stream, grpc = client.get_next_available_stream_id(), choose.random() < 0.3
        fields = self._request(stream, grpc)
        ends = not grpc and choose.random() < 0.5
        priority = {"priority_weight": 7, "priority_depends_on": 0} if choose.random() < 0.2 else {}
        client.send_headers(stream, fields, end_stream=ends, **priority)
        self._note_request(stream, fields, False)
        self._answering[stream] = grpc
        if not ends:
            self._asking.add(stream)
        self.flush(True)

    def _body(self, said: dict, direction: str, grpc: bool) -> bytes:
        body = self.choose.randbytes(self.choose.choice((0, 1, 10, 200, 900)))
        if grpc:
            said[direction + "_message_bytes"] += len(body)
            body = b"\0" + struct.pack(">I", len(body)) + body
            said[direction + "_messages"] += 1
        said[direction + "_bytes"] += len(body)
        return body

    def _send_data(self, from_client: bool, stream: int, body: bytes, end_stream: bool) -> None:
        end, other = self._ends[from_client], self._ends[not from_client]
        step = self.choose.choice((16_000, 100, 20))
        for at in range(0, max(1, len(body)), step):
            piece, last = body[at : at + step], at + step >= len(body)
            end.send_data(stream, piece, end_stream=end_stream and last, pad_length=self.choose.choice((None, None, 0, 5)))
            self.flush(from_client)
        other.increment_flow_control_window(len(body) + 300)
        self.flush(not from_client)

    def _send_body(self, from_client: bool, stream: int) -> None:
        """The rest of a request: data, perhaps trailers, or its reset."""
        choose, said = self.choose, self.streams[stream]
        roll = choose.random()
        if roll < 0.08:
            self._reset(True, stream)
            return
        ends, trailers = choose.random() < 0.6, choose.random() < 0.2
        self._send_data(True, stream, self._body(said, "request", self._answering.get(stream, False)), ends and not trailers)
        if ends:
            if trailers:
                self._ends[True].send_headers(stream, [(b"x-sum", b"1")], end_stream=True)
                self.flush(True)
            self._asking.discard(stream)

    def _reset(self, from_client: bool, stream: int) -> None:
        self._ends[from_client].reset_stream(stream, 8)
        self.flush(from_client)
        self._asking.discard(stream)
        del self._answering[stream]
        self.streams[stream]["reset"] = from_client

    def _answer(self, stream: int) -> None:
        """The next part of a response."""
        choose, server, said, grpc = self.choose, self._ends[False], self.streams[stream], self._answering[stream]
        roll = choose.random()
        if said["status"] == 0:
            if roll < 0.15 and not said["pushed"]:
                server.send_headers(stream, [(b":status", b"103"), (b"link", b"</a>")])
                self.flush(False)
                return
            if roll < 0.25 and not said["pushed"] and stream not in self._asking:
                self._push(stream)
                return
            if roll < 0.3:
                self._reset(choose.random() < 0.7, stream)
                return
            status = 200 if grpc else choose.choice((200, 201, 204, 404, 503))
            said["status"], said["response_type"] = status, b"application/grpc" if grpc else b"application/json"
            fields = [(b":status", b"%d" % status), (b"content-type", said["response_type"]), *self._extra()]
            ends = not grpc and roll < 0.5
            if grpc and roll < 0.45:  # trailers-only
                fields, ends, said["grpc_status"] = [*fields, (b"grpc-status", b"5")], True, 5
            server.send_headers(stream, fields, end_stream=ends)
            self.flush(False)
        else:
            ends = roll < 0.5
            self._send_data(False, stream, self._body(said, "response", grpc), ends and not grpc)
            if ends and grpc:
                said["grpc_status"] = choose.randrange(17)
                server.send_headers(stream, [(b"grpc-status", b"%d" % said["grpc_status"])], end_stream=True)
                self.flush(False)
        if ends:
            said["whole"] = stream not in self._asking
            del self._answering[stream]
            if not said["whole"]:  # the server has said all; what the client goes on to send still belongs to the stream
                self._finish_request(stream, grpc)

    def _finish_request(self, stream: int, grpc: bool) -> None:
        said = self.streams[stream]
        self._send_data(True, stream, self._body(said, "request", grpc), True)
        self._asking.discard(stream)
        said["whole"] = True

    def _push(self, stream: int) -> None:
        server = self._ends[False]
        promised = server.get_next_available_stream_id()
        fields = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/pushed/%d" % promised)]
        fields += [(b":authority", HOSTS[0]), (b"user-agent", AGENTS[0]), *self._extra()]
        server.push_stream(stream, promised, fields)
        self.flush(False)
        self._note_request(promised, fields, True)
        self._answering[promised] = False


def blocks_of(events) -> list[tuple[bool, int, int, bytes]]:
    """(from_client, stream, promised stream or 0, header block) in the order of completion; each write whole frames."""
    found, open_blocks = [], {}
    for from_client, data in events:
        if data.startswith(b"PRI * "):
            data = data[24:]
        while data:
            frame, length = Frame.parse_frame_header(memoryview(data[:9]))
            frame.parse_body(memoryview(data[9 : 9 + length]))
            data = data[9 + length :]
            if isinstance(frame, HeadersFrame | PushPromiseFrame):
                promised = frame.promised_stream_id if isinstance(frame, PushPromiseFrame) else 0
                open_blocks[from_client] = [frame.stream_id, promised, frame.data]
            elif isinstance(frame, ContinuationFrame) and from_client in open_blocks:
                open_blocks[from_client][2] += frame.data
            else:
                continue
            if "END_HEADERS" in frame.flags and from_client in open_blocks:
                found.append((from_client, *open_blocks.pop(from_client)))
    return found


def data_bytes(data: bytes) -> int:
    """Body bytes in whole frames, without padding."""
    total = 0
    while data:
        frame, length = Frame.parse_frame_header(memoryview(data[:9]))
        frame.parse_body(memoryview(data[9 : 9 + length]))
        data = data[9 + length :]
        total += len(frame.data) if isinstance(frame, DataFrame) else 0
    return total
