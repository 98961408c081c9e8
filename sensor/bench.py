"""The sensor's own throughput: a seeded capture, replayed from the page cache, stage by stage."""

import concurrent.futures
import contextlib
import multiprocessing
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from sensor.capture.files import CaptureFile
from sensor.config import hash_key
from sensor.core.reasons import named
from sensor.core.records import Batch
from sensor.pipeline import Pipeline
from sensor.replay import Replay
from sensor.settings import Config
from sensor.sinks import Sink
from sensor.warmup import warm_up

FLOODING = 0xFFFF << 8 | 203
"""High bits of the IPv4 addresses of a flood's clients (sensor.simulate.floods), as in TRANSACTION."""
TSHARK_SHARE = 25
"""tshark is run on the first of so many parts of the transactions: on the whole it would take minutes."""


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def apart(function: Callable[..., dict], *arguments: Any) -> dict:
    """A function's result in a process of its own: memory that an earlier run left behind flatters both time and peak RSS."""
    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(function, *arguments).result()


def replay_once(config: Config, path: pathlib.Path, workers: int, store: bool) -> dict:
    """One replay, start-up apart: its summary, with rates over the time from the first byte read to the last row written."""
    replay = Replay(
        msgspec.structs.replace(config, workers=workers),
        expression=None, transactions=None, alerts=None, reveal=False, store=store, say=_say,
    )  # fmt: skip
    try:
        begin = time.perf_counter()
        replay.run([str(path)], each=False, count=0, progress=None)
        summary = replay.summary(time.perf_counter() - begin)
    finally:
        replay.close()
    elapsed, packets = summary["elapsed_s"], summary["packets"]
    return {
        "workers": workers,
        "store": store,
        "seconds": elapsed,
        "packets_per_s": round(packets / elapsed),
        "gbit_per_s": round(summary["bytes"] * 8 / elapsed / 1e9, 2),
        "transactions_per_s": round(summary["transactions"] / elapsed),
        "ns_per_packet": {name: round(seconds * 1e9 / packets, 1) for name, seconds in summary["stage_seconds"].items()},
        "transactions": summary["transactions"],
        "alerts": summary["alerts"],
        "losses": {name: n for name, n in summary["counters"].items() if name in ("gap", "ooo_overflow", "evicted_capacity")},
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


class _Ordinary:
    """Counts the transactions of ordinary clients that were seen whole."""

    def __init__(self) -> None:
        self.whole = 0

    def transactions(self, batch: Batch, wire: dict[str, np.ndarray], encaps: list[str], capture: str) -> None:
        flooding = batch.rows["client_lo"] >> np.uint64(24) == np.uint64(FLOODING)
        self.whole += int(((batch.rows["completeness"] == 0) & ~flooding).sum())


def run_through(config: Config, path: pathlib.Path, sink: Sink) -> tuple[float, dict[str, int]]:
    """A capture through a pipeline, whose transactions go to the sink: (seconds, counters by name)."""
    pipeline = Pipeline(config, hash_key(config)[0], [sink])
    begin = time.perf_counter()
    with contextlib.closing(CaptureFile(str(path))) as capture:
        pipeline.run(capture)
    pipeline.finish(path.name)
    seconds = time.perf_counter() - begin
    counters = named(pipeline.totals())
    pipeline.close()
    return seconds, counters


def flood_once(config: Config, path: pathlib.Path) -> dict:
    """One replay of a flood: peak RSS, evictions, and how many ordinary transactions came out whole."""
    warm_up(config)
    ordinary = _Ordinary()
    seconds, counters = run_through(config, path, ordinary)
    return {
        "packets": counters["frames"],
        "seconds": round(seconds, 3),
        "ordinary_whole": ordinary.whole,
        "evicted": {name: n for name, n in counters.items() if "evicted" in name or "overflow" in name},
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def tshark_rate(path: pathlib.Path, packets: int) -> dict | None:
    """tshark's rate over the first `packets` packets, asking for HTTP requests alone; None where it is not installed."""
    tshark = shutil.which("tshark")
    if tshark is None:
        return None
    begin = time.perf_counter()
    done = subprocess.run(
        [tshark, "-n", "-r", path, "-c", str(packets), "-o", "tcp.reassemble_out_of_order:TRUE", "-Y", "http.request",
         "-T", "fields", "-e", "http.request.method"],
        capture_output=True, check=False,
    )  # fmt: skip
    seconds = time.perf_counter() - begin
    found = done.stdout.count(b"\n")
    return {"packets": packets, "seconds": round(seconds, 2), "packets_per_s": round(packets / seconds), "requests": found}


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))
