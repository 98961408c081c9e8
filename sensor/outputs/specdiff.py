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

from sensor.core.placeholders import form_of
from sensor.outputs.documents import DocumentError, as_list, resolve
from sensor.outputs.openapi import METHODS, bears_credential, by_endpoint, is_hidden, statuses_of
from sensor.outputs.openapi_schemas import REQUIRED_SHARE
from sensor.outputs.spec_bodies import body_findings
from sensor.outputs.spec_values import departure, type_of

Row = dict[str, Any]
VERSION = re.compile(r"v(\d+)(?=\Z|[._-])", re.IGNORECASE)
FORM = "application/x-www-form-urlencoded"
PLACES = {"query": "query parameter", "header": "header field", "cookie": "cookie", "body": "form field"}
MOST_NAMES = 16
"""Parameters of a query that are looked at: of an endpoint that takes as many none can be called missing."""
VARIANTS = 64
"""Base paths, or hosts, that the variables of servers may make."""


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
    of_path: tuple[Row, ...]
    """schemas of the parameters of the path, in order"""
    given: dict[tuple[str, str], Row]
    """(query, header, cookie, or body for a field of a form; name, of header fields in lower case) to schema"""
    required: frozenset[str]
    """names of the query parameters that no request may lack"""
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
                bases = _base_paths(document, item[method], item)
                found += [_operation(document, base, str(path), method, item) for base in bases]
    return found


def _operation(document: Row, base: str, path: str, method: str, item: Row) -> Operation:
    own = item[method]
    listed = [resolve(document, one) for one in [*as_list(item.get("parameters")), *as_list(own.get("parameters"))]]
    by_name = {(str(one.get("in")), str(one.get("name"))): one for one in listed}  # an operation's own go before its path's
    segments = tuple(map(form_of, (base + path).split("/")[1:]))
    given = {("body", name): schema for name, schema in _form_fields(document, own).items()}
    for (place, name), one in by_name.items():
        place = {"formData": "body"}.get(place, place)
        given[place, name.lower() if place == "header" else name] = _schema_of(document, one)
    return Operation(
        method=method.upper(),
        path=path,
        segments=segments,
        of_path=tuple(given.get(("path", name), {}) for name in re.findall(r"\{([^}]*)\}", base + path)),
        given=given,
        required=frozenset(
            name
            for (place, name), one in by_name.items()
            if place == "query" and one.get("required") is True and _has_its_name(document, one)
        ),
        statuses=frozenset(str(status).upper() for status in (resolve(document, own.get("responses")))),
        deprecated=bool(own.get("deprecated")),
        whole=own,
    )


def _form_fields(document: Row, operation: Row) -> dict[str, Row]:
    """Schemas of the fields of a documented form, by name."""
    content = resolve(document, operation.get("requestBody")).get("content")
    form = content.get(FORM) if isinstance(content, dict) else None
    schema = resolve(document, form.get("schema")) if isinstance(form, dict) else {}
    properties = schema.get("properties")
    return {str(name): resolve(document, one) for name, one in properties.items()} if isinstance(properties, dict) else {}


def _path_of(url: str) -> str:
    try:
        return urllib.parse.urlsplit(url).path.rstrip("/")
    except ValueError:
        return ""


def _urls_of(server: Row) -> list[str]:
    """The URL of a server with each value that its variables may have; one without a value stands for any."""
    urls = [str(server.get("url", ""))]
    variables = server.get("variables")
    for name, variable in variables.items() if isinstance(variables, dict) else ():
        variable = variable if isinstance(variable, dict) else {}
        values = [str(one) for one in [variable.get("default"), *as_list(variable.get("enum"))] if one is not None]
        if values:
            urls = [url.replace(f"{{{name}}}", value) for url in urls for value in dict.fromkeys(values)][:VARIANTS]
    return urls


def _host_of(url: Any) -> str:
    try:
        return urllib.parse.urlsplit(str(url)).netloc.lower()
    except ValueError:
        return ""


def _schema_of(document: Row, parameter: Row) -> Row:
    """Schema of a parameter; of a list that is sent by repeating the name that of its elements."""
    schema = resolve(document, parameter.get("schema") or parameter)
    if type_of(schema) != "array":
        return schema
    if "swagger" in document:
        is_repeated = parameter.get("collectionFormat") == "multi"
    else:
        by_style = parameter.get("style", "form") == "form"
        is_repeated = parameter.get("in") == "query" and parameter.get("explode", by_style) is True
    return resolve(document, schema.get("items")) if is_repeated else {}


def _has_its_name(document: Row, parameter: Row) -> bool:
    """Whether a parameter stands in a query under its own name: objects do so under those of their properties."""
    schema = resolve(document, parameter.get("schema"))
    whole = "content" not in parameter and parameter.get("style") != "deepObject"
    return whole and type_of(schema) != "object" and not {"properties", "allOf", "anyOf", "oneOf"} & set(schema)


