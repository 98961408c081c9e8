"""Plots as SVG, by pygal: no script in them, and colours that the page names, for the dark and the light."""

import html
import re

import pygal
from pygal.style import Style

from sensor.outputs.report.contents import Incident, Row

LINES = 20
"""Of a plot, at most: pygal would make up colours of more, and cannot of those that the page names."""
STYLE = Style(
    background="transparent", plot_background="transparent", foreground="var(--ink)", foreground_strong="var(--ink)",
    foreground_subtle="var(--faint)", font_family="inherit", colors=tuple(f"var(--plot{1 + k % 5})" for k in range(LINES)),
    value_colors=("var(--ink)",) * LINES, title_font_size=16, legend_font_size=14, label_font_size=13, major_label_font_size=13,
    opacity="1", opacity_hover="1", transition="0s",
)  # fmt: skip
COORDINATES = ("x", "y", "cx", "cy", "width", "height", "d", "transform")
CORNERS = ("rx", "ry")
FRACTION = re.compile(r"(\.\d)\d+")
WIDTH, HEIGHT = 480, 270
"""Of a plot; small ones keep their letters readable on a phone."""
LABELS = 4
"""Times that are written below a plot."""
MINUTE, HOUR, DAY = 60, 3_600, 86_400


def since(seconds: float) -> str:
    """A time since the beginning, as `+2 h 5 min`."""
    if seconds < MINUTE:
        return f"+{seconds:.3g} s"
    if seconds < HOUR:
        return f"+{seconds / MINUTE:.3g} min"
    return f"+{seconds / HOUR:.3g} h" if seconds < 2 * DAY else f"+{seconds / DAY:.3g} d"


def traffic(rows: list[Row]) -> str:
    """Requests by the class of their answer over time."""
    chart = _bars("Transactions by answer, from the beginning on", [row["at"] for row in rows])
    for name, key in (("2xx", "c2"), ("3xx", "c3"), ("4xx", "c4"), ("5xx", "c5"), ("no answer seen", "none")):
        if any(row[key] for row in rows):
            chart.add(name, [row[key] for row in rows])
    return drawn(chart)


def latency(rows: list[Row]) -> str:
    """Median and 95th percentile of the latency over time."""
    chart = pygal.Line(
        **options("Latency, ms, from the beginning on"), show_dots=False, logarithmic=True, allow_interruptions=True
    )
    _label(chart, [row["at"] for row in rows])
    for name, k in (("median", 0), ("95 % are faster", 1)):
        chart.add(name, [_milliseconds(row["latency"][k]) for row in rows])
    return drawn(chart)


def values(incident: Incident) -> str:
    """The numbers that an incident asked for over time, with the next one if that is told."""
    chart = pygal.XY(**options("Values asked for, from the beginning on"), stroke=False, dots_size=2, x_value_formatter=since)
    last = incident.values[-1][0]
    chart.x_labels = chart.x_labels_major = [last * k / LABELS for k in range(LABELS)]  # one at the end would be cut
    chart.add("asked for", incident.values)
    if incident.expected is not None:
        chart.add("expected next", [(incident.values[-1][0], incident.expected)], dots_size=5)
    return drawn(chart)


def outcomes(incident: Incident) -> str:
    """How many of an incident's transactions were served and refused over time."""
    chart = _bars("Its transactions, from the beginning on", [at for at, _, _ in incident.outcomes])
    chart.add("served", [served for _, served, _ in incident.outcomes])
    chart.add("refused", [refused for _, _, refused in incident.outcomes])
    return drawn(chart)


def success(incident: Incident) -> str:
    """The share of an incident's transactions that was served over time."""
    chart = pygal.Line(**options("Served, % of its transactions"), dots_size=2, allow_interruptions=True, range=(0, 100))
    _label(chart, [at for at, _, _ in incident.outcomes])
    chart.add("served, %", [round(100 * served / (served + refused), 1) if served + refused else None
                            for _, served, refused in incident.outcomes])  # fmt: skip
    return drawn(chart)


def sources(incident: Incident) -> str:
    """How many of an incident's addresses were active over time."""
    chart = _bars("Addresses that took part, from the beginning on", [at for at, _ in incident.sources])
    chart.add("addresses", [count for _, count in incident.sources])
    return drawn(chart)


def options(title: str) -> dict:
    """What all plots have in common."""
    return {
        "title": title, "style": STYLE, "js": [], "disable_xml_declaration": True,
        "width": WIDTH, "height": HEIGHT, "margin": 8,
        "legend_at_bottom": True, "show_minor_x_labels": False, "truncate_legend": -1, "truncate_label": 20,
    }  # fmt: skip


def _bars(title: str, times: list[float]):
    chart = pygal.StackedBar(**options(title), print_values=False)
    _label(chart, times)
    return chart


def _label(chart, times: list[float]) -> None:
    chart.x_labels = [since(at) for at in times]
    step = max(1, -(-len(times) // LABELS))
    chart.x_labels_major = chart.x_labels[::step]


def _milliseconds(value: float | None) -> float | None:
    """None for a NaN, too: ClickHouse's quantile of nothing."""
    return max(value / 1000, 0.001) if value is not None and value == value else None


def _still(root):
    """A plot without what pygal writes for tooltips, which are not used here, in a quarter of the bytes: no script, no text
    behind each mark, no style of its own, no identifiers (those of legends are the same in each plot), tenths of a pixel."""
    for parent in root.iter():
        for child in [child for child in parent if child.tag in ("script", "desc", "defs")]:
            parent.remove(child)
        for name, value in list(parent.attrib.items()):
            if name == "id" or (name in CORNERS and value == "0"):
                del parent.attrib[name]
            elif name in COORDINATES:
                parent.set(name, FRACTION.sub(r"\1", value))
            elif name == "class":
                parent.set(name, value.replace(" tooltip-trigger", ""))
    return root


def stylesheet() -> str:
    """The style of all plots, for the page to hold once."""
    chart = pygal.Line(**options(""))
    for k in range(LINES):
        chart.add(str(k), [1])
    found = re.findall(r"<style[^>]*>(.*?)</style>", chart.render(is_unicode=True), re.S)
    rules = html.unescape("".join(found)).replace("stroke:black", "stroke:var(--faint)")
    return re.sub(r"#chart-[0-9a-f-]+", ".pygal-chart", rules)


def drawn(chart) -> str:
    """A plot as SVG."""
    chart.add_xml_filter(_still)
    return chart.render(is_unicode=True)
