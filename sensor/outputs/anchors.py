"""The last seal of each ledger that was written on this machine: whoever cuts the end off a ledger has to change it, too.

A ledger shows by itself that nothing before its last seal was touched, and nothing that comes behind it. One small file in
another folder knows where it ended; an anchor that is published knows it for everybody.
"""

import contextlib
import os
import pathlib

import msgspec

MOST = 64
"""Ledgers that are remembered; the one that was written longest ago is forgotten."""


class Known(msgspec.Struct, forbid_unknown_fields=True):
    """How a ledger ended when it was written last."""

    path: str
    first: str
    """hash of its first seal: it tells a ledger that was moved from another at the same place"""
    last: str


class Anchors:
    """A file of what is known. One that cannot be read or written knows nothing: no evidence is lost by it."""

    def __init__(self, path: pathlib.Path):
        self._path = path

    def _read(self) -> list[Known]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=list[Known])
        except (OSError, msgspec.MsgspecError, UnicodeError):
            return []

    def last_of(self, ledger: pathlib.Path, first: str) -> str | None:
        """Hash of the last seal of a ledger. first: hash of its first seal, empty where it has none."""
        path = str(ledger.resolve())
        for one in reversed(self._read()):
            if one.first == first or (one.path == path and not first):
                return one.last
        return None

    def keep(self, ledger: pathlib.Path, first: str, last: str) -> None:
        """A seal was written."""
        path = str(ledger.resolve())
        others = [one for one in self._read() if one.first != first]
        written = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            written.write_bytes(msgspec.json.encode([*others, Known(path, first, last)][-MOST:]))
            written.replace(self._path)
        with contextlib.suppress(OSError):
            written.unlink(missing_ok=True)
