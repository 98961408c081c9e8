"""The questions that the command line asks of a store; each answer is a list of dicts of plain values."""

import datetime
from typing import Any

import msgspec

from sensor.core.severities import SEVERITIES
from sensor.store.errors import StoreError
from sensor.store.open import Store

EVERYWHERE = "/*"
"""Endpoint of an alert that is about a host."""
AT_ONCE = 1_000
"""Addresses in one question: they travel in its parameters."""


Row = dict[str, Any]


def endpoints(store: Store, host: str | None = None, since: str | None = None, until: str | None = None) -> list[Row]:
    """Rows of `endpoint_inventory`, most called first. since, until: times that ClickHouse understands, best RFC 3339."""
    where = Where()
    where.equal("host", "String", host)
    where.time("last_seen >=", "since", since)
    where.time("first_seen <=", "until", until)
    order = "ORDER BY transactions DESC, host, endpoint, method"
    return store.dicts(f"SELECT * FROM endpoint_inventory{where} {order}", where.values)


def findings(store: Store, host: str | None, severity: str | None, finding: str | None) -> list[Row]:
    """Rows of `findings` with at least `severity`, the gravest first."""
    where = Where()
    where.equal("host", "String", host)
    where.equal("finding", "String", finding)
    where.severity(severity)
    names = ", ".join(f"'{name}'" for name in reversed(SEVERITIES))
    order = f"ORDER BY indexOf([{names}], severity), finding, host, endpoint, method"
    return store.dicts(f"SELECT * FROM findings{where} {order}", where.values)


def actors(store: Store, since: str | None, until: str | None, limit: int, intent: str | None = None) -> list[Row]:
    """Rows of `actors`, most active first."""
    where = Where()
    where.equal("intent", "String", intent)
    where.time("last_seen >=", "since", since)
    where.time("first_seen <=", "until", until)
    return store.dicts(
        f"SELECT * FROM actors{where} ORDER BY transactions DESC, actor LIMIT {{limit:UInt32}}", where.values | {"limit": limit}
    )


def encrypted_services(store: Store, since: str | None, until: str | None, limit: int) -> list[Row]:
    """Rows of `encrypted_services`, busiest first."""
    where = Where()
    where.time("last_seen >=", "since", since)
    where.time("first_seen <=", "until", until)
    order = "ORDER BY connections DESC, server_name, server_ip, server_port LIMIT {limit:UInt32}"
    return store.dicts(f"SELECT * FROM encrypted_services{where} {order}", where.values | {"limit": limit})


def parameters(store: Store, host: str | None) -> list[Row]:
    """Rows of `endpoint_parameters` of one host, or of all."""
    where = Where()
    where.equal("host", "String", host)
    return store.dicts(
        f"SELECT * FROM endpoint_parameters{where} ORDER BY endpoint, method, location, position, name", where.values
    )


def schema_fields(store: Store, host: str | None) -> list[Row]:
    """Rows of `schema_fields` of one host, or of all."""
    where = Where()
    where.equal("host", "String", host)
    return store.dicts(f"SELECT * FROM schema_fields{where} ORDER BY endpoint, method, side, status, path, type", where.values)


def only_host(store: Store, host: str | None) -> str:
    """The host that was asked for, or the only one that was seen; StoreError where there are several, or none."""
    hosts = [name for (name,) in store.rows("SELECT DISTINCT host FROM endpoints WHERE host != '' ORDER BY host")]
    if host is not None:
        if host not in hosts:
            raise StoreError(f"No endpoint of the host {host!r} was seen; `tapwatch endpoints` lists those that were.")
        return host
    if len(hosts) != 1:
        listed = ", ".join(hosts[:10]) + (", …" if len(hosts) > 10 else "")
        raise StoreError(f"Several hosts were seen: name one with --host ({listed})." if hosts else "No endpoint was seen yet.")
    return hosts[0]


def first_known_host(store: Store, hosts: list[str]) -> str | None:
    """The first of these hosts that was seen, with its port or without; None where none was."""
    known = {name for (name,) in store.rows("SELECT DISTINCT host FROM endpoints")}
    for host in hosts:
        for name in (host, host.rsplit(":", 1)[0]):
            if name in known:
                return name
    return None


def template_changes(store: Store, host: str | None = None, since: str | None = None, until: str | None = None) -> list[Row]:
    """Rows of `template_changes`, oldest first."""
    where = Where()
    where.equal("host", "String", host)
    where.time("ts >=", "since", since)
    where.time("ts <=", "until", until)
    columns = "ts, sensor, host, prefix, names, endpoints, reason"
    return store.dicts(f"SELECT {columns} FROM template_changes FINAL{where} ORDER BY ts, host, prefix", where.values)


def alerts(
    store: Store,
    severity: str | None = None,
    host: str | None = None,
    detector: str | None = None,
    since: str | None = None,
    until: str | None = None,
) -> list[Row]:
    """Rows of `alerts` with at least `severity`, in the order in which they were raised."""
    where = Where()
    where.severity(severity)
    where.equal("host", "String", host)
    where.equal("detector", "String", detector)
    where.time("last_seen >=", "since", since)
    where.time("first_seen <=", "until", until)
    return store.dicts(f"SELECT * FROM alerts{where} ORDER BY raised_at, alert_id", where.values)


