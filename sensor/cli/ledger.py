"""tapwatch ledger"""

import pathlib
import re
import sys

import click

from sensor.cli.options import common, config_option, json_option, load_settings, store_dsn_of, verbose_option
from sensor.core.inert import inert_json

KEY_HELP = "The key that must have signed it; otherwise the one that it names is believed."


class _Hex(click.ParamType):
    """64 hexadecimal digits, as this program prints them."""

    name = "hex"

    def convert(self, value, param, ctx):
        if not re.fullmatch(r"[0-9a-f]{64}", value):
            self.fail(f"{value!r} is not 64 hexadecimal digits.", param, ctx)
        return value


@click.group()
def ledger() -> None:
    """Evidence that nobody can change unseen: alerts, endpoints and what was learned, in a signed chain of Merkle trees.

    `--ledger FILE` of replay and live, or [ledger] in the configuration, writes it.
    """


@ledger.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--public-key",
    metavar="HEX",
    type=_Hex(),
    help=KEY_HELP,
)
@click.option("--anchor", metavar="HEX", type=_Hex(), help="An anchor that was published: it must be in the ledger.")
@click.option("--against-store", is_flag=True, help="Whether the store still says the same, too.")
@json_option
@common
def verify_command(
    file: str, public_key: str | None, anchor: str | None, against_store: bool, as_json: bool, store_dsn: str | None,
    config_path: str | None,
) -> None:  # fmt: skip
    """Find any row or seal that was changed, removed, inserted or moved. Exit status 1 when there is one.

    \b
    tapwatch ledger verify evidence.jsonl --against-store
    """
    import dataclasses

    from sensor.cli.tables import print_json
    from sensor.ledger_differences import differences
    from sensor.ledgering import known_anchors
    from sensor.outputs.ledger import LedgerError, verify

    with pathlib.Path(file).open("rb") as opened:
        found = verify(opened, public_key, anchor)
        known = known_anchors().last_of(pathlib.Path(file), found.first)
        if known not in (None, found.anchor):  # it is further back, or cut off
            opened.seek(0)
            try:
                verify(opened, public_key, known)
            except LedgerError:
                why = "it was cut off, or is an older copy."
                raise LedgerError(f"{file} ends before the last seal that this machine wrote to it: {why}") from None
        opened.seek(0)
        wrong = differences(opened, *_stored(store_dsn, config_path)) if against_store else []
    if as_json:
        print_json([dataclasses.asdict(found) | {"differences": wrong}])
    else:
        click.echo(f"{found.rows:,} rows under {found.seals:,} seals are as they were sealed.")
        click.echo(f"anchor      {found.anchor}\npublic key  {found.public_key}")
        for sentence in wrong:
            click.echo(sentence)
    if wrong:
        sys.exit(1)


def _stored(store_dsn: str | None, config_path: str | None) -> tuple[list[dict], list[dict], list[dict]]:
    """Alerts, endpoints, and what was learned of paths, as the store has them."""
    from sensor.store import open_store, queries

    with open_store(store_dsn_of(store_dsn, config_path), create=False) as store:
        return queries.alerts(store), queries.endpoints(store), queries.template_changes(store)


@ledger.command("prove")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.argument("text")
@verbose_option
def prove_command(file: str, text: str) -> None:
    """A proof of the last row that holds TEXT (an alert's id), for somebody who has nothing else: JSON, on standard output.

    \b
    tapwatch ledger prove evidence.jsonl a211cf05bfd6f518 > proof.json
    """

    from sensor.outputs.ledger import prove

    with pathlib.Path(file).open("rb") as opened:
        click.echo(inert_json(prove(opened, text.encode())))


@ledger.command("check")
@click.argument("proof", type=click.File("rb"))
@click.option(
    "--public-key",
    metavar="HEX",
    type=_Hex(),
    help=KEY_HELP,
)
@verbose_option
def check_command(proof, public_key: str | None) -> None:
    """Whether a proof of `ledger prove` holds, without the ledger: prints its row. Exit status 1 when it does not.

    \b
    tapwatch ledger check proof.json
    """

    from sensor.outputs.ledger import check

    click.echo(inert_json(check(proof.read(), public_key)))


@ledger.command("key")
@config_option
@verbose_option
def key_command(config_path: str | None) -> None:
    """The public key of this sensor's ledgers, to be kept where they are not.

    \b
    tapwatch ledger key
    """
    from sensor.ledgering import ledger_key
    from sensor.outputs.ledger import load_key

    click.echo(load_key(ledger_key(load_settings(config_path))).public_key().public_bytes_raw().hex())
