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
from sensor.outputs.documents import document_text, read_document
from sensor.outputs.openapi import named_path, openapi
from sensor.outputs.openapi_schemas import body_schema
from sensor.outputs.specdiff import differences
from tests.rows import batch_of, learned

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
