"""tapwatch endpoints"""

import click

from sensor.cli.options import common, host_option, json_option, since_option, store_dsn_of, until_option

_COLUMNS = {
    "host": "host", "method": "method", "endpoint": "endpoint", "risk": "risk", "transactions": "calls", "clients": "clients",
    "status_2xx": "2xx", "status_3xx": "3xx", "status_4xx": "4xx", "status_5xx": "5xx", "unanswered": "none",
    "latency_us_p50": "p50 µs", "latency_us_p95": "p95 µs", "auth": "auth", "sensitive_in_responses": "answers hold",
    "last_seen": "last seen",
}  # fmt: skip
_HISTORY = ("ts", "host", "prefix", "names", "endpoints", "reason")


@click.command()
@host_option
@since_option
@until_option
@click.option(
    "--history", is_flag=True, help="Instead, what was learned of paths: which words are values, since when, and why."
)
@json_option
@common
def endpoints(
    host: str | None, since: str | None, until: str | None, history: bool, as_json: bool, store_dsn: str | None,
    config_path: str | None,
) -> None:  # fmt: skip
    """API endpoints that are really called, most called first.

    \b
    tapwatch endpoints
    tapwatch endpoints --history
    """
    from sensor.cli.tables import print_json, print_table
    from sensor.store import open_store, queries

    with open_store(store_dsn_of(store_dsn, config_path), create=False) as store:
        rows = (queries.template_changes if history else queries.endpoints)(store, host, since, until)
    if as_json:
        print_json(rows)
    elif history:
        print_table(list(_HISTORY), [[row[name] for name in _HISTORY] for row in rows])
    else:
        print_table(list(_COLUMNS.values()), [[row[name] for name in _COLUMNS] for row in rows])
