"""BPF filters over captured frames: libpcap compiles the expression, a kernel runs the program (McCanne and Jacobson 1993)."""

import numpy as np

from sensor.core.jit import kernel
from sensor.core.wide import load_be16, load_be32

LD, LDX, ST, STX, ALU, JMP, RET, MISC = range(8)
W, H, B = 0x00, 0x08, 0x10
IMM, ABS, IND, MEM, LEN, MSH = 0x00, 0x20, 0x40, 0x60, 0x80, 0xA0
SCRATCH = 16
INSTRUCTION = np.dtype([("code", "<u2"), ("jt", "u1"), ("jf", "u1"), ("k", "<u4")])
M32 = 0xFFFFFFFF


@kernel
def load(chunk, frame, code, k, x, memory):
    """(value, whether it lies within the frame) of a load instruction."""
    mode, size = code & 0xE0, code & 0x18
    if mode == IMM:
        return np.int64(k), True
    if mode == MEM:
        return memory[k & (SCRATCH - 1)], k < SCRATCH
    if mode == LEN:
        return np.int64(frame["wire"]), True
    at = np.int64(k) + (x if mode == IND else np.int64(0))
    width = 1 if mode == MSH or size == B else (2 if size == H else 4)
    if at < 0 or at + width > np.int64(frame["captured"]):
        return np.int64(0), False
    at += frame["at"]
    if mode == MSH:
        return np.int64(chunk[at] & 0xF) * 4, True
    if width == 1:
        return np.int64(chunk[at]), True
    return np.int64(load_be16(chunk, at)) if width == 2 else np.int64(load_be32(chunk, at)), True


@kernel
def arithmetic(operation, a, operand):
    """32-bit arithmetic; a division by zero gives -1, which rejects the frame."""
    if operation == 0x00:
        return (a + operand) & M32
    if operation == 0x10:
        return (a - operand) & M32
    if operation == 0x20:
        return (a * operand) & M32
    if operation == 0x30 or operation == 0x90:
        if operand == 0:
            return np.int64(-1)
        return a // operand if operation == 0x30 else a % operand
    if operation == 0x40:
        return a | operand
    if operation == 0x50:
        return a & operand
    if operation == 0x60:
        return (a << operand) & M32 if operand < 32 else np.int64(0)
    if operation == 0x70:
        return a >> operand if operand < 32 else np.int64(0)
    if operation == 0xA0:
        return a ^ operand
    return (-a) & M32


@kernel
def holds(operation, a, operand):
    """Condition of a jump."""
    if operation == 0x10:
        return a == operand
    if operation == 0x20:
        return a > operand
    if operation == 0x30:
        return a >= operand
    return (a & operand) != 0


@kernel
def accepts(program, chunk, frame, memory):
    """Whether the program takes the frame. Jumps only lead forward, so it ends."""
    a, x, at = np.int64(0), np.int64(0), np.int64(0)
    while at < program.shape[0]:
        step = program[at]
        at += 1
        code, k = np.int64(step["code"]), np.int64(step["k"])
        kind = code & 7
        if kind == LD or kind == LDX:
            value, inside = load(chunk, frame, code, k, x, memory)
            if not inside:
                return False
            if kind == LD:
                a = value
            else:
                x = value
        elif kind == ST or kind == STX:
            memory[k & (SCRATCH - 1)] = a if kind == ST else x
        elif kind == ALU:
            a = arithmetic(code & 0xF0, a, x if code & 8 else k)
            if a < 0:
                return False
        elif kind == JMP:
            if code & 0xF0 == 0:
                at += k
            else:
                at += np.int64(step["jt"]) if holds(code & 0xF0, a, x if code & 8 else k) else np.int64(step["jf"])
        elif kind == RET:
            return (a if code & 0x18 == 0x10 else k) != 0
        elif code & 0xF8:
            a = x
        else:
            x = a
    return False


@kernel
def select(program, chunk, frames, link, memory):
    """Move the frames of one link type that the program takes, and all of other link types, to the front: how many they are."""
    kept = 0
    for index in range(frames.shape[0]):
        if frames[index]["link"] != link or accepts(program, chunk, frames[index], memory):
            if kept != index:
                frames[kept] = frames[index]
            kept += 1
    return kept


class Filter:
    """One expression, compiled for each link type that the capture brings."""

    def __init__(self, expression: str):
        self.expression = expression
        self._programs: dict[int, np.ndarray] = {}
        self._memory = np.zeros(SCRATCH, np.int64)
        self._program(1)  # a bad expression is told before any packet is read

    def _program(self, link: int) -> np.ndarray:
        if link not in self._programs:
            from sensor.scapy_bridge import compile_bpf

            self._programs[link] = np.array(compile_bpf(self.expression, link), INSTRUCTION)
        return self._programs[link]

    def apply(self, chunk: np.ndarray, frames: np.ndarray) -> np.ndarray:
        """The frames that pass, in order; `frames` is changed."""
        for link in np.unique(frames["link"]).tolist():
            frames = frames[: select(self._program(link), chunk, frames, np.uint32(link), self._memory)]
        return frames
