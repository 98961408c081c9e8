"""What was observed of an API as an OpenAPI 3.1 document: paths, parameters, media types, statuses, credentials. No values.

https://spec.openapis.org/oas/v3.1.0. The order of everything is fixed, so that two exports can be compared line by line.
"""

import re
from typing import Any

Row = dict[str, Any]
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
SCHEMAS: dict[str, Row] = {
    "int": {"type": "integer"},
    "number": {"type": "number"},
    "uuid": {"type": "string", "format": "uuid"},
    "date": {"type": "string", "format": "date"},
    "email": {"type": "string", "format": "email"},
    "ip": {"type": "string", "format": "ipv4"},
    "hex": {"type": "string", "pattern": "^[0-9A-Fa-f]+$"},
    "objectid": {"type": "string", "pattern": "^[0-9A-Fa-f]{24}$"},
}
"""By the class of all values of a parameter; for all others a string of the lengths that were seen."""
SECURITY: dict[str, Row] = {
    "basic": {"type": "http", "scheme": "basic"},
    "bearer": {"type": "http", "scheme": "bearer"},
    "jwt": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "digest": {"type": "http", "scheme": "digest"},
    "ntlm": {"type": "http", "scheme": "ntlm"},
    "negotiate": {"type": "http", "scheme": "negotiate"},
    "aws": {"type": "http", "scheme": "aws4-hmac-sha256"},
    "other": {"type": "http", "scheme": "unknown"},
    "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "session"},
}
"""By how requests identified themselves. Names of keys and cookies are not kept: those that are usual stand for them."""
REQUIRED_SHARE = 0.999
"""Share of the served requests that bear a parameter, from which on it is called required."""
PLACEHOLDER = re.compile(r"\{([a-z0-9]+)\}")


def openapi(host: str, endpoints: list[Row], parameters: list[Row]) -> Row:
    """The document of one host. endpoints, parameters: rows of the views `endpoints` and `endpoint_parameters`."""
    paths: dict[str, Row] = {}
    by_form: dict[str, str] = {}
    schemes: set[str] = set()
    for row in sorted(endpoints, key=lambda row: (row["endpoint"], row["method"])):
        method = row["method"].lower()
        if method not in METHODS or not row["endpoint"].startswith("/"):
            continue
        template, names = named_path(_base(row["endpoint"]))
        # Paths that differ in the names of their parameters alone are the same to OpenAPI.
        template = by_form.setdefault(re.sub(r"\{[^}]*\}", "{}", template), template)
        names = re.findall(r"\{([^}]*)\}", template)
        own = [one for one in parameters if (one["method"], one["endpoint"]) == (row["method"], row["endpoint"])]
        operation = _operation_of(row, template, names, own)
        schemes |= set(row["auth"]) & set(SECURITY)
        item = paths.setdefault(template, {})
        item[method] = _joined(item[method], operation) if method in item else operation
    document: Row = {
        "openapi": "3.1.0",
        "info": {
            "title": f"{host}, as observed",
            "version": max((row["last_seen"] for row in endpoints), default="")[:10] or "0",
            "description": "Made by Tapwatch from mirrored traffic: what was called, not what was meant.",
        },
        "servers": [{"url": f"http://{host}"}],
        "paths": paths,
    }
    if schemes:
        document["components"] = {"securitySchemes": {name: SECURITY[name] for name in sorted(schemes)}}
    return document


def _joined(one: Row, other: Row) -> Row:
    """Two endpoints that are one operation to OpenAPI: other types of identifiers, or operations that the body names."""
    notes = one["x-tapwatch"]
    notes["transactions"] += other["x-tapwatch"]["transactions"]
    operations = sorted({*notes.get("operations", ()), *other["x-tapwatch"].get("operations", ())})
    if operations:
        notes["operations"] = operations
    known = {(p["in"], p["name"]): p for p in one.get("parameters", ())}
    for parameter in other.get("parameters", ()):
        mine = known.setdefault((parameter["in"], parameter["name"]), parameter | {"required": parameter["in"] == "path"})
        if mine["schema"] != parameter["schema"]:
            mine["schema"] = {"type": "string"}
    if known:
        one["parameters"] = list(known.values())
    one["responses"] = {**other["responses"], **one["responses"]}
    return one


