"""tapwatch encrypted"""

import click

from sensor.cli.options import common, json_option, since_option, store_dsn_of, until_option

_COLUMNS = ("server_name", "server_ip", "server_port", "connections", "tls_versions", "ja4", "first_seen", "last_seen")
_CLIENTS = 3
"""Fingerprints that a row of the table shows."""


@click.command()
@since_option
@until_option
@click.option("--limit", default=1_000, show_default=True, type=click.IntRange(min=1), help="Rows.")
@json_option
@common
def encrypted(
    since: str | None, until: str | None, limit: int, as_json: bool, store_dsn: str | None, config_path: str | None
) -> None:
    """TLS services: the names that clients ask for (SNI), and what these clients are (JA4), busiest first.

    \b
    tapwatch encrypted --json
    """
    from sensor.cli.tables import print_json, print_table
    from sensor.store import open_store, queries

    with open_store(store_dsn_of(store_dsn, config_path), create=False) as store:
        rows = queries.encrypted_services(store, since, until, limit)
    if as_json:
        print_json(rows)
        return
    for row in rows:
        more = len(row["ja4"]) - _CLIENTS
        row["ja4"] = row["ja4"][:_CLIENTS] + ([f"and {more} more"] if more > 0 else [])
    print_table([name.replace("_", " ") for name in _COLUMNS], [[row[name] for name in _COLUMNS] for row in rows])
