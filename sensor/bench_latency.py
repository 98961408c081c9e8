"""How long an alert takes: attacks over loopback, a live sensor with its defaults, and its store asked all the time."""

import contextlib
import http.client
import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np

from sensor.store import open_store
from sensor.store.errors import StoreError

FIRST = 100_000
"""The first identifier of each attack."""
REQUESTS = 1_000
"""An attack ends behind so many, told or not."""
PAUSE = 0.002
"""Seconds between two requests of an attack."""
ASKED_EVERY = 0.05
"""Seconds between two looks into the store."""
STARTS_WITHIN, TOLD_WITHIN = 400.0, 10.0
"""Seconds: the sensor may have to compile first; an alert that takes longer than this is not told."""


class LatencyError(Exception):
    """The measurement cannot be made."""


class _Things(http.server.BaseHTTPRequestHandler):
    """Answers whoever asks for a thing."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps({"path": self.path, "name": "a thing"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Not on the terminal."""


def alert_latency(attacks: int, folder: pathlib.Path) -> dict:
    """Seconds from the packet that completes an attack to the alert's row in the store, over so many attacks.

    Each attack walks the identifiers of a host of its own, from an address of its own, one at a time. The packet's time is the
    kernel's (alerts.raised_at is that of the transaction that raised it); the row counts once a query finds it.
    Raises LatencyError where nothing can be captured.
    """
    store = f"chdb://{folder}/store"
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Things)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    try:
        with _sensor(port, store, folder):
            seen = _Seen(store)
            for number in range(attacks):
                _attack(port, number, seen)
            found = list(seen.latencies.values())
            seen.close()
    finally:
        server.shutdown()
        server.server_close()
    told = {f"p{q}_s": round(float(np.percentile(found, q)), 3) for q in (50, 99)} if found else {}
    return {"attacks": attacks, "told": len(found), **told, "largest_s": round(max(found, default=0.0), 3)}


@contextlib.contextmanager
def _sensor(port: int, store: str, folder: pathlib.Path) -> Iterator[None]:
    """A live sensor on loopback, from its start to its end."""
    log = folder / "sensor.log"
    command = [sys.executable, "-m", "sensor", "live", "-i", "lo", "-f", f"tcp port {port}", "--store", store]
    environment = os.environ | {"XDG_STATE_HOME": str(folder)}
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=file, env=environment)
    try:
        end = time.monotonic() + STARTS_WITHIN
        while "Capturing on" not in log.read_text():
            if process.poll() is not None or time.monotonic() > end:
                said = log.read_text().strip().splitlines() or ["The sensor did not start."]
                raise LatencyError(said[-1].removeprefix("tapwatch: "))
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()


class _Seen:
    """Asks the store for new alerts, in a thread of its own."""

    def __init__(self, store: str):
        self._store = open_store(store, create=False)
        self._ended = threading.Event()
        self.latencies: dict[str, float] = {}
        """seconds by host"""
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._ended.wait(ASKED_EVERY):
            with contextlib.suppress(StoreError):
                rows = self._store.rows("SELECT host, toUnixTimestamp64Micro(raised_at) FROM alerts")
                now = time.time()
                for host, raised_at in rows:
                    self.latencies.setdefault(host, now - raised_at / 1e6)

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        self._store.close()


def _attack(port: int, number: int, seen: _Seen) -> None:
    """Walk identifiers until the store tells of it."""
    host = f"shop-{number}.test"
    connection = http.client.HTTPConnection("127.0.0.1", port, source_address=(f"127.0.1.{number % 250 + 1}", 0))
    for request in range(REQUESTS):
        connection.request("GET", f"/v1/things/{FIRST + request}", headers={"Host": host})
        connection.getresponse().read()
        time.sleep(PAUSE)
        if host in seen.latencies:
            break
    connection.close()
    end = time.monotonic() + TOLD_WITHIN
    while host not in seen.latencies and time.monotonic() < end:
        time.sleep(ASKED_EVERY)