def named_path(template: str) -> tuple[str, list[str]]:
    """(the template with names for its parameters, these in order): `order_id` and `item_id` of `/orders/{int}/items/{int}`."""
    segments, names = template.split("/"), []
    for k, segment in enumerate(segments):
        found = PLACEHOLDER.search(segment)
        if not found:
            continue
        before = next((s for s in reversed(segments[:k]) if s and "{" not in s), "path")
        stem = re.sub(r"\W+", "_", before).strip("_") or "path"
        kind = found[1] if found[1] in ("slug", "date", "email", "locale", "ip", "phone") else "id"
        name = f"{stem[:-1] if stem.endswith('s') and len(stem) > 3 else stem}_{kind}"
        while name in names:
            name += "_"
        names.append(name)
        segments[k] = segment[: found.start()] + "{" + name + "}" + segment[found.end() :]
    return "/".join(segments), names


def _base(endpoint: str) -> str:
    """The path of an endpoint, without an operation that the body names."""
    return endpoint.split("#", 1)[0]


def _operation(row: Row) -> str:
    return row["endpoint"].partition("#")[2]


def _operation_of(row: Row, template: str, names: list[str], parameters: list[Row]) -> Row:
    of_path = {one["position"]: one for one in parameters if one["location"] == "path"}
    positions = [k for k, segment in enumerate(_base(row["endpoint"]).split("/")[1:]) if PLACEHOLDER.search(segment)]
    found: list[Row] = []
    for name, position in zip(names, positions, strict=True):
        kind = PLACEHOLDER.search(_base(row["endpoint"]).split("/")[1:][position])
        known = of_path.get(position, {"types": [kind[1]] if kind else []})
        found.append({"name": name, "in": "path", "required": True, "schema": schema_of(known)} | _notes(known))
    served = row["status_2xx"] + row["status_3xx"]
    for one in sorted((one for one in parameters if one["location"] == "query"), key=lambda one: one["name"]):
        required = served > 0 and one["seen"] >= REQUIRED_SHARE * served
        found.append({"name": one["name"], "in": "query", "required": required, "schema": schema_of(one)} | _notes(one))
    operation: Row = {"operationId": re.sub(r"\W+", "_", f"{row['method'].lower()}{template}").strip("_")}
    if found:
        operation["parameters"] = found
    if row["request_types"]:
        fields = body_schema([one for one in parameters if one["location"] == "body"], served)
        operation["requestBody"] = {"content": {kind: _content(kind, fields) for kind in sorted(row["request_types"])}}
    operation["responses"] = _responses(row)
    kinds = [name for name in row["auth"] if name in SECURITY]
    if kinds:
        operation["security"] = [{name: []} for name in kinds] + ([{}] if "none" in row["auth"] else [])
    notes: Row = {
        name: row[name] for name in ("transactions", "clients", "first_seen", "last_seen", "latency_us_p50", "latency_us_p95")
    }
    if _operation(row):
        notes["operations"] = [_operation(row)]
    operation["x-tapwatch"] = notes
    return operation


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
        schema["properties"].setdefault(name, schema_of(one) | _notes(one))
        if not parents and served > 0 and one["seen"] >= REQUIRED_SHARE * served:
            root.setdefault("required", []).append(name)
    return root


def _content(kind: str, fields: Row) -> Row:
    """Content of a request body of this media type."""
    known = "json" in kind or kind == "application/x-www-form-urlencoded"
    return {"schema": fields} if known and fields["properties"] else {}


def _notes(one: Row) -> Row:
    """What OpenAPI has no word for."""
    notes = {name: one[name] for name in ("seen", "distinct_values", "sensitive") if one.get(name)}
    return {"x-tapwatch": notes} if notes else {}


def _responses(row: Row) -> Row:
    content: Row = {kind: {} for kind in sorted(row["response_types"])}
    found: Row = {}
    for number in range(1, 6):
        count = row[f"status_{number}xx"]
        if count:
            found[f"{number}XX"] = {"description": f"{count} observed"} | (
                {"content": content} if content and number == 2 else {}
            )
    return found or {"default": {"description": "no response was observed"}}


def schema_of(one: Row) -> Row:
    """Schema of a parameter by the classes of its values; a number with the range that was seen, as a note."""
    types = set(one.get("types") or ())
    if len(types) == 1 and (kind := next(iter(types))) in SCHEMAS:
        schema = dict(SCHEMAS[kind])
    elif types and types <= {"int", "number"}:
        schema = {"type": "number"}
    else:
        schema = {"type": "string"}
    if schema["type"] == "integer" and one.get("minimum") is not None:
        schema["x-tapwatch-range"] = [one["minimum"], one["maximum"]]
    return schema
