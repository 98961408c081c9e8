"""What a JSON body is made of: its key paths with the types of their values, each once, and how often it was there."""

import numpy as np

from sensor.core.bundle import Bundle
from sensor.core.hashing import U, hash_bytes, mix
from sensor.core.jit import kernel
from sensor.core.quoted import QUOTE, string_end
from sensor.inventory.body_leaves import kind_of_key
from sensor.inventory.body_values import end_of_bare, skip_space
from sensor.inventory.lexical import LITERAL
from sensor.inventory.shapes import CLOSE, CLOSE_LIST, COLON, COMMA, OPEN, OPEN_LIST, colon_behind

TYPES = ("", "object", "array", "string", "number", "boolean", "null")
BODY, OBJECT, ARRAY, STRING, NUMBER, BOOLEAN, NULL = range(len(TYPES))
"""BODY stands for the body as a whole."""
DEPTH = 12
"""Nesting beyond which an object or list is known as one, and nothing of what is in it."""
STEPS, SLOTS = 256, 1_024
"""Different paths and types of one body."""
KEY = 48
"""Bytes of a key that count."""
ROOT = U(1)
ELEMENT = U(0x9E3779B97F4A7C15)
"""What stands for the key of a list's elements."""
NO_KEY = 255
"""Instead of a class: the step is the root, or an element of a list."""
NO_JSON = -1
MINUS, DOT, SMALL_E, LARGE_E, TRUE, FALSE, NOTHING = 45, 46, 101, 69, 116, 102, 110

STEP = np.dtype([
    ("path", "<u8"),      # hash of the keys down to it
    ("parent", "<u8"),    # of those of the object or list that it is in
    ("type", "u1"),       # TYPES
    ("fraction", "u1"),   # a number that is no integer
    ("times", "<u4"),     # how often it is there
    ("name_at", "<u4"), ("name_len", "u1"),  # its key, in the text
    ("name_kind", "u1"),  # class of a key that is itself a value, LITERAL for a name, NO_KEY
])  # fmt: skip


class Walk(Bundle):
    """Room for the steps of one body."""

    steps: np.ndarray
    """STEP[STEPS]"""
    slots: np.ndarray
    """int16[SLOTS]: number of a step, from 1; 0 free"""
    paths: np.ndarray
    """uint64[DEPTH + 1]: hash of the path of what is open at each depth"""
    control: np.ndarray
    """int64[2]: steps; whether some found no room"""


USED, FULL = range(2)


def new_walk() -> Walk:
    return Walk(np.zeros(STEPS, STEP), np.zeros(SLOTS, np.int16), np.zeros(DEPTH + 1, np.uint64), np.zeros(2, np.int64))


@kernel
def note_step(walk, path, parent, kind, fraction, name_at, name_len, name_kind):
    """Count a value of a type at a path."""
    slot = np.int64(mix(path ^ U(kind)) & U(SLOTS - 1))
    while walk.slots[slot] != 0:
        step = walk.steps[walk.slots[slot] - 1]
        if step["path"] == path and step["type"] == kind:
            step["times"] += np.uint32(1)
            step["fraction"] |= fraction
            return
        slot = (slot + 1) & (SLOTS - 1)
    used = walk.control[USED]
    if used == STEPS:
        walk.control[FULL] = 1
        return
    walk.control[USED] = used + 1
    walk.slots[slot] = used + 1
    step = walk.steps[used]
    step["path"] = path
    step["parent"] = parent
    step["type"] = kind
    step["fraction"] = fraction
    step["times"] = 1
    step["name_at"] = name_at
    step["name_len"] = name_len
    step["name_kind"] = name_kind


@kernel
def skip_nested(text, at, end):
    """Offset behind the object or list that opens at text[at], `end` where it is cut off."""
    depth = 0
    while at < end:
        byte = text[at]
        if byte == QUOTE:
            at = string_end(text, at + 1, end)
        elif byte == OPEN or byte == OPEN_LIST:
            depth += 1
        elif byte == CLOSE or byte == CLOSE_LIST:
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    return end


@kernel
def bare_type(text, at, end):
    """(type of the bare word text[at:end], whether it is a number that is no integer); BODY for what is no JSON."""
    first = text[at]
    if first == TRUE or first == FALSE:
        return BOOLEAN, 0
    if first == NOTHING:
        return NULL, 0
    if not (first == MINUS or 48 <= first <= 57):
        return BODY, 0
    for k in range(at, end):
        if text[k] == DOT or text[k] == SMALL_E or text[k] == LARGE_E:
            return NUMBER, 1
    return NUMBER, 0


@kernel
def key_path(text, at, end, parent):
    """(path below `parent` of the key text[at:end], its class): keys that are values share the path of their class."""
    kind = kind_of_key(text, at, end)
    if kind != LITERAL:
        return mix(parent ^ U(kind)), kind
    return mix(parent ^ hash_bytes(text, at, min(end - at, KEY), U(19))), kind


@kernel
def walk_json(walk, text, at, end):
    """Steps of the JSON text text[at:end], into the walk: whether it ended where it should, NO_JSON where it is none."""
    walk.control[USED], walk.control[FULL] = 0, 0
    walk.slots[:] = 0
    depth, lists = np.int64(0), U(0)  # bit k: what is open at depth k is a list
    walk.paths[0] = U(0)
    path, name_at, name_len, name_kind = ROOT, np.int64(0), np.int64(0), np.int64(NO_KEY)
    while at < end:
        byte = text[at]
        in_list = lists >> U(depth) & U(1)
        if in_list:
            path, name_len, name_kind = mix(walk.paths[depth] ^ ELEMENT), np.int64(0), np.int64(NO_KEY)
        if byte == OPEN or byte == OPEN_LIST:
            note_step(walk, path, walk.paths[depth], OBJECT if byte == OPEN else ARRAY, 0, name_at, name_len, name_kind)
            if depth == DEPTH:
                at = skip_nested(text, at, end)
                continue
            depth += 1
            walk.paths[depth] = path
            lists = lists | U(1) << U(depth) if byte == OPEN_LIST else lists & ~(U(1) << U(depth))
        elif byte == CLOSE or byte == CLOSE_LIST:
            if depth == 0 or (byte == CLOSE_LIST) != (in_list != U(0)):
                return np.int64(NO_JSON)
            depth -= 1
        elif byte == QUOTE:
            stop = string_end(text, at + 1, end)
            behind = colon_behind(text, stop + 1, end)
            if stop >= end or (not in_list and behind < 0 and depth > 0 and skip_space(text, stop + 1, end) >= end):
                return np.int64(0)  # cut off
            if behind >= 0 and not in_list:
                path, name_kind = key_path(text, at + 1, stop, walk.paths[depth])
                name_at, name_len, at = at + 1, min(stop - at - 1, np.int64(KEY)), behind
                continue
            note_step(walk, path, walk.paths[depth], STRING, 0, name_at, name_len, name_kind)
            at = stop
        elif byte > 32 and byte != COMMA and byte != COLON:
            stop = end_of_bare(text, at, end)
            if stop >= end and depth > 0:
                return np.int64(0)
            kind, fraction = bare_type(text, at, stop)
            if kind == BODY:
                return np.int64(NO_JSON)
            note_step(walk, path, walk.paths[depth], kind, fraction, name_at, name_len, name_kind)
            at = stop - 1
        at += 1
        if depth == 0 and walk.control[USED] > 0:
            return np.int64(1)  # whatever follows is none of it
    return np.int64(0)
