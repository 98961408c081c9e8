"""tapwatch alert"""

import datetime
import pathlib
import sys
from typing import Any

import click

from sensor.cli.options import common, json_option, load_settings, store_dsn_of


@click.command()
@click.argument("alert_id")
@click.option(
    "--pcap", "out", metavar="FILE", help="Cut the packets of its connections out of captures, into this pcapng file."
)
@click.option(
    "--from",
    "captures",
    multiple=True,
    metavar="PCAP",
    help="Capture to cut from, or the name that was given to `live -w`; default: that of the configuration.",
)
@click.option(
    "--mark",
    type=click.Choice(["false-positive", "true-positive", "benign", "none"]),
    help="Say what it is: false positives raise the threshold there, and are not told again; none takes it back.",
)
@click.option("--note", default="", help="Why, kept with the mark.")
@json_option
@common
def alert(
    alert_id: str, out: str | None, captures: tuple[str, ...], mark: str | None, note: str, as_json: bool,
    store_dsn: str | None, config_path: str | None,
) -> None:  # fmt: skip
    """One alert with its whole explanation and evidence; the beginning of ALERT_ID is enough.

    \b
    tapwatch alert ac16
    tapwatch alert ac16 --pcap evidence.pcapng --from monday.pcap
    tapwatch alert ac16 --mark false-positive --note "load test of the shop team"
    """
    from sensor.cli.tables import print_fields, print_json
    from sensor.store import open_store, queries

    paths = _captures(captures, config_path) if out else []
    with open_store(store_dsn_of(store_dsn, config_path), create=False) as store:
        row = queries.alert(store, alert_id)
        if mark:
            queries.set_mark(store, row["alert_id"], "" if mark == "none" else mark, note)
            click.echo(f"{row['alert_id']} is marked: {mark}.", err=True)
            row = queries.alert(store, row["alert_id"])
        connections = queries.connections_of(store, row) if out else []
    if out:
        _cut(row, connections, paths, out)
        return
    if as_json:
        print_json([row])
    else:
        print_fields([(name.replace("_", " "), value) for name, value in row.items()])


def _captures(given: tuple[str, ...], config_path: str | None) -> list[pathlib.Path]:
    """The captures to cut from: files, or all files of a ring."""
    from sensor.capture.pcapng import ring_files

    names = given or tuple(filter(None, (load_settings(config_path).live.write,)))
    if not names:
        raise click.UsageError("Name the captures to cut from with --from: what was replayed, or what `live -w` wrote.")
    found = []
    for name in names:
        path = pathlib.Path(name)
        files = [path] if path.is_file() else ring_files(path)
        if not files:
            raise click.UsageError(f"There is no capture {name}, and no files that `live -w {name}` wrote.")
        found += files
    return found


def _cut(row: dict[str, Any], connections: list[tuple[str, int, str, int]], paths: list[pathlib.Path], out: str) -> None:
    from sensor.evidence import cut_out, wanted_connections

    begin, end = (_nanoseconds(row[name]) for name in ("first_seen", "last_seen"))
    done = cut_out(wanted_connections(connections, begin, end), paths, pathlib.Path(out))
    click.echo(f"{done.packets:,} packets of {len(connections):,} connections, out of {done.captures} captures, are in {out}.")
    if not done.packets:
        sys.exit(1)


def _nanoseconds(text: str) -> int:
    """A time of the store, RFC 3339, since the epoch."""
    return int(datetime.datetime.fromisoformat(text).timestamp() * 1e6) * 1000
