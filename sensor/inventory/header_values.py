"""Values of header fields that few clients and servers send, and of cookies, as VALUE rows for the parameters of endpoints.

Nobody else is handed them: a field that numbers requests would be an enumeration to a detector, and a cookie is nobody's slot.
"""

import numpy as np

from sensor.core.jit import kernel
from sensor.core.records import PACKED_COOKIE, PACKED_PREFIX
from sensor.core.sensitive import API_KEY, HARMLESS, NO_KEYS
from sensor.core.words import ends_with_one_of, holds_one_of, words_table
from sensor.inventory.lexical import TEXT, classify_value
from sensor.inventory.parameters import SERVED_FROM, SERVED_TO
from sensor.inventory.personal import body_name_hash, exposed_class
from sensor.inventory.secrets import name_hash, secret_by_name, secret_by_value
from sensor.inventory.targets import note_value
from sensor.inventory.values import IN_ANSWER_HEADER, IN_COOKIE, IN_HEADER, VALUES_OF_FIELDS, count_once

KEY_ENDS = words_table("-key", "-token")


@kernel
def names_key(arena, name, end):
    """Whether a field is called as those are that hold an application's key or token."""
    return ends_with_one_of(arena, name, end, KEY_ENDS) and not holds_one_of(arena, name, end, NO_KEYS)


@kernel
def note_named(values, count, row, location, weight, arena, name, name_len, at, end, sent):
    """Append the value arena[at:end] of a field or cookie; `sent`: its bytes on the wire, of which these may be a part."""
    kind = classify_value(arena, at, end - at) if sent == end - at else np.int64(TEXT)
    slot = name_hash(arena, name, name_len)
    secret = secret_by_name(slot)
    if secret == HARMLESS and location != IN_COOKIE and names_key(arena, name, name + name_len):
        secret = np.int64(API_KEY)
    if secret == HARMLESS:
        secret = secret_by_value(arena, at, end - at, kind)
    note_value(values, count, row, kind, secret, location, slot, arena, at, end)
    value = values[count]
    if secret == HARMLESS:
        value["exposed"] = exposed_class(arena, at, end - at, kind, True, body_name_hash(arena, name, name_len))
    value["weight"] = weight
    value["name_at"] = name
    value["name_len"] = name_len
    value["len"] = sent
    return count + 1


@kernel
def read_packed(arena, at, end, row, weight, location, values, count, limit):
    """The packed fields arena[at:end] of one head: the number of values. What is there twice counts once.

    location: of those that are no cookies.
    """
    first = count
    while at + PACKED_PREFIX < end and count < limit:
        mark = np.int64(arena[at])
        length = mark & ~PACKED_COOKIE
        sent = np.int64(arena[at + 1]) | np.int64(arena[at + 2]) << 8
        name = at + PACKED_PREFIX
        value = name + length
        at = value + np.int64(arena[at + 3])
        if at > end:
            break
        if at > value:
            where = IN_COOKIE if mark & PACKED_COOKIE else location
            count = note_named(values, count, row, where, weight, arena, name, length, value, at, sent)
            count_once(values, first, count)
    return count


@kernel
def read_fields(arena, rows, values):
    """Values of header fields and cookies of served rows, as many as there is room for: (rows taken, values).

    Only rows that are looked at. values: VALUE[>= 2 * VALUES_OF_FIELDS].
    """
    count = np.int64(0)
    for index in range(rows.shape[0]):
        row = rows[index]
        if row["looked"] == 0 or not SERVED_FROM <= row["status"] < SERVED_TO:
            continue
        if count + 2 * VALUES_OF_FIELDS > values.shape[0]:
            return np.int64(index), count
        at, weight = np.int64(row["fields_at"]), row["looked"]
        end = at + np.int64(row["fields_len"])
        count = read_packed(arena, at, end, index, weight, IN_HEADER, values, count, count + VALUES_OF_FIELDS)
        at = np.int64(row["answer_fields_at"])
        end = at + np.int64(row["answer_fields_len"])
        count = read_packed(arena, at, end, index, weight, IN_ANSWER_HEADER, values, count, count + VALUES_OF_FIELDS)
    return np.int64(rows.shape[0]), count
