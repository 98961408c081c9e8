"""`tapwatch doctor`: what is wrong, and the command that mends it."""

import dataclasses
import sys

import click

from sensor.cli.options import common, json_option, load_settings
from sensor.core.inert import inert_json


@click.command()
@click.option("-i", "--interface", "interfaces", multiple=True, metavar="IFACE", help="Interface; may be given several times.")
@json_option
@common
def doctor(interfaces, as_json, store_dsn, config_path):
    """Say of this machine, its interfaces and its store what is good, what is bad, and which command mends it.

    \b
    tapwatch doctor -i eth1

    Exit status 1 when something is bad.
    """
    config = load_settings(config_path, store=store_dsn)
    from sensor.doctor import examine

    bad = False
    for finding in examine(config, list(interfaces or config.live.interfaces)):
        bad |= not finding.good
        if as_json:
            click.echo(inert_json(dataclasses.asdict(finding)))
            continue
        click.echo(f"{'good' if finding.good else 'BAD '}  {finding.name}: {finding.text}")
        if not finding.good and finding.mend:
            click.echo(f"      {finding.mend}")
    if bad:
        sys.exit(1)
