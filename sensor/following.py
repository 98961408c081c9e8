"""A feed that is kept up to date in a file: written anew whenever its entries change, at once or not at all."""

import os
import pathlib
import shlex
import signal
import subprocess
import threading
from collections.abc import Callable

from sensor.outputs.blocklist.rules import Entry, Feed, left_out_text
from sensor.store.errors import StoreError

THEN_WITHIN = 60
"""Seconds that the command behind a change may take."""


def follow_feed(
    feed: Callable[[], tuple[Feed, str]],
    path: pathlib.Path,
    seconds: float,
    then: str | None,
    say: Callable[[str], None],
    left_out: pathlib.Path | None = None,
) -> None:
    """Ask for the feed every so many seconds until SIGINT or SIGTERM. A store that is away is told once, the file stays.

    left_out: where those are listed that are left out, each time before the feed.

    Raises OSError where the file cannot be written at the start.
    """
    ended = threading.Event()
    before = [signal.signal(number, lambda *_: ended.set()) for number in (signal.SIGINT, signal.SIGTERM)]
    written: list[Entry] | None = None
    told: list[Entry] | None = None
    listed: list[tuple[str, str]] | None = None
    begun = away = False
    try:
        while not ended.is_set():
            try:
                found, text = feed()
                away = False
                if left_out and found.left_out != listed:
                    _list(left_out, found, begun, say)
                    listed = found.left_out
                if found.entries != written:
                    replace(path, text)
                    begun, again, told = True, found.entries == told, found.entries
                    if not again:
                        say(f"{path}: {len(found.entries):,} entries, {len(found.left_out):,} left out.")
                    worked = then is None or run(then, (lambda _: None) if again else say)
                    written = found.entries if worked else None  # what did not work is tried again, and told once
            except StoreError as error:
                if not away:
                    say(f"The feed stays as it is: {error}")
                away = True
            except OSError as error:
                if not begun:
                    raise
                say(f"{path} cannot be written and stays as it is: {error.strerror or error}.")
            ended.wait(seconds)
    finally:
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(number, handler)


def _list(path: pathlib.Path, found: Feed, begun: bool, say: Callable[[str], None]) -> None:
    """Write who is left out. Raises OSError at the start; later the feed goes on without."""
    try:
        replace(path, left_out_text(found))
    except OSError as error:
        if not begun:
            raise
        say(f"{path} cannot be written and stays as it is: {error.strerror or error}.")


def replace(path: pathlib.Path, text: str) -> None:
    """Write a file so that whoever reads it finds the old or the new one, whole; a link stays one, and so does the mode."""
    path = path.resolve()
    beside = path.with_name(f".{path.name}.new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if path.exists():
        beside.chmod(path.stat().st_mode & 0o777)
    beside.replace(path)


def run(command: str, say: Callable[[str], None]) -> bool:
    """Run a command, without a shell: whether it worked; that it failed is said."""
    try:
        done = subprocess.run(
            shlex.split(command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=THEN_WITHIN,
            errors="replace",
        )
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
        say(f"{command!r} could not be run: {error}")
        return False
    if done.returncode:
        say(f"{command!r} ended with status {done.returncode}. {done.stderr.strip()[-500:]}".strip())
    return done.returncode == 0
