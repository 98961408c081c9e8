"""How long rows stay: what the configuration says, what a sample of older transactions keeps, and what several taps saw once."""

import json
import pathlib
import subprocess
import sys
import time

import pytest

from sensor.config import ConfigError, load_config
from sensor.store import migrations, open_store
from sensor.store.errors import StoreError
from sensor.store.keeping import KEPT, keep, keep_as_said, kept_days, thin

CAPTURES = sorted(map(str, (pathlib.Path(__file__).parent.parent / "pcaps").glob("*.pcap*")))
TAPWATCH = pathlib.Path(sys.executable).with_name("tapwatch")
INCIDENTS = "(host, endpoint, remote_ip) IN (SELECT host, endpoint, toIPv6(arrayJoin(sources)) FROM alerts)"


def replay(dsn: str, *more: str, source: str = "tapwatch") -> None:
    subprocess.run([TAPWATCH, "replay", "--store", dsn, *more, *CAPTURES], check=True, capture_output=True)


@pytest.fixture
def dsn(tmp_path) -> str:
    replay(f"chdb://{tmp_path}/store")
    return f"chdb://{tmp_path}/store"


def test_every_table_has_a_limit_and_each_can_be_set(tmp_path):
    with open_store(f"chdb://{tmp_path}/store") as store:
        at_first = {what: kept_days(store, what) for what in KEPT}
        assert at_first == {"transactions": 14, "minutes": 400, "actors": 90} | dict.fromkeys(list(KEPT)[3:], 730)
        for what in KEPT:
            keep(store, what, 5)
            assert kept_days(store, what) == 5
            keep(store, what, 0)
            assert kept_days(store, what) == 0


def test_a_store_that_there_is_keeps_what_was_set_for_it(tmp_path, monkeypatch):
    """Made by an older version, with alerts for 30 days and the others for ever: an upgrade changes neither."""
    every = migrations.migrations()
    with open_store(f"chdb://{tmp_path}/store") as store:
        store.command("DROP DATABASE tapwatch")
        monkeypatch.setattr(migrations, "migrations", lambda: [one for one in every if one.version < 20])
        monkeypatch.setattr(migrations, "NEW_STORE", tmp_path / "nothing.sql")
        (tmp_path / "nothing.sql").write_text("")
        migrations.migrate(store)
        keep(store, "alerts", 30)
        monkeypatch.undo()
        assert [name[:4] for name in migrations.migrate(store)] == [f"{one.version:04}" for one in every if one.version >= 20]
        assert (
            kept_days(store, "alerts") == 30 and kept_days(store, "endpoints") == 0 and kept_days(store, "transactions") == 14
        )


def test_alerts_of_no_host_keep_what_they_are_about(dsn):
    with open_store(dsn) as store:
        row = b'{"alert_id":"a","detector":"x","host":"","endpoint":"/*","sources":["203.0.113.10"],"sensor":"s","version":%d}'
        names = ("alert_id", "detector", "host", "endpoint", "sources", "sensor", "version")
        store.insert("alert_versions", names, row % time.time_ns(), "JSONEachRow")
        count = "SELECT count() FROM transactions WHERE remote_ip = toIPv6('203.0.113.10')"
        before = store.rows(count)
        thin(store, 0, 0)
        assert store.rows(count) == before != [(0,)]


def test_the_configuration_says_how_long(tmp_path):
    (tmp_path / "t.toml").write_text("[retention]\ntransactions = 3\nalerts = 0\n")
    replay(f"chdb://{tmp_path}/store", "-c", str(tmp_path / "t.toml"))
    with open_store(f"chdb://{tmp_path}/store") as store:
        assert [kept_days(store, what) for what in ("transactions", "alerts", "minutes")] == [3, 0, 400]
        said: list[str] = []
        refusing = type("Reader", (), {"rows": store.rows, "database": store.database, "command": _refuse})()
        keep_as_said(refusing, {"transactions": 3, "minutes": None, "alerts": 9}, said.append)
        assert len(said) == 1 and said[0].startswith("How long alerts are kept stays as it was: ")
    for wrong in ("transactions = -1", "transactions = 4000", 'transactions = "1"', "nothing = 1"):
        (tmp_path / "t.toml").write_text(f"[retention]\n{wrong}\n")
        with pytest.raises(ConfigError):
            load_config(str(tmp_path / "t.toml"))


