"""What `tapwatch top` and Prometheus are told of a replay while it goes on."""

import collections
import time
from collections.abc import Callable

from sensor.capture.files import CaptureFile
from sensor.config import ConfigError
from sensor.figures import figures_of
from sensor.outputs.metrics import InterfaceFigures, MetricsServer, open_incidents
from sensor.pipeline import Pipeline

EVERY = 1.0
"""Seconds between two looks of inventory and detectors at what was taken, so that figures are told."""


class ReplayMetrics:
    """Serves the figures of a pipeline. Raises ConfigError where the address cannot be listened on."""

    def __init__(self, listen: str, sensor: str, pipeline: Pipeline):
        self._sensor, self._pipeline = sensor, pipeline
        try:
            self._server = MetricsServer(listen)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{listen} cannot be listened on ({getattr(error, 'strerror', None) or error}): name ADDRESS:PORT."
            ) from None
        self._packets = self._size = 0
        self._next = 0.0

    def around(self, progress: Callable[[CaptureFile, int, int], None]) -> Callable[[CaptureFile, int, int], None]:
        """`progress` of Pipeline.run, with a look every so often."""

        def note(capture: CaptureFile, frames: int, size: int) -> None:
            progress(capture, frames, size)
            self._packets, self._size = self._packets + frames, self._size + size
            if time.monotonic() >= self._next:
                self.look(capture.name)

        return note

    def look(self, capture: str) -> None:
        """Tell what is known now."""
        pipeline = self._pipeline
        pipeline.look(capture)
        alerts = [alert.as_row() for alert in pipeline.alerts()]
        raised = collections.Counter((row["detector"], row["severity"]) for row in alerts)
        tap = InterfaceFigures(name=capture, up=True, packets=self._packets, size=self._size, dropped=0, waiting=0.0)
        self._server.figures = figures_of(
            pipeline, sensor=self._sensor, interfaces=[tap], alerts=raised, store={},
            incidents=open_incidents(alerts, max((row["last_seen"] for row in alerts), default=0)),
        )  # fmt: skip
        self._next = time.monotonic() + EVERY

    def close(self) -> None:
        self._server.close()
