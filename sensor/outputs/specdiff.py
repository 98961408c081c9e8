"""What is documented of an API against what is really called: OpenAPI 3.0 and 3.1, and Swagger 2.0.

Found are: shadow (called, not documented), zombie (an old version that is still called, of what is documented as a newer one),
orphan (documented, not called), deprecated (called, and documented as deprecated), and of documented operations that are
called: parameters, properties of bodies, types and statuses that are not documented, and required properties that are missing.
"""

import dataclasses
import re
import urllib.parse
from collections.abc import Iterator
from typing import Any

from sensor.outputs.documents import DocumentError, as_list, resolve
from sensor.outputs.openapi import METHODS, bears_credential, by_endpoint, is_hidden, statuses_of
from sensor.outputs.spec_bodies import body_findings

Row = dict[str, Any]
VERSION = re.compile(r"v(\d+)(?=\Z|[._-])", re.IGNORECASE)
FORM = "application/x-www-form-urlencoded"
PLACES = {"header": "header field", "cookie": "cookie", "body": "form field"}
FITTING = {
    "integer": {"int"},
    "number": {"int", "number"},
    "boolean": {"word", "int"},
}
"""Classes of values that fit a type of a schema; a string takes any."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """One finding."""

    kind: str
    """shadow, zombie, orphan, deprecated, parameter, property, missing, type or status"""
    method: str
    path: str
    """template as observed; of an orphan as documented"""
    detail: str


@dataclasses.dataclass(frozen=True)
class Operation:
    """One documented operation."""

    method: str
    path: str
    segments: tuple[str, ...]
    """with the server's base path before; `{}` for a parameter"""
    query: dict[str, str]
    """query parameters: name to type"""
    path_types: tuple[str, ...]
    """types of the parameters of the path, in order"""
    named: dict[str, frozenset[str]]
    """names of header fields (lower case), cookies, and fields of forms (`body`)"""
    statuses: frozenset[str]
    """as written: 200, 2XX, default"""
    deprecated: bool
    whole: Row
    """as documented"""


def operations_of(document: Row) -> list[Operation]:
    """All operations of a document. Raises DocumentError where it is none."""
    if not (str(document.get("openapi", "")).startswith("3.") or str(document.get("swagger", "")) == "2.0"):
        raise DocumentError("The document is no OpenAPI 3.0 or 3.1 and no Swagger 2.0: it has neither `openapi` nor `swagger`.")
    paths = document.get("paths") or {}
    if not isinstance(paths, dict):
        raise DocumentError("`paths` of the document is no object.")
    found = []
    for path, item in paths.items():
        item = resolve(document, item)
        for method in METHODS:
            if isinstance(item.get(method), dict):
                found.append(_operation(document, str(path), method, item))
    return found


def _operation(document: Row, path: str, method: str, item: Row) -> Operation:
    own = item[method]
    given = [resolve(document, one) for one in [*as_list(item.get("parameters")), *as_list(own.get("parameters"))]]
    types = {(one.get("in"), str(one.get("name"))): _type_of(document, one) for one in given}
    whole = _base_path(document, own, item) + path
    segments = tuple(re.sub(r"\{[^}]*\}", "{}", segment) for segment in whole.split("/")[1:])
    names = re.findall(r"\{([^}]*)\}", whole)
    return Operation(
        method=method.upper(),
        path=path,
        segments=segments,
        query={name: kind for (place, name), kind in types.items() if place == "query"},
        path_types=tuple(types.get(("path", name), "") for name in names),
        named={
            "header": frozenset(name.lower() for place, name in types if place == "header"),
            "cookie": frozenset(name for place, name in types if place == "cookie"),
            "body": _form_fields(document, own) | {name for place, name in types if place == "formData"},
        },
        statuses=frozenset(str(status).upper() for status in (resolve(document, own.get("responses")))),
        deprecated=bool(own.get("deprecated")),
        whole=own,
    )


