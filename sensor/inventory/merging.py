"""Carries out what was learned of paths: endpoints that are one become one, and the next ones are found at once."""

import collections
import dataclasses
from typing import NamedTuple

import numpy as np

from sensor.core.hashing import U
from sensor.core.records import TRANSACTION
from sensor.core.wide import padded
from sensor.inventory.endpoints import Endpoints, endpoint_text, move_endpoint, new_endpoints
from sensor.inventory.learned import (
    NAMES,
    NEXT_ENDPOINTS,
    NEXT_SEEN,
    SEEN,
    USED_NAMES,
    Learned,
    add,
    holds,
    learn_name,
    learn_place,
    name_hash_at,
    prefix_hash,
    text_hash,
)
from sensor.inventory.learning import SLUG, Decision, Leaf, Word, decide, may_be_value, turn_out_names
from sensor.inventory.parameters import move_parameters
from sensor.inventory.patterns import Patterns, is_kept, new_patterns
from sensor.inventory.profile_figures import media_types
from sensor.inventory.schemas import move_schemas

CHANGES = 10_000
"""Changes that are kept in memory."""
GROWTH = 1.25
"""Endpoints by which the table must have grown before it is looked at again; transactions must have doubled."""


DEEPEST = 16
"""Segments of paths that are learned from."""


class Standing(NamedTuple):
    """An endpoint as it stands in the table."""

    place: int
    method: str
    template: str


@dataclasses.dataclass(frozen=True)
class TemplateChange:
    """One decision, for whoever wants to know why an endpoint looks as it does."""

    ts: int
    """packet time, ns"""
    host: str
    prefix: str
    """words behind it are values from here on"""
    names: tuple[str, ...]
    """words that stay names all the same"""
    endpoints: int
    """endpoints that became part of others"""
    reason: str


class _Places:
    """What was decided before for one host: questions to the sets of the kernels."""

    def __init__(self, table: Endpoints, host: str, patterns: Patterns):
        self.table = table
        self._patterns = patterns
        self.host = host.encode()
        self._hash = text_hash(host, 1)

    def is_known(self, prefix: str) -> bool:
        """Whether words behind a prefix are values."""
        return bool(holds(self.table.learned.values, self._place(prefix)))

    def is_name(self, prefix: str, word: str) -> bool:
        """Whether a word there is a name all the same."""
        raw = word.encode()
        return bool(holds(self.table.learned.names, U(name_hash_at(self._place(prefix), padded(raw), 0, len(raw)))))

    def learn(self, decision: Decision) -> bool:
        """Have the kernels know a decision: False when the operator says otherwise, or there is no room for it any more."""
        before = (decision.prefix + "/").encode()
        if is_kept(self._patterns, self._hash, padded(before), 0, len(before)):
            return False
        for word in (None, *decision.names):
            raw = word.encode() if word else b""
            text = padded(self.host + before + raw)
            span = 0, len(self.host), len(self.host), len(before)
            if word is None:
                learn_place(self.table.learned, text, *span)
            else:
                learn_name(self.table.learned, text, *span, len(self.host) + len(before), len(raw))
        return self.is_known(decision.prefix)

    def _place(self, prefix: str) -> np.uint64:
        return prefix_hash(self._hash, prefix)


def learn_templates(table: Endpoints, patterns: Patterns, now: int, changes: list[TemplateChange]) -> None:
    """Decide for every host, join what became one endpoint, append to the changes, and set the next time."""
    anything, standing = False, _standing(table)
    for host, leaves in _leaves_by_host(table, standing).items():
        places = _Places(table, host, patterns)
        decisions = [decision for decision in decide(leaves, places.is_known, places.is_name) if places.learn(decision)]
        if not decisions:
            continue
        anything = True
        moved: collections.Counter[str] = collections.Counter()
        for endpoint in standing[host]:
            moved.update(_move(table, host, endpoint, places))
        changes += [
            TemplateChange(now, host, decision.prefix, decision.names, moved[decision.prefix], decision.reason)
            for decision in decisions[: CHANGES - len(changes)]
        ]
    if anything:
        move_parameters(table.parameters, table.rows)
        move_schemas(table.schemas, table.rows)
    _release_names(table.learned, now, changes)
    control = table.learned.control
    control[NEXT_SEEN] = max(2 * control[SEEN], control[NEXT_SEEN])
    control[NEXT_ENDPOINTS] = max(int(table.control[0] * GROWTH), table.control[0] + 8)


