"""Brings a database to the schema of this program: numbered SQL files, each applied once and never edited after."""

import hashlib
import pathlib
import re
from typing import TYPE_CHECKING, NamedTuple

from sensor.store.errors import EMPTY, StoreError

if TYPE_CHECKING:
    from sensor.store.open import Store

FOLDER = pathlib.Path(__file__).parent / "schema"
_PIECES = re.compile(r"'(?:\\.|[^'\\])*'|--[^\n]*|[^;'-]+|[;-]|'", re.DOTALL)
_CLUSTER_NAME = re.compile(r"[A-Za-z0-9_.{}-]+")
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


def localise(statement: str, cluster: str | None) -> str:
    """`statement` for one server, or for all servers of `cluster` (Replicated engines with the default paths)."""
    if cluster is None:
        return statement.replace(" /*ON CLUSTER*/", "").replace("/*Replicated*/", "")
    if not _CLUSTER_NAME.fullmatch(cluster):
        raise StoreError(f"The cluster name {cluster!r} has characters other than letters, digits and _.-{{}}.")
    return statement.replace("/*ON CLUSTER*/", f"ON CLUSTER '{cluster}'").replace("/*Replicated*/", "Replicated")


def schema_text(database: str = "tapwatch", cluster: str | None = None) -> str:
    """The whole schema as one SQL text that `clickhouse-client --multiquery` takes."""
    lines = [localise(f"CREATE DATABASE IF NOT EXISTS `{database}` /*ON CLUSTER*/;", cluster), f"USE `{database}`;"]
    for migration in migrations():
        lines += ["", f"-- {migration.name}", localise(migration.text.strip(), cluster)]
    return "\n".join(lines) + "\n"


def migrate(store: "Store", cluster: str | None = None) -> list[str]:
    """Create the database and apply what is missing; the names of the files applied.

    Raises StoreError when the database is newer than this program or its history was edited.
    """
    store.command(localise(f"CREATE DATABASE IF NOT EXISTS `{store.database}` /*ON CLUSTER*/", cluster), use_database=False)
    store.command(localise(_HISTORY, cluster))
    applied = _applied(store)
    _check_history(applied, store.name)
    done = []
    for migration in migrations():
        if migration.version in applied:
            continue
        for statement in statements(migration.text):
            store.command(localise(statement, cluster))
        store.command(
            "INSERT INTO schema_migrations (version, name, checksum) VALUES "
            f"({migration.version}, '{migration.name}', '{migration.checksum}')"
        )
        done.append(migration.name)
    return done


def check(store: "Store") -> None:
    """Raise StoreError unless the database has exactly the schema of this program."""
    if not store.rows(
        "SELECT 1 FROM system.tables WHERE database = {db:String} AND name = 'schema_migrations'", {"db": store.database}
    ):
        raise StoreError(EMPTY.format(store.name))
    applied = _applied(store)
    _check_history(applied, store.name)
    missing = [migration.name for migration in migrations() if migration.version not in applied]
    if missing:
        raise StoreError(f"The store {store.name} has an older schema ({missing[0]} is missing); run `tapwatch schema apply`.")


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
