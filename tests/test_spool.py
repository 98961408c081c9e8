"""What becomes of rows while the store is away: every block once, in order, or counted."""

import contextlib
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from clickhouse_server import Server

from sensor.store import open_store, spool
from sensor.store.errors import StoreAwayError, StoreError
from sensor.store.native import block, numbers, rows_in
from sensor.store.spool import Spool

TAPWATCH = Path(sys.executable).with_name("tapwatch")
CAPTURE = Path(__file__).parent.parent / "pcaps/storefront.pcap"
FAULTS = ("reset", "lost", "slow", "500", "503", "parts")
KILLS = int(os.environ.get("TAPWATCH_KILLS", "5"))
"""How often a replay is killed: more than five take minutes."""
AWAY = StoreAwayError("It cannot be reached.")


class Disk:
    """A store that takes blocks, and fails as it is told."""

    def __init__(self):
        self.failure, self.taken = None, []

    def insert(self, table, columns, data, fmt, token):
        if self.failure:
            raise self.failure
        self.taken.append((table, columns, data, fmt, token))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(spool, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(spool, "LONGEST_PAUSE", 0.0)


@pytest.fixture
def said():
    return []


@pytest.fixture
def disk():
    return Disk()


def native(rows: int) -> bytes:
    return block(rows, {"n": numbers("UInt64", np.arange(rows, dtype=np.uint64))})


def put(target: Spool, table: str, number: int, data: bytes = b'{"a":1}', columns: tuple = ("a", "b")) -> tuple:
    fmt = "Native" if table == "transactions" else "JSONEachRow"
    entry = (table, columns, data, fmt, f"token{number}")
    target.insert(*entry)
    return entry


def test_blocks_are_sent_in_order_and_as_they_were_given(tmp_path, disk, said):
    first = Spool(disk, tmp_path / "s", 1 << 20, said.append)
    sent = [put(first, "alert_versions", 0)]
    disk.failure = AWAY
    sent += [put(first, "transactions", number, native(number)) for number in range(1, 41)]
    assert 0 <= first.age < 60
    assert (len(disk.taken), first.rows, first.lost.total()) == (1, sum(range(1, 41)), 0) and first.size > 0
    again = Spool(disk, tmp_path / "s", 1 << 20, said.append)  # the process was killed
    disk.failure = None
    for number in range(41, 48):
        sent.append(put(again, "alert_versions", number))
    assert disk.taken == sent and (again.rows, again.size) == (0, 0) and not list((tmp_path / "s").iterdir())
    assert said[0].startswith("It cannot be reached. Rows wait") and "takes rows again" in said[-1]


def test_when_it_is_full_transactions_give_way_first_and_alerts_last(tmp_path, disk, said):
    disk.failure = AWAY
    full = Spool(disk, tmp_path / "s", 20_000, said.append)
    for number in range(200):
        put(full, "transactions", 3 * number, native(10))
        put(full, "endpoint_profiles", 3 * number + 1, b'{"a":1}' * 40)
        put(full, "alert_versions", 3 * number + 2, b'{"a":1}')
        assert full.size <= 20_000 and sum(path.stat().st_size for path in (tmp_path / "s").iterdir()) == full.size
    assert full.lost["transactions"] == 2_000 - full.rows
    disk.failure = None
    for number in range(100):
        put(full, "sensor_stats_versions", 1_000 + number)
    tables = [entry[0] for entry in disk.taken]
    assert tables.count("transactions") + tables.count("endpoint_profiles") <= 2
    kept = [entry[4] for entry in disk.taken if entry[0] == "alert_versions"]
    assert kept == [f"token{3 * number + 2}" for number in range(200 - len(kept), 200)]


def test_what_is_damaged_is_told_and_the_next_block_is_sent(tmp_path, disk, said):
    disk.failure = AWAY
    first = Spool(disk, tmp_path / "s", 1 << 20, said.append)
    sent = [put(first, "transactions", number, native(5)) for number in range(6)]
    paths = sorted((tmp_path / "s").iterdir())
    paths[1].write_bytes(paths[1].read_bytes()[:-3])
    paths[2].write_bytes(paths[2].read_bytes()[:-3] + b"xyz")
    paths[3].write_bytes(b"")
    (tmp_path / "s/000000000099-transactions.part").write_bytes(b"half of it")
    (tmp_path / "s/notes.txt").write_bytes(b"somebody's own")
    disk.failure = None
    again = Spool(disk, tmp_path / "s", 1 << 20, said.append)
    sent.append(put(again, "transactions", 9, native(1)))
    assert disk.taken == [sent[0], *sent[4:]]
    assert sum("It is damaged" in line for line in said) == 3
    assert [path.name for path in (tmp_path / "s").iterdir()] == ["notes.txt"]


def test_a_block_that_is_refused_again_and_again_does_not_hold_up_the_others(tmp_path, disk, said):
    disk.failure = AWAY
    own = Spool(disk, tmp_path / "s", 1 << 20, said.append)
    put(own, "transactions", 0, native(5))
    disk.failure = StoreError("It is no good.")
    for number in range(1, spool.TRIES):
        with contextlib.suppress(StoreError):  # what cannot be sent because something waits is no refusal
            put(own, "alert_versions", number)
    disk.failure = None
    put(own, "alert_versions", 99)
    assert own.lost.total() == 5 and [entry[4] for entry in disk.taken][-1] == "token99"


def test_a_disk_that_is_full_leaves_rows_in_memory(tmp_path, disk, said, monkeypatch):
    disk.failure = AWAY
    own = Spool(disk, tmp_path / "s", 1 << 20, said.append)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spool.os, "fsync", full)
    with pytest.raises(StoreAwayError, match="No space left"):
        put(own, "transactions", 0, native(5))
    assert (own.size, list((tmp_path / "s").iterdir())) == (0, [])


