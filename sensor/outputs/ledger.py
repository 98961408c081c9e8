"""A ledger of evidence: rows in a file that nobody can change, remove, insert or reorder without its being found.

One line a row, then a line that seals what stands since the last seal: the root of a Merkle tree over these lines (RFC 6962),
the hash of the seal before, and an Ed25519 signature (RFC 8032) over all of it. The first line names the key. The hash of the
last seal, 32 bytes, stands for everything before it: published elsewhere, it keeps even the holder of the key from
rewriting the past, and from cutting off the end. (This machine remembers it, too: sensor.outputs.anchors.)
"""

import collections
import dataclasses
import fcntl
import hashlib
import os
import pathlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sensor.outputs import merkle
from sensor.outputs.anchors import Anchors

FIRST = hashlib.sha256(b"tapwatch ledger").digest()
"""What the first seal names as the one before."""
SIGNED = b"tapwatch ledger seal\x00"
"""Before what is signed: a signature of this key over something else is none over a seal."""
SEAL = b'{"seal":'
"""How a line begins that is a seal; rows begin with their kind."""
LONGEST = 1 << 20
"""Bytes of a line."""
REMEMBERED = 1 << 17
"""Rows that are known to be in the ledger, the latest: they are not written again, as by a replay or a restart."""


class LedgerError(Exception):
    """A ledger or proof that cannot be used or is not whole; the text is a sentence for the user."""


class Head(msgspec.Struct, forbid_unknown_fields=True):
    """The first line."""

    tapwatch_ledger: int
    public_key: str


class Seal(msgspec.Struct, forbid_unknown_fields=True):
    """The line behind the rows that it seals."""

    seal: int
    """its number, from 1"""
    rows: int
    root: str
    previous: str
    """hash of the line of the seal before"""
    time: str
    """when it was made; not part of what is proved"""
    signature: str


class Proof(msgspec.Struct, forbid_unknown_fields=True):
    """That one row is in a ledger, for somebody who has neither it nor the other rows."""

    public_key: str
    row: str
    index: int
    path: list[str]
    seal: Seal


@dataclasses.dataclass(slots=True)
class Verified:
    """What a whole ledger holds."""

    rows: int
    seals: int
    anchor: str
    """hash of the last seal: stands for everything"""
    public_key: str
    first: str
    """hash of the first seal, empty where there is none"""


