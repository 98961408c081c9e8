"""What the JWTs of endpoints say of themselves: algorithm, lifetime, issuer, audience (RFC 7519). No token is kept.

Only tokens with which somebody was served teach: anybody can write any other.
"""

import base64
import binascii
import math
import re
from typing import Any

import msgspec
import numpy as np

from sensor.core.bundle import Bundle
from sensor.core.hashing import U, mix
from sensor.core.jit import kernel
from sensor.core.records import Batch
from sensor.inventory.parameters import SERVED_FROM, SERVED_TO, standing

ALGORITHMS = (
    "other", "none", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512",
    "ES256K", "EdDSA",
)  # fmt: skip
NAMES, NAME_BYTES = 1_024, 96
"""Issuers and audiences of all endpoints, and bytes of each."""
PER_ENDPOINT = 4
PAIRS = 65_536
"""Places for tokens by endpoint that were read; one that gave way to another is read again, and says the same."""
LONGEST_LIFE = 1 << 40
NAMES_SOMEBODY = re.compile(r"@|%40|[0-9]{9}")
"""In issuers and audiences that are somebody's address or number, not a service's name."""

CLAIM = np.dtype([
    ("generation", "<u4"),   # of the endpoint's place
    ("algorithms", "<u4"),   # bits of ALGORITHMS
    ("unlimited", "u1"),     # some token never expires
    ("lifetime", "<i8"),     # seconds, of the longest-lived; -1: of none it is known
    ("issuers", "<u2", (PER_ENDPOINT,)), ("audiences", "<u2", (PER_ENDPOINT,)),  # places in `names`, from 1; 0 none
])  # fmt: skip


class _Header(msgspec.Struct):
    alg: str = ""


class _Payload(msgspec.Struct):
    """Claims as they are: one that is not what RFC 7519 says spoils no other."""

    exp: Any = None
    iat: Any = None
    iss: Any = ""
    aud: Any = ""


class Claims(Bundle):
    """By endpoint id."""

    rows: np.ndarray
    """CLAIM[CAPACITY]"""
    names: np.ndarray
    """uint8[NAMES, NAME_BYTES]: UTF-8, zeros behind; the first is empty"""


def new_claims(capacity: int) -> Claims:
    return Claims(np.zeros(capacity, CLAIM), np.zeros((NAMES, NAME_BYTES), np.uint8))


@kernel
def choose_unread(rows, endpoints, read, chosen):
    """Rows whose token was not read at their endpoint yet, to chosen[:]: their number. read: uint64[PAIRS], of such tokens."""
    count = 0
    for index in range(rows.shape[0]):
        row = rows[index]
        if row["looked"] == 0 or row["token_len"] == 0 or not SERVED_FROM <= row["status"] < SERVED_TO:
            continue
        place = standing(endpoints, np.int64(row["endpoint"]))
        bearer = row["credential"] if row["credential"] != U(0) else row["session"]
        key = mix(bearer ^ mix(U(place) << U(32) ^ U(endpoints[place]["generation"]))) | U(1)
        slot = np.int64(mix(key) & U(PAIRS - 1))
        if read[slot] != key:
            read[slot] = key
            chosen[count] = index
            count += 1
    return count


def read_token(token: bytes) -> tuple[_Header, _Payload] | None:
    """Header and payload of `header.payload` in base64url; None where it is no JWT."""
    try:
        header, payload = (base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)) for part in token.split(b".", 1))
        head, claims = msgspec.json.decode(header, type=_Header), msgspec.json.decode(payload, type=_Payload)
    except (ValueError, binascii.Error, RecursionError):  # msgspec's errors are ValueErrors
        return None
    claims.exp, claims.iat = _time(claims.exp), _time(claims.iat)
    claims.iss = claims.iss if isinstance(claims.iss, str) else ""
    audiences = claims.aud if isinstance(claims.aud, list) else [claims.aud]
    claims.aud = [one for one in audiences[:PER_ENDPOINT] if isinstance(one, str)]
    return head, claims


def _time(claim: Any) -> float | None:
    """A NumericDate (RFC 7519 2), also where it is written as a text; NaN for what is none."""
    if claim is None:
        return None
    try:
        return float(claim) if isinstance(claim, (int, float, str)) and not isinstance(claim, bool) else math.nan
    except (ValueError, OverflowError):
        return math.nan