def _form_fields(document: Row, operation: Row) -> frozenset[str]:
    """Names of the fields of a documented form."""
    content = resolve(document, operation.get("requestBody")).get("content")
    form = content.get(FORM) if isinstance(content, dict) else None
    schema = resolve(document, form.get("schema")) if isinstance(form, dict) else {}
    properties = schema.get("properties")
    return frozenset(map(str, properties)) if isinstance(properties, dict) else frozenset()


def _path_of(url: Any) -> str:
    try:
        return urllib.parse.urlsplit(re.sub(r"\{[^}]*\}", "x", str(url))).path.rstrip("/")
    except ValueError:
        return ""


def _host_of(url: Any) -> str:
    try:
        return urllib.parse.urlsplit(str(url)).netloc.lower()
    except ValueError:
        return ""


def _type_of(document: Row, parameter: Row) -> str:
    schema = resolve(document, parameter.get("schema") or parameter)
    kind = schema.get("type", "")
    if isinstance(kind, list):
        kinds = [one for one in kind if one != "null"]
        kind = kinds[0] if len(kinds) == 1 else ""
    return kind if isinstance(kind, str) else ""


def _base_path(document: Row, *places: Row) -> str:
    """Path of the server, of the operation's own where it has one."""
    if "swagger" in document:
        path = str(document.get("basePath") or "").strip("/")
        return f"/{path}" if path else ""
    for place in (*places, document):
        servers = place.get("servers")
        if isinstance(servers, list) and servers and isinstance(servers[0], dict):
            return _path_of(servers[0].get("url", ""))
    return ""


def hosts_of(document: Row) -> list[str]:
    """Hosts that the document names."""
    if "swagger" in document:
        return [str(document["host"]).lower()] if document.get("host") else []
    urls = [server.get("url", "") for server in as_list(document.get("servers")) if isinstance(server, dict)]
    return [host for host in map(_host_of, urls) if host]


def differences(document: Row, endpoints: list[Row], parameters: list[Row], fields: list[Row]) -> list[Difference]:
    """All findings, by path. endpoints, parameters, fields: rows of the store's views, of one host. Raises DocumentError."""
    operations = operations_of(document)
    own, bodies = by_endpoint(parameters), by_endpoint(fields)
    called: dict[int, list[Row]] = {}
    found: list[Difference] = []
    for row in endpoints:
        if row["method"].lower() not in METHODS or not row["endpoint"].startswith("/"):
            continue  # CONNECT and OPTIONS *: OpenAPI has no words for them
        observed = tuple(row["endpoint"].split("#", 1)[0].split("/")[1:])
        best = _best(operations, row["method"], observed)
        if best is None:
            found.append(_undocumented(operations, row, observed))
            continue
        called.setdefault(best, []).append(row)
        key = row["method"], row["endpoint"]
        found += _of_operation(operations[best], row, own.get(key, []))
        for kind, detail in body_findings(document, operations[best].whole, bodies.get(key, [])):
            found.append(Difference(kind, row["method"], row["endpoint"], detail))
    for number, operation in enumerate(operations):
        if number not in called:
            found.append(Difference("orphan", operation.method, operation.path, "documented, and never called"))
    return sorted(set(found), key=lambda one: (one.path, one.method, one.kind, one.detail))


def _best(operations: list[Operation], method: str, observed: tuple[str, ...]) -> int | None:
    """The operation that an endpoint is: that with most literal segments of those which fit."""
    fitting = [
        (sum("{}" not in segment for segment in operation.segments), -number)
        for number, operation in enumerate(operations)
        if operation.method == method and _fits(operation.segments, observed)
    ]
    return -max(fitting)[1] if fitting else None


def _fits(documented: tuple[str, ...], observed: tuple[str, ...]) -> bool:
    return len(documented) == len(observed) and all(_fits_segment(d, o) for d, o in zip(documented, observed, strict=True))


