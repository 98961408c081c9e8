"""Ways out: a signed webhook, and syslog over UDP, TCP and TLS. Each `send` takes its time and raises SendError."""

import hashlib
import hmac
import pathlib
import socket
import ssl
import time
from typing import Protocol
from urllib.parse import urlsplit

TIMEOUT = 5.0
"""Seconds for a connection, and for an answer."""


class SendError(Exception):
    """A message that was not taken; the text is a sentence, `final` tells that another try would end the same."""

    def __init__(self, text: str, final: bool = False):
        super().__init__(text)
        self.final = final


class Sender(Protocol):
    """A way to one receiver."""

    def send(self, body: bytes, key: str) -> None:
        """Send one message. key: the same for the same message, whenever it is sent again."""

    def close(self) -> None: ...


class Webhook:
    """POST to a URL. With a secret each message is signed: `X-Tapwatch-Signature: t=TIME,v1=HMAC-SHA256(secret, TIME.BODY)`."""

    def __init__(self, url: str, secret: bytes = b""):
        import urllib3

        self._url, self._secret = url, secret
        self._pool = urllib3.PoolManager(num_pools=1, timeout=urllib3.Timeout(TIMEOUT), retries=False)

    def send(self, body: bytes, key: str) -> None:
        import urllib3

        headers = {"Content-Type": "application/json", "User-Agent": "tapwatch", "Idempotency-Key": key}
        if self._secret:
            now = str(int(time.time()))
            signature = hmac.new(self._secret, f"{now}.".encode() + body, hashlib.sha256).hexdigest()
            headers["X-Tapwatch-Signature"] = f"t={now},v1={signature}"
        try:
            answer = self._pool.request("POST", self._url, body=body, headers=headers, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            raise SendError(f"{_place(self._url)} cannot be reached ({type(error).__name__}).") from None
        if answer.status >= 300:
            final = 300 <= answer.status < 500 and answer.status not in (408, 425, 429)
            raise SendError(f"{_place(self._url)} answered {answer.status}.", final)

    def close(self) -> None:
        self._pool.clear()


class Syslog:
    """udp://, tcp:// or tls:// HOST:PORT. Streams frame messages by their length (RFC 6587 3.4.1, RFC 5425)."""

    def __init__(self, url: str, ca_file: str | None = None):
        parts = urlsplit(url)
        self._scheme, self._host, self._port = (
            parts.scheme,
            parts.hostname or "",
            parts.port or (6514 if parts.scheme == "tls" else 514),
        )
        self._url = url
        self._context = ssl.create_default_context(cafile=ca_file) if parts.scheme == "tls" else None
        self._socket: socket.socket | None = None

    def send(self, body: bytes, key: str) -> None:
        try:
            if self._socket is not None and self._scheme != "udp" and _is_over(self._socket):
                self.close()
            if self._socket is None:
                self._socket = self._connect()
            if self._scheme == "udp":
                self._socket.send(body)
            else:
                self._socket.sendall(b"%d " % len(body) + body)
        except OSError as error:
            self.close()
            raise SendError(f"{_place(self._url)} cannot be reached ({error.strerror or type(error).__name__}).") from None

    def _connect(self) -> socket.socket:
        if self._scheme == "udp":
            family, kind, protocol, _, address = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_DGRAM)[0]
            found = socket.socket(family, kind, protocol)
            found.connect(address)
            return found
        found = socket.create_connection((self._host, self._port), TIMEOUT)
        return self._context.wrap_socket(found, server_hostname=self._host) if self._context else found

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _is_over(connection: socket.socket) -> bool:
    """Whether the other end closed a stream: what is sent into it would be taken, and lost. Receivers of syslog say nothing."""
    connection.settimeout(0)
    try:
        return connection.recv(4_096) == b""
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(TIMEOUT)


def sender_for(url: str, secret_file: str | None, ca_file: str | None) -> Sender:
    """The sender of a URL. Raises OSError for a file that cannot be read."""
    if urlsplit(url).scheme in ("http", "https"):
        return Webhook(url, pathlib.Path(secret_file).read_bytes().strip() if secret_file else b"")
    return Syslog(url, ca_file)


def _place(url: str) -> str:
    """A URL without what may be secret in it: scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
