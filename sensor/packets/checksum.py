"""The checksum of a TCP segment (RFC 9293 3.1), with the pseudo-header of its IP version."""

from sensor.core.hashing import U
from sensor.core.jit import kernel
from sensor.core.wide import load_be32

V4_PREFIX_HIGH = 0xFFFF


@kernel
def words(value):
    """Sum of the four 16-bit words of a number."""
    return (value >> U(48)) + ((value >> U(32)) & U(0xFFFF)) + ((value >> U(16)) & U(0xFFFF)) + (value & U(0xFFFF))


@kernel
def sum_is_right(chunk, at, end, packet):
    """Whether the segment chunk[at:end] adds up."""
    length = end - at
    is_v4 = packet["src_hi"] == U(0) and packet["src_lo"] >> U(32) == U(V4_PREFIX_HIGH)
    total = U(6) + U(length)
    if is_v4:
        total += words(packet["src_lo"] & U(0xFFFFFFFF)) + words(packet["dst_lo"] & U(0xFFFFFFFF))
    else:
        total += words(packet["src_hi"]) + words(packet["src_lo"]) + words(packet["dst_hi"]) + words(packet["dst_lo"])
    while end - at >= 4:
        value = load_be32(chunk, at)
        total += (value >> U(16)) + (value & U(0xFFFF))
        at += 4
    if at < end:
        value = load_be32(chunk, at) & ~((U(1) << U(8 * (4 - (end - at)))) - U(1))
        total += (value >> U(16)) + (value & U(0xFFFF))
    while total >> U(16):
        total = (total & U(0xFFFF)) + (total >> U(16))
    return total == U(0xFFFF)
