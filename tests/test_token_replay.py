"""Tokens that are used from many networks at once."""

import pytest
from rows import SECOND, START
from test_detectors import alerts_of

from detectors.token_replay import TokenReplay

TOKEN = 0xABCDEF


def people(count=200, each=6):
    """Everybody has a token of his own, some from two networks."""
    rows = [
        {"path": "/v1/me", "client": f"10.{(k + 7 * turn * (k % 5 == 0)) % 250}.0.{k % 250}", "ts": START + (k + turn * 300) * SECOND,
         "credential": 1_000 + k, "auth": "bearer"}
        for k in range(count)
        for turn in range(each)
    ]  # fmt: skip
    return sorted(rows, key=lambda row: row["ts"])


def spread(networks, each=3, apart=SECOND, **more):
    own = {"path": "/v1/orders/7", "credential": TOKEN, "auth": "bearer"} | more
    return [
        own | {"client": f"{100 + k % networks // 4}.{k % networks}.1.1", "ts": START + 5_000 * SECOND + k * apart}
        for k in range(networks * each)
    ]


def test_a_token_in_eighty_networks():
    for sizes in ((10_000,), (1,), (7, 30)):
        (alert,) = alerts_of(TokenReplay(), people() + spread(80), sizes)
        assert (alert.actor, alert.transactions) == (f"token:{TOKEN:016x}", 240) and alert.actors == 80
        assert alert.endpoint == "/v1/orders/{int}" and "networks within an hour" in alert.explanation


def at_home(count=200):
    """Everybody has a token of his own, used from one network."""
    return [
        row | {"client": f"10.{k % count % 250}.0.1", "credential": 1_000 + k % count} for k, row in enumerate(people(count))
    ]


def test_where_nobody_roams_a_dozen_networks_are_too_many():
    (alert,) = alerts_of(TokenReplay(), at_home() + spread(14))
    assert alert.actor == f"token:{TOKEN:016x}"
    assert alerts_of(TokenReplay(), at_home() + spread(6)) == []
    assert alerts_of(TokenReplay(), at_home(5) + spread(14)) == [], "five tokens say little of what is usual"


@pytest.mark.parametrize(
    "rows",
    [
        people(),
        people() + spread(12),
        people() + spread(80, auth="api_key"),  # the key of an application
        people() + spread(80, status=401),  # a token that opens nothing
        people(20, 1) + spread(80),  # most of the host's requests: everybody has it
        people() + spread(60, each=1, apart=600 * SECOND),  # a traveller of ten hours
    ],
)
def test_what_is_no_replay(rows):
    assert alerts_of(TokenReplay(), rows) == []


def test_more_tokens_than_there_is_room_for_their_addresses():
    many = [row | {"credential": TOKEN + k} for k in range(70) for row in spread(80, 1)]
    found = alerts_of(TokenReplay(), people(400, 12) + many)
    assert len(found) == 70 and all(alert.sources for alert in found) and found[-1].actors >= 25


def test_a_flood_of_tokens_is_bounded_and_keeps_what_was_raised():
    flood = [
        {"path": "/v1/me", "client": "10.0.0.1", "credential": 10_000 + k, "auth": "jwt", "ts": START + 9_000 * SECOND}
        for k in range(60_000)
    ]
    (alert,) = alerts_of(TokenReplay(), people() + spread(80) + flood)
    assert alert.actors == 80
