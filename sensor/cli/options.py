"""Options that several commands share."""

import logging
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def _set_up_logging(ctx: click.Context, parameter: click.Parameter, value: int) -> int:
    level = {0: logging.WARNING, 1: logging.INFO}.get(value, logging.DEBUG)
    logging.basicConfig(level=level, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    return value


store_option = click.option(
    "--store", "store_dsn", envvar="TAPWATCH_STORE", metavar="DSN",
    help="Store: chdb:///DIR (embedded), clickhouse://USER:PASSWORD@HOST:PORT/DB or http(s)://…  [env: TAPWATCH_STORE]",
)  # fmt: skip
config_option = click.option(
    "-c", "--config", "config_path", type=click.Path(exists=True, dir_okay=False), help="Configuration file (TOML)."
)
verbose_option = click.option(
    "-v", "--verbose", count=True, expose_value=False, callback=_set_up_logging, help="Log more; twice for debugging."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
host_option = click.option("--host", help="Only this host.")
since_option = click.option("--since", metavar="TIME", help="Only what was seen at or after this time (RFC 3339).")
until_option = click.option("--until", metavar="TIME", help="Only what was seen at or before this time (RFC 3339).")


def common(function: F) -> F:
    """--store, --config and -v: what every command takes."""
    return store_option(config_option(verbose_option(function)))


def store_dsn_of(given: str | None, config_path: str | None) -> str | None:
    """The store that was asked for: --store or TAPWATCH_STORE, else `store` in the configuration, else None (the default)."""
    if given or not config_path:
        return given or None
    import pathlib
    import tomllib

    try:
        settings = tomllib.loads(pathlib.Path(config_path).read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{config_path} is no TOML: {error}") from None
    value = settings.get("store")
    if isinstance(value, dict):
        value = value.get("dsn")
    if value is not None and not isinstance(value, str):
        raise click.UsageError(f"{config_path}: `store` must be a text, the DSN of the store.")
    return value
