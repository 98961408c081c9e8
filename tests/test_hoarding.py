"""Things that are held again and again, and never paid."""

import json

import pytest
from rows import SECOND, START
from test_detectors import alerts_of

from detectors.hoarding import Hoarding

MINUTE = 60 * SECOND


def hold(client, ts, thing, path="/cart/items", **more):
    return {"method": "POST", "path": path, "client": client, "ts": ts, "sent": json.dumps({"product": thing}).encode(), **more}


def pay(client, ts):
    return {
        "method": "POST",
        "path": "/checkout",
        "client": client,
        "ts": ts,
        "sent": b'{"method":"card"}',
        "request_bytes": 17,
    }


def shoppers(count=60):
    """People who put two or three things into a basket, one in six of them one once more, and half of them pay."""
    rows = []
    for k in range(count):
        client, at = f"10.0.0.{k + 1}", START + k * MINUTE
        rows += [hold(client, at + turn * 40 * SECOND, 100 + (k * 5 + turn) % 30) for turn in range(2 + k % 2)]
        if k % 6 == 0:
            rows.append(hold(client, at + 8 * MINUTE, 100 + k * 5 % 30))
        if k % 2:
            rows.append(pay(client, at + 9 * MINUTE))
    return rows


def hoarders(count, times=16, things=3, apart=15, path="/cart/items", paying=False, **more):
    rows = []
    for one in range(count):
        for k in range(times):
            client, at = f"198.51.100.{one + 1}", START + 30 * MINUTE + (k // things * apart) * MINUTE + (one + k) * SECOND
            rows.append(hold(client, at, 7 + k % things, path, **more))
            if paying and k % things == things - 1:
                rows.append(pay(client, at + MINUTE))
    return rows


def found(*parts, sizes=(10_000,)):
    return alerts_of(Hoarding(), sorted((row for part in parts for row in part), key=lambda row: row["ts"]), sizes)


def test_hoarders_are_one_alert_with_all_of_them():
    for sizes in ((10_000,), (1,), (7, 30)):
        (alert,) = found(shoppers(), hoarders(12), sizes=sizes)
        assert (alert.detector, alert.endpoint, alert.actors) == ("hoarding", "/cart/items", 12)
        assert alert.owasp == "API6:2023" and "never paid" in alert.explanation


def test_one_who_holds_one_thing_all_day():
    (alert,) = found(shoppers(), hoarders(1, times=20, things=1))
    assert alert.actor == "ip:198.51.100.1" and alert.actors == 1


def test_of_a_reservation_the_event_counts_whichever_seats():
    seats = [
        row | {"sent": json.dumps({"seats": [f"A-{k}"]}).encode()}
        for k, row in enumerate(hoarders(1, path="/events/5/holds", times=45))
    ]
    (alert,) = found(shoppers(), seats)
    assert alert.endpoint == "/events/{int}/holds" and alert.actors == 1


@pytest.mark.parametrize(
    "rows",
    [
        [],
        hoarders(12, times=6, apart=3),  # at once: clicked again
        hoarders(12, status=409),  # sold out
        hoarders(12, paying=True),  # bought again and again
        hoarders(12, times=16, things=16),  # many things, each once
    ],
    ids=["nobody", "clicks", "sold out", "paid", "many things"],
)
def test_what_is_no_hoarding(rows):
    assert found(shoppers(), rows) == []
