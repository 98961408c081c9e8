"""An HTTP/2 conversation: two h2 ends over one TCP connection, each of whose writes goes on the wire."""

from collections.abc import Iterable

from h2.config import H2Configuration
from h2.connection import H2Connection

from sensor.simulate.wire import Conversation

Fields = list[tuple[str, str]]


class Http2Conversation:
    """A client and a server on a connection whose handshake is done. Bodies must fit the initial window (65,535 bytes)."""

    def __init__(self, conversation: Conversation, *, by_preface: bool = True):
        self.wire = conversation
        self.client = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.server = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        if by_preface:
            self.client.initiate_connection()
            self.server.initiate_connection()
            self.flush(True)
            self.flush(False)

    def flush(self, from_client: bool) -> None:
        """Put on the wire what an end has to say, and what the other then says at once."""
        sender, receiver = (self.client, self.server) if from_client else (self.server, self.client)
        data = sender.data_to_send()
        if data:
            self.wire.send(from_client, data)
            receiver.receive_data(data)
            self.flush(not from_client)

    def ask(self, fields: Fields, body: bytes = b"", *, ends: bool = True) -> int:
        """A request: its stream."""
        stream = self.client.get_next_available_stream_id()
        self.client.send_headers(stream, fields, end_stream=ends and not body)
        if body:
            self.client.send_data(stream, body, end_stream=ends)
        self.flush(True)
        return stream

    def answer(self, stream: int, fields: Fields, parts: Iterable[bytes] = (), trailers: Fields | None = None) -> None:
        """A response: its head, its body in DATA frames as given, trailers."""
        pieces = list(parts)
        self.server.send_headers(stream, fields, end_stream=not pieces and trailers is None)
        for number, piece in enumerate(pieces):
            last = number == len(pieces) - 1 and trailers is None
            self.server.send_data(stream, piece, end_stream=last, pad_length=7 if number % 2 else None)
        if trailers is not None:
            self.server.send_headers(stream, trailers, end_stream=True)
        self.flush(False)
