"""Options that several commands share."""

import contextlib
import importlib
import logging
import pathlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

import click

from sensor.core.severities import SEVERITIES

if TYPE_CHECKING:
    from sensor.settings import Config

F = TypeVar("F", bound=Callable[..., Any])


def _set_up_logging(ctx: click.Context, parameter: click.Parameter, value: int) -> int:
    if value == 0:
        logging.getLogger().addHandler(logging.NullHandler())  # what libraries log is told as a sentence where it matters
    else:
        level = logging.INFO if value == 1 else logging.DEBUG
        logging.basicConfig(level=level, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    return value


store_option = click.option(
    "--store", "store_dsn", envvar="TAPWATCH_STORE", metavar="DSN",
    help="Store: chdb:///DIR (embedded), clickhouse://USER:PASSWORD@HOST:PORT/DB or http(s)://…  [env: TAPWATCH_STORE]",
)  # fmt: skip
config_option = click.option("-c", "--config", "config_path", metavar="FILE", help="Configuration file (TOML).")
verbose_option = click.option(
    "-v", "--verbose", count=True, expose_value=False, callback=_set_up_logging, help="Log more; twice for debugging."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
host_option = click.option("--host", help="Only this host.")
severity_option = click.option("--severity", type=click.Choice(SEVERITIES), help="Only this severity and above.")


def names_of(module: str, attribute: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Completion by the names of a table, or of what a function gives, that is imported when the shell asks."""

    def complete(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
        found = getattr(importlib.import_module(module), attribute)
        return [name for name in (found() if callable(found) else found) if name.startswith(begun)]

    return complete


since_option = click.option("--since", metavar="TIME", help="Only what was seen at or after this time (RFC 3339).")
until_option = click.option("--until", metavar="TIME", help="Only what was seen at or before this time (RFC 3339).")


def common(function: F) -> F:
    """--store, --config and -v: what every command takes."""
    return store_option(config_option(verbose_option(function)))


def load_settings(
    config_path: str | None,
    store: str | None = None,
    workers: int | None = None,
    memory: str | None = None,
    ledger: str | None = None,
) -> "Config":
    """The configuration of a file, with what the command line says on top."""
    import msgspec

    from sensor.config import load_config

    config = load_config(config_path)
    changes: dict[str, Any] = {name: value for name, value in (("store", store), ("workers", workers)) if value}
    if memory:
        changes["limits"] = msgspec.structs.replace(config.limits, memory=memory)
    if ledger:
        changes["ledger"] = msgspec.structs.replace(config.ledger, file=ledger)
    return msgspec.structs.replace(config, **changes)


def store_dsn_of(given: str | None, config_path: str | None) -> str | None:
    """The store that was asked for: --store or TAPWATCH_STORE, else `store` in the configuration, else None (the default)."""
    if given or not config_path:
        return given or None
    return load_settings(config_path).store


def lines_file(stack: contextlib.ExitStack, path: str | None, mode: str) -> BinaryIO | None:
    """A file for JSON lines, `-` for standard output, open until the stack closes; None where none was asked for."""
    if path is None:
        return None
    if path == "-":
        return sys.stdout.buffer
    return stack.enter_context(cast(BinaryIO, pathlib.Path(path).open(mode)))


def figure_text(figure: dict[str, Any]) -> str:
    """One figure of the hygiene report (`sensor.hygiene.Figure.as_dict`) as a line."""
    return f"{figure['count']:,} of {figure['of']:,} ({figure['share']:.2%}) {figure['name']}. {figure['advice']}"
