"""Writes what the sensor found into a store, in large blocks, each of which is taken once however often it is sent.

One block is encoded and inserted on a thread of its own while the next is gathered: two sets of buffers, no more.
"""

import concurrent.futures
import dataclasses
import datetime
import time
from typing import Any, Protocol

import msgspec
import numpy as np

from sensor.core.records import ALL_TEXTS, TRANSACTION, Batch
from sensor.core.wide import SLACK
from sensor.store.encode import digest, encode_transactions
from sensor.store.errors import StoreError
from sensor.store.spool import Taker

BLOCK_ROWS = 1 << 16
"""Rows that are gathered before an insert: each insert makes a part that ClickHouse must merge later."""
BLOCK_TEXT = 32 << 20
"""Bytes of text that are gathered before an insert."""
EPOCH = datetime.datetime(1970, 1, 1)
_AT = tuple(name + "_at" for name in ALL_TEXTS)
_LEN = tuple(name + "_len" for name in ALL_TEXTS)
_TIMES = ("ts", "first_seen", "last_seen", "raised_at")
TABLES = {
    "endpoints": "endpoint_profiles",
    "alerts": "alert_versions",
    "stats": "sensor_stats_versions",
    "changes": "template_changes",
    "parameters": "endpoint_parameter_versions",
    "schemas": "schema_field_versions",
    "encrypted": "encrypted_service_versions",
    "actors": "actor_sessions",
}


@dataclasses.dataclass(slots=True)
class _Block:
    """Transactions gathered for one insert."""

    rows: np.ndarray
    capture_of: np.ndarray
    arena: np.ndarray
    count: int = 0
    used: int = 0
    text: int = 0
    """bytes of its rows' texts: a block ends by what is in it, however rows were handed over: a replay makes the same"""
    captures: dict[str, int] = dataclasses.field(default_factory=dict)

    def clear(self) -> None:
        self.count = self.used = self.text = 0
        self.captures = {}


def _new_block() -> _Block:
    return _Block(np.empty(BLOCK_ROWS, TRANSACTION), np.empty(BLOCK_ROWS, np.uint32), np.empty(1 << 20, np.uint8))


class Patience(Protocol):
    """Whoever decides what becomes of a block that was not taken."""

    def failed(self, error: StoreError) -> bool:
        """Whether to send it once more; may wait before it answers."""

    def worked(self) -> None:
        """A block was taken."""


