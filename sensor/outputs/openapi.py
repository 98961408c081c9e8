"""What was observed of an API as an OpenAPI 3.1 document: paths, parameters, media types, statuses, credentials. No values.

https://spec.openapis.org/oas/v3.1.0. The order of everything is fixed, so that two exports can be compared line by line.
"""

import re
from typing import Any

from sensor.core.placeholders import CLASSES, PLACEHOLDER, form_of
from sensor.outputs.openapi_schemas import REQUIRED_SHARE, body_schema, notes_of, schema_of
from sensor.outputs.schema_tree import either, json_schema, tree_of

Row = dict[str, Any]
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
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
"""By how requests identified themselves; where no name of a key or cookie was seen, the usual one stands for it."""
CREDENTIALS = {"api_key": ("header", {"api_key", "token", "secret"}), "cookie": ("cookie", {"session", "token", "jwt"})}
"""Where the parameter stands whose name a scheme takes, and its classes of sensitive data."""
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
NO_CONTENT = (204, 205, 304)
"""Statuses whose answers have no body (RFC 9110 15)."""
RISK = ("risk", "factors")
"""Columns of the inventory that go into the vendor fields."""
PLACES = ("query", "header", "cookie")
"""Where parameters are listed, but for those of paths."""


def openapi(host: str, endpoints: list[Row], parameters: list[Row], fields: list[Row]) -> Row:
    """The document of one host, from rows of the views `endpoints`, `endpoint_parameters` and `schema_fields`."""
    own, bodies = by_endpoint(parameters), by_endpoint(fields)
    paths: dict[str, Row] = {}
    by_form: dict[str, str] = {}
    schemes: set[str] = set()
    for row in sorted(endpoints, key=lambda row: (row["endpoint"], row["method"])):
        method = row["method"].lower()
        if method not in METHODS or not row["endpoint"].startswith("/"):
            continue
        template, names = named_path(_base(row["endpoint"]))
        template = by_form.setdefault(form_of(template), template)
        names = re.findall(r"\{([^}]*)\}", template)
        key = row["method"], row["endpoint"]
        operation = _operation_of(row, template, names, own.get(key, []), bodies.get(key, []))
        schemes |= set(row["auth"]) & set(SECURITY)
        item = paths.setdefault(template, {})
        item[method] = _joined(item[method], operation) if method in item else operation
    _number_alike(paths)
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
        document["components"] = {"securitySchemes": {name: _scheme(name, parameters) for name in sorted(schemes)}}
    return document


def _number_alike(paths: dict[str, Row]) -> None:
    """Operations whose paths differ in what no identifier can hold have numbers: identifiers are unique in a document."""
    used: set[str] = set()
    for item in paths.values():
        for operation in item.values():
            name, number = operation["operationId"], 1
            while operation["operationId"] in used:
                number += 1
                operation["operationId"] = f"{name}_{number}"
            used.add(operation["operationId"])


