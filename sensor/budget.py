"""One memory budget, shared out over everything that traffic could fill. All of it is made at the start, none of it grows.

The embedded store is not in it: ClickHouse has a limit of its own (sensor/store/open.py).
"""

import re
from typing import NamedTuple

import numpy as np

from parsers.http.state import CONNECTION as HTTP_CONNECTION
from parsers.http.state import FLOW, PENDING, TYPE_LIMIT, HttpLimits
from parsers.http2.state import bytes_per_slot
from sensor.config import ConfigError
from sensor.streams.state import CONNECTION, SIDE, StreamLimits

MB = 1 << 20
FIXED = 352 * MB
"""The interpreter, libraries and machine code (200 MB), the inventory and the detectors (130 MB), chunks in work (22 MB)."""
BATCHES = 32 * MB
"""Transactions on their way to the detectors, where there is more than LEAST: they come as fast as a flood."""
FIXED_WORKER = 44 * MB
"""Deliveries, rows, texts and samples of bodies on their way out of one worker."""
LEAST = 24 * MB
"""What must be left for connections and their bytes to be worth starting."""

SLOT = 4 * np.dtype(np.int32).itemsize
CONNECTION_BYTES = CONNECTION.itemsize + 2 * SIDE.itemsize + HTTP_CONNECTION.itemsize + 2 * FLOW.itemsize + SLOT
PENDING_BYTES = PENDING.itemsize + TYPE_LIMIT
CONNECTIONS, TEXTS, PENDINGS, HELD, FRAGMENTS, HTTP2, BODIES = 0.40, 0.20, 0.12, 0.11, 0.05, 0.07, 0.05
"""Shares: tracked connections; stored heads and texts of waiting requests; these requests; early segments; IP fragments;
HTTP/2 connections; samples of the bodies of waiting requests."""

UNITS = {"": 1, "K": 1 << 10, "M": MB, "G": 1 << 30}


class Budget(NamedTuple):
    """Sizes of one worker's state, and of the decoder's."""

    streams: StreamLimits
    http: HttpLimits
    fragment_bytes: int


def memory_bytes(text: str) -> int:
    """Bytes of `512M`, `2G`, …. Raises ConfigError."""
    found = re.fullmatch(r"(\d+)\s*([KMG]?)(i?B)?", text.strip(), re.IGNORECASE)
    if not found:
        raise ConfigError(f"{text!r} is no size of memory: write 512M or 2G.")
    return int(found[1]) * UNITS[found[2].upper()]


def share_out(memory: int, workers: int, connections: int = 0) -> Budget:
    """Sizes that keep the whole process within `memory` bytes. connections: so many in all, instead of what their share gives.

    Raises ConfigError where the budget is too small.
    """
    free = memory - FIXED - workers * FIXED_WORKER
    if free < LEAST:
        least = -(-(FIXED + workers * FIXED_WORKER + LEAST) // MB)
        raise ConfigError(f"A memory budget of {memory // MB}M is too small: {workers} worker(s) need at least {least}M.")
    free = max(LEAST, free - BATCHES)
    part = free // workers
    tracked = -(-connections // workers) if connections else int(part * CONNECTIONS) // CONNECTION_BYTES
    return Budget(
        StreamLimits(connections=tracked, held_bytes=int(part * HELD)),
        HttpLimits(
            connections=tracked,
            pending=int(part * PENDINGS) // PENDING_BYTES,
            text_bytes=int(part * TEXTS),
            body_bytes=int(part * BODIES),
            http2=max(1, min(tracked, int(part * HTTP2) // bytes_per_slot())),
        ),
        int(free * FRAGMENTS),
    )
