"""TLS services from a capture to the store and the command line, and a capture that holds nothing else."""

import json
import pathlib
import ssl
import subprocess
import sys

import pytest
from helpers import CLIENT, SERVER

from sensor.simulate.wire import Conversation, write_pcap

TAPWATCH = pathlib.Path(sys.executable).with_name("tapwatch")
YEAR_2000 = 946_684_800_000_000_000


def client_hello(name: str) -> bytes:
    outgoing = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    frames = []
    for k, name in enumerate(["api.shop.test", "api.shop.test", "pay.shop.test"]):
        made = Conversation((CLIENT[0], 50_000 + k), (SERVER[0], 443), YEAR_2000 + k * 1_000_000_000)
        made.handshake()
        made.send(True, client_hello(name), [100, 60])
        made.send(False, b"\x16\x03\x03\x00\x50\x02" + bytes(75))
        made.close()
        frames += made.frames
    write_pcap(folder / "tls.pcap", frames)
    dsn = f"chdb://{folder}/store"
    done = tapwatch("replay", "--store", dsn, str(folder / "tls.pcap"))
    assert done.returncode == 0, done.stderr
    return dsn


def tapwatch(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([TAPWATCH, *arguments], capture_output=True, text=True, timeout=600, check=False)


def test_services_are_told_with_their_clients(store):
    done = tapwatch("encrypted", "--json", "--store", store)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["server_name"], row["server_ip"], row["server_port"], row["connections"]) for row in rows] == [
        ("api.shop.test", SERVER[0], 443, 2),
        ("pay.shop.test", SERVER[0], 443, 1),
    ]
    assert all(row["tls_versions"] == ["1.3"] and row["ja4"][0].startswith("t13d") for row in rows)
    assert rows[0]["first_seen"].startswith("2000-01-01T00:00:0")
    assert "pay.shop.test" in tapwatch("encrypted", "--store", store).stdout


def test_times_select(store):
    assert tapwatch("encrypted", "--json", "--since", "2001-01-01", "--store", store).stdout == ""


def test_a_tool_among_browsers_is_rare(store):
    done = tapwatch("query", "rare_tls_clients", "--param", "share=100", "--json", "--store", store)
    assert done.returncode == 0, done.stderr
    assert {json.loads(line)["of_client"] for line in done.stdout.splitlines()} == {1, 2}
