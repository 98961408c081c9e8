"""Transaction batches made by hand, for tests of inventory and detectors."""

import ipaddress

import numpy as np

from sensor.core.records import AUTH, MEDIA, PACKED_COOKIE, TEXTS, TRANSACTION, Batch
from sensor.core.wide import SLACK
from sensor.inventory.analyse import Inventory

SECOND = 1_000_000_000
START = 1_772_528_400 * SECOND


def batch_of(transactions: list[dict]) -> Batch:
    """A batch of `{path, query, client, status, ts, sent, answer, …}`; what is not given has an ordinary value."""
    rows = np.zeros(len(transactions), TRANSACTION)
    arena, bodies = bytearray(), bytearray()
    for index, given in enumerate(transactions):
        row = rows[index]
        address = int(ipaddress.ip_address(given.get("client", "192.0.2.1")))
        row["order"] = index
        row["ts"] = given.get("ts", START + index * SECOND)
        row["end"] = row["ts"]
        row["client_lo"] = address | 0xFFFF << 32 if address < 1 << 32 else address & (1 << 64) - 1
        row["client_hi"] = address >> 64
        row["status"] = given.get("status", 200)
        row["version"] = given.get("version", 11)
        row["weird"] = given.get("weird", 0)
        row["request_bytes"] = given.get("request_bytes", 0)
        row["response_bytes"] = given.get("response_bytes", 100)
        row["latency_us"] = given.get("latency_us", 1000)
        row["auth"] = AUTH[given.get("auth", "none")]
        for name in ("credential", "session", "fingerprint"):
            row[name] = given.get(name, 0)
        raw = given.get("sent", b"")
        row["request_body_at"], row["request_body_len"] = len(bodies), len(raw)
        row["request_media"] = MEDIA[given.get("media", "json" if raw else "none")]
        bodies += raw
        answer = given.get("answer", b"")
        row["response_body_at"], row["response_body_len"] = len(bodies), len(answer)
        row["response_media"] = MEDIA[given.get("answer_media", "json" if answer else "none")]
        bodies += answer
        texts = {"method": "GET", "host": "api.test", "path": "/"} | given
        for name in TEXTS:
            raw = texts.get(name, "")
            raw = raw.encode() if isinstance(raw, str) else raw
            row[name + "_at"], row[name + "_len"] = len(arena), len(raw)
            arena += raw
    used = len(arena)
    texts_and_bodies = (np.frombuffer(bytes(part) + bytes(SLACK), np.uint8).copy() for part in (arena, bodies))
    kept, samples = texts_and_bodies
    return Batch(rows, kept, used, samples, len(bodies))


def packed(*fields: tuple[str, str]) -> bytes:
    """As the parser packs them; the name of a cookie begins with an equals sign."""
    parts = [
        (name.removeprefix("=").encode(), value.encode(), PACKED_COOKIE if name[0] == "=" else 0) for name, value in fields
    ]
    return b"".join(
        bytes([len(name) | mark, *len(value).to_bytes(2, "little"), len(value)]) + name + value for name, value, mark in parts
    )


def learned(targets: list[str]) -> tuple[list[dict], list[dict]]:
    """Endpoints and parameters of some requests, times as the store gives them."""
    inventory = Inventory((1, 2))
    inventory.analyse(batch_of([dict(zip(("path", "query"), target.partition("?")[::2], strict=True)) for target in targets]))
    endpoints = [row | dict.fromkeys(("first_seen", "last_seen"), "2026-03-03T09:00:00Z") for row in inventory.endpoints()]
    return endpoints, inventory.parameters()
