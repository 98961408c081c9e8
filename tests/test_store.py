"""The store: schema, what is read back of what was written, and the sentence of every failure."""

import dataclasses
import ipaddress
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from sensor.cli import main
from sensor.core.records import (
    ALL_TEXTS,
    AUTH_KINDS,
    COMPLETENESS,
    NOT_TOLD,
    OPERATIONS,
    REFUSALS,
    TEXTS,
    TRANSACTION,
    WEIRD,
    Batch,
    names_of,
)
from sensor.core.sensitive import SENSITIVE
from sensor.core.wide import SLACK
from sensor.store import StoreError, default_dsn, migrations, native, open_store, queries
from sensor.store import writer as writing
from sensor.store.values import timestamp
from sensor.store.writer import Writer

MAPPED = 0xFFFF << 32
ENCAPS = ["", "vlan:10/vxlan:7"]
NS = 1_700_000_000_123_456_789
WORDS = [b"", b"x", "ü€".encode(), b"a" * 127, b"b" * 128, b"c" * 20_000, b"\x00\x1b[31m[red]\n'\\", b"\xff\xfe"]


@pytest.fixture(scope="module")
def dsn(tmp_path_factory):
    return f"chdb://{tmp_path_factory.mktemp('state')}/store"


@pytest.fixture(scope="module")
def store(dsn):
    """The one embedded engine of this process."""
    with open_store(dsn) as opened:
        yield opened


def random_batch(rows: int, seed: int, vary: int = 0) -> Batch:
    draw = np.random.default_rng(seed)
    out = np.zeros(rows, TRANSACTION)
    for name in TRANSACTION.names:
        kind = TRANSACTION[name]
        shape = (rows, *kind.shape)
        out[name] = draw.integers(0, 1 << min(8 * kind.base.itemsize, 62), shape).astype(kind.base)
    out["ts"] = NS + draw.integers(0, 10**15, rows) + vary
    v4 = draw.random(rows) < 0.6
    for side in ("client", "peer", "server"):
        out[side + "_hi"][v4] = 0
        out[side + "_lo"][v4] = MAPPED + draw.integers(0, 1 << 32, int(v4.sum()))
    out["version"] = draw.choice([9, 10, 11, 20], rows)
    out["auth"] %= len(AUTH_KINDS)
    out["completeness"] &= (1 << len(COMPLETENESS)) - 1
    out["weird"] &= (1 << len(WEIRD)) - 1
    out["encap"] %= len(ENCAPS)
    out["refused"] %= len(REFUSALS)
    out["sensitive"] %= out["sensitive_hash"].shape[1] + 1
    out["sensitive_class"] %= len(SENSITIVE)
    out["operation_type"] %= len(OPERATIONS)
    out["grpc_status"] = draw.integers(-1, 256, rows)
    out["status"] *= draw.random(rows) < 0.7
    out["latency_us"][draw.random(rows) < 0.3] = -1
    for name in ("credential", "session", "fingerprint"):
        out[name] *= draw.random(rows) < 0.5
    words = [*WORDS, *(b"/v1/%d" % k for k in range(300))]
    arena = b"".join(words)
    starts = np.cumsum([0, *map(len, words)])
    for name in ALL_TEXTS:
        chosen = draw.integers(0, len(words), rows)
        out[name + "_at"] = starts[chosen]
        out[name + "_len"] = [len(words[k]) for k in chosen]
    return Batch(out, np.frombuffer(arena + bytes(SLACK), np.uint8).copy(), len(arena))


def address(row, side: str) -> str:
    value = ipaddress.IPv6Address(int(row[side + "_hi"]) << 64 | int(row[side + "_lo"]))
    return str(value.ipv4_mapped or value)


