"""tapwatch report"""

import pathlib

import click

from sensor.cli.options import common, host_option, since_option, store_dsn_of, until_option


@click.command()
@click.option(
    "-o", "--output", default="report.html", show_default=True, metavar="FILE", help="Write here; - for standard output."
)
@host_option
@since_option
@until_option
@common
def report(
    output: str, host: str | None, since: str | None, until: str | None, store_dsn: str | None, config_path: str | None
) -> None:
    """One page with everything: incidents with plots, endpoints by risk, findings, and what the sensor could not see.

    It needs no network and no other file, and holds no value that is secret.

    \b
    tapwatch report -o report.html
    """
    from sensor import __version__
    from sensor.outputs.report.page import page
    from sensor.reporting import gather
    from sensor.store import open_store

    with open_store(store_dsn_of(store_dsn, config_path), create=False) as store:
        text = page(gather(store, host, since, until), __version__)
    if output == "-":
        click.echo(text, nl=False)
        return
    pathlib.Path(output).write_text(text, "utf-8")
    click.echo(f"{output}: {len(text) / 1000:,.0f} kB", err=True)
