"""The page itself."""

import base64
import collections
import hashlib
import pathlib

import jinja2
import markupsafe

from sensor.core.inert import inert, inert_json
from sensor.core.severities import SEVERITIES
from sensor.outputs.report import plots
from sensor.outputs.report.contents import Incident, Report

FOLDER = pathlib.Path(__file__).parent
STATIC_ROWS = 100
"""Endpoints that stand in the page itself; the script brings the others, the paper does not."""
MOST_BYTES = 2_000_000
"""Of the rows that the script has; those with the highest risk come first."""
COLUMNS = ("risk", "host", "method", "endpoint", "transactions", "clients", "errors", "auth", "sensitive", "findings", "alerts")


def page(report: Report, version: str) -> str:
    """The report as HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["number"] = lambda value: markupsafe.Markup(f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}"))
    environment.filters["since"] = plots.since
    environment.finalize = lambda value: inert(value) if type(value) is str else value
    script = (FOLDER / "page.js").read_text("utf-8")
    rows = [_endpoint(row) for row in report.endpoints]
    data, embedded = _embedded(rows)
    return environment.get_template("page.html").render(
        report=report,
        version=version,
        columns=COLUMNS,
        rows=rows[:STATIC_ROWS],
        data=markupsafe.Markup(data),
        embedded=embedded,
        style=markupsafe.Markup((FOLDER / "page.css").read_text("utf-8") + plots.stylesheet()),
        script=markupsafe.Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        incidents=[
            (incident, [(label, markupsafe.Markup(plot)) for label, plot in _plots_of(incident)])
            for incident in report.incidents
        ],
        traffic=markupsafe.Markup(plots.traffic(report.traffic)),
        latency=markupsafe.Markup(plots.latency(report.traffic)),
        alerts_by=_by_severity(report.alerts),
        findings_by=_by_severity(report.findings),
        kinds=_kinds(report),
    )


def _endpoint(row: dict) -> list:
    """An endpoint as the table shows it, by COLUMNS."""
    sensitive = sorted({*row["sensitive_in_responses"], *row["sensitive_in_requests"], *row["sensitive_in_urls"]})
    failed = row["status_4xx"] + row["status_5xx"]
    return [
        row["risk"], inert(row["host"]), inert(row["method"]), inert(row["endpoint"]), row["transactions"], row["clients"],
        f"{100 * failed / max(row['transactions'], 1):.0f} %", ", ".join(row["auth"]), ", ".join(sensitive),
        len(row["findings"]), row["alerts"],
    ]  # fmt: skip


def _embedded(rows: list[list]) -> tuple[str, int]:
    """(JSON that nothing within an HTML script element can end or open, how many of the rows it holds)."""
    texts, size = [], 0
    for row in rows:
        text = inert_json(row).decode().replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
        size += len(text.encode()) + 1
        if size > MOST_BYTES:
            break
        texts.append(text)
    return f"[{','.join(texts)}]", len(texts)


def _plots_of(incident: Incident) -> list[tuple[str, str]]:
    """(what it shows, in words for who does not see it; the plot) of each."""
    found = []
    if incident.values:
        first, last = incident.values[0][1], incident.values[-1][1]
        expected = "" if incident.expected is None else f", {incident.expected:.0f} expected next"
        found.append((f"Values asked for over time: from {first:.0f} to {last:.0f}{expected}.", plots.values(incident)))
    if incident.outcomes:
        served, refused = (sum(row[k] for row in incident.outcomes) for k in (1, 2))
        found.append((f"Its transactions over time: {served} served, {refused} refused in all.", plots.outcomes(incident)))
        if incident.tries:
            share = 100 * served / max(1, served + refused)
            found.append(
                (f"Share of its transactions that was served over time: {share:.1f} % in all.", plots.success(incident))
            )
    if incident.alert["actors"] > 1 and len(incident.sources) > 1:
        most = max(count for _, count in incident.sources)
        found.append((f"Addresses that took part over time: at most {most} at once.", plots.sources(incident)))
    return found


def _by_severity(rows: list[dict]) -> dict[str, int]:
    counts = collections.Counter(row["severity"] for row in rows)
    return {severity: counts[severity] for severity in reversed(SEVERITIES) if counts[severity]}


def _kinds(report: Report) -> list[dict]:
    """Findings by kind, the gravest first, each with some of its endpoints."""
    kinds: dict[str, dict] = {}
    for row in report.findings:
        kind = kinds.setdefault(row["finding"], {"finding": row["finding"], "owasp": row["owasp"], "severity": row["severity"],
                                                "evidence": row["evidence"], "places": []})  # fmt: skip
        kind["places"].append(f"{row['method']} {row['host']}{row['endpoint']}")
    return list(kinds.values())
