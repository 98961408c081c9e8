"""Keys of bodies, as the view `schema_fields` has them, put together to JSON Schemas (draft 2020-12, as OpenAPI 3.1 has it)."""

import dataclasses
import re
from typing import Any

Row = dict[str, Any]
TOKEN = re.compile(r"\[\]|(?:\\.|[^.\[\\])+|\[")
"""A part of a key path: the elements of a list, or a key, whose dots, brackets and backslashes are escaped."""
ELEMENTS = "\0"
"""In place of a key: what stands in a list. No key that is told has this character."""
CLASS_KEY = re.compile(r"\{[a-z0-9]+\}")
ALTERNATIVES = 16
"""Schemas of one body that are told apart; more say nothing."""


@dataclasses.dataclass
class Node:
    """What stands at one key path."""

    rows: dict[str, Row] = dataclasses.field(default_factory=dict)
    """by type"""
    properties: dict[str, "Node"] = dataclasses.field(default_factory=dict)
    items: "Node | None" = None


def tokens_of(path: str) -> list[str]:
    """`items[].price` as its parts, `items`, ELEMENTS and `price`, nothing escaped any more; `\\e` is the empty key."""
    return [
        ELEMENTS if token == "[]" else re.sub(r"\\(.)", lambda found: "" if found[1] == "e" else found[1], token)
        for token in TOKEN.findall(path)
    ]


def tree_of(fields: list[Row]) -> Node:
    """The keys of one body (rows of `schema_fields`) as a tree."""
    root = Node()
    for row in fields:
        node = root
        for token in tokens_of(row["path"]):
            if token == ELEMENTS:
                node.items = node.items or Node()
                node = node.items
            else:
                node = node.properties.setdefault(token, Node())
        node.rows[row["type"]] = row
    return root


def json_schema(node: Node, leaves: dict[str, Row], name: str = "") -> Row:
    """The schema of what stands at a key path. leaves: schemas of strings, and notes, by dotted name without list marks."""
    types = sorted(kind for kind in node.rows)
    names = ["integer" if kind == "number" and node.rows[kind]["integers"] else kind for kind in types]
    schema: Row = {"type": names[0] if len(names) == 1 else names} if names else {}
    leaf = leaves.get(name, {})
    if types == ["string"] and leaf.get("type") in ("string", ["string", "null"]):
        schema |= {key: value for key, value in leaf.items() if key != "type"}
    schema |= {key: value for key, value in leaf.items() if key.startswith("x-")}
    if "object" in types:
        schema |= _properties(node, leaves, name)
    if "array" in types:
        schema["items"] = json_schema(node.items, _notes_of(leaves), name) if node.items else {}
    return schema


def _notes_of(leaves: dict[str, Row]) -> dict[str, Row]:
    """Within lists: of their elements the first alone was looked at, so that what holds for it may not hold for others."""
    return {name: {key: value for key, value in leaf.items() if key.startswith("x-")} for name, leaf in leaves.items()}


def _properties(node: Node, leaves: dict[str, Row], name: str) -> Row:
    found: Row = {}
    for key, child in sorted(node.properties.items()):
        schema = json_schema(child, leaves, f"{name}.{key}" if name else key)
        if CLASS_KEY.fullmatch(key):  # a map: its keys are values
            found["additionalProperties"] = either(found.get("additionalProperties"), schema)
            continue
        found.setdefault("properties", {})[key] = schema
        if any(row["required"] for row in child.rows.values()):
            found.setdefault("required", []).append(key)
    return found


def either(one: Row | None, other: Row | None) -> Row:
    """A schema that both fit; an empty one where nothing is known of either, or there are too many."""
    if one is None or one == other:
        return other or {}
    if not one or not other:
        return {}
    choices: list[Row] = []
    for schema in (one, other):
        choices += [choice for choice in schema.get("anyOf", [schema]) if choice not in choices]
    return {"anyOf": choices} if len(choices) <= ALTERNATIVES else {}
