"""Schemas of bodies against a plain reader of JSON; what is cut, broken or hostile teaches nothing that is wrong."""

import collections
import json

import numpy as np
from helpers import examples
from hypothesis import given
from hypothesis import strategies as st
from rows import batch_of

from sensor.core.wide import padded
from sensor.inventory.analyse import Inventory
from sensor.inventory.json_steps import DEPTH, NO_JSON, STEPS, TYPES, USED, new_walk, walk_json

WALK = new_walk()
KEYS = st.sampled_from(["id", "name", "items", "price", "a.b", "c[d", "päth", "tags"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)  # fmt: skip
BODIES = st.dictionaries(KEYS, VALUES, max_size=5) | st.lists(VALUES, max_size=4)


def type_of(value):
    if isinstance(value, bool):
        return "boolean"
    by_class = {dict: "object", list: "array", str: "string", int: "number", float: "number", type(None): "null"}
    return by_class[type(value)]


def escaped(key):
    return "".join("\\" + c if c in ".[\\" else c for c in key)


def plain_steps(value, path="", depth=0):
    """(path, type, whether it is a number with a fraction) of a value and all that is in it, in any order."""
    is_fraction = isinstance(value, float) and not isinstance(value, bool)
    yield path, type_of(value), is_fraction
    if depth == DEPTH:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from plain_steps(inner, f"{path}.{escaped(key)}" if path else escaped(key), depth + 1)
    if isinstance(value, list):
        for inner in value:
            yield from plain_steps(inner, f"{path}[]", depth + 1)


def plain_schema(bodies):
    """{(path, type): (bodies, integers, required)} by counting."""
    times, had, fractions, objects = collections.Counter(), collections.Counter(), set(), collections.Counter()
    keys = collections.Counter()
    for body in bodies:
        steps = list(plain_steps(body))
        times.update((path, kind) for path, kind, _ in steps)
        had.update({(path, kind) for path, kind, _ in steps})
        fractions |= {path for path, _, is_fraction in steps if is_fraction}
        objects.update(path for path, kind, _ in steps if kind == "object")
        keys.update(path for path, _, _ in steps)
    found = {}
    for path, kind in times:
        owner = path[: -len(last)].removesuffix(".") if (last := last_key(path)) else None
        required = owner is not None and keys[path] == objects[owner]
        found[path, kind] = had[path, kind], kind == "number" and path not in fractions, required
    return found


def last_key(path):
    """The last key of a path, escaped; empty for elements of lists and the root."""
    if path.endswith("[]") and not path.endswith("\\[]"):
        return ""
    at = len(path)
    while at > 0:
        if path[at - 1] == "." and not path[: at - 1].endswith("\\"):
            break
        at -= 1
    return path[at:]


@examples(300)
@given(st.lists(BODIES, min_size=1, max_size=5), st.booleans())
def test_schemas_are_what_a_plain_count_says(bodies, is_spaced):
    inventory = Inventory((1, 2))
    texts = [json.dumps(body, ensure_ascii=False, indent=1 if is_spaced else None).encode() for body in bodies]
    batch, *_ = inventory.analyse(batch_of([{"path": "/a", "answer": text} for text in texts]))
    inventory.read_answers(batch)
    rows = {
        (row["path"], row["type"]): (row["bodies"], bool(row["integers"]), bool(row["required"])) for row in inventory.schemas()
    }
    assert rows == plain_schema(bodies)


@examples(500)
@given(BODIES, st.data())
def test_a_body_that_is_cut_has_no_other_steps(body, draw):
    text = json.dumps(body).encode()
    whole = {(path, kind) for path, kind, _ in plain_steps(body)}
    size = draw.draw(st.integers(1, len(text)))
    ended = walk_json(WALK, padded(text[:size]), 0, size)
    assert ended in (0, 1) and (ended == 1) == (size == len(text))
    assert {TYPES[step["type"]] for step in WALK.steps[: WALK.control[USED]]} <= {kind for _, kind in whole}
    assert WALK.control[USED] <= len(whole)


@examples(500)
@given(st.binary(max_size=200) | st.text('{}[]",:0tfn\\ ', max_size=200).map(str.encode))
def test_nothing_breaks_the_walk(text):
    ended = walk_json(WALK, padded(text), 0, len(text))
    assert ended in (NO_JSON, 0, 1) and 0 <= WALK.control[USED] <= STEPS
    assert ended != 1 or WALK.control[USED] == 1 or b"[" in text or b"{" in text


def test_deep_and_wide_bodies_are_bounded():
    deep = b'{"a":' * 5_000 + b"1" + b"}" * 5_000
    assert walk_json(WALK, padded(deep), 0, len(deep)) == 1 and WALK.control[USED] == DEPTH + 1
    wide = json.dumps({f"k{chr(97 + k % 26)}{chr(97 + k // 26)}": k for k in range(STEPS + 50)}).encode()
    assert walk_json(WALK, padded(wide), 0, len(wide)) == 1 and WALK.control[USED] == STEPS
    inventory = Inventory((1, 2))
    batch, *_ = inventory.analyse(batch_of([{"path": "/a", "answer": wide}]))
    inventory.read_answers(batch)
    assert {row["required"] for row in inventory.schemas()} == {0}  # not all keys had room: nothing is known to be always there


def told(inventory, bodies, **more):
    batch, *_ = inventory.analyse(batch_of([{"path": "/a", "answer": json.dumps(body).encode()} | more for body in bodies]))
    inventory.read_answers(batch)


def test_batches_make_no_difference():
    bodies = [{"a": k, "b": None if k % 7 else "x", **({"late": 1} if k > 400 else {})} for k in range(1_500)]
    results = []
    for size in (1_500, 700, 64):
        inventory = Inventory((1, 2))
        for k in range(0, len(bodies), size):
            told(inventory, bodies[k : k + size])
        results.append([{key: row[key] for key in row if not key.endswith("_seen")} for row in inventory.schemas()])
    assert results[0] == results[1] == results[2]
    late = next(row for row in results[0] if row["path"] == "late")
    assert 392 <= late["appeared_after"] <= 408 and abs(late["total"] - 1_500) <= 8  # one in eight is looked at, for eight


def test_errors_have_schemas_of_their_own_and_strangers_none():
    inventory = Inventory((1, 2))
    told(inventory, [{"id": 1}] * 3)
    told(inventory, [{"error": "no"}] * 2, status=409)
    told(inventory, [{"error": "no"}] * 2, path="/nothing", status=404)
    told(inventory, [{}], sent=b'{"q": 1}', status=200)
    told(inventory, [{}], sent=b'{"admin": 1}', status=403)
    rows = [(row["endpoint"], row["side"], row["status"], row["path"]) for row in inventory.schemas() if row["path"]]
    assert rows == [("/a", "request", 0, "q"), ("/a", "response", 200, "id"), ("/a", "response", 409, "error")]


def test_keys_that_are_values_are_told_by_class():
    inventory = Inventory((1, 2))
    told(inventory, [{"users": {f"{k:08x}-1111-4222-8333-{k:012x}": {"n": 1}}, "4111111111111111": 2} for k in range(9)])
    assert [row["path"] for row in inventory.schemas()] == ["", "users", "users.{uuid}", "users.{uuid}.n", "{int}"]


def test_endpoints_that_become_one_have_one_schema():
    inventory = Inventory((1, 2))
    words = [f"{a}{b}-{c}" for a in ("red", "blue", "old", "new") for b in "abcdefgh" for c in ("chair", "table", "lamp")]
    for k, word in enumerate(words * 4):
        told(
            inventory,
            [{"id": k, "name": word, "price": 1.5, "stock": 3}],
            path=f"/v1/things/{word}",
            client=f"192.0.2.{k % 200 + 1}",
        )
    inventory.endpoints()
    rows = [row for row in inventory.schemas() if row["endpoint"] == "/v1/things/{slug}"]
    assert {row["path"]: row["bodies"] for row in rows}["price"] == len(words) * 4
    assert {row["required"] for row in rows if row["path"]} == {1}
    assert {row["unseen_for"] for row in rows} == {0}
    assert int(np.count_nonzero(inventory.table.schemas.grown)) <= 1
