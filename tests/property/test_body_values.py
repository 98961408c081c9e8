"""Values of request bodies against json and urllib, cut anywhere, and on any bytes."""

import json
import re
import urllib.parse

import numpy as np
import pytest
from helpers import examples
from hypothesis import given
from hypothesis import strategies as st
from rows import batch_of

from sensor.inventory.analyse import Inventory
from sensor.inventory.body_values import DEPTH, SCANNED
from sensor.inventory.values import IN_BODY, VALUES_OF_BODY

KEYS = st.text("abcXYZ_09", min_size=1, max_size=6)
WORDS = st.text("abcdefghij -09é", max_size=12)
LEAVES = WORDS | st.integers(-(10**12), 10**12) | st.booleans() | st.none()
JSON = st.recursive(
    LEAVES,
    lambda inner: st.dictionaries(KEYS, inner, max_size=5) | st.lists(inner, max_size=3),
    max_leaves=12,
)


def shown(key: str) -> str:
    """A key as it is told: one that is itself a value by its class. (Of those that KEYS can make.)"""
    if re.fullmatch("[0-9]+", key):
        return "{int}"
    if re.fullmatch("[a-z]{2}_[A-Z]{2}", key):
        return "{locale}"
    return "{text}" if sum(c.isdigit() for c in key) >= 4 else key


def leaves(value, path=()):
    """(key path, text) of every leaf that counts: of a list the first element alone, empty strings not at all."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        if value:
            yield from leaves(value[0], path)
    else:
        text = value if isinstance(value, str) else json.dumps(value)
        if text:
            yield ".".join(map(shown, path)), text


def depth_of(value):
    if isinstance(value, (dict, list)):
        return 1 + max((depth_of(inner) for inner in (value.values() if isinstance(value, dict) else value)), default=0)
    return 0


def read(body: bytes, media: str = "json"):
    """(name, text) of what the inventory finds in a body."""
    batch, values, _ = Inventory((1, 2)).analyse(batch_of([{"method": "POST", "path": "/x", "sent": body, "media": media}]))
    return [
        (
            batch.arena[value["name_at"] : value["name_at"] + value["name_len"]].tobytes(),
            batch.arena[value["at"] : value["at"] + min(value["len"], 64)].tobytes(),
        )
        for value in values
        if value["location"] == IN_BODY
    ]


@examples(200)
@given(st.dictionaries(KEYS, JSON, max_size=6))
def test_leaves_of_an_object_are_found_in_order(document):
    if depth_of(document) >= DEPTH:
        return
    body = json.dumps(document, ensure_ascii=False).encode()
    expected = [(name.encode()[:64], text.encode()[:64]) for name, text in leaves(document)][:VALUES_OF_BODY]
    assert read(body) == expected


@examples(200)
@given(st.dictionaries(KEYS, JSON, max_size=6), st.data())
def test_a_body_that_is_cut_gives_no_value_that_is_not_in_the_whole(document, data):
    body = json.dumps(document, ensure_ascii=False).encode()
    whole = read(body)
    cut = read(body[: data.draw(st.integers(0, len(body)))])
    assert cut == whole[: len(cut)]


@examples(300)
@given(st.binary(max_size=400), st.sampled_from(["json", "form"]))
def test_any_bytes_are_survived(body, media):
    assert len(read(body, media)) <= VALUES_OF_BODY


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":' * 5_000,
        b"[" * 5_000,
        b'{"' + b"k" * 5_000 + b'":1}',
        b'{"k":"' + b"v" * 5_000,
        b'{"a":{"b":{"c":{"d":{"e":{"f":{"' + b"g" * 80 + b'":1}}}}}}}' * 40,
        b"{" + b",".join(b'"%d":%d' % (k, k) for k in range(900)) + b"}",
        b'"' * SCANNED,
        b"\\" * SCANNED,
        b"a=b&" * 2_000,
        b"=" * SCANNED,
    ],
)
def test_hostile_bodies_stay_within_their_room(body):
    rows = [{"method": "POST", "path": "/x", "sent": body, "media": media} for media in ("json", "form")] * 50
    batch, values, _ = Inventory((1, 2)).analyse(batch_of(rows))
    assert (np.bincount(values["row"], minlength=len(rows)) <= VALUES_OF_BODY).all()
    ends = values["at"].astype(np.int64) + np.minimum(values["len"], 64)
    assert batch.used <= len(batch.arena) and (ends <= batch.used).all()


@examples(100)
@given(st.dictionaries(KEYS, st.text("abc019 &=é", min_size=1, max_size=20), max_size=VALUES_OF_BODY))
def test_fields_of_a_form(fields):
    body = urllib.parse.urlencode(fields).encode()
    assert read(body, "form") == [
        (shown(name).encode(), urllib.parse.quote_plus(value).encode()[:64]) for name, value in fields.items()
    ]


def test_a_password_is_told_by_its_class():
    body = b'{"user":{"email":"a@b.test","password":"hunter2"},"card":{"number":"4000001234567899","cvc":"123"}}'
    _, values, _ = Inventory((1, 2)).analyse(batch_of([{"method": "POST", "path": "/x", "sent": body}]))
    assert [int(value["secret"]) > 0 for value in values] == [True, True, True, True]
