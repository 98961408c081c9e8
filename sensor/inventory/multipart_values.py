"""Fields of multipart/form-data (RFC 7578). The boundary is read off the body itself, which begins with it.

Files are not looked at: what they are called and what is in them is theirs.
"""

import numpy as np

from sensor.core.jit import kernel
from sensor.core.words import begins_with, words_table
from sensor.inventory.body_leaves import enter_key, note_leaf
from sensor.inventory.values import IN_BODY, VALUES_OF_BODY, count_once, find_in

DASH, LINE, RETURN, MARK, SEMICOLON, BLANK = 45, 10, 13, 34, 59, 32
LONGEST_DELIMITER = 72
"""`--` and a boundary of up to 70 bytes (RFC 2046 5.1.1)."""
DISPOSITION, NAME, FILENAME = words_table("content-disposition:", "name=", "filename")
"""What the line begins with that names a part; what its name stands behind; what a file has."""


@kernel
def delimiter_end(text, at, end):
    """Offset behind the delimiter that a body begins with; `at` where it begins with none."""
    stop = at
    while stop < end and text[stop] > BLANK and stop - at <= LONGEST_DELIMITER:
        stop += 1
    is_one = 2 < stop - at <= LONGEST_DELIMITER and stop < end and text[at] == DASH and text[at + 1] == DASH
    return stop if is_one else at


@kernel
def is_same(text, at, other, length):
    """Whether the same bytes stand at two offsets."""
    k = 0
    while k < length and text[at + k] == text[other + k]:
        k += 1
    return k == length


@kernel
def next_delimiter(text, at, end, first, length):
    """Offset of the next line that begins as text[first : first + length] does; `end` where there is none."""
    while at + length <= end:
        if text[at] == DASH and text[at - 1] == LINE and is_same(text, at, first, length):
            return at
        at += 1
    return end


@kernel
def name_of_part(text, at, end):
    """(offset of the name of a part, its end) in the line text[at:end]; (0, 0) in one without a name, and of a file."""
    name, name_end = np.int64(0), np.int64(0)
    if not begins_with(text, at, end, DISPOSITION):
        return name, name_end
    at = find_in(text, at, end, SEMICOLON)
    while at < end:
        at += 1
        while at < end and text[at] == BLANK:
            at += 1
        if begins_with(text, at, end, FILENAME):
            return np.int64(0), np.int64(0)
        stop = find_in(text, at, end, SEMICOLON)
        if begins_with(text, at, end, NAME):
            name = at + 5
            name_end = stop
            if name < end and text[name] == MARK:
                name += 1
                name_end = find_in(text, name, end, MARK)
                stop = find_in(text, name_end, end, SEMICOLON)
        at = stop
    return name, name_end


@kernel
def read_head(text, at, end):
    """(offset behind the head of a part, offset of its name, the name's end); -1 where the head does not end."""
    name, name_end = np.int64(0), np.int64(0)
    while at < end:
        stop = find_in(text, at, end, LINE)
        if stop >= end:
            break
        line_end = stop - 1 if stop > at and text[stop - 1] == RETURN else stop
        if line_end == at:
            return stop + 1, name, name_end
        found, found_end = name_of_part(text, at, line_end)
        if found > 0:
            name, name_end = found, found_end
        at = stop + 1
    return np.int64(-1), name, name_end


@kernel
def read_multipart_values(bodies, at, end, row, values, count, arena, used, scratch):
    """Fields of the body bodies[at:end] that are there whole: (number of values, bytes of the arena used)."""
    first, begin = count, at
    length = delimiter_end(bodies, at, end) - at
    part = at
    while length > 0 and part < end and count - first < VALUES_OF_BODY:
        at = find_in(bodies, part + length, end, LINE) + 1
        if at >= end or bodies[part + length] == DASH:
            break
        at, name, name_end = read_head(bodies, at, end)
        if at < 0:
            break
        part = next_delimiter(bodies, at, end, begin, length)
        if part >= end:
            break  # cut off: a part of a value is another value
        stop = part - 2 if part - 2 >= at and bodies[part - 2] == RETURN else part - 1
        if name_end > name and stop > at:
            size = enter_key(arena, scratch, np.int64(0), bodies, name, name_end)
            count, used = note_leaf(
                values, count, row, IN_BODY, bodies, at, stop, True, name, name_end, arena, scratch, size, used
            )
            count_once(values, first, count)
    return count, used
