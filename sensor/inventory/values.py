"""One parameter of one request: the layout in which the inventory hands values on, and where they stood."""

import numpy as np

from sensor.core.jit import kernel

VALUE = np.dtype([
    ("row", "<u4"),       # row of the batch
    ("kind", "u1"),       # class in lexical.CLASSES
    ("secret", "u1"),     # class in sensitive.SENSITIVE that it may be: it is not to be shown
    ("exposed", "u1"),    # class in sensitive.SENSITIVE that it is taken for
    ("location", "u1"),   # one of LOCATIONS
    ("weight", "u1"),     # requests for which it stands, where only some are looked at
    ("slot", "<u8"),      # what parameter: number of the path's segment, or hash of the name or key path
    ("hash", "<u8"),      # of the value
    ("number", "<i8"),    # value of an INT, else -1
    ("name_at", "<u4"), ("name_len", "<u4"),  # query and body: the parameter's name, in the batch's arena
    ("at", "<u4"), ("len", "<u4"),            # the value there, as on the wire; of a long one in a body only the beginning
])  # fmt: skip

LOCATIONS = ("path", "query", "body", "response", "header", "cookie", "response_header")
IN_PATH, IN_QUERY, IN_BODY, IN_RESPONSE, IN_HEADER, IN_COOKIE, IN_ANSWER_HEADER = range(len(LOCATIONS))

VALUES_OF_PATH, VALUES_OF_QUERY, VALUES_OF_BODY = 8, 16, 16
VALUES_OF_ANSWER = 48
"""Of the sample of a response; handed to nobody but the parameters."""
VALUES_OF_FIELDS = 32
"""Of the header fields and cookies of a request, and of the header fields of an answer; the same."""
VALUES_PER_ROW = VALUES_OF_PATH + VALUES_OF_QUERY + VALUES_OF_BODY
EQUALS, AMPERSAND = 61, 38


@kernel
def find_in(arena, at, end, byte):
    """Offset of the first such byte in arena[at:end]; `end` when there is none."""
    while at < end and arena[at] != byte:
        at += 1
    return at


@kernel
def count_once(values, first, count):
    """Let the last of values[first:count] stand for no request where one before it is of the same parameter."""
    last = values[count - 1]
    for k in range(first, count - 1):
        if values[k]["slot"] == last["slot"] and values[k]["location"] == last["location"]:
            last["weight"] = 0
            return
