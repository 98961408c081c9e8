"""Endpoints by the minute: what the materialized view adds up is what the transactions say, each block once."""

import pathlib
import subprocess
import sys
import time

import pytest

from sensor.store import migrations, open_store
from sensor.store.cluster import localise

CAPTURES = pathlib.Path(__file__).parent.parent / "pcaps"
TAPWATCH = pathlib.Path(sys.executable).with_name("tapwatch")
COUNTS = "transactions, unanswered, refused, status_2xx, status_3xx, status_4xx, status_5xx, request_bytes, response_bytes"
KEY = "minute, host, method, endpoint"
DIRECT = f"""
SELECT toStartOfMinute(toDateTime(ts, 'UTC')) AS minute, host, method, endpoint, count() AS transactions,
    countIf(status IS NULL) AS unanswered, countIf(refused = 'refused') AS refused,
    countIf(intDiv(status, 100) = 2) AS status_2xx, countIf(intDiv(status, 100) = 3) AS status_3xx,
    countIf(intDiv(status, 100) = 4) AS status_4xx, countIf(intDiv(status, 100) = 5) AS status_5xx,
    sum(request_bytes) AS request_bytes, sum(response_bytes) AS response_bytes,
    uniqExact(remote_ip), uniqExact(actor), uniqExact(path, query), quantileExact(0.5)(latency_us), quantileExact(0.99)(latency_us)
FROM transactions GROUP BY {KEY} ORDER BY {KEY}"""
BY_MINUTE = f"""
SELECT {KEY}, {COUNTS}, clients, actors, targets, latency_us_p50, latency_us_p99
FROM endpoint_activity ORDER BY {KEY}"""
((_, VIEW),) = migrations.materialized()


@pytest.fixture
def store(tmp_path):
    """A store with all bundled captures."""
    dsn = f"chdb://{tmp_path}/store"
    subprocess.run(
        [TAPWATCH, "replay", "--store", dsn, *map(str, sorted(CAPTURES.glob("*.pcap*")))], check=True, capture_output=True
    )
    with open_store(dsn) as opened:
        yield opened


def test_minutes_say_what_the_transactions_say(store):
    by_minute, direct = store.rows(BY_MINUTE), store.rows(DIRECT)
    assert len(by_minute) > 200
    for found, expected in zip(by_minute, direct, strict=True):
        assert found[:13] == expected[:13]
        for number, exact in zip(found[13:16], expected[13:16], strict=True):
            assert abs(number - exact) <= 0.05 * exact
        low, high = found[16:]
        assert (low is None) == (high is None)
        assert low is None or (low <= high and 0.5 * expected[17] <= high <= 2 * expected[17] + 1)


def test_what_is_there_already_is_counted_when_the_view_is_made(store):
    before = store.rows(BY_MINUTE)
    store.command("DROP TABLE endpoint_minutes_of_transactions")
    for _ in range(2):  # a migration that was broken off begins again
        for statement in migrations.counted_before(VIEW, None):
            store.command(statement)
    store.command(localise(VIEW, None))
    after = store.rows(BY_MINUTE)
    assert [row[:16] for row in after] == [row[:16] for row in before]


def row(number: int) -> bytes:
    return b'{"host":"retry.test","endpoint":"/x","method":"GET","path":"/%d"}' % number


def test_a_block_that_is_sent_again_reaches_the_view_once(store):
    """Also where the first time ended between the table and the view."""
    columns = ("host", "endpoint", "method", "path")

    def counted() -> list[tuple]:
        asked = "SELECT count(), (SELECT sum(transactions) FROM endpoint_activity WHERE host = 'retry.test') FROM transactions"
        return store.rows(asked + " WHERE host = 'retry.test'")

    for _ in range(2):
        store.insert("transactions", columns, row(1), "JSONEachRow", "token 1")
    assert counted() == [(1, 1)]
    store.command("DROP TABLE endpoint_minutes_of_transactions")
    store.insert("transactions", columns, row(2), "JSONEachRow", "token 2")
    store.command(localise(VIEW, None))
    assert counted() == [(2, 1)]
    for _ in range(2):
        store.insert("transactions", columns, row(2), "JSONEachRow", "token 2")
    assert counted() == [(2, 2)]


def test_every_table_and_column_says_what_it_is(store):
    tables = "SELECT name FROM system.tables WHERE database = 'tapwatch' AND comment = ''"
    assert store.rows(tables) == []
    columns = """SELECT table, name FROM system.columns WHERE database = 'tapwatch' AND comment = '' AND table IN
        (SELECT name FROM system.tables WHERE database = 'tapwatch' AND engine LIKE '%MergeTree')"""
    assert store.rows(columns) == []


def test_a_key_that_one_run_never_saw_is_not_required(store):
    def field(source: str, path: str, kind: str, bodies: int, required: int, total: int) -> bytes:
        return (
            b'{"sensor":"s","source":"%s","host":"h","method":"POST","endpoint":"/x","side":"request","path":"%s","type":"%s",'
            b'"bodies":%d,"required":%d,"total":%d,"version":%d}'
        ) % (source.encode(), path.encode(), kind.encode(), bodies, required, total, time.time_ns())

    rows = [
        field("1", "", "object", 200, 1, 200), field("1", "a", "string", 200, 1, 200), field("1", "b", "string", 200, 1, 200),
        field("2", "", "object", 900, 1, 900), field("2", "a", "string", 900, 1, 900),
    ]  # fmt: skip
    names = ("sensor", "source", "host", "method", "endpoint", "side", "path", "type", "bodies", "required", "total", "version")
    store.insert("schema_field_versions", names, b"\n".join(rows), "JSONEachRow")
    found = store.rows("SELECT path, required, bodies, total FROM schema_fields WHERE host = 'h' ORDER BY path")
    assert found == [("", 1, 1100, 1100), ("a", 1, 1100, 1100), ("b", 0, 200, 1100)]
