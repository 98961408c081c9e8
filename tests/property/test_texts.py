"""Signatures of texts against a plain reader, and how near texts of one origin and of many are."""

import json
import random
import re
import urllib.parse

import numpy as np
import pytest
from helpers import examples
from hypothesis import given
from hypothesis import strategies as st
from rows import batch_of

from detectors.similar import NEAR, differing
from sensor.core.wide import SLACK, padded
from sensor.inventory.analyse import Inventory
from sensor.inventory.texts import LONGEST, SHORTEST, normalise, simhash
from sensor.simulate.texts import pitch, review

MASK = (1 << 64) - 1


def plain_normalised(text: bytes) -> bytes:
    text = re.sub(rb"[\x00-\x20+]+", b" ", text)
    text = re.sub(rb"(?i)(^| )(?:http|www[.\x0e])[^ ]*", rb"\1", text)
    text = re.sub(rb" +", b" ", text)
    text = re.sub(rb"[0-9]", b"", text)
    return bytes(byte | 32 if 65 <= byte <= 90 else byte for byte in text)


def plain_simhash(text: bytes) -> int:
    counts, total = [0] * 64, len(text) - 3
    for at in range(total):
        value = int.from_bytes(text[at : at + 4], "big") + 1
        value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
        value ^= value >> 31
        for bit in range(64):
            counts[bit] += value >> bit & 1
    return max(1, sum(1 << bit for bit in range(64) if 2 * counts[bit] > total))


def normalised(text: bytes) -> bytes:
    target = np.zeros(LONGEST + SLACK, np.uint8)
    return target[: normalise(padded(text), 0, len(text), target)[0]].tobytes()


@examples(200)
@given(
    st.lists(
        st.sampled_from(["Hello", " ", "\t", "http://x.example/1", "WWW.x", "42", "ü", "+", "https", "don't"]), max_size=20
    )
)
def test_what_counts_of_a_text(parts):
    text = "".join(parts).encode()
    assert normalised(text).strip() == plain_normalised(text).strip()


@examples(100)
@given(st.binary(min_size=SHORTEST, max_size=LONGEST))
def test_signatures_are_those_of_the_plain_reader(text):
    assert int(simhash(padded(text), len(text), np.zeros(64, np.int64))) == plain_simhash(text)


@given(st.integers(0, MASK), st.integers(0, MASK))
def test_differing_bits_are_counted(a, b):
    assert differing(np.uint64(a), np.uint64(b)) == (a ^ b).bit_count()


def signatures(texts: list[str], media: str = "json") -> list[int]:
    def body(text: str) -> bytes:
        fields = {"name": "x", "text": text}
        return json.dumps(fields, ensure_ascii=False).encode() if media == "json" else urllib.parse.urlencode(fields).encode()

    rows = [{"method": "POST", "path": "/v1/comments", "sent": body(text), "media": media} for text in texts]
    batch, _, _ = Inventory((1, 2)).analyse(batch_of(rows))
    return batch.rows["signature"].tolist()


@pytest.mark.parametrize("media", ["json", "form"])
def test_people_are_far_from_each_other_and_spam_is_near(media):
    draw = random.Random(4)
    people = [one for one in signatures([review(draw) for _ in range(300)], media) if one]
    spam = signatures([pitch(draw, 0) for _ in range(60)], media)
    near = sum((a ^ b).bit_count() <= NEAR for k, a in enumerate(people) for b in people[:k])
    assert len(people) > 200 and near <= 0.002 * len(people) ** 2 / 2
    assert all(spam) and all(min((a ^ b).bit_count() for b in spam if b is not a) <= NEAR for a in spam)


def test_how_a_text_is_written_makes_no_difference():
    text = "\u0414\u043e\u0441\u0442\u0430\u0432\u043a\u0430 \u0437\u0430\u043d\u044f\u043b\u0430 \u0434\u0432\u0430 \u0434\u043d\u044f, \u0441\u043f\u0430\u0441\u0438\u0431\u043e \u0432\u0430\u043c \U0001f600 caf\u00e9"
    bodies = [json.dumps({"t": text}), json.dumps({"t": text}, ensure_ascii=False), urllib.parse.urlencode({"t": text})]
    bodies.append(f'--x\r\nContent-Disposition: form-data; name="t"\r\n\r\n{text}\r\n--x--')
    rows = [{"method": "POST", "path": "/v1/comments", "sent": body.encode(), "media": media}
            for body, media in zip(bodies, ("json", "json", "form", "multipart"), strict=True)]  # fmt: skip
    batch, _, _ = Inventory((1, 2)).analyse(batch_of(rows))
    signatures = batch.rows["signature"].tolist()
    assert signatures[0] and max((signatures[0] ^ one).bit_count() for one in signatures) <= 8


@pytest.mark.parametrize("media", ["json", "form"])
def test_people_who_write_cyrillic_are_far_from_each_other(media):
    draw = random.Random(6)
    letters = "\u043e\u0435\u0430\u0438\u043d\u0442\u0441\u0440\u0432\u043b\u043a\u043c\u0434\u043f\u0443\u044f\u044b\u044c\u0433\u0437"
    texts = [" ".join("".join(draw.choice(letters) for _ in range(draw.randint(2, 9))) for _ in range(25)) for _ in range(60)]
    rows = [{"method": "POST", "path": "/v1/comments", "media": media,
             "sent": (json.dumps({"t": text}) if media == "json" else urllib.parse.urlencode({"t": text})).encode()}
            for text in texts]  # fmt: skip
    batch, _, _ = Inventory((1, 2)).analyse(batch_of(rows))
    found = batch.rows["signature"].tolist()
    assert all(found) and min((a ^ b).bit_count() for k, a in enumerate(found) for b in found[:k]) > NEAR


def test_a_token_beside_a_text_is_not_the_text():
    draw, found = random.Random(7), []
    for _ in range(2):
        token = "".join(draw.choice("abcdefghijklmnopqrstuvwxyzABCDEF0123456789-_") for _ in range(500))
        found.append({"text": pitch(random.Random(1), 0), "g-recaptcha-response": token})
    rows = [{"method": "POST", "path": "/v1/comments", "sent": json.dumps(one).encode()} for one in found]
    batch, _, _ = Inventory((1, 2)).analyse(batch_of(rows))
    assert batch.rows["signature"][0] == batch.rows["signature"][1] != 0


def test_only_content_has_a_signature():
    text = {"text": "a text of some length, long enough to be worth a signature of its own"}
    rows = [{"method": method, "path": path, "sent": json.dumps(text).encode()} for method, path in
            (("POST", "/v1/comments"), ("POST", "/v1/orders"), ("GET", "/v1/comments"))]  # fmt: skip
    rows.append({"method": "POST", "path": "/v1/comments", "sent": b'{"text": "Great, thanks!"}'})
    batch, _, _ = Inventory((1, 2)).analyse(batch_of(rows))
    assert [bool(one) for one in batch.rows["signature"]] == [True, False, False, False]


@given(st.binary(max_size=300), st.sampled_from(["json", "form", "text", "multipart"]))
def test_any_body_is_survived(body, media):
    Inventory((1, 2)).analyse(batch_of([{"method": "POST", "path": "/v1/comments", "sent": body, "media": media}]))