def expected(batch: Batch, index: int) -> dict:
    import communityid

    row = batch.rows[index]
    text = {name: batch.text(index, name).decode("utf-8", "backslashreplace") for name in ALL_TEXTS}
    client, remote, server = address(row, "peer"), address(row, "client"), address(row, "server")
    flow = communityid.FlowTuple.make_tcp(client, server, int(row["client_port"]), int(row["server_port"]))
    credential, session = int(row["credential"]), int(row["session"])
    actor = f"token:{credential:016x}" if credential else f"session:{session:016x}" if session else f"ip:{remote}"
    return {
        **{name: text[name] for name in TEXTS if name not in NOT_TOLD},
        "endpoint": text["template"],
        "operation_type": OPERATIONS[row["operation_type"]], "operation": text["operation"],
        "root_fields": text["root_fields"].split(",") if text["root_fields"] else [],
        "graphql_depth": int(row["graphql_depth"]), "graphql_aliases": int(row["graphql_aliases"]),
        "grpc_status": int(row["grpc_status"]) if row["grpc_status"] >= 0 else None,
        **{f"{side}_{name}": int(row[f"{side}_{name}"]) for side in ("request", "response") for name in ("messages", "message_bytes")},
        "ts": timestamp(int(row["ts"])),
        "sensor": "s1", "source": "00000000000000aa", "capture": "a.pcap",
        "community_id": communityid.CommunityID().calc(flow),
        "client_ip": client, "client_port": int(row["client_port"]), "remote_ip": remote,
        "server_ip": server, "server_port": int(row["server_port"]),
        "encap": ENCAPS[row["encap"]],
        "http_version": {9: "0.9", 10: "1.0", 11: "1.1", 20: "2"}[int(row["version"])],
        "stream_id": int(row["stream_id"]), "serial": int(row["serial"]),
        "status": int(row["status"]) or None, "refused": REFUSALS[row["refused"]],
        "request_bytes": int(row["request_bytes"]), "response_bytes": int(row["response_bytes"]),
        "latency_us": int(row["latency_us"]) if row["latency_us"] >= 0 else None,
        "auth": AUTH_KINDS[row["auth"]],
        "actor": actor,
        "fingerprint": f"{int(row['fingerprint']):016x}" if row["fingerprint"] else "",
        "completeness": names_of(int(row["completeness"]), COMPLETENESS),
        "weird": names_of(int(row["weird"]), WEIRD),
        "stands_for": 1,
        "sensitive": [
            f"{SENSITIVE[row['sensitive_class'][k]]}:{int(row['sensitive_hash'][k]):016x}" for k in range(row["sensitive"])
        ],
    }  # fmt: skip


def key(row: dict) -> str:
    return json.dumps(row, sort_keys=True)


@pytest.mark.parametrize("rows", [1, 257, 2000])
def test_transactions_come_back_as_written(store, rows):
    batch = random_batch(rows, seed=rows)
    source = f"{rows:016x}"
    writer = Writer(store, "s1", source)
    writer.transactions(batch, ENCAPS, "a.pcap")
    wanted = sorted((expected(batch, k) | {"source": source} for k in range(rows)), key=key)
    batch.rows[:] = 0  # the caller may reuse its arrays at once
    batch.arena[:] = 0
    writer.close()
    got = store.dicts("SELECT * EXCEPT (inserted_at) FROM transactions WHERE source = {source:String}", {"source": source})
    assert sorted(got, key=key) == wanted


def test_writing_twice_does_not_double(store):
    def count(table):
        return store.rows(f"SELECT count() FROM {table} WHERE {'host' if table == 'endpoints' else 'source'} = 'twice'")[0][0]

    batch = random_batch(1000, 7)
    for _ in range(2):
        writer = Writer(store, "s1", "twice")
        writer.transactions(batch, ENCAPS, "a.pcap")
        writer.transactions(batch, ENCAPS, "b.pcap")
        writer.flush()
        writer.transactions(random_batch(500, 8), ENCAPS, "b.pcap")
        writer.endpoints([endpoint_row("twice")])
        writer.alerts([alert_row("twice-1"), alert_row("twice-2")])
        writer.stats({"ts": NS, "capture": "a.pcap", "counters": {"packets": 7}})
        writer.close()
        assert [count(t) for t in ("transactions", "endpoints", "alerts", "sensor_stats")] == [2500, 1, 2, 1]


def endpoint_row(host: str) -> dict:
    numbers = dict.fromkeys((f"status_{k}xx" for k in range(1, 6)), 3)
    sizes = dict.fromkeys(
        ("request_bytes_p50", "request_bytes_p95", "response_bytes_p50", "response_bytes_p95", "response_bytes_p99"), 9
    )
    return {
        "host": host, "method": "GET", "endpoint": "/v1/{int}", "first_seen": NS, "last_seen": NS + 10**9, "transactions": 15,
        "unanswered": 0, "clients": 4, "latency_us_p50": 10, "latency_us_p95": None, "latency_us_p99": 30,
        "request_types": [], "response_types": ["application/json"], "auth": ["jwt", "none"], **numbers, **sizes,
    }  # fmt: skip


