"""What many sensors saw too little of: thin attacks are found in all of their traffic together, and nothing else is."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dpkt
import numpy as np
import pytest
from rows import batch_of
from test_store import random_batch

from sensor.capture.files import CaptureFile
from sensor.config import ConfigError
from sensor.core.records import TRANSACTION
from sensor.correlating import FLEET, correlate
from sensor.pipeline import Pipeline
from sensor.settings import Config
from sensor.simulate.scenarios import Scenario, write_scenario
from sensor.sinks import StoreSink
from sensor.store import open_store
from sensor.store.decode import NUMBERS, SELECTED, STRINGS, decode_transactions
from sensor.store.writer import Writer

TAPWATCH = Path(sys.executable).with_name("tapwatch")
SENSORS = 10
KEY = (1, 2)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with open_store(f"chdb://{tmp_path_factory.mktemp('state')}/store") as opened:
        yield opened


@pytest.fixture
def empty(store):
    for table in ("transactions", "alert_versions"):
        store.command(f"TRUNCATE TABLE {table}")
    return store


def text_of(rows: np.ndarray, arena: np.ndarray, index: int, name: str) -> bytes:
    at = int(rows[index][name + "_at"])
    return arena[at : at + int(rows[index][name + "_len"])].tobytes()


def test_rows_come_back_as_they_were_told(empty):
    batch = random_batch(3_000, 4)
    batch.rows["credential"] *= batch.rows["session"] == 0  # an actor is one of the two
    batch.rows = batch.rows[np.argsort(batch.rows["ts"] // 1000, kind="stable")]
    writer = Writer(empty, "s", "0" * 16)
    writer.transactions(batch, ["", "vlan:10/vxlan:7"], "c")
    writer.close()
    raw = empty.raw(f"SELECT {SELECTED} FROM transactions ORDER BY ts, client_port, serial", "RowBinary")
    found = decode_transactions(raw)
    order = np.lexsort((batch.rows["serial"], batch.rows["client_port"], batch.rows["ts"] // 1000))
    told = batch.rows[order]
    assert len(found.rows) == 3_000 and found.rows.dtype == TRANSACTION
    assert (found.rows["ts"] == told["ts"] // 1000 * 1000).all()
    for name in ("client_hi", "client_lo", "server_hi", "server_lo"):
        assert (found.rows[name] == told[name]).all(), name
    for name in set(NUMBERS) - {"latency", "auth"}:
        assert (found.rows[name] == np.maximum(told[name], 0)).all(), name
    assert (found.rows["latency_us"] == np.maximum(told["latency_us"], -1)).all()
    for index in range(0, 3_000, 7):
        for name in STRINGS:
            assert text_of(found.rows, found.arena, index, name) == text_of(told, batch.arena, index, name), name


def test_two_taps_on_one_path_count_once(empty):
    rows = [{"path": f"/a/{k % 3}"} for k in range(30)]
    for sensor, lag in (("one", 0), ("two", 2_000_000)):
        batch = batch_of(rows)
        batch.rows["ts"] += lag
        writer = Writer(empty, sensor, f"{hash(sensor) & 0xFFFF:016x}")
        writer.transactions(batch, [""], "c")
        writer.close()
    found = correlate(empty, Config(), 24.0)
    assert (found.sensors, found.transactions, found.alerts) == (2, 30, [])


def parts_of(path: Path, folder: Path) -> list[Path]:
    """The capture, its clients shared out to SENSORS in turn."""
    names = [folder / f"sensor{k}.pcap" for k in range(SENSORS)]
    files = [name.open("wb") for name in names]
    turns: dict[bytes, int] = {}
    writers = [dpkt.pcap.Writer(file, nano=True) for file in files]
    with path.open("rb") as file:
        for ts, frame in dpkt.pcap.Reader(file):
            packet = dpkt.ethernet.Ethernet(frame).data
            client = packet.src if packet.data.dport < packet.data.sport else packet.dst
            writers[turns.setdefault(client, len(turns)) % SENSORS].writepkt(frame, ts)
    for file in files:
        file.close()
    return names


def observe(store, path: Path, name: str) -> list[dict]:
    """What one sensor tells of its part, kept in the store."""
    pipeline = Pipeline(Config(sensor=name), KEY, [])
    writer = Writer(store, name, f"{int(name[6:]):016x}")
    pipeline.use([StoreSink(writer)])
    pipeline.run(CaptureFile(str(path)))
    pipeline.finish(path.name)
    alerts = [alert.as_row() for alert in pipeline.alerts()]
    writer.alerts(alerts)
    writer.close()
    pipeline.close()
    return alerts


@pytest.mark.parametrize(
    ("scenario", "detector", "endpoint"),
    [
        (Scenario("sweep", hours=2.0, people=150, requests=560, sources=40, rate=0.5), "enumeration", "/v1/products/{int}"),
        (Scenario("stuffing", hours=2.0, people=150, requests=180, sources=60, rate=0.1), "credential_stuffing", "/v1/login"),
        (Scenario("ordinary", hours=4.0, people=150), None, None),
    ],
)
def test_a_thin_attack_on_ten_sensors(empty, tmp_path, scenario, detector, endpoint):
    path = tmp_path / "whole.pcap"
    labels = write_scenario(scenario, path, None)
    alone = [alert for k, part in enumerate(parts_of(path, tmp_path)) for alert in observe(empty, part, f"sensor{k}")]
    assert alone == []
    found = correlate(empty, Config(), 24.0)
    assert found.sensors == SENSORS and found.known == 0
    if detector is None:
        assert found.alerts == []
        return
    (alert,) = found.alerts
    assert (alert["detector"], alert["endpoint"]) == (detector, endpoint)
    attackers = {source for incident in labels["incidents"] for source in incident["sources"]}
    assert len(attackers & set(alert["sources"])) >= 0.95 * len(attackers)
    assert len(set(alert["sources"]) - attackers) <= 1
    assert empty.rows("SELECT sensor, alert_id FROM alerts") == [(FLEET, alert["alert_id"])]
    again = correlate(empty, Config(), 1.7)  # a window that begins in the midst of it
    assert [row["alert_id"] for row in again.alerts] == [alert["alert_id"]]
    assert empty.rows("SELECT count() FROM alerts") == [(1,)]


def test_a_setting_that_there_is_not_is_told_in_a_sentence(empty):
    with pytest.raises(ConfigError, match="has no setting"):
        correlate(empty, Config(detectors={"excess": {"nonsense": 1}}), 24.0)


def test_the_command(tmp_path):
    store, environment = f"chdb://{tmp_path}/store", os.environ | {"TAPWATCH_KEY": "00" * 16}
    capture = Path(__file__).parent.parent / "pcaps/storefront.pcap"
    subprocess.run(
        [TAPWATCH, "replay", capture, "--store", store], capture_output=True, timeout=300, check=True, env=environment
    )
    command = [TAPWATCH, "correlate", "--store", store, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
    assert done.returncode == 0 and "of 1 sensors: 0 alerts that none of them told, 2 that one did" in done.stderr, done.stderr


def test_a_service_outlives_a_store_that_is_away(tmp_path):
    """Told once, tried again, ended by SIGTERM with status 0."""
    command = [TAPWATCH, "correlate", "--store", "http://127.0.0.1:9/tapwatch", "--every", "0.01"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as service:
        for line in service.stderr:
            if "cannot be reached" in line:
                break
        time.sleep(3)
        service.send_signal(signal.SIGTERM)
        _, rest = service.communicate(timeout=60)
    assert service.returncode == 0 and "It is tried again every 0.01 minutes." in line and rest == ""
    once = subprocess.run(command[:-2], capture_output=True, text=True, timeout=120, check=False)
    assert once.returncode == 1 and "Traceback" not in once.stderr