def load_key(path: pathlib.Path) -> Ed25519PrivateKey:
    """The signing key, made on first use and readable for its owner alone. Raises LedgerError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(Ed25519PrivateKey.generate().private_bytes_raw())
        except FileExistsError:
            pass
        raw = path.read_bytes()
    except OSError as error:
        raise LedgerError(f"The key of the ledger, {path}, cannot be read or made: {error.strerror}.") from None
    if len(raw) != 32:
        raise LedgerError(f"The key of the ledger, {path}, must hold 32 bytes; remove it and begin a new ledger.")
    return Ed25519PrivateKey.from_private_bytes(raw)


class Ledger:
    """A ledger that is written. Raises LedgerError, and OSError of the file."""

    def __init__(self, path: pathlib.Path, key: Ed25519PrivateKey, anchors: Anchors | None = None):
        self._key, self._path, self._anchors = key, path, anchors
        self._first = ""
        self.public_key = key.public_key().public_bytes_raw().hex()
        self._number, self._previous = 0, FIRST
        self._written: collections.OrderedDict[bytes, None] = collections.OrderedDict()
        self._end: int | None = None
        """where the last block ends"""
        self.torn = 0
        """bytes behind the last seal, of a run that was killed, that were put aside"""
        stood = path.exists()
        self._file = path.open("ab", buffering=0)  # what a full disk takes half of can be taken back
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise LedgerError(f"The ledger {path} is being written by another process; name another file.") from None
        try:
            if stood and path.stat().st_size == 0 and self._last_known():
                raise LedgerError(f"The ledger {path} was emptied: what was in it is gone. Begin another file.")
            if path.stat().st_size == 0:
                self._write(msgspec.json.encode(Head(1, self.public_key)) + b"\n")
            else:
                self._take_up(path)
        except (LedgerError, OSError):
            self._file.close()
            raise

    def _take_up(self, path: pathlib.Path) -> None:
        """Go on behind the last seal. What stands there is no evidence yet: it is put aside, in a file of its own."""
        with path.open("rb") as file:
            head, lines = _open(file)
            if head.public_key != self.public_key:
                raise LedgerError(f"The ledger {path} was begun with another key; name that one, or begin another ledger.")
            sealed, unsealed, wanted, met = file.tell(), [], self._last_known(), False
            for line in lines:
                if not (line.startswith(SEAL) and line.endswith(b"\n")):
                    unsealed.append(line)
                    continue
                seal = _decoded(line, Seal, "a seal")
                _check_block(seal, unsealed, self._number + 1, self._previous, self._key.public_key())
                self._number, self._previous, sealed = seal.seal, seal_hash(line), file.tell()
                if not self._first:
                    self._first = self._previous.hex()
                    wanted = self._last_known()
                met = met or self._previous.hex() == wanted
                for row in unsealed:
                    self._remember(merkle.leaf_hash(row))
                unsealed = []
        if wanted and not met:
            raise LedgerError(f"The ledger {path} ends before the last seal that was written to it: begin another file.")
        if unsealed:
            self.torn = sum(map(len, unsealed))
            with path.with_name(path.name + ".torn").open("ab") as torn:
                torn.writelines(unsealed)
            self._file.truncate(sealed)

    def _last_known(self) -> str | None:
        """Hash of the last seal that was written to this ledger, where this machine wrote it."""
        return self._anchors.last_of(self._path, self._first) if self._anchors else None

    def append(self, rows: list[dict[str, Any]], time: str) -> None:
        """Write rows, each with its `kind` first, and their seal, and see to it that they are on disk."""
        lines = [msgspec.json.encode(row) + b"\n" for row in rows]
        lines = [line for line in lines if merkle.leaf_hash(line) not in self._written]
        if not lines:
            return
        if any(line.startswith(SEAL) or len(line) > LONGEST for line in lines):
            raise LedgerError("A row is too long for the ledger, or begins as a seal does.")
        leaves = [merkle.leaf_hash(line) for line in lines]
        root = merkle.root(leaves)
        seal = Seal(self._number + 1, len(lines), root.hex(), self._previous.hex(), time, "")
        seal.signature = self._key.sign(_signed(seal)).hex()
        last = msgspec.json.encode(seal) + b"\n"
        self._write(b"".join(lines) + last)
        self._number, self._previous = seal.seal, seal_hash(last)
        self._first = self._first or self._previous.hex()
        if self._anchors:
            self._anchors.keep(self._path, self._first, self._previous.hex())
        for leaf in leaves:
            self._remember(leaf)

    def _remember(self, leaf: bytes) -> None:
        self._written[leaf] = None
        if len(self._written) > REMEMBERED:
            self._written.popitem(last=False)

    def _write(self, block: bytes) -> None:
        """All of it, or nothing: what an earlier try may have left is cut off first. Raises OSError."""
        rest = memoryview(block)
        if self._end is not None:
            self._file.truncate(self._end)
        self._end = os.fstat(self._file.fileno()).st_size
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(self._end)
            raise
        self._end += len(block)

    def close(self) -> None:
        self._file.close()


def seal_hash(line: bytes) -> bytes:
    """Hash of a seal's line."""
    return hashlib.sha256(line).digest()


def _signed(seal: Seal) -> bytes:
    return SIGNED + msgspec.json.encode(msgspec.structs.replace(seal, signature=""))


def _decoded(line: bytes, kind: Any, what: str) -> Any:
    """A line that must stand as this program would write it: to the byte."""
    try:
        found = msgspec.json.decode(line, type=kind)
    except (msgspec.MsgspecError, UnicodeError):
        raise LedgerError(f"There is {what} that cannot be read.") from None
    if msgspec.json.encode(found) + b"\n" != line:
        raise LedgerError(f"There is {what} that was written differently.")
    return found


def _open(file: BinaryIO) -> tuple[Head, Iterator[bytes]]:
    """(first line, the lines behind it). Raises LedgerError."""
    try:
        head = _decoded(file.readline(LONGEST), Head, "a first line")
    except LedgerError:
        raise LedgerError("The file is no ledger, or its first line was changed.") from None
    if head.tapwatch_ledger != 1:
        raise LedgerError(f"The ledger is of version {head.tapwatch_ledger}; this program knows 1.")
    return head, iter(lambda: file.readline(LONGEST), b"")


def _bytes(text: str) -> bytes:
    """Hexadecimal digits in the one way that they are written; ValueError for any other."""
    found = bytes.fromhex(text)
    if found.hex() != text:
        raise ValueError
    return found


