"""The inventory for people and spreadsheets: CSV and Markdown. Whatever came from the wire is made harmless for either."""

import csv
import html
import io
import re
from collections import defaultdict
from typing import Any

from sensor.core.inert import cell

Row = dict[str, Any]
COLUMNS = (
    "host", "method", "endpoint", "risk", "transactions", "clients", "auth", "sensitive_in_requests", "sensitive_in_responses",
    "findings", "status_2xx", "status_4xx", "status_5xx", "latency_us_p95", "first_seen", "last_seen",
)  # fmt: skip
MARKED = re.compile(r"([\\`*_{}\[\]()#+!|~-])")
"""What Markdown would understand."""


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else str(value)


def _cell(value: Any) -> str:
    """A value for a spreadsheet."""
    return cell(_plain(value)) if isinstance(value, (str, list)) else _plain(value)


def _marked(value: Any) -> str:
    """A value for Markdown: nothing in it is markup, and it stays on its line."""
    text = "".join(c if c.isprintable() else " " for c in _plain(value))
    return MARKED.sub(r"\\\1", html.escape(text, quote=False))


def as_csv(endpoints: list[Row], parameters: list[Row]) -> str:
    """One line an endpoint (RFC 4180), with the names of its parameters."""
    taken = _parameters_of(parameters)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*COLUMNS, "parameters"])
    for row in endpoints:
        names = " ".join(f"{one['location']}:{one['name'] or int(one['position']) + 1}" for one in taken[_key(row)])
        writer.writerow([*(_cell(row[name]) for name in COLUMNS), _cell(names)])
    return out.getvalue()


def as_markdown(endpoints: list[Row], parameters: list[Row]) -> str:
    """A chapter a host, a table of its endpoints, then one of what each of them takes."""
    taken, hosts, lines = _parameters_of(parameters), defaultdict(list), ["# API inventory", ""]
    for row in endpoints:
        hosts[row["host"]].append(row)
    for host, own in hosts.items():
        lines += [f"## {_marked(host) or 'no host'}", "", f"{len(own)} endpoints.", ""]
        lines += _table(("method", "endpoint", "risk", "transactions", "clients", "auth"), own)
        for row in own:
            named = [one | {"name": one["name"] or f"segment {int(one['position']) + 1}"} for one in taken[_key(row)]]
            if named:
                lines += [f"### {_marked(row['method'])} {_marked(row['endpoint'])}", ""]
                lines += _table(("name", "location", "types", "sensitive", "seen"), named)
    return "\n".join(lines) + "\n"


def _table(columns: tuple[str, ...], rows: list[Row]) -> list[str]:
    """Lines of a table, and an empty one."""
    head = [f"| {' | '.join(columns)} |", "|" + " --- |" * len(columns)]
    return [*head, *(f"| {' | '.join(_marked(row[name]) for name in columns)} |" for row in rows), ""]


FORMATS = {"csv": as_csv, "markdown": as_markdown}


def _key(row: Row) -> tuple[str, str, str]:
    return row["host"], row["method"], row["endpoint"]


def _parameters_of(parameters: list[Row]) -> dict[tuple[str, str, str], list[Row]]:
    """What each endpoint is asked with."""
    found: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in parameters:
        if row["location"] not in ("response", "response_header"):
            found[_key(row)].append(row)
    return found
