"""tapwatch actors"""

import click

from sensor.cli.options import common, json_option, since_option, store_dsn_of, until_option

_COLUMNS = ("actor", "transactions", "endpoints", "addresses", "first_seen", "last_seen")


@click.command()
@since_option
@until_option
@click.option("--limit", default=100, show_default=True, type=click.IntRange(min=1), help="Rows.")
@json_option
@common
def actors(
    since: str | None, until: str | None, limit: int, as_json: bool, store_dsn: str | None, config_path: str | None
) -> None:
    """Who acts: API token, session or address, most active first."""
    from sensor.cli.tables import print_json, print_table
    from sensor.store import open_store, queries

    with open_store(store_dsn_of(store_dsn, config_path), create=False) as store:
        rows = queries.actors(store, since, until, limit)
    if as_json:
        print_json(rows)
    else:
        print_table([name.replace("_", " ") for name in _COLUMNS], [[row[name] for name in _COLUMNS] for row in rows])
