"""What the JSON bodies of requests had in common, as a schema that a gateway may hold new ones against.

Only what all bodies had is asked for: keys that were always there, and types. Other keys are let through, and any number where
numbers were. After n bodies that fitted, the next one does not with a probability of 1 / (n + 2) at the most (Laplace's rule).
"""

import dataclasses
from typing import Any

from sensor.outputs.schema_tree import json_schema, tree_of

Row = dict[str, Any]
LEAST_BODIES = 100


@dataclasses.dataclass(frozen=True)
class Body:
    """The schema of the bodies of one method."""

    schema: Row
    bodies: int
    """from which it was learned"""

    @property
    def because(self) -> str:
        """What it rests on, as a sentence of the sensor's own words."""
        return (
            f"all of {self.bodies} bodies fit: none would have been stopped, and {self.fitting:.2%} of new ones fit at least."
        )

    @property
    def fitting(self) -> float:
        """The share of bodies to come that fit, at least."""
        return 1 - 1 / (self.bodies + 2)


def bodies_by_method(fields: list[Row]) -> dict[str, Body]:
    """Schemas by method of one path, where enough bodies were seen, each to its end and with all of its keys: what was not seen
    may be of another type. fields: rows of the view `schema_fields`."""
    sent: dict[str, list[Row]] = {}
    for row in fields:
        if row["side"] == "request":
            sent.setdefault(row["method"], []).append(row)
    found = {}
    for method, rows in sorted(sent.items()):
        bodies, unseen = min(row["total"] for row in rows), sum(row["partial"] for row in rows)
        schema = _loosened(json_schema(tree_of(rows), {}))
        if bodies >= LEAST_BODIES and not unseen and schema.get("type") == "object":
            found[method] = Body(schema, bodies)
    return found


def _loosened(schema: Row) -> Row:
    """The schema with any number for integers."""
    loose: Row = {}
    for name, value in schema.items():
        if name == "type":
            kinds = ["number" if kind == "integer" else kind for kind in ([value] if isinstance(value, str) else value)]
            loose[name] = kinds[0] if len(kinds) == 1 else kinds
        elif name == "properties":
            loose[name] = {key: _loosened(one) for key, one in value.items()}
        elif name in ("items", "additionalProperties"):
            loose[name] = _loosened(value)
        elif name == "required":
            loose[name] = value
    return loose
