"""What is known of bodies as rows of the store: one for each key path and type, as `items[].price` of type number."""

import re

import numpy as np

from sensor.core.placeholders import CLASSES
from sensor.inventory.endpoints import Endpoints, endpoint_text
from sensor.inventory.json_steps import BODY, NO_KEY, NUMBER, OBJECT, TYPES
from sensor.inventory.lexical import LITERAL
from sensor.inventory.parameters import shown_name

SIDES = ("request", "response")
GROWTH = 1.1
"""Bodies by which there must be more before they are told again."""
NEEDS_ESCAPE = re.compile(r"[.\\\[]")


class SchemaRows:
    """Tells of the schemas of a table of endpoints, and remembers what was told."""

    def __init__(self, table: Endpoints):
        self._table = table
        self._told = np.zeros(len(table.schemas.nodes), np.uint64)

    def all(self) -> list[dict]:
        """All, by endpoint, side, status and path."""
        return self._rows(np.flatnonzero(self._standing() & (self._table.schemas.nodes["type"] == BODY)))

    def news(self) -> list[dict]:
        """Those of bodies of which a tenth more were seen than when they were told."""
        nodes = self._table.schemas.nodes
        roots = np.flatnonzero(self._standing() & (nodes["type"] == BODY) & (nodes["bodies"] > GROWTH * self._told))
        self._told[roots] = nodes["bodies"][roots]
        return self._rows(roots)

    def _standing(self) -> np.ndarray:
        nodes, endpoints = self._table.schemas.nodes, self._table.rows
        owners = nodes["endpoint"]
        fresh = (endpoints["generation"][owners] == nodes["generation"]) & (endpoints["moved"][owners] == 0)
        return (nodes["bodies"] > 0) & fresh

    def _rows(self, roots: np.ndarray) -> list[dict]:
        nodes, found = self._table.schemas.nodes, []
        owners = np.unique(nodes["endpoint"][roots])
        places = np.flatnonzero(self._standing() & np.isin(nodes["endpoint"], owners) & (nodes["type"] != BODY))
        of_body: dict[tuple[int, int, int], list[np.void]] = {}
        for node in nodes[places]:
            of_body.setdefault((int(node["endpoint"]), int(node["side"]), int(node["status"])), []).append(node)
        for root in nodes[roots]:
            host, method, template = endpoint_text(self._table, int(root["endpoint"]))
            side, status = int(root["side"]), int(root["status"])
            key = {"host": host, "method": method, "endpoint": template, "side": SIDES[side], "status": status}
            found += [key | row for row in describe(root, of_body.get((int(root["endpoint"]), side, status), []))]
        order = ("host", "endpoint", "method", "side", "status", "path", "type")
        return sorted(found, key=lambda row: tuple(row[name] for name in order))


def describe(root: np.void, nodes: list[np.void]) -> list[dict]:
    """The keys of one kind of body, without whose they are. root: the body as a whole; nodes: NODE."""
    named = {int(node["path"]): node for node in nodes}
    times: dict[int, int] = {}
    for node in nodes:
        times[int(node["path"])] = times.get(int(node["path"]), 0) + int(node["times"])
    objects = {int(node["path"]): int(node["times"]) for node in nodes if node["type"] == OBJECT}
    total, is_whole = int(root["bodies"]), not root["partial"]
    found: dict[tuple[str, str], dict] = {}
    for node in nodes:
        path, is_key = path_text(node, named), node["name_kind"] == LITERAL
        if path is None:
            continue
        owner = objects.get(int(node["parent"]), 0)
        row = {
            "path": path,
            "type": TYPES[int(node["type"])],
            "integers": int(node["type"] == NUMBER and not node["fraction"]),
            "required": int(is_whole and is_key and 0 < owner <= times[int(node["path"])]),
            "bodies": int(node["bodies"]),
            "total": total,
            "partial": int(root["partial"]),
            "appeared_after": int(node["before"]),
            "unseen_for": total - int(node["upto"]) if node["upto"] else 0,
            "first_seen": int(node["first_ts"]),
            "last_seen": int(node["last_ts"]),
        }
        other = found.setdefault((path, TYPES[int(node["type"])]), row)
        if other is not row:  # two keys whose names are not shown are one to whoever reads them
            other["bodies"], other["required"] = max(other["bodies"], row["bodies"]), 0
    return list(found.values())


def path_text(node: np.void, named: dict[int, np.void]) -> str | None:
    """`items[].price`; a key that is itself a value by its class, as in `users.{uuid}.name`. Dots in keys are escaped, and
    an empty key is `\\e`.

    None where what it is in found no room in the table.
    """
    parts: list[str] = []
    while node["parent"]:
        parts.append("[]" if node["name_kind"] == NO_KEY else f".{key_text(node)}")
        if int(node["parent"]) not in named:
            return None
        node = named[int(node["parent"])]
    return "".join(reversed(parts)).removeprefix(".")


def key_text(node: np.void) -> str:
    """The last key of a node's path."""
    if node["name_kind"] != LITERAL:
        return f"{{{CLASSES[int(node['name_kind'])]}}}"
    name = shown_name(node["name"][: node["name_len"]].tobytes().decode("utf-8", "backslashreplace"))
    return NEEDS_ESCAPE.sub(lambda found: "\\" + found[0], name) or "\\e"