def alert_row(name: str) -> dict:
    return {
        "alert_id": name, "detector": "bola", "owasp": "API1:2023", "severity": "high", "confidence": 0.9, "first_seen": NS,
        "last_seen": NS, "raised_at": NS, "host": "h\x1b[2J", "method": "GET", "endpoint": "[red]x[/red]", "actor": "ip:1.2.3.4",
        "actors": 1, "sources": ["1.2.3.4", "2001:db8::1"], "transactions": 5, "statistic": ("ids", 12.5), "threshold": 3.0,
        "explanation": "walks\u202e identifiers", "evidence": [{"serial": 1}],
    }  # fmt: skip


def test_endpoints_and_alerts_come_back(store):
    writer = Writer(store, "s1", "rows")
    writer.endpoints([endpoint_row("rows.test")])
    writer.alerts([alert_row("abc123"), alert_row("abd456")])
    row = queries.endpoints(store, host="rows.test")[0]
    assert row["first_seen"] == "2023-11-14T22:13:20.123456Z"
    assert (row["transactions"], row["latency_us_p95"], row["auth"]) == (15, None, ["jwt", "none"])
    assert queries.endpoints(store, host="rows.test", since="2024-01-01T00:00:00Z") == []
    assert queries.alerts(store, severity="critical") == []
    found = queries.alert(store, "abc")
    assert found["statistic"] == {"name": "ids", "value": 12.5} or found["statistic"] == ["ids", 12.5]
    assert (found["sources"], found["evidence"]) == (["1.2.3.4", "2001:db8::1"], ['{"serial":1}'])
    with pytest.raises(StoreError, match="More than one"):
        queries.alert(store, "ab")
    with pytest.raises(StoreError, match="No alert begins"):
        queries.alert(store, "zz")


def test_migrations_run_once_and_refuse_other_histories(store, dsn):
    assert migrations.migrate(store) == []
    assert len(store.rows("SELECT * FROM schema_migrations")) == len(migrations.migrations())
    migrations.check(store)
    store.command("INSERT INTO schema_migrations (version, name, checksum) VALUES (9999, '9999_later.sql', 'x')")
    with pytest.raises(StoreError, match="update Tapwatch"):
        open_store(dsn)
    store.command("ALTER TABLE schema_migrations DELETE WHERE version = 9999 SETTINGS mutations_sync = 2")
    store.command("ALTER TABLE schema_migrations UPDATE checksum = 'x' WHERE version = 1 SETTINGS mutations_sync = 2")
    with pytest.raises(StoreError, match="was edited"):
        open_store(dsn, create=False)
    real = migrations.migrations()[0].checksum
    store.command(f"ALTER TABLE schema_migrations UPDATE checksum = '{real}' WHERE version = 1 SETTINGS mutations_sync = 2")


def test_statements_are_split_outside_of_quotes_and_comments():
    assert migrations.statements("-- a; b\nSELECT ';--' ; \n\nSELECT 1 - 2;") == ["SELECT ';--'", "SELECT 1 - 2"]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO transactions (sensor) VALUES ('x')", "DROP TABLE transactions", "ALTER TABLE transactions DELETE WHERE 1",
        "SELECT 1 INTO OUTFILE '/tmp/never'", "INSERT INTO FUNCTION file('never', 'CSV', 'a Int8') SELECT 1", "TRUNCATE TABLE transactions",
        "WITH x AS (SELECT 1) INSERT INTO transactions (serial) SELECT * FROM x", "KILL QUERY WHERE 1", "SELECT 1 PARALLEL WITH DROP TABLE x",
        "EXPLAIN INSERT INTO transactions (sensor) SELECT 'x'", "/* SELECT */ DROP TABLE transactions", "SET readonly = 0", "SELECT 1; SELECT 2",
    ],
)  # fmt: skip
def test_readers_cannot_write(store, statement):
    with pytest.raises(StoreError) as caught:
        store.rows(statement)
    assert "\n" not in str(caught.value)


def test_readers_may_read(store):
    assert store.rows("SELECT 'INTO OUTFILE', `x;y` FROM (SELECT 1 AS `x;y`) -- DROP") == [("INTO OUTFILE", 1)]
    assert ("transactions",) in store.rows("SHOW TABLES")
    assert store.rows("EXPLAIN SELECT 1")


def run(arguments: list[str]):
    return subprocess.run(
        [sys.executable, "-c", "from sensor.cli import main; main()", *arguments], capture_output=True, text=True, timeout=60
    )


