"""What was learned survives a restart, whole or not at all."""

import io
import pathlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.capture.files import CaptureFile
from sensor.checkpoint import CheckpointError, load, save
from sensor.pipeline import Pipeline
from sensor.settings import Config
from sensor.warmup import example_capture

CAPTURE = "pcaps/storefront.pcap"


def some_arrays(value: int = 0) -> dict[str, np.ndarray]:
    record = np.dtype([("a", "<i8"), ("b", "u1", (3,))])
    return {"x": np.full((4, 5), value, np.float64), "y.z": np.full(7, value, record), "empty": np.zeros(0, np.uint8)}


def test_arrays_come_back_as_they_were(tmp_path):
    path = tmp_path / "folder" / "some.state"
    save(path, some_arrays(7), {"source": "ab", "alerts": {"x": 1}})
    found = some_arrays()
    assert load(path, found) == {"source": "ab", "alerts": {"x": 1}}
    assert all((found[name] == array).all() for name, array in some_arrays(7).items())
    assert path.stat().st_mode & 0o777 == 0o600
    assert load(tmp_path / "none", found) is None


def test_another_layout_is_not_guessed_at(tmp_path):
    save(tmp_path / "state", some_arrays(7), {})
    found = some_arrays() | {"x": np.zeros((5, 4))}
    with pytest.raises(CheckpointError, match="another version"):
        load(tmp_path / "state", found)
    assert not found["y.z"]["a"].any()


@given(st.data())
def test_no_damage_goes_unseen(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("state") / "state"
    save(path, some_arrays(7), {})
    whole = path.read_bytes()
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(whole) - 1))
        damaged = whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    else:
        damaged = whole[: data.draw(st.integers(0, len(whole) - 1))]
    path.write_bytes(damaged)
    found = some_arrays()
    with pytest.raises(CheckpointError):
        load(path, found)
    assert not found["x"].any()


def test_a_failed_write_leaves_the_old_one(tmp_path):
    path = tmp_path / "state"
    save(path, some_arrays(7), {})
    path.with_suffix(".new").mkdir()
    with pytest.raises(CheckpointError, match="cannot be kept"):
        save(path, some_arrays(8), {})
    found = some_arrays()
    load(path, found)
    assert (found["x"] == 7).all()


def outcome(pipeline: Pipeline) -> tuple:
    return pipeline.endpoints(), [alert.as_row() for alert in pipeline.alerts()]


def test_a_run_with_a_restart_in_it_comes_to_the_same(tmp_path):
    """A capture, and the same an hour later: in one run, and with a restart in between."""
    early = pathlib.Path(CAPTURE).read_bytes()
    late = hour_later(early)
    straight = Pipeline(Config(), (1, 2), [])
    first = Pipeline(Config(), (1, 2), [])
    for pipeline in (straight, first):
        pipeline.run(CaptureFile("x", io.BytesIO(early)))
        pipeline.finish("x")
    save(tmp_path / "state", first.learned(), {})
    second = Pipeline(Config(), (1, 2), [])
    second.run(CaptureFile("x", io.BytesIO(example_capture())))  # anything: it is overwritten
    second.finish("x")
    load(tmp_path / "state", second.learned())
    for pipeline in (straight, second):
        pipeline.run(CaptureFile("x", io.BytesIO(late)))
        pipeline.finish("x")
    assert outcome(second) == outcome(straight) != outcome(first)
    for pipeline in (straight, first, second):
        pipeline.close()


def hour_later(raw: bytes) -> bytes:
    """A little-endian pcap file with all times moved."""
    out, at = bytearray(raw), 24
    while at < len(raw):
        out[at : at + 4] = (int.from_bytes(raw[at : at + 4], "little") + 3600).to_bytes(4, "little")
        at += 16 + int.from_bytes(raw[at + 8 : at + 12], "little")
    return bytes(out)
