"""A ClickHouse server of your own: the same captures give the same answers as the embedded engine.

TAPWATCH_TEST_CLICKHOUSE names one: a DSN without a database (one is made for the test, and dropped), or the program, which is also
looked for on PATH.
"""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import uuid

import pytest

from sensor.store import open_store
from sensor.store.saved import saved_queries

GIVEN = os.environ.get("TAPWATCH_TEST_CLICKHOUSE", "")
PROGRAM = shutil.which(GIVEN if GIVEN and "://" not in GIVEN else "clickhouse-server")
CAPTURES = sorted(map(str, (pathlib.Path(__file__).parent.parent / "pcaps").rglob("*.pcap*")))
TAPWATCH = pathlib.Path(sys.executable).with_name("tapwatch")
pytestmark = pytest.mark.skipif(
    not PROGRAM and "://" not in GIVEN,
    reason="needs a ClickHouse server: TAPWATCH_TEST_CLICKHOUSE, or clickhouse-server on PATH",
)


@contextlib.contextmanager
def started(folder: pathlib.Path):
    """A server on a free port of loopback, in a folder of its own: its DSN."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "config.xml"
    config.write_text(
        f"<clickhouse><logger><level>warning</level><console>1</console></logger><listen_host>127.0.0.1</listen_host>"
        f"<http_port>{port}</http_port><path>{folder}/data/</path><tmp_path>{folder}/tmp/</tmp_path>"
        "<mark_cache_size>268435456</mark_cache_size><users><default><password/><networks><ip>127.0.0.1</ip></networks>"
        "<profile>default</profile><quota>default</quota></default></users><profiles><default/></profiles><quotas><default/></quotas>"
        "</clickhouse>"
    )
    words = [PROGRAM, *(["server"] if pathlib.Path(PROGRAM or "").name == "clickhouse" else []), f"--config-file={config}"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            for _ in range(300):
                with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=1):
                    break
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def dsn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    with started(folder) if PROGRAM else contextlib.nullcontext(GIVEN.rstrip("/")) as server:
        name = f"tapwatch_test_{uuid.uuid4().hex[:12]}"
        yield f"{server}/{name}"
        with open_store(f"{server}/{name}", create=False) as store:
            store.command(f"DROP DATABASE `{name}`")


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    return f"chdb://{tmp_path_factory.mktemp('embedded')}/store"


def replay(dsn: str) -> None:
    environment = os.environ | {"TAPWATCH_KEY": "00" * 16}
    subprocess.run([TAPWATCH, "replay", "--each", "--store", dsn, *CAPTURES], check=True, capture_output=True, env=environment)


def answers(dsn: str) -> dict[str, list]:
    """The main views, and every saved question but for quantiles and examples, which depend on how parts were merged."""
    with open_store(dsn, create=False) as store:
        found = {
            "transactions": store.rows("SELECT * EXCEPT (inserted_at) FROM transactions ORDER BY ALL"),
            "endpoints": store.rows(
                "SELECT host, method, endpoint, transactions, statuses, risk FROM endpoint_inventory ORDER BY ALL"
            ),
            "alerts": store.rows("SELECT * FROM alerts ORDER BY ALL"),
            "findings": store.rows("SELECT host, method, endpoint, finding FROM findings ORDER BY ALL"),
            "minutes": store.rows(
                "SELECT minute, host, method, endpoint, transactions, clients FROM endpoint_activity ORDER BY ALL"
            ),
        }
        for name, query in saved_queries().items():
            rows = store.rows(query.sql, query.values({}))
            found[name] = [tuple(one for one in row if not isinstance(one, (float, list))) for row in rows]
    return found


def test_a_server_answers_as_the_embedded_engine_does(dsn, embedded):
    for _ in range(2):  # the second time nothing is new
        replay(dsn)
    replay(embedded)
    here, there = answers(embedded), answers(dsn)
    assert len(here["transactions"]) > 4_500
    for name, rows in here.items():
        assert there[name] == rows, name