def test_what_cannot_be_read_now_is_read_later(tmp_path, disk, said, monkeypatch):
    disk.failure = AWAY
    own = Spool(disk, tmp_path / "s", 1 << 20, said.append)
    sent = [put(own, "transactions", number, native(5)) for number in range(3)]
    disk.failure = None

    def crowded(_):
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(spool.pathlib.Path, "read_bytes", crowded)
        sent.append(put(own, "transactions", 3, native(5)))
    sent.append(put(own, "transactions", 4, native(5)))
    assert (disk.taken, own.lost.total(), own.size) == (sent, 0, 0)


def test_at_the_end_rows_go_to_the_disk(tmp_path, disk, said):
    own = Spool(disk, tmp_path / "s", 1 << 20, said.append)
    own.only_keep()
    sent = [put(own, "transactions", number, native(5)) for number in range(3)]
    assert disk.taken == [] and own.rows == 15
    again = Spool(disk, tmp_path / "s", 1 << 20, said.append)
    sent.append(put(again, "transactions", 3, native(5)))
    assert disk.taken == sent


@pytest.mark.parametrize("rows", [0, 1, 127, 128, 70_000])
def test_rows_of_an_encoded_block(rows):
    assert rows_in(native(rows), "Native") == rows
    assert rows_in(b'{"a":1}\n' * rows, "JSONEachRow") == rows


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    found = Server(tmp_path_factory.mktemp("clickhouse"))
    yield found
    with contextlib.suppress(OSError):
        found.kill()


def mark(own: Spool, number: int) -> None:
    put(own, "alert_marks", number, b'{"alert_id":"%d","mark":"benign"}' % number, ("alert_id", "mark"))


def test_no_fault_of_a_server_costs_a_row(server, tmp_path, said):
    """reset, lost answer, slow, 500, 503, too many parts, and killed: each row once."""
    own = Spool(open_store(server.dsn), tmp_path / "s", 1 << 20, said.append)
    number = 0
    for kind in (*FAULTS, "kill"):
        for _ in range(3):
            if kind == "kill":
                server.kill()
            else:
                server.fault(kind)
            for _ in range(3):
                number += 1
                mark(own, number)
            if kind == "kill":
                server.start()
    number += 1
    mark(own, number)
    assert own.size == 0 and own.lost.total() == 0
    assert server.rows("SELECT count(), uniqExact(alert_id) FROM tapwatch.alert_marks") == [[number, number]]


@pytest.mark.parametrize("gathers", [False, True])
def test_a_server_gathers_blocks_by_choice_and_then_drops_none(server, gathers):
    dsn = f"{server.dsn}/{'gathered' if gathers else 'straight'}"
    with open_store(f"{dsn}?async_insert={int(gathers)}") as store:
        store.insert("alert_marks", ("alert_id", "mark"), b'{"alert_id":"1","mark":"benign"}', "JSONEachRow", "a token")
        assert store.rows("SELECT alert_id FROM alert_marks") == [("1",)]
    asked = server.settings()
    assert (asked["async_insert"], asked["wait_for_async_insert"]) == (str(int(gathers)), "1")
    assert ("insert_deduplication_token" in asked) is not gathers


def counted(dsn: str) -> list:
    with open_store(dsn, create=False) as store:
        return [
            store.rows("SELECT count(), sum(response_bytes) FROM transactions"),
            store.rows("SELECT host, method, endpoint, transactions FROM endpoints ORDER BY ALL"),
            store.rows("SELECT host, method, endpoint, sum(transactions) FROM endpoint_activity GROUP BY ALL ORDER BY ALL"),
            store.rows("SELECT alert_id, transactions, actors FROM alerts ORDER BY ALL"),
        ]


@pytest.mark.parametrize("embedded", [False, True], ids=["server", "embedded"])
def test_a_replay_that_is_killed_and_begun_again_leaves_each_row_once(server, tmp_path, embedded):
    """KILLS kills at random moments, between start and end; of a server, with each fault besides, or the server's own end."""
    whole, killed = (f"chdb://{tmp_path}/{name}" if embedded else f"{server.dsn}/{name}" for name in ("whole", "killed"))

    def replay(dsn: str) -> subprocess.Popen:
        return subprocess.Popen(
            [TAPWATCH, "replay", CAPTURE, "--store", dsn], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    begin = time.monotonic()
    assert replay(whole).wait(60) == 0
    takes = time.monotonic() - begin
    draw = random.Random(5)
    for kill in range(KILLS):
        if not embedded:
            server.fault(FAULTS[kill % len(FAULTS)])
        process = replay(killed)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(takes * draw.random())
        if not embedded and kill % 2:  # the store dies in its midst, and the sensor is told so
            server.kill()
            process.wait(60)
            server.start()
        process.kill()
        process.wait()
    if not embedded:
        server.fault("lost", 5)
    for _ in range(10):  # without a spool a replay ends where the store fails again and again, and is begun anew
        if replay(killed).wait(60) == 0:
            break
    assert counted(killed) == counted(whole)
