"""Transactions and alerts as JSON lines, under the names of the store's columns."""

import base64
import datetime
import functools
import hashlib
import struct
from typing import BinaryIO

import msgspec
import numpy as np

from sensor.core.addresses import address_text
from sensor.core.inert import inert_bytes, inert_json
from sensor.core.records import (
    ALL_TEXTS,
    AUTH_KINDS,
    COMPLETENESS,
    NOT_TOLD,
    OPERATIONS,
    REFUSALS,
    TRANSACTION,
    WEIRD,
    Batch,
    names_of,
)
from sensor.core.sensitive import SENSITIVE

TOLD = tuple(name for name in ALL_TEXTS if name not in NOT_TOLD)
VERSIONS = {9: "0.9", 10: "1.0", 11: "1.1", 20: "2"}
ROWS_AT_ONCE = 1_024
"""Rows that are Python objects at the same time."""
CACHED = 8_192
"""Connections whose text is kept."""
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def rfc3339(ns: int) -> str:
    """Nanoseconds since the epoch as UTC with microseconds; a time past the year 9999 is told as that year's end."""
    try:
        moment = _EPOCH + datetime.timedelta(microseconds=ns // 1000)
    except OverflowError:
        moment = datetime.datetime.max.replace(tzinfo=datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


@functools.lru_cache(maxsize=CACHED)
def community_id(a: tuple[int, int, int], b: tuple[int, int, int]) -> str:
    """Community ID v1, seed 0, of a TCP connection; an end is (high, low, port) (github.com/corelight/community-id-spec)."""
    ends = sorted((_packed(high, low), port) for high, low, port in (a, b))
    data = b"\0\0" + ends[0][0] + ends[1][0] + struct.pack(">BBHH", 6, 0, ends[0][1], ends[1][1])
    return "1:" + base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode()


def _packed(high: int, low: int) -> bytes:
    if high == 0 and low >> 32 == 0xFFFF:
        return struct.pack(">I", low & 0xFFFFFFFF)
    return struct.pack(">QQ", high, low)


@functools.lru_cache(maxsize=1024)
def _completeness(bits: int) -> list[str]:
    return names_of(bits, COMPLETENESS)


@functools.lru_cache(maxsize=4096)
def _weird(bits: int) -> list[str]:
    return names_of(bits, WEIRD)


class Lines:
    """Writes batches to a file, one object a line."""

    def __init__(self, file: BinaryIO, sensor: str, reveal: bool = False):
        self._file = file
        self._sensor = sensor
        self._reveal = reveal
        self._encoder = msgspec.json.Encoder()

    def transactions(self, batch: Batch, wire: dict[str, np.ndarray], encaps: list[str], capture: str) -> None:
        """Write all rows; with `reveal`, targets as they were on the wire (`wire`: their spans)."""
        arena = batch.arena[: batch.used].tobytes()
        for first in range(0, len(batch.rows), ROWS_AT_ONCE):
            part = slice(first, first + ROWS_AT_ONCE)
            self._write(batch.rows[part], {name: values[part] for name, values in wire.items()}, arena, encaps, capture)

    def _write(self, rows: np.ndarray, wire: dict[str, np.ndarray], arena: bytes, encaps: list[str], capture: str) -> None:
        columns = {name: rows[name].tolist() for name in TRANSACTION.names or ()}
        if self._reveal:
            columns |= {name: values.tolist() for name, values in wire.items()}
        texts = {
            name: [
                arena[at : at + size].decode("utf-8", "backslashreplace")
                for at, size in zip(columns[name + "_at"], columns[name + "_len"], strict=True)
            ]
            for name in TOLD
        }
        lines = bytearray()
        for index in range(len(rows)):
            lines += inert_bytes(self._encoder.encode(self._row(columns, texts, index, encaps, capture)))
            lines += b"\n"
        self._file.write(lines)

    def _row(self, columns: dict, texts: dict, index: int, encaps: list[str], capture: str) -> dict:
        def of(name: str):
            return columns[name][index]

        client = of("peer_hi"), of("peer_lo"), of("client_port")
        remote = address_text(of("client_hi"), of("client_lo"))
        server = of("server_hi"), of("server_lo"), of("server_port")
        if of("credential"):
            actor = f"token:{of('credential'):016x}"
        elif of("session"):
            actor = f"session:{of('session'):016x}"
        else:
            actor = f"ip:{remote}"
        return {
            "ts": rfc3339(of("ts")),
            "sensor": self._sensor,
            "capture": capture,
            "community_id": community_id(client, server),
            "client_ip": address_text(client[0], client[1]),
            "client_port": client[2],
            "remote_ip": remote,
            "server_ip": address_text(server[0], server[1]),
            "server_port": server[2],
            "encap": encaps[of("encap")],
            "http_version": VERSIONS.get(of("version"), "1.1"),
            "stream_id": of("stream_id"),
            "serial": of("serial"),
            "method": texts["method"][index],
            "host": texts["host"][index],
            "path": texts["path"][index],
            "query": texts["query"][index],
            "endpoint": texts["template"][index],
            "refused": REFUSALS[of("refused")],
            "operation_type": OPERATIONS[of("operation_type")],
            "operation": texts["operation"][index],
            "root_fields": texts["root_fields"][index].split(",") if texts["root_fields"][index] else [],
            "graphql_depth": of("graphql_depth"),
            "graphql_aliases": of("graphql_aliases"),
            "status": of("status") or None,
            "grpc_status": of("grpc_status") if of("grpc_status") >= 0 else None,
            "request_bytes": of("request_bytes"),
            "response_bytes": of("response_bytes"),
            "request_messages": of("request_messages"),
            "response_messages": of("response_messages"),
            "request_message_bytes": of("request_message_bytes"),
            "response_message_bytes": of("response_message_bytes"),
            "latency_us": of("latency_us") if of("latency_us") >= 0 else None,
            "user_agent": texts["user_agent"][index],
            "referer": texts["referer"][index],
            "request_type": texts["request_type"][index],
            "response_type": texts["response_type"][index],
            "auth": AUTH_KINDS[of("auth")],
            "actor": actor,
            "forwarded_for": texts["forwarded_for"][index],
            "fingerprint": f"{of('fingerprint'):016x}" if of("fingerprint") else "",
            "sensitive": [
                f"{SENSITIVE[kind]}:{value:016x}"
                for kind, value in zip(of("sensitive_class")[: of("sensitive")], of("sensitive_hash"), strict=False)
            ],
            "completeness": _completeness(of("completeness")),
            "weird": _weird(of("weird")),
        }


def alert_line(row: dict) -> bytes:
    """One alert as a line; its times are ns since the epoch in `row`."""
    times = {name: rfc3339(row[name]) for name in ("first_seen", "last_seen", "raised_at")}
    return inert_json(row | times) + b"\n"
