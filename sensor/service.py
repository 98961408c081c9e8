"""What a service manager is told, and how: sd_notify(3) and log lines of sd-daemon(3)."""

import contextlib
import os
import socket
import sys
import time

EMERGENCY, ERROR, WARNING, NOTICE, INFO = 0, 3, 4, 5, 6


class Manager:
    """The service manager, or nobody: without NOTIFY_SOCKET in the environment every call does nothing."""

    def __init__(self) -> None:
        address = os.environ.pop("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        microseconds = os.environ.pop("WATCHDOG_USEC", "")
        self._every = int(microseconds) / 2e6 if microseconds.isdecimal() else 0.0
        self._alive = 0.0

    def ready(self) -> None:
        """Start-up, or a reload, is done."""
        self._send("READY=1")

    def reloading(self) -> None:
        """The configuration is read again."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """What is left is written."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send("STATUS=" + text.replace("\n", " "))

    def alive(self) -> None:
        """The main loop turned: to be called more often than half the watchdog's time."""
        if self._every and time.monotonic() - self._alive >= self._every / 2:
            self._alive = time.monotonic()
            self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as own:
                own.sendto(message.encode(), self._address)
        except OSError:
            pass  # the manager went away: nothing depends on its hearing this


def log(level: int, text: str) -> None:
    """One line on stderr; under journald with its level before it."""
    line = "".join(c if c.isprintable() else " " for c in text)
    prefix = f"<{level}>" if "JOURNAL_STREAM" in os.environ else "tapwatch: "
    with contextlib.suppress(OSError, ValueError):  # nobody listens, or the disk of the log is full: capturing goes on
        print(prefix + line, file=sys.stderr, flush=True)
