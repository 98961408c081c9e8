"""Streams that are opened and reset at once."""

import json
import pathlib
import subprocess
import sys

import hpack
import pytest
from helpers import SERVER
from rows import SECOND, START
from test_detectors import alerts_of

from detectors.rapid_reset import RapidReset
from sensor.core.records import WEIRD_BIT
from sensor.simulate.wire import Conversation, write_pcap

TAPWATCH = pathlib.Path(sys.executable).with_name("tapwatch")
RESET = {"status": 0, "version": 20, "weird": WEIRD_BIT["stream_reset"]}


def asks(count, client="10.0.0.1", at=START, **more):
    return [{"client": client, "path": "/search", "ts": at + k * SECOND // 50, "version": 20, **more} for k in range(count)]


def people():
    """Every eighth search is given up, as the next letter is typed."""
    return [
        row | (RESET if k % 8 == 0 else {})
        for one in range(30)
        for k, row in enumerate(asks(40, f"10.0.0.{one + 1}", START + one * SECOND))
    ]


def found(*parts, sizes=(10_000,)):
    return alerts_of(RapidReset(), sorted((row for part in parts for row in part), key=lambda row: row["ts"]), sizes)


def test_a_flood_of_resets_is_one_alert():
    for sizes in ((10_000,), (7, 100)):
        (alert,) = found(people(), asks(500, "198.51.100.1", START + 60 * SECOND, **RESET), sizes=sizes)
        assert (alert.actor, alert.endpoint, alert.owasp, alert.severity) == ("ip:198.51.100.1", "/search", "API4:2023", "high")


def test_a_flood_from_many_addresses_is_one_alert():
    flood = [row for k in range(40) for row in asks(20, f"198.51.100.{k + 1}", START + 60 * SECOND, fingerprint=9, **RESET)]
    (alert,) = found(people(), flood)
    assert alert.actors >= 38


def test_a_flood_over_made_up_paths_is_one_alert_of_the_host():
    flood = [row | {"path": f"/made/up{k}"} for k, row in enumerate(asks(500, "198.51.100.1", START + 60 * SECOND, **RESET))]
    (alert,) = found(people(), flood)
    assert (alert.actor, alert.method, alert.endpoint, alert.transactions) == ("ip:198.51.100.1", "", "/*", 500)


@pytest.mark.parametrize(
    "rows",
    [
        asks(80, "198.51.100.1", **RESET),
        asks(500, "198.51.100.1", **RESET | {"version": 11}),
        asks(500, "198.51.100.1", **RESET | {"status": 200}),
        asks(500, "198.51.100.1", **RESET | {"weird": 0}),
    ],
    ids=["few", "HTTP/1", "answered", "lost"],
)
def test_what_is_no_flood(rows):
    assert found(people(), rows) == []


def test_it_is_found_on_the_wire(tmp_path):
    """A client that opens 400 streams and resets each, beside one whose requests are answered."""

    def frame(kind, flags, stream, payload):
        return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload

    def head(path):
        return hpack.Encoder().encode([(":method", "GET"), (":path", path), (":scheme", "http"), (":authority", "a.test")])

    preface, frames = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b""), []
    for client, resets in (("192.0.2.9", False), ("198.51.100.1", True)):
        made = Conversation((client, 40_000), SERVER, 1_772_528_400_000_000_000)
        made.handshake()
        made.send(True, preface)
        made.send(False, frame(4, 0, 0, b""))
        for k in range(400):
            stream = 2 * k + 1
            made.send(
                True,
                frame(1, 5, stream, head("/search?q=x")) + (frame(3, 0, stream, (8).to_bytes(4, "big")) if resets else b""),
            )
            if not resets:
                made.send(False, frame(1, 5, stream, hpack.Encoder().encode([(":status", "200")])))
        made.close()
        frames += made.frames
    write_pcap(tmp_path / "r.pcap", sorted(frames, key=lambda one: one[0]))
    done = subprocess.run(
        [TAPWATCH, "replay", str(tmp_path / "r.pcap"), "--no-store", "--alerts", str(tmp_path / "a.jsonl")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    alerts = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    (found,) = [(alert["sources"], alert["endpoint"]) for alert in alerts if alert["detector"] == "rapid_reset"]
    assert found == (["198.51.100.1"], "/search")
