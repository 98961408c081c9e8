"""tapwatch schema"""

import click

from sensor.cli.options import common, store_dsn_of

_cluster = click.option("--cluster", metavar="NAME", help="Replicated tables on all servers of this ClickHouse cluster.")


@click.group()
def schema() -> None:
    """Print or apply the ClickHouse schema."""


@schema.command("print")
@_cluster
@common
def print_schema(cluster: str | None, store_dsn: str | None, config_path: str | None) -> None:
    """Print the whole schema as SQL.

    \b
    tapwatch schema print
    tapwatch schema print --cluster NAME
    """
    from sensor.store.dsn import DATABASE, parse
    from sensor.store.migrations import schema_text

    dsn = store_dsn_of(store_dsn, config_path)
    click.echo(schema_text(parse(dsn).database if dsn else DATABASE, cluster), nl=False)


@schema.command("roles")
@_cluster
@common
def print_roles(cluster: str | None, store_dsn: str | None, config_path: str | None) -> None:
    """Print roles with the least that sensors, analysts and dashboards need on a ClickHouse server, as SQL.

    \b
    tapwatch schema roles
    """
    from sensor.store.dsn import DATABASE, parse
    from sensor.store.migrations import roles_text

    dsn = store_dsn_of(store_dsn, config_path)
    click.echo(roles_text(parse(dsn).database if dsn else DATABASE, cluster), nl=False)


@schema.command("apply")
@_cluster
@common
def apply_schema(cluster: str | None, store_dsn: str | None, config_path: str | None) -> None:
    """Bring the store's schema up to date.

    \b
    tapwatch schema apply
    """
    from sensor.store import open_store

    with open_store(store_dsn_of(store_dsn, config_path), cluster=cluster) as store:
        for name in store.applied:
            click.echo(f"applied {name}", err=True)
        if not store.applied:
            click.echo("the schema is up to date", err=True)
