"""Schemas of parameters and of forms, by the classes of their values: types, ranges as notes, few words."""

from typing import Any

Row = dict[str, Any]
SCHEMAS: dict[str, Row] = {
    "int": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "uuid": {"type": "string", "format": "uuid"},
    "ip": {"type": "string", "format": "ipv4"},
    "ipv6": {"type": "string", "format": "ipv6"},
    "email": {"type": "string", "format": "email"},
    "hex": {"type": "string", "pattern": "^[0-9A-Fa-f]+$"},
    "objectid": {"type": "string", "pattern": "^[0-9A-Fa-f]{24}$"},
}
"""By the class of all values of a parameter; for all others a string of the lengths that were seen."""
REQUIRED_SHARE = 0.999
"""Share of the served requests that bear a parameter, from which on it is called required."""


DATE_BYTES, TIME_BYTES = len("2006-01-02"), len("2006-01-02T15:04:05Z")
"""Of a date, and of the shortest time that RFC 3339 has."""


def _date_of(one: Row) -> Row:
    """Schema of dates, whose lengths tell whether times are behind them; a mere string where some have one."""
    form = "date" if one.get("longest") == DATE_BYTES else "date-time" if one.get("shortest", 0) >= TIME_BYTES else ""
    return {"type": "string"} | ({"format": form} if form else {})


def schema_of(one: Row) -> Row:
    """Schema of a parameter by the classes of its values; a number with the range that was seen, as a note."""
    types = set(one.get("types") or ())
    if "null" in types:
        types.discard("null")
        schema = schema_of(one | {"types": sorted(types)}) if types else {}
        return schema | {"type": [schema["type"], "null"] if types else "null"}
    if len(types) == 1 and (kind := next(iter(types))) in SCHEMAS:
        schema = dict(SCHEMAS[kind])
    elif types == {"date"}:
        schema = _date_of(one)
    elif types and types <= {"int", "number"}:
        schema = {"type": "number"}
    else:
        schema = {"type": "string"} | ({"enum": one["values"]} if one.get("values") else {})
    if schema["type"] == "integer" and one.get("minimum") is not None:
        schema["x-tapwatch-range"] = [one["minimum"], one["maximum"]]
    return schema


def notes_of(one: Row) -> Row:
    """What OpenAPI has no word for."""
    notes = {name: one[name] for name in ("seen", "distinct_values", "sensitive", "alphabet") if one.get(name)}
    return {"x-tapwatch": notes} if notes else {}


def body_schema(fields: list[Row], served: int) -> Row:
    """Schema of a body by its fields, whose names are key paths: `card.number` is a property of the object `card`."""
    root: Row = {"type": "object", "properties": {}}
    for one in sorted(fields, key=lambda one: one["name"]):
        schema = root
        *parents, name = one["name"].split(".")
        for parent in parents:
            schema = schema["properties"].setdefault(parent, {"type": "object", "properties": {}})
            if "properties" not in schema:  # at times a value, at times an object
                schema.clear()
                schema.update({"type": "object", "properties": {}})
        schema["properties"].setdefault(name, schema_of(one) | notes_of(one))
        if not parents and served > 0 and one["seen"] >= REQUIRED_SHARE * served:
            root.setdefault("required", []).append(name)
    return root
