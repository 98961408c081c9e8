"""What a request bears that says who asks: tokens, keys, sessions; and what only looks like it."""

import pytest
from helpers import ASK, REPLY, Http, data

from sensor.core.records import AUTH_KINDS

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def seen(*lines):
    """(auth, whether it has a credential, whether it has a session) of a request with these header lines."""
    head = "\r\n".join(("GET / HTTP/1.1", "Host: a", *lines, "", "")).encode()
    (row,) = Http().run([data(ASK, head), data(REPLY, ANSWER)])
    return AUTH_KINDS[row["auth"]], bool(row["credential"]), bool(row["session"])


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ((), ("none", False, False)),
        (("Authorization: Bearer abc",), ("bearer", True, False)),
        (("X-API-Key: abc",), ("api_key", True, False)),
        (("X-Partner-Key: abc",), ("api_key", True, False)),
        (("x-access-token: abc",), ("api_key", True, False)),
        (("X-Client-Key: app", "Authorization: Bearer abc"), ("bearer", True, False)),
        (("X-Client-Key: app", "Cookie: sid=1"), ("cookie", False, True)),
        (("X-CSRF-Token: abc",), ("none", False, False)),
        (("X-XSRF-TOKEN: abc",), ("none", False, False)),
        (("X-Idempotency-Key: abc",), ("none", False, False)),
        (("Sec-WebSocket-Key: abc",), ("none", False, False)),
        (("X-Keyboard: abc",), ("none", False, False)),
        (("X-Captcha-Token: abc",), ("none", False, False)),
        (("X-Request-Key: abc",), ("none", False, False)),
        (("Cookie: is_logged_in=true",), ("none", False, False)),
        (("X-Partner-Key: ",), ("none", False, False)),
        (("Cookie: .AspNetCore.Cookies=abc",), ("cookie", False, True)),
        (("Cookie: .AspNetCore.Identity.Application=abc",), ("cookie", False, True)),
        (("Cookie: .AspNetCore.Antiforgery.x1=abc",), ("none", False, False)),
        (("Cookie: XSRF-TOKEN=abc; theme=dark",), ("none", False, False)),
        (("Cookie: wordpress_logged_in_1=abc",), ("cookie", False, True)),
        (("Cookie: PHPSESSID=abc",), ("cookie", False, True)),
    ],
)
def test_who_asks(lines, found):
    assert seen(*lines) == found


def test_two_keys_are_two_actors():
    rows = [
        Http().run([data(ASK, f"GET / HTTP/1.1\r\nHost: a\r\nX-Partner-Key: {key}\r\n\r\n".encode()), data(REPLY, ANSWER)])[0]
        for key in ("one", "two", "one")
    ]
    assert rows[0]["credential"] == rows[2]["credential"] != rows[1]["credential"]
