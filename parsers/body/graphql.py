"""GraphQL documents (spec.graphql.org, October 2021, 2): the operation's type, name and root fields, its depth and its aliases.

A walk over tokens, which checks no grammar beyond what it needs, ends where the text ends, and costs one pass.
"""

import numpy as np

from sensor.core.jit import kernel
from sensor.core.records import OPERATION
from sensor.core.wide import copy

END, NAME, SPREAD, STRING, MARK = range(5)
"""Kinds of tokens; MARK: any other character, told by itself."""
QUOTE, BACKSLASH, HASH, OPEN_PAREN, CLOSE_PAREN = 34, 92, 35, 40, 41
DOT, COLON, AT, OPEN, CLOSE, COMMA = 46, 58, 64, 123, 125, 44
QUERY, MUTATION, SUBSCRIPTION = OPERATION["query"], OPERATION["mutation"], OPERATION["subscription"]
NAME_LIMIT, FIELDS_LIMIT = 64, 192
"""Bytes kept of a name, and of the root fields together."""

LETTER = np.zeros(256, np.uint8)
"""1 for characters that begin a name, 2 for digits, which go on with it."""
for _character in b"_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ":
    LETTER[_character] = 1
for _character in b"0123456789":
    LETTER[_character] = 2
KEYWORDS = np.zeros((4, 16), np.uint8)
KEYWORD_LENGTHS = np.array([5, 8, 12, 8])
KEYWORD_TYPES = np.array([QUERY, MUTATION, SUBSCRIPTION, 0])
for _row, _keyword in zip(KEYWORDS, (b"query", b"mutation", b"subscription", b"fragment"), strict=True):
    _row[: len(_keyword)] = list(_keyword)

DOCUMENT = np.dtype([
    ("type", "<i8"),      # OPERATION, 0 when there is none
    ("name_at", "<i8"), ("name_len", "<i8"),
    ("fields_len", "<i8"),  # bytes of the root fields' names
    ("depth", "<i8"), ("aliases", "<i8"),
])  # fmt: skip
"""What a document says. Depth and aliases are the largest of its definitions, fragments among them."""


@kernel
def skip_string(text, at, end):
    """Offset behind the string that begins at `at`, of one or of three quotes."""
    if end - at >= 3 and text[at + 1] == QUOTE and text[at + 2] == QUOTE:
        at += 3
        while at < end and not (text[at] == QUOTE and end - at >= 3 and text[at + 1] == QUOTE and text[at + 2] == QUOTE):
            at += 2 if text[at] == BACKSLASH else 1
        return min(at + 3, end)
    at += 1
    while at < end and text[at] != QUOTE and text[at] != 10:
        at += 2 if text[at] == BACKSLASH else 1
    return min(at + 1, end)


@kernel
def next_token(text, at, end):
    """The token at or behind `at`: (kind, its begin, its end)."""
    while at < end:
        byte = text[at]
        if byte == HASH:
            while at < end and text[at] != 10 and text[at] != 13:
                at += 1
        elif byte <= 32 or byte == COMMA or byte >= 128:
            at += 1
        else:
            break
    if at >= end:
        return END, end, end
    byte = text[at]
    if LETTER[byte] == 1:
        stop = at + 1
        while stop < end and LETTER[text[stop]]:
            stop += 1
        return NAME, at, stop
    if byte == QUOTE:
        return STRING, at, skip_string(text, at, end)
    if byte == DOT and end - at >= 3 and text[at + 1] == DOT and text[at + 2] == DOT:
        return SPREAD, at, at + 3
    return MARK, at, at + 1


@kernel
def keyword_of(text, at, end):
    """Number of the keyword text[at:end] that begins a definition, -1 when it is none."""
    for k in range(KEYWORDS.shape[0]):
        if KEYWORD_LENGTHS[k] == end - at:
            same = True
            for i in range(end - at):
                same &= text[at + i] == KEYWORDS[k, i]
            if same:
                return k
    return -1


@kernel
def add_field(text, at, end, target, to, used):
    """Append a root field's name to those at target[to : to + used], unless it is there: their bytes then."""
    size = min(end - at, NAME_LIMIT)
    start = to
    while start < to + used:
        stop = start
        while stop < to + used and target[stop] != COMMA:
            stop += 1
        same = stop - start == size
        for i in range(size if same else 0):
            same &= target[start + i] == text[at + i]
        if same:
            return used
        start = stop + 1
    if used + size + 1 > FIELDS_LIMIT:
        return used
    if used > 0:
        target[to + used] = COMMA
        used += 1
    copy(target, to + used, text, at, size)
    return used + size


