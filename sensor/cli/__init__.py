"""The command line. This module imports nothing heavy: a command's own module is imported when it is called."""

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import click

from sensor import __version__

COMMANDS = {
    "actors": "Who acts: API tokens, sessions, addresses.",
    "alert": "One alert with its whole explanation and evidence.",
    "alerts": "Alerts, as a table or JSON lines.",
    "bench": "Measure the sensor's own throughput, stage by stage.",
    "correlate": "Find in all sensors' traffic together what none of them told.",
    "doctor": "Say what is wrong with this machine, its interfaces and its store.",
    "encrypted": "TLS services that are asked for, by name, and their clients.",
    "endpoints": "API endpoints that are really called.",
    "evaluate": "Hold the detectors against labelled captures.",
    "export": "Write what other tools take in: OpenAPI, blocklists.",
    "findings": "What is wrong with how endpoints are run.",
    "ledger": "Verify the ledger of evidence, and prove what is in it.",
    "live": "Capture on interfaces and write what is seen to the store.",
    "manual": "Pages on deploying, sizing, configuration, detectors, schema, privacy, adding a detector, adding a protocol.",
    "query": "Run a saved query, or list them.",
    "replay": "Read captures and write what is in them to the store.",
    "report": "One page for people: incidents, endpoints by risk, findings, what was not seen.",
    "schema": "Print or apply the ClickHouse schema.",
    "simulate": "Write a capture of ordinary traffic with a labelled attack inside.",
    "spec": "Compare an OpenAPI document with what is really called.",
    "store": "What the store holds on disk, for how long, and copies of it.",
    "sql": "Run read-only SQL on the store.",
    "top": "What a running sensor sees, as it sees it.",
}
"""Name of a command, of its module sensor.cli.NAME and of the object in it, to its help line."""


class LazyGroup(click.Group):
    """A group whose commands are imported on their call."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return getattr(importlib.import_module(f"sensor.cli.{cmd_name}"), cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def main(self, args: Sequence[str] | None = None, *others: Any, **options: Any) -> Any:
        """Run; a failure of the store or the system is one sentence on stderr and exit status 1."""
        try:
            return super().main(args, *others, **options)
        except BrokenPipeError:
            sys.stderr.close()  # the reader went away, as `| head` does: nothing is left to say
            sys.exit(1)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            _fail(f"{where}{error.strerror or error}")
        except Exception as error:
            if type(error).__name__ not in _SENTENCES:
                raise
            _fail(str(error))


_SENTENCES = ("StoreError", "StoreAwayError", "CaptureError", "ConfigError", "FilterError", "DocumentError", "LabelsError",
              "LedgerError")  # fmt: skip
"""Exceptions whose text is a sentence for the user; named, for importing them would import what they come from."""


def _fail(message: str) -> None:
    safe = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in message)
    click.echo(f"tapwatch: {safe}", err=True)
    sys.exit(1)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, "-V", "--version", message="tapwatch %(version)s")
def main() -> None:
    """Find API endpoints, and automated attacks on them, in mirrored traffic."""
