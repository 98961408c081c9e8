"""What metrics and `tapwatch top` are told of a pipeline, live or of a replay."""

import time
from typing import Any

from sensor import __version__
from sensor.core.reasons import named
from sensor.outputs.metrics import HOTTEST, Figures
from sensor.pipeline import Pipeline


def figures_of(pipeline: Pipeline, **others: Any) -> Figures:
    """The figures that a pipeline has now; others: what it does not know, fields of Figures."""
    return Figures(
        version=__version__, counters=named(pipeline.totals()), stage_seconds=dict(pipeline.seconds),
        connections=pipeline.connections, endpoints=pipeline.known_endpoints, hottest=pipeline.hottest(HOTTEST),
        made=time.monotonic(), **others,
    )  # fmt: skip
