"""Values of request bodies against json and urllib, cut anywhere, and on any bytes."""

import email
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


def types_of(*bodies: bytes, media: str = "json") -> dict[str, tuple[list[str], int]]:
    """Types, and how many requests bore it, by the name of each parameter of bodies."""
    inventory = Inventory((1, 2))
    inventory.analyse(batch_of([{"method": "POST", "path": "/x", "sent": body, "media": media} for body in bodies]))
    return {row["name"]: (row["types"], row["seen"]) for row in inventory.parameters() if row["location"] == "body"}


def test_values_without_quotes_have_types_of_their_own():
    body = (
        b'{"a": true, "b": null, "c": -1.5, "d": 2e9, "e": -7, "f": "true", "g": 12.0, "h": "12.5", "i": nonsense, "j": oops}'
    )
    assert types_of(body) == {
        "a": (["boolean"], 1), "b": (["null"], 1), "c": (["number"], 1), "d": (["number"], 1), "e": (["int"], 1), "f": (["word"], 1),
        "g": (["number"], 1), "h": (["number"], 1), "i": (["null"], 1), "j": (["word"], 1),
    }  # fmt: skip


def test_of_several_texts_in_a_row_the_first_counts_alone():
    assert types_of(b'{"user": {"name": "x"}}\n{"user": {"name": "y"}, "more": 1}\n') == {"user.name": (["word"], 1)}


def test_a_field_that_is_sent_twice_counts_once():
    body = b"tag=a&tag=b&tag=7&other=1"
    assert types_of(body, body, media="form") == {"tag": (["word", "int"], 2), "other": (["int"], 2)}


PART_NAMES = st.text("abcXYZ_[]", min_size=1, max_size=8)
PART_TEXTS = st.text('abc XYZ09-\n;="', max_size=20)
BOUNDARIES = st.text("abc-019_", min_size=1, max_size=60)


def multipart(parts, boundary: str, newline: str = "\r\n") -> bytes:
    """parts: (name, text, whether it is a file)"""
    lines = []
    for name, text, is_file in parts:
        named = f'Content-Disposition: form-data; name="{name}"' + ('; filename="a;b.txt"' if is_file else "")
        lines += [f"--{boundary}", named, *(["content-type: text/plain"] if is_file else []), "", text]
    return newline.join([*lines, f"--{boundary}--", ""]).encode()


def fields_of(parts) -> list[tuple[bytes, bytes]]:
    """What counts of them: no files, nothing empty."""
    return [(name.encode(), text.encode()) for name, text, is_file in parts if text and not is_file][:VALUES_OF_BODY]


@examples(200)
@given(
    st.lists(st.tuples(PART_NAMES, PART_TEXTS, st.booleans()), max_size=6),
    BOUNDARIES,
    st.sampled_from(["\r\n", "\n"]),
    st.data(),
)
def test_fields_of_multipart_forms(parts, boundary, newline, data):
    if any(f"\n--{boundary}" in f"\n{text}" or (newline == "\n" and text.endswith("\r")) for _, text, _ in parts):
        return
    body = multipart(parts, boundary, newline)
    assert read(body, "multipart") == fields_of(parts)
    message = email.message_from_bytes(b"Content-Type: multipart/form-data; boundary=" + boundary.encode() + b"\r\n\r\n" + body)
    if parts and newline == "\r\n" and all("\n" not in text for _, text, _ in parts):  # what Python's own reader says
        by_it = [
            (one.get_param("name", header="content-disposition").encode(), one.get_payload(decode=True))
            for one in message.get_payload()
            if one.get_filename() is None and one.get_payload()
        ]
        assert by_it == fields_of(parts)
    cut = read(body[: data.draw(st.integers(0, len(body)))], "multipart")
    assert cut == fields_of(parts)[: len(cut)]


def test_secrets_of_multipart_forms_are_told():
    body = multipart(
        [("password", "hunter2hunter2", False), ("card", "4111111111111111", False), ("x", "4111111111111111", True)], "b"
    )
    inventory = Inventory((1, 2))
    inventory.analyse(batch_of([{"method": "POST", "path": "/x", "sent": body, "media": "multipart"}] * 3))
    told = {row["name"]: (row["sensitive"], row["sensitive_seen"]) for row in inventory.parameters()}
    assert told == {"password": ("password", 3), "card": ("card", 3)}


@pytest.mark.parametrize("media", ["xml", "text"])
def test_what_stands_out_in_texts_of_requests(media):
    body = b"<order><card>4111111111111111</card><who>bob@example.com</who><ref>12</ref></order>"
    inventory = Inventory((1, 2))
    batch, values, _ = inventory.analyse(batch_of([{"method": "POST", "path": "/x", "sent": body, "media": media}] * 40))
    inventory.read_answers(batch)
    told = sorted((row["location"], row["name"], row["sensitive"], row["seen"]) for row in inventory.parameters())
    assert told == [("body", "", "card", 40), ("body", "", "email", 40)] and len(values) == 0


@examples(300)
@given(st.binary(max_size=400), st.sampled_from(["json", "form", "multipart"]))
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
        b"--" + b"-" * 60 + b"\r\n" + b"-" * SCANNED,
        b"--b\r\n" * 2_000,
        b"--b\n\n\n" * 1_000,
        b'--b\r\ncontent-disposition: form-data; name="' + b";" * SCANNED,
        b"--b\r\nContent-Disposition:" + b'; name="x' * 900,
    ],
)
def test_hostile_bodies_stay_within_their_room(body):
    rows = [{"method": "POST", "path": "/x", "sent": body, "media": media} for media in ("json", "form", "multipart")] * 50
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
