"""tapwatch store"""

import pathlib

import click

from sensor.cli.options import common, json_option, store_dsn_of

_COLUMNS = ("table", "rows", "bytes_on_disk", "bytes_per_row", "oldest", "newest")


@click.group()
def store() -> None:
    """What the store holds on disk, how long it keeps it, and copies of it."""


@store.command("stats")
@json_option
@common
def stats(as_json: bool, store_dsn: str | None, config_path: str | None) -> None:
    """Rows and bytes of each table.

    \b
    tapwatch store stats
    """
    from sensor.cli.tables import print_json, print_table
    from sensor.store import open_store
    from sensor.store.keeping import table_stats

    with open_store(store_dsn_of(store_dsn, config_path), create=False) as opened:
        rows = table_stats(opened)
    if as_json:
        print_json(rows)
    else:
        print_table([name.replace("_", " ") for name in _COLUMNS], [[row[name] for name in _COLUMNS] for row in rows])


@store.command("keep")
@click.option("--days", required=True, type=click.IntRange(0, 3_650), help="Days after which rows are forgotten; 0: never.")
@click.option(
    "--of",
    "what",
    default="transactions",
    show_default=True,
    metavar="NAME",
    help="transactions, minutes, actors, alerts, endpoints, parameters, schemas, encrypted or stats.",
)
@common
def keep(days: int, what: str, store_dsn: str | None, config_path: str | None) -> None:
    """Set how long rows are kept since they were written: transactions 14 days by default, actors' sessions 90, others always.

    \b
    tapwatch store keep --days 30
    tapwatch store keep --days 365 --of alerts
    """
    from sensor.store import open_store
    from sensor.store.keeping import KEPT
    from sensor.store.keeping import keep as keep_rows

    if what not in KEPT:
        raise click.BadParameter(f"there is no {what!r}; there are: {', '.join(KEPT)}.", param_hint="--of")
    with open_store(store_dsn_of(store_dsn, config_path), create=False) as opened:
        keep_rows(opened, what, days)
    click.echo(f"{what} are kept {f'for {days} days' if days else 'for ever'}.", err=True)


@store.command("thin")
@click.option("--days", required=True, type=click.IntRange(0, 3_650), help="Days after which transactions are thinned.")
@click.option("--one-in", required=True, type=click.IntRange(0, 1_000_000), help="Of so many connections one stays; 0: none.")
@common
def thin(days: int, one_in: int, store_dsn: str | None, config_path: str | None) -> None:
    """Keep a sample of older transactions, and all that alerts are about; `stands_for` says for how many each stands.

    \b
    tapwatch store thin --days 3 --one-in 20
    tapwatch sql "SELECT endpoint, sum(stands_for) AS transactions FROM transactions GROUP BY endpoint"
    """
    from sensor.store import open_store
    from sensor.store.keeping import thin as thin_out

    with open_store(store_dsn_of(store_dsn, config_path), create=False) as opened:
        before, after = thin_out(opened, days, one_in)
    click.echo(f"{before:,} transactions before, {after:,} after.", err=True)


@store.command("weigh")
@click.argument("factor")
@click.argument("weight", type=click.FloatRange(0, 10))
@common
def weigh(factor: str, weight: float, store_dsn: str | None, config_path: str | None) -> None:
    """Give a factor of the risk of endpoints another weight: the points that it adds at its most, 0 for none.

    \b
    tapwatch sql "SELECT * FROM risk_factors"
    tapwatch store weigh sensitive_data 4
    """
    from sensor.store import open_store
    from sensor.store.keeping import set_weight

    with open_store(store_dsn_of(store_dsn, config_path), create=False) as opened:
        set_weight(opened, factor, weight)
    click.echo(f"{factor} weighs {weight:g}.", err=True)


@store.command("vacuum")
@common
def vacuum(store_dsn: str | None, config_path: str | None) -> None:
    """Merge what was written again and again (alerts, endpoints, counters), and drop what is past its time.

    \b
    tapwatch store vacuum
    """
    from sensor.store import open_store
    from sensor.store.keeping import merge_all

    with open_store(store_dsn_of(store_dsn, config_path), create=False) as opened:
        before, after = merge_all(opened)
    click.echo(f"{before:,} bytes before, {after:,} after.", err=True)


@store.group("export")
def export() -> None:
    """Copies of what the store holds."""


@export.command("parquet")
@click.argument("query")
@click.option("-o", "--output", required=True, metavar="FILE", help="Parquet file to write.")
@common
def export_parquet(query: str, output: str, store_dsn: str | None, config_path: str | None) -> None:
    """Write the rows of a table, a view or a SELECT to a Parquet file.

    \b
    tapwatch store export parquet ocsf_http_activity -o http.parquet
    tapwatch store export parquet "SELECT * FROM transactions WHERE status >= 500" -o errors.parquet
    """
    from sensor.store import open_store
    from sensor.store.keeping import parquet

    with open_store(store_dsn_of(store_dsn, config_path), create=False) as opened, pathlib.Path(output).open("wb") as file:
        size = parquet(opened, query, file)
    click.echo(f"{output}: {size:,} bytes", err=True)