def by_endpoint(rows: list[Row]) -> dict[tuple[str, str], list[Row]]:
    """Rows of one host by method and template."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["method"], row["endpoint"]), []).append(row)
    return found


def _scheme(name: str, parameters: list[Row]) -> Row:
    """A security scheme, with the name of the field or cookie that bears it, the most frequent one."""
    if name not in CREDENTIALS:
        return SECURITY[name]
    place, classes = CREDENTIALS[name]
    named = [one for one in parameters if one["location"] == place and one["sensitive"] in classes]
    most = max(named, key=lambda one: (one["seen"], one["name"]), default=None)
    return SECURITY[name] | ({"name": most["name"]} if most else {})


def _joined(one: Row, other: Row) -> Row:
    """Two endpoints that are one operation to OpenAPI: other types of identifiers, or operations that the body names."""
    notes = one["x-tapwatch"]
    notes["transactions"] += other["x-tapwatch"]["transactions"]
    notes["confidence"] = _confidence(notes["transactions"])
    if other["x-tapwatch"].get("risk", 0) > notes.get("risk", 0):
        notes |= {name: other["x-tapwatch"][name] for name in RISK}
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
    one["responses"] = {
        status: _joined_content(one["responses"].get(status), other["responses"].get(status))
        for status in sorted({*one["responses"], *other["responses"]})
    }
    if "requestBody" in one or "requestBody" in other:
        one["requestBody"] = _joined_content(one.get("requestBody"), other.get("requestBody"))
    return one


def _joined_content(one: Row | None, other: Row | None) -> Row:
    """Of two request bodies, or responses of a status: one whose contents fit both."""
    if not one or not other:
        return one or other or {}
    mine, theirs = one.get("content", {}), other.get("content", {})
    content: Row = {}
    for kind in sorted({*mine, *theirs}):
        both = kind in mine and kind in theirs
        schema = either(mine[kind].get("schema"), theirs[kind].get("schema")) if both else {}
        content[kind] = {"schema": schema} if schema else {} if both else mine.get(kind, theirs.get(kind))
    return one | ({"content": content} if content else {})


def named_path(template: str) -> tuple[str, list[str]]:
    """(the template with names for its parameters, these in order): `order_id` and `item_id` of `/orders/{int}/items/{int}`.

    Braces that are no placeholder's came from the wire: they are written as they stand in a URL, and name nothing.
    """
    segments, names = template.split("/"), []
    for k, segment in enumerate(segments):
        found = PLACEHOLDER.search(segment)
        if not found:
            segments[k] = _without_braces(segment)
            continue
        before_it, behind_it = _without_braces(segment[: found.start()]), _without_braces(segment[found.end() :])
        if found[1] not in CLASSES and found[1] not in names:  # the operator's own name
            names.append(found[1])
            segments[k] = before_it + found[0] + behind_it
            continue
        before = next((s for s in reversed(segments[:k]) if s and "{" not in s), "path")
        stem = re.sub(r"\W+", "_", before).strip("_") or "path"
        kind = found[1] if found[1] in ("slug", "date", "email", "locale", "ip", "ipv6", "phone") else "id"
        name = f"{stem[:-1] if stem.endswith('s') and len(stem) > 3 else stem}_{kind}"
        while name in names:
            name += "_"
        names.append(name)
        segments[k] = before_it + "{" + name + "}" + behind_it
    return "/".join(segments), names


def _without_braces(text: str) -> str:
    return text.replace("{", "%7B").replace("}", "%7D")


def _base(endpoint: str) -> str:
    """The path of an endpoint, without an operation that the body names."""
    return endpoint.split("#", 1)[0]


def _operation(row: Row) -> str:
    return row["endpoint"].partition("#")[2]


def _operation_of(row: Row, template: str, names: list[str], parameters: list[Row], bodies: list[Row]) -> Row:
    of_path = {one["position"]: one for one in parameters if one["location"] == "path"}
    positions = [k for k, segment in enumerate(_base(row["endpoint"]).split("/")[1:]) if PLACEHOLDER.search(segment)]
    found: list[Row] = []
    for name, position in zip(names, positions, strict=True):
        kind = PLACEHOLDER.search(_base(row["endpoint"]).split("/")[1:][position])
        known = of_path.get(position, {"types": [kind[1]] if kind else []})
        found.append({"name": name, "in": "path", "required": True, "schema": schema_of(known)} | notes_of(known))
    served = row["status_2xx"] + row["status_3xx"]
    for one in sorted(filter(_is_listed, parameters), key=lambda one: (PLACES.index(one["location"]), one["name"])):
        asked = one["requests"] or served
        required = asked > 0 and one["seen"] >= REQUIRED_SHARE * asked
        place = {"name": one["name"], "in": one["location"], "required": required}
        found.append(place | {"schema": schema_of(one)} | notes_of(one))
    operation: Row = {"operationId": re.sub(r"\W+", "_", f"{row['method'].lower()}{template}").strip("_")}
    if found:
        operation["parameters"] = found
    if row["request_types"]:
        sent = [one for one in parameters if one["location"] == "body" and one["name"]]
        form, json = body_schema(sent, served), _schema_of_body(bodies, "request", 0, sent)
        operation["requestBody"] = {"content": {kind: _content(kind, form, json) for kind in sorted(row["request_types"])}}
    operation["responses"] = _responses(row, bodies, parameters)
    kinds = [name for name in row["auth"] if name in SECURITY]
    if kinds:
        operation["security"] = [{name: []} for name in kinds] + ([{}] if "none" in row["auth"] else [])
    notes: Row = {
        name: row[name] for name in ("transactions", "clients", "first_seen", "last_seen", "latency_us_p50", "latency_us_p95")
    }
    notes["confidence"] = _confidence(row["transactions"])
    notes |= {name: row[name] for name in RISK if name in row}
    if _operation(row):
        notes["operations"] = [_operation(row)]
    operation["x-tapwatch"] = notes
    return operation


def _confidence(transactions: int) -> float:
    """Probability that the next request is one that this operation describes, by Laplace's rule of succession."""
    return round((transactions + 1) / (transactions + 2), 4)


