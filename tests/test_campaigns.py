"""Attacks over many addresses: one incident, with those named who took part."""

import numpy as np
import pytest
from rows import SECOND, START, batch_of
from test_detectors import alerts_of, people, shoppers, sweep

from detectors.attempts_state import TRACK
from detectors.campaigns import INCIDENTS, MEMBERS, NOBODY, WAYS, incident_of, new_campaigns, open_incident, take_in
from detectors.card_testing import CardTesting
from detectors.credential_stuffing import CredentialStuffing
from detectors.enumeration import Enumeration
from detectors.fuzzing import Fuzzing
from detectors.scanning import Scanning

LATER = START + 2_000 * SECOND


def address(k: int) -> str:
    return f"198.18.{k // 250}.{k % 250 + 1}"


def guests(count=60):
    """Shoppers who also look at their account and at lists: nobody of them does one thing alone."""
    found = []
    for row in shoppers(count, 20, 5):
        found += [
            row | {"fingerprint": 77},
            {"path": "/me", "client": row["client"], "ts": row["ts"] + SECOND, "fingerprint": 77},
        ]
    return sorted(found, key=lambda row: row["ts"])


def spread(rows, sources, fingerprint):
    return [row | {"client": address(k % sources), "fingerprint": fingerprint} for k, row in enumerate(rows)]


def log_ins(count, status=401):
    return [
        {"path": "/v1/login", "method": "POST", "status": status, "ts": LATER + k * SECOND, "request_bytes": 40 + k % 30,
         "sent": b'{"email":"u%d@x.test","password":"p%d"}' % (k, k)}
        for k in range(count)
    ]  # fmt: skip


def test_stuffing_that_is_spread_is_one_incident_with_its_addresses():
    (alert,) = alerts_of(CredentialStuffing(), people() + spread(log_ins(400), 200, 5))
    assert alert.actors == 200 and set(alert.sources) == {address(k) for k in range(200)}
    assert alert.actor == "fingerprint:0000000000000005" and alert.transactions == 400
    assert "credential stuffing" in alert.explanation
    assert alert.raised_at <= LATER + 20 * SECOND


def test_stuffing_with_a_new_fingerprint_for_each_request_is_found_at_the_endpoint():
    rows = [row | {"fingerprint": 1_000 + k} for k, row in enumerate(spread(log_ins(300), 300, 0))]
    (alert,) = alerts_of(CredentialStuffing(), people() + rows)
    assert alert.actor.startswith("campaign:") and alert.actors >= 285


def test_spraying_is_called_so():
    rows = [row | {"sent": b'{"email":"u%d@x.test","password":"Summer2026"}' % k} for k, row in enumerate(log_ins(100))]
    (alert,) = alerts_of(CredentialStuffing(), people() + [row | {"client": "198.18.0.1"} for row in rows])
    assert "password spraying" in alert.explanation


def test_people_who_mistype_are_not_named():
    rows = spread(log_ins(400), 100, 5)
    mistyped = [
        {"path": "/v1/login", "method": "POST", "status": status, "client": f"10.9.0.{k + 1}", "fingerprint": 5,
         "ts": LATER + (k * 9 + later) * SECOND, "request_bytes": 60}
        for k in range(40)
        for later, status in ((0, 401), (4, 200))
    ]  # fmt: skip
    (alert,) = alerts_of(CredentialStuffing(), people() + sorted(rows + mistyped, key=lambda row: row["ts"]))
    assert not [source for source in alert.sources if source.startswith("10.")]


