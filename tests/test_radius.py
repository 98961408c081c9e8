"""Blast radius: who else is behind an address, by what is known of them."""

import json

import pytest

from sensor.store import open_store
from sensor.store.radius import ACTORS, others_behind

ALERT = {
    "actor": "endpoint", "actors": 3, "sources": ["198.51.100.7", "198.51.100.8"], "host": "shop.test", "method": "POST",
    "endpoint": "/login", "first_seen": "2026-03-03T09:00:00.000000Z", "last_seen": "2026-03-03T10:00:00.000000Z",
}  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with open_store(f"chdb://{tmp_path_factory.mktemp('radius')}/store") as opened:
        yield opened


@pytest.fixture(autouse=True)
def _empty(store):
    for table in ("transactions", "actor_sessions"):
        store.command(f"TRUNCATE TABLE {table}")


def seen(
    store,
    actor: int,
    requests: int,
    endpoint: str = "/cart",
    source: str = "198.51.100.7",
    status: int = 200,
    at: str = "09:30:00",
):
    """So many requests of a session (0: without one)."""
    row = {
        "ts": f"2026-03-03 {at}", "sensor": "s", "source": "aa", "remote_ip": source, "client_ip": source, "server_ip": "10.0.0.1",
        "host": "shop.test", "method": "POST" if endpoint == "/login" else "GET", "endpoint": endpoint, "path": endpoint,
        "status": status, "session": actor,
    }  # fmt: skip
    store.insert("transactions", tuple(row), b"\n".join([json.dumps(row).encode()] * requests), "JSONEachRow")


def judged(store, actor: str, intent: str):
    row = {"sensor": "s", "source": "aa", "actor": actor, "first_seen": "2026-03-03 09:00:00", "last_seen": "2026-03-03 09:30:00",
           "intent": intent, "version": 1}  # fmt: skip
    store.insert("actor_sessions", tuple(row), json.dumps(row).encode(), "JSONEachRow")


def session(number: int) -> str:
    return f"session:{number:016x}"


def test_sessions_that_are_served_count_and_no_others(store):
    seen(store, 1, 3)
    seen(store, 2, 1)
    seen(store, 3, 9, status=403)
    seen(store, 4, 5, source="198.51.100.8")
    seen(store, 5, 5, source="203.0.113.1")
    seen(store, 0, 50)
    assert others_behind(store, [ALERT]) == {"198.51.100.7": 2, "198.51.100.8": 1}


def test_who_is_judged_bad_does_not_count_and_anonymous_people_do(store):
    alone = ALERT | {"actors": 1, "actor": session(9)}
    for number in (1, 2):
        seen(store, number, 3)
    seen(store, 0, 30)
    judged(store, session(1), "bad_automation")
    assert others_behind(store, [alone]) == {"198.51.100.7": 1}
    judged(store, "ip:198.51.100.7", "person")
    assert others_behind(store, [alone]) == {"198.51.100.7": 2}
    assert others_behind(store, [ALERT]) == {"198.51.100.7": 1}, "what is anonymous there is the campaign's"


def test_members_of_a_campaign_do_not_count_but_who_also_logs_in_there(store):
    seen(store, 1, 20, "/login")
    seen(store, 2, 1, "/login")
    seen(store, 2, 9)
    seen(store, 3, 5, "/login", at="11:00:00")
    assert others_behind(store, [ALERT]) == {"198.51.100.7": 2}, "the shopper who logged in, and who came later"


def test_a_thousand_accused_hide_nobody(store):
    row = "INSERT INTO transactions (ts, sensor, source, remote_ip, host, method, endpoint, status, session) SELECT"
    store.command(
        f"{row} '2026-03-03 09:30:00', 's', 'aa', toIPv6('198.51.100.7'), 'shop.test', 'POST', '/login', 200, number + 1000 FROM numbers(3000)"
    )
    for number in (1, 2, 3):
        seen(store, number, 3)
    assert others_behind(store, [ALERT]) == {"198.51.100.7": 3}


def test_a_crowd_is_counted_as_far_as_it_matters(store):
    row = "INSERT INTO transactions (ts, sensor, source, remote_ip, host, method, endpoint, status, session) SELECT"
    store.command(
        f"{row} '2026-03-03 09:30:00', 's', 'aa', toIPv6('198.51.100.7'), 'shop.test', 'GET', '/cart', 200, number + 1 FROM numbers(5000)"
    )
    assert others_behind(store, [ALERT]) == {"198.51.100.7": ACTORS}
