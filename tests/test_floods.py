"""Floods among ordinary traffic, through a sensor whose tables are far too small for them: nobody else loses a transaction."""

import pytest
from helpers import assert_empty, small_sensor

from sensor.simulate.floods import FLOODS, write_flood


@pytest.mark.parametrize("kind", FLOODS)
def test_ordinary_clients_lose_nothing(kind, tmp_path):
    counts = write_flood(tmp_path / "flood.pcap", kind, 60_000, 1_500)
    sensor = small_sensor(connections=4_096, pending=1_024, text_bytes=2 << 20, held_bytes=1 << 20)
    rows = [row for part in sensor.read(tmp_path / "flood.pcap") for row in part]
    ordinary = [row for row in rows if not row["client_ip"].startswith("203.")]
    assert len(ordinary) == counts["transactions"]
    assert all(row["status"] and row["method"] and not row["completeness"] for row in ordinary)
    filled = {
        "syn": "evicted_capacity",
        "idle": "evicted_capacity",
        "slow_heads": "head_evicted",
        "unanswered": "pending_evicted",
    }
    assert sensor.counted().get(filled.get(kind, "head_overflow"), 0) > 0
    assert_empty(sensor)
