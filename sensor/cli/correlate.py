"""tapwatch correlate"""

import signal
import threading

import click

from sensor.cli.options import common, json_option, load_settings, store_dsn_of


@click.command()
@click.option(
    "--hours", default=24.0, show_default=True, type=click.FloatRange(0.01, 24 * 365), help="How far back, of packet time."
)
@click.option("--every", type=click.FloatRange(0.01), metavar="MINUTES", help="Do it again and again, until SIGTERM.")
@json_option
@common
def correlate(hours: float, every: float | None, as_json: bool, store_dsn: str | None, config_path: str | None) -> None:
    """Look at the stored traffic of all sensors together, and tell what none of them told by itself.

    Alerts are written to the store under the sensor's name `fleet`.

    \b
    tapwatch correlate --store clickhouse://db.example/tapwatch --hours 6
    """
    from sensor.correlating import correlate as look
    from sensor.store import open_store
    from sensor.store.errors import StoreError
    from sensor.warmup import ready_kernels

    config = load_settings(config_path)
    ready_kernels(config, True, lambda text: click.echo(text, err=True))
    over = threading.Event()
    if every:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: over.set())
    away = False
    while True:
        try:
            with open_store(store_dsn_of(store_dsn, config_path), create=False) as store:
                _tell(look(store, config, hours), as_json)
            away = False
        except StoreError as error:
            if not every:
                raise
            if not away:
                click.echo(f"tapwatch: {error} It is tried again every {every:g} minutes.", err=True)
            away = True
        if not every or over.wait(60 * every):
            return


def _tell(found, as_json: bool) -> None:
    from sensor.cli.tables import print_json, print_table
    from sensor.outputs.lines import rfc3339

    click.echo(
        f"{found.transactions:,} transactions of {found.sensors} sensors: {len(found.alerts)} alerts that none of them told, "
        f"{found.known} that one did.",
        err=True,
    )
    times = ("first_seen", "last_seen", "raised_at")
    rows = [row | {name: rfc3339(row[name]) for name in times} for row in found.alerts]
    if as_json:
        print_json(rows)
    elif rows:
        columns = ("alert_id", "severity", "detector", "host", "method", "endpoint", "actors", "transactions", "explanation")
        print_table(list(columns), [[row[name] for name in columns] for row in rows])
