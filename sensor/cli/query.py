"""tapwatch query"""

import click

from sensor.cli.options import common, json_option, names_of, store_dsn_of


@click.command()
@click.argument("name", required=False, shell_complete=names_of("sensor.store.saved", "saved_queries"))
@click.option(
    "--param", "-p", "given", multiple=True, metavar="NAME=VALUE", help="Value of a parameter; may be given several times."
)
@json_option
@click.option("--csv", "separator", flag_value=",", help="Print CSV with a header.")
@click.option("--tsv", "separator", flag_value="\t", help="Print tab-separated values with a header.")
@common
def query(
    name: str | None,
    given: tuple[str, ...],
    as_json: bool,
    separator: str | None,
    store_dsn: str | None,
    config_path: str | None,
) -> None:
    """Run a saved query NAME on the store; without a name, list them.

    \b
    tapwatch query
    tapwatch query guessable_identifiers
    tapwatch query actors_of_endpoint -p endpoint=/v1/products/{int}
    """
    from sensor.cli.tables import print_blocks, print_json, print_table
    from sensor.store import open_store
    from sensor.store.saved import saved_queries, saved_query

    if name is None:
        listed = [
            (one.name, ", ".join(f"{p.name}={p.default}" for p in one.parameters), one.help) for one in saved_queries().values()
        ]
        if as_json:
            print_json({"name": name, "parameters": parameters, "help": text} for name, parameters, text in listed)
        else:
            print_table(("query", "parameters", "answers"), listed)
        return
    if as_json and separator:
        raise click.UsageError("--json, --csv and --tsv exclude one another.")
    values = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals:
            raise click.UsageError(f"--param {text}: write NAME=VALUE.")
        values[key] = value
    chosen = saved_query(name)
    with open_store(store_dsn_of(store_dsn, config_path), create=False) as store:
        print_blocks(chosen.run(store, values), as_json, separator)
