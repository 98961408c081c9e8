"""A progress bar on a terminal, nothing elsewhere."""

import sys
import time
from typing import Any


class Progress:
    """Shows how much of a capture was read, and how fast. As a context manager."""

    def __init__(self, quiet: bool):
        self._bar: Any = None
        self._quiet = quiet or not sys.stderr.isatty()
        self._packets = self._bytes = 0
        self._task, self._name, self._begin, self._shown = None, None, time.perf_counter(), 0.0

    def __enter__(self) -> "Progress":
        if not self._quiet:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[rate]}"),
                console=Console(stderr=True), transient=True,
            )  # fmt: skip
            self._bar.start()
        return self

    def __exit__(self, *exception) -> None:
        if self._bar:
            self._bar.stop()

    def update(self, capture, frames: int, size: int) -> None:
        """One more chunk of a capture."""
        if self._bar is None:
            return
        self._packets += frames
        self._bytes += size
        now = time.perf_counter()
        if capture.name != self._name:
            from rich.markup import escape

            if self._task is not None:
                self._bar.remove_task(self._task)
            self._name = capture.name
            self._task = self._bar.add_task(escape(capture.name[-40:]), total=capture.size or None, rate="")
        elif now - self._shown < 0.1:
            return
        self._shown = now
        elapsed = max(now - self._begin, 1e-9)
        rate = f"{self._packets / elapsed:,.0f} packets/s  {self._bytes * 8 / elapsed / 1e6:,.0f} Mbit/s"
        self._bar.update(self._task, completed=capture.position if capture.size else None, rate=rate)
