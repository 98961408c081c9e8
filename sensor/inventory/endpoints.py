"""The endpoint table: (host, method, template) to a small id, with room for a fixed number of them.

An id stays with its endpoint until the table is full; then endpoints that never were served (every answer said 404,
405, 400 or 501) give way, so that a scanner cannot push out the real ones; then those that were called fewer than FEW times:
a host that answers to any name or path would fill the table with endpoints that are called once. Id 0 stands for those
that found no room.
"""

import numpy as np

from sensor.core.bundle import Bundle
from sensor.core.hashing import U, hash_bytes, mix
from sensor.core.jit import kernel
from sensor.core.wide import SLACK, copy
from sensor.inventory.learned import Learned, new_learned
from sensor.inventory.parameters import Parameters, new_parameters
from sensor.inventory.profile import Profiles, clear_profile, merge_profile, new_profiles
from sensor.inventory.schemas import Schemas, new_schemas

CAPACITY = 16_384
TEXT_LIMIT = 1_024
"""Bytes kept of host, method and template together."""
FIRST_LOOK, FIRST_ENDPOINTS = 256, 32
"""Transactions, and endpoints, after which paths are learned from for the first time."""
MOVES = 16
"""Times in a row that an endpoint can become a part of another."""
DOCUMENTS = 4_096
FEW = 8
"""Transactions below which a served endpoint gives way where there is no room."""
PROBES = 32
"""Slots looked at before an unserved endpoint gives way or the newcomer finds no room."""

ENDPOINT = np.dtype([
    ("hash", "<u8"),
    ("used", "u1"),
    ("host_len", "<u2"), ("method_len", "<u2"), ("template_len", "<u2"),
    ("generation", "<u4"),  # times that this place was given to another endpoint
    ("parameters", "<u2"),  # that are known of it
    ("moved", "<u4"),       # id of the endpoint that this one became a part of, 0 none: its place is free for another
    ("batch", "<u4"),       # batch in which its template was last copied to the arena,
    ("copied_at", "<u4"), ("copied_len", "<u4"),  # and where to
    ("merged", "<u4"),      # batch in which another endpoint became a part of it
])  # fmt: skip


class Endpoints(Bundle):
    """The table: the place is the id."""

    rows: np.ndarray
    """ENDPOINT[CAPACITY]"""
    texts: np.ndarray
    """uint8[CAPACITY * TEXT_LIMIT + SLACK]: host, method and template of each, one behind the other"""
    profiles: Profiles
    control: np.ndarray
    """int64[3]: endpoints in use; number of the batch in work; newcomers that found no room but a served one's, or none"""
    learned: Learned
    parameters: Parameters
    schemas: Schemas
    documents: np.ndarray
    """uint64[DOCUMENTS]: kinds of GraphQL operations that were sent whole (sensor.inventory.operations)"""


def new_endpoints() -> Endpoints:
    return Endpoints(
        np.zeros(CAPACITY, ENDPOINT),
        np.zeros(CAPACITY * TEXT_LIMIT + SLACK, np.uint8),
        new_profiles(CAPACITY),
        np.zeros(3, np.int64),
        new_learned(FIRST_LOOK, FIRST_ENDPOINTS),
        new_parameters(),
        new_schemas(CAPACITY),
        np.zeros(DOCUMENTS, U),
    )


@kernel
def endpoint_hash(arena, row, template, template_len):
    """Hash of (host, method, template); `template` is an offset into the same arena."""
    value = hash_bytes(arena, np.int64(row["host_at"]), np.int64(row["host_len"]), U(1))
    value = mix(value ^ hash_bytes(arena, np.int64(row["method_at"]), np.int64(row["method_len"]), U(2)))
    return mix(value ^ hash_bytes(arena, template, template_len, U(3)))


