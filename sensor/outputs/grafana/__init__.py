"""Dashboards for Grafana, whose ClickHouse data source asks the store."""
