"""WebSocket frames (RFC 6455 5.2), counted: messages and their payload bytes of either direction.

Nothing of them is unmasked or read; a frame that is none ends the counting, since where the next one begins is not known.
"""

import numpy as np

from sensor.core.jit import kernel
from sensor.core.records import WEIRD_BIT

W_FRAME = WEIRD_BIT["bad_frame"]
MASKED, FINAL, RESERVED, OPCODE, SHORT_LENGTH = 0x80, 0x80, 0x70, 0x0F, 0x7F
TEXT, BINARY, CONTROL = 1, 2, 8
"""Opcodes: 0 continues a message, TEXT and BINARY begin one, from CONTROL on they are no data."""
LAST_OPCODES = 2, 10
LARGEST_CONTROL = 125
IN_LENGTH, LOST = 2, 255
"""`prefix`: bytes of a frame's header that were seen, its first two told apart by number; LOST: out of step."""


@kernel
def header_bytes(second):
    """Length of a frame's header, told by its second byte."""
    short = second & SHORT_LENGTH
    extended = 8 if short == 127 else 2 if short == 126 else 0
    return 2 + extended + (4 if second & MASKED else 0)


@kernel
def is_frame(first, second):
    """Whether the first two bytes can begin a frame. Reserved bits may be an extension's (RFC 7692): they are let pass."""
    opcode = first & OPCODE
    if opcode >= CONTROL:
        return opcode <= LAST_OPCODES[1] and first & FINAL and second & SHORT_LENGTH <= LARGEST_CONTROL
    return opcode <= LAST_OPCODES[0]


@kernel
def take_header_byte(pending, way, byte):
    """The next byte of a frame's header: whether it can be one."""
    have = np.int64(pending["prefix"][way])
    pending["prefix"][way] = have + 1
    if have == 0:
        pending["first"][way] = byte
        return True
    if have == 1:
        pending["second"][way] = byte
        short = np.int64(byte) & SHORT_LENGTH
        pending["rest"][way] = short if short < 126 else 0
        return is_frame(np.int64(pending["first"][way]), np.int64(byte))
    need = header_bytes(np.int64(pending["second"][way]))
    masked = 4 if pending["second"][way] & MASKED else 0
    if have < need - masked:
        if pending["rest"][way] >> np.uint64(55):
            return False
        pending["rest"][way] = pending["rest"][way] << np.uint64(8) | np.uint64(byte)
    return True


@kernel
def count_frames(pending, way, buffer, at, end):
    """Walk through bytes of one direction (0: to the server)."""
    while at < end and pending["prefix"][way] != LOST:
        have = np.int64(pending["prefix"][way])
        if have < 2 or have < header_bytes(np.int64(pending["second"][way])):
            if not take_header_byte(pending, way, buffer[at]):
                pending["prefix"][way] = LOST
                pending["weird"] |= W_FRAME
                break
            at += 1
            have += 1
            if have < 2 or have < header_bytes(np.int64(pending["second"][way])):
                continue
            opcode = pending["first"][way] & OPCODE
            pending["messages"][way] += np.uint32(opcode == TEXT or opcode == BINARY)
        size = min(end - at, np.int64(pending["rest"][way]))
        pending["rest"][way] -= np.uint64(size)
        at += size
        if pending["first"][way] & OPCODE < CONTROL:
            pending["message_bytes"][way] += size
        if pending["rest"][way] == 0:
            pending["prefix"][way] = 0


@kernel
def count_off_frames(pending, way, length):
    """So many bytes were lost (0: nobody knows how many). They are counted where they lie within one frame."""
    have = np.int64(pending["prefix"][way])
    inside = IN_LENGTH <= have < LOST and have == header_bytes(np.int64(pending["second"][way]))
    if not inside or length <= 0 or length > np.int64(pending["rest"][way]):
        pending["prefix"][way] = LOST
        return
    pending["rest"][way] -= np.uint64(length)
    if pending["rest"][way] == 0:
        pending["prefix"][way] = 0
    if pending["first"][way] & OPCODE < CONTROL:
        pending["message_bytes"][way] += length
