"""What the dashboards show, read from the SQL files beside this one: a page each, a question to the store for each panel.

`-- variable NAME [several]` stands before the choices of a variable, `-- panel KIND COLUMNSxROWS [UNIT]: TITLE` before what a
panel shows; COLUMNS are those of Grafana's grid of 24. `$__timeFilter(ts)` and `$__timeInterval(ts)` are macros of Grafana's
ClickHouse data source, `${host:singlequote}` a variable that Grafana puts in quotes.
"""

import dataclasses
import pathlib
import re

HEAD = re.compile(r"^-- (?P<title>.+)$", re.MULTILINE)
PART = re.compile(
    r"^-- (?:variable (?P<name>\w+)(?P<several> several)?"
    r"|panel (?P<kind>timeseries|table) (?P<columns>\d+)x(?P<rows>\d+)(?: (?P<unit>\S+))?: (?P<title>.+))\n(?P<sql>[^;]+);$",
    re.MULTILINE,
)


@dataclasses.dataclass(frozen=True)
class Panel:
    """One panel. kind: timeseries or table."""

    title: str
    kind: str
    sql: str
    columns: int
    rows: int
    unit: str


@dataclasses.dataclass(frozen=True)
class Variable:
    """A choice above the panels. several: more than one, or all, can be chosen."""

    name: str
    sql: str
    several: bool


@dataclasses.dataclass(frozen=True)
class Dashboard:
    """A page."""

    uid: str
    title: str
    variables: tuple[Variable, ...]
    panels: tuple[Panel, ...]


def dashboards() -> list[Dashboard]:
    """All pages, by name."""
    return [_read(path) for path in sorted(pathlib.Path(__file__).parent.glob("*.sql"))]


def _read(path: pathlib.Path) -> Dashboard:
    text = path.read_text("utf-8")
    head, parts = HEAD.match(text), list(PART.finditer(text))
    assert head is not None and len(parts) == text.count(";\n")
    return Dashboard(
        f"tapwatch-{path.stem}",
        head["title"],
        tuple(Variable(one["name"], one["sql"], one["several"] is not None) for one in parts if one["name"]),
        tuple(
            Panel(one["title"], one["kind"], one["sql"], int(one["columns"]), int(one["rows"]), one["unit"] or "short")
            for one in parts
            if one["kind"]
        ),
    )
