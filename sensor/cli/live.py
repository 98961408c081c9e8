"""`tapwatch live`: an interface through the whole pipeline, until it is told to end."""

import contextlib
import signal

import click
import msgspec

from sensor.cli.options import common, figure_text, json_option, lines_file, load_settings
from sensor.core.inert import inert_json


@click.command()
@click.option("-i", "--interface", "interfaces", multiple=True, metavar="IFACE", help="Interface; may be given several times.")
@click.option("-f", "--filter", "expression", metavar="BPF", help="Take only packets that fit (needs libpcap).")
@click.option("-w", "--write", metavar="FILE", help="Keep packets, too, in a ring of pcapng files of this name (4G in all).")
@click.option("--ring", metavar="SIZE", help="Ring of each interface, apart from --memory.  [default: 64M]")
@click.option("--count", type=click.IntRange(min=1), help="Stop after so many packets.")
@click.option("--duration", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Stop after so many seconds.")
@click.option("--workers", type=click.IntRange(1, 64), help="Threads that take connections.")
@click.option("--memory", metavar="SIZE", help="What the process may use, rings and embedded store apart.  [default: 512M]")
@click.option("--transactions", "transactions_path", metavar="FILE", help="Append a JSON object a transaction (- for stdout).")
@click.option("--alerts", "alerts_path", metavar="FILE", help="Append one JSON object an alert (- for stdout).")
@click.option("--ledger", "ledger_path", metavar="FILE", help="Keep alerts, endpoints and what is learned as signed evidence.")
@click.option("--reveal", is_flag=True, help="Leave targets in the --transactions file as they were on the wire.")
@click.option("--no-store", is_flag=True, help="Write to no store.")
@click.option("--fresh", is_flag=True, help="Forget what earlier runs on these interfaces learned.")
@json_option
@common
def live(interfaces, expression, write, ring, count, duration, workers, memory, transactions_path, alerts_path,
         ledger_path, reveal, no_store, fresh, as_json, store_dsn, config_path):  # fmt: skip
    """Capture on interfaces until SIGTERM or SIGINT, and store what is seen every second. Nothing is ever sent on them.

    \b
    tapwatch live -i eth1
    tapwatch live -i eth1 -i eth2 -f 'not port 22' -c /etc/tapwatch/tapwatch.toml

    SIGHUP reads the configuration again: thresholds and filter change without losing a connection.
    """

    def load():
        config = load_settings(config_path, store=store_dsn, workers=workers, memory=memory, ledger=ledger_path)
        given = {"interfaces": tuple(dict.fromkeys(interfaces)), "filter": expression, "ring": ring, "write": write}
        changes = {name: value for name, value in given.items() if value}
        return msgspec.structs.replace(config, live=msgspec.structs.replace(config.live, **changes))

    config = load()
    if not config.live.interfaces:
        raise click.UsageError("Name an interface with -i, or in `live.interfaces` of the configuration.")
    from sensor.live import Live
    from sensor.service import log

    with contextlib.ExitStack() as stack:
        sensor = Live(
            config,
            transactions=lines_file(stack, transactions_path, "ab"),
            alerts=lines_file(stack, alerts_path, "ab"),
            reveal=reveal,
            store=not no_store,
            fresh=fresh,
            say=log,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, sensor.stop)
        signal.signal(signal.SIGHUP, sensor.reload)
        try:
            sensor.run(load, count or 0, duration or 0.0)
        finally:
            summary = sensor.finish()
    if as_json:
        click.echo(inert_json(summary))
    else:
        _print(summary)


def _print(summary: dict) -> None:
    for name, tap in summary["interfaces"].items():
        click.echo(f"{name}: {tap['packets']:,} packets ({tap['bytes'] / 1e6:,.1f} MB), {tap['dropped']:,} dropped", err=True)
        if len(summary["interfaces"]) > 1:
            _print_figures(tap["hygiene"])
    _print_figures(summary["hygiene"])
    click.echo(f"{summary['transactions']:,} transactions, {summary['alerts']:,} alerts", err=True)


def _print_figures(figures: list[dict]) -> None:
    for figure in figures:
        click.echo(f"  {figure_text(figure)}", err=True)
