"""Where the pipeline's results go."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from sensor.core.records import Batch
from sensor.intent.actors import Judge, latest

TellActors = Callable[[np.ndarray], None]
"""Called with SESSION[n] (sensor.intent.sessions) of actors of which there is something new to tell, in the order of time."""


class Sink(Protocol):
    """Takes finished transactions."""

    def transactions(self, batch: Batch, wire: dict[str, np.ndarray], encaps: list[str], capture: str) -> None: ...


class StoreSink:
    """Hands transactions to the store's writer."""

    def __init__(self, writer):
        self._writer = writer
        self._judge = Judge()

    def actors(self, sessions: np.ndarray) -> None:
        """The latest state of each session among SESSION[n], with what the model makes of it."""
        self._writer.actors(self._judge.rows(latest(sessions)))

    def transactions(self, batch: Batch, wire: dict[str, np.ndarray], encaps: list[str], capture: str) -> None:
        self._writer.transactions(batch, encaps, capture)
