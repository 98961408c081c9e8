"""SOAP (1.1 and 1.2): the operation is the first element in the envelope's body, whatever the prefixes are."""

import numpy as np

from sensor.core.jit import kernel

LESS, GREATER, SLASH, COLON, QUESTION, EXCLAMATION, DASH = 60, 62, 47, 58, 63, 33, 45
ENVELOPE, BODY = np.frombuffer(b"Envelope", np.uint8), np.frombuffer(b"Body", np.uint8)
ENDS_NAME = np.array([chr(c) in " \t\r\n/>" for c in range(256)])


@kernel
def is_comment(text, at, end):
    """Whether a comment begins here."""
    return end - at >= 4 and text[at + 1] == EXCLAMATION and text[at + 2] == DASH and text[at + 3] == DASH


@kernel
def ends_comment(text, at):
    """Whether a comment ends with the character at `at`."""
    return text[at] == GREATER and text[at - 1] == DASH and text[at - 2] == DASH


@kernel
def next_element(text, at, end):
    """The start tag at or behind `at`: (begin and end of its local name); -1 when there is none."""
    while at < end:
        if text[at] == LESS and at + 1 < end:
            following = text[at + 1]
            if following != SLASH and following != QUESTION and following != EXCLAMATION:
                begin = at + 1
                stop = begin
                while stop < end and not ENDS_NAME[text[stop]]:
                    if text[stop] == COLON:
                        begin = stop + 1
                    stop += 1
                return (np.int64(begin), np.int64(stop)) if stop < end else (np.int64(-1), end)
            if is_comment(text, at, end):
                at += 4
                while at < end and not ends_comment(text, at):
                    at += 1
        at += 1
    return np.int64(-1), end


@kernel
def is_named(text, begin, stop, name):
    """Whether text[begin:stop] is a name."""
    if stop - begin != name.shape[0]:
        return False
    for k in range(name.shape[0]):
        if text[begin + k] != name[k]:
            return False
    return True


@kernel
def soap_operation(text, at, end):
    """The operation's name as (begin, end); -1 when this is no envelope, or what lies in its body is not seen."""
    begin, stop = next_element(text, at, end)
    if begin < 0 or not is_named(text, begin, stop, ENVELOPE):
        return np.int64(-1), end
    while begin >= 0:
        begin, stop = next_element(text, stop, end)
        if begin >= 0 and is_named(text, begin, stop, BODY):
            return next_element(text, stop, end)
    return np.int64(-1), end
