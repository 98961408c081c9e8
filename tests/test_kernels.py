"""The kernels that everything stands on, held against plain Python."""

import numpy as np
import pytest
from helpers import free_entries
from hypothesis import given
from hypothesis import strategies as st

from sensor.core import wide
from sensor.core.chain import BLOCK, FULL, NONE, extend, new_chains, read_chain, release_chain
from sensor.core.hashing import hash_bytes, mix, siphash
from sensor.core.jit import kernel
from sensor.core.wide import SLACK, padded, word

MASK = 2**64 - 1


# Hashes

SIPHASH_VECTORS = (
    0x726FDB47DD0E0E31, 0x74F839C593DC67FD, 0x0D6C8009D9A94F5A, 0x85676696D7FB7E2D, 0xCF2794E0277187B7, 0x18765564CD99A68D,
    0xCBC9466E58FEE3CE, 0xAB0200F58B01D137, 0x93F5F5799A932462, 0x9E0082DF0BA9E4B0, 0x7A5DBBC594DDB9F3, 0xF4B32F46226BADA7,
    0x751E8FBC860EE5FB, 0x14EA5627C0843D90, 0xF723CA908E7AF2EE, 0xA129CA6149BE45E5,
)  # fmt: skip
"""Outputs for messages of 0, 1, … 15 bytes 00 01 02 …, key 00 … 0f; the last is that of the paper's appendix A."""


@pytest.mark.parametrize("length", range(16))
def test_siphash_gives_the_reference_vectors(length):
    key0, key1 = (np.uint64(int.from_bytes(bytes(range(k, k + 8)), "little")) for k in (0, 8))
    buffer = padded(b"\xff" + bytes(range(length)) + b"\xee" * 8)
    assert int(siphash(buffer, 1, length, key0, key1)) == SIPHASH_VECTORS[length]


def plain_siphash(data, key0, key1):
    v0, v1, v2, v3 = key0 ^ 0x736F6D6570736575, key1 ^ 0x646F72616E646F6D, key0 ^ 0x6C7967656E657261, key1 ^ 0x7465646279746573

    def turn(value, bits):
        return (value << bits | value >> 64 - bits) & MASK

    def rounds(count):
        nonlocal v0, v1, v2, v3
        for _ in range(count):
            v0, v2 = v0 + v1 & MASK, v2 + v3 & MASK
            v1, v3 = turn(v1, 13) ^ v0, turn(v3, 16) ^ v2
            v0 = turn(v0, 32)
            v2, v0 = v2 + v1 & MASK, v0 + v3 & MASK
            v1, v3 = turn(v1, 17) ^ v2, turn(v3, 21) ^ v0
            v2 = turn(v2, 32)

    whole = data + bytes(-(len(data) + 1) % 8) + bytes([len(data) & 0xFF])
    for at in range(0, len(whole), 8):
        block = int.from_bytes(whole[at : at + 8], "little")
        v3 ^= block
        rounds(2)
        v0 ^= block
    v2 ^= 0xFF
    rounds(4)
    return v0 ^ v1 ^ v2 ^ v3


U64 = st.integers(0, MASK)


@given(st.binary(max_size=300), U64, U64, st.binary(max_size=9), st.binary(max_size=9))
def test_siphash_equals_a_plain_twin(data, key0, key1, before, behind):
    buffer = padded(before + data + behind)
    assert int(siphash(buffer, len(before), len(data), np.uint64(key0), np.uint64(key1))) == plain_siphash(data, key0, key1)


def plain_mix(value):
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & MASK
    value = (value ^ value >> 27) * 0x94D049BB133111EB & MASK
    return value ^ value >> 31


def plain_hash(data, seed):
    value = seed ^ (len(data) * 0x9E3779B97F4A7C15 & MASK)
    for at in range(0, len(data), 8):
        value = (value ^ int.from_bytes(data[at : at + 8], "little")) * 0xD6E8FEB86659FD93 & MASK
        value ^= value >> 29
    return plain_mix(value)


@given(st.binary(max_size=100), U64, st.binary(max_size=9), st.binary(max_size=9))
def test_hash_bytes_equals_a_plain_twin_whatever_lies_around(data, seed, before, behind):
    assert int(hash_bytes(padded(before + data + behind), len(before), len(data), np.uint64(seed))) == plain_hash(data, seed)


@given(U64)
def test_mix_equals_a_plain_twin(value):
    assert int(mix(np.uint64(value))) == plain_mix(value)


# Wide loads


