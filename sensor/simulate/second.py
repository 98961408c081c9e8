"""Exchanges that were written as HTTP/1.1, carried over HTTP/2 by the h2 library at both ends."""

import h2.config
import h2.connection
import h2.settings

WINDOW = 1 << 24
"""Bytes that a server may send before it hears again: more than any connection of a scenario carries."""
PIECE = 16_384
"""Bytes of one DATA frame (RFC 9113 6.5.2, SETTINGS_MAX_FRAME_SIZE)."""
LEFT_OUT = {"host", "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te"}
"""Fields that HTTP/2 has no place for (RFC 9113 8.2.2), and Host, which becomes :authority."""


def _parts(message: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
    """(first line, fields, body) of a message that is not chunked."""
    head, _, body = message.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    return first, fields, body


class Talk:
    """One connection: what either side writes for each exchange."""

    def __init__(self) -> None:
        self._client, self._server = (
            h2.connection.H2Connection(h2.config.H2Configuration(client_side=is_client)) for is_client in (True, False)
        )
        values = {h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: WINDOW}
        self._client.local_settings = h2.settings.Settings(client=True, initial_values=values)
        self._client.initiate_connection()
        self._client.increment_flow_control_window(WINDOW)
        self._server.initiate_connection()

    def exchange(self, request: bytes, response: bytes) -> tuple[bytes, bytes]:
        """(what the client sends, what the server sends) for one request and its response, both as in HTTP/1.1."""
        stream = self._client.get_next_available_stream_id()
        line, fields, body = _parts(request)
        method, target, _ = line.split(" ", 2)
        authority = next((value for name, value in fields if name == "host"), "")
        pseudo = [(":method", method), (":scheme", "http"), (":authority", authority), (":path", target)]
        asked = self._write(self._client, stream, pseudo, fields, body)
        self._server.receive_data(asked)
        line, fields, body = _parts(response)
        answered = self._write(self._server, stream, [(":status", line.split(" ")[1])], fields, body)
        self._client.receive_data(answered)
        return asked, answered

    def _write(
        self,
        side: h2.connection.H2Connection,
        stream: int,
        pseudo: list[tuple[str, str]],
        fields: list[tuple[str, str]],
        body: bytes,
    ) -> bytes:
        kept = [(name, value) for name, value in fields if name not in LEFT_OUT]
        side.send_headers(stream, pseudo + kept, end_stream=not body)
        for at in range(0, len(body), PIECE):
            side.send_data(stream, body[at : at + PIECE], end_stream=at + PIECE >= len(body))
        return side.data_to_send()
