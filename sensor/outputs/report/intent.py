"""The evaluation of the model of intent as a page: ROC curves and reliability."""

import pathlib
from collections.abc import Sequence
from typing import Protocol

import jinja2
import markupsafe
import pygal

from sensor.outputs.report import plots

FOLDER = pathlib.Path(__file__).parent
Points = list[tuple[float, float]]


class Curve(Protocol):
    """What the page tells of one scenario."""

    scenario: str
    points: Points


def intent_page(curves: Sequence[Curve], bins: Points, trained_on: Sequence[str], seed: int, version: str) -> str:
    """The page as HTML. bins: (probability told, share that was true)."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("intent.html").render(
        version=version, seed=seed, trained_on=trained_on, curves=curves,
        style=markupsafe.Markup((FOLDER / "page.css").read_text("utf-8") + plots.stylesheet()),
        roc=markupsafe.Markup(_square("Share of the attack's sessions above each share of others", {
            one.scenario: one.points for one in curves
        })),
        reliability=markupsafe.Markup(_square("What was true, over what was told", {
            "sessions": bins, "as it should be": [(0.0, 0.0), (1.0, 1.0)],
        })),
    )  # fmt: skip


def _square(title: str, lines: dict[str, Points]) -> str:
    """Lines between 0 and 1."""
    chart = pygal.XY(**plots.options(title), range=(0, 1), xrange=(0, 1), dots_size=2)
    for name, points in lines.items():
        chart.add(name, points)
    return plots.drawn(chart)
