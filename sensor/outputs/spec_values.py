"""Documented schemas of single values against what was observed of them: classes, lengths and few words, never a value."""

import urllib.parse
from typing import Any

from sensor.outputs.documents import as_list
from sensor.outputs.openapi_schemas import DATE_BYTES

Row = dict[str, Any]
FITTING = {"integer": {"int"}, "number": {"int", "number"}, "boolean": {"boolean", "word", "int"}}
"""Classes of values that fit a type of a schema; a string takes any."""
LONGEST_BOOLEAN = {"word": len("false"), "int": 1}
"""Bytes of the longest word, and of the longest number, that stand for a boolean."""
FORMATS = {"uuid": "uuid", "date": "date", "date-time": "date", "email": "email", "ipv4": "ip"}
"""Formats of strings, and the class that their values have."""


def type_of(schema: Row) -> str:
    """The one type that a schema names, whether null is allowed beside it or not; empty for none or several."""
    kind = schema.get("type", "")
    if isinstance(kind, list):
        kinds = [one for one in kind if one != "null"]
        kind = kinds[0] if len(kinds) == 1 else ""
    return kind if isinstance(kind, str) else ""


def departure(schema: Row, one: Row) -> str:
    """In what way values of a parameter (a row of `endpoint_parameters`) are not what its schema says; empty: in none."""
    kind, types = type_of(schema), set(one["types"])
    if one["shortest"] == 0:
        types.discard("word")  # a field that was left empty
    others = sorted(types - FITTING[kind]) if kind in FITTING else []
    if others:
        return f"is documented as {kind}, and values of type {', '.join(others)} were served"
    if kind == "boolean" and one["longest"] > max((LONGEST_BOOLEAN.get(name, 5) for name in types), default=5):
        return f"is documented as boolean, and values of {one['longest']} bytes were served"
    form = schema.get("format")
    if kind == "string" and isinstance(form, str) and form in FORMATS:
        return _departure_of_format(form, types, one)
    allowed = as_list(schema.get("enum"))
    if not all(isinstance(name, str) for name in allowed):
        return ""  # YAML takes `no` for false: which word was meant is not known
    strangers = sorted({urllib.parse.unquote_plus(word) for word in one["values"]} - {*allowed}) if allowed else []
    return f"is documented as one of {', '.join(allowed)}, and took {', '.join(strangers)}" if strangers else ""


def _departure_of_format(name: str, types: set[str], one: Row) -> str:
    others = sorted(types - {FORMATS[name]})
    if not others and name == "date" and one["longest"] > DATE_BYTES:
        others = ["date-time"]
    if not others and name == "date-time" and 0 < one["shortest"] <= DATE_BYTES:
        others = ["date"]
    return f"is documented as {name}, and values of type {', '.join(others)} were served" if others else ""
