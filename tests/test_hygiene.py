"""The hygiene report: every figure is fed by counters that exist, and says what to do."""

import numpy as np
from helpers import CLIENT, KEY, SERVER, Sensor, chunk_of, rows_of

from sensor.capture.files import Chunk
from sensor.core.reasons import REASONS, named
from sensor.hygiene import FIGURES, hygiene
from sensor.pipeline import Pipeline
from sensor.settings import Config
from sensor.simulate.feature_base import answer, ask
from sensor.simulate.wire import Conversation

START = 1_700_000_000_000_000_000


def figures(frames) -> dict[str, tuple[int, int]]:
    sensor = Sensor(connections=64)
    rows_of(sensor.take(*chunk_of(frames)))
    sensor.finish()
    return {figure.name: (figure.part, figure.whole) for figure in hygiene(sensor.counted())}


def conversation(**options) -> Conversation:
    made = Conversation(CLIENT, SERVER, START, **options)
    made.handshake()
    made.exchange(ask("GET", "/v1/products"), answer(b'{"a":1}'))
    made.close()
    return made


def test_every_figure_is_made_of_counters_that_exist():
    for _, part, whole, advice in FIGURES:
        assert set(part) | set(whole) <= set(REASONS)
        assert advice.endswith(".")


def test_clean_traffic_has_nothing_to_tell():
    assert figures(conversation().frames) == {}


def test_duplicates_are_counted():
    frames = conversation().frames
    assert figures([frame for frame in frames for _ in range(2)])["duplicate packets"] == (len(frames), 2 * len(frames))


def test_one_direction_is_told():
    frames = [(ts, data) for ts, data in conversation().frames if data[26:30] == bytes(map(int, CLIENT[0].split(".")))]
    assert figures(frames)["connections with one direction only"] == (1, 1)


def test_tags_in_one_direction_are_told_and_joined():
    client = bytes(map(int, CLIENT[0].split(".")))
    frames = [
        (ts, data[:12] + b"\x81\x00\x00\x0a" + data[12:]) if data[26:30] == client else (ts, data)
        for ts, data in conversation().frames
    ]
    sensor = Sensor(connections=64)
    rows = rows_of(sensor.take(*chunk_of(frames))) + rows_of(sensor.finish())
    assert [(row["method"], row["status"], row["completeness"]) for row in rows] == [(b"GET", 200, [])]
    assert figures(frames)["connections tagged differently by direction"][0] == 1


def test_encrypted_connections_are_told():
    made = Conversation(CLIENT, SERVER, START)
    made.handshake()
    made.send(True, b"\x16\x03\x01\x00\x50\x01" + bytes(75))
    made.send(False, b"\x16\x03\x03\x00\x50\x02" + bytes(75))
    assert figures(made.frames)["encrypted connections"] == (1, 1)


def test_what_the_snap_length_cut_is_told():
    frames = [(ts, data) for ts, data in conversation().frames]
    sensor = Sensor(connections=64)
    chunk, records = chunk_of(frames)
    records["captured"][3] -= 5
    sensor.take(chunk, records)
    sensor.finish()
    assert [figure.part for figure in hygiene(sensor.counted()) if "snap length" in figure.name] == [1]


def test_what_an_interface_delivered_is_told_apart():
    pipeline = Pipeline(Config(), KEY, [])
    clean, twice = np.zeros(len(REASONS), np.uint64), np.zeros(len(REASONS), np.uint64)
    frames = conversation().frames
    pipeline.take(Chunk(*chunk_of(frames)), "a", counters=clean)
    later = [(ts + 10**12, data) for ts, data in frames]
    pipeline.take(Chunk(*chunk_of([frame for frame in later for _ in range(2)])), "b", counters=twice)
    pipeline.finish("a")
    assert [figure.name for figure in hygiene(named(clean))] == []
    assert [(figure.name, figure.part) for figure in hygiene(named(twice))] == [("duplicate packets", len(frames))]
    assert named(pipeline.totals())["frames"] == 3 * len(frames)
