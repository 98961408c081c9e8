"""The dashboards as JSON, as Grafana imports it (schema version 39, ClickHouse data source 4)."""

from typing import Any

from sensor.outputs.grafana.panels import Dashboard, Panel, Variable

Row = dict[str, Any]
COLUMNS = 24
SOURCE = {"type": "grafana-clickhouse-datasource", "uid": "${source}"}
TABLE, TIME_SERIES = 1, 0
"""Formats of an answer."""


def dashboard_json(dashboard: Dashboard) -> Row:
    """One dashboard. The same each time, so that two versions can be compared line by line."""
    panels, x, y, height = [], 0, 0, 0
    for number, panel in enumerate(dashboard.panels, 1):
        if x + panel.columns > COLUMNS:
            x, y, height = 0, y + height, 0
        panels.append(_panel(panel, number, {"x": x, "y": y, "w": panel.columns, "h": panel.rows}))
        x, height = x + panel.columns, max(height, panel.rows)
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["tapwatch"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {"list": [_source(), *map(_variable, dashboard.variables)]},
        "panels": panels,
    }


def _source() -> Row:
    return {"name": "source", "label": "store", "type": "datasource", "query": SOURCE["type"], "current": {}, "hide": 0}


def _variable(variable: Variable) -> Row:
    return {
        "name": variable.name,
        "type": "query",
        "datasource": SOURCE,
        "query": variable.sql,
        "definition": variable.sql,
        "refresh": 2,  # when the time changes
        "sort": 0,
        "multi": variable.several,
        "includeAll": variable.several,
        "current": {},
        "hide": 0,
    }


def _panel(panel: Panel, number: int, place: Row) -> Row:
    is_table = panel.kind != "timeseries"
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "targets": [
            {
                "refId": "A",
                "datasource": SOURCE,
                "editorType": "sql",
                "queryType": "table" if is_table else "timeseries",
                "format": TABLE if is_table else TIME_SERIES,
                "rawSql": panel.sql,
            }
        ],
    }
