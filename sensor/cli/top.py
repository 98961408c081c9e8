"""tapwatch top"""

import contextlib
import time
from typing import Any

import click

from sensor.cli.options import common, load_settings
from sensor.core.inert import inert, inert_json

EVERY = 1.0
"""Seconds between two looks."""
KNOWN = {"connections": "connections", "endpoints": "endpoints", "alerts": "incidents"}
LOSSES = ("kernel_dropped", "shed", "store_dropped", "gap_bytes", "duplicate", "evicted_capacity")


@click.command()
@click.option(
    "--address", metavar="ADDRESS:PORT", help="Of the sensor's metrics; default: `metrics.listen` of the configuration."
)
@click.option("--once", is_flag=True, help="Look for a second, print once, and end.")
@click.option("--json", "as_json", is_flag=True, help="With --once: what the sensor says of itself, as JSON.")
@common
def top(address: str | None, once: bool, as_json: bool, store_dsn: str | None, config_path: str | None) -> None:
    """What a running sensor, or a replay, sees: rates, losses, the busiest endpoints, the newest incidents. Ctrl-C ends it.

    A replay tells it with --metrics ADDRESS:PORT.

    \b
    tapwatch top
    tapwatch top --address 127.0.0.1:9500
    tapwatch top --once --json
    """

    place = address or load_settings(config_path).metrics.listen
    if not place:
        raise click.UsageError("The configuration has no `metrics.listen`: name the sensor's with --address.")
    before = look(place)
    time.sleep(EVERY)
    now = look(place)
    if as_json:
        click.echo(inert_json(now))
    elif once:
        _print(before, now)
    else:
        with contextlib.suppress(KeyboardInterrupt):
            _watch(place, before, now)


def look(place: str) -> dict[str, Any]:
    """What the sensor says of itself. Raises ClickException where there is none."""
    import msgspec
    import urllib3

    try:
        answer = urllib3.PoolManager(timeout=urllib3.Timeout(3.0), retries=False).request("GET", f"http://{place}/top")
        found = msgspec.json.decode(answer.data) if answer.status == 200 else None
    except (urllib3.exceptions.HTTPError, msgspec.DecodeError):
        found = None
    if not isinstance(found, dict):
        raise click.ClickException(f"No sensor answers at {place}: start `tapwatch live`, or name its metrics with --address.")
    return found


def _watch(place: str, before: dict[str, Any], now: dict[str, Any]) -> None:
    from rich.live import Live

    with Live(_picture(before, now), screen=True, refresh_per_second=4) as screen:
        while True:
            time.sleep(EVERY)
            before, now = now, look(place)
            screen.update(_picture(before, now))


def _print(before: dict[str, Any], now: dict[str, Any]) -> None:
    from rich.console import Console

    console = Console(markup=False, highlight=False, emoji=False)
    console.print(_picture(before, now))


def _picture(before: dict[str, Any], now: dict[str, Any]):
    from rich.console import Group
    from rich.text import Text

    seconds = max(0.1, now.get("made", 0) - before.get("made", 0))
    counters, earlier = now.get("counters", {}), before.get("counters", {})

    def rate(name: str) -> float:
        return (counters.get(name, 0) - earlier.get(name, 0)) / seconds

    lost = ", ".join(f"{name} {counters[name]:,}" for name in LOSSES if counters.get(name)) or "nothing"
    megabits = rate("frame_bytes") * 8 / 1e6
    rates = f"{rate('frames'):,.0f} packets/s, {megabits:,.1f} Mbit/s, {rate('transactions'):,.0f} transactions/s"
    known = ", ".join(f"{now.get(name, 0):,} {called}" for name, called in KNOWN.items())
    head = [f"{now.get('sensor', '')}: {rates}", f"{known}; lost: {lost}"]
    for tap in now.get("interfaces", []):
        state = "up" if tap["up"] else "down"
        head.append(
            f"{tap['name']}: {state}, {tap['packets']:,} packets, {tap['dropped']:,} dropped, ring {tap['waiting']:.0%} full"
        )
    hottest = _table(("calls", "host", "method", "endpoint"), [(str(n), *texts) for *texts, n in now.get("hottest", [])])
    incidents = _table(
        ("severity", "detector", "calls", "where", "what"),
        [
            (one["severity"], one["detector"], str(one["transactions"]), f"{one['method']} {one['host']}{one['endpoint']}",
             one["explanation"])
            for one in reversed(now.get("incidents", []))
        ],
    )  # fmt: skip
    return Group(*(Text(inert(line)) for line in head), hottest, incidents)


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]):
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    for row in rows:
        table.add_row(*(Text(inert(value), overflow="fold") for value in row))
    return table
