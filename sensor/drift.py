"""What came and went of JSON bodies, told once when it is sure: the event to the rows of the view `schema_drift`."""

import math

FEWEST = 3
"""Bodies that had a key or a type, below which nothing is said of it."""
ODDS = 10_000
"""Once in so many times a key that bodies have at random would seem to have come, or gone: as in the view."""
NAMED = 8
"""Keys that a line names."""
REMEMBERED = 100_000
"""Changes that are not told again; the tables of the inventory hold fewer keys."""
WORDS = {"new_key": "new", "new_type": "of another type, too", "gone": "gone"}


def changes_of(rows: list[dict]) -> list[tuple[dict, str]]:
    """Rows of schemas (all of a body together) that came or went, each with `new_key`, `new_type` or `gone`.

    Were each of `total` bodies as likely to have a key as any other, all of the `bodies` with it would come after the first n
    with probability ((total - n) / total) ^ bodies, and would all come before the last n with the same.
    """
    types: dict[tuple, int] = {}
    for row in rows:
        types[_place(row)] = types.get(_place(row), 0) + (row["type"] != "null")
    found = []
    for row in rows:
        if row["type"] == "null" or row["bodies"] < FEWEST:
            continue
        if _is_sure(row, row["appeared_after"]):
            found.append((row, "new_type" if types[_place(row)] > 1 else "new_key"))
        elif _is_sure(row, row["unseen_for"]):
            found.append((row, "gone"))
    return found


def _is_sure(row: dict, without: int) -> bool:
    return 0 < without < row["total"] and row["bodies"] * math.log(row["total"] / (row["total"] - without)) > math.log(ODDS)


def _body(row: dict) -> tuple:
    return tuple(row[name] for name in ("host", "method", "endpoint", "side", "status"))


def _place(row: dict) -> tuple:
    return *_body(row), row["path"]


class Drift:
    """Remembers which changes were told. known: rows of schemas that an earlier run left, whose changes are no news."""

    def __init__(self, known: list[dict]):
        self._told: dict[tuple, None] = {}
        self._fresh(known)

    def _fresh(self, rows: list[dict]) -> list[tuple[dict, str]]:
        fresh = []
        for row, change in changes_of(rows):
            key = (*_place(row), row["type"], change == "gone")
            if key not in self._told:
                fresh.append((row, change))
            self._told[key] = None
        while len(self._told) > REMEMBERED:
            self._told.pop(next(iter(self._told)))
        return fresh

    def news(self, rows: list[dict]) -> list[str]:
        """A line for each kind of body of which something came or went, and was not told before."""
        bodies: dict[tuple, dict[str, list[str]]] = {}
        for row, change in self._fresh(rows):
            named = bodies.setdefault(_body(row), {}).setdefault(change, [])
            named.append(f"{row['path'] or 'the body'} ({row['type']})")
        lines = []
        for (host, method, endpoint, side, status), changed in bodies.items():
            of = f"{side} {status}" if status else side
            said = "; ".join(f"{WORDS[change]}: {_list(changed[change])}" for change in WORDS if change in changed)
            lines.append(f"Bodies have changed: {method} {host}{endpoint} ({of}): {said}.")
        return lines


def _list(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
