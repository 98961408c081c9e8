"""Quoted strings of JSON (RFC 8259 7), as parsers and inventory walk over them."""

from sensor.core.jit import kernel

QUOTE, BACKSLASH = 34, 92


@kernel
def string_end(text, at, end):
    """Offset of the quote that ends the string whose first character is text[at]; `end` when it is cut off."""
    while at < end and text[at] != QUOTE:
        at += 2 if text[at] == BACKSLASH else 1
    return min(at, end)
