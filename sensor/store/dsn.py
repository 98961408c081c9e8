"""Names of stores: what a DSN means, and how it is shown without its password."""

import os
import pathlib
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from sensor.store.errors import StoreError

DATABASE = "tapwatch"
FORMS = "chdb:///absolute/directory, chdb://:memory:, clickhouse://user:password@host:8123/database or http(s)://…"
_HTTP_PORT, _HTTPS_PORT = 8123, 8443
_NATIVE_PORTS = (9000, 9440)


class Target(NamedTuple):
    """A DSN, taken apart."""

    name: str
    """for messages: the DSN without user, password and parameters"""
    path: str | None
    """directory of an embedded store, ":memory:", or None for a server"""
    database: str
    arguments: dict[str, Any]
    """of clickhouse_connect.get_client; for a server"""


def default_dsn() -> str:
    """The embedded store in $STATE_DIRECTORY (systemd), $XDG_STATE_HOME/tapwatch or ~/.local/state/tapwatch."""
    given = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if given:
        return f"chdb://{given}/store"
    home = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")  # noqa: PTH111 (Path.expanduser raises without a home)
    return f"chdb://{home}/tapwatch/store"


def parse(dsn: str) -> Target:
    """Take a DSN apart; StoreError when it is none."""
    scheme, colon, rest = dsn.partition("://")
    if not colon:
        hint = f" For an embedded store write chdb://{pathlib.Path(dsn).absolute()}." if "/" in dsn and "@" not in dsn else ""
        raise StoreError(f"The store must be one of {FORMS}.{hint}")
    if scheme == "chdb":
        return _embedded(rest)
    if scheme in ("clickhouse", "clickhouses", "http", "https"):
        return _server(dsn, scheme)
    shown = repr(scheme) if scheme.isalnum() else "of that name"  # anything else may hold a password
    raise StoreError(f"The store scheme {shown} is unknown; use {FORMS}.")


def _embedded(rest: str) -> Target:
    if rest in (":memory:", "memory"):
        return Target("chdb://:memory:", ":memory:", DATABASE, {})
    if not rest.startswith("/") or "?" in rest:
        raise StoreError("An embedded store is named by an absolute directory and no parameters: chdb:///absolute/directory.")
    path = os.path.realpath(rest)
    return Target(f"chdb://{path}", path, DATABASE, {})


def _server(dsn: str, scheme: str) -> Target:
    try:
        parts = urlsplit(dsn)
        port = parts.port
    except ValueError:
        raise StoreError(f"The host or port of the store is not understood; use {FORMS}.") from None
    options = dict(parse_qsl(parts.query))
    secure = scheme in ("https", "clickhouses") or port in (443, _HTTPS_PORT) or options.pop("secure", "") in ("1", "true")
    if port in _NATIVE_PORTS:
        usual = _HTTPS_PORT if secure else _HTTP_PORT
        raise StoreError(f"Port {port} speaks ClickHouse's native protocol; name the HTTP port, mostly {usual}.")
    if not parts.hostname:
        raise StoreError(f"The store names no host; use {FORMS}.")
    port = port or (_HTTPS_PORT if secure else _HTTP_PORT)
    database = unquote(parts.path.strip("/")) or DATABASE
    arguments: dict[str, Any] = {
        **{key: value for key, value in options.items() if key in ("verify", "ca_cert", "client_cert", "client_cert_key")},
        "host": parts.hostname,
        "port": port,
        "interface": "https" if secure else "http",
        "username": unquote(parts.username or "default"),
        "password": unquote(parts.password or ""),
    }
    return Target(f"{scheme}://{parts.hostname}:{port}/{database}", None, database, arguments)