@kernel
def take_place(table, place, hashed, arena, row, template, template_len):
    """Write a newcomer into a place."""
    entry = table.rows[place]
    entry["hash"] = hashed
    entry["generation"] += np.uint32(1)
    entry["used"] = 1
    entry["moved"] = 0
    entry["parameters"] = 0
    table.schemas.counts[place] = 0
    entry["batch"] = 0
    entry["merged"] = 0
    host_len = min(np.int64(row["host_len"]), 256)
    method_len = min(np.int64(row["method_len"]), 32)
    entry["host_len"] = host_len
    entry["method_len"] = method_len
    entry["template_len"] = min(template_len, TEXT_LIMIT - host_len - method_len)
    at = place * TEXT_LIMIT
    copy(table.texts, at, arena, np.int64(row["host_at"]), host_len)
    copy(table.texts, at + host_len, arena, np.int64(row["method_at"]), method_len)
    copy(table.texts, at + host_len + method_len, arena, template, np.int64(entry["template_len"]))
    clear_profile(table.profiles, place)


@kernel
def is_in_work(table, place):
    """Whether rows of the batch in work bear an endpoint's id."""
    entry, batch = table.rows[place], np.uint32(table.control[1])
    return entry["batch"] == batch or entry["merged"] == batch


@kernel
def is_rarer(profiles, one, other):
    """Whether an endpoint was called fewer times than another, or as often and longer ago."""
    mine, theirs = profiles.counts[one], profiles.counts[other]
    if mine["transactions"] != theirs["transactions"]:
        return mine["transactions"] < theirs["transactions"]
    return mine["last_ts"] < theirs["last_ts"]


@kernel
def find_endpoint(table, arena, row, template, template_len):
    """Id of the row's endpoint, new or known; 0 when there is no room."""
    hashed = endpoint_hash(arena, row, template, template_len)
    slot = np.int64(hashed & U(CAPACITY - 1))
    unserved, left, rare = np.int64(0), np.int64(0), np.int64(0)
    for step in range(PROBES):
        place = (slot + step) & (CAPACITY - 1)
        if place == 0:
            continue
        entry = table.rows[place]
        if not entry["used"]:
            table.control[0] += 1
            take_place(table, place, hashed, arena, row, template, template_len)
            return place
        if entry["hash"] == hashed and not entry["moved"]:
            return place
        if left == 0 and entry["moved"] and not is_in_work(table, place):
            left = place
        counts = table.profiles.counts[place]
        if unserved == 0 and not counts["served"]:
            unserved = place
        if counts["transactions"] < FEW and not is_in_work(table, place):
            if rare == 0 or is_rarer(table.profiles, place, rare):
                rare = place
    free = left if left > 0 else unserved
    if free == 0:
        table.control[2] += 1
        free = rare
    if free > 0:
        take_place(table, free, hashed, arena, row, template, template_len)
    return free


@kernel
def move_endpoint(table, place, arena, row, template, template_len):
    """Make an endpoint a part of the one that the template names: the id of that, 0 when there is no room for it.

    row: where host and method stand in the arena, as in TRANSACTION.
    """
    table.rows[place]["merged"] = np.uint32(table.control[1])  # it does not give way to what it becomes a part of
    onto = find_endpoint(table, arena, row, template, template_len)
    if onto > 0 and onto != place:
        merge_profile(table.profiles, onto, place)
        clear_profile(table.profiles, place)
        table.rows[place]["moved"] = onto
        table.rows[onto]["merged"] = np.uint32(table.control[1])
    return onto


def endpoint_text(table: Endpoints, place: int) -> tuple[str, str, str]:
    """(host, method, template) of an id; of the endpoint that it has become a part of."""
    for _ in range(MOVES):
        if not table.rows[place]["moved"]:
            break
        place = int(table.rows[place]["moved"])
    entry = table.rows[place]
    at = place * TEXT_LIMIT
    parts = []
    for name in ("host_len", "method_len", "template_len"):
        size = int(entry[name])
        parts.append(table.texts[at : at + size].tobytes().decode("utf-8", "backslashreplace"))
        at += size
    return parts[0], parts[1], parts[2]
