"""Grafana's dashboards: every question in them has an answer here, and their JSON is what Grafana imports."""

import json
import pathlib
import re
import subprocess
import sys

import pytest
from click.testing import CliRunner

from sensor.cli import main
from sensor.outputs.grafana.dashboards import COLUMNS, dashboard_json
from sensor.outputs.grafana.panels import dashboards

TAPWATCH = pathlib.Path(sys.executable).with_name("tapwatch")
ROOT = pathlib.Path(__file__).resolve().parent.parent
DASHBOARDS = dashboards()
EMPTY = {"Keys that came or went", "Findings"}
"""Panels that may have nothing to show of the bundled captures."""


def as_grafana_asks(sql: str, alert: str) -> str:
    """The question with macros and variables as the data source fills them in."""
    values = {"host": "'api.shop.test'", "endpoint": "'/v1/login'", "alert": f"'{alert}'"}
    sql = re.sub(r"\$__timeFilter\((\w+)\)", r"\1 >= toDateTime(1772000000) AND \1 <= toDateTime(1773000000)", sql)
    sql = re.sub(r"\$__timeInterval\((\w+)\)", r"toStartOfInterval(toDateTime(\1), INTERVAL 60 second)", sql)
    sql = re.sub(r"\$\{(\w+):singlequote\}", lambda found: values[found[1]], sql)
    assert "$" not in sql, sql
    return sql


@pytest.fixture(scope="module")
def answers(bundled_store):
    """Of every panel and variable: its rows, asked for by a process of its own, for one process holds a store."""
    script = (
        "import json, sys\nfrom sensor.store import open_store\n"
        "with open_store(sys.argv[1], create=False) as store:\n"
        "    print(json.dumps([store.dicts(sql) for sql in json.load(sys.stdin)]))\n"
    )
    listed = subprocess.run(
        [TAPWATCH, "alerts", "--store", bundled_store, "--json"], capture_output=True, text=True, check=True
    ).stdout
    alert = next(row["alert_id"] for row in map(json.loads, listed.splitlines()) if row["detector"] == "credential_stuffing")
    asked = {(one.title, panel.title): panel.sql for one in DASHBOARDS for panel in one.panels}
    asked |= {(one.title, f"${variable.name}"): variable.sql for one in DASHBOARDS for variable in one.variables}
    questions = json.dumps([as_grafana_asks(sql, alert) for sql in asked.values()])
    done = subprocess.run(
        [sys.executable, "-c", script, bundled_store],
        input=questions,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(asked, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize(("page", "panel"), [(one.title, panel.title) for one in DASHBOARDS for panel in one.panels])
def test_every_panel_has_an_answer(answers, page, panel):
    rows = answers[page, panel]
    assert rows or panel in EMPTY
    kind = next(
        one.kind for dashboard in DASHBOARDS for one in dashboard.panels if (dashboard.title, one.title) == (page, panel)
    )
    assert kind != "timeseries" or "time" in rows[0]


def test_variables_have_choices(answers):
    choices = {name: rows for (_, name), rows in answers.items() if name.startswith("$")}
    assert set(choices) == {"$host", "$endpoint", "$alert"} and all(choices.values())


def test_the_command_writes_what_grafana_imports(tmp_path):
    assert CliRunner().invoke(main, ["export", "grafana", "-o", str(tmp_path / "boards")]).exit_code == 0
    for one in DASHBOARDS:
        board = json.loads((tmp_path / "boards" / f"{one.uid}.json").read_text())
        assert board == dashboard_json(one) and board["uid"] == one.uid
        cells = [(x, y) for panel in board["panels"] for place in [panel["gridPos"]]
                 for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])]  # fmt: skip
        assert len(cells) == len(set(cells)) and max(x for x, _ in cells) < COLUMNS
        known = {variable["name"] for variable in board["templating"]["list"]}
        assert set(re.findall(r"\$\{(\w+)", json.dumps(board))) <= known
    (tmp_path / "file").write_text("")
    refused = CliRunner().invoke(main, ["export", "grafana", "-o", str(tmp_path / "file")])
    assert refused.exit_code == 1 and "cannot be made" in refused.output
