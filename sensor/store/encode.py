"""Transactions as one Native block, column by column as the table `transactions` has them."""

import hashlib

import numpy as np

from sensor.core.jit import kernel
from sensor.core.records import AUTH_KINDS, COMPLETENESS, OPERATIONS, REFUSALS, WEIRD
from sensor.core.sensitive import SENSITIVE
from sensor.store import native
from sensor.store.native import Column, Gather

_FOLD = np.uint64(0xD6E8FEB86659FD93)
_VERSIONS = ["0.9", "1.0", "1.1", "2"]
_VERSION_INDEX = np.zeros(256, dtype=np.uint8)
_VERSION_INDEX[[9, 10, 11, 20]] = range(4)
_STRINGS = ("path", "query", "referer", "forwarded_for")
_REPEATED = ("method", "host", "user_agent", "request_type", "response_type", "operation")


def encode_transactions(
    rows: np.ndarray, arena: np.ndarray, sensor: str, source: str, capture: tuple[list[str], np.ndarray], encaps: list[str]
) -> tuple[tuple[str, ...], bytes]:
    """(column names, Native block) of TRANSACTION[n] whose text lies in `arena` (uint8).

    `capture` is (names, index a row); `encaps[i]` the text of encapsulation i.
    """
    n = len(rows)
    columns: dict[str, Column] = {
        "ts": native.numbers("DateTime64(6, 'UTC')", rows["ts"] // 1000),
        "sensor": native.constant(sensor, n),
        "source": native.constant(source, n),
        "capture": native.dictionary(*capture),
        "client_ip": native.ipv6(rows["peer_hi"], rows["peer_lo"]),
        "client_port": native.numbers("UInt16", rows["client_port"]),
        "remote_ip": native.ipv6(rows["client_hi"], rows["client_lo"]),
        "server_ip": native.ipv6(rows["server_hi"], rows["server_lo"]),
        "server_port": native.numbers("UInt16", rows["server_port"]),
        "encap": native.dictionary(*_used(encaps, rows["encap"])),
        "http_version": native.dictionary(_VERSIONS, _VERSION_INDEX[rows["version"]]),
        "auth": native.dictionary(list(AUTH_KINDS), np.minimum(rows["auth"], len(AUTH_KINDS) - 1)),
    }
    for name in ("stream_id", "serial", "request_messages", "response_messages"):
        columns[name] = native.numbers("UInt32", rows[name])
    for name in ("request_bytes", "response_bytes", "request_message_bytes", "response_message_bytes"):
        columns[name] = native.numbers("UInt64", np.maximum(rows[name], 0))
    columns["status"] = native.nullable("UInt16", rows["status"], rows["status"] == 0)
    columns["latency_us"] = native.nullable("UInt64", np.maximum(rows["latency_us"], 0), rows["latency_us"] < 0)
    columns["grpc_status"] = native.nullable("UInt8", rows["grpc_status"].astype(np.uint8), rows["grpc_status"] < 0)
    columns["operation_type"] = native.dictionary(list(OPERATIONS), np.minimum(rows["operation_type"], len(OPERATIONS) - 1))
    columns["refused"] = native.dictionary(list(REFUSALS), np.minimum(rows["refused"], len(REFUSALS) - 1))
    for name in ("graphql_depth", "graphql_aliases"):
        columns[name] = native.numbers("UInt16", rows[name])
    columns["root_names"] = native.strings(Gather(arena, rows["root_fields_at"], rows["root_fields_len"]))
    for name in _STRINGS:
        columns[name] = native.strings(Gather(arena, rows[name + "_at"], rows[name + "_len"]))
    for name in _REPEATED:
        columns[name] = native.repeated(Gather(arena, rows[name + "_at"], rows[name + "_len"]))
    columns["endpoint"] = native.repeated(Gather(arena, rows["template_at"], rows["template_len"]))
    columns["fingerprint"] = native.hex_words(rows["fingerprint"])
    for name in ("credential", "session"):
        columns[name] = native.numbers("UInt64", rows[name])
    columns["sensitive"] = native.keyed_values(rows["sensitive"], rows["sensitive_class"], rows["sensitive_hash"], SENSITIVE)
    columns["completeness"] = native.bit_names(rows["completeness"], COMPLETENESS)
    columns["weird"] = native.bit_names(rows["weird"], WEIRD)
    return tuple(columns), native.block(n, columns)


def _used(keys: list[str], codes: np.ndarray) -> tuple[list[str], np.ndarray]:
    """(the keys that some row has, in their order; index a row): what else is known by now is no part of a block's content."""
    counts = np.bincount(codes, minlength=len(keys))
    numbers = np.cumsum(counts > 0) - 1
    return [key for key, count in zip(keys, counts.tolist(), strict=False) if count], numbers[codes]


def digest(block: bytes) -> str:
    """32 hex digits that tell blocks of one place apart: of a deduplication token, no defence against forgery.

    Four lanes of multiplications instead of BLAKE2, which took longer than encoding the block.
    """
    lanes = np.zeros(4, dtype=np.uint64)
    whole = len(block) // 32 * 32
    mix_lanes(np.frombuffer(block, dtype="<u8", count=whole // 8), lanes)
    return hashlib.blake2b(lanes.tobytes() + block[whole:], digest_size=16, salt=len(block).to_bytes(8, "little")).hexdigest()


@kernel
def mix_lanes(words, lanes):
    """Fold uint64 words, a multiple of four, into four running hashes."""
    a, b, c, d = lanes[0], lanes[1], lanes[2], lanes[3]
    for k in range(0, words.size, 4):
        a = (a ^ words[k]) * _FOLD
        b = (b ^ words[k + 1]) * _FOLD
        c = (c ^ words[k + 2]) * _FOLD
        d = (d ^ words[k + 3]) * _FOLD
        a ^= a >> np.uint64(29)
        b ^= b >> np.uint64(29)
        c ^= c >> np.uint64(29)
        d ^= d >> np.uint64(29)
    lanes[0], lanes[1], lanes[2], lanes[3] = a, b, c, d
