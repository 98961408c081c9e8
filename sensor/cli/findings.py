"""tapwatch findings"""

import click

from sensor.cli.options import common, host_option, json_option, severity_option, store_dsn_of

_COLUMNS = ("severity", "finding", "owasp", "host", "method", "endpoint", "evidence")


@click.command()
@host_option
@severity_option
@click.option("--finding", help="Only this kind, as stack_trace.")
@json_option
@common
def findings(
    host: str | None, severity: str | None, finding: str | None, as_json: bool, store_dsn: str | None, config_path: str | None
) -> None:
    """What is wrong with how endpoints are run: data without authentication, secrets in URLs, stack traces, …

    \b
    tapwatch findings
    tapwatch findings --json
    """
    from sensor.cli.tables import print_json, print_table
    from sensor.store import open_store, queries

    with open_store(store_dsn_of(store_dsn, config_path), create=False) as store:
        rows = queries.findings(store, host, severity, finding)
    if as_json:
        print_json(rows)
    else:
        print_table(list(_COLUMNS), [[row[name] for name in _COLUMNS] for row in rows])