def is_hidden(one: Row) -> bool:
    """Whether a parameter's name looked like a value, and is told by its class: whoever made it up meant none of the API's."""
    return one["name"].startswith("{")


def _is_listed(one: Row) -> bool:
    """Whether a parameter is one to OpenAPI: names that are not shown are none, and a credential has a scheme."""
    if one["location"] not in PLACES or not one["name"] or is_hidden(one):
        return False
    return not bears_credential(one)


def bears_credential(one: Row) -> bool:
    """Whether a header field or cookie is what a security scheme stands for."""
    return any(one["location"] == place and one["sensitive"] in classes for place, classes in CREDENTIALS.values())


def _content(kind: str, form: Row, json: Row) -> Row:
    """Content of a request body of this media type."""
    if "json" in kind and json:
        return {"schema": json}
    known = "json" in kind or kind in FORMS
    return {"schema": form} if known and form["properties"] else {}


def _schema_of_body(bodies: list[Row], side: str, status: int, leaves: list[Row]) -> Row:
    """Schema of a JSON body; empty where none was seen. leaves: parameters of that side, by key path."""
    fields = [one for one in bodies if one["side"] == side and one["status"] == status]
    known = {one["name"]: schema_of(one) | notes_of(one) for one in leaves}
    return json_schema(tree_of(fields), known) if fields else {}


def statuses_of(row: Row) -> tuple[dict[int, int], dict[int, int]]:
    """(answers by status, answers that were not counted one by one by the first digit of theirs) of an endpoint."""
    counts = {int(code): int(count) for code, count in row["statuses"].items()}
    rests = {
        number: row[f"status_{number}xx"] - sum(n for code, n in counts.items() if code // 100 == number)
        for number in range(1, 6)
    }
    return counts, {number: rest for number, rest in rests.items() if rest > 0}


def _responses(row: Row, bodies: list[Row], parameters: list[Row]) -> Row:
    """By status, with header fields and the schemas of bodies where known; by class what was not counted one by one."""
    counts, rests = statuses_of(row)
    leaves = [one for one in parameters if one["location"] == "response"]
    fields = [one for one in parameters if one["location"] == "response_header" and not is_hidden(one)]
    headers: Row = {one["name"]: {"schema": schema_of(one)} | notes_of(one) for one in fields}
    named = [(f"{number}XX", number * 100, rest) for number, rest in rests.items()]
    found: Row = {}
    for name, code, count in (*named, *((str(code), code, count) for code, count in counts.items())):
        found[name] = {"description": f"{count} observed"} | _content_of(row, code, bodies, leaves)
        if headers and 200 <= code < 400:
            found[name]["headers"] = headers
    return dict(sorted(found.items())) or {"default": {"description": "no response was observed"}}


def _content_of(row: Row, status: int, bodies: list[Row], leaves: list[Row]) -> Row:
    """What answers of a status bore: media types are known of the endpoint, schemas of each status."""
    is_served = 200 <= status < 300 and status not in NO_CONTENT
    schema = _schema_of_body(bodies, "response", status, leaves if 200 <= status < 400 else [])
    content: Row = {}
    for kind in sorted(row["response_types"]):
        if "json" in kind and schema:
            content[kind] = {"schema": schema}
        elif is_served:
            content[kind] = {}
    return {"content": content} if content else {}
