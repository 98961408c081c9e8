"""Writes what the sensor found into a store, in large blocks, each of which is taken once however often it is sent."""

import time
from typing import Any

import msgspec
import numpy as np

from sensor.core.records import TEXTS, TRANSACTION, Batch
from sensor.core.wide import SLACK
from sensor.store.encode import digest, encode_transactions
from sensor.store.errors import StoreError
from sensor.store.open import Store

BLOCK_ROWS = 1 << 17
"""Rows that are gathered before an insert: each insert makes a part that ClickHouse must merge later."""
BLOCK_TEXT = 64 << 20
"""Bytes of text that are gathered before an insert."""
_AT = (*(name + "_at" for name in TEXTS), "template_at")
_TIMES = ("ts", "first_seen", "last_seen", "raised_at")
_TABLES = {"endpoints": "endpoint_profiles", "alerts": "alert_versions", "stats": "sensor_stats_versions"}


class Writer:
    """Gathers rows and inserts them; all methods raise StoreError.

    A block's deduplication token names source, table, number and content of the block: replaying a capture under
    the same source sends the same blocks, and the store drops them.
    """

    def __init__(self, store: Store, sensor: str, source: str):
        self._store = store
        self._sensor = sensor
        self._source = source
        self._sequence = 0
        self._version = time.time_ns()
        self._rows = np.empty(BLOCK_ROWS, dtype=TRANSACTION)
        self._capture_of = np.empty(BLOCK_ROWS, dtype=np.uint32)
        self._arena = np.empty(1 << 20, dtype=np.uint8)
        self._count = self._used = 0
        self._captures: dict[str, int] = {}
        self._encaps: dict[str, int] = {"": 0}
        self.written = 0
        """transactions handed to the store"""

    def transactions(self, batch: Batch, encaps: list[str], capture: str) -> None:
        """Take over a batch (copied: its arrays may be reused); `encaps[i]` is the text of TRANSACTION.encap == i."""
        start = 0
        while start < len(batch.rows):
            if self._count == BLOCK_ROWS or self._used + batch.used > BLOCK_TEXT:
                self.flush()
            taken = min(BLOCK_ROWS - self._count, len(batch.rows) - start)
            self._take(batch, start, taken, encaps, capture)
            start += taken
        if self._count == BLOCK_ROWS:
            self.flush()

    def endpoints(self, rows: list[dict[str, Any]]) -> None:
        """Write endpoint profiles of this run: columns of `endpoint_profiles`, times in ns since the epoch."""
        self._insert_dicts("endpoints", rows)

    def alerts(self, rows: list[dict[str, Any]]) -> None:
        """Write alerts: columns of `alerts`, times in ns since the epoch, `statistic` as {name, value} or (name, value)."""
        self._insert_dicts("alerts", [_alert(row) for row in rows])

    def stats(self, row: dict[str, Any]) -> None:
        """Write the counters of this run: `ts` in ns since the epoch, `capture`, `counters` {name: number}."""
        self._insert_dicts("stats", [row])

    def flush(self) -> None:
        """Insert the transactions gathered so far."""
        if not self._count:
            return
        count, self._count, self._used = self._count, 0, 0
        captures = (list(self._captures), self._capture_of[:count])
        names, block = encode_transactions(
            self._rows[:count], self._arena, self._sensor, self._source, captures, list(self._encaps)
        )
        self._captures = {}
        self._insert("transactions", names, block, "Native")
        self.written += count

    def close(self) -> None:
        """Insert what is left; the store stays open."""
        self.flush()

    def _take(self, batch: Batch, start: int, count: int, encaps: list[str], capture: str) -> None:
        self._make_room(batch.used)
        first, last, base = self._count, self._count + count, self._used
        self._arena[base : base + batch.used] = batch.arena[: batch.used]
        rows = self._rows[first:last]
        rows[:] = batch.rows[start : start + count]
        for name in _AT:
            rows[name] += np.uint32(base)
        if encaps:
            codes = [self._encaps.setdefault(text, len(self._encaps)) for text in encaps]
            rows["encap"] = np.array(codes, dtype=np.uint32)[np.minimum(rows["encap"], len(codes) - 1)]
        else:
            rows["encap"] = 0
        self._capture_of[first:last] = self._captures.setdefault(capture, len(self._captures))
        self._count, self._used = last, base + batch.used

    def _make_room(self, size: int) -> None:
        wanted = self._used + size + SLACK
        if wanted > len(self._arena):
            larger = np.empty(max(wanted, 2 * len(self._arena)), dtype=np.uint8)
            larger[: self._used] = self._arena[: self._used]
            self._arena = larger

    def _insert_dicts(self, kind: str, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        self._version += 1
        own = {"sensor": self._sensor, "source": self._source, "version": self._version}
        try:
            lines = [msgspec.json.encode(_json_row(row) | own) for row in rows]
        except (TypeError, UnicodeError) as error:
            raise StoreError(f"A row for {kind} holds what JSON cannot say: {error}.") from error
        names = tuple(dict.fromkeys(name for row in rows for name in row if name not in own)) + tuple(own)
        self._insert(_TABLES[kind], names, b"\n".join(lines), "JSONEachRow")

    def _insert(self, table: str, names: tuple[str, ...], block: bytes, fmt: str) -> None:
        self._sequence += 1
        self._store.insert(table, names, block, fmt, f"{self._source}:{table}:{self._sequence}:{digest(block)}")


def _json_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row as JSONEachRow takes it: times as seconds with a fraction, text without lone surrogates."""
    out: dict[str, Any] = {}
    for name, value in row.items():
        if name in _TIMES:
            microseconds = int(value) // 1000
            out[name] = f"{microseconds // 1_000_000}.{microseconds % 1_000_000:06d}"
        else:
            out[name] = _clean(value)
    return out


def _clean(value: Any) -> Any:
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
