"""Pages of the manual by name: those that are written, and those that follow from the program."""

import ast
import importlib
import inspect
import pathlib
import re
import tempfile
from collections.abc import Callable

import click
import msgspec

FOLDER = pathlib.Path(__file__).parent
MAN_END = """.SH ENVIRONMENT
.TP
.B TAPWATCH_STORE
The store, as a DSN.
.TP
.B TAPWATCH_KEY
32 hexadecimal digits that key the hashes of credentials.
.SH EXIT STATUS
0: done. 1: the run failed, or found what it was to look for (spec diff, evaluate, ledger verify).
2: the call was wrong.
.SH SEE ALSO
\\fBtapwatch manual\\fR: pages on deploying, sizing, configuration, detectors, schema, privacy, adding detectors and
protocols.
"""


def commands() -> str:
    """All commands with their options, from the command line itself."""
    lines = ["# Commands", ""]
    for path, command in _every_command():
        lines += [f"## {path}", "", "```", command.get_help(click.Context(command, info_name=path)), "```", ""]
    return "\n".join(lines)


def _all_of(path: str, command: click.Command) -> list[tuple[str, click.Command]]:
    """A command, or those of a group."""
    if isinstance(command, click.Group):
        return [one for name, inner in command.commands.items() for one in _all_of(f"{path} {name}", inner)]
    return [(path, command)]


def configuration() -> str:
    """Every setting with its default, from the configuration's own types."""
    from sensor import settings

    tree = ast.parse(inspect.getsource(settings))
    lines = [
        "# Configuration",
        "",
        "TOML; every setting has a default. `[[notify]]` and `[[suppress]]` may stand several times.",
        "",
    ]
    for node in tree.body:
        title = isinstance(node, ast.ClassDef) and (ast.get_docstring(node) or "")
        if not isinstance(node, ast.ClassDef) or not (title and (title.startswith("[") or node.name == "Config")):
            continue
        lines += [f"## {title if title.startswith('[') else 'At the top'}", ""]
        defaults = {field.name: field.default for field in msgspec.structs.fields(getattr(settings, node.name))}
        for field, note in zip(node.body, [*node.body[1:], None], strict=True):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                told = str(note.value.value) if isinstance(note, ast.Expr) and isinstance(note.value, ast.Constant) else ""
                default = defaults[field.target.id]
                if isinstance(default, msgspec.Struct):
                    continue  # a section of its own
                shown = "" if default is msgspec.NODEFAULT else f" = {_toml(default)}"
                lines.append(f"- `{field.target.id}{shown}`{': ' * bool(told)}{told}")
        lines.append("")
    return "\n".join(lines)


def _toml(value: object) -> str:
    """A default as TOML would have it."""
    if value is None:
        return "(none)"
    return "{}" if value == {} else msgspec.json.encode(value).decode()


def detectors() -> str:
    """What each detector finds, why, and how to tune it, from their own words."""
    from detectors.base import find_detectors

    lines = ["# Detectors", ""]
    for name, kind in find_detectors().items():
        lines += [
            f"## {name} ({kind.owasp}, {kind.severity})",
            "",
            inspect.getdoc(importlib.import_module(kind.__module__)) or "",
            "",
        ]
        notes = _notes(kind)
        lines += [f"- `{key} = {value}`: {notes.get(key, '')}" for key, value in kind.settings().items()]
        lines += ["", f"Set them in `[detectors.{name}]`; `tapwatch alert ID --mark` moves the threshold at one endpoint.", ""]
    return "\n".join(lines)


def _notes(kind: type) -> dict[str, str]:
    """What stands below the attributes of a class and of those that it inherits from."""
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__[:-1]):
        body = ast.parse(inspect.getsource(one).lstrip()).body[0]
        if isinstance(body, ast.ClassDef):
            for field, note in zip(body.body, body.body[1:], strict=False):
                if isinstance(field, ast.AnnAssign) and isinstance(note, ast.Expr) and isinstance(note.value, ast.Constant):
                    found[ast.unparse(field.target)] = str(note.value.value)
    return found


