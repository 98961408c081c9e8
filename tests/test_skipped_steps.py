"""Payments by who has not been to the shop."""

import pytest
from rows import SECOND, START
from test_detectors import alerts_of

from detectors.skipped_steps import SkippedSteps

MINUTE = 60 * SECOND


def ask(client, ts, method, path, **more):
    sent = {"sent": b'{"a":1}', "request_bytes": 7} if method == "POST" else {}
    return {"method": method, "path": path, "client": client, "ts": ts, **sent, **more}


def buyer(client, at, steps=("/products", "/products/7", "/cart"), **more):
    rows = [ask(client, at + k * 20 * SECOND, "GET", path, **more) for k, path in enumerate(steps)]
    return [*rows, ask(client, at + 90 * SECOND, "POST", "/checkout", **more)]


def people(count=60):
    """One in ten comes back to the basket of yesterday: straight to the checkout."""
    rows = []
    for k in range(count):
        rows += buyer(
            f"10.0.{k // 200}.{k % 200 + 1}",
            START + k * MINUTE,
            () if k % 10 == 3 else ("/products", f"/products/{k}", "/cart"),
        )
    return rows


def direct(count, times=12, at=START + 40 * MINUTE, **more):
    return [
        ask(f"198.51.100.{one + 1}", at + (k * count + one) * 3 * SECOND, "POST", "/checkout", **more)
        for k in range(times)
        for one in range(count)
    ]


def found(*parts, sizes=(10_000,)):
    return alerts_of(SkippedSteps(), sorted((row for part in parts for row in part), key=lambda row: row["ts"]), sizes)


@pytest.mark.parametrize("count", [1, 12])
def test_who_pays_without_the_steps_is_one_alert(count):
    for sizes in ((10_000,), (1,), (7, 30)):
        (alert,) = found(people(), direct(count, fingerprint=9), sizes=sizes)
        assert (alert.endpoint, alert.method, alert.actors, alert.owasp) == ("/checkout", "POST", count, "API6:2023")
        assert "without the steps" in alert.explanation


@pytest.mark.parametrize(
    "rows",
    [
        [],
        direct(12, status=402),  # refused: no payment
        [row | {"status": 402 if k % 24 < 12 else 201} for k, row in enumerate(direct(12, times=6))],  # cards are tried
        direct(12, auth="api_key", credential=5),  # a partner's program
        direct(12, times=6, at=START),  # nothing is known yet
        [row for k in range(20) for row in buyer("198.51.100.1", START + (20 + k) * MINUTE)],  # an office buys all day
        [
            row for k in range(20) for row in buyer(f"198.51.100.{k}", START + (20 + k) * MINUTE, ("/products", "/cart"))
        ],  # most of them
        direct(1, times=5),
    ],
    ids=["nobody", "refused", "cards", "program", "unknown", "office", "most steps", "few"],
)
def test_what_skips_nothing(rows):
    assert found(people(), rows) == []


@pytest.mark.parametrize(
    "rows",
    [
        [
            row | {"session": 7 + k % 12}
            for k, row in enumerate(direct(12, times=12, auth="api_key", credential=5, fingerprint=9))
        ],
        [row | {"status": 404 if k % 24 < 12 else 201} for k, row in enumerate(direct(12, times=24, fingerprint=9))],
        [row | {"status": 402 if k % 24 < 12 else 201} for k, row in enumerate(direct(12, times=24, fingerprint=9))],
    ],
    ids=["a key that nobody asked for", "payments that fail", "cards again and again"],
)
def test_what_hides_nothing(rows):
    (alert,) = found(people(), rows)
    assert alert.actors == 12


def test_people_behind_one_address_who_pay_one_after_the_other():
    """Twenty of them look around at the same time, without sessions; then they pay in turn."""
    rows = []
    for k in range(20):
        visit = buyer("198.51.100.1", START + 40 * MINUTE + k * SECOND)
        rows += [*visit[:-1], visit[-1] | {"ts": START + 45 * MINUTE + k * 10 * SECOND}]
    assert found(people(), rows) == []


def test_who_is_forgotten_for_want_of_room_is_not_accused():
    """One address makes up a cookie for each of its requests, and with them the visitors of half an hour give way."""
    visits = [buyer(f"10.9.{k // 200}.{k % 200 + 1}", START + 70 * MINUTE + k * SECOND) for k in range(40)]
    before = [row for visit in visits for row in visit[:-1]]
    flood = [
        ask("198.51.100.1", START + 71 * MINUTE + k * SECOND // 200, "GET", "/products", session=1_000 + k)
        for k in range(70_000)
    ]
    after = [visit[-1] | {"ts": START + 78 * MINUTE + k * SECOND} for k, visit in enumerate(visits)]
    assert found(people(), before, flood, after) == []


def test_steps_count_for_a_session_that_changes_its_address():
    rows = []
    for k in range(20):
        steps = [row | {"session": 100 + k} for row in buyer(f"10.9.0.{k + 1}", START + (20 + k) * MINUTE)]
        rows += [*steps[:-1], steps[-1] | {"client": "198.51.100.7"}]
    assert found(people(), rows) == []


def test_who_skips_teaches_nothing():
    """A campaign of many addresses does not make it usual to come without steps."""
    first, second = direct(200, times=1), direct(12, at=START + 80 * MINUTE)
    alerts = found(people(), first, second)
    assert sum(alert.actors for alert in alerts) >= 190


def test_where_nobody_takes_steps_none_are_missing():
    assert found([ask(f"10.0.0.{k % 200 + 1}", START + k * MINUTE, "POST", "/checkout") for k in range(300)]) == []
