"""The store's own figures: the writer beside a bare insert of the same blocks; the saved questions on many rows."""

import os
import pathlib
import time
from typing import NamedTuple

import msgspec
import numpy as np

from sensor.bench import cores, replay_once, run_through
from sensor.core.records import Batch
from sensor.settings import Config
from sensor.store import open_store
from sensor.store.keeping import table_stats
from sensor.store.open import Store
from sensor.store.saved import Saved, saved_queries
from sensor.store.spool import Taker
from sensor.store.writer import Writer
from sensor.warmup import warm_up

TURNS = 5
"""Turns of the writer and of the bare insert; the medians are told."""
BARE = "bare_transactions"
COPIED = """INSERT INTO transactions ({columns})
SELECT {values} FROM transactions, (SELECT number AS n FROM numbers({first}, {times})) AS days WHERE ts < {end}
SETTINGS max_threads = 1, min_insert_block_size_rows = 200000, min_insert_block_size_bytes = 134217728"""
ACTORS = 40
"""Each actor becomes so many, as the days go by."""
AT_ONCE = 20
"""Days that are copied by one statement."""


class Block(NamedTuple):
    """What the writer hands to the store."""

    names: tuple[str, ...]
    data: bytes
    fmt: str


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
        self.blocks.append(Block(columns, bytes(block), fmt))
        self._store.insert(table, columns, block, fmt, token)


def writer_run(config: Config, path: pathlib.Path, folder: pathlib.Path) -> dict:
    """Transactions a second through the writer and through a bare insert of the same blocks, in turns, on one core.

    The bare insert goes into a table like `transactions` that no materialized view reads, without deduplication tokens.
    """
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    warm_up(config)
    kept = _Kept()
    run_through(config, path, kept)
    rows = sum(len(batch.rows) for batch, _ in kept.batches)
    with open_store(f"chdb://{folder}/writer") as store:
        copying = _Copying(store)
        _write(copying, kept, path.name, 0)
        written, bare = [], []
        for turn in range(TURNS):
            store.command("TRUNCATE TABLE transactions")
            store.command("TRUNCATE TABLE endpoint_minutes")
            written.append(_write(store, kept, path.name, turn + 1))
            bare.append(_insert_bare(store, copying.blocks))
        stats = {row["table"]: row for row in table_stats(store)}
        store.command(f"DROP TABLE IF EXISTS {BARE}")
    writer_s, bare_s = float(np.median(written)), float(np.median(bare))
    size = sum(stats[name]["bytes_on_disk"] for name in ("transactions", "endpoint_minutes"))
    return {
        "rows": rows, "blocks": len(copying.blocks), "turns": TURNS, "cores": 1,
        "writer_rows_per_s": round(rows / writer_s), "bare_rows_per_s": round(rows / bare_s),
        "share_of_bare": round(bare_s / writer_s, 3), "bytes_per_row": round(size / rows, 1),
    }  # fmt: skip


def _write(store: Taker, kept: _Kept, capture: str, turn: int) -> float:
    """Seconds from the first batch to the last row in the store."""
    begin = time.perf_counter()
    writer = Writer(store, "bench", f"{turn:016x}")
    for batch, encaps in kept.batches:
        writer.transactions(batch, encaps, capture)
    writer.close()
    return time.perf_counter() - begin


def _insert_bare(store: Store, blocks: list[Block]) -> float:
    store.command(f"DROP TABLE IF EXISTS {BARE}")
    store.command(f"CREATE TABLE {BARE} AS transactions")
    begin = time.perf_counter()
    for block in blocks:
        store.insert(BARE, block.names, block.data, block.fmt)
    return time.perf_counter() - begin


def questions_run(config: Config, path: pathlib.Path, folder: pathlib.Path, rows: int) -> dict:
    """Seconds that each saved question takes on at least `rows` transactions: those of a capture, day after day.

    Actors differ from day to day, and from day ACTORS on they come again; what is not by transactions (endpoints, parameters,
    alerts) is as the capture makes it. A question that takes a host or an endpoint is given the most called one.
    """
    dsn = f"chdb://{folder}/questions"
    replay_once(msgspec.structs.replace(config, store=dsn), path, 1, True)
    with open_store(dsn) as store:
        _copy_days(store, rows)
        most_called = "SELECT host, endpoint FROM endpoints ORDER BY transactions DESC, host, endpoint LIMIT 1"
        ((host, endpoint),) = store.rows(most_called)
        given = {"host": host, "endpoint": endpoint}
        told = [_ask(store, question, given) for question in saved_queries().values()]
        counted = (
            "SELECT count() AS rows, uniq(toDate(ts)) AS days, uniq(host, method, endpoint) AS endpoints, uniq(actor) AS actors"
        )
        (totals,) = store.dicts(f"{counted} FROM transactions")
        size = sum(row["bytes_on_disk"] for row in table_stats(store))
    return totals | {"bytes_on_disk": size, "cores": cores(), "questions": told}


def _copy_days(store: Store, rows: int) -> None:
    ((count, end),) = store.rows("SELECT count(), toString(max(ts) + toIntervalSecond(1)) FROM transactions")
    kinds = store.rows(
        "SELECT name FROM system.columns WHERE database = {db:String} AND table = 'transactions' "
        "AND default_kind NOT IN ('ALIAS', 'MATERIALIZED', 'EPHEMERAL') ORDER BY position",
        {"db": store.database},
    )
    changed = {"ts": "ts + toIntervalDay(n)", "actor": f"concat(actor, '/', toString(n % {ACTORS}))"}
    names = [name for (name,) in kinds]
    days = -(-rows // count) - 1
    for first in range(1, days + 1, AT_ONCE):
        store.command(
            COPIED.format(
                columns=", ".join(names), values=", ".join(changed.get(name, name) for name in names),
                first=first, times=min(AT_ONCE, days + 1 - first), end=f"toDateTime64('{end}', 6, 'UTC')",
            )
        )  # fmt: skip


def _ask(store: Store, question: Saved, given: dict[str, str]) -> dict:
    """The better of two times, and how much of `transactions` its sorting key let the engine leave out."""
    names = {one.name for one in question.parameters}
    values = {name: value for name, value in given.items() if name in names}
    seconds = []
    for _ in range(2):
        begin = time.perf_counter()
        found = sum(len(block) for _, block in question.run(store, values))
        seconds.append(time.perf_counter() - begin)
    return {
        "question": question.name,
        "seconds": round(min(seconds), 3),
        "rows": found,
        "granules": _granules(store, question, values),
    }


def _granules(store: Store, question: Saved, values: dict[str, str]) -> str:
    """Granules of the tables that are read, as read/all by the sorting key: EXPLAIN indexes = 1."""
    plan = [line for (line,) in store.rows(f"EXPLAIN indexes = 1 {question.sql}", question.values(values))]
    return ", ".join(line.split(": ")[1] for line in plan if line.strip().startswith("Granules"))
