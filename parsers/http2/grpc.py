"""gRPC messages in the bodies of a stream (its Length-Prefixed-Message: a flag, a length of four bytes, the message)."""

import numpy as np

from sensor.core.jit import kernel
from sensor.core.wide import load_le64, word

APPLICATION, SLASH_GRPC = word(b"applicat"), word(b"ion/grpc")
TYPE_BYTES = 16
PLUS = 43
PREFIX_BYTES = 5


@kernel
def is_grpc_type(buffer, at, length):
    """`application/grpc` or `application/grpc+…` in lower case; `application/grpc-web` frames its trailers otherwise."""
    if length < TYPE_BYTES or load_le64(buffer, at) != APPLICATION or load_le64(buffer, at + 8) != SLASH_GRPC:
        return False
    return length == TYPE_BYTES or buffer[at + TYPE_BYTES] == PLUS


@kernel
def count_messages(pending, way, buffer, at, end):
    """Walk through body bytes of one direction (0: to the server)."""
    while at < end:
        have = np.int64(pending["prefix"][way])
        if have < PREFIX_BYTES:
            if have > 0:
                pending["rest"][way] = (pending["rest"][way] << np.uint64(8)) | np.uint64(buffer[at])
            else:
                pending["messages"][way] += np.uint32(1)
                pending["rest"][way] = 0
            pending["prefix"][way] = have + 1
            at += 1
            continue
        size = min(end - at, np.int64(pending["rest"][way]))
        pending["rest"][way] -= np.uint64(size)
        pending["message_bytes"][way] += size
        at += size
        if pending["rest"][way] == 0:
            pending["prefix"][way] = 0
    if pending["prefix"][way] == PREFIX_BYTES and pending["rest"][way] == 0:
        pending["prefix"][way] = 0
