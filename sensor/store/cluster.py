"""The schema on a cluster: of each table a replicated part on every server, and a Distributed table over all of them.

The Distributed table bears the table's name, so that views, questions and the writer see the whole cluster; what a server
keeps itself is called `..._local`. Rows that replace, join or are counted with each other share a sharding key, so that they
meet on one server: FINAL works by shard.
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from sensor.store.errors import StoreError

if TYPE_CHECKING:
    from sensor.store.open import Store

_ENDPOINT = "cityHash64(host, endpoint)"
SHARDED_BY = {
    "transactions": _ENDPOINT,
    "endpoint_minutes": _ENDPOINT,
    "endpoint_profiles": _ENDPOINT,
    "endpoint_parameter_versions": _ENDPOINT,
    "schema_field_versions": _ENDPOINT,
    "template_changes": "cityHash64(host)",
    "alert_versions": "cityHash64(alert_id)",
    "alert_marks": "cityHash64(alert_id)",
    "actor_sessions": "cityHash64(actor)",
    "encrypted_service_versions": "cityHash64(server_name)",
    "sensor_stats_versions": "cityHash64(sensor, source)",
    "risk_weights": "cityHash64(factor)",
    "schema_migrations": "version",
}
"""Which rows of a table a server keeps; each of these is a part of the table's sorting key, or the rows never change."""
_NAME = re.compile(r"[A-Za-z0-9_.{}-]+")
_CREATED = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+) ")
_ALTERED = re.compile(r"ALTER TABLE (\w+) ")
_COMMENT = re.compile(r"\nCOMMENT '(?:\\.|[^'\\])*'$")
_LOCAL = "/*_local*/"


def localise(statement: str, cluster: str | None) -> str:
    """`statement` for one server, or for all servers of `cluster` (Replicated engines with the default paths)."""
    if cluster is None:
        return statement.replace(" /*ON CLUSTER*/", "").replace("/*Replicated*/", "").replace(_LOCAL, "")
    if not _NAME.fullmatch(cluster):
        raise StoreError(f"The cluster name {cluster!r} has characters other than letters, digits and _.-{{}}.")
    on_cluster = statement.replace("/*ON CLUSTER*/", f"ON CLUSTER '{cluster}'")
    return on_cluster.replace("/*Replicated*/", "Replicated").replace(_LOCAL, "_local")


def spread(statement: str, cluster: str | None, database: str) -> list[str]:
    """What a statement of the schema becomes: itself on one server; on a cluster the same for its local and its
    Distributed table, where it makes or changes one. Raises StoreError for a name that no cluster can have."""
    if cluster is None:
        return [localise(statement, None)]
    created = _CREATED.match(statement)
    if created:
        own = _CREATED.sub(f"CREATE TABLE IF NOT EXISTS {created[1]}_local ", statement, count=1)
        return [localise(own, cluster), distributed(created[1], cluster, database, _COMMENT.search(statement))]
    altered = _ALTERED.match(statement)
    if altered:
        own = _ALTERED.sub(f"ALTER TABLE {altered[1]}_local ", statement, count=1)
        return [localise(own, cluster), localise(statement, cluster)]
    return [localise(statement, cluster)]


def distributed(table: str, cluster: str, database: str, comment: re.Match[str] | None = None) -> str:
    """The statement that makes the Distributed table over the local ones."""
    return (
        f"CREATE TABLE IF NOT EXISTS {table} ON CLUSTER '{cluster}' AS {table}_local\n"
        f"ENGINE = Distributed('{cluster}', '{database}', '{table}_local', {SHARDED_BY[table]})"
        + (comment[0] if comment else "")
    )


def cluster_of(store: "Store") -> str | None:
    """The cluster that the tables of this store are spread over; None for one server."""
    found = store.rows(
        "SELECT extract(engine_full, '^Distributed\\\\(\\'([^\\']+)\\'') FROM system.tables "
        "WHERE database = {db:String} AND name = 'transactions' AND engine = 'Distributed'",
        {"db": store.database},
    )
    return found[0][0] if found else None


def own_part(table: str, cluster: str | None) -> str:
    """`table` where a statement changes what servers keep themselves (TTL, OPTIMIZE)."""
    return f"{table}_local ON CLUSTER '{cluster}'" if cluster else table


def taken_over(tables: Iterable[str], cluster: str, database: str) -> list[str]:
    """Statements for `tables` that an earlier version made on this cluster, without Distributed ones over them."""
    out = []
    for table in tables:
        out.append(f"RENAME TABLE {table} TO {table}_local ON CLUSTER '{cluster}'")
        out.append(distributed(table, cluster, database))
    return out
