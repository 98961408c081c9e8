"""tapwatch spec"""

import sys

import click

from sensor.cli.options import common, host_option, json_option, store_dsn_of
from sensor.core.inert import inert

_WHAT = {
    "shadow": "called, and not documented",
    "zombie": "an old version that is still called",
    "orphan": "documented, and never called",
    "deprecated": "documented as deprecated, and called",
    "parameter": "parameters that are not documented",
    "property": "properties of bodies that are not documented",
    "missing": "properties that are documented as required, and are not always there",
    "type": "values of another type than documented",
    "status": "statuses that are not documented",
}


@click.group()
def spec() -> None:
    """Compare an OpenAPI document with what is really called."""


@spec.command("diff")
@click.argument("document", metavar="OPENAPI")
@host_option
@json_option
@common
def diff(document: str, host: str | None, as_json: bool, store_dsn: str | None, config_path: str | None) -> None:
    """Shadow, zombie, orphan and deprecated endpoints; parameters, properties, types and statuses that OPENAPI lacks.

    \b
    tapwatch spec diff shop.yaml --host api.shop.test

    OPENAPI is OpenAPI 3.0 or 3.1, or Swagger 2.0, in JSON or YAML. Exit status 1 when something was found.
    """
    import dataclasses

    from sensor.cli.tables import print_json
    from sensor.outputs.documents import read_document
    from sensor.outputs.specdiff import differences, hosts_of
    from sensor.store import open_store, queries

    read = read_document(document)
    with open_store(store_dsn_of(store_dsn, config_path), create=False) as store:
        chosen = queries.only_host(store, host or queries.first_known_host(store, hosts_of(read)))
        found = differences(
            read, queries.endpoints(store, chosen), queries.parameters(store, chosen), queries.schema_fields(store, chosen)
        )
    if as_json:
        print_json([dataclasses.asdict(one) for one in found])
    else:
        for kind, what in _WHAT.items():
            of_kind = [one for one in found if one.kind == kind]
            if of_kind:
                click.echo(f"{kind}: {what}")
            for one in of_kind:
                click.echo(f"  {inert(one.method)} {inert(one.path)}: {inert(one.detail)}")
        if not found:
            click.echo(f"{chosen} is called as it is documented.")
    if found:
        sys.exit(1)
