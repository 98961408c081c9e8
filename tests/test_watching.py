"""Things that are looked at again and again."""

import pytest
from rows import SECOND, START
from test_detectors import alerts_of

from detectors.watching import Watching

MINUTE = 60 * SECOND


def visitors(count=60, looks=4):
    """People who look at rooms, at some twice."""
    rows = [
        {"path": f"/rooms/{(k * 7 + look // 2) % 40}", "client": f"10.0.{k // 200}.{k % 200}", "ts": START + (k * 20 + look * 45) * SECOND,
         "fingerprint": 1 + k % 3}
        for k in range(count)
        for look in range(looks)
    ]  # fmt: skip
    return sorted(rows, key=lambda row: row["ts"])


def watchers(addresses, things=12, every=10, minutes=50, **more):
    rows = [
        {"path": f"/rooms/{k % things}", "client": f"198.51.100.{1 + one}", "ts": START + 30 * MINUTE + (k * every + one) * SECOND,
         "fingerprint": 9, **more}
        for one in range(addresses)
        for k in range(minutes * 60 // every)
    ]  # fmt: skip
    return sorted(rows, key=lambda row: row["ts"])


def found(*parts, sizes=(10_000,)):
    return alerts_of(Watching(), sorted((row for part in parts for row in part), key=lambda row: row["ts"]), sizes)


def test_watchers_are_one_alert_with_their_numbers():
    for sizes in ((10_000,), (1,), (7, 30)):
        (alert,) = found(visitors(), watchers(5), sizes=sizes)
        assert (alert.endpoint, alert.actors, alert.transactions) == ("/rooms/{int}", 5, 1_500)
        assert alert.owasp == "API6:2023" and "times in an hour for what had been asked for before" in alert.explanation
    assert set(alert.sources) == {f"198.51.100.{1 + k}" for k in range(5)}


@pytest.mark.parametrize(
    "rows",
    [
        watchers(0),
        watchers(3, every=60),  # a monitor
        [row | {"path": f"/partner{row['path']}", "credential": 7, "auth": "api_key"} for row in watchers(3)],
        watchers(3, things=300),  # a walk
        watchers(3, status=404),
        watchers(3, method="POST"),
        [row | {"path": "/health"} for row in watchers(3)],  # no thing of many
        [row | {"session": 1 + k % 40} for k, row in enumerate(watchers(1, every=4))],  # an office
        [row | {"fingerprint": 1 + k % 12} for k, row in enumerate(watchers(1))],
    ],
    ids=["nobody", "monitor", "partner", "walk", "missing", "writes", "no parameter", "office", "kinds of clients"],
)
def test_what_is_no_watching(rows):
    assert found(visitors(), rows) == []


@pytest.mark.parametrize("every", [3, 20])
def test_where_everybody_polls_nobody_watches(every):
    """As an application that shows where one's driver is."""
    assert found(watchers(50, every=every, minutes=30)) == []


def test_watchers_do_not_make_each_other_usual():
    (alert,) = found(visitors(80), watchers(8))
    assert alert.actors == 8
