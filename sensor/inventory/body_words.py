"""What stands out in the text of a body without fields (XML, plain text, CSV), word by word, as VALUE rows."""

import numpy as np

from sensor.core.hashing import U, hash_bytes
from sensor.core.jit import kernel
from sensor.core.sensitive import CARD, HARMLESS
from sensor.core.wide import load_le64
from sensor.inventory.lexical import INT, classify_value
from sensor.inventory.value_forms import BEGIN_KEY, CARD_DIGITS, class_by_prefix, class_by_value

WORD_SHORTEST, WORD_LONGEST = 9, 2_048
"""Bytes of what may be sensitive in text without fields: a SSN without its dashes is the shortest."""
DOT = 46
WORD_BYTE = np.zeros(256, np.uint8)
WORD_BYTE[list(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@._+-%")] = 1
"""What the words of a text are made of."""


@kernel
def note_word(values, count, row, location, bodies, at, end, lexical, exposed):
    """Append what stands out in a text without fields. Its class stands for its name."""
    value = values[count]
    value["row"] = row
    value["kind"] = lexical
    value["secret"] = exposed
    value["exposed"] = exposed
    value["location"] = location
    value["weight"] = 1
    value["slot"] = max(exposed, CARD) if lexical == INT else exposed
    value["hash"] = hash_bytes(bodies, at, end - at, U(11))
    value["number"] = -1
    value["name_at"] = 0
    value["name_len"] = 0
    value["at"] = 0
    value["len"] = end - at
    return count + 1


@kernel
def read_words(bodies, at, end, row, location, limit, values, count):
    """What is sensitive in a text, and long numbers that are not: a share of these passes for cards by chance. Their count."""
    first = count
    while at < end and count - first < limit:
        begin = at
        while at < end and WORD_BYTE[bodies[at]]:
            at += 1
        stop = at
        while stop > begin and bodies[stop - 1] == DOT:
            stop -= 1
        if WORD_SHORTEST <= stop - begin <= WORD_LONGEST:
            lexical = classify_value(bodies, begin, stop - begin)
            if load_le64(bodies, begin) == BEGIN_KEY:
                exposed = class_by_prefix(bodies, begin, end - begin)
            else:
                exposed = class_by_value(bodies, begin, stop - begin, lexical)
            if exposed != HARMLESS or (lexical == INT and stop - begin >= CARD_DIGITS):
                count = note_word(values, count, row, location, bodies, begin, stop, lexical, exposed)
        at += 1
    return count
