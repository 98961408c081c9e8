"""Opens a store. clickhouse-connect and chdb are imported here alone, and only on opening one: they take half a second."""

import contextlib
import fcntl
import logging
import os
import pathlib
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from sensor.store import migrations
from sensor.store.dsn import Target, default_dsn, parse
from sensor.store.errors import EmptyStoreError, StoreError, explain
from sensor.store.values import plain_rows

if TYPE_CHECKING:
    from sensor.store.held import Answers

__all__ = ["Store", "default_dsn", "open_store"]

MEMORY = 2 << 30
"""Bytes that the embedded engine may use; by itself it would take nine tenths of the machine."""
CONNECTED_WITHIN, ANSWERED_WITHIN = 10, 300
"""Seconds: a server that takes longer is away."""
_LITERAL = re.compile(r"'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`|\"(?:\\.|[^\"\\])*\"")
_READING = re.compile(r"\(*\s*(SELECT|WITH|SHOW|DESCRIBE|EXISTS|EXPLAIN)\b")
_WRITING = re.compile(r"\b(INSERT\s+INTO|INTO\s+OUTFILE|PARALLEL\s+WITH)\b")
_FORMATS = {"String": "bytes"}
_NOT_READING = "Only reading is allowed here: use SELECT, SHOW, DESCRIBE or EXPLAIN, and not INTO OUTFILE."