def _release_names(learned: Learned, now: int, changes: list[TemplateChange]) -> None:
    """Have words that turn out to be names be names from here on; what they were counted as stays."""
    by_place: dict[int, list[np.void]] = collections.defaultdict(list)
    for entry in learned.watched[learned.watched["served"] > 0]:
        by_place[int(entry["place"])].append(entry)
    prefixes = {int(prefix_hash(text_hash(change.host, 1), change.prefix)): change for change in changes}
    for place, entries in sorted(by_place.items()):
        words = [
            Word(_text(entry), int(entry["served"]), int(entry["shape"]) if entry["shape_votes"] > 1 else 0)
            for entry in entries
        ]
        found = [entries[k] for k in turn_out_names(words)]
        names = []
        for entry in found:
            control = learned.control
            control[USED_NAMES] = add(learned.names, control[USED_NAMES], NAMES // 2, entry["word"])
            names.append(_text(entry))
            learned.watched[learned.watched["word"] == entry["word"]] = 0
        if names and len(changes) < CHANGES:
            origin = prefixes.get(place)
            host, prefix = (origin.host, origin.prefix) if origin else ("", "")
            changes.append(
                TemplateChange(now, host, prefix, tuple(sorted(names)), 0, "names after all: hot, or answers of their own")
            )


def _text(entry: np.void) -> str:
    return entry["text"][: entry["length"]].tobytes().decode("ascii", "backslashreplace")


def rehearse() -> None:
    """Compile the kernels that learning calls."""
    table = new_endpoints()
    places = _Places(table, "host", new_patterns())
    places.learn(Decision("", ("name",), ""))
    add(table.learned.names, 0, 1, U(1))
    move_parameters(table.parameters, table.rows)
    move_schemas(table.schemas, table.rows)
    assert places.is_known("") and places.is_name("", "name")
    _move(table, "host", Standing(1, "GET", "/value"), places)


def _standing(table: Endpoints) -> dict[str, list[Standing]]:
    """Endpoints as they stand now, by host: those whose paths can be learned from."""
    found: dict[str, list[Standing]] = collections.defaultdict(list)
    for place in np.flatnonzero((table.rows["used"] > 0) & (table.rows["moved"] == 0)).tolist():
        host, method, template = endpoint_text(table, place)
        is_path = template.startswith("/") and template.count("/") <= DEEPEST and _is_plain(host + template)
        if is_path and not _is_grpc(table, place):
            found[host].append(Standing(place, method, template))
    return dict(sorted(found.items()))


def _leaves_by_host(table: Endpoints, standing: dict[str, list[Standing]]) -> dict[str, list[Leaf]]:
    """Those that were served."""
    found: dict[str, list[Leaf]] = collections.defaultdict(list)
    counts = table.profiles.counts
    served = (counts["classes"][:, 2] + counts["classes"][:, 3]).tolist()
    for host, endpoints in standing.items():
        for place, method, template in endpoints:
            if served[place]:
                segments = _segments(template)
                found[host].append(Leaf(place, method, segments, served[place], int(counts["shape"][place])))
    return found


def _segments(template: str) -> tuple[str, ...]:
    """Segments of a path; an operation that the body names belongs to the last, whatever is in its name."""
    path, mark, operation = template.partition("#")
    segments = path.split("/")[1:]
    segments[-1] += mark + operation
    return tuple(segments)


def _is_plain(text: str) -> bool:
    """Whether a text is what the wire had: bytes that are no UTF-8 were escaped."""
    return "\\" not in text


def _is_grpc(table: Endpoints, place: int) -> bool:
    return any(kind.startswith("application/grpc") for kind in media_types(table.profiles, place, 0))


def _move(table: Endpoints, host: str, endpoint: Standing, places: _Places) -> list[str]:
    """Give an endpoint the template that it would have now: the prefixes behind which a word became a value."""
    place, method, template = endpoint
    if table.rows[place]["used"] and endpoint_text(table, place) != (host, method, template):
        return []  # it gave way to what another one became a part of
    segments, prefix, found = list(_segments(template)), "", []
    for k, segment in enumerate(segments):
        if may_be_value(segment) and places.is_known(prefix) and not places.is_name(prefix, segment):
            segments[k] = SLUG
            found.append(prefix)
        prefix += "/" + segments[k]
    if found:
        parts = [text.encode() for text in (host, method, prefix)]
        row = np.zeros(1, TRANSACTION)
        row["host_len"], row["method_at"], row["method_len"] = len(parts[0]), len(parts[0]), len(parts[1])
        move_endpoint(table, place, padded(b"".join(parts)), row[0], len(parts[0]) + len(parts[1]), len(parts[2]))
    return found
