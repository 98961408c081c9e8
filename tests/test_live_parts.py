"""The parts of the live sensor that need neither root nor an interface."""

import json
import os
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import msgspec
import numpy as np
import pytest
from helpers import SECOND, Sensor, chunk_of, rows_of, small_sensor

from sensor import live, service, taps
from sensor.capture.blocks import ETHERNET, index_block
from sensor.core.reasons import REASON
from sensor.core.records import FRAME
from sensor.core.wide import padded
from sensor.outputs.metrics import Figures, InterfaceFigures, MetricsServer
from sensor.settings import Config, Metrics
from sensor.settings import Live as LiveSettings
from sensor.shedding import ALL, BODIES_AT, CONNECTIONS_AT, Shedding
from sensor.store import patient
from sensor.store import writer as writing
from sensor.store.errors import StoreAwayError, StoreError
from sensor.store.patient import PatientWriter
from tests.rows import batch_of

TAPWATCH = Path(sys.executable).with_name("tapwatch")


def block_of(frames: list[tuple[bytes, int, int]]) -> np.ndarray:
    """A ring's block as the kernel writes it: (bytes, status, VLAN tag) of each frame; ten ns between two."""
    body = b""
    for number, (data, status, tag) in enumerate(frames):
        at = 48 + 20 + 16 + 8  # header, address, room
        size = (at + len(data) + 15) & ~15
        following = size if number < len(frames) - 1 else 0
        head = struct.pack(
            "<6IHHIIHH8x", following, 7, 10 * number, len(data), len(data) + 5, status, at, at + 14, 0, tag, 0x88A8, 0
        )
        body += (head.ljust(at, b"\xee") + data).ljust(size, b"\0")
    return padded(struct.pack("<5I28x", 1, 0, 1, len(frames), 48) + body)


def test_frames_of_a_block_lie_where_the_kernel_put_them():
    plain, tagged = bytes(range(60)), bytes(range(100, 160))
    block = block_of([(plain, 1, 0), (tagged, 0x51, 0x2007), (plain, 0x11, 5), (b"", 1, 0), (b"short", 0x51, 9)])
    frames = np.zeros(8, FRAME)
    assert index_block(block, 0, ETHERNET, frames) == 5
    seen = [block[f["at"] : f["at"] + f["captured"]].tobytes() for f in frames[:5]]
    assert seen[0] == plain
    assert seen[1] == tagged[:12] + b"\x88\xa8\x20\x07" + tagged[12:]
    assert seen[2] == plain[:12] + b"\x81\x00\x00\x05" + plain[12:]
    assert seen[3:] == [b"", b"short"]
    assert frames["wire"][:5].tolist() == [65, 69, 69, 5, 10]
    assert frames["ts"][:5].tolist() == [7 * SECOND + 10 * k for k in range(5)]


