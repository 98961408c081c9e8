"""Names of fields and what is looked for in their values, against plain Python."""

import numpy as np
from helpers import examples
from hpack.table import HeaderTable
from hypothesis import given
from hypothesis import strategies as st

from parsers.http.names import IS_USUAL, KIND_MASK, KINDS, UNKNOWN_NAME, USUAL, label, label_of, name_words
from parsers.http.text import find_byte, find_in_value
from sensor.core.wide import padded

KNOWN = st.sampled_from(sorted({*KINDS, *(name.decode() for name, _ in HeaderTable.STATIC_TABLE)}))
NAMES = st.one_of(
    KNOWN, KNOWN.map(str.title), KNOWN.map(lambda name: name + "s"), st.text("abcdefgz-:", min_size=1, max_size=40)
).map(str.encode)


@examples(300)
@given(NAMES, st.binary(max_size=9), st.binary(max_size=9))
def test_a_label_is_what_its_plain_twin_says_whatever_lies_around(name, before, behind):
    buffer = padded(before + name + behind)
    first, last = map(np.uint64, name_words(buffer, len(before), len(name)))
    assert label_of(first, last, len(name)) == label(name)


def test_kinds_are_apart_and_in_any_case_the_same():
    reads = [label(name.encode()) & KIND_MASK for name in KINDS if KINDS[name] != IS_USUAL]
    assert len(reads) == len(set(reads)) and UNKNOWN_NAME not in reads
    assert {label(name.title().encode()) & KIND_MASK for name in USUAL} == {KINDS[name] for name in USUAL}
    assert all(label(name.encode()) & IS_USUAL for name in USUAL)


@examples(300)
@given(st.binary(max_size=80), st.integers(0, 255), st.binary(max_size=9), st.data())
def test_a_byte_is_found_where_it_first_stands(value, byte, behind, draw):
    at = draw.draw(st.integers(0, len(value)))
    expected = value.find(bytes([byte]), at)
    for find in (find_byte, find_in_value):
        assert find(padded(value + behind), at, len(value), byte) == expected