@kernel
def skip_arguments(text, at, end):
    """Offset behind the parenthesis that closes the one before `at`."""
    depth = 1
    while depth > 0:
        kind, at, stop = next_token(text, at, end)
        if kind == END:
            return end
        if kind == MARK and text[at] == OPEN_PAREN:
            depth += 1
        elif kind == MARK and text[at] == CLOSE_PAREN:
            depth -= 1
        at = stop
    return at


@kernel
def skip_condition(text, at, end):
    """Offset behind what a spread names: a fragment, or `on` and a type; nothing where it spreads a selection."""
    kind, begin, stop = next_token(text, at, end)
    if kind != NAME:
        return at
    if stop - begin == 2 and text[begin] == 111 and text[begin + 1] == 110:  # "on"
        kind, begin, after = next_token(text, stop, end)
        return after if kind == NAME else stop
    return stop


@kernel
def read_selection(text, at, end, target, to, document):
    """Walk through a selection set behind its brace, root fields written to target[to:].

    Returns the offset behind it, bytes of the root fields, and whether it selects anything.
    """
    depth, deepest, aliases, used, filled = 1, 1, 0, np.int64(0), False
    while depth > 0:
        kind, at, stop = next_token(text, at, end)
        if kind == END:
            break
        if kind == NAME:
            after, colon, behind = next_token(text, stop, end)
            if after == MARK and text[colon] == COLON:
                aliases += 1
                after, at, stop = next_token(text, behind, end)
                if after != NAME:
                    continue
            filled = True
            if depth == 1:
                used = add_field(text, at, stop, target, to, used)
        elif kind == SPREAD:
            filled = True
            stop = skip_condition(text, stop, end)
        elif kind == MARK:
            if text[at] == OPEN:
                depth += 1
                deepest = max(deepest, depth)
            elif text[at] == CLOSE:
                depth -= 1
            elif text[at] == OPEN_PAREN:
                stop = skip_arguments(text, stop, end)
            elif text[at] == AT:  # a directive's name is no field
                after, _, stop = next_token(text, stop, end)
            else:  # nothing else stands there: it is another language
                return end, np.int64(0), False
        elif kind == STRING:
            return end, np.int64(0), False
        at = stop
    document["depth"] = max(document["depth"], deepest)
    document["aliases"] = max(document["aliases"], aliases)
    return at, used, filled


@kernel
def selection_begin(text, at, end):
    """Offset behind the brace that opens a definition's selection, -1 when there is none."""
    while True:
        kind, at, stop = next_token(text, at, end)
        if kind == END:
            return np.int64(-1)
        if kind == MARK and text[at] == OPEN:
            return stop
        if kind == MARK and text[at] == OPEN_PAREN:
            stop = skip_arguments(text, stop, end)
        at = stop


@kernel
def is_wanted(text, begin, stop, wanted, wanted_at, wanted_len):
    """Whether an operation is the one that the request names."""
    if stop - begin != wanted_len:
        return False
    for k in range(wanted_len):
        if text[begin + k] != wanted[wanted_at + k]:
            return False
    return True


@kernel
def read_document(text, at, end, wanted, wanted_at, wanted_len, target, to, document):
    """Read the document text[at:end] into `document` (DOCUMENT), root fields to target[to:]: False when it is none.

    wanted: name of the operation that is asked for, where there are several; without one the first counts.
    """
    document["type"] = 0
    document["name_len"] = 0
    document["fields_len"] = 0
    document["depth"] = 0
    document["aliases"] = 0
    while at < end:
        kind, at, stop = next_token(text, at, end)
        if kind == END:
            break
        begin, name_end = at, at
        found = QUERY
        if kind == NAME:
            keyword = keyword_of(text, at, stop)
            if keyword < 0:
                break
            found = KEYWORD_TYPES[keyword]
            kind, begin, name_end = next_token(text, stop, end)
            if kind != NAME:
                begin, name_end = stop, stop
            stop = selection_begin(text, name_end, end)
            if stop < 0:
                break
        elif kind != MARK or text[at] != OPEN:
            break
        chosen = found != 0 and (
            document["type"] == 0 or (wanted_len > 0 and is_wanted(text, begin, name_end, wanted, wanted_at, wanted_len))
        )
        # what is not chosen is walked through for its depth; its fields go where the next ones will overwrite them
        at, used, filled = read_selection(text, stop, end, target, to if chosen else to + FIELDS_LIMIT, document)
        if chosen and filled:
            document["type"] = found
            document["name_at"] = begin
            document["name_len"] = name_end - begin
            document["fields_len"] = used
    return document["type"] > 0
