"""Blocks that wait on disk for a store that is away: sent in their order once it is back, also by a later run.

A file a block: a line of JSON that says where it goes, its length and its checksum, then the block. It is written aside,
synced and renamed, so that what a kill leaves behind is whole. It is sent under the deduplication token that it was given at
first: a block that the store took, and whose answer was lost, is not taken twice. When the spool is full transactions give way
first, the oldest before the others, then news of endpoints, alerts last.
"""

import collections
import contextlib
import dataclasses
import hashlib
import math
import os
import pathlib
import re
import threading
import time
from collections.abc import Callable
from typing import Protocol

import msgspec

from sensor.store.errors import StoreAwayError, StoreError
from sensor.store.native import rows_in

LASTING = ("alert_versions", "endpoint_profiles", "endpoint_parameter_versions", "transactions")
"""Tables from the one whose blocks are kept longest to the one whose blocks give way first; others stand before the last."""
SENT_AT_ONCE = 16
"""Blocks that are sent behind a new one: who hands over rows is not kept waiting for all of a long outage."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
"""Seconds between tries, doubled from the first to the longest."""
TRIES = 6
"""Of a block that the store can be reached for, and refuses; then it is dropped and counted."""
_NAME = re.compile(r"(\d{12})-([a-z_]+)\.block")


class Head(msgspec.Struct, forbid_unknown_fields=True):
    """First line of a file."""

    table: str
    columns: list[str]
    format: str
    token: str
    rows: int
    size: int
    checksum: str
    """BLAKE2b of the block, 16 bytes as hexadecimal digits"""


@dataclasses.dataclass(slots=True)
class _Waiting:
    """A block on disk."""

    path: pathlib.Path
    table: str
    size: int
    rows: int
    """in it"""
    since: float
    """when it was written, seconds since the epoch"""


class Taker(Protocol):
    """What takes blocks: a Store."""

    def insert(self, table: str, columns: tuple[str, ...], block: bytes, fmt: str = "Native", token: str = "") -> None: ...


class Spool:
    """Stands before a store and takes blocks as it does; `insert` raises StoreError where neither store nor disk takes a block.

    folder: its own, made when it is missing. limit: bytes that may lie there. say: called with one line.
    """

    def __init__(self, store: Taker, folder: pathlib.Path, limit: int, say: Callable[[str], None]):
        self._store, self._folder, self._limit, self._say = store, folder, limit, say
        self._next_try, self._pause, self._tries = 0.0, FIRST_PAUSE, 0
        self._one = threading.Lock()
        """a writer inserts transactions and all else from two threads"""
        self.lost: collections.Counter[str] = collections.Counter()
        """rows that were given up, by table"""
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            found = sorted(folder.iterdir())
            self._waiting = [_found(path, match) for path in found if (match := _NAME.fullmatch(path.name))]
        except OSError as error:
            raise StoreError(f"The spool {folder} cannot be used: {error.strerror or error}.") from None
        self.size = sum(entry.size for entry in self._waiting)
        """bytes that wait"""
        self.rows = sum(entry.rows for entry in self._waiting if entry.table == "transactions")
        """transactions in them"""
        self._number = max((int(entry.path.name[:12]) for entry in self._waiting), default=0)
        for path in found:
            if path.suffix == ".part":
                path.unlink(missing_ok=True)
        if self._waiting:
            say(f"{len(self._waiting):,} blocks of an earlier run wait in {folder} for the store.")

    @property
    def age(self) -> float:
        """Seconds that the oldest block has waited."""
        oldest = self._waiting[:1]
        return max(0.0, time.time() - oldest[0].since) if oldest else 0.0

    def insert(self, table: str, columns: tuple[str, ...], block: bytes, fmt: str = "Native", token: str = "") -> None:
        """Send some of what waits, then this block; what cannot be sent now waits."""
        with self._one:
            self._send()
            if not self._waiting and time.monotonic() >= self._next_try:
                try:
                    self._store.insert(table, columns, block, fmt, token)
                except StoreAwayError as error:
                    self._away(error)
                else:
                    return
            self._put(Head(table, list(columns), fmt, token, rows_in(block, fmt), len(block), _checksum(block)), block)

    def only_keep(self) -> None:
        """Send nothing any more: whatever comes goes to the disk, for the next run."""
        self._next_try = math.inf

    def _send(self) -> None:
        """Send the oldest blocks, until the store is away."""
        for _ in range(SENT_AT_ONCE):
            if not self._waiting or time.monotonic() < self._next_try:
                return
            entry = self._waiting[0]
            try:
                head, block = _read(entry.path)
            except OSError as error:  # too many open files: it is there still
                self._away(StoreAwayError(f"{entry.path} cannot be read: {error.strerror or error}."))
                return
            if head is None:
                self._drop(entry, "It is damaged")
                continue
            try:
                self._store.insert(head.table, tuple(head.columns), block, head.format, head.token)
            except StoreAwayError as error:
                self._away(error)
            except StoreError as error:
                self._refused(entry, error)
            else:
                self._remove(entry)
                self._tries, self._pause = 0, FIRST_PAUSE
                if not self._waiting:
                    self._say("The store takes rows again: nothing waits on disk.")

    def _away(self, error: StoreError) -> None:
        if self._pause == FIRST_PAUSE and not self._waiting:
            self._say(f"{error} Rows wait for it in {self._folder}.")
        self._next_try = max(self._next_try, time.monotonic() + self._pause)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _refused(self, entry: _Waiting, error: StoreError) -> None:
        self._tries += 1
        if self._tries < TRIES:
            self._away(error)
        else:
            self._tries = 0
            self._drop(entry, str(error).rstrip("."))

    def _put(self, head: Head, block: bytes) -> None:
        data = msgspec.json.encode(head) + b"\n" + block
        self._number += 1
        path = self._folder / f"{self._number:012d}-{head.table}.block"
        entry = _Waiting(path, head.table, len(data), head.rows, time.time())
        while self.size + len(data) > self._limit:
            first = max(self._waiting, key=_gives_way, default=entry)
            victim = first if _gives_way(first) >= _gives_way(entry) else entry
            self._drop(victim, f"The spool holds no more than {self._limit:,} bytes")
            if victim is entry:
                return
        part = path.with_suffix(".part")
        try:
            with part.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.rename(path)
            _sync(self._folder)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise StoreAwayError(f"Rows cannot wait in {self._folder}: {error.strerror or error}.") from None
        self._waiting.append(entry)
        self.size += entry.size
        self.rows += entry.rows if entry.table == "transactions" else 0

    def _drop(self, entry: _Waiting, why: str) -> None:
        """Give a block up, and count its rows."""
        if entry in self._waiting:
            self._remove(entry)
        self.lost[entry.table] += entry.rows
        self._say(f"{why}: a block of {entry.table} was given up, with {entry.rows:,} rows.")

    def _remove(self, entry: _Waiting) -> None:
        self._waiting.remove(entry)
        self.size -= entry.size
        self.rows -= entry.rows if entry.table == "transactions" else 0
        with contextlib.suppress(OSError):
            entry.path.unlink(missing_ok=True)


def _gives_way(entry: _Waiting) -> float:
    """The larger, the sooner a block is dropped; of equal ones the oldest."""
    return LASTING.index(entry.table) if entry.table in LASTING else len(LASTING) - 1.5


def _checksum(block: bytes) -> str:
    return hashlib.blake2b(block, digest_size=16).hexdigest()


def _sync(folder: pathlib.Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: pathlib.Path) -> tuple[Head | None, bytes]:
    """What a file says, and its block; None where it is not as it was written. Raises OSError."""
    line, _, block = path.read_bytes().partition(b"\n")
    try:
        head = msgspec.json.decode(line, type=Head)
    except msgspec.MsgspecError:
        return None, b""
    return (head, block) if len(block) == head.size and _checksum(block) == head.checksum else (None, b"")


def _found(path: pathlib.Path, match: re.Match[str]) -> _Waiting:
    """A block that an earlier run left."""
    head, _ = _read(path)
    rows = head.rows if head is not None else 0
    stat = path.stat()
    return _Waiting(path, match[2], stat.st_size, rows, stat.st_mtime)
