"""The benchmark's own figures: what they are made of, not how large they are."""

import pathlib

import pytest

from sensor.bench import apart
from sensor.bench_store import questions_run, writer_run
from sensor.settings import Config
from sensor.store.saved import saved_queries

CAPTURE = pathlib.Path(__file__).parent.parent / "pcaps/storefront.pcap"


def test_the_writer_beside_a_bare_insert(tmp_path):
    found = apart(writer_run, Config(), CAPTURE, tmp_path)
    assert found["rows"] == 4500 and found["blocks"] == 1 and 0 < found["bytes_per_row"] < 500
    assert found["share_of_bare"] == pytest.approx(found["writer_rows_per_s"] / found["bare_rows_per_s"], rel=0.01)


def test_saved_questions_over_days(tmp_path):
    found = apart(questions_run, Config(), CAPTURE, tmp_path, 20_000)
    assert found["rows"] == 22_500 and found["days"] == 5
    assert {one["question"] for one in found["questions"]} == set(saved_queries())
    assert all(one["seconds"] > 0 for one in found["questions"])
