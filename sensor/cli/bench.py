"""`tapwatch bench`: how fast this machine takes a seeded capture."""

import pathlib
import tempfile

import click
import msgspec

from sensor.cli.options import json_option, load_settings, verbose_option

MB = 1e6
PLAIN_SCRIPTS = 20
"""Connections that the plain loop decodes: on all it would take minutes."""
TURNS = 3
"""Runs of the sensor and of the plain loop, in turn, of which the fastest of each count: others had company on the machine."""
ATTACKS = 30
"""Attacks whose alerts are waited for."""
PEOPLE = 500
"""Persons of the shop whose days the saved questions are asked of."""
ORDINARY = 20_000
"""Ordinary transactions among which a flood is mixed."""


@click.command()
@click.option("--transactions", default=100_000, show_default=True, type=click.IntRange(1_000, 100_000_000), help="Size.")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same capture, byte by byte.")
@click.option("--workers", "workers", multiple=True, type=click.IntRange(1, 64), help="Worker threads; default 1 and 2.")
@click.option("--with-store", is_flag=True, help="Replay once more into an embedded store (a temporary one).")
@click.option("--tshark", "compare", is_flag=True, help="Run tshark on the first packets of the same file, for comparison.")
@click.option("--http2", "second", is_flag=True, help="HTTP/2 instead of HTTP/1.1, and a plain hpack and hyperframe loop.")
@click.option("--floods", is_flag=True, help="Instead, mix floods of so many steps into 20,000 ordinary transactions.")
@click.option(
    "--writer", is_flag=True, help="Instead, the store's writer beside a bare insert of the same blocks, on one core."
)
@click.option(
    "--questions", is_flag=True, help="Instead, each saved question on so many transactions, of a shop day after day."
)
@click.option("--latency", is_flag=True, help="Instead, attacks over loopback: how long until each alert is in the store.")
@click.option("--keep", metavar="FILE", help="Keep the capture under this name.")
@json_option
@verbose_option
def bench(transactions, seed, workers, with_store, compare, second, floods, writer, questions, latency, keep, as_json):
    """Make a capture of keep-alive API traffic and replay it: packets, bits and transactions a second, and where the time goes.

    \b
    tapwatch bench --transactions 400000 --tshark
    tapwatch bench --questions --transactions 50000000
    """
    if floods:
        _floods(transactions, seed, as_json)
        return
    if latency:
        _latency(as_json)
        return
    if writer:
        _writer(transactions, seed, as_json)
        return
    if questions:
        _questions(transactions, seed, as_json)
        return
    from sensor.bench import TSHARK_SHARE, apart, cores, replay_once, tshark_rate
    from sensor.simulate.load import write_load
    from sensor.simulate.load_http2 import plain_rate, write_http2_load

    with tempfile.TemporaryDirectory(prefix="tapwatch-bench-") as folder:
        path = pathlib.Path(keep) if keep else pathlib.Path(folder) / "load.pcap"
        click.echo(f"Making a capture of {transactions:,} transactions (seed {seed}).", err=True)
        load, scripts = write_http2_load(path, transactions, seed) if second else (write_load(path, transactions, seed), [])
        config, plain = load_settings(None), 0.0
        runs = []
        for number in workers or (1, 2):
            turns = []
            for _ in range(TURNS if second else 1):
                turns.append(apart(replay_once, config, path, number, False))
                plain = max(plain, plain_rate(scripts[:PLAIN_SCRIPTS])) if second else plain
            runs.append(min(turns, key=lambda run: run["ns_per_packet"]["http"]))
        if with_store:
            config = msgspec.structs.replace(config, store=f"chdb://{folder}/store")
            runs.append(apart(replay_once, config, path, 1, True))
        result = {"cores": cores(), "load": load, "runs": runs}
        if second:
            result["plain_transactions_per_s"] = round(plain)
        if compare:
            result["tshark"] = tshark_rate(path, load["packets"] // TSHARK_SHARE)
    if as_json:
        click.echo(msgspec.json.encode(result))
        return
    _print(result)


def _floods(steps: int, seed: int, as_json: bool) -> None:
    """Every flood in turn, a line each."""
    from sensor.bench import apart, flood_once
    from sensor.simulate.floods import FLOODS, write_flood

    config = load_settings(None)
    for kind in FLOODS:
        with tempfile.TemporaryDirectory(prefix="tapwatch-bench-") as folder:
            path = pathlib.Path(folder) / "flood.pcap"
            ordinary = write_flood(path, kind, steps, ORDINARY, seed)["transactions"]
            result = {"flood": kind, "ordinary": ordinary} | apart(flood_once, config, path)
        if as_json:
            click.echo(msgspec.json.encode(result))
            continue
        evicted = ", ".join(f"{name} {number:,}" for name, number in result["evicted"].items()) or "none"
        click.echo(
            f"{kind:<14} {result['packets']:,} packets in {result['seconds']:.2f} s; {result['ordinary_whole']:,} of "
            f"{ordinary:,} ordinary transactions whole; peak RSS {result['peak_rss_mb']} MB of {config.limits.memory}; "
            f"evicted: {evicted}"
        )


def _latency(as_json: bool) -> None:
    """From packet to alert."""
    from sensor.bench_latency import LatencyError, alert_latency

    with tempfile.TemporaryDirectory(prefix="tapwatch-bench-") as folder:
        try:
            result = alert_latency(ATTACKS, pathlib.Path(folder))
        except LatencyError as error:
            raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(msgspec.json.encode(result))
    elif not result["told"]:
        raise click.ClickException(f"None of {result['attacks']} attacks was told.")
    else:
        click.echo(
            f"{result['told']} of {result['attacks']} attacks told; from the packet that completes one to its alert in the "
            f"store: median {result['p50_s']} s, 99 % within {result['p99_s']} s, largest {result['largest_s']} s"
        )


def _writer(transactions: int, seed: int, as_json: bool) -> None:
    """The store's writer beside a bare insert."""
    from sensor.bench import apart
    from sensor.bench_store import writer_run
    from sensor.simulate.load import write_load

    with tempfile.TemporaryDirectory(prefix="tapwatch-bench-") as folder:
        path = pathlib.Path(folder) / "load.pcap"
        write_load(path, transactions, seed)
        result = apart(writer_run, load_settings(None), path, pathlib.Path(folder))
    if as_json:
        click.echo(msgspec.json.encode(result))
        return
    click.echo(
        f"{result['rows']:,} transactions in {result['blocks']} blocks, {result['bytes_per_row']} bytes each on disk; "
        f"one core, medians of {result['turns']} turns\nwriter       {result['writer_rows_per_s']:>10,} rows/s\n"
        f"bare insert  {result['bare_rows_per_s']:>10,} rows/s of the same blocks: the writer reaches "
        f"{100 * result['share_of_bare']:.0f} % of it"
    )


def _questions(transactions: int, seed: int, as_json: bool) -> None:
    """The saved questions, the slowest first."""
    from sensor.bench import apart
    from sensor.bench_store import questions_run
    from sensor.simulate.scenarios import Scenario, write_scenario

    with tempfile.TemporaryDirectory(prefix="tapwatch-bench-") as folder:
        path = pathlib.Path(folder) / "day.pcap"
        write_scenario(Scenario("ordinary", seed, hours=24.0, people=PEOPLE), path, None)
        result = apart(questions_run, load_settings(None), path, pathlib.Path(folder), transactions)
    if as_json:
        click.echo(msgspec.json.encode(result))
        return
    click.echo(
        f"{result['rows']:,} transactions of {result['days']} days, {result['endpoints']} endpoints, "
        f"{result['actors']:,} actors, {result['bytes_on_disk'] / MB:,.0f} MB; {result['cores']} cores"
    )
    for one in sorted(result["questions"], key=lambda one: -one["seconds"]):
        click.echo(f"{one['seconds']:7.3f} s  {one['question']:<28} {one['rows']:>7,} rows; granules read {one['granules']}")


def _print(result: dict) -> None:
    load = result["load"]
    click.echo(
        f"{load['packets']:,} packets of {load['bytes'] / load['packets']:.0f} bytes on average, {load['bytes'] / MB:,.0f} MB, "
        f"{load['transactions']:,} transactions; {result['cores']} cores"
    )
    for run in result["runs"]:
        plural = "s" if run["workers"] > 1 else ""
        click.echo(
            f"\n{run['workers']} worker{plural}{', embedded store' if run['store'] else ', no store'}: "
            f"{run['seconds']:.2f} s, {run['packets_per_s']:,} packets/s, {run['gbit_per_s']} Gbit/s, "
            f"{run['transactions_per_s']:,} transactions/s, peak RSS {run['peak_rss_mb']} MB"
        )
        found = "all" if run["transactions"] == load["transactions"] else f"{run['transactions']:,}"
        losses = ", ".join(f"{name} {number:,}" for name, number in run["losses"].items()) or "none"
        click.echo(f"  {found} transactions found; alerts {run['alerts']}; losses {losses}")
        stages = "  ".join(f"{name} {ns}" for name, ns in run["ns_per_packet"].items())
        click.echo(f"  ns per packet: {stages}")
    if "plain_transactions_per_s" in result:
        run, plain = result["runs"][0], result["plain_transactions_per_s"]
        stage = 1e9 * load["transactions"] / load["packets"] / run["ns_per_packet"]["http"]
        click.echo(
            f"\nhpack and hyperframe alone, same bytes, the best of {TURNS} turns each: {plain:,} transactions/s: "
            f"{run['transactions_per_s'] / plain:.0f} "
            f"times slower than one worker, {stage / plain:.0f} times slower than its HTTP stage ({stage:,.0f} transactions/s)"
        )
    if "tshark" in result:
        other = result["tshark"]
        if other is None:
            click.echo("\ntshark is not installed.")
        else:
            ratio = result["runs"][0]["packets_per_s"] / other["packets_per_s"]
            click.echo(
                f"\ntshark on the first {other['packets']:,} packets: {other['seconds']} s, "
                f"{other['packets_per_s']:,} packets/s: {ratio:.0f} times slower than one worker"
            )