class Writer:
    """Gathers rows and inserts them; all methods raise StoreError, of a block's insert at the latest by the next one.

    A block's deduplication token names source, table, number and content of the block: replaying a capture under
    the same source sends the same blocks, and the store drops them.
    """

    def __init__(self, store: Taker, sensor: str, source: str, patience: Patience | None = None):
        self._store = store
        self._patience = patience
        self._sensor = sensor
        self._source = source
        self._sequence = self._blocks = 0
        self._version = time.time_ns()
        self._block, self._spare = _new_block(), _new_block()
        self._thread = concurrent.futures.ThreadPoolExecutor(1, "tapwatch-writer")
        self._inserting: concurrent.futures.Future | None = None
        self._encaps: dict[str, int] = {"": 0}
        self.written = 0
        """transactions handed to the store"""

    def transactions(self, batch: Batch, encaps: list[str], capture: str) -> None:
        """Take over a batch (copied: its arrays may be reused); `encaps[i]` is the text of TRANSACTION.encap == i."""
        sizes = np.zeros(len(batch.rows), np.int64)
        for name in _LEN:
            sizes += batch.rows[name]
        start = 0
        failures: list[StoreError | None] = []
        while start < len(batch.rows):
            text = sizes[start : start + BLOCK_ROWS - self._block.count].cumsum()
            taken = int(np.searchsorted(text, BLOCK_TEXT - self._block.text, side="right"))
            if taken == 0 and self._block.count:
                failures.append(self._sent())
                continue
            taken = max(taken, 1)
            self._take(batch, start, taken, encaps, capture)
            self._block.text += int(text[taken - 1])
            start += taken
            if self._block.count == BLOCK_ROWS:
                failures.append(self._sent())
        _raise(failures)

    def endpoints(self, rows: list[dict[str, Any]]) -> None:
        """Write endpoint profiles of this run: columns of `endpoint_profiles`, times in ns since the epoch."""
        self._insert_dicts("endpoints", rows)

    def alerts(self, rows: list[dict[str, Any]]) -> None:
        """Write alerts: columns of `alerts`, times in ns since the epoch, `statistic` as {name, value} or (name, value)."""
        self._insert_dicts("alerts", [_alert(row) for row in rows])

    def parameters(self, rows: list[dict[str, Any]]) -> None:
        """Write parameters of endpoints: columns of `endpoint_parameter_versions`."""
        self._insert_dicts("parameters", rows)

    def schemas(self, rows: list[dict[str, Any]]) -> None:
        """Write keys of bodies: columns of `schema_field_versions`."""
        self._insert_dicts("schemas", rows)

    def changes(self, rows: list[dict[str, Any]]) -> None:
        """Write decisions on templates: columns of `template_changes`, times in ns since the epoch."""
        self._insert_dicts("changes", rows)

    def encrypted(self, rows: list[dict[str, Any]]) -> None:
        """Write TLS services: columns of `encrypted_service_versions`, times in ns since the epoch."""
        self._insert_dicts("encrypted", rows)

    def actors(self, rows: list[dict[str, Any]]) -> None:
        """Write sessions of actors: columns of `actor_sessions`, times in ns since the epoch."""
        self._insert_dicts("actors", rows)

    def stats(self, row: dict[str, Any]) -> None:
        """Write the counters of this run: `ts` in ns since the epoch, `capture`, `counters` {name: number}."""
        self._insert_dicts("stats", [row])

    @property
    def gathered(self) -> int:
        """Transactions that wait for more, to be inserted together."""
        return self._block.count

    def flush(self) -> None:
        """Insert the transactions gathered so far, and wait until the store has them."""
        _raise([self._sent(), self._failure()])

    def close(self) -> None:
        """Insert what is left; the store stays open."""
        try:
            self.flush()
        finally:
            self._thread.shutdown()

    def _sent(self) -> StoreError | None:
        """`_send`, its failure given back."""
        try:
            self._send()
        except StoreError as error:
            return error
        return None

    def _send(self) -> None:
        """Start the insert of the gathered block, once the one before is done; that one's failure is raised behind it."""
        failure = self._failure()
        if self._block.count:
            block, self._block = self._block, self._spare
            self._spare = block
            self._blocks += 1
            self._inserting = self._thread.submit(self._insert_block, block, list(self._encaps), self._blocks)
        if failure is not None:
            raise failure

    def _failure(self) -> StoreError | None:
        """Wait for the insert that is under way: how it failed, if it did."""
        try:
            self._wait()
        except StoreError as error:
            return error
        return None

    def _wait(self) -> None:
        if self._inserting is not None:
            inserting, self._inserting = self._inserting, None
            self.written += inserting.result()

    def _insert_block(self, block: _Block, encaps: list[str], sequence: int) -> int:
        captures = (list(block.captures), block.capture_of[: block.count])
        names, data = encode_transactions(block.rows[: block.count], block.arena, self._sensor, self._source, captures, encaps)
        count = block.count
        block.clear()
        try:
            self._insert("transactions", names, data, "Native", sequence)
        except StoreError as error:
            error.rows = count
            raise
        return count

    def _take(self, batch: Batch, start: int, count: int, encaps: list[str], capture: str) -> None:
        block = self._block
        _make_room(block, batch.used)
        first, last, base = block.count, block.count + count, block.used
        block.arena[base : base + batch.used] = batch.arena[: batch.used]
        rows = block.rows[first:last]
        rows[:] = batch.rows[start : start + count]
        for name in _AT:
            rows[name] += np.uint32(base)
        if encaps:
            codes = [self._encaps.setdefault(text, len(self._encaps)) for text in encaps]
            rows["encap"] = np.array(codes, dtype=np.uint32)[np.minimum(rows["encap"], len(codes) - 1)]
        else:
            rows["encap"] = 0
        block.capture_of[first:last] = block.captures.setdefault(capture, len(block.captures))
        block.count, block.used = last, base + batch.used

    def _insert_dicts(self, kind: str, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        self._version = max(self._version + 1, time.time_ns())
        own = {"sensor": self._sensor, "source": self._source, "version": self._version}
        try:
            lines = [msgspec.json.encode(_json_row(row) | own) for row in rows]
        except (TypeError, UnicodeError) as error:
            raise StoreError(f"A row for {kind} holds what JSON cannot say: {error}.") from error
        names = tuple(dict.fromkeys(name for row in rows for name in row if name not in own)) + tuple(own)
        self._sequence += 1
        self._insert(TABLES[kind], names, b"\n".join(lines), "JSONEachRow", self._sequence)

    def _insert(self, table: str, names: tuple[str, ...], block: bytes, fmt: str, sequence: int) -> None:
        token = f"{self._source}:{table}:{sequence}:{digest(block)}"
        while True:
            try:
                self._store.insert(table, names, block, fmt, token)
            except StoreError as error:
                if self._patience is None or not self._patience.failed(error):
                    raise
            else:
                if self._patience is not None:
                    self._patience.worked()
                return


def _raise(failures: list[StoreError | None]) -> None:
    """Raise the first failure, if there is one, with the rows that all of them cost."""
    found = [failure for failure in failures if failure is not None]
    if found:
        error = type(found[0])(*found[0].args)
        error.rows = sum(failure.rows for failure in found)
        raise error


def _make_room(block: _Block, size: int) -> None:
    """Let the block's arena grow, so that `size` more bytes fit."""
    wanted = block.used + size + SLACK
    if wanted > len(block.arena):
        larger = np.empty(max(wanted, 2 * len(block.arena)), dtype=np.uint8)
        larger[: block.used] = block.arena[: block.used]
        block.arena = larger


def _json_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row as JSONEachRow takes it: times as text, text without lone surrogates."""
    out: dict[str, Any] = {}
    for name, value in row.items():
        if name in _TIMES:
            out[name] = _time(int(value))
        else:
            out[name] = _clean(value)
    return out


def _time(nanoseconds: int) -> str:
    """As ClickHouse reads it in UTC: seconds since the epoch with fewer than ten digits it would take for a date."""
    return f"{EPOCH + datetime.timedelta(microseconds=nanoseconds // 1000):%Y-%m-%d %H:%M:%S.%f}"


def _clean(value: Any) -> Any:
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, np.ndarray)):
        return [_clean(item) for item in value]
    return value


def _alert(row: dict[str, Any]) -> dict[str, Any]:
    out = dict(row)
    statistic = out.get("statistic")
    if isinstance(statistic, (list, tuple)):
        out["statistic"] = {"name": statistic[0], "value": float(statistic[1])}
    out["evidence"] = [_json_text(item) for item in out.get("evidence", ())]
    return out


def _json_text(item: Any) -> str | bytes:
    return item if isinstance(item, (str, bytes)) else msgspec.json.encode(_clean(item)).decode()
