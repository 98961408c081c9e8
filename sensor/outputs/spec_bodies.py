"""Documented schemas of bodies against the keys that real bodies had: undocumented properties, types, missing ones."""

from collections.abc import Iterator
from typing import Any

from sensor.outputs.documents import as_list, resolve
from sensor.outputs.schema_tree import CLASS_KEY, ELEMENTS, tokens_of

Row = dict[str, Any]
DEEPEST = 64
"""Schemas within schemas (allOf, anyOf, oneOf) that are opened."""
SHOWN = 20
"""Findings of one body; a document that is of another API would have hundreds."""
COVERS = {"number": {"integer"}}
"""Types that take in another."""


def body_findings(document: Row, operation: Row, fields: list[Row]) -> Iterator[tuple[str, str]]:
    """(kind, detail) of each departure. operation: as documented; fields: rows of `schema_fields` of one endpoint."""
    bodies: dict[tuple[str, int], list[Row]] = {}
    for row in fields:
        bodies.setdefault((row["side"], row["status"]), []).append(row)
    for (side, status), rows in sorted(bodies.items()):
        schema = _documented(document, operation, side, status)
        what = "requests" if side == "request" else f"answers {status}"
        if schema is not None:
            yield from list(_compared(document, schema, rows, what))[:SHOWN]


def _documented(document: Row, operation: Row, side: str, status: int) -> Row | None:
    """The schema of a body; None where nothing is said of it."""
    if side == "request":
        body = resolve(document, operation.get("requestBody"))
        if not body and "swagger" in document:
            for one in as_list(operation.get("parameters")):
                one = resolve(document, one)
                if one.get("in") == "body":
                    return one.get("schema")
    else:
        responses = resolve(document, operation.get("responses"))
        keys = [str(status), f"{status // 100}XX", f"{status // 100}xx", "default"]
        by_name = {str(key): value for key, value in responses.items()}
        body = resolve(document, next((by_name[key] for key in keys if key in by_name), None))
        if "schema" in body:  # Swagger 2.0
            return body["schema"]
    content = body.get("content")
    if not isinstance(content, dict):
        return None
    of_json = [value for kind, value in content.items() if "json" in str(kind) or "*" in str(kind)]
    return of_json[0].get("schema") if of_json and isinstance(of_json[0], dict) else None


def _compared(document: Row, schema: Any, rows: list[Row], what: str) -> Iterator[tuple[str, str]]:
    unknown: set[tuple[str, ...]] = set()
    seen: dict[tuple[str, ...], list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row["path"], row["type"])):
        tokens = tuple(tokens_of(row["path"]))
        seen.setdefault(tokens, []).append(row)
        if any(tokens[: len(known)] == known for known in unknown):
            continue
        found = _at(document, schema, tokens)
        if found is None:
            unknown.add(tokens)
            yield "property", f"{row['path']} in {row['bodies']} of {row['total']} {what}"
            continue
        types = set().union(*(_types(one) for one in found)) if all(_types(one) for one in found) else set()
        kind = "integer" if row["type"] == "number" and row["integers"] else row["type"]
        if types and kind not in types and not any(kind in COVERS.get(one, ()) for one in types):
            name = row["path"] or "the body"
            yield "type", f"{name} of {what} is documented as {', '.join(sorted(types))}, and was {kind} in {row['bodies']}"
    yield from _missing(document, schema, seen, what)


def _missing(document: Row, schema: Any, seen: dict[tuple[str, ...], list[Row]], what: str) -> Iterator[tuple[str, str]]:
    """Properties that are documented as required, of objects that did not all have them."""
    for tokens, rows in seen.items():
        objects = [row for row in rows if row["type"] == "object"]
        if not objects or objects[0]["partial"]:
            continue
        needed: set[str] = set()
        for one in _parts(document, _at(document, schema, tokens) or []):
            needed |= {name for name in as_list(one.get("required")) if isinstance(name, str)}
        for name in sorted(needed):
            had = seen.get((*tokens, name), [])
            if not any(row["required"] for row in had):
                times = max((row["bodies"] for row in had), default=0)
                path = f"{objects[0]['path']}.{name}".removeprefix(".")
                yield "missing", f"{path} is documented as required, and was in {times} of {objects[0]['bodies']} {what}"


def _open(document: Row, schemas: list[Any]) -> list[Row]:
    """Schemas with those that they are made of or choose from, references followed; empty ones among them allow anything."""
    waiting = list(schemas)
    found: list[Row] = []
    while waiting and len(found) < DEEPEST:
        schema = resolve(document, waiting.pop(0))
        found.append(schema)
        for name in ("allOf", "anyOf", "oneOf"):
            waiting += as_list(schema.get(name))
    return found


def _parts(document: Row, schemas: list[Any]) -> list[Row]:
    """The one schema, with those that all hold (allOf); none where there is a choice."""
    found = _open(document, schemas)
    return [] if len(schemas) != 1 or any("anyOf" in one or "oneOf" in one for one in found) else found


def _at(document: Row, schema: Any, tokens: tuple[str, ...]) -> list[Row] | None:
    """What is documented at a key path: schemas of which one applies, an empty list for anything, None for nothing."""
    here = [schema]
    for token in tokens:
        opened = _open(document, here)
        found = [_below(one, token) for one in opened]
        if any(one is None for one in found):
            return []
        here = [schema for one in found for schema in one or ()]
        if not here:
            says_something = any("properties" in one or "items" in one or "additionalProperties" in one for one in opened)
            return None if says_something else []
    return _open(document, here)


def _below(schema: Row, token: str) -> list[Any] | None:
    """What a schema says of a key, or of the elements of a list; None: anything goes."""
    if token == ELEMENTS:
        items = schema.get("items", False)
        return [items] if isinstance(items, dict) else [] if items is False else None
    properties = schema.get("properties")
    if isinstance(properties, dict) and token in properties:
        return [properties[token]] if isinstance(properties[token], dict) else None
    if "patternProperties" in schema or (CLASS_KEY.fullmatch(token) and isinstance(properties, dict)):
        return None
    extra = schema.get("additionalProperties", False)
    return [extra] if isinstance(extra, dict) and extra else [] if extra is False else None


def _types(schema: Row) -> set[str]:
    """Types that a schema names; empty for those which allow any, or say it in another way."""
    kind = schema.get("type")
    types = {kind} if isinstance(kind, str) else {one for one in as_list(kind) if isinstance(one, str)}
    if types and schema.get("nullable") is True:
        types.add("null")
    return types