@kernel
def _loads(buffer, at, out):
    out[0], out[1], out[2] = wide.load_be16(buffer, at), wide.load_be32(buffer, at), wide.load_be64(buffer, at)
    out[3], out[4], out[5] = wide.load_le16(buffer, at), wide.load_le32(buffer, at), wide.load_le64(buffer, at)


@kernel
def _byte_mask(buffer, at, byte):
    return wide.byte_mask(buffer, at, byte)


@kernel
def _trailing_zeros(value):
    return wide.trailing_zeros(value)


@kernel
def _copy(target, to, source, at, size):
    wide.copy(target, to, source, at, size)


@given(st.binary(min_size=8, max_size=40), st.data())
def test_loads_equal_int_from_bytes_at_every_offset(data, draw):
    at, out = draw.draw(st.integers(0, len(data) - 8)), np.zeros(6, np.uint64)
    _loads(padded(data), at, out)
    assert out.tolist() == [int.from_bytes(data[at : at + n], order) for order in ("big", "little") for n in (2, 4, 8)]


@given(
    st.lists(st.sampled_from([0, 10, 13, 58, 128, 255]), min_size=64, max_size=100),
    st.sampled_from([0, 10, 13, 58, 128, 255]),
    st.integers(0, 36),
)
def test_byte_mask_has_a_bit_for_every_equal_byte(values, byte, at):
    expected = sum(1 << k for k, value in enumerate((values + [0] * 64)[at : at + 64]) if value == byte)
    assert int(_byte_mask(padded(bytes(values)), at, byte)) == expected


@given(st.one_of(U64, st.integers(0, 63).map(lambda k: 1 << k)))
def test_trailing_zeros_counts_from_the_lowest_bit(value):
    assert int(_trailing_zeros(np.uint64(value))) == ((value & -value).bit_length() - 1 if value else 64)


@given(st.binary(max_size=200), st.integers(0, 9), st.data())
def test_copy_moves_those_bytes_and_no_others(data, to, draw):
    at = draw.draw(st.integers(0, len(data)))
    size = draw.draw(st.integers(0, len(data) - at))
    target = np.full(300, 0xAA, np.uint8)
    _copy(target, to, padded(data), at, size)
    assert target.tobytes() == b"\xaa" * to + data[at : at + size] + b"\xaa" * (300 - to - size)


def test_word_is_what_a_load_gives():
    out = np.zeros(6, np.uint64)
    _loads(padded(b"HTTP/"), 0, out)
    assert out[5] == word(b"HTTP/")


# Chains


def free_blocks(chains):
    return free_entries(chains.following, chains.free[0])


def read(chains, first, length):
    target = np.zeros(length + SLACK, np.uint8)
    read_chain(chains, first, length, target, 0)
    return target[:length].tobytes()


def test_a_new_store_is_all_free():
    assert free_blocks(new_chains(10 * BLOCK)) == 10
    assert free_blocks(new_chains(1)) == 1


SIZES = st.one_of(st.integers(0, 40), st.sampled_from([BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK + 7]))


@given(st.lists(st.tuples(st.integers(0, 3), st.one_of(SIZES, st.just(-1))), max_size=60), st.integers(1, 24))
def test_chains_hold_what_was_appended_and_blocks_are_accounted_for_exactly(steps, blocks):
    """Four chains in one store that runs full: (which chain, bytes to append; -1: give it back)."""
    chains = new_chains(blocks * BLOCK)
    held = dict.fromkeys(range(4), (NONE, NONE, b""))
    for number, (name, size) in enumerate(steps):
        first, last, kept = held[name]
        if size < 0:
            release_chain(chains, first)
            held[name] = (NONE, NONE, b"")
        else:
            piece = bytes((number * 31 + k) & 0xFF for k in range(size))
            needed = -(-(len(kept) + size) // BLOCK) - -(-len(kept) // BLOCK)
            new, now_last = extend(chains, last, len(kept), padded(b"?" + piece), 1, size)
            if needed > blocks - sum(-(-len(text) // BLOCK) for _, _, text in held.values()):
                assert (new, now_last) == (FULL, last)
            else:
                held[name] = (first if first != NONE else new, now_last, kept + piece)
        assert free_blocks(chains) == blocks - sum(-(-len(text) // BLOCK) for _, _, text in held.values())
        for first, _, text in held.values():
            assert read(chains, first, len(text)) == text
    for first, _, _ in held.values():
        release_chain(chains, first)
    assert free_blocks(chains) == blocks
