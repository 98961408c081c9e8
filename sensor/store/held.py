"""A store that a running sensor holds: the sensor answers readers over a Unix socket that lies beside the store's files.

One process at a time may have an embedded store open. Messages are MessagePack behind their length. A call is one message,
[what, arguments]; its answers are ["columns", names], ["rows", rows] or ["raw", bytes], and at last ["done"] or ["error",
sentence].
The socket is its owner's alone, as the files are: who may connect could also read these.
"""

import contextlib
import os
import pathlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from sensor.store.dsn import Target
from sensor.store.errors import StoreError
from sensor.store.open import Store

SOCKET = "tapwatch.sock"
LONGEST_NAME = 100
"""Bytes of a path that a Unix socket may have, rounded down; longer ones go through the directory's descriptor."""
AT_ONCE = 4
"""Readers that are answered at the same time; the next ones wait."""
LARGEST_CALL = 16 << 20
ROWS = 5_000
"""Rows in one message, at the most."""
SILENCE = 60.0
"""Seconds after which a reader that takes nothing is let go."""
LAST_ANSWERS, PAUSE = 3.0, 0.1
FOR_READERS = {"max_execution_time": 60, "max_threads": 2, "max_memory_usage": 512 << 20}
"""The sensor goes first: so many seconds, threads and bytes are for a reader's query."""
ANALYSTS = ("alert_marks", "risk_weights", "alert_versions")
"""Tables that analysts write to, and `tapwatch correlate`; all else is the sensor's."""
LENGTH = struct.Struct(">I")


def _send(connection: socket.socket, message: list[Any]) -> None:
    data = msgspec.msgpack.encode(message)
    connection.sendall(LENGTH.pack(len(data)) + data)


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = connection.recv(min(size - len(data), 1 << 20))
        if not piece:
            raise ConnectionError("it ended in the midst of a message")
        data += piece
    return bytes(data)


def _receive(connection: socket.socket, largest: int = 0) -> list[Any]:
    (size,) = LENGTH.unpack(_exactly(connection, LENGTH.size))
    if largest and size > largest:
        raise ConnectionError("the message is too long")
    return msgspec.msgpack.decode(_exactly(connection, size), type=list)


@contextlib.contextmanager
def _address(folder: str) -> Iterator[str]:
    """A name for the socket in `folder` that is short enough for the operating system."""
    path = str(pathlib.Path(folder) / SOCKET)
    if len(os.fsencode(path)) <= LONGEST_NAME:
        yield path
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET}"
    finally:
        os.close(descriptor)


class Answers:
    """Answers readers of a store that this process has open, on threads of its own. Raises OSError where it cannot listen.

    inserted: called, on such a thread, when an analyst wrote to a table.
    """

    def __init__(self, target: Target, inserted: Callable[[str], None]):
        assert target.path is not None
        self._target, self._inserted = target, inserted
        self._path = pathlib.Path(target.path) / SOCKET
        self._free = threading.BoundedSemaphore(AT_ONCE)
        self._closing = False
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._path.unlink(missing_ok=True)  # of a process that was killed: the store is ours
        os.fchmod(self._listening.fileno(), 0o600)
        with _address(target.path) as name:
            self._listening.bind(name)
        self._path.chmod(0o600)
        self._listening.listen(AT_ONCE)
        threading.Thread(target=self._listen, name="tapwatch-answers", daemon=True).start()

    def close(self) -> None:
        """Answer nobody any more; who is being answered is waited for, up to LAST_ANSWERS."""
        self._path.unlink(missing_ok=True)
        self._closing = True
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        end = time.monotonic() + LAST_ANSWERS
        for _ in range(AT_ONCE):
            self._free.acquire(timeout=max(0.0, end - time.monotonic()))

    def _listen(self) -> None:
        while True:
            self._free.acquire()
            try:
                connection, _ = self._listening.accept()
            except OSError:
                self._free.release()
                if self._closing:
                    return
                time.sleep(PAUSE)  # too many open files
                continue
            threading.Thread(target=self._serve, args=(connection,), name="tapwatch-answer", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(SILENCE)
            with connection, Store(self._target, settings=FOR_READERS) as store:
                try:
                    what, *arguments = _receive(connection, LARGEST_CALL)
                    self._answer(connection, store, what, arguments)
                except StoreError as error:
                    _send(connection, ["error", str(error)])
                except (TypeError, ValueError, KeyError, msgspec.MsgspecError):
                    _send(connection, ["error", "The sensor does not understand the question; is it of another version?"])
        except OSError:
            pass  # the reader went away
        finally:
            self._free.release()

    def _answer(self, connection: socket.socket, store: Store, what: str, arguments: list[Any]) -> None:
        if what == "stream":
            sql, parameters = arguments
            for number, (names, rows) in enumerate(store.stream(sql, parameters)):
                if number == 0:
                    _send(connection, ["columns", names])
                for at in range(0, len(rows), ROWS):
                    _send(connection, ["rows", rows[at : at + ROWS]])
        elif what == "raw":
            _send(connection, ["raw", store.raw(*arguments)])
        elif what == "insert":
            table, columns, block, fmt = arguments
            if table not in ANALYSTS:
                raise StoreError(f"Only the sensor writes to {table}.")
            store.insert(table, tuple(columns), block, fmt)
            self._inserted(table)
        else:
            raise ValueError(what)
        _send(connection, ["done"])


class HeldStore(Store):
    """The store as the sensor that holds it answers: for reading, and for what analysts write. Raises StoreError."""

    def __init__(self, target: Target, holder: int):
        super().__init__(target)
        self._holder = holder

    def insert(self, table: str, columns: tuple[str, ...], block: bytes, fmt: str = "Native", token: str = "") -> None:
        """Insert rows into one of ANALYSTS."""
        for _ in self._ask("insert", table, columns, block, fmt):
            pass

    def command(self, sql: str, use_database: bool = True) -> None:
        """Not while the sensor runs."""
        raise StoreError(f"Process {self._holder} has the store {self.name} open; that can be done once it has ended.")

    def stream(self, sql: str, parameters: dict[str, Any] | None = None) -> Iterator[tuple[tuple[str, ...], list[tuple]]]:
        """As Store.stream."""
        names: tuple[str, ...] = ()
        for kind, *content in self._ask("stream", sql, parameters):
            if kind == "columns":
                names = tuple(content[0])
                yield names, []
            elif kind == "rows":
                yield names, [tuple(row) for row in content[0]]

    def raw(self, sql: str, fmt: str, parameters: dict[str, Any] | None = None) -> bytes:
        """As Store.raw."""
        return b"".join(content[0] for kind, *content in self._ask("raw", sql, fmt, parameters) if kind == "raw")

    def _ask(self, *call: Any) -> Iterator[list[Any]]:
        """Send one call: its answers but the last."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                with _address(self._target.path or "") as name:
                    connection.connect(name)
                _send(connection, list(call))
                while (answer := _receive(connection))[0] != "done":
                    if answer[0] == "error":
                        raise StoreError(str(answer[1]))
                    yield answer
        except (OSError, msgspec.MsgspecError) as error:
            raise StoreError(
                f"Process {self._holder} has the store {self.name} open and gives no answer ({error}); stop it, or use another "
                "--store."
            ) from None


def is_answered(path: str) -> bool:
    """Whether the process that holds the store in this directory answers readers."""
    return (pathlib.Path(path) / SOCKET).exists()