def lifetime_of(payload: _Payload, now_s: float) -> int | None:
    """Seconds between issue and end, or from now on where no issue is told; None without an end, or with one that is absurd."""
    if payload.exp is None:
        return None
    seconds = payload.exp - (payload.iat if payload.iat is not None else now_s)
    return int(seconds) if 0 <= seconds < LONGEST_LIFE else None


class ClaimReader:
    """Reads each token of each endpoint once."""

    def __init__(self, capacity: int) -> None:
        self.claims = new_claims(capacity)
        self._read = np.zeros(PAIRS, np.uint64)
        self._chosen = np.empty(0, np.int64)

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything that it remembers, by name."""
        return {f"claims.{name}": array for name, array in self.claims.arrays().items()}

    def learn(self, endpoints: np.ndarray, batch: Batch) -> None:
        """Take the tokens of requests that are looked at and were served. endpoints: ENDPOINT[:]"""
        rows = batch.rows
        if len(self._chosen) < len(rows):
            self._chosen = np.empty(len(rows), np.int64)
        for index in self._chosen[: choose_unread(rows, endpoints, self._read, self._chosen)].tolist():
            place = int(standing(endpoints, int(rows["endpoint"][index])))
            found = read_token(batch.text(index, "token"))
            if found is not None:
                self._note(place, int(endpoints[place]["generation"]), *found, now_s=int(rows["ts"][index]) / 1e9)

    def _note(self, place: int, generation: int, header: _Header, payload: _Payload, now_s: float) -> None:
        entry = self.claims.rows[place]
        if entry["generation"] != generation:
            entry["algorithms"] = entry["unlimited"] = 0
            entry["issuers"] = entry["audiences"] = 0
            entry["generation"], entry["lifetime"] = generation, -1
        algorithm = "none" if header.alg.lower() == "none" else header.alg
        entry["algorithms"] |= 1 << (ALGORITHMS.index(algorithm) if algorithm in ALGORITHMS else 0)
        entry["unlimited"] |= payload.exp is None
        lifetime = lifetime_of(payload, now_s)
        if lifetime is not None:
            entry["lifetime"] = max(int(entry["lifetime"]), lifetime)
        for column, names in (("issuers", [payload.iss]), ("audiences", payload.aud)):
            for name in filter(None, names):
                _add(entry[column], self._place_of_name(name))

    def _place_of_name(self, name: str) -> int:
        """Place of a name, new or known; 0 where there is no room."""
        shown = "{text}" if NAMES_SOMEBODY.search(name) else name
        data = np.zeros(NAME_BYTES, np.uint8)
        text = shown.encode("utf-8", "replace")[:NAME_BYTES].decode("utf-8", "ignore").encode()
        data[: len(text)] = np.frombuffer(text, np.uint8)
        names = self.claims.names
        used = int(np.count_nonzero(names[:, 0]))
        same = np.flatnonzero((names[1 : used + 1] == data).all(axis=1))
        if len(same):
            return int(same[0]) + 1
        if used + 1 >= NAMES or not text or not text[0]:
            return 0
        names[used + 1] = data
        return used + 1

    def describe(self, place: int, generation: int) -> dict:
        """What is known of an endpoint's tokens, as columns of the store."""
        entry = self.claims.rows[place]
        known = entry if entry["generation"] == generation else np.zeros((), CLAIM)
        lifetime = int(known["lifetime"]) if known["algorithms"] else -1
        return {
            "jwt_algorithms": [name for code, name in enumerate(ALGORITHMS) if int(known["algorithms"]) >> code & 1],
            "jwt_issuers": self._texts(known["issuers"]),
            "jwt_audiences": self._texts(known["audiences"]),
            "jwt_lifetime_s": lifetime if lifetime >= 0 else None,
            "jwt_unlimited": int(known["unlimited"]),
        }

    def _texts(self, places: np.ndarray) -> list[str]:
        found = [self.claims.names[place].tobytes().rstrip(b"\0").decode("utf-8", "replace") for place in places if place]
        return sorted(found)


def _add(places: np.ndarray, place: int) -> None:
    """Add a name's place to those of an endpoint, where there is room."""
    if place and place not in places and 0 in places:
        places[int(np.flatnonzero(places == 0)[0])] = place
