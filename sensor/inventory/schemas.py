"""Schemas of JSON bodies, learned body by body: which keys are there, of which types, how often, since when.

Requests that were served (2xx) teach, and answers of every status of endpoints that exist. What is told of a key holds for
the bodies that were looked at: it is called required where each object that could have had it had it.
"""

import numpy as np

from sensor.core.bundle import Bundle
from sensor.core.hashing import U, mix
from sensor.core.jit import kernel
from sensor.core.records import MEDIA
from sensor.inventory.json_steps import BODY, FULL, KEY, NO_JSON, NO_KEY, USED, Walk, new_walk, walk_json
from sensor.inventory.parameters import standing
from sensor.inventory.sightings import NEVER, is_welcome, new_sightings

CAPACITY = 65_536
PROBES = 16
"""Places looked at before a node finds no room."""
FREELY, MOST = 512, 1_024
"""Nodes of one endpoint: those that it takes as they come, and with those that are met again."""
REQUEST, RESPONSE = range(2)
M_JSON = MEDIA["json"]

NODE = np.dtype([
    ("endpoint", "<u4"),     # id of its endpoint, 0 free
    ("generation", "<u4"),   # of the endpoint's place
    ("side", "u1"), ("status", "<u2"),  # REQUEST (then 0) or RESPONSE
    ("path", "<u8"), ("parent", "<u8"), ("type", "u1"),  # as in STEP; path 0 and type BODY: the body as a whole, of
    # which `bodies` and `partial` alone are counted
    ("bodies", "<u8"),       # that had it
    ("times", "<u8"),        # how often they had it
    ("fraction", "u1"),      # a number that is no integer was seen
    ("partial", "<u8"),      # of BODY: bodies that were not seen to their end
    ("first_ts", "<i8"), ("last_ts", "<i8"),
    ("before", "<u8"),       # bodies before the first that had it; 0 where that is not known
    ("upto", "<u8"),         # bodies up to the last that had it
    ("name", "u1", (KEY,)), ("name_len", "u1"), ("name_kind", "u1"),
])  # fmt: skip


class Schemas(Bundle):
    """The table: open addressing by endpoint, side, status, path and type."""

    nodes: np.ndarray
    """NODE[CAPACITY]"""
    counts: np.ndarray
    """uint16[endpoints]: nodes of each"""
    grown: np.ndarray
    """uint8[endpoints]: those that took in others, while they do"""
    sightings: np.ndarray
    """As new_sightings makes them"""
    control: np.ndarray
    """int64[2]: nodes that found no room; bodies that were no JSON"""
    walk: Walk


NO_ROOM, UNREADABLE = range(2)


def new_schemas(endpoints: int) -> Schemas:
    return Schemas(
        np.zeros(CAPACITY, NODE),
        np.zeros(endpoints, np.uint16),
        np.zeros(endpoints, np.uint8),
        new_sightings(),
        np.zeros(2, np.int64),
        new_walk(),
    )


@kernel
def clear_node(node, endpoint, generation, side, status, path, kind):
    """Make a place that of a node of which nothing is known."""
    node["endpoint"] = endpoint
    node["generation"] = generation
    node["side"] = side
    node["status"] = status
    node["path"] = path
    node["parent"] = 0
    node["type"] = kind
    node["bodies"] = 0
    node["times"] = 0
    node["fraction"] = 0
    node["partial"] = 0
    node["name_len"] = 0
    node["name_kind"] = NO_KEY


@kernel
def find_node(schemas, endpoints, endpoint, side, status, path, kind, ts):
    """Place of a node, new (no bodies) or known; -1 when there is no room. endpoints: ENDPOINT[:]; ts: as in is_welcome."""
    generation = endpoints[endpoint]["generation"]
    where = U(endpoint) << U(32) | U(status) << U(8) | U(side) << U(4) | U(kind)
    key = mix(path ^ mix(where))
    first = np.int64(key & U(CAPACITY - 1))
    for step in range(PROBES):
        place = (first + step) & (CAPACITY - 1)
        node = schemas.nodes[place]
        if node["endpoint"] == 0:
            if schemas.counts[endpoint] >= MOST:
                break
            if not is_welcome(schemas.sightings, schemas.counts[endpoint], FREELY, key, ts):
                return np.int64(-1)
            schemas.counts[endpoint] += np.uint16(1)
            clear_node(node, endpoint, generation, side, status, path, kind)
            return place
        if (
            node["endpoint"] == endpoint
            and node["path"] == path
            and node["status"] == status
            and node["side"] == side
            and node["type"] == kind
        ):
            if node["generation"] != generation:  # the place was given to another endpoint
                clear_node(node, endpoint, generation, side, status, path, kind)
            return place
    schemas.control[NO_ROOM] += 1
    return np.int64(-1)


