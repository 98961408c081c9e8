"""What header fields say of how an API is run, over HTTP/1.1 and HTTP/2."""

import h2.config
import h2.connection
import pytest
from helpers import ASK, REPLY, Http, data, fin

from sensor.core.records import FACTS, names_of

UNSIGNED = "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."
CASES = [
    ([("Server", "nginx/1.18.0")], ["version_told"]),
    ([("server", "nginx")], []),
    ([("Server", "AmazonS3")], []),
    ([("X-Powered-By", "PHP/7.4.3")], ["version_told"]),
    ([("X-Powered-By", "Express")], []),
    ([("X-AspNet-Version", "4.0.30319")], ["version_told"]),
    ([("X-AspNetMvc-Version", "5.2")], ["version_told"]),
    ([("X-Generator", "Drupal 10 (https://www.drupal.org)")], ["version_told"]),
    ([("X-Generator", "Drupal")], []),
    ([("X-Frame-Options", "DENY")], ["frame_options"]),
    ([("Content-Security-Policy", "default-src 'self'")], ["content_security"]),
    ([("Content-Security-Policy", "default-src 'self'; Frame-Ancestors 'none'")], ["content_security", "frame_options"]),
    ([("Referrer-Policy", "no-referrer")], ["referrer_policy"]),
    ([("Strict-Transport-Security", "max-age=1")], ["strict_transport"]),
    ([("X-Content-Type-Options", "nosniff")], ["content_type_options"]),
    (
        [("Access-Control-Allow-Origin", "*"), ("Access-Control-Allow-Credentials", "true")],
        ["any_origin", "credentials_allowed"],
    ),
    ([("Access-Control-Allow-Origin", "https://a.example"), ("Access-Control-Allow-Credentials", "false")], []),
    ([("Access-Control-Allow-Headers", "*")], []),
    ([("Set-Cookie", "session=1; Path=/")], ["insecure_cookie", "script_cookie"]),
    ([("Set-Cookie", "session=1; SECURE ;httponly")], []),
    ([("Set-Cookie", "session=1;Secure")], ["script_cookie"]),
    ([("Set-Cookie", "theme=dark")], []),
    ([("Set-Cookie", "session=secure")], ["insecure_cookie", "script_cookie"]),
    ([("Sunset", "Sat, 31 Dec 2030 23:59:59 GMT")], ["deprecated"]),
    ([("Deprecation", "@1688169599")], ["deprecated"]),
    ([("X-Padding", "nginx/1.18.0"), ("Servex", "a/1")], []),
]


def facts(row: dict) -> list[str]:
    return names_of(row["facts"], FACTS)


@pytest.mark.parametrize(("fields", "expected"), CASES)
def test_fields_of_a_response(fields, expected):
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    (row,) = Http().run([
        data(ASK, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        data(REPLY, f"HTTP/1.1 200 OK\r\n{lines}Content-Length: 0\r\n\r\n".encode()),
    ])  # fmt: skip
    assert facts(row) == expected


@pytest.mark.parametrize(("fields", "expected"), CASES)
def test_fields_of_a_response_over_http2(fields, expected):
    client = h2.connection.H2Connection(h2.config.H2Configuration(True, header_encoding="utf-8"))
    server = h2.connection.H2Connection(h2.config.H2Configuration(False, header_encoding="utf-8"))
    client.initiate_connection()
    server.initiate_connection()
    client.send_headers(1, [(":method", "GET"), (":path", "/"), (":authority", "a"), (":scheme", "http")], end_stream=True)
    asked = client.data_to_send()
    server.receive_data(asked)
    server.send_headers(1, [(":status", "200"), *[(name.lower(), value) for name, value in fields]], end_stream=True)
    (row,) = Http().run([data(ASK, asked), data(REPLY, server.data_to_send()), fin(ASK), fin(REPLY)])
    assert facts(row) == expected


def test_a_request_cannot_speak_for_the_server():
    """What only servers send counts in responses alone; a token without a signature is the client's."""
    lines = f"Server: a/1\r\nSunset: x\r\nSet-Cookie: session=1\r\nAuthorization: {UNSIGNED}\r\n"
    (row,) = Http().run([
        data(ASK, f"GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode()),
        data(REPLY, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ])  # fmt: skip
    assert facts(row) == ["unsigned_jwt"]


def test_interim_responses_say_nothing():
    (row,) = Http().run([
        data(ASK, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        data(REPLY, b"HTTP/1.1 103 Early Hints\r\nServer: a/1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ])  # fmt: skip
    assert facts(row) == []
