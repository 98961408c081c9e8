"""A store that a running sensor holds: what other processes may ask, and how they are answered."""

import json
import os
import socket
import stat
import struct
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from sensor.store import StoreError, held, open_store
from sensor.store.dsn import parse
from sensor.store.held import SOCKET, HeldStore
from sensor.store.writer import Writer
from tests.rows import batch_of

TAPWATCH = Path(sys.executable).with_name("tapwatch")
ALERT = {
    "alert_id": "00ab", "detector": "enumeration", "owasp": "API1:2023", "severity": "high", "confidence": 0.9, "first_seen": 10**18,
    "last_seen": 10**18, "raised_at": 10**18, "host": "a", "method": "GET", "endpoint": "/a/{int}", "actor": "10.0.0.1", "actors": 1,
    "sources": ["10.0.0.1"], "transactions": 50, "statistic": {"name": "nats", "value": 20.0}, "threshold": 10.0,
    "explanation": "Told in a test.", "evidence": [],
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Longer than the name of a Unix socket may be."""
    return tmp_path_factory.mktemp("state") / ("long" * 30)


@pytest.fixture(scope="module")
def marked():
    return []


@pytest.fixture(scope="module")
def store(folder, marked):
    with open_store(f"chdb://{folder}/store") as opened:
        writer = Writer(opened, "s", "0" * 16)
        writer.transactions(batch_of([{"path": b"/a/%d" % k} for k in range(12_000)]), [""], "eth1")
        writer.alerts([ALERT])
        writer.close()
        answers = opened.answer(marked.append)
        yield opened
        answers.close()
        assert not (folder / "store" / SOCKET).exists()


@pytest.fixture
def client(store, folder):
    return HeldStore(parse(f"chdb://{folder}/store"), os.getpid())


def tapwatch(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [TAPWATCH, *arguments, "--store", f"chdb://{folder}/store"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_what_is_read_is_what_the_holder_reads(store, client):
    for sql in (
        "SELECT * FROM alerts",
        "SELECT ts, path, host FROM transactions ORDER BY ALL",
        "SHOW TABLES",
        "SELECT 1 WHERE 0",
    ):
        assert client.rows(sql) == store.rows(sql)
    assert client.dicts("SELECT {a:Array(String)} AS a, {n:UInt8} AS n", {"a": ["b'c", "d"], "n": 3}) == [
        {"a": ["b'c", "d"], "n": 3}
    ]
    assert client.raw("SELECT 1 AS a", "Parquet")[:4] == b"PAR1"


def test_only_the_owner_may_connect(store, folder):
    assert stat.S_IMODE((folder / "store" / SOCKET).stat().st_mode) == 0o600


def test_commands_of_an_analyst_while_the_sensor_runs(store, folder, marked):
    alerts = tapwatch(folder, "alerts", "--json")
    assert (alerts.returncode, alerts.stderr) == (0, "") and json.loads(alerts.stdout)["alert_id"] == "00ab"
    assert tapwatch(folder, "sql", "SELECT count() AS n FROM transactions", "--json").stdout == '{"n":12000}\n'
    assert tapwatch(folder, "query", "actors_with_many_addresses").returncode == 0
    done = tapwatch(folder, "alert", "00ab", "--mark", "benign")
    assert done.returncode == 0 and "is marked: benign" in done.stderr and marked == ["alert_marks"]
    assert store.rows("SELECT mark FROM alert_marks") == [("benign",)]


def test_what_only_the_holder_may_do_is_said_in_words(store, folder):
    for arguments in (("store", "keep", "--days", "3"), ("store", "vacuum")):
        done = tapwatch(folder, *arguments)
        assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
        assert f"Process {os.getpid()} has the store" in done.stderr
    done = tapwatch(folder, "sql", "INSERT INTO alert_marks VALUES (1)")
    assert done.returncode == 1 and "Only reading is allowed here" in done.stderr


def test_readers_cannot_write_elsewhere(client):
    with pytest.raises(StoreError, match="Only the sensor writes to transactions"):
        client.insert("transactions", ("path",), b'{"path":"/"}', "JSONEachRow")


def message(*content) -> bytes:
    data = msgspec.msgpack.encode(list(content))
    return struct.pack(">I", len(data)) + data


@pytest.mark.parametrize(
    "sent",
    [
        b"", b"\0", b"\xff\xff\xff\xff", b"GET / HTTP/1.1\r\n\r\n", struct.pack(">I", 5) + b"\xc1\xc1\xc1\xc1\xc1", message(),
        message("stream"), message("drop", "x"), message("stream", 5, 5), message("raw", "SELECT 1", 7), message("insert", 1, 2, 3, 4),
        message("insert", "alert_marks", ["mark"], b"{", "JSONEachRow"), message({"a": 1}), message("stream", "SELECT * FROM nowhere", None),
    ],
)  # fmt: skip
def test_nonsense_harms_nobody(store, client, folder, sent):
    with held._address(f"{folder}/store") as name, socket.socket(socket.AF_UNIX) as connection:
        connection.connect(name)
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        try:
            answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        except ConnectionResetError:
            answer = b""
    assert not answer or msgspec.msgpack.decode(answer[4:])[0] == "error"
    assert client.rows("SELECT 1") == [(1,)]


def test_readers_that_go_away_make_room_for_others(client):
    for _ in range(3 * held.AT_ONCE):
        stream = client.stream("SELECT number, repeat('x', 1000) FROM numbers(100000)")
        next(stream)
        stream.close()
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(client.rows("SELECT sum(number) FROM numbers(10)"))) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [[(45,)]] * 12


def test_a_holder_that_does_not_answer_is_named(folder, tmp_path):
    path = tmp_path / "store"
    path.mkdir()
    with (path / "status").open("w") as status, socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path / SOCKET))
        status.write("PID: 1\n")
        with pytest.raises(StoreError, match=r"Process 1 has the store .* open and gives no answer"):
            HeldStore(parse(f"chdb://{path}"), 1).rows("SELECT 1")