def test_an_attacker_who_begins_slowly_does_not_teach():
    """Each try comes a little sooner than the one before, from a minute apart to a second."""
    rows, ts = [], START
    for k, row in enumerate(log_ins(600)):
        ts += max(1, 60 - k // 5) * SECOND
        rows.append(row | {"client": address(k % 300), "fingerprint": 1_000 + k, "ts": ts})
    ordinary = [row | {"ts": row["ts"] + again * 1_000 * SECOND} for again in range(10) for row in people(100)]
    (alert,) = alerts_of(CredentialStuffing(), sorted(ordinary + rows, key=lambda row: row["ts"]))
    assert alert.actors >= 285


@pytest.mark.parametrize("order", ["walk", "random"])
def test_a_sweep_that_is_divided_is_one_incident(order):
    values = np.arange(9_000, 11_000)
    if order == "random":
        np.random.default_rng(3).shuffle(values)
    rows = [{"path": f"/products/{value}", "ts": START + 300 * SECOND + k * SECOND // 10} for k, value in enumerate(values)]
    rows = sorted(guests() + spread(rows, 200, 9), key=lambda row: row["ts"])
    (alert,) = alerts_of(Enumeration(), rows)
    assert set(alert.sources) == {address(k) for k in range(200)}
    assert alert.transactions == 2_000 and alert.raised_at < START + 350 * SECOND
    assert "do little else" in alert.explanation


def test_owners_of_their_own_things_are_no_campaign():
    """Everybody asks for what is his alone: no value repeats, and identifiers grow in the order of time."""
    rows = []
    for k in range(900):
        client = f"10.1.{k % 90}.1"
        rows.append({"path": "/orders", "method": "POST", "client": client, "ts": START + 10 * k * SECOND, "fingerprint": 4})
        rows.append({"path": f"/orders/{5_000 + k}", "client": client, "ts": START + (10 * k + 1) * SECOND, "fingerprint": 4})
    assert alerts_of(Enumeration(), rows) == []


def test_several_that_stand_out_and_look_alike_are_one_incident():
    rows = [
        {
            "path": f"/products/{5000 + 1000 * one + k}",
            "client": address(one),
            "fingerprint": 9,
            "ts": LATER + (3 * k + one) * SECOND,
        }
        for k in range(150)
        for one in range(3)
    ]
    (alert,) = alerts_of(Enumeration(), shoppers() + rows)
    assert alert.actors == 3 and alert.actor == "fingerprint:0000000000000009"


def test_many_sessions_behind_one_address_are_many_actors():
    office = [row | {"client": "192.0.2.50", "session": 1 + k % 300} for k, row in enumerate(shoppers(1, 600, 8))]
    values = 1000 + np.random.default_rng(2).integers(0, 500, len(office))
    office = [row | {"path": f"/products/{value}"} for row, value in zip(office, values, strict=True)]
    assert alerts_of(Enumeration(), sorted(shoppers() + office, key=lambda row: row["ts"])) == []


def test_a_crawler_that_says_so_and_takes_its_time_is_left_alone():
    pages = [
        {"path": f"/products/{value}", "client": "192.0.2.60", "ts": START + 10 * k * SECOND}
        for k, value in enumerate(np.random.default_rng(4).permutation(400) + 1000)
    ]
    named = [row | {"user_agent": "Mozilla/5.0 (compatible; Examplebot/2.1)"} for row in pages]
    hasty = [row | {"ts": START + 1_000 * SECOND + k * SECOND // 10} for k, row in enumerate(named)]
    assert alerts_of(Enumeration(), sorted(shoppers() + named, key=lambda row: row["ts"])) == []
    assert len(alerts_of(Enumeration(), sorted(shoppers() + pages, key=lambda row: row["ts"]))) == 1
    assert len(alerts_of(Enumeration(), sorted(shoppers() + hasty, key=lambda row: row["ts"]))) == 1


def test_a_scan_of_which_each_address_has_one_part_names_them_all():
    rows = [
        {"path": f"/old{k}/admin", "client": f"203.0.{k // 200}.{k % 200}", "status": 404, "fingerprint": 5, "ts": START + k * SECOND}
        for k in range(300)
    ]  # fmt: skip
    (alert,) = alerts_of(Scanning(), shoppers() + rows)
    assert alert.actors >= 250 and alert.transactions >= 250 and alert.sources


def test_a_partner_that_fetches_all_that_is_its_own_is_left_alone():
    values = np.random.default_rng(4).permutation(2_000) + 1_000
    rows = [{"path": f"/products/{value}", "client": "192.0.2.61", "credential": 9, "auth": "api_key"} for value in values]
    rows = [row | {"ts": START + 1_000 * SECOND + k * SECOND} for k, row in enumerate(rows)]
    assert alerts_of(Enumeration(), shoppers() + rows) == []
    denied = [row | {"status": 403 if k % 3 == 0 else 200} for k, row in enumerate(rows)]
    assert len(alerts_of(Enumeration(), shoppers() + denied)) == 1


def test_devices_that_all_do_one_thing_are_no_campaign():
    rows = [
        {
            "path": "/readings",
            "query": f"meter={k % 300}&n={k}",
            "client": address(k % 300),
            "fingerprint": 8,
            "ts": START + k * SECOND,
        }
        for k in range(6_000)
    ]
    assert alerts_of(Enumeration(), rows) == []


def test_declined_cards_over_many_addresses():
    rows = [
        {"path": "/pay", "method": "POST", "status": 402, "ts": LATER + k * SECOND, "sent": b'{"card":"40000012345%05d"}' % k}
        for k in range(100)
    ]
    (alert,) = alerts_of(CardTesting(), spread(rows, 50, 6))
    assert (alert.owasp, alert.actors) == ("API6:2023", 50)


def test_a_release_that_is_broken_for_everybody_is_no_fuzzing():
    rows = [
        {"path": "/v1/items", "method": "POST", "status": 400, "client": address(k % 20), "fingerprint": 3, "ts": LATER + k * SECOND,
         "request_bytes": 50}
        for k in range(600)
    ]  # fmt: skip
    assert alerts_of(Fuzzing(), rows) == []


def test_everybody_asks_for_the_same_missing_thing():
    rows = []
    for k in range(200):
        rows.append(
            {"path": "/favicon.ico", "status": 404, "client": address(k), "fingerprint": 3, "ts": LATER + 2 * k * SECOND}
        )
    assert alerts_of(Scanning(), rows) == []


def test_incidents_and_members_are_bounded():
    campaigns, track, idle = new_campaigns(), np.zeros(1, TRACK)[0], np.int64(10)
    for k in range(3 * INCIDENTS):
        place = open_incident(campaigns, np.uint64(k * 7 + 1), 0, track, np.int64(100 * k), idle)
        for member in range(40):
            take_in(campaigns, place, np.uint64(0), np.uint64(member + 1), 1, 1, 0, np.int64(100 * k))
    assert int((campaigns.incidents["serial"] > 0).sum()) <= INCIDENTS
    last = np.int64(100 * (3 * INCIDENTS - 1))
    newest = incident_of(campaigns, np.uint64((3 * INCIDENTS - 1) * 7 + 1), last, idle)
    assert campaigns.incidents[newest]["actors"] == 40
    crowded = open_incident(campaigns, np.uint64(5), 0, track, last + 100, idle)
    for member in range(2 * MEMBERS):
        take_in(campaigns, crowded, np.uint64(1), np.uint64(member + 1), 1, 1, 0, last)
    assert campaigns.incidents[crowded]["transactions"] == 2 * MEMBERS and campaigns.serials[2] > 0


def test_an_incident_that_goes_on_gives_way_to_none():
    campaigns, track = new_campaigns(), np.zeros(1, TRACK)[0]
    same_set = [np.uint64(1 + k * (INCIDENTS // WAYS)) for k in range(WAYS + 1)]
    places = [open_incident(campaigns, key, 0, track, np.int64(5), np.int64(10)) for key in same_set]
    assert sorted(places[:WAYS]) == list(range(WAYS, 2 * WAYS)) and places[WAYS] == NOBODY and campaigns.serials[1] == 1


def test_an_incident_is_over_when_its_group_fails_no_more():
    """People with the attackers' headers, who err now and then hours later, are not taken in."""
    attack = spread(log_ins(200), 100, 5)
    later = LATER + 1_000 * SECOND
    ordinary = [
        {"path": "/v1/login", "method": "POST", "status": 401 if k % 10 == 0 else 200, "client": f"10.7.{k % 250}.{k // 250 + 1}",
         "fingerprint": 5, "ts": later + 60 * k * SECOND, "request_bytes": 40 + k % 20}
        for k in range(1_000)
    ]  # fmt: skip
    (alert,) = alerts_of(CredentialStuffing(), people() + attack + ordinary)
    assert len([source for source in alert.sources if source.startswith("10.")]) <= 3
    assert alert.last_seen <= later + 3_600 * SECOND


def test_an_office_whose_people_err_is_no_attacker():
    rng = np.random.default_rng(6)
    rows = [row | {"status": 401 if rng.random() < 0.15 else 200} for row in log_ins(3_000)]
    assert alerts_of(CredentialStuffing(), [row | {"client": "192.0.2.99"} for row in rows]) == []


def test_a_service_that_is_down_is_no_fuzzing():
    rows = [
        {"path": "/v1/items", "method": "POST", "status": 500, "client": address(k % 100), "fingerprint": 3, "ts": LATER + k * SECOND,
         "request_bytes": 50 + k % 40}
        for k in range(2_000)
    ]  # fmt: skip
    assert alerts_of(Fuzzing(), rows) == []


def test_made_up_sessions_hide_no_walk():
    rows = [row | {"session": 1_000 + k, "auth": "cookie"} for k, row in enumerate(sweep(600))]
    assert len(alerts_of(Enumeration(), shoppers() + rows)) == 1


def test_rows_are_made_with_bodies():
    batch = batch_of([{"sent": b"{}"}, {"sent": b"[1]"}])
    assert batch.body(1, "request_body") == b"[1]"
