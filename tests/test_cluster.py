"""The schema on a cluster (tests/cluster_server.py): Distributed tables give the answers that one server's tables give."""

import json
import pathlib
import subprocess
import sys

import cluster_server
import pytest
from clickhouse_server import Server

from sensor.store import cluster, migrations, open_store
from sensor.store.saved import saved_queries

CAPTURE = pathlib.Path(__file__).parent.parent / "pcaps/storefront.pcap"
TAPWATCH = pathlib.Path(sys.executable).with_name("tapwatch")


def tapwatch(*words: str) -> str:
    done = subprocess.run([TAPWATCH, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def spread(tmp_path_factory):
    """A cluster to which the capture was written twice, and a store of one server: (server, dsn of the single store)."""
    server = Server(tmp_path_factory.mktemp("cluster"), script=cluster_server.__file__)
    single = f"chdb://{tmp_path_factory.mktemp('single')}/store"
    tapwatch("schema", "apply", "--cluster", cluster_server.CLUSTER, "--store", server.dsn)
    for dsn in (server.dsn, server.dsn, single):
        tapwatch("replay", "--store", dsn, str(CAPTURE))
    yield server, single
    server.kill()


def test_saved_queries_find_the_same(spread):
    server, single = spread
    with open_store(server.dsn, create=False) as several, open_store(single, create=False) as one:
        assert cluster.cluster_of(several) == cluster_server.CLUSTER
        assert cluster.cluster_of(one) is None
        for name, question in saved_queries().items():
            found = [[row for _, block in question.run(store, {}) for row in block] for store in (several, one)]
            assert found[0] == found[1], name


def test_what_is_sent_twice_counts_once_in_tables_and_by_the_minute(spread):
    server, _ = spread
    assert server.rows("SELECT count() FROM tapwatch.transactions") == [[4500]]
    assert server.rows("SELECT sum(transactions) FROM tapwatch.endpoint_activity") == [[4500]]


def test_a_cluster_is_kept_and_merged(spread):
    server, _ = spread
    tapwatch("store", "keep", "--days", "3", "--of", "minutes", "--store", server.dsn)
    ((created,),) = server.rows("SELECT create_table_query FROM system.tables WHERE name = 'endpoint_minutes_local'")
    assert "toIntervalDay(3)" in created
    tapwatch("store", "vacuum", "--store", server.dsn)
    stats = [json.loads(line) for line in tapwatch("store", "stats", "--json", "--store", server.dsn).splitlines()]
    assert {row["table"]: row["rows"] for row in stats}["transactions"] == 4500
    assert tapwatch("schema", "apply", "--store", server.dsn) == ""


def test_rows_that_replace_each_other_meet_on_one_shard(spread):
    """The sharding key is of columns that the versions of a row have in common: those of the table's sorting key."""
    server, _ = spread
    found = dict(
        server.rows("SELECT name, sorting_key FROM system.tables WHERE database = 'tapwatch' AND engine LIKE '%MergeTree'")
    )
    assert set(found) == {f"{table}_local" for table in cluster.SHARDED_BY}
    for table, key in cluster.SHARDED_BY.items():
        columns = set(key.removeprefix("cityHash64(").removesuffix(")").split(", "))
        assert columns <= set(found[f"{table}_local"].split(", ")), table


def test_the_printed_schema_is_what_clickhouse_takes(spread):
    _, single = spread
    text = migrations.schema_text("tapwatch", "c1")
    parts = migrations.statements(text)
    with open_store(single, create=False) as store:
        for part in parts:
            assert store.rows("SELECT formatQuery({sql:String})", {"sql": part})
    for table in cluster.SHARDED_BY:
        assert table == "schema_migrations" or f"CREATE TABLE IF NOT EXISTS {table} ON CLUSTER 'c1' AS {table}_local" in text
    assert all("ON CLUSTER 'c1'" in part for part in parts if part.startswith(("CREATE", "ALTER")))
    assert "/*" not in text


@pytest.mark.parametrize("version", [17, 18])
def test_a_cluster_without_distributed_tables_is_taken_over(tmp_path, version):
    """As schema 17 and before made it: replicated tables of their own names; or what was made as one server's."""
    server = Server(tmp_path, script=cluster_server.__file__)
    try:
        with open_store(server.dsn) as store:  # one server's schema is that of the old cluster, without the Replicated
            if version == 17:
                store.command("DROP TABLE endpoint_minutes_of_transactions")
                store.command("DROP TABLE endpoint_minutes")
                store.command("ALTER TABLE schema_migrations DELETE WHERE version >= 18 SETTINGS mutations_sync = 2")
            store.command(
                "INSERT INTO transactions (host, endpoint, method) VALUES ('a.test', '/x', 'GET'), ('a.test', '/y', 'GET')"
            )
        tapwatch("schema", "apply", "--cluster", cluster_server.CLUSTER, "--store", server.dsn)
        assert server.rows("SELECT count() FROM tapwatch.transactions_local") == [[2]]
        assert server.rows("SELECT sum(transactions) FROM tapwatch.endpoint_activity") == [[2]]
        tapwatch("replay", "--store", server.dsn, str(CAPTURE))
        assert server.rows("SELECT count() FROM tapwatch.transactions") == [[4502]]
        assert server.rows("SELECT sum(transactions) FROM tapwatch.endpoint_activity") == [[4502]]
    finally:
        server.kill()


def test_every_question_can_be_asked_of_two_shards(spread):
    """Tables within tables of another server: what ClickHouse refuses of one shard's questions it refuses of two alone."""
    server, _ = spread
    dsn = f"{server.dsn}/of_two"
    tapwatch("schema", "apply", "--cluster", cluster_server.OF_TWO, "--store", dsn)
    tapwatch("replay", "--store", dsn, str(CAPTURE))
    with open_store(dsn, create=False) as store:
        for question in saved_queries().values():
            for _ in question.run(store, {}):
                pass
        for view in (
            "endpoint_inventory",
            "findings",
            "alerts",
            "actors",
            "sensor_health",
            "transactions_once",
            "ocsf_http_activity",
        ):
            assert store.rows(f"SELECT * FROM {view} LIMIT 1"), view
    for words in (["export", "blocklist", "--hours", "1000000"], ["export", "policy"], ["report", "-o", "-"], ["correlate"],
                  ["store", "thin", "--days", "0", "--one-in", "2"], ["export", "tests", "--base-url", "https://s.example"]):  # fmt: skip
        tapwatch(*words, "--store", dsn)
