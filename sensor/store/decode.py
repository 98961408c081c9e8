"""Transactions out of the store: RowBinary of a reading query to TRANSACTION rows, as a sensor would have told them."""

import numpy as np

from sensor.core.jit import kernel
from sensor.core.records import AUTH_KINDS, OPERATIONS, REFUSALS, TRANSACTION, Batch
from sensor.core.wide import SLACK, copy, load_be64, load_le64

NUMBERS = (
    "credential", "session", "fingerprint", "request_bytes", "response_bytes", "latency", "status", "client_port",
    "server_port", "version", "auth", "operation_type", "refused", "graphql_depth", "graphql_aliases", "stream_id", "serial",
)  # fmt: skip
"""Columns of eight bytes behind time and addresses; latency: microseconds and one, 0 for none."""
STRINGS = ("method", "host", "path", "query", "user_agent", "request_type", "response_type", "operation", "root_fields")
FIXED = 8 + 32 + 8 * len(NUMBERS)
"""Bytes of a row before its texts: time, remote and server address, NUMBERS."""


def _position(names: tuple[str, ...], column: str) -> str:
    """SQL for the place of a text among some, from 0 on; 0 for one that is not among them."""
    listed = ", ".join(f"'{name}'" for name in names)
    return f"toUInt64(greatest(indexOf([{listed}], toString({column})), 1) - 1)"


def _hash(column: str, prefix: str = "") -> str:
    """SQL for the number that 16 hex digits tell, behind a prefix; 0 where they are missing."""
    digits = f"substring({column}, {len(prefix) + 1}, 16)"
    return f"if(startsWith({column}, '{prefix}') AND length({digits}) = 16, reinterpretAsUInt64(reverse(unhex({digits}))), 0)"


SELECTED = ", ".join(
    [
        "toUnixTimestamp64Micro(ts)", "remote_ip", "server_ip", _hash("actor", "token:"), _hash("actor", "session:"),
        _hash("fingerprint"), "toUInt64(request_bytes)", "toUInt64(response_bytes)", "toUInt64(ifNull(latency_us + 1, 0))",
        "toUInt64(ifNull(status, 0))", "toUInt64(client_port)", "toUInt64(server_port)",
        "toUInt64(transform(toString(http_version), ['0.9', '1.0', '1.1', '2'], [9, 10, 11, 20], 11))",
        _position(AUTH_KINDS, "auth"), _position(OPERATIONS, "operation_type"), _position(REFUSALS, "refused"),
        "toUInt64(graphql_depth)", "toUInt64(graphql_aliases)", "toUInt64(stream_id)", "toUInt64(serial)", "toString(method)",
        "toString(host)", "path", "query", "toString(user_agent)", "toString(request_type)", "toString(response_type)",
        "toString(operation)", "arrayStringConcat(root_fields, ',')",
    ]
)  # fmt: skip
"""What to select, in this order, FORMAT RowBinary."""


@kernel
def put_numbers(row, data, at):
    """Fixed columns of one row."""
    row["ts"] = np.int64(load_le64(data, at)) * 1000
    row["client_hi"], row["client_lo"] = load_be64(data, at + 8), load_be64(data, at + 16)
    row["server_hi"], row["server_lo"] = load_be64(data, at + 24), load_be64(data, at + 32)
    at += 40
    row["credential"], row["session"] = load_le64(data, at), load_le64(data, at + 8)
    row["fingerprint"] = load_le64(data, at + 16)
    row["request_bytes"], row["response_bytes"] = load_le64(data, at + 24), load_le64(data, at + 32)
    row["latency_us"] = np.int64(load_le64(data, at + 40)) - 1
    row["status"] = load_le64(data, at + 48)
    row["client_port"], row["server_port"] = load_le64(data, at + 56), load_le64(data, at + 64)
    row["version"], row["auth"] = load_le64(data, at + 72), load_le64(data, at + 80)
    row["operation_type"], row["refused"] = load_le64(data, at + 88), load_le64(data, at + 96)
    row["graphql_depth"], row["graphql_aliases"] = load_le64(data, at + 104), load_le64(data, at + 112)
    row["stream_id"], row["serial"] = load_le64(data, at + 120), load_le64(data, at + 128)
    row["end"] = row["ts"] + max(np.int64(0), row["latency_us"]) * 1000


@kernel
def text_at(data, at):
    """(offset of a text, its length) behind its length as a varint."""
    length, shift = np.int64(0), 0
    while data[at] > 127:
        length |= np.int64(data[at] & 127) << shift
        shift += 7
        at += 1
    return at + 1, length | np.int64(data[at]) << shift


@kernel
def count_rows(data, end):
    """Rows of RowBinary data[:end]; what ends in the midst of a row does not count."""
    at, count = np.int64(0), 0
    while at + FIXED <= end:
        at += FIXED
        for _ in range(len(STRINGS)):
            begin, length = text_at(data, at)
            at = begin + length
            if length < 0 or at > end:
                return count
        count += 1
    return count


@kernel
def read_rows(data, rows, arena, spans):
    """Fill rows[:], of as many as count_rows told, from RowBinary (uint8). spans: int64[len(STRINGS), 2, n], of their texts."""
    at, used = np.int64(0), np.int64(0)
    for index in range(rows.shape[0]):
        put_numbers(rows[index], data, at)
        rows[index]["order"] = index
        at += FIXED
        for k in range(spans.shape[0]):
            begin, length = text_at(data, at)
            copy(arena, used, data, begin, length)
            spans[k, 0, index] = used
            spans[k, 1, index] = length
            used += length
            at = begin + length


def decode_transactions(data: bytes) -> Batch:
    """A batch of the rows of SELECTED, as RowBinary."""
    raw = np.frombuffer(data + bytes(SLACK), np.uint8)
    count = count_rows(raw, len(data))
    rows, arena = np.zeros(count, TRANSACTION), np.zeros(len(raw) + SLACK, np.uint8)
    spans = np.zeros((len(STRINGS), 2, count), np.int64)
    read_rows(raw, rows, arena, spans)
    for k, name in enumerate(STRINGS):
        rows[name + "_at"], rows[name + "_len"] = spans[k, 0], spans[k, 1]
    rows["grpc_status"] = -1
    return Batch(rows, arena, len(data))