def _fits_segment(documented: str, observed: str) -> bool:
    if "{}" not in documented:
        return documented == observed
    if documented == "{}":
        return observed != ""
    return re.fullmatch(".+".join(map(re.escape, documented.split("{}"))), observed) is not None


def _undocumented(operations: list[Operation], row: Row, observed: tuple[str, ...]) -> Difference:
    count = f"{row['transactions']} requests of {row['clients']} clients, last seen {row['last_seen']}"
    others = sorted({operation.method for operation in operations if _fits(operation.segments, observed)})
    if others:
        return Difference(
            "shadow", row["method"], row["endpoint"], f"of this path only {', '.join(others)} is documented; {count}"
        )
    newer = _newer_version(operations, row["method"], observed)
    if newer:
        return Difference("zombie", row["method"], row["endpoint"], f"an old version of {newer}; {count}")
    return Difference("shadow", row["method"], row["endpoint"], count)


def _newer_version(operations: list[Operation], method: str, observed: tuple[str, ...]) -> str:
    """The path of a documented operation that differs in a higher version alone."""
    for k, segment in enumerate(observed):
        mine = VERSION.match(segment)
        if not mine:
            continue
        for operation in operations:
            theirs = VERSION.match(operation.segments[k]) if k < len(operation.segments) else None
            if theirs and int(theirs[1]) > int(mine[1]) and operation.method == method:
                if _fits(operation.segments, (*observed[:k], operation.segments[k], *observed[k + 1 :])):
                    return operation.path
    return ""


def _of_operation(operation: Operation, row: Row, parameters: list[Row]) -> Iterator[Difference]:
    def differs(kind: str, detail: str) -> Difference:
        return Difference(kind, row["method"], row["endpoint"], detail)

    if operation.deprecated:
        yield differs("deprecated", f"{row['transactions']} requests, last seen {row['last_seen']}")
    positions = [k for k, segment in enumerate(operation.segments) for _ in range(segment.count("{}"))]
    for one in parameters:
        if one["location"] == "query" and is_hidden(one):
            continue
        if one["location"] == "query" and one["name"] not in operation.query:
            yield differs("parameter", f"query parameter {one['name']} in {one['seen']} requests")
        kind = operation.query.get(one["name"], "") if one["location"] == "query" else ""
        if one["location"] == "path" and positions.count(one["position"]) == 1:
            kind = operation.path_types[positions.index(one["position"])]
        others = sorted(set(one["types"]) - FITTING[kind]) if kind in FITTING else []
        if others:
            name = f"query parameter {one['name']}" if one["location"] == "query" else f"path segment {one['position'] + 1}"
            yield differs("type", f"{name} is documented as {kind}, and values of type {', '.join(others)} were served")
    for detail in _undocumented_fields(operation, row, parameters):
        yield differs("parameter", detail)
    for detail in _undocumented_statuses(operation.statuses, row):
        yield differs("status", detail)


def _undocumented_fields(operation: Operation, row: Row, parameters: list[Row]) -> Iterator[str]:
    """Header fields, cookies and fields of forms; credentials are for security schemes to say."""
    for one in parameters:
        place, name = one["location"], one["name"]
        if (
            place not in PLACES
            or is_hidden(one)
            or bears_credential(one)
            or (place == "body" and row["request_types"] != [FORM])
        ):
            continue
        known = operation.named[place]
        if (name.lower() if place == "header" else name) not in known and name.split(".")[0] not in known:
            yield f"{PLACES[place]} {name} in {one['seen']} requests"


def _undocumented_statuses(documented: frozenset[str], row: Row) -> Iterator[str]:
    """Statuses, and classes of those that were not counted one by one."""
    if "DEFAULT" in documented:
        return
    counts, rests = statuses_of(row)
    for code, count in counts.items():
        if not {str(code), f"{code // 100}XX"} & documented:
            yield f"{count} answers {code}"
    for number, rest in rests.items():
        if not any(status.startswith(str(number)) for status in documented):
            yield f"{rest} answers {number}xx"
