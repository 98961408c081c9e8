"""What the store holds on disk: how much, for how long, and copies of it."""

import re
from collections.abc import Callable
from typing import Any, BinaryIO

import msgspec

from sensor.store.cluster import cluster_of, own_part
from sensor.store.errors import StoreError
from sensor.store.open import Store

Row = dict[str, Any]
MERGED = (
    "actor_sessions", "alert_marks", "alert_versions", "encrypted_service_versions", "endpoint_minutes",
    "endpoint_parameter_versions", "endpoint_profiles", "risk_weights", "schema_field_versions", "sensor_stats_versions",
    "template_changes", "transactions",
)  # fmt: skip
"""Tables with rows that replace others or add up, or that are dropped when their time has come."""
_WRITTEN = "toDateTime(intDiv(version, 1000000000))"  # a version is the time at which it was made, in ns
KEPT = {
    "transactions": ("transactions", "inserted_at"),
    "minutes": ("endpoint_minutes", "inserted_at"),
    "actors": ("actor_sessions", "inserted_at"),
    "alerts": ("alert_versions", _WRITTEN),
    "endpoints": ("endpoint_profiles", _WRITTEN),
    "parameters": ("endpoint_parameter_versions", _WRITTEN),
    "schemas": ("schema_field_versions", _WRITTEN),
    "encrypted": ("encrypted_service_versions", _WRITTEN),
    "stats": ("sensor_stats_versions", _WRITTEN),
}
"""What can be forgotten in time: its table, and when a row was written."""
CITED = (
    "(host, endpoint, remote_ip) IN (SELECT host, endpoint, toIPv6(arrayJoin(sources)) FROM alerts) "
    "OR (host, remote_ip) IN (SELECT host, toIPv6(arrayJoin(sources)) FROM alerts WHERE endpoint IN ('', '/*')) "
    "OR remote_ip IN (SELECT toIPv6(arrayJoin(sources)) FROM alerts WHERE host = '')"
)
"""Transactions that alerts are about: at an endpoint, all over a host, or everywhere."""
LIMIT = re.compile(r" TTL .*?toIntervalDay\((\d+)\)", re.DOTALL)
NAME = re.compile(r"[a-z_]+")


def table_stats(store: Store) -> list[Row]:
    """table, rows, bytes_on_disk, bytes_per_row, oldest and newest row (of transactions), the largest table first.

    Of a cluster, what the server that answers keeps itself.
    """
    rows = store.dicts(
        "SELECT replaceRegexpOne(table, '_local$', '') AS table, sum(rows) AS rows, sum(bytes_on_disk) AS bytes_on_disk, "
        "round(bytes_on_disk / greatest(rows, 1), 1) AS bytes_per_row "
        "FROM system.parts WHERE active AND database = {db:String} GROUP BY table ORDER BY bytes_on_disk DESC, table",
        {"db": store.database},
    )
    ((oldest, newest),) = store.rows("SELECT toString(min(ts)), toString(max(ts)) FROM transactions")
    return [
        row | {"oldest": oldest, "newest": newest} if row["table"] == "transactions" else row | {"oldest": "", "newest": ""}
        for row in rows
    ]


def keep(store: Store, what: str, days: int) -> None:
    """Forget rows of a kind (KEPT) so many days after they were last written; 0: never."""
    table, written = KEPT[what]
    part = own_part(table, cluster_of(store))
    if days:
        store.command(f"ALTER TABLE {part} MODIFY TTL {written} + INTERVAL {int(days)} DAY DELETE")
    elif " TTL " in _definition(store, part):
        store.command(f"ALTER TABLE {part} REMOVE TTL")


def _definition(store: Store, part: str) -> str:
    """How a table was made, and changed since. part: as own_part names it."""
    found = store.rows(
        "SELECT create_table_query FROM system.tables WHERE name = {table:String} AND database = {db:String}",
        {"table": part.split()[0], "db": store.database},
    )
    return str(found[0][0]) if found else ""


def keep_as_said(store: Store, days: dict[str, int | None], say: Callable[[str], None]) -> None:
    """Set how long rows are kept where that differs from what the store does. days: by KEPT, None to leave it.

    A store that does not let this user change it is told of in one line.
    """
    for what, wanted in days.items():
        if wanted is None:
            continue
        try:
            if kept_days(store, what) != wanted:
                keep(store, what, wanted)
        except StoreError as error:
            say(f"How long {what} are kept stays as it was: {error}")
            return


def kept_days(store: Store, what: str) -> int:
    """Days that rows of a kind are kept; 0: always."""
    found = LIMIT.search(_definition(store, own_part(KEPT[what][0], cluster_of(store))))
    return int(found[1]) if found else 0


def thin(store: Store, days: int, one_in: int) -> tuple[int, int]:
    """Of transactions written more than so many days ago, and that are of no alert, keep one connection in so many (0: none).

    Says of what is kept for how many it stands: (rows before, after). Of an alert are the transactions at its endpoint from its
    addresses, at any time. Rows that were thinned before stay as they are.
    """
    cluster = cluster_of(store)
    part = own_part("transactions", cluster)
    old = f"inserted_at <= now() - INTERVAL {int(days)} DAY AND stands_for = 1 AND NOT ({CITED})"
    chance = f"cityHash64(community_id) % {int(one_in)} != 0" if one_in else "1"
    sql = f"ALTER TABLE {part} DELETE WHERE {old} AND {chance}"
    if one_in > 1:
        sql += f", UPDATE stands_for = {int(one_in)} WHERE {old}"
    counted = "SELECT count() FROM transactions"
    ((before,),) = store.rows(counted)
    store.command(f"{sql} SETTINGS mutations_sync = 2, allow_nondeterministic_mutations = 1")
    ((after,),) = store.rows(counted)
    return int(before), int(after)


def set_weight(store: Store, factor: str, weight: float) -> None:
    """Give a factor of the risk another weight. Raises StoreError for one that there is not."""
    known = [name for (name,) in store.rows("SELECT factor FROM risk_factors ORDER BY factor")]
    if factor not in known:
        raise StoreError(f"There is no factor {factor!r}; there are: {', '.join(known)}.")
    store.insert("risk_weights", ("factor", "weight"), msgspec.json.encode({"factor": factor, "weight": weight}), "JSONEachRow")


def merge_all(store: Store) -> tuple[int, int]:
    """Merge all parts of MERGED: (bytes on disk before, after)."""

    def size() -> int:
        return sum(int(row["bytes_on_disk"]) for row in table_stats(store))

    before, cluster = size(), cluster_of(store)
    for table in MERGED:
        store.command(f"OPTIMIZE TABLE {own_part(table, cluster)} FINAL")
    return before, size()


def parquet(store: Store, query: str, file: BinaryIO) -> int:
    """Write the rows of a table, a view or a reading query as Parquet: bytes written. Raises StoreError."""
    sql = f"SELECT * FROM {query}" if NAME.fullmatch(query.strip()) else query
    data = store.raw(sql, "Parquet")
    if not data:
        raise StoreError("The query gave nothing that Parquet could hold.")
    return file.write(data)
