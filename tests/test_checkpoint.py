"""What was learned survives a restart, whole or not at all."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.capture.files import CaptureFile
from sensor.checkpoint import CheckpointError, load, save
from sensor.config import Config
from sensor.pipeline import Pipeline
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
    """The capture's halves, with the state kept in between, against the whole: connections are complete at the cut."""
    raw = open(CAPTURE, "rb").read()
    straight = Pipeline(Config(), (1, 2), [])
    straight.run(CaptureFile(CAPTURE))
    straight.finish("x")
    first, cut = Pipeline(Config(), (1, 2), []), _quiet_place(raw)
    assert 0.3 < cut / len(raw) < 0.7
    first.run(CaptureFile("x", io.BytesIO(raw[:cut])))
    first.finish("x")
    save(tmp_path / "state", first.learned(), {})
    second = Pipeline(Config(), (1, 2), [])
    second.run(CaptureFile("x", io.BytesIO(example_capture())))  # anything: it is overwritten
    load(tmp_path / "state", second.learned())
    second.run(CaptureFile("x", io.BytesIO(raw[:24] + raw[cut:])))
    second.finish("x")
    assert outcome(second) == outcome(straight)
    for pipeline in (straight, first, second):
        pipeline.close()


def _quiet_place(raw: bytes) -> int:
    """Offset of a record, near the middle, in front of which no connection is open."""
    at, open_ones, found = 24, set(), 24
    while at < len(raw):
        size = int.from_bytes(raw[at + 8 : at + 12], "little")
        ip = raw[at + 16 + 14 : at + 16 + size]
        tcp = ip[(ip[0] & 15) * 4 :]
        ends = frozenset({ip[12:16] + tcp[:2], ip[16:20] + tcp[2:4]})
        if not open_ones and abs(at - len(raw) // 2) < abs(found - len(raw) // 2):
            found = at
        if tcp[13] & 2:
            open_ones.add(ends)
        if tcp[13] & 5:
            open_ones.discard(ends)
        at += 16 + size
    return found
