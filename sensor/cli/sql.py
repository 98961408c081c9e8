"""tapwatch sql"""

import click

from sensor.cli.options import common, json_option, store_dsn_of


@click.command()
@click.argument("statement")
@json_option
@click.option("--csv", "separator", flag_value=",", help="Print CSV with a header.")
@click.option("--tsv", "separator", flag_value="\t", help="Print tab-separated values with a header.")
@common
def sql(statement: str, as_json: bool, separator: str | None, store_dsn: str | None, config_path: str | None) -> None:
    """Run one read-only SQL STATEMENT on the store.

    \b
    tapwatch sql "SELECT host, endpoint, count() FROM transactions GROUP BY ALL ORDER BY 3 DESC LIMIT 10"
    tapwatch sql "SELECT * FROM open_alerts" --csv
    """
    from sensor.cli.tables import print_blocks
    from sensor.store import open_store

    if as_json and separator:
        raise click.UsageError("--json, --csv and --tsv exclude one another.")
    with open_store(store_dsn_of(store_dsn, config_path), create=False) as store:
        print_blocks(store.stream(statement), as_json, separator)
