"""Prints rows for people and programs. Every value may come from an attacker: control characters and markup are made inert."""

import itertools
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any

import click

from sensor.core.inert import cell, inert, inert_json

FRACTION = re.compile(r"\b(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d+Z")
"""Parts of a second, which tables for people leave out."""
READABLE = 48
"""Columns of text up to which a cell is not broken."""


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None) -> None:
    """A table on stdout; without colour and as wide as its content when stdout is no terminal.

    On a terminal that is too narrow for it each row is told field by field: a table of broken words cannot be read.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    rows = [list(row) for row in rows]
    cells = [[FRACTION.sub(r"\1Z", inert(value)) for value in row] for row in rows]
    widths = [max(len(one.encode()) for one in column) + 4 for column in zip(columns, *cells, strict=True)]
    console = _console(sum(widths))
    longest = sum(min(width, READABLE) for width in widths)
    if sys.stdout.isatty() and longest > console.width:
        for texts in cells:
            print_fields(list(zip(columns, texts, strict=True)))
            click.echo()
        return
    table = Table(title=Text(inert(title)) if title else None, box=box.SIMPLE_HEAD, pad_edge=False)
    for column, width in zip(columns, widths, strict=True):
        table.add_column(Text(inert(column)), overflow="fold", no_wrap=width <= READABLE)
    for row, texts in zip(rows, cells, strict=True):
        numeric = [isinstance(value, (int, float)) for value in row]
        table.add_row(*[Text(cell, justify="right" if n else "left") for cell, n in zip(texts, numeric, strict=True)])
    console.print(table)


def print_fields(fields: Sequence[tuple[str, Any]]) -> None:
    """Names and values, one a line; a list takes a line for each item."""
    width = max(len(name) for name, _ in fields)
    for name, value in fields:
        items = value if isinstance(value, (list, tuple)) else [value]
        for k, item in enumerate(items or [""]):
            click.echo(f"{name if k == 0 else '':<{width}}  {inert(item)}".rstrip())


def print_json(rows: Iterable[dict[str, Any]]) -> None:
    """One JSON object a line on stdout."""
    out = sys.stdout.buffer
    for row in rows:
        out.write(inert_json(row) + b"\n")
    out.flush()


def print_separated(columns: Sequence[str], blocks: Iterable[Iterable[Sequence[Any]]], delimiter: str) -> None:
    """CSV (RFC 4180 quoting) or, with a tab, TSV on stdout; lists and objects as JSON."""
    import csv

    writer = csv.writer(sys.stdout, delimiter=delimiter, lineterminator="\n")
    writer.writerow(columns)
    for block in blocks:
        writer.writerows([_flat(value) for value in row] for row in block)


def print_blocks(blocks: Iterator[tuple[Any, Any]], as_json: bool, separator: str | None) -> None:
    """What a query gave: (column names, rows) of each block, as JSON lines, separated by a character, or a table."""
    names, first = next(blocks)
    parts = itertools.chain([first], (rows for _, rows in blocks))
    if as_json:
        print_json(dict(zip(names, row, strict=True)) for part in parts for row in part)
    elif separator:
        print_separated(names, parts, separator)
    else:
        print_table(names, [row for part in parts for row in part])


def _flat(value: Any) -> Any:
    if isinstance(value, (list, dict)):
        value = inert_json(value).decode()
    return cell(value) if isinstance(value, str) else value


def _console(content_width: int, file: IO[str] | None = None) -> Any:
    from rich.console import Console

    file = file or sys.stdout
    if file.isatty():
        return Console(file=file, markup=False, highlight=False, emoji=False)
    return Console(
        file=file, markup=False, highlight=False, emoji=False, no_color=True, color_system=None,
        force_terminal=False, width=max(80, content_width),
    )  # fmt: skip