class Store:
    """An open store. Writing goes through `insert` and `command`, reading through `rows` and `stream`."""

    def __init__(
        self, target: Target, memory: int = MEMORY, timeout: int = ANSWERED_WITHIN, settings: dict[str, Any] | None = None
    ):
        self.name = target.name
        """for messages; holds no password"""
        self.database = target.database
        self.embedded = target.path is not None
        self.applied: list[str] = []
        """schema files applied on opening"""
        self._target = target
        self._timeout = timeout
        self._settings = settings or {}
        """of ClickHouse, for reading"""
        self._options = {"max_server_memory_usage": memory, "mark_cache_size": memory // 16, "session_timezone": "UTC"}
        self._writing: Any = None
        self._reading: Any = None

    def insert(self, table: str, columns: tuple[str, ...], block: bytes, fmt: str = "Native", token: str = "") -> None:
        """Insert one block of encoded rows; a block whose token was seen before is dropped. Raises StoreError.

        Where the server gathers blocks (async_insert) it drops none: it refuses tokens for tables that feed views.
        """
        gathers = self._target.async_insert
        settings: dict[str, Any] = {
            "async_insert": int(gathers),
            "wait_for_async_insert": 1,
            # Packet times are the capture's word: rows of many months must not fail the block.
            "throw_on_max_partitions_per_insert_block": 0,
            "input_format_skip_unknown_fields": 0,
        }
        if token and not gathers:
            settings |= {
                "insert_deduplicate": 1,
                "insert_deduplication_token": token,
                # A block that was taken before may not have reached the views: each drops what it has by itself.
                "deduplicate_blocks_in_dependent_materialized_views": 1,
            }
        with self._sentences():
            self._writer().raw_insert(f"`{self.database}`.`{table}`", columns, block, settings, fmt)

    def command(self, sql: str, use_database: bool = True) -> None:
        """Run one statement that may change the store. Raises StoreError."""
        with self._sentences():
            client = self._writer()
            if use_database and client.database != self.database:
                client.database = self.database
            client.command(sql, use_database=use_database)

    def rows(self, sql: str, parameters: dict[str, Any] | None = None) -> list[tuple]:
        """All rows of a reading query, as plain Python values (sensor.store.values). Raises StoreError."""
        return [row for _, block in self.stream(sql, parameters) for row in block]

    def dicts(self, sql: str, parameters: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """As `rows`, one dict a row. Raises StoreError."""
        return [dict(zip(names, row, strict=True)) for names, block in self.stream(sql, parameters) for row in block]

    def stream(self, sql: str, parameters: dict[str, Any] | None = None) -> Iterator[tuple[tuple[str, ...], list[tuple]]]:
        """Blocks of a reading query as (column names, rows); at least one block, maybe empty. Raises StoreError."""
        with self._sentences():
            client = self._reader()
            text = self._reading_only(client, sql)
            if not text.startswith(("SELECT", "WITH", "(")):  # the embedded engine streams nothing else
                result = client.query(text, parameters=parameters, query_formats=_FORMATS)
                yield tuple(result.column_names), plain_rows(result.result_rows)
                return
            context = client.query_row_block_stream(text, parameters=parameters, query_formats=_FORMATS)
            with context as blocks:
                names = tuple(context.source.column_names)
                yield names, []
                for block in blocks:
                    yield names, plain_rows(block)

    def raw(self, sql: str, fmt: str, parameters: dict[str, Any] | None = None) -> bytes:
        """What a reading query gives in a format of ClickHouse. Raises StoreError."""
        with self._sentences():
            client = self._reader()
            return bytes(client.raw_query(self._reading_only(client, sql), parameters=parameters, fmt=fmt))

    def answer(self, inserted: Callable[[str], None]) -> "Answers":
        """Answer other processes' questions to this embedded store from now on (sensor.store.held). Raises OSError."""
        from sensor.store.held import Answers

        return Answers(self._target, inserted)

    def close(self) -> None:
        """Close all connections; the embedded engine ends with its last one."""
        for client in (self._reading, self._writing):
            if client is not None:
                client.close()
        self._reading = self._writing = None

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _writer(self) -> Any:
        if self._writing is None:
            self._writing = self._connect()
            # On a cluster an insert is done when the servers that keep the rows have them: tokens and errors are theirs.
            self._writing.set_client_setting("distributed_foreground_insert", 1)
        return self._writing

    def _reader(self) -> Any:
        if self._reading is None:
            client = self._connect("ro")
            found = client.query("SELECT 1 FROM system.databases WHERE name = {db:String}", parameters={"db": self.database})
            if not found.result_rows:
                client.close()
                raise EmptyStoreError(self.name)
            client.database = self.database
            for name, value in self._settings.items():
                client.set_client_setting(name, value)
            self._reading = client
        return self._reading

    def _connect(self, mode: str = "") -> Any:
        from clickhouse_connect import get_client

        logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())  # it logs what it also raises

        if self._target.path is not None:
            options = self._options | ({"mode": mode} if mode else {})
            return get_client(interface="chdb", path=self._target.path, chdb_options=options)
        patience = {"connect_timeout": CONNECTED_WITHIN, "send_receive_timeout": self._timeout}
        client = get_client(**(patience | self._target.arguments), autogenerate_session_id=False, query_retries=1)
        known = client.server_settings.get("readonly")
        if mode and known is not None and known.value == "0":
            client.set_client_setting("readonly", 2)
        return client

    def _reading_only(self, client: Any, sql: str) -> str:
        """`sql` as ClickHouse understands it, once it is sure that it only reads.

        The engine's read-only mode alone lets INTO OUTFILE, INSERT INTO FUNCTION file() and KILL QUERY pass.
        ClickHouse's own formatter parses without running, refuses several statements and drops comments.
        """
        result = client.query("SELECT formatQuerySingleLine({sql:String})", parameters={"sql": sql})
        text = str(result.result_rows[0][0])
        bare = _LITERAL.sub("''", text)
        if not _READING.match(bare) or _WRITING.search(bare):
            raise StoreError(_NOT_READING)
        if re.search(r"\bFORMAT (\w+|'')$", bare):
            raise StoreError("Leave out FORMAT: the output is chosen by --json, --csv or --tsv.")
        return text

    @contextlib.contextmanager
    def _sentences(self) -> Iterator[None]:
        """Turn every failure of the driver or the engine into a StoreError."""
        try:
            yield
        except (StoreError, GeneratorExit, KeyboardInterrupt, MemoryError):
            raise
        except ImportError as error:
            missing = error.name or "clickhouse-connect"
            raise StoreError(f"The store needs the package {missing}; install tapwatch with its dependencies.") from error
        except Exception as error:
            if self.embedded and "EmbeddedServer" in str(error):
                raise StoreError(_held(self._target.path or "", None)) from error
            raise explain(error, self.name) from error


def open_store(
    dsn: str | None = None,
    create: bool = True,
    memory: int = MEMORY,
    cluster: str | None = None,
    timeout: int = ANSWERED_WITHIN,
) -> Store:
    """Open the store named by `dsn` (default: `default_dsn()`).

    With `create` (writers) a missing store is made and its schema brought up to date; without (readers)
    a store that is missing, empty or of another schema is refused; one that a running sensor holds is read through it
    (sensor.store.held). `memory` bounds the embedded engine, in bytes;
    `cluster` makes the tables Replicated on all servers of that cluster; a server that says nothing for `timeout` seconds is
    away. Raises StoreError.
    """
    target = parse(dsn or default_dsn())
    store = Store(target, memory, timeout)
    if target.path is not None and target.path != ":memory:":
        _check_directory(target.path, create)
        store = _held_by_another(target, create) or store
    try:
        if create:
            store.applied = migrations.migrate(store, cluster)
        else:
            migrations.check(store)
    except BaseException:
        store.close()
        raise
    return store


def _check_directory(path: str, create: bool) -> None:
    folder = pathlib.Path(path)
    if not create and not (folder / "store").is_dir() and not (folder / "metadata").is_dir():
        raise StoreError(f"There is no store in {path} yet; fill one with `tapwatch replay`, or name another with --store.")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        reason = error.strerror
        raise StoreError(f"The directory {path} for the store cannot be made ({reason}); name another with --store.") from None
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise StoreError(f"The directory {path} of the store is not writable for this user; mend that or use another --store.")


def _held_by_another(target: Target, create: bool) -> Store | None:
    """The store as another process answers for it; None when no other process has it open."""
    from sensor.store.held import HeldStore, is_answered

    path = target.path or ""
    holder = _holder(pathlib.Path(path) / "status")
    if holder is None or holder == os.getpid():
        return None
    if create or not is_answered(path):
        raise StoreError(_held(path, holder))
    return HeldStore(target, holder)


def _held(path: str, holder: int | None) -> str:
    who = f"process {holder}" if holder else "see `ps`"
    return f"The store {path} is open in another process ({who}); stop it or use another --store."


def _holder(status: pathlib.Path) -> int | None:
    """The process that has an embedded store open; 0 when it does not say which, None when nobody has.

    The engine holds a lock on its status file and writes its process id there. Asking first saves the engine's
    own answer, which gives no reason.
    """
    try:
        with status.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                found = re.search(r"PID: (\d+)", file.read())
                return int(found[1]) if found else 0
    except OSError:
        pass
    return None
