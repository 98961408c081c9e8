"""Metrics for Prometheus, and answers for probes, over HTTP. What is served is a copy that the main loop makes every second."""

import dataclasses
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import make_wsgi_app

ALIVE_FOR = 10.0
"""Seconds for which a copy is believed: the main loop makes one every second."""

HOTTEST, NEWEST = 10, 10
"""Endpoints and incidents that `tapwatch top` shows."""
SHOWN = ("alert_id", "severity", "detector", "host", "method", "endpoint", "transactions", "actors", "explanation")
OPEN_FOR = 3_600_000_000_000
"""Nanoseconds since its last transaction for which an incident is open, as in the view `open_alerts`."""


def open_incidents(alerts: Iterable[dict[str, Any]], now: int) -> list[dict[str, Any]]:
    """The newest alerts that are open, as `tapwatch top` shows them. now: ns, of the clock of the packets."""
    found = [row for row in alerts if row["last_seen"] >= now - OPEN_FOR]
    return [{name: row[name] for name in SHOWN} for row in found[-NEWEST:]]


@dataclasses.dataclass(frozen=True)
class InterfaceFigures:
    """What is told of one interface."""

    name: str
    up: bool
    packets: int
    size: int
    dropped: int
    waiting: float
    """share of its ring that waits to be taken"""


@dataclasses.dataclass(frozen=True)
class Figures:
    """What is told of a running sensor."""

    version: str
    sensor: str
    interfaces: list[InterfaceFigures]
    counters: dict[str, int]
    """by reason"""
    stage_seconds: dict[str, float]
    connections: int
    """tracked at the moment"""
    endpoints: int
    alerts: dict[tuple[str, str], int]
    """by detector and severity"""
    store: dict[str, float]
    """lag_seconds, waiting_rows, written_rows, spool_bytes; empty without a store"""
    made: float
    """time.monotonic() of this copy"""
    store_lost: dict[str, int] = dataclasses.field(default_factory=dict)
    """rows that were given up, by table"""
    hottest: list[tuple[str, str, str, int]] = dataclasses.field(default_factory=list)
    """(host, method, endpoint, transactions since the copy before) of the busiest"""
    incidents: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    """as open_incidents has them"""


class _Collector:
    def __init__(self, figures: Callable[[], Figures | None]):
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        figures = self._figures()
        if figures is None:
            return
        yield _gauge("build_info", "Version of the sensor.", ["version", "sensor"], {(figures.version, figures.sensor): 1})
        for name, text, value in (
            ("packets", "Frames taken from an interface.", lambda tap: tap.packets),
            ("bytes", "Bytes of these on the wire.", lambda tap: tap.size),
            ("dropped_packets", "Frames that found no room in the ring.", lambda tap: tap.dropped),
        ):
            yield _counter(name, text, ["interface"], {(tap.name,): value(tap) for tap in figures.interfaces})
        yield _gauge(
            "interface_up", "Whether it can be captured on.", ["interface"], {(i.name,): i.up for i in figures.interfaces}
        )
        waiting = {(tap.name,): tap.waiting for tap in figures.interfaces}
        yield _gauge("ring_waiting_ratio", "Share of the ring that waits to be taken.", ["interface"], waiting)
        events = {(reason,): number for reason, number in figures.counters.items()}
        yield _counter("events", "What happened, losses among it, by reason.", ["reason"], events)
        yield _counter("stage_seconds", "Time spent, by stage.", ["stage"], {(k,): v for k, v in figures.stage_seconds.items()})
        yield _counter("alerts", "Incidents raised.", ["detector", "severity"], figures.alerts)
        yield _gauge("connections", "Connections tracked at the moment.", [], {(): figures.connections})
        yield _gauge("endpoints", "Endpoints in the inventory.", [], {(): figures.endpoints})
        if figures.store:
            yield _gauge("store_lag_seconds", "How long the oldest rows have waited.", [], {(): figures.store["lag_seconds"]})
            yield _gauge("store_waiting_rows", "Transactions that wait.", [], {(): figures.store["waiting_rows"]})
            yield _counter("store_written_rows", "Transactions that it has.", [], {(): figures.store["written_rows"]})
            yield _gauge("store_spool_bytes", "What waits for it on disk.", [], {(): figures.store["spool_bytes"]})
            lost = {(table,): rows for table, rows in ({"transactions": 0} | figures.store_lost).items()}
            yield _counter("store_dropped_rows", "Rows given up.", ["table"], lost)


def _fill(metric: Metric, values: dict[tuple, float]) -> Metric:
    for labels, value in values.items():
        metric.add_metric(labels, value)  # type: ignore[attr-defined]
    return metric


def _counter(name: str, text: str, labels: list[str], values: dict) -> Metric:
    return _fill(CounterMetricFamily(f"tapwatch_{name}", text, labels=labels), values)


def _gauge(name: str, text: str, labels: list[str], values: dict) -> Metric:
    return _fill(GaugeMetricFamily(f"tapwatch_{name}", text, labels=labels), values)


class _Quiet(WSGIRequestHandler):
    timeout = 10
    """seconds after which a client that says nothing is let go"""

    def log_message(self, *_) -> None:
        """Nothing: requests of probes are no news."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class MetricsServer:
    """Serves /metrics, /healthz (the main loop turns) and /readyz (an interface is captured on, and the store takes rows).

    Raises OSError where the address cannot be had. `figures` is set by the main loop.
    """

    def __init__(self, address: str):
        host, _, port = address.rpartition(":")
        registry = CollectorRegistry()
        registry.register(_Collector(lambda: self.figures))  # type: ignore[arg-type]
        self.figures: Figures | None = None
        self._metrics = make_wsgi_app(registry)
        self._server = make_server(host.strip("[]"), int(port), self._answer, server_class=_Server, handler_class=_Quiet)
        threading.Thread(target=self._server.serve_forever, name="tapwatch-metrics", daemon=True).start()

    def _answer(self, environ: dict, start_response: Callable):
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            return self._metrics(environ, start_response)
        if path == "/top":
            start_response("200 OK", [("Content-Type", "application/json")])
            return [msgspec.json.encode(self._top())]
        if path not in ("/healthz", "/readyz"):
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"/metrics, /healthz, /readyz, /top\n"]
        trouble = self._trouble(path == "/readyz")
        start_response("503 Service Unavailable" if trouble else "200 OK", [("Content-Type", "text/plain")])
        return [(trouble or "good").encode() + b"\n"]

    def _top(self) -> dict[str, Any]:
        """What `tapwatch top` shows; nothing of it is a metric, for hosts and endpoints are without number."""
        figures = self.figures
        if figures is None:
            return {}
        told = dataclasses.asdict(figures)
        told["alerts"] = sum(figures.alerts.values())
        return told

    def _trouble(self, ready: bool) -> str:
        figures = self.figures
        if figures is None or time.monotonic() - figures.made > ALIVE_FOR:
            return "the main loop does not turn"
        if ready and not any(tap.up for tap in figures.interfaces):
            return "no interface is up"
        if ready and figures.store.get("lag_seconds", 0) > ALIVE_FOR:
            return "the store does not take rows"
        return ""

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
