"""tapwatch alert"""

import click

from sensor.cli.options import common, json_option, store_dsn_of


@click.command()
@click.argument("alert_id")
@json_option
@common
def alert(alert_id: str, as_json: bool, store_dsn: str | None, config_path: str | None) -> None:
    """One alert with its whole explanation and evidence; the beginning of ALERT_ID is enough."""
    from sensor.cli.tables import print_fields, print_json
    from sensor.store import open_store, queries

    with open_store(store_dsn_of(store_dsn, config_path), create=False) as store:
        row = queries.alert(store, alert_id)
    if as_json:
        print_json([row])
    else:
        print_fields([(name.replace("_", " "), value) for name, value in row.items()])
