"""Names of stores: what a DSN means, and how it is shown without its password."""

import os
import pathlib
import re
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from sensor.store.errors import StoreError

DATABASE = "tapwatch"
FORMS = "chdb:///absolute/directory, chdb://:memory:, clickhouse://user:password@host:8123/database or http(s)://…"
_HTTP_PORT, _HTTPS_PORT = 8123, 8443
_NATIVE_PORTS = (9000, 9440)
OPTIONS_OF_DRIVER = ("verify", "ca_cert", "client_cert", "client_cert_key", "http_proxy", "https_proxy")
TIMES = {"connect_timeout": "connect_timeout", "timeout": "send_receive_timeout"}
"""In seconds."""
OPTIONS = (*OPTIONS_OF_DRIVER, *TIMES, "secure", "password_file", "async_insert")
YES = ("1", "true")
"""Parameters of a server's DSN. What stands in `ps` for all to see is better left to password_file, or to the environment:
TAPWATCH_STORE_PASSWORD, TAPWATCH_STORE_PASSWORD_FILE."""


class Target(NamedTuple):
    """A DSN, taken apart."""

    name: str
    """for messages: the DSN without user, password and parameters"""
    path: str | None
    """directory of an embedded store, ":memory:", or None for a server"""
    database: str
    arguments: dict[str, Any]
    """of clickhouse_connect.get_client; for a server"""
    async_insert: bool = False
    """the server may gather the blocks of many sensors before it writes them"""


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


def _seconds(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,5}", text):
        raise StoreError(f"A timeout of the store must be a number of seconds, not {text!r}.")
    return int(text)


def _password(given: str | None, file: str | None) -> str:
    """The password of the DSN, of a file, or of the environment."""
    if given:
        return unquote(given)
    file = file or os.environ.get("TAPWATCH_STORE_PASSWORD_FILE")
    if not file:
        return os.environ.get("TAPWATCH_STORE_PASSWORD", "")
    try:
        return pathlib.Path(file).read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise StoreError(f"The password file {file} cannot be read: {reason}.") from None


def _server(dsn: str, scheme: str) -> Target:
    try:
        parts = urlsplit(dsn)
        port = parts.port
    except ValueError:
        raise StoreError(f"The host or port of the store is not understood; use {FORMS}.") from None
    options = dict(parse_qsl(parts.query))
    for name in options:
        if name not in OPTIONS:
            raise StoreError(f"A store has no parameter {name!r}; there are: {', '.join(OPTIONS)}.")
    secure = scheme in ("https", "clickhouses") or port in (443, _HTTPS_PORT) or options.pop("secure", "") in YES
    if port in _NATIVE_PORTS:
        usual = _HTTPS_PORT if secure else _HTTP_PORT
        raise StoreError(f"Port {port} speaks ClickHouse's native protocol; name the HTTP port, mostly {usual}.")
    if not parts.hostname:
        raise StoreError(f"The store names no host; use {FORMS}.")
    port = port or (_HTTPS_PORT if secure else _HTTP_PORT)
    database = unquote(parts.path.strip("/")) or DATABASE
    arguments: dict[str, Any] = {
        **{key: value for key, value in options.items() if key in OPTIONS_OF_DRIVER},
        **{key: _seconds(options[name]) for name, key in TIMES.items() if name in options},
        "host": parts.hostname,
        "port": port,
        "interface": "https" if secure else "http",
        "username": unquote(parts.username or "default"),
        "password": _password(parts.password, options.get("password_file")),
    }
    name = f"{scheme}://{parts.hostname}:{port}/{database}"
    return Target(name, None, database, arguments, options.get("async_insert") in YES)
