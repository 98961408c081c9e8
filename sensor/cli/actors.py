"""tapwatch actors"""

import click

from sensor.cli.options import common, json_option, since_option, store_dsn_of, until_option
from sensor.core.intents import INTENTS, UNKNOWN

_COLUMNS = ("actor", "intent", "bad_automation", "transactions", "endpoints", "addresses", "first_seen", "last_seen")


@click.command()
@since_option
@until_option
@click.option("--intent", type=click.Choice([*INTENTS, UNKNOWN]), help="Only those who seem to be that.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(min=1), help="Rows.")
@json_option
@common
def actors(
    since: str | None, until: str | None, intent: str | None, limit: int, as_json: bool, store_dsn: str | None,
    config_path: str | None,
) -> None:  # fmt: skip
    """Who acts: API token, session or address, most active first, and with what intent, by how it behaves.

    An intent is told from 5 requests on, unless it is less likely than 60 %; --json tells what speaks for it.

    \b
    tapwatch actors --intent bad_automation
    """
    from sensor.cli.tables import print_json, print_table
    from sensor.store import open_store, queries

    with open_store(store_dsn_of(store_dsn, config_path), create=False) as store:
        rows = queries.actors(store, since, until, limit, intent)
    if as_json:
        print_json(rows)
    else:
        rows = [row | {"bad_automation": f"{row['bad_automation']:.2f}"} for row in rows]
        print_table([name.replace("_", " ") for name in _COLUMNS], [[row[name] for name in _COLUMNS] for row in rows])
