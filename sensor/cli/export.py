"""tapwatch export"""

import pathlib

import click

from sensor.cli.options import common, host_option, store_dsn_of


@click.group()
def export() -> None:
    """What other tools take in, made from the store."""


@export.command("openapi")
@host_option
@click.option("-o", "--output", metavar="FILE", help="Write here (.json, .yaml, .yml) instead of JSON to standard output.")
@common
def export_openapi(host: str | None, output: str | None, store_dsn: str | None, config_path: str | None) -> None:
    """What was observed of one host's API, as an OpenAPI 3.1 document.

    \b
    tapwatch export openapi --host api.shop.test -o shop.yaml
    """
    from sensor.outputs.documents import document_text
    from sensor.outputs.openapi import openapi
    from sensor.store import open_store, queries

    with open_store(store_dsn_of(store_dsn, config_path), create=False) as store:
        chosen = queries.only_host(store, host)
        document = openapi(chosen, queries.endpoints(store, chosen), queries.parameters(store, chosen))
    text = document_text(document, output or ".json")
    if output:
        pathlib.Path(output).write_text(text, "utf-8")
    else:
        click.echo(text, nl=False)