def test_second_process_is_told_who_holds_the_store(store, dsn):
    done = run(["sql", "SELECT 1", "--store", dsn])
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        done.stderr
        == f"tapwatch: The store {dsn[7:]} is open in another process (process {os.getpid()}); stop it or use another --store.\n"
    )


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("http://u:secret@127.0.0.1:1", "cannot be reached"),
        ("clickhouse://u:secret@127.0.0.1:9000", "native protocol"),
        ("postgres://u:secret@host", "unknown"),
        ("http://u:secret@host:secret/", "not understood"),
        ("chdb://relative", "absolute directory"),
        ("/dir/secret", "chdb:///dir/secret"),
        ("chdb:///dev/null/store", "cannot be made"),
    ],
)
def test_a_wrong_store_is_one_sentence(given, sentence):
    with pytest.raises(StoreError, match=sentence) as caught:
        open_store(given)
    assert "\n" not in str(caught.value)
    assert "u:" not in str(caught.value).replace("user:", "")


def test_reading_a_store_that_is_not_there(tmp_path):
    with pytest.raises(StoreError, match="There is no store"):
        open_store(f"chdb://{tmp_path}/none", create=False)
    assert not (tmp_path / "none").exists()


def test_default_store(monkeypatch):
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/tapwatch:/other")
    assert default_dsn() == "chdb:///var/lib/tapwatch/store"
    monkeypatch.delenv("STATE_DIRECTORY")
    monkeypatch.setenv("XDG_STATE_HOME", "/s")
    assert default_dsn() == "chdb:///s/tapwatch/store"


def test_hostile_text_is_inert_in_tables(store, dsn):
    Writer(store, "s1", "hostile").alerts([alert_row("hostile")])
    for arguments in (["alerts"], ["alert", "hostile"], ["sql", "SELECT host, endpoint, explanation FROM alerts"]):
        result = CliRunner().invoke(main, [*arguments, "--store", dsn])
        assert result.exit_code == 0, result.output
        assert "\x1b" not in result.output and "\u202e" not in result.output
        assert "[red]x[/red]" in result.output and "\\x1b[2J" in result.output
    row = json.loads(CliRunner().invoke(main, ["alert", "hostile", "--json", "--store", dsn]).output)
    assert row["host"] == "h\x1b[2J"


def test_cli_help_imports_nothing_heavy():
    code = "import sys; from sensor.cli import main; main(['--help'], standalone_mode=False); print(sorted({'numpy','numba','rich','chdb','clickhouse_connect'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.stdout.endswith("[]\n") and "endpoints" in done.stdout


def test_usage_errors_are_status_2():
    assert run(["sql"]).returncode == 2
    assert run(["nonsense"]).returncode == 2


def test_dictionary_width_follows_the_keys(store):
    for count in (1, 255, 256, 257, 65_536, 65_537):
        keys = [f"k{k}" for k in range(count)]
        index = np.arange(count)
        column = native.dictionary(keys, index)
        store.command("CREATE OR REPLACE TABLE widths (k LowCardinality(String)) ENGINE = Memory")
        store.insert("widths", ("k",), native.block(count, {"k": column}))
        assert store.rows("SELECT count(), uniqExact(k) FROM widths") == [(count, count)]
    store.command("DROP TABLE widths")


class Tokens:
    """A store that notes what it is sent of transactions."""

    def __init__(self):
        self.sent: list[tuple[str, bytes]] = []

    def insert(self, table, columns, block, fmt="Native", token=""):
        if table == "transactions":
            self.sent.append((token, block))


@pytest.mark.parametrize("limit", [700, 1 << 16])
def test_blocks_are_the_same_however_rows_are_handed_over(limit, monkeypatch):
    """Cut anywhere, among other rows, with more encapsulations known: or a capture that is replayed again is not recognised."""
    monkeypatch.setattr(writing, "BLOCK_ROWS", limit)
    monkeypatch.setattr(writing, "BLOCK_TEXT", 20_000)
    batch = random_batch(2_000, 3)
    found = []
    for size, known, others in ((2_000, ENCAPS, 0), (2_000, [*ENCAPS, "vlan:99"], 1), (333, ENCAPS, 2), (1, ENCAPS, 0)):
        store = Tokens()
        writer = Writer(store, "s1", "00000000000000aa")
        for first in range(0, 2_000, size):
            part = dataclasses.replace(batch, rows=batch.rows[first : first + size])
            writer.transactions(part, known, "a.pcap")
            for _ in range(others):
                writer.actors([{"actor": "a"}])
        writer.close()
        found.append(store.sent)
    assert all(sent == found[0] for sent in found) and len(found[0]) > 2
