"""The shop whose API the storefront scenario calls: its catalogue and its answers."""

import json
import uuid
import zlib
from datetime import UTC, datetime
from http import HTTPStatus
from random import Random
from typing import Any

FIRST_ID, LAST_ID = 10_000, 10_999
LISTED = 400
"""Products that lists and searches show."""
PAGE = 6

WORDS = (
    "kettle", "lamp", "desk", "chair", "mug", "rug", "clock", "shelf", "vase", "plate",
    "bowl", "towel", "candle", "frame", "basket", "mirror", "blanket", "stool", "tray", "jug",
)  # fmt: skip
COLOURS = ("red", "blue", "green", "white", "black", "oak", "grey", "sand")


class Shop:
    """A catalogue drawn from a seed, and the responses to requests for it."""

    def __init__(self, rng: Random):
        identifiers = list(range(FIRST_ID, LAST_ID + 1))
        self.popular = rng.sample(identifiers, LISTED)
        """the listed products, the most popular first"""
        # Old articles are no longer listed, but still answered: this is what an enumeration is after.
        unlisted = [identifier for identifier in identifiers if identifier not in set(self.popular)]
        removed = set(rng.sample(unlisted, 80))
        self.removed = sorted(removed)
        self._names = {
            identifier: f"{rng.choice(COLOURS)} {rng.choice(WORDS)}" for identifier in identifiers if identifier not in removed
        }
        # Zipf's law with exponent 1: the k-th product draws interest in proportion to 1/k.
        self.interest = [1 / rank for rank in range(1, LISTED + 1)]

    def sku(self, identifier: int) -> str:
        """The stock-keeping unit of a product."""
        return f"SKU-{identifier * 7 % 100_000:05d}"

    def page(self, number: int) -> list[int]:
        """The products on a page of the list."""
        return self.popular[(number - 1) * PAGE : number * PAGE]

    def found(self, word: str) -> list[int]:
        """The listed products whose names have a word, the most popular first."""
        return [identifier for identifier in self.popular if word in self._names[identifier]][:PAGE]

    def listing(self, now_ns: int, identifiers: list[int]) -> bytes:
        """The answer to a list or a search."""
        return response(now_ns, 200, {"items": [self._brief(identifier) for identifier in identifiers]})

    def product(self, now_ns: int, identifier: int, known_etag: str = "") -> tuple[bytes, str]:
        """The answer to a request for one product, and its entity tag; 304 to whoever has it, 404 where there is none."""
        if identifier not in self._names:
            return response(now_ns, 404, {"error": "not_found"}), ""
        product = self._brief(identifier) | {"sku": self.sku(identifier), "related": self._related(identifier)}
        etag = f'"{zlib.crc32(str(identifier).encode()):08x}"'
        if etag == known_etag:
            return response(now_ns, 304, None, f"ETag: {etag}"), etag
        return response(now_ns, 200, product, f"ETag: {etag}"), etag

    def price(self, identifier: int) -> float:
        """The price of a product."""
        return round(4 + identifier * 37 % 9000 / 100, 2)

    def _brief(self, identifier: int) -> dict[str, Any]:
        return {"id": identifier, "name": self._names[identifier], "price": self.price(identifier)}

    def _related(self, identifier: int) -> list[int]:
        return [self.popular[(identifier * 13 + offset) % LISTED] for offset in range(2)]


def response(now_ns: int, status: int, body: dict[str, Any] | None, *lines: str) -> bytes:
    """A whole response, as nginx in front of a JSON service sends it."""
    date = datetime.fromtimestamp(now_ns // 1_000_000_000, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    head = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", "Server: nginx", f"Date: {date}"]
    data = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
    if body is not None:
        head += ["Content-Type: application/json", f"Content-Length: {len(data)}"]
    return "\r\n".join((*head, *lines, "", "")).encode() + data


def random_uuid(rng: Random) -> str:
    """A version 4 UUID from the scenario's own random numbers."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def password(rng: Random) -> str:
    """Two words and a number, as people choose them."""
    return f"{rng.choice(WORDS)}-{rng.choice(COLOURS)}-{rng.randint(100, 999)}"
