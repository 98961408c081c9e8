"""Views in the words of others, and the store's own housekeeping."""

import json
import pathlib
import shutil
import subprocess
import sys

import pytest
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from sensor.store.keeping import KEPT

TAPWATCH = pathlib.Path(sys.executable).with_name("tapwatch")


def tapwatch(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([TAPWATCH, *arguments], capture_output=True, text=True, timeout=300, check=False)


def rows(store: str, sql: str) -> list[dict]:
    done = tapwatch("sql", "--json", sql, "--store", store)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def known_of(value):
    """A row without what is unknown: SQL has NULL where OCSF has no field."""
    if isinstance(value, dict):
        return {name: known_of(one) for name, one in value.items() if one is not None}
    return value


def test_ocsf_http_activity(bundled_store):
    """What OCSF 1.3 requires of the class, and that it says what the transactions say."""
    found = rows(
        bundled_store, "SELECT * FROM ocsf_http_activity WHERE dst_endpoint.hostname = 'api.shop.test' ORDER BY time LIMIT 500"
    )
    assert len(found) == 500
    for row in found:
        assert {"activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid"} <= set(row)
        assert row["type_uid"] == 100 * row["class_uid"] + row["activity_id"] and row["category_uid"] == 4
        assert (
            (row["http_request"]["http_method"] or row["activity_id"] == 99)
            and row["src_endpoint"]["ip"]
            and row["metadata"]["product"]["name"] == "Tapwatch"
        )
    schema = Draft202012Validator(OcsfJsonSchemaEmbedded(get_ocsf_schema("1.3.0")).get_class_schema("http_activity"))
    for row in rows(bundled_store, "SELECT * FROM ocsf_http_activity ORDER BY time LIMIT 1 BY dst_endpoint, activity_id"):
        schema.validate(known_of(row))
    (counted,) = rows(bundled_store, "SELECT count() AS n, countIf(http_response.code = 200) AS good FROM ocsf_http_activity")
    (plain,) = rows(bundled_store, "SELECT count() AS n, countIf(status = 200) AS good FROM transactions")
    assert counted == plain


def test_ocsf_detection_finding(bundled_store):
    found = {row["metadata"]["uid"]: row for row in rows(bundled_store, "SELECT * FROM ocsf_detection_finding")}
    sweep = found["a211cf05bfd6f518"]
    assert sweep["type_uid"] == 200401 and sweep["severity_id"] == 4 and sweep["count"] == 600 and sweep["status_id"] == 1
    assert sweep["observables"] == [{"name": "src_endpoint.ip", "type_id": 2, "value": "198.51.100.77"}]
    Draft202012Validator(OcsfJsonSchemaEmbedded(get_ocsf_schema("1.3.0")).get_class_schema("detection_finding")).validate(sweep)
    assert sweep["finding_info"]["types"] == ["API1:2023"] and sweep["start_time"] < sweep["end_time"]


def test_ecs(bundled_store):
    (row,) = rows(bundled_store, "SELECT * FROM ecs_alerts WHERE `event.id` = 'a211cf05bfd6f518'")
    assert row["event.kind"] == "alert" and row["related.ip"] == ["198.51.100.77"] and row["event.severity"] == 80
    found = rows(bundled_store, "SELECT `event.outcome` AS outcome, count() AS n FROM ecs_http GROUP BY outcome")
    assert {one["outcome"] for one in found} == {"success", "failure", "unknown"}


def test_views_for_people(bundled_store):
    assert {row["detector"] for row in rows(bundled_store, "SELECT detector FROM open_alerts")} == {
        "enumeration",
        "credential_stuffing",
    }
    health = rows(bundled_store, "SELECT * FROM sensor_health WHERE capture LIKE '%storefront%'")
    assert [row["transactions"] for row in health] == [4500] and health[0]["gap_share"] == 0


def test_housekeeping(bundled_store, tmp_path):
    own = tmp_path / "store"
    shutil.copytree(bundled_store.removeprefix("chdb://"), own, symlinks=True)
    store = f"chdb://{own}"
    done = tapwatch("store", "stats", "--json", "--store", store)
    tables = {row["table"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert tables["transactions"]["rows"] > 4_500 and tables["transactions"]["bytes_per_row"] < 200
    assert tables["transactions"]["newest"].startswith("2026-03-03")
    assert tapwatch("store", "vacuum", "--store", store).returncode == 0
    assert tapwatch("store", "keep", "--days", "3", "--store", store).returncode == 0
    (made,) = rows(
        store, "SELECT create_table_query AS q FROM system.tables WHERE name = 'transactions' AND database = 'tapwatch'"
    )
    assert "toIntervalDay(3)" in made["q"]
    for name in KEPT:
        assert tapwatch("store", "keep", "--days", "2", "--of", name, "--store", store).returncode == 0, name
    assert len(rows(store, "SELECT alert_id FROM alerts")) == 2, "they were written today"
    query = (
        "SELECT count() AS n FROM system.tables WHERE database = 'tapwatch' AND create_table_query LIKE '%toIntervalDay(2)%'"
    )
    assert rows(store, query)[0]["n"] == len(KEPT)
    for _ in range(2):
        assert tapwatch("store", "keep", "--days", "0", "--of", "alerts", "--store", store).returncode == 0
    assert rows(store, query)[0]["n"] == len(KEPT) - 1
    assert tapwatch("store", "vacuum", "--store", store).returncode == 0
    assert len(rows(store, "SELECT alert_id FROM alerts")) == 2, "a merge loses nothing"
    wrong = tapwatch("store", "keep", "--days", "2", "--of", "nothing", "--store", store)
    assert wrong.returncode == 2 and "there are: transactions" in wrong.stderr


@pytest.mark.parametrize("query", ["transactions", "SELECT host, count() AS n FROM transactions GROUP BY host"])
def test_parquet(bundled_store, tmp_path, query):
    import pyarrow.parquet

    path = tmp_path / "t.parquet"
    done = tapwatch("store", "export", "parquet", query, "-o", str(path), "--store", bundled_store)
    assert done.returncode == 0, done.stderr
    table = pyarrow.parquet.read_table(path)
    assert (
        table.num_rows
        == rows(bundled_store, f"SELECT count() AS n FROM ({query if ' ' in query else 'SELECT * FROM ' + query})")[0]["n"]
    )


def test_an_export_only_reads(bundled_store, tmp_path):
    done = tapwatch(
        "store", "export", "parquet", "DROP TABLE transactions", "-o", str(tmp_path / "x"), "--store", bundled_store
    )
    assert done.returncode == 1 and "Only reading" in done.stderr
