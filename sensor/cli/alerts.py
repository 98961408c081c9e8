"""tapwatch alerts"""

import click

from sensor.cli.options import common, host_option, json_option, severity_option, since_option, store_dsn_of, until_option

_COLUMNS = {
    "alert_id": "alert", "severity": "severity", "detector": "detector", "owasp": "owasp", "raised_at": "raised at",
    "host": "host", "method": "method", "endpoint": "endpoint", "actor": "actor", "transactions": "calls",
    "explanation": "explanation",
}  # fmt: skip


@click.command()
@severity_option
@click.option("--detector", help="Only alerts of this detector.")
@host_option
@since_option
@until_option
@json_option
@common
def alerts(
    severity: str | None, detector: str | None, host: str | None, since: str | None, until: str | None,
    as_json: bool, store_dsn: str | None, config_path: str | None,
) -> None:  # fmt: skip
    """Alerts, in the order in which they were raised.

    \b
    tapwatch alerts
    tapwatch alerts --json
    """
    from sensor.cli.tables import print_json, print_table
    from sensor.store import open_store, queries

    with open_store(store_dsn_of(store_dsn, config_path), create=False) as store:
        rows = queries.alerts(store, severity, host, detector, since, until)
    if as_json:
        print_json(rows)
    else:
        print_table(list(_COLUMNS.values()), [[row[name] for name in _COLUMNS] for row in rows])
