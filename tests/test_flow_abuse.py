"""Flows that people go through once, gone through again and again."""

import pytest
from rows import SECOND, START
from test_detectors import alerts_of

from detectors.flow_abuse import FlowAbuse

MINUTE = 60 * SECOND


def signups(addresses, each, start=START, apart=MINUTE, first=0, **more):
    rows = [
        {"method": "POST", "path": "/v1/register", "client": f"198.51.{(first + k) // 250}.{(first + k) % 250}",
         "ts": start + (k + turn * addresses) * apart // each, **more}
        for turn in range(each)
        for k in range(addresses)
    ]  # fmt: skip
    return sorted(rows, key=lambda row: row["ts"])


def test_accounts_made_in_rows_are_one_alert_with_all_addresses():
    attack = signups(40, 5, START + 300 * MINUTE, SECOND, first=500)
    for sizes in ((10_000,), (1,), (7, 30)):
        (alert,) = alerts_of(FlowAbuse(), signups(60, 1) + attack, sizes)
        assert (alert.endpoint, alert.actors, alert.transactions) == ("/v1/register", 40, 200)
        assert alert.owasp == "API6:2023" and "200 times" in alert.explanation and "5.0 times each" in alert.explanation
    assert {row["client"] for row in attack} == set(alert.sources)


def test_one_address_that_never_stops():
    (alert,) = alerts_of(FlowAbuse(), signups(60, 1) + signups(1, 100, START + 300 * MINUTE, MINUTE, first=900))
    assert (alert.actors, alert.transactions) == (1, 100) and alert.actor.startswith("ip:")


def test_a_class_behind_one_address_is_no_abuse():
    """130 entries of nine kinds of clients are a room full of people; of one kind they are a program."""
    room = signups(1, 130, START + 300 * MINUTE, 40 * MINUTE, first=900)
    assert alerts_of(FlowAbuse(), signups(60, 1) + [row | {"fingerprint": 1 + k % 9} for k, row in enumerate(room)]) == []
    assert len(alerts_of(FlowAbuse(), signups(60, 1) + room)) == 1


@pytest.mark.parametrize(
    "rows",
    [
        signups(400, 1, apart=SECOND),  # a rush
        signups(200, 2, apart=SECOND),  # the form is sent twice
        signups(100, 1) + signups(4, 30, first=300),  # offices, a school
        signups(1, 300, credential=7),  # somebody's program
        signups(40, 5, apart=SECOND, status=409),  # refused
    ],
)
def test_what_people_and_programs_do_is_no_abuse(rows):
    assert alerts_of(FlowAbuse(), sorted(rows, key=lambda row: row["ts"])) == []


def test_what_is_usual_is_learned_hour_by_hour():
    """Kiosks at which one in four customers signs up for a family: never so many at once that it stands out."""
    days = []
    for day in range(20):
        start = START + day * 24 * 60 * MINUTE
        days += sorted(signups(12, 1, start) + signups(4, 3, start, first=100), key=lambda row: row["ts"])
    assert alerts_of(FlowAbuse(), days) == []
    rush = signups(20, 3, START + 30 * 24 * 60 * MINUTE, first=200)
    (alert,) = alerts_of(FlowAbuse(), signups(60, 1) + rush)
    assert alert.actors == 20
    busier = START + 30 * 24 * 60 * MINUTE
    fair = sorted(signups(8, 3, busier) + signups(4, 1, busier, first=100), key=lambda row: row["ts"])
    assert alerts_of(FlowAbuse(), days + fair) == []


def test_an_incident_ends_and_names_nobody_later():
    attack = signups(40, 5, START + 300 * MINUTE, SECOND, first=500)
    month = START + 30 * 24 * 60 * MINUTE
    (alert,) = alerts_of(FlowAbuse(), signups(60, 1) + attack + signups(1, 3, month, first=990))
    assert alert.actors == 40 and alert.last_seen < month
    (later,) = alerts_of(FlowAbuse(), signups(60, 1) + attack + signups(30, 5, month, SECOND, first=1_200))
    assert later.actors == 30 and later.first_seen >= month and later.alert_id != alert.alert_id


def test_a_token_is_no_excuse_for_many():
    (alert,) = alerts_of(FlowAbuse(), signups(60, 1) + signups(40, 5, START + 300 * MINUTE, SECOND, first=500, credential=9))
    assert alert.actors == 40


def test_an_office_that_signs_up_slowly_is_left_alone():
    assert alerts_of(FlowAbuse(), signups(60, 1) + signups(1, 60, START + 300 * MINUTE, 60 * 50 * MINUTE, first=900)) == []
