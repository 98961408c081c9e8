"""Brings a database to the schema of this program: numbered SQL files, each applied once and never edited after."""

import contextlib
import hashlib
import pathlib
import re
from typing import TYPE_CHECKING, NamedTuple

from sensor.store.cluster import SHARDED_BY, cluster_of, localise, own_part, spread, taken_over
from sensor.store.errors import EmptyStoreError, StoreError

if TYPE_CHECKING:
    from sensor.store.open import Store

FOLDER = pathlib.Path(__file__).parent / "schema"
NEW_STORE = FOLDER.parent / "new_store.sql"
_PIECES = re.compile(r"'(?:\\.|[^'\\])*'|--[^\n]*|[^;'-]+|[;-]|'", re.DOTALL)
_VIEW = re.compile(
    r"CREATE MATERIALIZED VIEW IF NOT EXISTS (?P<name>\w+) /\*ON CLUSTER\*/ TO (?P<table>\w+)/\*_local\*/ AS\n"
    r"(?P<query>SELECT.+?)(\nCOMMENT '[^']*')?$",
    re.DOTALL,
)
_HISTORY = """CREATE TABLE IF NOT EXISTS schema_migrations /*ON CLUSTER*/
(
    version UInt32 COMMENT 'number of the SQL file',
    name String COMMENT 'name of the SQL file',
    checksum String COMMENT 'SHA-256 of the SQL file',
    applied_at DateTime('UTC') DEFAULT now()
)
ENGINE = /*Replicated*/MergeTree ORDER BY version
COMMENT 'Which schema files were applied'"""


class Migration(NamedTuple):
    """One numbered SQL file."""

    version: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations() -> list[Migration]:
    """All schema files, in the order of their numbers."""
    return [Migration(int(path.name[:4]), path.name, path.read_text("utf-8")) for path in sorted(FOLDER.glob("[0-9]*.sql"))]


def statements(text: str) -> list[str]:
    """The statements of an SQL text, without comment lines and semicolons; quotes may hold either."""
    found, current = [], ""
    for piece in [*_PIECES.findall(text), ";"]:
        if piece == ";":
            if current.strip():
                found.append(re.sub(r"[ \t]*\n\s*\n", "\n", current.strip()))
            current = ""
        elif not piece.startswith("--"):
            current += piece
    return found


def schema_text(database: str = "tapwatch", cluster: str | None = None) -> str:
    """The whole schema as one SQL text that `clickhouse-client --multiquery` takes."""
    lines = [localise(f"CREATE DATABASE IF NOT EXISTS `{database}` /*ON CLUSTER*/;", cluster), f"USE `{database}`;"]
    texts = [(migration.name, migration.text) for migration in migrations()] + [(NEW_STORE.name, NEW_STORE.read_text("utf-8"))]
    for name, whole in texts:
        lines += ["", f"-- {name}"]
        if cluster is None:
            lines.append(localise(whole.strip(), None))
        else:
            lines += [f"{part};\n" for text in statements(whole) for part in spread(text, cluster, database)]
    return "\n".join(lines) + "\n"


def roles_text(database: str = "tapwatch", cluster: str | None = None) -> str:
    """SQL that makes the roles of `tapwatch schema roles`."""
    text = localise((FOLDER.parent / "roles.sql").read_text("utf-8"), cluster)
    return re.sub(r"\btapwatch\.", f"`{database}`.", text)


def migrate(store: "Store", cluster: str | None = None) -> list[str]:
    """Create the database and apply what is missing; the names of the files applied.

    Nothing is run where nothing is missing: a sensor needs no right to create tables then. Raises StoreError when the database
    is newer than this program or its history was edited.
    """
    with contextlib.suppress(EmptyStoreError):
        if not missing(store) and cluster in (None, cluster_of(store)):
            return []
    store.command(localise(f"CREATE DATABASE IF NOT EXISTS `{store.database}` /*ON CLUSTER*/", cluster), use_database=False)
    known = cluster_of(store)
    if cluster is not None and known is None:
        _take_over(store, cluster)
    cluster = cluster or known

    def run(statement: str) -> None:
        for part in spread(statement, cluster, store.database):
            store.command(part)

    run(_HISTORY)
    is_new, done = not _applied(store), []
    for migration in missing(store):
        for statement in statements(migration.text):
            for earlier in counted_before(statement, cluster):
                store.command(earlier)
            run(statement)
        store.command(
            "INSERT INTO schema_migrations (version, name, checksum) VALUES "
            f"({migration.version}, '{migration.name}', '{migration.checksum}')"
        )
        done.append(migration.name)
    for statement in statements(NEW_STORE.read_text("utf-8")) if is_new else ():
        run(statement)
    return done


def _take_over(store: "Store", cluster: str) -> None:
    """Make a cluster's of tables that were made as one server's, or by a version without Distributed ones."""
    there = _names(store)
    for part in taken_over([name for name in there if name in SHARDED_BY], cluster, store.database):
        store.command(part)
    for name, statement in materialized():
        if name in there:  # it goes on with the tables that it was made for, whatever they are called now
            store.command(f"DROP VIEW {name} ON CLUSTER '{cluster}'")
            for part in spread(statement, cluster, store.database):
                store.command(part)


def counted_before(statement: str, cluster: str | None) -> list[str]:
    """What must run before a materialized view is made, so that its table holds what the view would have added so far.

    From nothing each time: a migration that was broken off is begun again. Rows that others insert between this and the
    view are not counted.
    """
    view = _VIEW.match(statement)
    if not view:
        return []
    target = view["table"]
    return [f"TRUNCATE TABLE {own_part(target, cluster)}", localise(f"INSERT INTO {target} {view['query']}", None)]


def missing(store: "Store") -> list[Migration]:
    """Schema files that were not applied yet. Raises EmptyStoreError where none was, StoreError as `migrate`."""
    if "schema_migrations" not in _names(store):
        raise EmptyStoreError(store.name)
    applied = _applied(store)
    _check_history(applied, store.name)
    return [migration for migration in migrations() if migration.version not in applied]


def check(store: "Store") -> None:
    """Raise StoreError unless the database has exactly the schema of this program."""
    for first in missing(store)[:1]:
        raise StoreError(f"The store {store.name} has an older schema ({first.name} is missing); run `tapwatch schema apply`.")


def _names(store: "Store") -> list[str]:
    """Tables and views that there are."""
    found = store.rows("SELECT name FROM system.tables WHERE database = {db:String} ORDER BY name", {"db": store.database})
    return [name for (name,) in found]


def materialized() -> list[tuple[str, str]]:
    """(name, statement) of the materialized views of the schema."""
    texts = (text for migration in migrations() for text in statements(migration.text))
    return [(found["name"], text) for text in texts if (found := _VIEW.match(text))]


def _applied(store: "Store") -> dict[int, tuple[str, str]]:
    rows = store.rows("SELECT version, name, checksum FROM schema_migrations ORDER BY version")
    return {version: (name, checksum) for version, name, checksum in rows}


def _check_history(applied: dict[int, tuple[str, str]], name: str) -> None:
    known = {migration.version: migration for migration in migrations()}
    newest = max(applied, default=0)
    if newest > max(known):
        raise StoreError(
            f"The store {name} has schema {newest}, this program knows {max(known)}: update Tapwatch or use another --store."
        )
    for version, (file_name, checksum) in applied.items():
        if version not in known or known[version].checksum != checksum:
            raise StoreError(
                f"The schema file {file_name} was edited after it was applied to the store {name}; "
                "restore the file, or use another --store."
            )