def schema() -> str:
    """Tables and views with what their columns mean, as ClickHouse itself tells it of a new store."""
    from sensor.store.open import open_store

    lines = ["# The ClickHouse schema", "", "Read the views; tables named `…_versions` hold one row a run and change.", ""]
    with tempfile.TemporaryDirectory() as folder, open_store(f"chdb://{folder}/store") as store:
        tables = store.rows("SELECT name, engine, comment FROM system.tables WHERE database = currentDatabase() ORDER BY name")
        columns = store.rows(
            "SELECT table, name, type, comment FROM system.columns WHERE database = currentDatabase() ORDER BY table, position"
        )
    for table, engine, told in tables:
        lines += [f"## {table} ({'view' if engine == 'View' else 'table'})", "", told, ""]
        lines += [f"- `{name}` {kind}{': ' * bool(note)}{note}" for of, name, kind, note in columns if of == table]
        lines.append("")
    return "\n".join(lines)


GENERATED: dict[str, Callable[[], str]] = {
    "commands": commands,
    "configuration": configuration,
    "detectors": detectors,
    "schema": schema,
}


def names() -> list[str]:
    """All pages."""
    return sorted([*(path.stem for path in FOLDER.glob("*.md")), *GENERATED])


def page(name: str) -> str:
    """One page as Markdown. Raises KeyError."""
    if name in GENERATED:
        return GENERATED[name]().rstrip() + "\n"
    path = FOLDER / f"{name}.md"
    if name not in names():
        raise KeyError(name)
    return path.read_text("utf-8")


def man() -> str:
    """The man page tapwatch(1), as roff."""
    from sensor import __version__
    from sensor.cli import COMMANDS

    def safe(text: str) -> str:
        return re.sub(r"^([.'])", r"\\&\1", text.replace("\\", "\\e").replace("-", "\\-"))

    lines = [
        f'.TH TAPWATCH 1 "" "Tapwatch {__version__}" "User Commands"', ".SH NAME",
        "tapwatch \\- API endpoints, and automated attacks on them, in mirrored traffic", ".SH SYNOPSIS",
        ".B tapwatch", "[\\fIoptions\\fR] \\fIcommand\\fR [\\fIarguments\\fR]", ".SH COMMANDS",
    ]  # fmt: skip
    for name, told in COMMANDS.items():
        lines += [".TP", f".B {safe(name)}", safe(told)]
    lines += [".SH USAGE"]
    for path, command in _every_command():
        lines += [f".SS {safe(path)}", *(safe(line) for line in _man_text(command))]
        for option in command.params:
            if isinstance(option, click.Option) and option.help:
                shown = ", ".join(option.opts) + (
                    f" {option.make_metavar(click.Context(command))}" if not option.is_flag else ""
                )
                lines += [".TP", f".B {safe(shown)}", safe(option.help)]
        lines += [".PP", ".nf", *map(safe, _examples(command)), ".fi"]
    return "\n".join(lines) + "\n" + MAN_END


def _man_text(command: click.Command) -> list[str]:
    """What a command does, without its examples."""
    return [line.strip() for line in (command.help or "").splitlines() if line.strip() and not _is_example(line)]


def _examples(command: click.Command) -> list[str]:
    return [line.strip() for line in (command.help or "").splitlines() if line.strip().startswith("tapwatch ")]


def _is_example(line: str) -> bool:
    return line.strip().startswith("tapwatch ") or line.strip() == "\b"


def _every_command() -> list[tuple[str, click.Command]]:
    """All commands that do something, by their words."""
    from sensor.cli import COMMANDS, main

    found = []
    for name in COMMANDS:
        command = main.get_command(click.Context(main), name)
        found += _all_of(f"tapwatch {name}", command) if command else []
    return found