class Disk:
    """A store that fails for a while."""

    def __init__(self, failures: list[Exception]):
        self.failures, self.taken = failures, []

    def insert(self, table, names, block, fmt, token):
        if self.failures:
            raise self.failures.pop(0)
        self.taken.append((table, token))


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(patient, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(patient, "LONGEST_PAUSE", 0.02)


def test_a_store_that_was_away_gets_every_row_once(quick):
    disk, said = Disk([StoreAwayError("It cannot be reached.") for _ in range(30)]), []
    writer = PatientWriter(disk, "s", "0" * 16, said.append)
    for _ in range(3):
        writer.transactions(batch_of([{}] * 10), [""], "eth1")
        writer.alerts([{"alert_id": "a", "evidence": []}])
        writer.flush()
    writer.close(20)
    assert (writer.written, writer.dropped, writer.waiting) == (30, 0, 0)
    tables = [table for table, _ in disk.taken]
    assert tables.count("alert_versions") == 3 and len(set(disk.taken)) == len(disk.taken)
    assert said == ["It cannot be reached. Rows wait for it.", "The store takes rows again."]


def test_a_block_that_is_refused_is_given_up_and_counted(quick):
    disk, said = Disk([StoreError("It is no good.") for _ in range(patient.TRIES)]), []
    writer = PatientWriter(disk, "s", "0" * 16, said.append)
    writer.transactions(batch_of([{}] * 10), [""], "eth1")
    writer.flush()
    writer.close(20)
    assert (writer.written, writer.dropped) == (0, 10) and "10 transactions were given up" in said[-1]


def test_what_finds_no_room_in_the_queue_is_counted(quick, monkeypatch):
    monkeypatch.setattr(patient, "WAITING_ROWS", 25)
    disk = Disk([StoreAwayError("It cannot be reached.") for _ in range(10_000)])
    writer = PatientWriter(disk, "s", "0" * 16, lambda _: None)
    for _ in range(6):
        writer.transactions(batch_of([{}] * 10), [""], "eth1")
        writer.flush()
    writer.alerts([{"alert_id": "a", "evidence": []}])
    assert writer.dropped >= 20 and writer.lag >= 0
    writer.close(0.2)
    assert writer.written == 0 and writer.dropped == 60


def test_an_outage_that_ends_in_a_refusal_loses_nothing(quick):
    """As a server does that is being started: away for long, then not ready, then there."""
    failures = [StoreAwayError("It cannot be reached.") for _ in range(3 * patient.TRIES)] + [StoreError("Not yet.")]
    writer = PatientWriter(Disk(failures), "s", "0" * 16, lambda _: None)
    writer.transactions(batch_of([{}] * 10), [""], "eth1")
    writer.flush()
    writer.close(20)
    assert (writer.written, writer.dropped) == (10, 0)


@pytest.mark.parametrize("good", [0, 1, 2, 5])
def test_every_transaction_is_written_or_counted(quick, monkeypatch, good):
    """Blocks of 64 rows, refused for good but for some of them."""
    monkeypatch.setattr(writing, "BLOCK_ROWS", 64)

    class Picky(Disk):
        calls = 0

        def insert(self, *given):
            self.calls += 1
            if (self.calls // patient.TRIES) % 3 >= (good > 0) + (good > 2):
                raise StoreError("It is no good.")
            super().insert(*given)

    writer = PatientWriter(Picky([]), "s", "0" * 16, lambda _: None)
    for size in (10, 70, 200, 1, 64, 63, 5):
        writer.transactions(batch_of([{}] * size), [""], "eth1")
    writer.flush()
    writer.close(30)
    assert writer.written + writer.dropped == 413 and (good == 0) == (writer.written == 0)


def test_samples_of_bodies_do_not_wait_for_the_store(quick):
    batch = batch_of([{}] * 10)
    batch.bodies, batch.bodies_used = np.zeros(1 << 20, np.uint8), (1 << 20) - 128
    writer = PatientWriter(Disk([StoreAwayError("It cannot be reached.") for _ in range(1_000)]), "s", "0" * 16, lambda _: None)
    for _ in range(3):
        writer.transactions(batch, [""], "eth1")
        writer.flush()
    with writer._changed:
        assert all(job[1][0].bodies_used == 0 for job in writer._jobs if job[2])
    for _ in range(5_000):
        writer.stats({"ts": 0, "capture": "", "counters": {}})
    assert len(writer._jobs) <= patient.WAITING_JOBS + 1
    writer.close(0.1)


def connection(port: int, ts: int) -> list[tuple[int, bytes]]:
    """A SYN, a request and its answer over Ethernet."""
    ends = [(b"\x0a\x00\x00\x01", port), (b"\x0a\x00\x00\x02", 80)]
    request, answer = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    found = []
    for to_server, seq, ack, flags, payload in (
        (True, 0, 0, 2, b""), (False, 0, 1, 18, b""), (True, 1, 1, 24, request), (False, 1, 1 + len(request), 24, answer),
    ):  # fmt: skip
        (source, source_port), (target, target_port) = ends if to_server else ends[::-1]
        tcp = struct.pack(">HHIIBBHHH", source_port, target_port, seq, ack, 0x50, flags, 8192, 0, 0) + payload
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, source, target)
        found.append((ts + len(found), bytes(12) + b"\x08\x00" + ip + tcp))
    return found


def take(sensor: Sensor, packets: list[tuple[int, bytes]]) -> list[dict]:
    return rows_of(sensor.take(*chunk_of(packets)))


def test_under_load_whole_connections_are_refused():
    sensor = small_sensor(connections=1024, pending=1024)
    early = [connection(2_000 + k, SECOND) for k in range(64)]
    worker = sensor.workers[0]
    take(sensor, [packet for conversation in early for packet in conversation[:3]])
    worker.shed(bodies=False, refused=128)
    late = [connection(3_000 + k, 2 * SECOND) for k in range(200)]
    rows = take(sensor, [packet for conversation in late for packet in conversation])
    rows += take(sensor, [conversation[3] for conversation in early])
    worker.shed(bodies=True, refused=0)
    told = {row["client_port"] for row in rows}
    assert set(range(2_000, 2_064)) <= told, "what was followed is followed to its end"
    assert 60 < len(told) - 64 < 140
    assert not [row for row in rows if row["completeness"]]
    assert worker.counters[REASON["shed"]] == 4 * (264 - len(told))


def test_bodies_give_way_first():
    class Pipeline:
        calls = []  # noqa: RUF012

        def shed(self, bodies, refused):
            self.calls.append((bodies, refused))

    pipeline = Pipeline()
    shedding = Shedding(pipeline)
    for waiting in (0.0, BODIES_AT, 0.2, CONNECTIONS_AT, CONNECTIONS_AT, 0.3, 0.0, 0.0, 0.0):
        shedding.adjust(waiting)
    assert pipeline.calls == [(False, 0), (False, 16), (False, 32), (False, 16), (True, 0)]
    for _ in range(100):
        shedding.adjust(1.0)
    assert pipeline.calls[-1] == (False, ALL)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: capturing on loopback")
def test_without_rings_scapy_sniffs(monkeypatch):
    said = []
    monkeypatch.setattr(taps, "HAS_RINGS", False)
    config = msgspec.structs.replace(Config(), live=LiveSettings(interfaces=("lo",)), metrics=Metrics(listen=""))
    sensor = live.Live(
        config, transactions=None, alerts=None, reveal=False, store=False, fresh=True, say=lambda _, text: said.append(text)
    )
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen()
        client.connect(server.getsockname())
        asked, _ = server.accept()
        with asked:
            client.sendall(b"GET /sniffed HTTP/1.1\r\nHost: a\r\n\r\n")
            asked.recv(100)
            asked.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            client.recv(100)
    sensor.run(lambda: config, seconds=0.5)
    assert sensor.finish()["counters"]["transactions"] >= 1
    assert said[-1] == "Capturing on lo."


def test_time_passes_without_packets():
    sensor = small_sensor()
    worker = sensor.workers[0]
    take(sensor, connection(2_000, SECOND)[:3])
    assert worker.connections == 1
    worker.age(200 * SECOND)
    assert worker.connections == 1
    worker.age(400 * SECOND)
    assert worker.connections == 0
    assert [row["completeness"] for row in take(sensor, [])] == [["no_response"]]


def test_the_service_manager_is_told(tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "100000")
        told = service.Manager()
        told.ready()
        told.status("two\nlines")
        told.alive()
        told.alive()  # too soon for another
        time.sleep(0.06)
        told.alive()
        told.stopping()
        seen = [manager.recv(200) for _ in range(5)]
    assert seen == [b"READY=1", b"STATUS=two lines", b"WATCHDOG=1", b"WATCHDOG=1", b"STOPPING=1"]


def test_log_lines_bear_their_level_under_journald(monkeypatch, capsys):
    service.log(service.WARNING, "one\nline \x1b[31m")
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    service.log(service.WARNING, "again")
    assert capsys.readouterr().err == "tapwatch: one line  [31m\n<4>again\n"


def figures(**changes) -> Figures:
    tap = InterfaceFigures(name="eth1", up=True, packets=10, size=1000, dropped=3, waiting=0.25)
    given = {
        "version": "1", "sensor": "tap-1", "interfaces": [tap], "counters": {"gap": 2, "frames": 10}, "stage_seconds": {"decode": 0.5},
        "connections": 4, "endpoints": 5, "alerts": {("enumeration", "high"): 1}, "made": time.monotonic(),
        "store": {"lag_seconds": 0.5, "waiting_rows": 7, "written_rows": 8, "spool_bytes": 0},
    }  # fmt: skip
    return Figures(**given | {"store_lost": {"transactions": 9, "alert_versions": 2}} | changes)


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_metrics_and_probes():
    server = MetricsServer("127.0.0.1:0")
    port = server._server.server_port
    try:
        assert get(port, "/healthz")[0] == 503
        server.figures = figures()
        status, text = get(port, "/metrics")
        assert status == 200
        for line in (
            'tapwatch_packets_total{interface="eth1"} 10.0', 'tapwatch_dropped_packets_total{interface="eth1"} 3.0',
            'tapwatch_events_total{reason="gap"} 2.0', 'tapwatch_ring_waiting_ratio{interface="eth1"} 0.25',
            'tapwatch_alerts_total{detector="enumeration",severity="high"} 1.0', "tapwatch_store_lag_seconds 0.5",
            'tapwatch_store_dropped_rows_total{table="transactions"} 9.0', 'tapwatch_store_dropped_rows_total{table="alert_versions"} 2.0', 'tapwatch_stage_seconds_total{stage="decode"} 0.5',
            'tapwatch_build_info{sensor="tap-1",version="1"} 1.0', "tapwatch_connections 4.0",
        ):  # fmt: skip
            assert line in text.splitlines()
        assert get(port, "/healthz") == (200, "good\n") and get(port, "/readyz") == (200, "good\n")
        assert get(port, "/other")[0] == 404
        assert json.loads(get(port, "/top")[1])["hottest"] == []
        server.figures = figures(store={"lag_seconds": 60.0, "waiting_rows": 1, "written_rows": 0, "spool_bytes": 0})
        assert get(port, "/healthz")[0] == 200 and get(port, "/readyz") == (503, "the store does not take rows\n")
        server.figures = figures(made=time.monotonic() - 60)
        assert get(port, "/healthz") == (503, "the main loop does not turn\n")
    finally:
        server.close()


def test_top_shows_what_a_sensor_says_and_nothing_acts():
    server = MetricsServer("127.0.0.1:0")
    address = f"127.0.0.1:{server._server.server_port}"
    evil = {"alert_id": "a", "severity": "high", "detector": "spam", "host": "h\x1b[31m", "method": "GET", "endpoint": "/\u202e[red]x",
            "transactions": 7, "actors": 1, "explanation": "it wrote"}  # fmt: skip
    try:
        server.figures = figures(hottest=[("api.test", "GET", "/v1/{int}", 12)], incidents=[evil])
        command = [TAPWATCH, "top", "--address", address]
        done = subprocess.run([*command, "--once"], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert "/v1/{int}" in done.stdout and "12" in done.stdout and "it wrote" in done.stdout and "eth1: up" in done.stdout
        assert "\x1b" not in done.stdout and "\u202e" not in done.stdout and "[red]" in done.stdout
        done = subprocess.run([*command, "--once", "--json"], capture_output=True, text=True, timeout=60, check=False)
        assert json.loads(done.stdout)["incidents"] == [evil]
    finally:
        server.close()
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "No sensor answers" in done.stderr and "Traceback" not in done.stderr


def test_the_doctor_says_what_is_bad_and_how_to_mend_it(tmp_path):
    command = [TAPWATCH, "doctor", "-i", "lo", "-i", "none0", "--store", f"chdb://{tmp_path}/store"]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=120, check=False)
    found = {line["name"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert not found["none0"]["good"] and found["none0"]["mend"] == "ip link"
    assert found["lo state"]["good"] and found["store"]["good"] and "ClickHouse" in found["store"]["text"]
    assert all(line["mend"] for line in found.values() if not line["good"])
    text = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False).stdout
    assert "BAD   none0: there is no such interface\n      ip link\n" in text
