"""What was learned of paths: at which places words are values, and which words there are names all the same.

A place is a host and the template of what stands before the segment. Both sets hold hashes, in arrays of fixed size.
"""

import numpy as np

from sensor.core.bundle import Bundle
from sensor.core.hashing import U, hash_bytes, mix
from sensor.core.jit import kernel
from sensor.core.wide import padded

PLACES, NAMES = 8_192, 16_384
"""Sizes of the sets; no more than half of each is used."""
SEEN, NEXT_SEEN, NEXT_ENDPOINTS, USED_PLACES, USED_NAMES = range(5)


SETS, WAYS = 256, 32
"""Words that are watched: sets of so many, shared out by place."""
WORD = 32
"""Bytes kept of a watched word."""
WATCHED = np.dtype([
    ("place", "<u8"),   # hash of the place, 0 free
    ("word", "<u8"),    # hash of place and word
    ("served", "<u4"),  # requests, at the most: a newcomer takes over the count of the one that it pushed out
    ("shape", "<u8"), ("shape_votes", "<u4"), ("shaped", "u1"),  # of its JSON answers, as in PROFILE
    ("text", "u1", (WORD,)), ("length", "u1"),
])  # fmt: skip
"""A word at the end of a path that is taken for a value, asked for often (Metwally et al. 2005, Space-Saving)."""


class Learned(Bundle):
    """Read by the kernel that writes templates, written by sensor.inventory.learning."""

    values: np.ndarray
    """uint64[PLACES]: hashes of places whose words are values, 0 free"""
    names: np.ndarray
    """uint64[NAMES]: hashes of (place, word) that stay names"""
    watched: np.ndarray
    """WATCHED[SETS, WAYS]: words that may turn out to be names"""
    control: np.ndarray
    """int64[5]: transactions seen; transactions and endpoints from which on it is time to learn; places and names in use"""


def new_learned(first_seen: int, first_endpoints: int) -> Learned:
    control = np.array([0, first_seen, first_endpoints, 0, 0], np.int64)
    return Learned(np.zeros(PLACES, np.uint64), np.zeros(NAMES, np.uint64), np.zeros((SETS, WAYS), WATCHED), control)


@kernel
def watch(learned, place, word, arena, at, length):
    """The entry of a word at a place, one more request counted: the place of its set, and its way."""
    group = np.int64(place & U(SETS - 1))
    least = np.int64(0)
    for way in range(WAYS):
        entry = learned.watched[group, way]
        if entry["word"] == word:
            entry["served"] += np.uint32(1)
            return group, np.int64(way)
        if entry["served"] < learned.watched[group, least]["served"]:
            least = np.int64(way)
    entry = learned.watched[group, least]
    entry["place"] = place
    entry["word"] = word
    entry["served"] += np.uint32(1)
    entry["shape"] = 0
    entry["shape_votes"] = 0
    entry["shaped"] = 0
    entry["length"] = min(length, WORD)
    for k in range(min(length, WORD)):
        entry["text"][k] = arena[at + k]
    return group, least


@kernel
def place_hash(host, arena, at, length):
    """Hash of a place: `host` is the hash of its host; the template before it stands at arena[at:]."""
    return mix(host ^ hash_bytes(arena, at, length, U(5)))


def text_hash(text: str, seed: int) -> np.uint64:
    """hash_bytes of a text: with the seed 1 that of a host."""
    raw = text.encode()
    return U(hash_bytes(padded(raw), 0, len(raw), U(seed)))


def prefix_hash(host: np.uint64, prefix: str) -> np.uint64:
    """Hash of the place behind a prefix, as the kernels have it. host: hash of its host."""
    raw = (prefix + "/").encode()
    return U(place_hash(host, padded(raw), 0, len(raw)))


@kernel
def name_hash_at(place, arena, at, length):
    """Hash of a word at a place."""
    return mix(place ^ hash_bytes(arena, at, length, U(6)))


@kernel
def holds(hashes, wanted):
    """Whether a set has a hash."""
    slot = np.int64(wanted & U(hashes.shape[0] - 1))
    while hashes[slot] != U(0):
        if hashes[slot] == wanted:
            return True
        slot = (slot + 1) & (hashes.shape[0] - 1)
    return False


@kernel
def add(hashes, used, limit, wanted):
    """Add a hash to a set of which `used` places are taken: how many then are."""
    if used >= limit:
        return used
    slot = np.int64(wanted & U(hashes.shape[0] - 1))
    while hashes[slot] != U(0):
        if hashes[slot] == wanted:
            return used
        slot = (slot + 1) & (hashes.shape[0] - 1)
    hashes[slot] = wanted
    return used + 1


@kernel
def is_value(learned, host, arena, template, template_len, at, length):
    """Whether the word arena[at:] behind a template is a value there."""
    place = place_hash(host, arena, template, template_len)
    return holds(learned.values, place) and not holds(learned.names, name_hash_at(place, arena, at, length))


@kernel
def learn_place(learned, arena, host_at, host_len, template, template_len):
    """Words at this place are values from here on."""
    place = place_hash(hash_bytes(arena, host_at, host_len, U(1)), arena, template, template_len)
    control = learned.control
    control[USED_PLACES] = add(learned.values, control[USED_PLACES], PLACES // 2, place)


@kernel
def learn_name(learned, arena, host_at, host_len, template, template_len, at, length):
    """This word stays a name there."""
    place = place_hash(hash_bytes(arena, host_at, host_len, U(1)), arena, template, template_len)
    control = learned.control
    control[USED_NAMES] = add(learned.names, control[USED_NAMES], NAMES // 2, name_hash_at(place, arena, at, length))