@kernel
def note_node(node, step, text, weight, before, ts):
    """A body that stands for `weight` had this step; `before`: bodies that came earlier."""
    if node["bodies"] == 0:
        node["parent"] = step["parent"]
        node["name_len"] = step["name_len"]
        node["name_kind"] = step["name_kind"]
        for k in range(step["name_len"]):
            node["name"][k] = text[step["name_at"] + k]
        node["first_ts"] = ts
        node["before"] = before
    node["bodies"] += U(weight)
    node["times"] += U(step["times"]) * U(weight)
    node["fraction"] |= step["fraction"]
    node["last_ts"] = ts
    node["upto"] = before + U(weight)


@kernel
def learn_body(schemas, endpoints, endpoint, side, status, text, at, end, partial, weight, ts):
    """Learn from one body. weight: bodies for which it stands; partial: text[at:end] is not all of it."""
    walk = schemas.walk
    whole = walk_json(walk, text, at, end)
    if whole == NO_JSON or walk.control[USED] == 0 or (whole == 0 and not partial):
        schemas.control[UNREADABLE] += 1
        return
    place = find_node(schemas, endpoints, endpoint, side, status, U(0), BODY, ts)
    if place < 0:
        return
    root = schemas.nodes[place]
    before = root["bodies"]
    root["bodies"] = before + U(weight)
    missed = whole == 0 or walk.control[FULL] != 0
    for k in range(walk.control[USED]):
        step = walk.steps[k]
        place = find_node(schemas, endpoints, endpoint, side, status, step["path"], step["type"], ts)
        if place < 0:
            missed = True
        else:
            note_node(schemas.nodes[place], step, text, weight, before, ts)
    if missed:
        root["partial"] += U(weight)


@kernel
def learn_schemas(schemas, endpoints, rows, bodies):
    """Learn from the samples of rows[:] (TRANSACTION) that are looked at."""
    for index in range(rows.shape[0]):
        row = rows[index]
        weight = np.int64(row["looked"])
        if weight == 0 or row["endpoint"] == 0 or not row["served"]:
            continue
        endpoint = standing(endpoints, np.int64(row["endpoint"]))
        at, length = np.int64(row["request_body_at"]), np.int64(row["request_body_len"])
        if length > 0 and row["request_media"] == M_JSON and row["request_coding"] == 0 and 200 <= row["status"] < 300:
            cut = row["request_partial"] != 0
            learn_body(schemas, endpoints, endpoint, REQUEST, 0, bodies, at, at + length, cut, weight, row["ts"])
        at, length = np.int64(row["response_body_at"]), np.int64(row["response_body_len"])
        if length > 0 and row["response_media"] == M_JSON and row["response_coding"] == 0 and row["status"] > 0:
            cut, status = row["response_partial"] != 0, np.int64(row["status"])
            learn_body(schemas, endpoints, endpoint, RESPONSE, status, bodies, at, at + length, cut, weight, row["ts"])


@kernel
def merge_node(node, other):
    """Add what is known of a node to the same one of another endpoint."""
    if node["bodies"] == 0:
        node["parent"] = other["parent"]
        node["first_ts"] = other["first_ts"]
        node["last_ts"] = other["last_ts"]
        node["name_len"] = other["name_len"]
        node["name_kind"] = other["name_kind"]
        for k in range(KEY):
            node["name"][k] = other["name"][k]
    node["bodies"] += other["bodies"]
    node["times"] += other["times"]
    node["partial"] += other["partial"]
    node["fraction"] |= other["fraction"]
    node["first_ts"] = min(node["first_ts"], other["first_ts"])
    node["last_ts"] = max(node["last_ts"], other["last_ts"])


@kernel
def move_schemas(schemas, endpoints):
    """Endpoints became parts of others: what is known of their bodies goes with them."""
    schemas.grown[:] = 0
    for place in range(CAPACITY):
        other = schemas.nodes[place]
        endpoint = np.int64(other["endpoint"])
        if endpoint == 0 or other["bodies"] == 0 or not endpoints[endpoint]["moved"]:
            continue
        onto, found, kind = standing(endpoints, endpoint), np.int64(-1), np.int64(other["type"])
        if other["generation"] == endpoints[endpoint]["generation"]:  # else of an endpoint that had this place before
            schemas.grown[onto] = 1
            found = find_node(schemas, endpoints, onto, other["side"], other["status"], other["path"], kind, np.int64(NEVER))
        if found >= 0:
            merge_node(schemas.nodes[found], other)
        other["bodies"] = 0  # it keeps its place: others may stand behind it
    for place in range(CAPACITY):
        node = schemas.nodes[place]
        if schemas.grown[node["endpoint"]]:  # whose bodies came first cannot be told any more
            node["before"] = 0
            node["upto"] = 0
