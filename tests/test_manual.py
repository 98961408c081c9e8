"""The manual: its pages are there, follow from the program, and every command in them works."""

import contextlib
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from detectors.base import find_detectors
from sensor.cli import COMMANDS, main
from sensor.manual import pages

PCAPS = pathlib.Path(__file__).parent.parent / "pcaps"
NEEDS_A_TAP = ("live", "doctor", "top")


def commands_of(name):
    """The lines of a page's blocks that call the program."""
    return [line.strip() for line in pages.page(name).splitlines() if line.startswith("    tapwatch ")]


def printed(name):
    """A page, from a process of its own: that of the schema opens a store."""
    done = subprocess.run([sys.executable, "-m", "sensor", "manual", name], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_list_and_a_page_that_there_is_not():
    listed = CliRunner().invoke(main, ["manual"]).output.split()
    assert listed == pages.names() and {"deploying", "sizing", "configuration", "detectors", "schema", "privacy"} <= set(listed)
    wrong = CliRunner().invoke(main, ["manual", "../../etc/passwd"])
    assert wrong.exit_code == 2 and "There is no page" in wrong.output


@pytest.mark.parametrize("name", pages.names())
def test_every_page_is_printed(name):
    text = printed(name)
    assert text.startswith("# ") and text.count("\n") > 10


def test_pages_follow_from_the_program():
    detectors, commands, settings, schema = (printed(name) for name in ("detectors", "commands", "configuration", "schema"))
    for name, kind in find_detectors().items():
        assert f"## {name} (" in detectors
        assert all(f"`{key} = {value}`: " in detectors for key, value in kind.settings().items()), name
    assert all(f"## tapwatch {name}" in commands for name in COMMANDS)
    assert all(
        line in settings
        for line in ('- `memory = "512M"`', "- `duplicate_window_ms = 5.0`", "- `workers = 1`", "## [live]", "- `url`: ")
    )
    assert all(
        f"## {name} (" in schema for name in ("transactions", "alerts", "actors", "actor_sessions", "endpoints", "sensor_stats")
    )
    assert all(f"- `{name}` " in schema for name in ("ts", "remote_ip", "operation_type", "refused", "risk", "intent"))
    assert "- `completeness` Array(LowCardinality(String)): " in schema and schema.count("## actors (view)") == 1


def test_the_man_page_is_roff_without_lines_that_roff_would_misread():
    text = CliRunner().invoke(main, ["manual", "--man"]).output
    requests = {line.split()[0] for line in text.splitlines() if line.startswith(".")}
    assert requests <= {".TH", ".SH", ".SS", ".TP", ".B", ".PP", ".nf", ".fi"} and text.count("\n.nf\n") == text.count(
        "\n.fi\n"
    )
    for words, command in leaves(main):
        section = text.split(f"\n.SS tapwatch {' '.join(words)}\n".replace("-", "\\-"))[1].split("\n.SS ")[0]
        for parameter in command.params:
            for name in parameter.opts if isinstance(parameter, click.Option) else ():
                assert name.replace("-", "\\-") in section, (words, name)
        assert f"\ntapwatch {' '.join(words)}".replace("-", "\\-") in section.split("\n.nf")[1], words


@pytest.mark.skipif(not shutil.which("man"), reason="needs man")
def test_man_shows_the_man_page(tmp_path):
    (tmp_path / "tapwatch.1").write_text(CliRunner().invoke(main, ["manual", "--man"]).output)
    done = subprocess.run(["man", "--warnings", "-l", tmp_path / "tapwatch.1"], capture_output=True, text=True, check=True)
    assert done.stderr == "" and "tapwatch export blocklist" in done.stdout and "--left-out" in done.stdout


def leaves(command, *words):
    """(words, command) of all commands that do something."""
    if not isinstance(command, click.Group):
        return [(words, command)]
    context = click.Context(command)
    return [
        leaf for name in command.list_commands(context) for leaf in leaves(command.get_command(context, name), *words, name)
    ]


def test_every_command_shows_how_it_is_called():
    """And each of these calls has words and options that there are."""
    found = leaves(main)
    assert len(found) >= 36
    for words, command in found:
        examples = [line.strip() for line in (command.help or "").splitlines() if line.strip().startswith("tapwatch ")]
        own = [line for line in examples if line.split()[1 : len(words) + 1] == list(words)]
        assert own, words
        for line in own:
            call = shlex.split(re.split(r" && | > | \| ", line)[0])[len(words) + 1 :]
            with contextlib.suppress(click.FileError):  # a file that the call would read
                try:
                    command.make_context(words[-1], call)
                except click.BadParameter as error:
                    assert "No such file" in str(error) or "does not exist" in str(error), (line, error)


def test_the_first_run_of_the_readme_works(tmp_path):
    """Its commands but the installation, in their order, in a folder with the captures, as a newcomer types them."""
    (tmp_path / "pcaps").symlink_to(PCAPS)
    text = (PCAPS.parent / "README.md").read_text("utf-8")
    section = text[text.index("## First run") : text.index("## Tests")]
    lines = [line.strip().split(" && ")[-1] for line in section.splitlines() if ".venv/bin/tapwatch " in line]
    assert len(lines) >= 7 and lines[0].endswith("replay pcaps/storefront.pcap")
    environment = os.environ | {"XDG_STATE_HOME": str(tmp_path / "state"), "TAPWATCH_KEY": "00" * 16}
    environment.pop("TAPWATCH_STORE", None)
    told = {}
    for line in lines:
        words = shlex.split(line.replace(".venv/bin/tapwatch", f"{sys.executable} -m sensor"))
        done = subprocess.run(
            words,
            cwd=tmp_path,
            env=environment | {"PYTHONPATH": str(PCAPS.parent)},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, (line, done.stderr[-2_000:])
        told[words[3]] = done.stdout
    for sentence in re.findall(r"^    (?:HIGH|CRITICAL) .+$", section, re.MULTILINE):
        assert sentence.strip() in told["replay"]
    assert "198.51.100.77" in told["export"] and "Next expected: 10750" in told["alert"]
    assert (tmp_path / "report.html").stat().st_size > 20_000 and "openapi: 3.1.0" in (tmp_path / "shop.yaml").read_text()


@pytest.mark.parametrize("name", ["deploying", "sizing", "privacy", "adding-a-detector", "adding-a-protocol"])
def test_every_command_works(name, tmp_path):
    """Those that need a tap are parsed; all others run, in their order, on a store that has seen a bundled capture."""
    (tmp_path / "pcaps").symlink_to(PCAPS)
    environment = os.environ | {"XDG_STATE_HOME": str(tmp_path / "state"), "TAPWATCH_STORE": f"chdb://{tmp_path / 'store'}"}
    run = [sys.executable, "-m", "sensor"]
    environment["PYTHONPATH"] = str(PCAPS.parent)
    subprocess.run(
        [*run, "replay", "pcaps/storefront.pcap", "--json"], cwd=tmp_path, env=environment, check=True, capture_output=True
    )
    lines = commands_of(name)
    assert lines
    for line in lines:
        words = shlex.split(re.sub(r"--transactions \d+", "--transactions 20000", line))[1:]  # less of the same
        if words[0] in NEEDS_A_TAP or "--cluster" in words:
            command = main.get_command(click.Context(main), words[0])
            command.make_context(words[0], words[1:])
            continue
        done = subprocess.run([*run, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, (line, done.stderr[-2_000:])
