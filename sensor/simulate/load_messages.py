"""Pre-built pieces of the benchmark's messages: targets, header blocks, responses already cut into segments."""

from random import Random

from sensor.simulate.clients import opaque

HOST = "api.load.test"
RESPONSES = 1024
"""Sizes of bodies, as so many quantiles of their distribution."""
TAIL = 2.5
"""Exponent of the Pareto distribution of body sizes: many small, few large."""
SMALLEST, LARGEST = 300, 20_000
HEADER_BLOCKS = 256
MOST_PAGES, MOST_IDS = 200, 100_000

_RESOURCES = (
    "products", "orders", "carts", "users", "reviews", "invoices", "shipments",
    "stores", "offers", "coupons", "payments", "devices", "sessions", "events",
)  # fmt: skip

Endpoint = tuple[bytes, bytes, int]
"""Request line before and after a number, and how many numbers there are."""


def endpoints() -> tuple[list[Endpoint], list[Endpoint]]:
    """About 40 endpoints: those that are read, and those that take a body."""
    read: list[Endpoint] = []
    written: list[Endpoint] = []
    for name in _RESOURCES:
        read.append((f"GET /v1/{name}/".encode(), b" HTTP/1.1\r\n", MOST_IDS))
        read.append((f"GET /v1/{name}?page=".encode(), b"&limit=50 HTTP/1.1\r\n", MOST_PAGES))
        written.append((f"POST /v1/{name}?batch=".encode(), b" HTTP/1.1\r\n", MOST_PAGES))
    return read, written


def header_blocks(rng: Random) -> list[bytes]:
    """Header lines of requests, each block 400 to 800 bytes in all, without the empty line at the end."""
    agents = [
        "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        "ShopApp/4.12.0 (iPhone; iOS 17.5.1) CFNetwork/1496.0.7",
        "okhttp/4.12.0",
        "python-requests/2.32.3",
    ]
    blocks = []
    for _ in range(HEADER_BLOCKS):
        lines = [
            f"Host: {HOST}",
            f"User-Agent: {rng.choice(agents)}",
            "Accept: application/json",
            "Accept-Encoding: gzip, deflate",
            f"Authorization: Bearer {opaque(rng, 36)}.{opaque(rng, 60)}.{opaque(rng, 43)}",
            f"X-Request-Id: {rng.getrandbits(128):032x}",
        ]
        missing = int(rng.triangular(410, 780, 430)) - sum(len(line) + 2 for line in lines)
        if missing > 20:
            lines.append(f"Cookie: s={opaque(rng, missing - 12)}")
        blocks.append("".join(line + "\r\n" for line in lines).encode())
    return blocks


def responses(rng: Random, mss: int) -> list[list[bytes]]:
    """Whole responses, each cut into segments; to draw one evenly is to draw a size from the distribution."""
    words = " ".join(opaque(rng, rng.randint(3, 9)) for _ in range(4000))
    built = []
    for position in range(RESPONSES):
        # The inverse of the distribution function, bounded above.
        size = min(LARGEST, int(SMALLEST * (1 - (position + 0.5) / RESPONSES) ** (-1 / TAIL)))
        start = rng.randrange(len(words) - LARGEST)
        body = b'{"id":%d,"text":"' % position
        body += words[start : start + size - len(body) - 2].encode() + b'"}'
        status = "200 OK" if position % 25 else "404 Not Found"
        head = (
            f"HTTP/1.1 {status}\r\nServer: nginx\r\nDate: Tue, 03 Mar 2026 09:00:00 GMT\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: keep-alive\r\nX-Request-Id: {rng.getrandbits(128):032x}\r\n\r\n"
        )
        whole = head.encode() + body
        built.append([whole[at : at + mss] for at in range(0, len(whole), mss)])
    return built