def alert(store: Store, prefix: str) -> Row:
    """The one alert whose alert_id begins with `prefix`; StoreError when there is none or more than one."""
    found = store.dicts(
        "SELECT * FROM alerts WHERE startsWith(alert_id, {prefix:String}) ORDER BY alert_id LIMIT 11", {"prefix": prefix}
    )
    exact = [row for row in found if row["alert_id"] == prefix]
    if len(exact) == 1 or len(found) == 1:
        return (exact or found)[0]
    if not found:
        raise StoreError(f"No alert begins with {prefix!r}; `tapwatch alerts` lists them.")
    names = ", ".join(row["alert_id"] for row in found[:10])
    raise StoreError(f"More than one alert begins with {prefix!r}: {names}.")


def marks(store: Store) -> list[Row]:
    """What analysts said of alerts: alert_id, detector, host, method, endpoint, mark."""
    columns = "alert_id, detector, host, method, endpoint, mark"
    return store.dicts(f"SELECT {columns} FROM alerts WHERE mark != '' ORDER BY alert_id")


def set_mark(store: Store, alert_id: str, mark: str, note: str) -> None:
    """Keep what an analyst says of an alert; an empty mark takes it back."""
    row = {"alert_id": alert_id, "mark": mark, "note": note, "marked_at": f"{datetime.datetime.now(datetime.UTC):%F %T.%f}"}
    store.insert("alert_marks", tuple(row), msgspec.json.encode(row), "JSONEachRow")


def transactions_of(found: Row) -> "Where":
    """Which transactions an alert is about."""
    where = Where()
    for name in ("host", "method", "endpoint"):
        if found[name] not in ("", EVERYWHERE):  # a scan has neither a method nor an endpoint
            where.equal(name, "String", found[name])
    where.time("ts >=", "since", found["first_seen"])
    where.time("ts <=", "until", found["last_seen"])
    where.add("remote_ip IN (SELECT toIPv6(arrayJoin({sources:Array(String)})))", "sources", found["sources"])
    return where


def connections_of(store: Store, found: Row) -> list[tuple[str, int, str, int]]:
    """(client address, port, server address, port) of every connection that an alert's transactions came over."""
    where = transactions_of(found)
    sql = f"SELECT DISTINCT client_ip, client_port, server_ip, server_port FROM transactions{where} ORDER BY ALL"
    return [(str(a), int(b), str(c), int(d)) for a, b, c, d in store.rows(sql, where.values)]


def newest(store: Store) -> datetime.datetime:
    """Packet time of the newest transaction: the clock of what was replayed. The present where there is none."""
    ((count, last),) = store.rows("SELECT count(), max(ts) FROM transactions")
    return datetime.datetime.fromisoformat(last).astimezone(datetime.UTC) if count else datetime.datetime.now(datetime.UTC)


def servers(store: Store) -> set[str]:
    """Addresses that were asked."""
    sql = "SELECT DISTINCT replaceOne(IPv6NumToString(server_ip), '::ffff:', '') FROM transactions"
    return {address for (address,) in store.rows(sql)}


def policy_facts(store: Store, host: str | None) -> list[Row]:
    """What ordinary addresses (those in no alert) did at each endpoint.

    host, method, endpoint, clients, busiest (requests of one in a calendar minute), requests, served, without_credentials,
    largest_body (bytes).
    """
    where = Where()
    where.equal("host", "String", host)
    where.add("NOT has({nobody:Array(String)}, endpoint)", "nobody", [""])
    sql = (
        "WITH accused AS (SELECT toIPv6(arrayJoin(sources)) FROM alerts), "
        "minutes AS (SELECT host, method, endpoint, remote_ip, toStartOfMinute(ts) AS minute, count() AS n, "
        "countIf(status < 400) AS served, countIf(auth = 'none') AS bare, max(request_bytes) AS body "
        f"FROM transactions{where} AND remote_ip GLOBAL NOT IN accused GROUP BY ALL), "
        "clients AS (SELECT host, method, endpoint, remote_ip, max(n) AS most, sum(n) AS all, sum(served) AS well, "
        "sum(bare) AS open, max(body) AS largest FROM minutes GROUP BY ALL) "
        "SELECT host, method, endpoint, count() AS clients, max(most) AS busiest, sum(all) AS requests, sum(well) AS served, "
        "sum(open) AS without_credentials, max(largest) AS largest_body FROM clients GROUP BY ALL ORDER BY ALL"
    )
    return store.dicts(sql, where.values)


class Where:
    """A WHERE clause whose values travel as parameters."""

    def __init__(self) -> None:
        self._terms: list[str] = []
        self.values: dict[str, Any] = {}

    def add(self, term: str, name: str, value: Any) -> None:
        self._terms.append(term)
        self.values[name] = value

    def equal(self, column: str, kind: str, value: Any) -> None:
        if value is not None:
            self.add(f"{column} = {{{column}:{kind}}}", column, value)

    def time(self, comparison: str, name: str, value: str | None) -> None:
        if value is not None:
            self.add(f"{comparison} parseDateTime64BestEffort({{{name}:String}}, 6, 'UTC')", name, value)

    def severity(self, least: str | None) -> None:
        if least is None:
            return
        if least not in SEVERITIES:
            raise StoreError(f"The severity {least!r} is unknown; use {', '.join(SEVERITIES)}.")
        self.add("has({severities:Array(String)}, severity)", "severities", list(SEVERITIES[SEVERITIES.index(least) :]))

    def __str__(self) -> str:
        return " WHERE " + " AND ".join(self._terms) if self._terms else ""