def _base_paths(document: Row, *places: Row) -> list[str]:
    """Paths of the servers, of the operation's own where it has some."""
    if "swagger" in document:
        path = str(document.get("basePath") or "").strip("/")
        return [f"/{path}" if path else ""]
    for place in (*places, document):
        servers = [one for one in as_list(place.get("servers")) if isinstance(one, dict)]
        if servers:
            return list(dict.fromkeys(_path_of(url) for server in servers for url in _urls_of(server)))[:VARIANTS]
    return [""]


def hosts_of(document: Row) -> list[str]:
    """Hosts that the document names."""
    if "swagger" in document:
        return [str(document["host"]).lower()] if document.get("host") else []
    urls = [url for server in as_list(document.get("servers")) if isinstance(server, dict) for url in _urls_of(server)]
    return list(dict.fromkeys(host for host in map(_host_of, urls) if host))


def differences(document: Row, endpoints: list[Row], parameters: list[Row], fields: list[Row]) -> list[Difference]:
    """All findings, by path. endpoints, parameters, fields: rows of the store's views, of one host. Raises DocumentError."""
    operations = operations_of(document)
    own, bodies = by_endpoint(parameters), by_endpoint(fields)
    called: set[tuple[str, str]] = set()
    found: list[Difference] = []
    for row in endpoints:
        if row["method"].lower() not in METHODS or not row["endpoint"].startswith("/"):
            continue  # CONNECT and OPTIONS *: OpenAPI has no words for them
        observed = tuple(row["endpoint"].split("#", 1)[0].split("/")[1:])
        best = _best(operations, row["method"], observed)
        if best is None:
            found.append(_undocumented(operations, row, observed))
            continue
        called.add((best.method, best.path))
        key = row["method"], row["endpoint"]
        found += _of_operation(best, row, own.get(key, []))
        for kind, detail in body_findings(document, best.whole, bodies.get(key, [])):
            found.append(Difference(kind, row["method"], row["endpoint"], detail))
    for operation in operations:
        if (operation.method, operation.path) not in called:
            found.append(Difference("orphan", operation.method, operation.path, "documented, and never called"))
    return sorted(set(found), key=lambda one: (one.path, one.method, one.kind, one.detail))


def _best(operations: list[Operation], method: str, observed: tuple[str, ...]) -> Operation | None:
    """The operation that an endpoint is: that with most literal segments of those which fit."""
    fitting = [
        (sum("{}" not in segment for segment in operation.segments), -number)
        for number, operation in enumerate(operations)
        if operation.method == method and _fits(operation.segments, observed)
    ]
    return operations[-max(fitting)[1]] if fitting else None


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
    is_form = row["request_types"] == [FORM]
    for one in parameters:
        place, name = one["location"], _name_of(one, operation)
        schema: Row | None = {}
        if place == "path" and positions.count(one["position"]) == 1:
            what, schema = f"path segment {one['position'] + 1}", operation.of_path[positions.index(one["position"])]
        elif place not in PLACES or is_hidden(one) or bears_credential(one) or (place == "body" and not is_form):
            continue
        else:
            what, schema = f"{PLACES[place]} {one['name']}", operation.given.get((place, name))
            if schema is None and (place == "query" or (place, name.split(".")[0]) not in operation.given):
                yield differs("parameter", f"{what} in {one['seen']} requests")
        if detail := departure(schema or {}, one):
            yield differs("type", f"{what} {detail}")
    for detail in _missing_parameters(operation, row, parameters):
        yield differs("missing", detail)
    for detail in _undocumented_statuses(operation.statuses, row):
        yield differs("status", detail)


def _name_of(one: Row, operation: Operation) -> str:
    """The name of a parameter as the document writes it: as it stands in a URL, or what that stands for."""
    place, name = one["location"], one["name"]
    if place == "header":
        return name.lower()
    is_encoded = place in ("query", "body") and (place, name) not in operation.given
    return urllib.parse.unquote_plus(name) if is_encoded else name


def _missing_parameters(operation: Operation, row: Row, parameters: list[Row]) -> Iterator[str]:
    """Query parameters that are documented as required, and that requests were served without."""
    seen = {_name_of(one, operation): one["seen"] for one in parameters if one["location"] == "query"}
    served = row["status_2xx"] + row["status_3xx"]
    for name in sorted(operation.required) if len(seen) < MOST_NAMES else ():
        had = seen.get(name, 0)
        if had < REQUIRED_SHARE * served:
            yield f"query parameter {name} is documented as required, and was in {had} of {served} requests served"


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
