"""Kinds of HTTP clients: each has its own user agent, header order and way to prove who asks."""

import base64
import json
from dataclasses import dataclass
from random import Random

HOST = "api.shop.test"

_BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@dataclass(frozen=True)
class ClientKind:
    """Header lines in the order that this client sends them.

    `{name}` stands for a value; a line without its value is left out.
    """

    name: str
    proof: str
    """after log-in: `cookie` or `bearer`; `api_key` and `none` never log in"""
    lines: tuple[str, ...]

    def request(self, method: str, target: str, body: bytes = b"", **values: str) -> bytes:
        """A whole request; `values` are `cookie`, `authorization`, `if_none_match`, `referer` or `api_key`."""
        if body or method == "POST":
            values |= {"length": str(len(body)), "type": "application/json"}
        values["host"] = HOST
        lines = [f"{method} {target} HTTP/1.1"]
        for line in self.lines:
            before, brace, rest = line.partition("{")
            name, _, after = rest.partition("}")
            if not brace:
                lines.append(line)
            elif name in values:
                lines.append(before + values[name] + after)
        return "\r\n".join((*lines, "", "")).encode() + body


FIREFOX = ClientKind(
    "firefox",
    "cookie",
    (
        "Host: {host}",
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        "Accept: application/json",
        "Accept-Language: en-GB,en;q=0.5",
        "Accept-Encoding: gzip, deflate",
        "Content-Type: {type}",
        "Content-Length: {length}",
        "Connection: keep-alive",
        "Referer: {referer}",
        "Cookie: {cookie}",
        "If-None-Match: {if_none_match}",
    ),
)
CHROME = ClientKind(
    "chrome",
    "cookie",
    (
        "Host: {host}",
        "Connection: keep-alive",
        "Content-Length: {length}",
        "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36",
        "Content-Type: {type}",
        "Accept: */*",
        "Referer: {referer}",
        "Accept-Encoding: gzip, deflate",
        "Accept-Language: de-DE,de;q=0.9",
        "Cookie: {cookie}",
        "If-None-Match: {if_none_match}",
    ),
)
IOS_APP = ClientKind(
    "ios-app",
    "bearer",
    (
        "Host: {host}",
        "Content-Type: {type}",
        "Connection: keep-alive",
        "If-None-Match: {if_none_match}",
        "Accept: application/json",
        "User-Agent: ShopApp/4.12.0 (iPhone; iOS 17.5.1) CFNetwork/1496.0.7",
        "Authorization: {authorization}",
        "Accept-Language: en-GB",
        "Content-Length: {length}",
        "Accept-Encoding: gzip, deflate",
    ),
)
OKHTTP = ClientKind(
    "okhttp",
    "bearer",
    (
        "authorization: {authorization}",
        "If-None-Match: {if_none_match}",
        "Content-Type: {type}",
        "Content-Length: {length}",
        "Host: {host}",
        "Connection: Keep-Alive",
        "Accept-Encoding: gzip",
        "User-Agent: okhttp/4.12.0",
    ),
)
PYTHON_REQUESTS = ClientKind(
    "python-requests",
    "api_key",
    (
        "Host: {host}",
        "User-Agent: python-requests/2.32.3",
        "Accept-Encoding: gzip, deflate",
        "Accept: */*",
        "Connection: keep-alive",
        "X-API-Key: {api_key}",
        "Content-Length: {length}",
        "Content-Type: {type}",
    ),
)
CURL = ClientKind(
    "curl",
    "none",
    ("Host: {host}", "User-Agent: curl/8.5.0", "Accept: */*", "Content-Type: {type}", "Content-Length: {length}"),
)

PEOPLE_KINDS = (FIREFOX, CHROME, IOS_APP, OKHTTP)


def jwt(rng: Random, subject: int, expires: int) -> str:
    """A token that looks like a signed JWT; the signature is random."""
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": f"u{subject}", "exp": expires})
    encoded = [
        base64.urlsafe_b64encode(json.dumps(part, separators=(",", ":")).encode()).decode().rstrip("=") for part in parts
    ]
    return ".".join((*encoded, opaque(rng, 43)))


def opaque(rng: Random, length: int) -> str:
    """A random token of base64url characters."""
    return "".join(rng.choices(_BASE64URL, k=length))
