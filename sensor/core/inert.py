"""Text from the wire that acts nowhere: not on a terminal, not in a spreadsheet, not on a reader of lines."""

import re
from typing import Any

import msgspec

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters of what spreadsheets run (OWASP, CSV injection)."""
_ACTING = re.compile(
    "[\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b-\u200f\u2028-\u202f\u205f-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""What JSON leaves as it is although it controls something: C1, separators of lines, directions and joints of text."""


def inert(value: Any) -> str:
    """A value as one line of printable text; control and format characters as \\x1b or \\u202e, so that none acts."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        value = ", ".join(f"{key}={item}" for key, item in value.items())
    elif isinstance(value, (list, tuple)):
        value = ", ".join(map(str, value))
    text = str(value)
    return text if text.isprintable() else "".join(c if c.isprintable() else _escape(ord(c)) for c in text)


def cell(text: str) -> str:
    """A text for a spreadsheet: printable, and a formula becomes a text."""
    return "'" + inert(text) if text.startswith(FORMULA) else inert(text)


def inert_json(value: Any) -> bytes:
    """A value as JSON in which nothing acts."""
    return inert_bytes(msgspec.json.encode(value))


def inert_bytes(encoded: bytes) -> bytes:
    """JSON with what would act written as \\u202e; it means the same."""
    if encoded.isascii() and b"\x7f" not in encoded:
        return encoded
    return _ACTING.sub(_unit, encoded.decode()).encode()


def _escape(code: int) -> str:
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 1 << 16 else f"\\U{code:08x}"


def _unit(match: re.Match[str]) -> str:
    """UTF-16 code units, as RFC 8259 writes characters beyond the basic plane."""
    units = match[0].encode("utf-16-be").hex()
    return "".join(f"\\u{units[k : k + 4]}" for k in range(0, len(units), 4))
