"""`tapwatch replay`: captures through the whole pipeline."""

import contextlib
import sys
import time
from typing import Any

import click

from sensor.cli.options import common, figure_text, json_option, lines_file, load_settings
from sensor.cli.progress import Progress
from sensor.core.inert import inert, inert_json

LOSSES = (
    "truncated_frame", "malformed", "unknown_link", "unreadable", "too_many_layers", "encap_overflow", "bad_checksum",
    "fragment_overlap", "fragment_timeout", "fragment_evicted", "fragment_overflow", "gap", "gap_bytes", "out_of_window",
    "evicted_capacity", "ooo_overflow", "head_overflow", "head_lost", "head_evicted", "block_overflow", "pending_overflow",
    "pending_evicted", "text_truncated", "endpoint_overflow",
)  # fmt: skip
"""Reasons that mean: something was there, and it is not in the result."""


@click.command()
@click.argument("captures", nargs=-1, metavar="PCAP...")
@click.option("-r", "--read", "more", multiple=True, metavar="PCAP", help="A capture; the same as an argument.")
@click.option(
    "-f", "--filter", "expression", metavar="BPF", help="Take only packets that fit a BPF expression (needs libpcap)."
)
@click.option("--count", type=click.IntRange(min=1), help="Stop after so many packets of each capture.")
@click.option("--each", is_flag=True, help="Each capture on its own, from fresh state.")
@click.option("--workers", type=click.IntRange(1, 64), help="Threads that take connections.")
@click.option("--memory", metavar="SIZE", help="What the process may use, the embedded store apart: 512M, 2G.  [default: 512M]")
@click.option("--transactions", "transactions_path", metavar="FILE", help="Write one JSON object a transaction (- for stdout).")
@click.option("--alerts", "alerts_path", metavar="FILE", help="Write one JSON object an alert (- for stdout).")
@click.option("--ledger", "ledger_path", metavar="FILE", help="Keep alerts, endpoints and what is learned as signed evidence.")
@click.option("--reveal", is_flag=True, help="Leave targets in the --transactions file as they were on the wire.")
@click.option("--no-store", is_flag=True, help="Write to no store.")
@click.option("--metrics", metavar="ADDRESS:PORT", help="Tell `tapwatch top --address` and Prometheus how it goes.")
@json_option
@common
def replay(captures, more, expression, count, each, workers, memory, transactions_path, alerts_path, ledger_path, reveal,
           no_store, metrics, as_json, store_dsn, config_path):  # fmt: skip
    """Read captures (pcap or pcapng; plain, .gz, .zst; - for standard input) and store what is in them.

    \b
    tapwatch replay storefront.pcap
    tapwatch replay --no-store --transactions out.jsonl monday.pcapng.gz tuesday.pcapng.gz
    """
    paths = [*captures, *more]
    if not paths:
        raise click.UsageError("Name at least one capture file, or - for standard input.")
    config = load_settings(config_path, store=store_dsn, workers=workers, memory=memory, ledger=ledger_path)
    from sensor.replay import Replay  # here, as numba takes a second to import

    with contextlib.ExitStack() as stack:
        replayed = Replay(
            config,
            expression=expression,
            transactions=lines_file(stack, transactions_path, "wb"),
            alerts=lines_file(stack, alerts_path, "wb"),
            reveal=reveal,
            store=not no_store,
            say=lambda text: click.echo(text, err=True),
            metrics=metrics,
        )
        stack.callback(replayed.close)
        begin = time.perf_counter()
        with Progress(quiet=as_json) as progress:
            replayed.run(paths, each=each, count=count or 0, progress=progress.update)
        summary = replayed.summary(time.perf_counter() - begin)
    if as_json:
        click.echo(inert_json(summary))
    elif summary["captures"]:
        _print(summary)
    if summary["problems"]:
        sys.exit(1)


def _print(summary: dict[str, Any]) -> None:
    """The summary for people: losses first, for counts mean little without them."""
    losses = {name: number for name, number in summary["counters"].items() if name in LOSSES}
    rows = [
        ("not seen or not understood", ", ".join(f"{name} {number:,}" for name, number in losses.items()) or "nothing"),
        ("packets", f"{summary['packets']:,} ({summary['bytes'] / 1e6:,.1f} MB, {summary['tcp_packets']:,} TCP)"),
        ("connections", f"{summary['connections']:,}"),
        ("transactions", f"{summary['transactions']:,}"),
        ("endpoints", f"{summary['endpoints']:,}"),
        ("alerts", f"{summary['alerts']:,}"),
        (
            "elapsed",
            f"{summary['elapsed_s']:.2f} s ({summary['packets_per_s']:,.0f} packets/s, {summary['mbit_per_s']:,.0f} Mbit/s)",
        ),
    ]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        click.echo(f"{name:<{width}}  {value}")
    if summary["hygiene"]:
        click.echo("\nbefore you trust an absence:")
    for figure in summary["hygiene"]:
        click.echo(f"  {figure_text(figure)}")
    for alert in summary["raised"]:
        click.echo(f"\n{alert['severity'].upper()} {alert['detector']} {alert['alert_id']}\n  {inert(alert['explanation'])}")