def _refuse(*_):
    raise StoreError("Not enough privileges.")


def counts(store) -> tuple[int, int]:
    """(transactions of incidents, estimate of the others)"""
    ((cited,),) = store.rows(f"SELECT count() FROM transactions WHERE {INCIDENTS}")
    ((others,),) = store.rows(f"SELECT sum(stands_for) FROM transactions WHERE NOT {INCIDENTS}")
    return int(cited), int(others)


def test_a_sample_keeps_what_alerts_are_about_and_says_for_how_many_it_stands(dsn):
    with open_store(dsn) as store:
        cited, others = counts(store)
        assert cited >= 1_000 and others > 3_000
        assert thin(store, 3, 10)[0] == thin(store, 3, 10)[1], "nothing is that old yet"
        before, after = thin(store, 0, 4)
        assert before == cited + others and cited < after < cited + others / 2
        same, estimate = counts(store)
        assert same == cited and abs(estimate - others) < 0.3 * others
        assert store.rows("SELECT DISTINCT stands_for FROM transactions ORDER BY 1") == [(1,), (4,)]
        whole = "SELECT community_id, max(serial) + 1 - count() AS missing FROM transactions WHERE stands_for > 1 GROUP BY 1 HAVING missing > 0"
        assert store.rows(whole) == [], "whole connections stay"
        assert thin(store, 0, 4) == (after, after), "what was thinned is not thinned again"
        ((minutes,),) = store.rows("SELECT sum(transactions) FROM endpoint_activity")
        assert int(minutes) == before, "minutes count all"


def test_all_but_incidents_can_go(dsn):
    done = subprocess.run(
        [TAPWATCH, "store", "thin", "--days", "0", "--one-in", "0", "--store", dsn], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    with open_store(dsn) as store:
        cited, others = counts(store)
        assert cited >= 1_000 and others == 0
        ((evidence,),) = store.rows("SELECT count() FROM alerts")
        assert int(evidence) >= 2


def test_what_two_taps_saw_is_there_once(tmp_path):
    dsn = f"chdb://{tmp_path}/store"
    replay(dsn)
    (tmp_path / "t.toml").write_text('sensor = "second"\n')
    replay(dsn, "-c", str(tmp_path / "t.toml"))
    with open_store(dsn) as store:
        per_sensor = dict(store.rows("SELECT toString(sensor), count() FROM transactions GROUP BY sensor"))
        assert set(per_sensor) == {"tapwatch", "second"}
        ((once,),) = store.rows("SELECT count() FROM transactions_once")
        assert int(once) == per_sensor["second"] == per_sensor["tapwatch"]
    asked = ["query", "seen_by_several_taps", "-p", "hours=0", "--json", "--store", dsn]
    (row,) = [
        json.loads(line) for line in subprocess.run([TAPWATCH, *asked], capture_output=True, check=True).stdout.splitlines()
    ]
    assert (row["sensor"], row["other"], row["seen_by_sensor"], row["seen_by_other"]) == ("second", "tapwatch", once, once)


def test_of_three_taps_all_pairs_are_told(tmp_path):
    dsn = f"chdb://{tmp_path}/store"
    for name in ("a", "b", "c"):
        (tmp_path / "t.toml").write_text(f'sensor = "{name}"\n')
        replay(dsn, "-c", str(tmp_path / "t.toml"))
    asked = ["query", "seen_by_several_taps", "-p", "hours=0", "--json", "--store", dsn]
    told = subprocess.run([TAPWATCH, *asked], capture_output=True, check=True).stdout
    rows = [json.loads(line) for line in told.splitlines()]
    assert [(row["sensor"], row["other"]) for row in rows] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert {(row["seen_by_sensor"], row["seen_by_other"]) for row in rows} == {(4_500, 4_500)}
