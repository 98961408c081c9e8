"""What is exported of an API is a valid document, holds no value, and fits the traffic that it was made of."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from openapi_spec_validator import validate

from sensor.cli import main
from sensor.inventory.analyse import Inventory
from sensor.inventory.parameters import RANGE_FROM
from sensor.outputs.documents import DocumentError, document_text, read_document
from sensor.outputs.openapi import named_path, openapi
from sensor.outputs.openapi_schemas import body_schema
from sensor.outputs.specdiff import differences, hosts_of, operations_of
from tests.rows import batch_of, packed

ROOT = pathlib.Path(__file__).resolve().parent.parent
TAPWATCH = pathlib.Path(sys.executable).with_name("tapwatch")
HOST = "api.shop.test"


def tapwatch(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([TAPWATCH, *arguments], capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def rows(bundled_store):
    """Of every host: its endpoints, parameters and keys of bodies, read by another process, for one process holds a store."""
    script = (
        "import json, sys\nfrom sensor.store import open_store, queries\n"
        "with open_store(sys.argv[1], create=False) as store:\n"
        "    hosts = [h for (h,) in store.rows('SELECT DISTINCT host FROM endpoints')]\n"
        "    print(json.dumps({h: [queries.endpoints(store, h), queries.parameters(store, h), queries.schema_fields(store, h)] for h in hosts}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, bundled_store], capture_output=True, text=True, check=True, cwd=ROOT, timeout=120
    )
    return json.loads(done.stdout)


def test_exports_are_valid_and_fit_what_they_were_made_of(rows):
    assert HOST in rows and len(rows[HOST][0]) > 20
    for host, found in rows.items():
        document = openapi(host, *found)
        validate(document)
        assert differences(document, *found) == [], host
        assert yaml.safe_load(document_text(document, "x.yaml")) == json.loads(document_text(document, "x.json")) == document


def test_the_commands(bundled_store, tmp_path):
    out = tmp_path / "shop.yaml"
    assert tapwatch("export", "openapi", "--store", bundled_store, "--host", HOST, "-o", str(out)).returncode == 0
    same = tapwatch("spec", "diff", str(out), "--store", bundled_store)  # the document names the host
    assert same.returncode == 0 and same.stdout == f"{HOST} is called as it is documented.\n"
    edited = read_document(str(out))
    del edited["paths"]["/v1/login"]
    (tmp_path / "edited.json").write_text(json.dumps(edited))
    found = tapwatch("spec", "diff", str(tmp_path / "edited.json"), "--store", bundled_store, "--json")
    assert found.returncode == 1
    assert [(line["kind"], line["path"]) for line in map(json.loads, found.stdout.splitlines())] == [("shadow", "/v1/login")]
    several = tapwatch("export", "openapi", "--store", bundled_store)
    assert several.returncode == 1 and "name one with --host" in several.stderr
    unknown = tapwatch("export", "openapi", "--store", bundled_store, "--host", "none.test")
    assert unknown.returncode == 1 and "none.test" in unknown.stderr
    for name, text in (("a.yaml", "a: [b"), ("b.json", "[1]"), ("c.json", "{}"), ("none.json", None)):
        if text is not None:
            (tmp_path / name).write_text(text)
        wrong = tapwatch("spec", "diff", str(tmp_path / name), "--store", bundled_store, "--host", HOST)
        assert wrong.returncode == 1 and "Traceback" not in wrong.stderr and wrong.stderr.count("\n") == 1


def test_no_value_is_in_an_export(rows):
    """What the bundled captures hold of addresses, cards, tokens and identifiers."""
    text = json.dumps({host: openapi(host, *of_host) for host, of_host in rows.items()})
    for value in ("10150", "10749", "@", "4111", "eyJ", "198.51.100"):
        assert value not in text


def edits(document: dict) -> dict[tuple[str, str], dict]:
    """By the finding that it must cause: the document with one edit."""

    def edited(change) -> dict:
        copy = json.loads(json.dumps(document))
        change(copy["paths"])
        return copy

    product = "/v1/products/{product_id}"
    assert product in document["paths"]
    search = next(
        path
        for path, item in document["paths"].items()
        if any(p["in"] == "query" for p in item.get("get", {}).get("parameters", ()))
    )

    def drop_query(paths):
        paths[search]["get"]["parameters"] = [p for p in paths[search]["get"]["parameters"] if p["in"] != "query"]

    def retype(paths):
        paths[product]["get"]["parameters"][0]["schema"] = {"type": "boolean"}
        paths[product]["get"]["parameters"][0]["schema"] = {"type": "number"}

    def drop_failures(paths):
        del paths["/v1/login"]["post"]["responses"]["401"]

    def schema_of(paths, path, method, *where):
        place = paths[path][method]
        for name in where:
            place = place[name]
        return place["content"]["application/json"]["schema"]

    def drop_property(paths):
        del schema_of(paths, "/v1/cart/items", "post", "requestBody")["properties"]["quantity"]

    def require_more(paths):
        schema_of(paths, "/v1/cart", "get", "responses", "200")["required"] = ["currency"]

    def retype_price(paths):
        schema_of(paths, product, "get", "responses", "200")["properties"]["price"] = {"type": ["string", "null"]}

    def newer(paths):
        paths[product.replace("/v1/", "/v2/")] = paths.pop(product)

    return {
        ("shadow", "/v1/login"): edited(lambda paths: paths.pop("/v1/login")),
        ("orphan", "/v1/wishlist"): edited(lambda paths: paths.update({"/v1/wishlist": {"get": {"responses": {}}}})),
        ("deprecated", "/v1/cart"): edited(lambda paths: paths["/v1/cart"]["get"].update(deprecated=True)),
        ("status", "/v1/login"): edited(drop_failures),
        ("property", "/v1/cart/items"): edited(drop_property),
        ("missing", "/v1/cart"): edited(require_more),
        ("type", "/v1/products/{int}"): edited(retype_price),
        ("parameter", search): edited(drop_query),
        ("", "numbers take integers"): edited(retype),
        ("zombie", "/v1/products/{int}"): edited(newer),
    }


def test_every_edit_is_found_and_nothing_else(rows):
    for (kind, path), document in edits(openapi(HOST, *rows[HOST])).items():
        found = {(one.kind, one.path) for one in differences(document, *rows[HOST])}
        wanted = {(kind, path)} if kind else set()
        if kind == "zombie":
            wanted.add(("orphan", "/v2/products/{product_id}"))
        assert found == wanted, (kind, path)


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


def test_statuses_that_http_has_not_are_of_a_class():
    inventory = Inventory((1, 2))
    inventory.analyse(batch_of([{"path": "/a", "status": status} for status in (200, 200, 503, 620, 999)]))
    (row,) = inventory.endpoints()
    assert row["statuses"] == {200: 2, 503: 1} and row["status_5xx"] == 3
    row |= dict.fromkeys(("first_seen", "last_seen"), "2026-03-03T09:00:00Z")
    document = openapi("a", [row], [], [])
    validate(document)
    assert list(document["paths"]["/a"]["get"]["responses"]) == ["200", "503", "5XX"]
    assert differences(document, [row], [], []) == []


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


def learned(targets: list[str]) -> tuple[list[dict], list[dict]]:
    """Endpoints and parameters of some requests, times as the store gives them."""
    inventory = Inventory((1, 2))
    inventory.analyse(batch_of([dict(zip(("path", "query"), target.partition("?")[::2], strict=True)) for target in targets]))
    endpoints = [row | dict.fromkeys(("first_seen", "last_seen"), "2026-03-03T09:00:00Z") for row in inventory.endpoints()]
    return endpoints, inventory.parameters()


@pytest.mark.parametrize(
    ("template", "named", "names"),
    [
        ("/orders/{int}/items/{int}", "/orders/{order_id}/items/{item_id}", ["order_id", "item_id"]),
        ("/a/{int}/{int}", "/a/{a_id}/{a_id_}", ["a_id", "a_id_"]),
        ("/v1/products/{slug}.json", "/v1/products/{product_slug}.json", ["product_slug"]),
        ("/{uuid}", "/{path_id}", ["path_id"]),
        ("/plain", "/plain", []),
    ],
)
def test_parameters_of_paths_have_names(template, named, names):
    assert named_path(template) == (named, names)


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


@given(
    st.lists(
        st.tuples(st.integers(-(10**6), 10**6) | st.sampled_from(["x", "2026-01-01"]), st.booleans()), min_size=1, max_size=60
    )
)
def test_parameters_are_what_a_plain_count_says(drawn):
    """Of numbers and words of one query parameter, some of them answered 404."""
    inventory = Inventory((1, 2))
    batch = [{"path": "/p", "query": f"v={value}", "status": 200 if served else 404} for value, served in drawn]
    for k in range(0, len(batch), 7):
        inventory.analyse(batch_of(batch[k : k + 7]))
    served = [value for value, was_served in drawn if was_served]
    found = inventory.parameters()
    if not served:
        assert found == []
        return
    numbers = [value for value in served if isinstance(value, int)]
    (row,) = found
    assert (row["name"], row["seen"], row["location"]) == ("v", len(served), "query")
    told = numbers and row["distinct_values"] >= RANGE_FROM  # of fewer the range would be the values
    assert (row["minimum"], row["maximum"]) == ((min(numbers), max(numbers)) if told else (None, None))
    assert set(row["types"]) == {{"x": "word", "2026-01-01": "date"}.get(value, "int") for value in served}
    assert (row["shortest"], row["longest"]) == (min(len(str(v)) for v in served), max(len(str(v)) for v in served))


def test_distinct_values_are_estimated():
    inventory = Inventory((1, 2))
    for size in (1, 20, 3_000):
        inventory.analyse(batch_of([{"path": f"/n{size}", "query": f"v=w{np.int64(k) % size}"} for k in range(4_000)]))
    for row in inventory.parameters():
        size = int(row["endpoint"][2:])
        assert 0.6 * size <= row["distinct_values"] <= 1.5 * size


def test_secrets_are_told_by_class():
    _, parameters = learned([f"/a/{k}?q=word&token=secret" for k in range(5)])
    assert [(row["location"], row["name"], row["sensitive"]) for row in parameters] == [
        ("path", "", ""), ("query", "q", ""), ("query", "token", "token"),
    ]  # fmt: skip


def test_fields_of_bodies_are_properties():
    def field(name, types, seen=10, **more):
        return {"name": name, "types": types, "seen": seen, "location": "body", "distinct_values": 3, "sensitive": ""} | more

    schema = body_schema(
        [
            field("card.number", ["int"], sensitive="card"),
            field("card", ["word"], seen=1),
            field("amount", ["int"], minimum=1, maximum=90),
            field("note", ["word"], seen=4),
        ],
        served=10,
    )
    assert set(schema["properties"]) == {"card", "amount", "note"} and schema["required"] == ["amount"]
    assert schema["properties"]["amount"]["x-tapwatch-range"] == [1, 90]
    number = schema["properties"]["card"]["properties"]["number"]
    assert number["x-tapwatch"]["sensitive"] == "card" and "x-tapwatch-range" not in number


def test_the_bundled_log_in_has_its_fields(bundled_store):
    arguments = ["export", "openapi", "--store", bundled_store, "--host", "api.shop.test"]
    document = json.loads(CliRunner().invoke(main, arguments).stdout)
    schema = document["paths"]["/v1/login"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["properties"]) == {"email", "password"} and schema["required"] == ["email", "password"]
