"""One value of a body, under its key path, as a VALUE row. What is longer than TEXT_BYTES has its first bytes in the arena; its
hash is that of the whole.
"""

import numpy as np

from sensor.core.jit import kernel
from sensor.core.sensitive import HARMLESS
from sensor.core.wide import copy
from sensor.inventory.lexical import BOOLEAN, DIGIT, INT, KIND, LITERAL, NULL, NUMBER, TEXT, classify_value
from sensor.inventory.personal import body_name_hash, exposed_class
from sensor.inventory.secrets import NAME_LIMIT, name_hash, secret_by_name, secret_by_value
from sensor.inventory.targets import CLASS_LENGTHS, CLASS_TEXTS, note_value

KEY_DIGITS = 4
"""Digits from which on a key is no name."""
TEXT_BYTES = 64
ROOM_PER_VALUE = TEXT_BYTES + NAME_LIMIT
DOT, DASH = 46, 45
TRUE, FALSE, NOTHING = 116, 102, 110
"""First letters of true, false and null."""


@kernel
def bare_class(text, at, end):
    """Class of a value of JSON that stands without quotes: a number, true, false or null (RFC 8259 3)."""
    first = text[at]
    if first == DASH or KIND[first] & DIGIT:
        return np.int64(INT if classify_value(text, at, end - at) == INT else NUMBER)
    if first == TRUE or first == FALSE:
        return np.int64(BOOLEAN)
    return np.int64(NULL if first == NOTHING else LITERAL)


@kernel
def kind_of_key(bodies, at, end):
    """LITERAL for a key that is a name; the class of one that is itself a value, as in maps of users or orders."""
    kind = classify_value(bodies, at, end - at)
    if kind != LITERAL:
        return np.int64(kind)
    digits = 0
    for k in range(at, end):
        digits += KIND[bodies[k]] & DIGIT
    return np.int64(TEXT if digits >= KEY_DIGITS else LITERAL)


@kernel
def enter_key(arena, name, length, bodies, at, end):
    """Append a key to the path arena[name : name + length]: its length, cut at NAME_LIMIT. Keys that are values: `{class}`."""
    if length > 0 and length < NAME_LIMIT:
        arena[name + length] = DOT
        length += 1
    kind = kind_of_key(bodies, at, end)
    if kind != LITERAL:
        if length + CLASS_LENGTHS[kind] <= NAME_LIMIT:
            copy(arena, name + length, CLASS_TEXTS, kind * 16, CLASS_LENGTHS[kind])
            length += CLASS_LENGTHS[kind]
        return length
    taken = max(np.int64(0), min(end - at, NAME_LIMIT - length))
    copy(arena, name + length, bodies, at, taken)
    return length + taken


@kernel
def note_leaf(values, count, row, location, bodies, at, end, quoted, leaf, leaf_end, arena, name, name_len, used):
    """Append the value bodies[at:end] of the key path arena[name:]; leaf: its last key, in bodies. (count, used)"""
    kind = classify_value(bodies, at, end - at) if quoted else bare_class(bodies, at, end)
    secret = secret_by_name(name_hash(bodies, leaf, leaf_end - leaf))
    if secret == HARMLESS:
        secret = secret_by_value(bodies, at, end - at, kind)
    note_value(values, count, row, kind, secret, location, name_hash(arena, name, name_len), bodies, at, end)
    value = values[count]
    value["exposed"] = exposed_class(bodies, at, end - at, kind, quoted, body_name_hash(bodies, leaf, leaf_end - leaf))
    copy(arena, used, arena, name, name_len)
    value["name_at"] = used
    value["name_len"] = name_len
    used += name_len
    value["at"] = used
    shown = min(end - at, TEXT_BYTES)
    copy(arena, used, bodies, at, shown)
    return count + 1, used + shown
