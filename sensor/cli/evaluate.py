"""tapwatch evaluate"""

import pathlib
import sys
import tempfile

import click

from sensor.cli.options import config_option, json_option, load_settings, verbose_option

_COLUMNS = {
    "scenario": "scenario",
    "sources": "sources",
    "hours": "hours",
    "transactions": "transactions",
    "incidents": "attacks",
    "found": "found",
    "alerts": "alerts",
    "false_alerts": "false alerts",
    "delay": "requests until raised",
    "sources_named": "sources named",
    "others_named": "others named",
}


@click.command()
@click.argument("captures", nargs=-1, metavar="[CAPTURE]...")
@click.option("--seed", default=1, show_default=True, help="Of the scenarios.")
@json_option
@config_option
@verbose_option
def evaluate(captures: tuple[str, ...], seed: int, as_json: bool, config_path: str | None) -> None:
    """Hold the detectors against captures with labels, by default against a round of scenarios made for it.

    CAPTURE: a capture that `tapwatch simulate` wrote, its labels beside it. Exit status 1 when an attack was not found.

    \b
    tapwatch evaluate
    tapwatch simulate sweep --sources 500 -o s.pcap && tapwatch evaluate s.pcap
    """
    from sensor.cli.tables import print_json, print_table
    from sensor.evaluate import evaluate_file, evaluate_round
    from sensor.warmup import ready_kernels

    config = load_settings(config_path)
    ready_kernels(config, False, lambda text: click.echo(text, err=True))
    if captures:
        outcomes = [evaluate_file(pathlib.Path(name), config) for name in captures]
    else:
        with tempfile.TemporaryDirectory() as folder:
            outcomes = list(evaluate_round(pathlib.Path(folder), seed, config))
    rows = [outcome.as_dict() for outcome in outcomes]
    if as_json:
        print_json(rows)
    else:
        print_table(list(_COLUMNS.values()), [[row[name] for name in _COLUMNS] for row in rows])
    if any(outcome.found < outcome.incidents for outcome in outcomes):
        sys.exit(1)
