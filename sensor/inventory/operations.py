"""Endpoints that a path alone does not name: gRPC procedures, and operations that a request names in its body."""

import numpy as np

from sensor.core.hashing import U, hash_bytes, mix
from sensor.core.jit import kernel
from sensor.core.records import OPERATION, OPERATIONS
from sensor.core.wide import copy, load_le64, padded, word
from sensor.inventory.lexical import DIGIT, KIND, LITERAL, LOWER, UPPER
from sensor.inventory.targets import CLASS_LENGTHS, CLASS_TEXTS, SLASH, segment_class

APPLICATION, SLASH_GRPC = word(b"applicat"), word(b"ion/grpc")
GRPC_TYPE_BYTES, LONGEST_PROCEDURE = 16, 256
GRAPHQL_LAST, PERSISTED = OPERATION["subscription"], OPERATION["persisted"]
KIND_BITS = U(7)
"""Of an entry that remembers a document: the lowest are its kind, the others those of the hash of its name and host."""
KINDS = padded(b"".join(f"#{name}:".encode().ljust(16, b"\0") for name in OPERATIONS))
KIND_LENGTHS = np.array([len(name) + 2 for name in OPERATIONS])
OPERATION_LIMIT = 288
"""Bytes that an operation adds to a template at the most: its kind, its name or its root fields."""
HASH, OPEN, CLOSE, DOT, UNDERSCORE = 35, 123, 125, 46, 95


@kernel
def is_procedure(arena, at, end):
    """Whether a path is `/package.Service/Method`."""
    slashes = 0
    for k in range(at, end):
        byte = arena[k]
        if byte == SLASH:
            slashes += 1
        elif not (KIND[byte] & (LOWER | UPPER | DIGIT) or byte == DOT or byte == UNDERSCORE):
            return False
    return slashes == 2 and end - at <= LONGEST_PROCEDURE and arena[at] == SLASH and arena[end - 1] != SLASH


@kernel
def is_grpc(arena, row):
    """Whether a request calls a gRPC procedure: its path names it as it is."""
    at, path = np.int64(row["request_type_at"]), np.int64(row["path_at"])
    if (
        row["request_type_len"] < GRPC_TYPE_BYTES
        or load_le64(arena, at) != APPLICATION
        or load_le64(arena, at + 8) != SLASH_GRPC
    ):
        return False
    return is_procedure(arena, path, path + np.int64(row["path_len"]))


@kernel
def copy_procedure(arena, at, end, to):
    """The template of a procedure: its bytes."""
    copy(arena, to, arena, at, end - at)
    return end - at


@kernel
def resolve_persisted(documents, host, arena, row):
    """Tell what kind of operation a document is that the server knows, if it was sent whole before under the same name.

    documents: uint64[a power of two], what was sent; host: hash of the row's host.
    """
    if row["operation_len"] == 0 or (row["operation_type"] > GRAPHQL_LAST and row["operation_type"] != PERSISTED):
        return
    name = hash_bytes(arena, np.int64(row["operation_at"]), np.int64(row["operation_len"]), U(1))
    key = mix(host ^ name) & ~KIND_BITS
    at = np.int64((key >> U(3)) & U(documents.shape[0] - 1))
    if row["operation_type"] != PERSISTED:
        if 200 <= row["status"] < 300 and documents[at] & ~KIND_BITS != key:  # what was said first counts
            documents[at] = key | U(row["operation_type"])
    elif documents[at] & ~KIND_BITS == key:
        row["operation_type"] = documents[at] & KIND_BITS


@kernel
def write_operation(arena, row, to):
    """What a request's operation adds to its template, at arena[to:]: its bytes.

    `#query:Name`, `#mutation:{createOrder}` without a name, `#eth_call` of JSON-RPC, `#GetPrice` of SOAP. A name that is a
    value by its looks (a client that makes one up for every request) is told by its class.
    """
    start, kind = to, np.int64(row["operation_type"])
    name, length = np.int64(row["operation_at"]), np.int64(row["operation_len"])
    if kind <= GRAPHQL_LAST:
        copy(arena, to, KINDS, kind * 16, KIND_LENGTHS[kind])
        to += KIND_LENGTHS[kind]
        if length == 0:
            size = np.int64(row["root_fields_len"])
            arena[to] = OPEN
            copy(arena, to + 1, arena, np.int64(row["root_fields_at"]), size)
            arena[to + 1 + size] = CLOSE
            return to + size + 2 - start
    elif length == 0:
        return np.int64(0)
    else:
        arena[to] = HASH
        to += 1
    looks, part = segment_class(arena, name, name + length)
    if looks != LITERAL:
        copy(arena, to, CLASS_TEXTS, looks * 16, CLASS_LENGTHS[looks])
        to += CLASS_LENGTHS[looks]
        length -= part - name
        name = part
        row["operation_len"] = 0  # what looks like a value may be a secret
    copy(arena, to, arena, name, length)
    return to + length - start
