"""What is documented of an API against what was called: each departure is told, and ordinary documents have none."""

from hypothesis import given
from hypothesis import strategies as st

from sensor.inventory.analyse import Inventory
from sensor.outputs.documents import DocumentError
from sensor.outputs.openapi import openapi
from sensor.outputs.specdiff import differences, hosts_of, operations_of
from tests.rows import batch_of, learned, packed


def test_fields_cookies_and_forms_that_are_not_documented_are_found():
    inventory = Inventory((1, 2))
    field = packed(("x-tenant", "acme"), ("x-known", "1"), ("=theme", "dark"), ("=session", "abc"))
    row = {"path": "/a", "method": "POST", "status": 201, "fields": field, "request_type": "application/x-www-form-urlencoded",
           "media": "form", "sent": b"amount=3&note=x"}  # fmt: skip
    inventory.analyse(batch_of([row] * 5))
    endpoints = [row | dict.fromkeys(("first_seen", "last_seen"), "2026-03-03T09:00:00Z") for row in inventory.endpoints()]
    form = {"schema": {"type": "object", "properties": {"amount": {"type": "integer"}}}}
    documented = {
        "responses": {"200": {}, "4XX": {}}, "parameters": [{"name": "X-Known", "in": "header", "schema": {"type": "integer"}}],
        "requestBody": {"content": {"application/x-www-form-urlencoded": form}},
    }  # fmt: skip
    document = {"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "paths": {"/a": {"post": documented}}}
    found = differences(document, endpoints, inventory.parameters(), [])
    assert [(one.kind, one.detail) for one in found] == [
        ("parameter", "cookie theme in 5 requests"), ("parameter", "form field note in 5 requests"),
        ("parameter", "header field x-tenant in 5 requests"), ("status", "5 answers 201"),
    ]  # fmt: skip
    assert differences(openapi("a", endpoints, inventory.parameters(), []), endpoints, inventory.parameters(), []) == []


def test_types_that_do_not_fit_are_found():
    endpoints, parameters = learned([f"/a/{k}?size={k}&q=word" for k in range(5)])
    document = {
        "openapi": "3.0.3", "info": {"title": "x", "version": "1"}, "servers": [{"url": "https://api.test:8443/"}],
        "paths": {"/a/{id}": {
            "parameters": [{"$ref": "#/components/parameters/Id"}],
            "get": {"responses": {"200": {}}, "parameters": [
                {"name": "size", "in": "query", "schema": {"$ref": "#/components/schemas/Size"}},
                {"name": "q", "in": "query", "schema": {"type": "integer"}},
            ]},
        }},
        "components": {
            "parameters": {"Id": {"name": "id", "in": "path", "required": True, "schema": {"type": ["integer", "null"]}}},
            "schemas": {"Size": {"type": "integer"}},
        },
    }  # fmt: skip
    found = differences(document, endpoints, parameters, [])
    assert [(one.kind, one.detail) for one in found] == [
        ("type", "query parameter q is documented as integer, and values of type word were served")
    ]
    assert hosts_of(document) == ["api.test:8443"]


def of_query(name: str, schema: dict, **more) -> dict:
    return {"name": name, "in": "query", "schema": schema} | more


def test_formats_lists_words_and_what_is_required():
    targets = [
        f"/a?on=2&since=2026-01-0{k + 1}&tag={k}&tag={k + 1}&sort={'asc' if k % 2 else 'desc'}&ok=true" for k in range(6)
    ]
    endpoints, parameters = learned(targets + ["/a?on=0"] * 3)
    parameters = [row | ({"values": ["asc", "desc"]} if row["name"] == "sort" else {}) for row in parameters]
    given = [
        of_query("on", {"type": "boolean"}), of_query("ok", {"type": "boolean"}, required=True),
        of_query("since", {"type": "string", "format": "date-time"}),
        of_query("tag", {"type": "array", "items": {"type": "boolean"}}, explode=True),
        of_query("sort", {"type": "string", "enum": ["asc", "up"]}), of_query("never", {"type": "string"}, required=True),
    ]  # fmt: skip
    document = {
        "openapi": "3.1.0",
        "info": {"title": "x", "version": "1"},
        "paths": {"/a": {"get": {"responses": {"default": {}}, "parameters": given}}},
    }
    assert [(one.kind, one.detail) for one in differences(document, endpoints, parameters, [])] == [
        ("missing", "query parameter never is documented as required, and was in 0 of 9 requests served"),
        ("missing", "query parameter ok is documented as required, and was in 6 of 9 requests served"),
        ("type", "query parameter since is documented as date-time, and values of type date were served"),
        ("type", "query parameter sort is documented as one of asc, up, and took desc"),
    ]  # fmt: skip


def test_lists_objects_and_what_yaml_made_of_words_are_no_departures():
    """As ordinary documents have them: pageable of springdoc, deepObject, lists in one value, `no` for Norway, empty fields."""
    targets = ["/a?page=1&size=2&filter%5Ba%5D=1&ids=1,2&pipes=1%7C2&country=no&from=&tags%5B%5D=x"] * 3
    endpoints, parameters = learned([*targets, "/a?from=2026-01-01T10:00:00Z&country=de"])
    parameters = [row | ({"values": ["de", "no"]} if row["name"] == "country" else {}) for row in parameters]
    numbers = {"type": "array", "items": {"type": "integer"}}
    given = [
        of_query("pageable", {"$ref": "#/components/schemas/Pageable"}, required=True),
        of_query("filter", {"type": "object"}, required=True, style="deepObject"), of_query("tags[]", {"type": "string"}, required=True),
        of_query("ids", numbers, explode=False), of_query("pipes", numbers, style="pipeDelimited"),
        of_query("country", {"type": "string", "enum": ["de", False]}), of_query("from", {"type": "string", "format": "date-time"}),
        of_query("page", {"type": "integer", "enum": 5}), of_query("size", {"type": "string", "format": ["x"]}),
        of_query("filter[a]", {"type": "string"}),
    ]  # fmt: skip
    document = {
        "openapi": "3.1.0", "info": {"title": "x", "version": "1"},
        "paths": {"/a": {"get": {"responses": {"default": {}}, "parameters": given}}},
        "components": {"schemas": {"Pageable": {"type": "object", "properties": {"page": {"type": "integer"}}}}},
    }  # fmt: skip
    assert [one.detail for one in differences(document, endpoints, parameters, [])] == [
        "query parameter tags[] is documented as required, and was in 3 of 4 requests served"
    ]
    listed = [{"name": "ids", "in": "query", "type": "array", "items": {"type": "integer"}}]
    swagger = {
        "swagger": "2.0",
        "info": {"title": "x", "version": "1"},
        "paths": {"/a": {"get": {"responses": {"default": {}}, "parameters": listed}}},
    }
    assert not [one for one in differences(swagger, endpoints, parameters, []) if one.kind == "type"]


def test_booleans_are_short():
    endpoints, parameters = learned([f"/a?x={k}" for k in (0, 1, 12)] + ["/a?y=true", "/a?y=1", "/a?z=perhaps"])
    given = [of_query(name, {"type": "boolean"}) for name in "xyz"]
    document = {
        "openapi": "3.1.0",
        "info": {"title": "x", "version": "1"},
        "paths": {"/a": {"get": {"responses": {"default": {}}, "parameters": given}}},
    }
    assert [one.detail for one in differences(document, endpoints, parameters, [])] == [
        "query parameter x is documented as boolean, and values of 2 bytes were served",
        "query parameter z is documented as boolean, and values of 7 bytes were served",
    ]


def test_every_server_and_every_value_of_its_variables_is_a_base_path():
    endpoints, parameters = learned(["/v1/pets", "/v2/pets", "/old/pets", "/v3/pets"])
    versions = {"default": "v2", "enum": ["v1", "v2"]}
    document = {
        "openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "paths": {"/pets": {"get": {"responses": {"default": {}}}}},
        "servers": [{"url": "https://{region}.api.test/{version}/", "variables": {"version": versions, "region": {"default": "eu"}}}, {"url": "/old"}],
    }  # fmt: skip
    assert [(one.kind, one.path) for one in differences(document, endpoints, parameters, [])] == [("shadow", "/v3/pets")]
    assert hosts_of(document) == ["eu.api.test"]


def test_swagger_2_has_a_base_path():
    endpoints, parameters = learned(["/api/v1/pets/7", "/api/v1/pets/8", "/api/v1/stores"])
    document = {
        "swagger": "2.0", "host": "API.test", "basePath": "/api/v1/", "info": {"title": "x", "version": "1"},
        "paths": {"/pets/{id}": {"get": {"responses": {"default": {}}, "parameters": [{"name": "id", "in": "path", "type": "integer"}]}}},
    }  # fmt: skip
    assert [(one.kind, one.path) for one in differences(document, endpoints, parameters, [])] == [("shadow", "/api/v1/stores")]
    assert hosts_of(document) == ["api.test"]


FIELDS = [
    {"method": "GET", "endpoint": "/a/{int}", "side": side, "status": status, "path": path, "type": "object", "integers": 0,
     "required": 0, "bodies": 3, "total": 5, "partial": 0}
    for side, status in (("request", 0), ("response", 200)) for path in ("", "a", "a.b[].c")
]  # fmt: skip
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["#/paths", "#/", "http://[x", "/{a}/{b"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["paths", "get", "/a/{x}", "parameters", "servers", "url", "$ref", "schema", "type", "responses", "in", "name",
                         "requestBody", "content", "application/json", "200", "default", "properties", "items", "allOf", "required", "a"]),
        inner, max_size=5,
    ),
    max_leaves=25,
)  # fmt: skip


@given(junk, st.sampled_from([{"openapi": "3.1.0"}, {"swagger": "2.0"}, {}]))
def test_no_document_breaks_the_comparison(value, head):
    endpoints, parameters = learned(["/a/1?x=1", "/b"])
    document = (value if isinstance(value, dict) else {"paths": value}) | head
    try:
        operations_of(document)
    except DocumentError:
        return
    differences(document, endpoints, parameters, FIELDS)
    hosts_of(document)
