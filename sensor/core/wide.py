"""Loads, scans and copies wider than a byte, over one-dimensional uint8 arrays.

Every buffer handed to a kernel has SLACK bytes of room behind its last valid byte, so that a wide load that
starts inside the valid part never leaves the array. Callers clamp offsets; nothing here checks them.
Each intrinsic has a plain twin, used when Numba's compiler is switched off (NUMBA_DISABLE_JIT=1).
"""

import numpy as np

import sensor.core.cache  # noqa: F401  (before Numba, which looks for its folder once)
from sensor.core.jit import inlined
from sensor.core.limits import SLACK

from llvmlite import ir  # isort: skip
from numba import types  # isort: skip
from numba.core import config  # isort: skip
from numba.extending import intrinsic  # isort: skip


_I64 = ir.IntType(64)


def _pointer(context, builder, signature, args, index=0):
    array = context.make_array(signature.args[index])(context, builder, args[index])
    return builder.gep(array.data, [args[index + 1]])


def _load(bits, big_endian):
    width = ir.IntType(bits)

    def typing(typingctx, buffer, at):
        def codegen(context, builder, signature, args):
            pointer = builder.bitcast(_pointer(context, builder, signature, args), width.as_pointer())
            value = builder.load(pointer, align=1)
            if big_endian:
                value = builder.bswap(value)
            return value if bits == 64 else builder.zext(value, _I64)

        return types.uint64(buffer, types.int64), codegen

    return typing


def _byte_mask(typingctx, buffer, at, byte):
    """uint64 whose bit k tells whether buffer[at + k] == byte, for k in 0..63."""
    vector = ir.VectorType(ir.IntType(8), 64)

    def codegen(context, builder, signature, args):
        pointer = builder.bitcast(_pointer(context, builder, signature, args), vector.as_pointer())
        data = builder.load(pointer, align=1)
        wanted = builder.trunc(args[2], ir.IntType(8))
        splat = builder.insert_element(ir.Constant(vector, ir.Undefined), wanted, ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), 64), [0] * 64)
        splat = builder.shuffle_vector(splat, ir.Constant(vector, ir.Undefined), zeros)
        return builder.bitcast(builder.icmp_unsigned("==", data, splat), _I64)

    return types.uint64(buffer, types.int64, types.int64), codegen


def _trailing_zeros(typingctx, value):
    def codegen(context, builder, signature, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), codegen


def _copy(typingctx, target, target_at, source, source_at, size):
    """memcpy of `size` bytes; the two ranges must not overlap."""

    def codegen(context, builder, signature, args):
        from numba.core import cgutils

        to = _pointer(context, builder, signature, args, 0)
        frm = _pointer(context, builder, signature, args, 2)
        cgutils.raw_memcpy(builder, to, frm, args[4], ir.Constant(_I64, 1))
        return context.get_dummy_value()

    return types.void(target, types.int64, source, types.int64, types.int64), codegen


def _copy_64(typingctx, target, target_at, source, source_at):
    """64 bytes, in a register or two."""
    vector = ir.VectorType(ir.IntType(8), 64)

    def codegen(context, builder, signature, args):
        frm = builder.bitcast(_pointer(context, builder, signature, args, 2), vector.as_pointer())
        to = builder.bitcast(_pointer(context, builder, signature, args, 0), vector.as_pointer())
        builder.store(builder.load(frm, align=1), to, align=1)
        return context.get_dummy_value()

    return types.void(target, types.int64, source, types.int64), codegen


def _store(typingctx, buffer, at, value):
    def codegen(context, builder, signature, args):
        pointer = builder.bitcast(_pointer(context, builder, signature, args), _I64.as_pointer())
        builder.store(args[2], pointer, align=1)
        return context.get_dummy_value()

    return types.void(buffer, types.int64, types.uint64), codegen


if config.DISABLE_JIT:

    def load_be16(buffer, at):
        return np.uint64(int.from_bytes(bytes(buffer[at : at + 2]), "big"))

    def load_be32(buffer, at):
        return np.uint64(int.from_bytes(bytes(buffer[at : at + 4]), "big"))

    def load_be64(buffer, at):
        return np.uint64(int.from_bytes(bytes(buffer[at : at + 8]), "big"))

    def load_le16(buffer, at):
        return np.uint64(int.from_bytes(bytes(buffer[at : at + 2]), "little"))

    def load_le32(buffer, at):
        return np.uint64(int.from_bytes(bytes(buffer[at : at + 4]), "little"))

    def load_le64(buffer, at):
        return np.uint64(int.from_bytes(bytes(buffer[at : at + 8]), "little"))

    def store_le64(buffer, at, value):
        buffer[at : at + 8] = np.frombuffer(int(value).to_bytes(8, "little"), np.uint8)

    def byte_mask(buffer, at, byte):
        return np.uint64(sum(1 << k for k, b in enumerate(buffer[at : at + 64]) if b == byte))

    def trailing_zeros(value):
        value = int(value)
        return (value & -value).bit_length() - 1 if value else 64

    def copy(target, target_at, source, source_at, size):
        target[target_at : target_at + size] = source[source_at : source_at + size]

    def copy_64(target, target_at, source, source_at):
        target[target_at : target_at + 64] = source[source_at : source_at + 64]

else:
    load_be16 = intrinsic(_load(16, True))
    load_be32 = intrinsic(_load(32, True))
    load_be64 = intrinsic(_load(64, True))
    load_le16 = intrinsic(_load(16, False))
    load_le32 = intrinsic(_load(32, False))
    load_le64 = intrinsic(_load(64, False))
    store_le64 = intrinsic(_store)
    byte_mask = intrinsic(_byte_mask)
    trailing_zeros = intrinsic(_trailing_zeros)
    copy = intrinsic(_copy)
    copy_64 = intrinsic(_copy_64)


def word(text: bytes) -> np.uint64:
    """Constant to compare with a `load_le64`: `text` of at most 8 bytes, zero-padded."""
    return np.uint64(int.from_bytes(text.ljust(8, b"\0"), "little"))


def padded(data: bytes) -> np.ndarray:
    """`data` as a kernel buffer, SLACK zero bytes behind it."""
    return np.frombuffer(data + bytes(SLACK), dtype=np.uint8).copy()


OVERWRITTEN = 64


@inlined
def copy_wide(target, to, source, at, length):
    """Copy bytes, 64 at a time and without a call; up to OVERWRITTEN bytes behind the copy are overwritten.

    For bytes that have lain there for a while: a load that spans several stores waits until they are all through.
    """
    copy_64(target, to, source, at)
    for done in range(64, length, 64):
        copy_64(target, to + done, source, at + done)
