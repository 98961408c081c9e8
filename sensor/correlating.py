"""The traffic of many sensors as one would have seen it: what each of them saw too little of to tell.

The transactions of the store, of all sensors in the order of time, go once more through inventory and detectors. What two taps
saw of the same connection counts once. Bodies are not stored: what detectors know of them (fields, texts) is missing here, but
for what a row says of the answer. One alert is told that no sensor told by itself.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

from detectors.base import View
from sensor.config import hash_key
from sensor.core.records import Batch
from sensor.documented import said_of
from sensor.inventory.analyse import Inventory
from sensor.origins import Origins
from sensor.pipeline import make_detectors
from sensor.settings import Config
from sensor.store.decode import SELECTED, decode_transactions
from sensor.store.open import Store
from sensor.store.queries import newest
from sensor.store.writer import Writer

FLEET = "fleet"
"""Name of the sensor in alerts that are told by all of them together."""
SOURCE = "f1ee700000000000"
ROWS = 200_000
"""Transactions that are taken at once."""
STEP = 60
"""Seconds by which the time is cut."""
SPAN = "ts >= fromUnixTimestamp64Micro({begin:Int64}) AND ts < fromUnixTimestamp64Micro({end:Int64})"
ONCE = f"""
SELECT *, row_number() OVER (PARTITION BY sensor, community_id, stream_id, method, path, query ORDER BY ts) AS nth
FROM transactions WHERE {SPAN} AND sensor != {{fleet:String}}
"""
"""Each sensor's rows, numbered: the nth request of one kind on one connection is the same one, whoever saw it."""
KEY = "community_id, stream_id, method, path, query, nth"


@dataclasses.dataclass
class Correlated:
    """What came of it."""

    sensors: int
    transactions: int
    alerts: list[dict[str, Any]]
    """that no sensor told by itself, as rows of the store"""
    known: int
    """alerts that some sensor told as well"""


def correlate(store: Store, config: Config, hours: float) -> Correlated:
    """Look at the last `hours` of packet time in the store, and write the alerts that are new to it. Raises StoreError, and
    ConfigError for settings that a detector has not."""
    end = int(newest(store).timestamp() * 1e6) + 2
    begin = end - int(hours * 3600e6)
    inventory = Inventory(hash_key(config)[0], config.flows, patterns=said_of(config)[0])
    detectors = make_detectors(config.detectors)
    transactions = 0
    for batch in _batches(store, begin, end):
        transactions += len(batch.rows)
        batch, values, _ = inventory.analyse(batch)
        for detector in detectors:
            detector.update(View(batch, values, inventory.table))
    found = Origins(config.geo).enrich([alert.as_row() for one in detectors for alert in one.alerts(inventory.table)])
    fresh = [row | {"alert_id": _known_as(store, row)} for row in found if not _is_told(store, row)]
    writer = Writer(store, FLEET, SOURCE)
    writer.alerts(fresh)
    writer.close()
    sensors = store.rows(
        f"SELECT uniqExact(sensor) FROM transactions WHERE {SPAN}",
        {"begin": begin, "end": end},
    )
    return Correlated(int(sensors[0][0]), transactions, fresh, len(found) - len(fresh))


def _batches(store: Store, begin: int, end: int) -> Iterator[Batch]:
    """All transactions of a span, in microseconds, each once, in the order of time."""
    for since, until in _slices(store, begin, end):
        once = f"FROM ({ONCE}) ORDER BY ts, sensor LIMIT 1 BY {KEY}"
        given = {"begin": since, "end": until, "fleet": FLEET}
        batch = decode_transactions(store.raw(f"SELECT {SELECTED} {once}", "RowBinary", given))
        if len(batch.rows):
            yield batch


def _slices(store: Store, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Spans of time, in microseconds, with about ROWS transactions each, a STEP at the least."""
    counted = store.rows(
        f"SELECT intDiv(toUnixTimestamp(ts), {STEP}) AS step, count() FROM transactions WHERE {SPAN} "
        "GROUP BY step ORDER BY step",
        {"begin": begin, "end": end},
    )
    since, gathered = begin, 0
    for step, count in counted:
        if gathered and gathered + int(count) > ROWS:
            until = int(step) * STEP * 1_000_000
            yield since, until
            since, gathered = until, 0
        gathered += int(count)
    if gathered:
        yield since, end


def _is_told(store: Store, row: dict[str, Any]) -> bool:
    """Whether some sensor told of this by itself: the same detector, at the same endpoint, at the same time."""
    return bool(_alerts_like(store, row, "!="))


def _known_as(store: Store, row: dict[str, Any]) -> str:
    """The id under which the fleet told of this before: in a window that begins later an incident seems to begin later, too."""
    return min(_alerts_like(store, row, "="), default=row["alert_id"])


def _alerts_like(store: Store, row: dict[str, Any], compare: str) -> list[str]:
    """Ids of alerts of the fleet (=), or of others (!=), by the same detector, at the same endpoint, at the same time."""
    found = store.rows(
        f"SELECT alert_id FROM alerts WHERE sensor {compare} {{fleet:String}} "
        "AND detector = {detector:String} AND host = {host:String} "
        "AND method = {method:String} AND endpoint = {endpoint:String} "
        "AND toUnixTimestamp64Micro(first_seen) <= {last:Int64} AND toUnixTimestamp64Micro(last_seen) >= {first:Int64}",
        {name: row[name] for name in ("detector", "host", "method", "endpoint")}
        | {"fleet": FLEET, "first": row["first_seen"] // 1000, "last": row["last_seen"] // 1000},
    )
    return [str(alert_id) for (alert_id,) in found]