def _public_key(text: str) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(_bytes(text))
    except ValueError:
        raise LedgerError("The public key is not 64 hexadecimal digits of an Ed25519 key.") from None


def _check_signature(seal: Seal, key: Ed25519PublicKey) -> None:
    try:
        key.verify(_bytes(seal.signature), _signed(seal))
    except (InvalidSignature, ValueError):
        raise LedgerError(f"Seal {seal.seal} was not signed by the key of the ledger.") from None


def _check_block(seal: Seal, rows: list[bytes], number: int, previous: bytes, key: Ed25519PublicKey) -> None:
    """Raises LedgerError unless a seal follows the one before it, is signed, and seals these rows."""
    if seal.seal != number or seal.previous != previous.hex():
        raise LedgerError(f"Seal {seal.seal} does not follow the one before it: something was removed, inserted or moved.")
    _check_signature(seal, key)
    if seal.rows != len(rows) or seal.root != merkle.root([merkle.leaf_hash(row) for row in rows]).hex():
        raise LedgerError(f"The rows of seal {number} are not those that were sealed.")


def blocks(file: BinaryIO, public_key: str | None = None) -> Iterator[tuple[list[bytes], Seal, bytes]]:
    """(lines of rows, their seal, hash of the seal) of a ledger, each verified against what stands before it.

    public_key: 64 hexadecimal digits; None believes the first line. Raises LedgerError at the first thing that is wrong.
    """
    head, lines = _open(file)
    if public_key is not None and head.public_key != public_key:
        raise LedgerError("The ledger names another key than the one that was given.")
    key, rows, number, previous = _public_key(head.public_key), [], 0, FIRST
    for line in lines:
        if not line.startswith(SEAL):
            rows.append(line)
            continue
        seal = _decoded(line, Seal, f"a seal behind seal {number}")
        number += 1
        _check_block(seal, rows, number, previous, key)
        previous = seal_hash(line)
        yield rows, seal, previous
        rows = []
    if rows:
        raise LedgerError(f"{len(rows):,} rows stand behind the last seal, number {number}: they prove nothing.")


def verify(file: BinaryIO, public_key: str | None = None, anchor: str | None = None) -> Verified:
    """Everything that a ledger holds. anchor: hash of a seal that must be in it. Raises LedgerError."""
    rows, seals, first, last, met = 0, 0, "", FIRST, anchor is None
    for lines, _, last in blocks(file, public_key):
        rows, seals, first, met = rows + len(lines), seals + 1, first or last.hex(), met or last.hex() == anchor
    if not met:
        raise LedgerError("No seal has the anchor's hash: the ledger was rewritten, or cut off before it.")
    file.seek(0)
    return Verified(rows, seals, last.hex(), _open(file)[0].public_key, first)


def prove(file: BinaryIO, wanted: bytes) -> Proof:
    """A proof of the last row that holds some text. Raises LedgerError."""
    found: tuple[list[bytes], Seal, int] | None = None
    for lines, seal, _ in blocks(file):
        places = [k for k, line in enumerate(lines) if wanted in line]
        if places:
            found = lines, seal, places[-1]
    if found is None:
        raise LedgerError(f"No row of the ledger holds {wanted.decode('utf-8', 'replace')!r}.")
    lines, seal, index = found
    file.seek(0)
    path = merkle.path([merkle.leaf_hash(line) for line in lines], index)
    return Proof(_open(file)[0].public_key, lines[index].decode(), index, [one.hex() for one in path], seal)


def check(raw: bytes, public_key: str | None = None) -> dict[str, Any]:
    """The row that a proof proves. public_key: 64 hexadecimal digits; None believes the proof. Raises LedgerError."""
    try:
        proof = msgspec.json.decode(raw, type=Proof)
        path = [bytes.fromhex(one) for one in proof.path]
        row = msgspec.json.decode(proof.row)
    except (msgspec.MsgspecError, UnicodeError, ValueError, RecursionError):
        raise LedgerError("The proof cannot be read.") from None
    if public_key is not None and proof.public_key != public_key:
        raise LedgerError("The proof names another key than the one that was given.")
    _check_signature(proof.seal, _public_key(proof.public_key))
    root = merkle.root_of_path(merkle.leaf_hash(proof.row.encode()), proof.index, proof.seal.rows, path)
    if root is None or root.hex() != proof.seal.root:
        raise LedgerError(f"The row is not among those of seal {proof.seal.seal}.")
    return row
