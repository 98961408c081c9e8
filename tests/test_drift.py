"""Changes of bodies as events: those that the view tells, each once."""

import random

from sensor.drift import NAMED, Drift, changes_of

BODY = {"host": "a.test", "method": "GET", "endpoint": "/x", "side": "response", "status": 200}


def row(path: str, bodies: int, total: int, kind: str = "string", appeared_after: int = 0, unseen_for: int = 0) -> dict:
    return BODY | {
        "path": path, "type": kind, "bodies": bodies, "total": total, "appeared_after": appeared_after, "unseen_for": unseen_for
    }  # fmt: skip


def test_what_is_sure_is_told_once():
    rows = [
        row("id", 900, 900), row("late", 400, 900, appeared_after=500), row("old", 300, 900, unseen_for=600),
        row("price", 600, 900, "number", unseen_for=300), row("price", 300, 900, "string", appeared_after=600),
        row("gap", 400, 900, "null", appeared_after=500), row("rare", 3, 900, appeared_after=20), row("once", 2, 900, appeared_after=890),
    ]  # fmt: skip
    drift = Drift([])
    (line,) = drift.news(rows)
    assert line == (
        "Bodies have changed: GET a.test/x (response 200): new: late (string); of another type, too: price (string); "
        "gone: old (string), price (number)."
    )
    assert drift.news(rows) == [] and Drift(rows).news(rows) == []
    back = [row("old", 600, 1200)]  # it came back, and is gone once more: known already
    assert drift.news(back) == [] and drift.news([row("old", 600, 2400, unseen_for=1200)]) == []


def test_many_keys_are_one_line():
    lines = Drift([]).news([row(f"k{n}", 400, 900, appeared_after=500) for n in range(40)])
    assert len(lines) == 1 and lines[0].endswith(f" and {40 - NAMED} more.")


def test_keys_at_random_are_no_drift():
    """Of 20,000 keys that bodies have at random at most a few are told: two ways of one in 10,000."""
    chance, told = random.Random(5), 0
    for _ in range(20_000):
        share = chance.choice([0.02, 0.1, 0.5])
        places = [n for n in range(200) if chance.random() < share]
        if places:
            told += len(changes_of([row("k", len(places), 200, appeared_after=places[0], unseen_for=199 - places[-1])]))
    assert told <= 12
