"""Saved queries: named questions as SQL files in sensor/store/queries, each with help and defaults for its parameters.

A file begins with `-- help`, then a line `-- param NAME = DEFAULT: what it is` for each `{NAME:Type}` in its SQL.
"""

import dataclasses
import functools
import pathlib
import re
from collections.abc import Iterator
from typing import Any

from sensor.store.errors import StoreError
from sensor.store.open import Store

FOLDER = pathlib.Path(__file__).parent / "queries"
_PARAMETER = re.compile(r"-- param (\w+) = (.*?): (.+)")
_INTEGER = re.compile(r"U?Int\d+")


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One parameter of a query."""

    name: str
    kind: str
    """ClickHouse type"""
    default: str
    help: str


@dataclasses.dataclass(frozen=True)
class Saved:
    """One question."""

    name: str
    help: str
    parameters: tuple[Parameter, ...]
    sql: str

    def run(self, store: Store, given: dict[str, str]) -> Iterator[tuple[Any, Any]]:
        """Blocks as of Store.stream. given: values by name, as text. Raises StoreError."""
        return store.stream(self.sql, self.values(given))

    def values(self, given: dict[str, str]) -> dict[str, Any]:
        """All parameters, by name. given: values by name, as text. Raises StoreError."""
        known = {one.name: one for one in self.parameters}
        for name in given:
            if name not in known:
                takes = ", ".join(known) or "none"
                raise StoreError(f"The query {self.name} has no parameter {name!r}; it takes: {takes}.")
        values: dict[str, Any] = {}
        for name, one in known.items():
            text = given.get(name, one.default)
            if _INTEGER.fullmatch(one.kind) and not re.fullmatch(r"\d{1,9}", text):
                raise StoreError(f"The parameter {name} of the query {self.name} must be a number, not {text!r}.")
            values[name] = int(text) if _INTEGER.fullmatch(one.kind) else text
        return values


@functools.cache
def saved_queries() -> dict[str, Saved]:
    """All of them, by name."""
    return {path.stem: _read(path) for path in sorted(FOLDER.glob("*.sql"))}


def _read(path: pathlib.Path) -> Saved:
    lines = path.read_text("utf-8").splitlines()
    head = [line for line in lines if line.startswith("-- ")]
    sql = "\n".join(line for line in lines if not line.startswith("-- "))
    kinds = dict(re.findall(r"\{(\w+):(\w+)\}", sql))
    found = [match.groups() for match in map(_PARAMETER.fullmatch, head[1:]) if match]
    parameters = tuple(Parameter(name, kinds[name], default, text) for name, default, text in found)
    return Saved(path.stem, head[0].removeprefix("-- "), parameters, sql)


def saved_query(name: str) -> Saved:
    """The query of that name. Raises StoreError."""
    found = saved_queries().get(name)
    if found is None:
        raise StoreError(f"There is no query {name!r}; `tapwatch query` lists those there are.")
    return found
