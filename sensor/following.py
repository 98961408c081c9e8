"""A feed that is kept up to date in a file: written anew whenever its entries change, at once or not at all."""

import os
import pathlib
import shlex
import signal
import subprocess
import threading
from collections.abc import Callable

from sensor.outputs.blocklist.rules import Feed
from sensor.store.errors import StoreError

THEN_WITHIN = 60
"""Seconds that the command behind a change may take."""


def follow_feed(
    feed: Callable[[], tuple[Feed, str]], path: pathlib.Path, seconds: float, then: str | None, say: Callable[[str], None]
) -> None:
    """Ask for the feed every so many seconds until SIGINT or SIGTERM. A store that is away is told once, the file stays."""
    ended = threading.Event()
    before = [signal.signal(number, lambda *_: ended.set()) for number in (signal.SIGINT, signal.SIGTERM)]
    written, away = None, False
    try:
        while not ended.is_set():
            try:
                found, text = feed()
                away = False
            except StoreError as error:
                if not away:
                    say(f"The feed stays as it is: {error}")
                away = True
            else:
                if found.entries != written:
                    replace(path, text)
                    written = found.entries
                    say(f"{path}: {len(found.entries):,} entries, {len(found.left_out):,} left out.")
                    if then:
                        run(then, say)
            ended.wait(seconds)
    finally:
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(number, handler)


def replace(path: pathlib.Path, text: str) -> None:
    """Write a file so that whoever reads it finds the old or the new one, whole."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def run(command: str, say: Callable[[str], None]) -> None:
    """Run a command, without a shell; that it failed is said."""
    try:
        done = subprocess.run(
            shlex.split(command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=THEN_WITHIN,
            errors="replace",
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        say(f"{command!r} could not be run: {error}")
        return
    if done.returncode:
        say(f"{command!r} ended with status {done.returncode}: {done.stderr.strip()[-500:]}")
