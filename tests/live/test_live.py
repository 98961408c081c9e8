"""`tapwatch live` on a mirror of a real server's traffic, in network namespaces made for it."""

import collections
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import network
import pytest
from capturing import NGINX, wait_for
from helpers import transactions_of

from sensor.bench_latency import alert_latency
from tests.clickhouse_server import Server

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces"),
    pytest.mark.skipif(not shutil.which("nginx") or not shutil.which("curl"), reason="needs nginx, curl"),
]
TAPWATCH = pathlib.Path(sys.executable).with_name("tapwatch")
PORT = 8080
WEB = """
  keepalive_requests 1000;
  server {{ listen 10.9.0.2:8080; location / {{ default_type application/json;
    if ($arg_late) {{ return 200 '{{"path":"$request_uri","late":1}}'; }} return 200 '{{"path":"$request_uri"}}'; }} }}
"""


@pytest.fixture
def net():
    with network.made() as found:
        yield found


@pytest.fixture
def web(net, tmp_path):
    """nginx in the server's namespace: its access log."""
    (tmp_path / "nginx.conf").write_text(NGINX.format(server=WEB).format(folder=tmp_path, port=PORT))
    command = ["ip", "netns", "exec", net.server, "nginx", "-p", tmp_path, "-c", tmp_path / "nginx.conf"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        wait_for(lambda: b":1F90" in net.at_server("cat", "/proc/net/tcp", capture_output=True).stdout, "a start of nginx")
        yield tmp_path / "access.log"
        server.terminate()


class Sensor:
    """A running `tapwatch live`."""

    def __init__(self, process: subprocess.Popen, folder: pathlib.Path):
        self.process, self.folder = process, folder
        self.told, self.log = folder / "tx.jsonl", folder / "err.log"

    def rows(self) -> list[dict]:
        return [json.loads(line) for line in self.told.read_text().splitlines()]

    def says(self, text: str) -> bool:
        return text in self.log.read_text()

    def waits_for(self, text: str) -> None:
        wait_for(lambda: self.says(text), f"{text!r} in the log ({self.log.read_text()[-500:]})")

    def end(self) -> dict:
        """SIGTERM: the summary."""
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, self.log.read_text()
        return json.loads(out)


@contextlib.contextmanager
def sensing(net, folder: pathlib.Path, *options: str, interface: str = network.MIRROR):
    command = [TAPWATCH, "live", "-i", interface, "--transactions", folder / "tx.jsonl", "--json", *options]
    if "--store" not in options:
        command.append("--no-store")
    environment = os.environ | {"TAPWATCH_KEY": "00" * 16, "XDG_STATE_HOME": str(folder / "state")}
    with (folder / "err.log").open("wb") as log:
        process = subprocess.Popen(
            ["ip", "netns", "exec", net.server, *command], stdout=subprocess.PIPE, stderr=log, env=environment
        )
    sensor = Sensor(process, folder)
    try:
        end = time.monotonic() + 300  # compiling, where nothing is cached
        while not sensor.says("Capturing on"):
            assert process.poll() is None and time.monotonic() < end, sensor.log.read_text()
            time.sleep(0.1)
        yield sensor
    finally:
        process.kill()
        process.communicate()


LISTENER = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, open(sys.argv[1], "ab", 0) as file:
    udp.bind(("127.0.0.1", 5514))
    while True:
        file.write(udp.recv(65536) + b"\\n")
"""


def ask(net, *paths: str) -> None:
    net.at_client("curl", "-sS", *(f"http://{network.SERVER}:{PORT}{path}" for path in paths), stdout=subprocess.DEVNULL)


def targets(log: pathlib.Path) -> collections.Counter:
    return collections.Counter(
        (line["port"], line["target"], line["status"]) for line in map(json.loads, log.read_text().splitlines())
    )


def told_targets(rows: list[dict]) -> collections.Counter:
    return collections.Counter((row["client_port"], row["path"], row["status"]) for row in rows)


def test_every_request_that_the_server_logs_is_told_once(net, web, tmp_path):
    """Offered load: eight clients at once, each 2,000 keep-alive requests as fast as curl makes them."""
    with sensing(net, tmp_path) as sensor:
        clients = [
            subprocess.Popen(
                ["ip", "netns", "exec", net.client, "curl", "-sS", f"http://{network.SERVER}:{PORT}/{k}/[1-2000]"],
                stdout=subprocess.DEVNULL,
            )
            for k in range(8)
        ]
        assert [client.wait(60) for client in clients] == [0] * 8
        summary = sensor.end()
        rows = sensor.rows()
    assert len(rows) == 16_000 and told_targets(rows) == targets(web)
    assert not [row for row in rows if row["completeness"]]
    told = summary["interfaces"][network.MIRROR]
    assert told["dropped"] == 0 and all(0 < one["count"] <= one["of"] <= summary["packets"] for one in told["hygiene"])
    assert summary["counters"]["kernel_frames"] == summary["packets"]


def test_nothing_leaves_the_interface(net, web, tmp_path):
    def sent() -> str:
        return net.at_server("cat", f"/sys/class/net/{network.MIRROR}/statistics/tx_packets", capture_output=True).stdout

    before = sent()
    with sensing(net, tmp_path) as sensor:
        ask(net, "/a", "/b")
        assert sensor.end()["transactions"] == 2
    assert sent() == before


def test_two_workers_share_connections_and_a_filter_holds_in_both_rings(net, web, tmp_path):
    """Each connection stays whole: 64 of them, one after the other, between two rings of the same interface."""
    with sensing(net, tmp_path, "--workers", "2", "-f", f"tcp port {PORT}") as sensor:
        for group in range(64):
            ask(net, *(f"/{group}/{k}" for k in range(20)))
        summary = sensor.end()
        rows = sensor.rows()
    assert told_targets(rows) == targets(web) and len(rows) == 1_280
    assert not [row for row in rows if row["completeness"]]
    assert summary["packets"] == summary["counters"]["tcp"] == summary["counters"]["kernel_frames"]
    shares = [number / summary["packets"] for number in summary["interfaces"][network.MIRROR]["by_ring"]]
    assert len(shares) == 2 and sum(shares) == 1 and min(shares) > 0.2


def test_sighup_changes_the_filter_and_keeps_connections(net, web, tmp_path):
    config = tmp_path / "tapwatch.toml"
    config.write_text('[live]\nfilter = "tcp"\n')
    with sensing(net, tmp_path, "-c", str(config)) as sensor:
        ask(net, "/before")
        config.write_text('[live]\nfilter = "no such expression"\n')
        sensor.process.send_signal(signal.SIGHUP)
        sensor.waits_for("stays as it was")
        ask(net, "/between")
        config.write_text('[live]\nfilter = "udp"\n[detectors.credential_stuffing]\nmin_attempts = 5\n')
        sensor.process.send_signal(signal.SIGHUP)
        sensor.waits_for("was read again")
        ask(net, "/after")
        sensor.end()
        assert [row["path"] for row in sensor.rows()] == ["/before", "/between"]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_interface_that_goes_down_or_away_is_taken_up_again(net, web, tmp_path, workers):
    with sensing(net, tmp_path, "--workers", workers) as sensor:
        ask(net, "/1")
        net.at_server("ip", "link", "set", network.MIRROR, "down")
        sensor.waits_for("is down")
        net.at_server("ip", "link", "set", network.MIRROR, "up")
        sensor.waits_for("is back")
        ask(net, "/2")
        wait_for(lambda: len(sensor.rows()) == 2, "a transaction after the interface came back")
        net.at_server("ip", "link", "set", network.MIRROR, "down")
        net.at_server("ip", "link", "set", network.MIRROR, "name", "mon2")
        net.at_server("ip", "link", "set", "mon2", "up")
        sensor.waits_for("mon2")
        ask(net, "/3")
        wait_for(lambda: len(sensor.rows()) == 3, "a transaction after the interface was renamed")
        net.at_server("ip", "link", "del", "mon2")
        sensor.waits_for("is gone")
        sensor.end()


def test_kill_9_loses_no_more_than_the_last_second(net, web, tmp_path):
    store = f"chdb://{tmp_path}/store"
    with sensing(net, tmp_path, "--store", store) as sensor:
        ask(net, *(f"/early/{k}" for k in range(20)))
        time.sleep(3)
        assert query(store, "SELECT count() AS n FROM transactions") == [{"n": 20}]  # which the sensor holds, and answers for
        sensor.process.kill()
        sensor.process.wait()
        subprocess.run(["pkill", "-9", "-f", store], check=False)
    assert query(store, "SELECT count() AS n FROM transactions") == [{"n": 20}]


def test_a_server_that_goes_away_has_every_row_in_the_end(net, web, tmp_path):
    """Rows wait on disk, over a kill -9 of the sensor as well."""
    server = Server(tmp_path / "clickhouse", "ip", "netns", "exec", net.server)
    with sensing(net, tmp_path, "--store", server.dsn) as sensor:
        ask(net, *(f"/before/{k}" for k in range(20)))
        time.sleep(2)
        server.kill()
        ask(net, *(f"/while/{k}" for k in range(20)))
        sensor.waits_for("Rows wait for it in")
        time.sleep(3)
        sensor.process.kill()
        sensor.process.wait()
    server.start()
    with sensing(net, tmp_path, "--store", server.dsn) as sensor:
        assert sensor.says("blocks of an earlier run wait in")
        ask(net, *(f"/after/{k}" for k in range(20)))
        sensor.waits_for("nothing waits on disk")
        assert sensor.end()["counters"].get("store_dropped", 0) == 0
    server.kill()
    sql = "SELECT count() AS n, uniqExact(path) AS u FROM transactions"
    assert query(f"chdb://{tmp_path}/clickhouse", sql) == [{"n": 60, "u": 60}]


def query(store: str, sql: str) -> list[dict]:
    found = subprocess.run(
        [TAPWATCH, "sql", "--store", store, "--json", sql], capture_output=True, text=True, check=True, timeout=120
    )
    return [json.loads(line) for line in found.stdout.splitlines()]


def test_what_was_learned_is_taken_up_again(net, web, tmp_path):
    """An enumeration that goes on over a restart stays one incident, and is told once; counts of endpoints go on.

    So does the ledger; and the client's session, whose intent is told as it grows.
    """
    store, ledger = f"chdb://{tmp_path}/store", tmp_path / "ledger.jsonl"
    url = f"http://{network.SERVER}:{PORT}/v1/items"
    with sensing(net, tmp_path, "--store", store, "--ledger", str(ledger)) as sensor:
        net.at_client("curl", "-sS", f"{url}/[1000-1599]", stdout=subprocess.DEVNULL)
        sensor.waits_for("HIGH enumeration")
        sensor.end()
    with sensing(net, tmp_path, "--store", store, "--ledger", str(ledger)) as sensor:
        assert sensor.says("Taken up from")
        net.at_client("curl", "-sS", f"{url}/[1600-1699]", stdout=subprocess.DEVNULL)
        sensor.end()
        assert not sensor.says("HIGH enumeration")
    assert query(store, "SELECT count() AS n, any(transactions) AS t FROM alerts") == [{"n": 1, "t": 700}]
    assert query(store, "SELECT sum(transactions) AS n FROM endpoints") == [{"n": 700}]
    assert query(store, "SELECT count() AS n FROM transactions") == [{"n": 700}]
    told = query(store, "SELECT max(transactions) AS most, uniqExact(first_seen) AS sessions FROM actor_sessions FINAL")
    assert told == [{"most": 640, "sessions": 1}]
    done = subprocess.run(
        [TAPWATCH, "ledger", "verify", str(ledger), "--against-store", "--store", store, "--json"],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert json.loads(done.stdout)["differences"] == []
    kinds = [json.loads(line).get("kind") for line in ledger.read_text().splitlines()]
    assert kinds.count("endpoint") == 1 and kinds.count("alert") >= 2


def test_a_key_that_comes_into_answers_is_told_once(net, web, tmp_path):
    (tmp_path / "c.toml").write_text("[bodies]\nper_endpoint = 1000\n")
    with sensing(net, tmp_path, "-c", str(tmp_path / "c.toml")) as sensor:
        ask(net, "/things?n=[1-60]")
        ask(net, "/things?n=[1-60]&late=1")
        sensor.end()
    (line,) = [line for line in sensor.log.read_text().splitlines() if "Bodies have changed" in line]
    assert line.endswith(f"GET {network.SERVER}/things (response 200): new: late (number).")


def test_packets_are_kept_and_an_alert_leads_back_to_them(net, web, tmp_path):
    store, files = f"chdb://{tmp_path}/store", tmp_path / "tap.pcapng"
    with sensing(net, tmp_path, "--store", store, "-w", str(files)) as sensor:
        net.at_client("curl", "-sS", f"http://{network.SERVER}:{PORT}/v1/items/[1000-1499]", stdout=subprocess.DEVNULL)
        ask(net, "/innocent")
        summary = sensor.end()
    found = query(store, "SELECT alert_id FROM alerts")[0]["alert_id"]
    out = tmp_path / "evidence.pcapng"
    command = [TAPWATCH, "alert", found, "--store", store, "--pcap", out, "--from", files]
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    rows = transactions_of(out)
    assert len(rows) == 500 and all(row["path"].startswith(b"/v1/items/") for row in rows)
    assert "unwritten" not in summary["counters"]


def test_an_alert_is_in_the_store_within_two_seconds(net, web, tmp_path):
    """From the last packet of the transaction that tips it to the row: versions are the times of writing, in ns.

    A receiver of syslog beside the sensor gets each of them as well.
    """
    store, received = f"chdb://{tmp_path}/store", tmp_path / "syslog"
    (tmp_path / "t.toml").write_text('[[notify]]\nurl = "udp://127.0.0.1:5514"\nformat = "ocsf"\nseverity = "low"\n')
    receiver = subprocess.Popen(["ip", "netns", "exec", net.server, sys.executable, "-c", LISTENER, received])
    with sensing(net, tmp_path, "--store", store, "-c", tmp_path / "t.toml") as sensor:
        for k in range(6):
            net.at_client("curl", "-sS", f"http://{network.SERVER}:{PORT}/v{k}/items/[1000-1299]", stdout=subprocess.DEVNULL)
            time.sleep(0.3 * k)
        summary = sensor.end()
    receiver.kill()
    receiver.wait()
    told = [json.loads(line.split("] ", 1)[1])["finding_info"]["uid"] for line in received.read_text().splitlines()]
    assert len(told) == len(set(told)) == 6 == summary["notified"]
    sql = "SELECT min(version) / 1e9 - toFloat64(min(raised_at)) AS s FROM alert_versions GROUP BY alert_id"
    delays = [row["s"] for row in query(store, sql)]
    assert len(delays) == 6 and max(delays) < 2.0, delays


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["-i", "none0"], 1, "There is no interface 'none0'"),
        (["-i", "lo", "-f", "no such expression"], 1, "is not valid"),
        (["-i", "lo", "--ring", "much"], 1, "no size of memory"),
        ([], 2, "Name an interface"),
    ],
)
def test_mistakes_are_told_in_a_sentence(options, status, words):
    done = subprocess.run([TAPWATCH, "live", "--no-store", *options], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status and words in done.stderr and "Traceback" not in done.stderr


@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv")
def test_without_the_capability_it_says_so():
    command = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw", TAPWATCH, "live", "--no-store", "-i", "lo"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "CAP_NET_RAW" in done.stderr and "Traceback" not in done.stderr


def test_alerts_are_in_the_store_soon(tmp_path):
    """`bench --latency`, of three attacks, over loopback."""
    found = alert_latency(3, tmp_path)
    assert found["told"] == found["attacks"] == 3 and 0 < found["p50_s"] <= found["largest_s"]
