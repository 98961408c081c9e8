"""Values as URLs write them are told as those that they stand for, and SipHash of a word is that of its bytes."""

import numpy as np
from helpers import examples
from hypothesis import given
from hypothesis import strategies as st

from sensor.core.hashing import siphash, siphash_word
from sensor.core.sensitive import SENSITIVE
from sensor.core.wide import padded
from sensor.inventory.lexical import classify_value
from sensor.inventory.parameters import ALPHABETS, alphabet_of
from sensor.inventory.value_forms import class_by_value

VALUES = {
    "4111 1111 1111 1111": "card", "5500-0000-0000-0004": "card", "3782 822463 10005": "card", "4111 1111 1111 1112": "",
    "GB82 WEST 1234 5698 7654 32": "iban", "DE89 3704 0044 0532 0130 00": "iban", "DE88 3704 0044 0532 0130 00": "",
    "-----BEGIN PRIVATE KEY-----": "private_key", "-----BEGIN RSA PRIVATE KEY-----": "private_key",
    "-----BEGIN CERTIFICATE-----": "", "1000 2000 3000 4001 5": "", "a b c d e f g h i": "",
}  # fmt: skip


def told(text: str) -> str:
    raw = text.encode()
    buffer = padded(b"xx" + raw)
    return SENSITIVE[class_by_value(buffer, 2, len(raw), classify_value(buffer, 2, len(raw)))]


@examples(200)
@given(st.sampled_from(sorted(VALUES)), st.lists(st.sampled_from([" ", "+", "%20"]), min_size=8, max_size=8))
def test_blanks_are_blanks_however_they_are_written(value, blanks):
    words = value.split(" ")
    written = words[0] + "".join(blank + word for blank, word in zip(blanks, words[1:], strict=False))
    assert told(written) == VALUES[value]


@examples(200)
@given(st.text("0123456789+%2 -ABCDE", max_size=60))
def test_no_text_reads_beyond_itself(text):
    """What stands behind a value changes nothing of what it is."""
    raw = text.encode()
    classes = set()
    for behind in (b"", b"0" * 8, b"%20 1111"):
        buffer = padded(raw + behind)
        classes.add(int(class_by_value(buffer, 0, len(raw), classify_value(buffer, 0, len(raw)))))
    assert len(classes) == 1


@examples(100)
@given(*(st.integers(0, 2**64 - 1) for _ in range(3)))
def test_a_word_hashes_as_its_bytes(word, key0, key1):
    keys = np.uint64(key0), np.uint64(key1)
    assert siphash_word(np.uint64(word), *keys) == siphash(padded(word.to_bytes(8, "little")), 0, 8, *keys)


@examples(200)
@given(st.text(st.characters(codec="ascii"), max_size=31))
def test_alphabets(text):
    found = {name for code, name in enumerate(ALPHABETS) if alphabet_of(padded(text.encode()), 0, len(text)) >> code & 1}
    plain = {"-": "hyphen", "_": "underscore", ".": "dot"}
    assert found == {
        "digits" if c.isdigit() else "lower" if c.islower() else "upper" if c.isupper() else plain.get(c, "other") for c in text
    }
