"""More than anybody else asks for: page sizes, GraphQL without end."""

import pytest
from rows import SECOND, START
from test_detectors import alerts_of

from detectors.excess import Excess


def pages(count=60, sizes=(10, 20, 50), clients=15):
    return [
        {"path": "/v1/items", "query": f"limit={sizes[k % len(sizes)]}&page={k}", "client": f"10.0.0.{k % clients}", "ts": START + k * SECOND}
        for k in range(count)
    ]  # fmt: skip


def greedy(size, count=20, client="198.51.100.7", **more):
    later = START + 1_000 * SECOND
    return [
        {"path": "/v1/items", "query": f"limit={size}&page={k}", "client": client, "ts": later + k * SECOND, **more}
        for k in range(count)
    ]


def test_a_page_of_everything_is_one_alert_with_its_numbers():
    (alert,) = alerts_of(Excess(), pages() + greedy(100_000) + greedy(50_000, client="198.51.100.8"))
    assert (alert.endpoint, alert.actors, alert.transactions) == ("/v1/items", 2, 40)
    assert "up to 100,000 of `limit`" in alert.explanation and "others ask for up to 50" in alert.explanation
    assert alert.raised_at == START + 1_014 * SECOND  # ln 61 + 14 ln 2 > 13.8
    (alone,) = alerts_of(Excess(), pages() + greedy(100_000, count=14), sizes=(7,)) or [None]
    assert alone is None or alone.transactions == 14


@pytest.mark.parametrize(
    "rows",
    [
        pages(600),
        pages() + greedy(400),  # less than ten times as much
        pages() + greedy(100_000, count=5),
        pages() + greedy(100_000, status=400),  # it was not given
        pages(10) + greedy(900),  # little is known yet
        pages(sizes=(1_000, 50_000)) + greedy(100_000),  # where large pages are usual
    ],
)
def test_what_is_usual_or_refused_is_no_excess(rows):
    assert alerts_of(Excess(), rows) == []


def test_one_address_alone_does_not_move_what_is_usual():
    slowly = [row for size in (400, 3_000, 20_000, 150_000) for row in greedy(size, count=30)]
    (alert,) = alerts_of(Excess(), pages() + slowly)
    assert "others ask for up to 50" in alert.explanation


def test_before_anything_is_known_a_thousand_is_usual():
    (alert,) = alerts_of(Excess(), greedy(100_000, count=40))
    assert "others ask for up to 1,000" in alert.explanation


def test_a_flood_of_endpoints_and_addresses_is_bounded():
    flood = [
        {"path": f"/v{k % 50}/x", "query": "limit=999999", "client": f"100.{k // 65536}.{k // 256 % 256}.{k % 256}"}
        for k in range(9_000)
    ]
    found = alerts_of(Excess(), pages() + greedy(100_000) + flood, sizes=(500,))
    assert any(alert.endpoint == "/v1/items" for alert in found)


def test_numbers_without_end_frame_nobody():
    """Each step is ordinary: what is usual grows tenfold, and never over what a number can be."""
    ladder = [
        row
        for power in range(2, 19)
        for client in ("198.51.100.7", "198.51.100.8")
        for row in greedy(10**power - 1, 15, client)
    ]
    ladder = [row | {"ts": START + (1_000 + k) * SECOND} for k, row in enumerate(ladder)]
    alerts = alerts_of(Excess(), pages() + ladder + pages(90))
    assert {source for alert in alerts for source in alert.sources} <= {"198.51.100.7", "198.51.100.8"}


def test_one_address_that_comes_again_is_no_habit():
    hours = [row | {"ts": START + (4_000 + 3_700 * k) * SECOND} for k, row in enumerate(greedy(100_000, 6))]
    later = [row | {"ts": START + 90_000 * SECOND + k * SECOND} for k, row in enumerate(greedy(100_000, 40, "198.51.100.9"))]
    assert any("198.51.100.9" in alert.sources for alert in alerts_of(Excess(), pages() + hours + later))
