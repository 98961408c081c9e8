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
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0, 10**6), help="Of the scenarios.")
@click.option("--intent", is_flag=True, help="Instead, hold the model of intent against attacks that it was not trained on.")
@click.option("-o", "--output", "out", metavar="FILE", help="With --intent: a page with ROC curves and reliability.")
@json_option
@config_option
@verbose_option
def evaluate(
    captures: tuple[str, ...], seed: int, intent: bool, out: str | None, as_json: bool, config_path: str | None
) -> None:
    """Hold the detectors against captures with labels, by default against a round of scenarios made for it.

    CAPTURE: a capture that `tapwatch simulate` wrote, its labels beside it. Exit status 1 when an attack was not found.

    \b
    tapwatch evaluate
    tapwatch simulate sweep --sources 500 -o s.pcap && tapwatch evaluate s.pcap
    tapwatch evaluate --intent -o intent.html
    """
    if (captures and intent) or (out and not intent):
        raise click.UsageError("--intent makes its own scenarios and takes no CAPTURE; -o goes with --intent.")
    from sensor.cli.tables import print_json, print_table
    from sensor.evaluate import evaluate_file, evaluate_round
    from sensor.warmup import ready_kernels

    config = load_settings(config_path)
    ready_kernels(config, False, lambda text: click.echo(text, err=True))
    if intent:
        _evaluate_intent(seed, out, as_json)
        return
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


def _evaluate_intent(seed: int, out: str | None, as_json: bool) -> None:
    import dataclasses

    from sensor import __version__
    from sensor.cli.tables import print_json
    from sensor.evaluate_intent import evaluate_intent
    from sensor.intent.model import kept_model
    from sensor.outputs.report.intent import intent_page

    curves, bins = evaluate_intent(seed)
    if as_json:
        print_json([dataclasses.asdict(one) for one in curves] + [dataclasses.asdict(one) for one in bins])
    else:
        _print_intent(curves, bins)
    if out:
        page = intent_page(curves, [(one.told, one.true) for one in bins], kept_model().trained_on, seed, __version__)
        pathlib.Path(out).write_text(page, "utf-8")


def _print_intent(curves: list, bins: list) -> None:
    from sensor.cli.tables import print_table

    names = ("scenario", "sessions", "bad", "auc", "found", "accused", "unknown")
    heads = ("scenario", "sessions", "of the attack", "area under ROC", "found", "others accused", "unknown")
    print_table(list(heads), [[getattr(one, name) for name in names] for one in curves])
    print_table(["told", "true", "sessions"], [[one.told, one.true, one.sessions] for one in bins])
