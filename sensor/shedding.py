"""What gives way when packets come faster than they are taken: samples of bodies first, then new connections, by their hash.

A connection that is followed is followed to its end: what is refused is refused from its first packet on.
"""

from sensor.pipeline import Pipeline

BODIES_AT, CONNECTIONS_AT = 0.5, 0.75
"""Shares of a ring that wait, from which on samples of bodies, and new connections, are refused."""
RELIEVED_AT = 0.1
STEP, ALL = 16, 256
"""Connections are refused by so many 256ths more, or fewer, at a time."""


class Shedding:
    """Watches how full the rings are."""

    def __init__(self, pipeline: Pipeline):
        self._pipeline = pipeline
        self._bodies, self._refused = True, 0

    def adjust(self, waiting: float) -> None:
        """waiting: share of the fullest ring that waits to be taken."""
        bodies, refused = self._bodies, self._refused
        if waiting >= CONNECTIONS_AT:
            refused = min(refused + STEP, ALL)
        elif waiting <= RELIEVED_AT:
            refused = max(refused - STEP, 0)
        if waiting >= BODIES_AT:
            bodies = False
        elif waiting <= RELIEVED_AT and refused == 0:
            bodies = True
        if (bodies, refused) != (self._bodies, self._refused):
            self._bodies, self._refused = bodies, refused
            self._pipeline.shed(bodies, refused)
