"""Classes of values by their characters, held against Python's own readers of times and addresses."""

import datetime
import ipaddress

import pytest
from helpers import examples
from hypothesis import given
from hypothesis import strategies as st

from sensor.core.placeholders import CLASSES
from sensor.core.wide import padded
from sensor.inventory.lexical import classify_value

TIMES = st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31))
ZONES = st.sampled_from(["", "Z", "z", "+02:00", "-0330", "+14:00"])
ODDLY_WRITTEN = "0123456789abcdefABCDEF::::."


def told(text: str) -> str:
    """The class of a value that stands between others."""
    raw = text.encode()
    return CLASSES[classify_value(padded(b"7:" + raw + b":7"), 2, len(raw))]


@examples(200)
@given(TIMES, ZONES, st.sampled_from("Tt "), st.booleans(), st.integers(0, 9))
def test_times_are_dates(moment, zone, mark, encoded, digits):
    text = moment.strftime(f"%Y-%m-%d{mark}%H:%M:%S").rjust(19, "0") + (
        f".{moment.microsecond:09d}"[: digits + 1] if digits else ""
    )
    text += zone
    assert told(text.replace(":", "%3A").replace("+", "%2B") if encoded else text) == "date"


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T", "2026-01-01Tomorrow", "2026-01-01\0" + "10:00:00", "2026-01-01T25:00:00", "2026-01-01T10:61", "2026-01-01T10:00:00+", "2026-13-01T10:00:00Z",
        "2026-01-01T10:00:00ZZ", "2026-01-01-final-report", "20x6-01-01T10:00:00Z", "2026-01-01T10:00:00Z/7",
    ],
)  # fmt: skip
def test_what_only_begins_as_a_time_is_none(text):
    assert told(text) != "date"


@pytest.mark.parametrize(
    "text", ["2026-01-01T10", "2026-01-01T10Z", "2026-01-01T1030", "2026-01-01T103059", "2026-01-01T10:30+02"]
)
def test_short_times_are_times(text):
    assert told(text) == "date"


@pytest.mark.parametrize(("text", "kind"), [("1::2:3:4:5:6:7:8", ""), ("1:2:3:4:5:6:7:8", "ipv6"), ("fe80::1", "ipv6")])
def test_eight_groups_leave_nothing_out(text, kind):
    assert told(text) == kind


@examples(500)
@given(
    st.text(ODDLY_WRITTEN, min_size=2, max_size=41)
    | st.ip_addresses(v=6).map(str)
    | st.ip_addresses(v=6).map(lambda a: a.exploded)
)
def test_addresses_are_those_that_python_reads(text):
    try:
        is_address = ipaddress.ip_address(text).version == 6 and "." not in text
    except ValueError:
        is_address = False
    assert (told(text) == "ipv6") == is_address


@pytest.mark.parametrize(
    ("text", "kind"), [("-1.5", "number"), ("1.5", "number"), ("-.5", ""), ("-1.5.2", ""), ("-12", "int"), ("--1.5", "")]
)
def test_fractions_have_a_sign_or_none(text, kind):
    assert told(text) == kind
