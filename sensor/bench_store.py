"""The store's own figures: the writer beside a bare insert of the same blocks; the saved questions on many rows."""

import concurrent.futures
import contextlib
import multiprocessing
import os
import pathlib
import time
from typing import NamedTuple

import numpy as np

from sensor.capture.files import CaptureFile
from sensor.config import Config, hash_key
from sensor.core.records import Batch
from sensor.pipeline import Pipeline
from sensor.store import open_store
from sensor.store.keeping import table_stats
from sensor.store.open import Store
from sensor.store.writer import Writer
from sensor.warmup import warm_up

TURNS = 5
"""Turns of the writer and of the bare insert; the medians are told."""
BARE, BARE_ROWS = "bare_transactions", "DROP TABLE IF EXISTS bare_transactions"


class Block(NamedTuple):
    """What the writer hands to the store."""

    table: str
    names: tuple[str, ...]
    data: bytes
    fmt: str
    token: str


class _Kept:
    """A sink that keeps all transactions in memory."""

    def __init__(self) -> None:
        self.batches: list[tuple[Batch, list[str]]] = []

    def transactions(self, batch: Batch, wire: dict[str, np.ndarray], encaps: list[str], capture: str) -> None:
        self.batches.append((batch.copy(), list(encaps)))


class _Copying:
    """A store that keeps the blocks that pass."""

    def __init__(self, store: Store):
        self._store = store
        self.blocks: list[Block] = []

    def insert(self, table: str, columns: tuple[str, ...], block: bytes, fmt: str = "Native", token: str = "") -> None:
        self.blocks.append(Block(table, columns, bytes(block), fmt, token))
        self._store.insert(table, columns, block, fmt, token)


def writer_apart(config: Config, path: pathlib.Path, folder: pathlib.Path) -> dict:
    """`writer_run` in a process of its own, on one core."""
    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(writer_run, config, path, folder).result()


def writer_run(config: Config, path: pathlib.Path, folder: pathlib.Path) -> dict:
    """Transactions a second through the writer and through a bare insert of the same blocks, in turns, on one core.

    The bare insert goes into a table like `transactions` that no materialized view reads, without deduplication tokens.
    """
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    warm_up(config)
    kept = _Kept()
    pipeline = Pipeline(config, hash_key(config)[0], [kept])
    with contextlib.closing(CaptureFile(str(path))) as capture:
        pipeline.run(capture)
    pipeline.finish(path.name)
    pipeline.close()
    rows = sum(len(batch.rows) for batch, _ in kept.batches)
    with open_store(f"chdb://{folder}/writer") as store:
        blocks = _write(store, kept, path.name, 0)[1]
        written, bare = [], []
        for turn in range(TURNS):
            store.command("TRUNCATE TABLE transactions")
            store.command("TRUNCATE TABLE endpoint_minutes")
            written.append(_write(store, kept, path.name, turn + 1)[0])
            bare.append(_insert_bare(store, blocks))
        stats = {row["table"]: row for row in table_stats(store)}
        store.command(BARE_ROWS)
    writer_s, bare_s = float(np.median(written)), float(np.median(bare))
    size = sum(stats[name]["bytes_on_disk"] for name in ("transactions", "endpoint_minutes"))
    return {
        "rows": rows, "blocks": len(blocks), "turns": TURNS, "cores": 1,
        "writer_rows_per_s": round(rows / writer_s), "bare_rows_per_s": round(rows / bare_s),
        "share_of_bare": round(bare_s / writer_s, 3), "bytes_per_row": round(size / rows, 1),
    }  # fmt: skip


def _write(store: Store, kept: _Kept, capture: str, turn: int) -> tuple[float, list[Block]]:
    """Seconds from the first batch to the last row in the store, and the blocks that went there."""
    taker = _Copying(store) if turn == 0 else None
    begin = time.perf_counter()
    writer = Writer(taker or store, "bench", f"{turn:016x}")
    for batch, encaps in kept.batches:
        writer.transactions(batch, encaps, capture)
    writer.close()
    return time.perf_counter() - begin, taker.blocks if taker else []


def _insert_bare(store: Store, blocks: list[Block]) -> float:
    store.command(BARE_ROWS)
    store.command(f"CREATE TABLE {BARE} AS transactions")
    begin = time.perf_counter()
    for block in blocks:
        store.insert(BARE, block.names, block.data, block.fmt)
    return time.perf_counter() - begin
