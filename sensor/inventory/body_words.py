"""What stands out in the text of a body without fields (XML, plain text, CSV), word by word, as VALUE rows."""

import numpy as np

from sensor.core.hashing import U
from sensor.core.jit import kernel
from sensor.core.sensitive import CARD, HARMLESS
from sensor.core.wide import load_le64
from sensor.inventory.lexical import INT, classify_value
from sensor.inventory.targets import note_value
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
    slot = U(max(exposed, CARD) if lexical == INT else exposed)
    note_value(values, count, row, lexical, exposed, location, slot, bodies, at, end)
    values[count]["number"] = -1
    values[count]["at"] = 0
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
