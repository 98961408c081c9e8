"""Both detectors: an attack that each finds, near misses that it does not, and what every detector must keep."""

import inspect
import json
import random

import numpy as np
import pytest
from rows import SECOND, START, batch_of

from detectors.base import View, find_detectors
from detectors.credential_stuffing import CredentialStuffing
from detectors.enumeration import Enumeration
from detectors.enumeration_kernels import CONTROL, TRACK
from detectors.incidents import claim, update
from detectors.sets import CAPACITY, add_pair, new_pair_set
from detectors.statistics import fewer_than_expected_nats, more_than_expected_nats, nats_against_others, normal_tail_nats
from sensor.core.records import WEIRD_BIT
from sensor.inventory.analyse import Inventory
from sensor.simulate.texts import review


def alerts_of(detector, transactions, sizes=(10_000,)):
    """Alerts after the transactions were taken in batches of the given sizes, over and over."""
    inventory, at, turn = Inventory((1, 2)), 0, 0
    while at < len(transactions):
        size = sizes[turn % len(sizes)]
        batch, values, _ = inventory.analyse(batch_of(transactions[at : at + size]))
        detector.update(View(batch, values, inventory.table))
        at, turn = at + size, turn + 1
    return detector.alerts(inventory.table)


def shoppers(count=30, each=15, seed=1):
    """People who look at products by popularity, some again."""
    rng = np.random.default_rng(seed)
    found = []
    for person in range(count):
        for view in range(each):
            product = 1000 + int(rng.zipf(1.3)) % 400
            found.append(
                {
                    "path": f"/products/{product}",
                    "client": f"10.0.0.{person + 1}",
                    "ts": START + (person * 7 + view * 20) * SECOND,
                }
            )
    return sorted(found, key=lambda row: row["ts"])


def sweep(count=200, step=1, client="198.51.100.7", **more):
    return [
        {"path": f"/products/{5000 + k * step}", "client": client, "ts": START + 10_000 * SECOND + k * SECOND, **more}
        for k in range(count)
    ]


def test_a_sweep_is_one_alert_with_its_numbers():
    (alert,) = alerts_of(Enumeration(), shoppers() + sweep(200))
    assert (alert.endpoint, alert.actor, alert.transactions) == ("/products/{int}", "ip:198.51.100.7", 200)
    assert "200 different values" in alert.explanation
    assert "Next expected: 5200" in alert.explanation
    assert alert.raised_at < START + 10_100 * SECOND


def test_a_sweep_downwards_is_found_too():
    (alert,) = alerts_of(Enumeration(), shoppers() + sweep(200, -1))
    assert "-1" in alert.explanation


def test_a_sweep_of_a_query_parameter_is_found_at_a_cold_start():
    rows = [{"path": "/stock", "query": f"sku={k}&postal=12345", "client": "198.51.100.7", "status": 404} for k in range(300)]
    (alert,) = alerts_of(Enumeration(), rows)
    assert "query parameter sku" in alert.explanation


@pytest.mark.parametrize(
    "rows",
    [
        shoppers(),
        [{"path": "/list", "query": f"page={k}", "client": "10.0.0.9"} for k in range(500)],
        [{"path": f"/orders/{k % 40}", "client": "10.0.0.9"} for k in range(2000)],
        [{"path": "/x", "query": f"_={1000 + k}", "client": "10.0.0.9"} for k in range(500)],
    ],
    ids=["shoppers", "pages", "the same forty again", "cache buster"],
)
def test_ordinary_use_is_no_enumeration(rows):
    assert alerts_of(Enumeration(), rows) == []


def test_one_token_over_many_addresses_is_named_by_its_token():
    rows = [dict(row, client=f"203.0.113.{k % 200}", credential=0xABC, auth="bearer") for k, row in enumerate(sweep(200))]
    (alert,) = alerts_of(Enumeration(), shoppers() + rows)
    assert alert.actor == "token:0000000000000abc"


def test_a_sensitive_value_is_not_told():
    cards = [f"411111{k:09d}" for k in range(400)]
    rows = [{"path": "/pay", "query": f"card={card}", "client": "198.51.100.7", "status": 403} for card in cards]
    (alert,) = alerts_of(Enumeration(), rows)
    assert "411111" not in "".join(alert.explanation.split("numbers between")[0])
    assert "{card}" in alert.explanation


def logins(client, outcomes, start=START, sizes=(60, 75)):
    low, high = sizes
    return [
        {"path": "/v1/login", "method": "POST", "client": client, "status": status, "ts": start + k * SECOND,
         "request_bytes": low + k % (high - low + 1)}
        for k, status in enumerate(outcomes)
    ]  # fmt: skip


def people(count=40):
    return [
        row for k in range(count) for row in logins(f"10.0.1.{k + 1}", [401, 200] if k % 8 == 0 else [200], START + k * SECOND)
    ]


def test_stuffing_is_one_alert_with_its_numbers():
    outcomes = [200 if k % 60 == 59 else 401 for k in range(300)]
    (alert,) = alerts_of(CredentialStuffing(), people() + logins("198.51.100.9", outcomes, START + 1000 * SECOND))
    assert (alert.endpoint, alert.actor, alert.transactions) == ("/v1/login", "ip:198.51.100.9", 300)
    assert "295 attempts (98.3%) failed" in alert.explanation
    assert "5 attempts succeeded" in alert.explanation
    assert alert.severity == "critical"


def wave(accounts_of):
    """200 addresses that fail four times, 120 of which get in then. accounts_of: of an address, the account of each attempt."""
    rows = []
    for k in range(200):
        outcomes = [401] * 4 + [200] * (k % 5 < 3)
        for turn, status in enumerate(outcomes):
            body = {"email": accounts_of(k, turn, status), "password": f"{k}-{turn}"}
            rows.append(
                {"path": "/v1/login", "method": "POST", "client": f"10.0.{2 + k // 200}.{k % 200 + 1}", "status": status,
                 "ts": START + (1_000 + 20 * turn + k // 4) * SECOND, "sent": json.dumps(body).encode()}
            )  # fmt: skip
    return sorted(rows, key=lambda row: row["ts"])


def test_people_who_get_in_in_the_end_are_no_attack():
    assert alerts_of(CredentialStuffing(), people() + wave(lambda k, turn, status: f"u{k}@a.test")) == []
    (alert,) = alerts_of(
        CredentialStuffing(), people() + wave(lambda k, turn, status: "own@a.test" if status == 200 else f"u{k}{turn}@a.test")
    )
    assert alert.actors > 150


@pytest.mark.parametrize(
    "rows",
    [
        people(),
        logins("10.0.0.5", [401] * 12 + [200]),
        logins("10.0.0.5", [401] * 500, sizes=(64, 64)),
        logins("10.0.0.5", ([200] * 9 + [401]) * 60),
    ],
    ids=[
        "people",
        "a forgotten password",
        "a client that repeats one wrong password",
        "five hundred people behind one address",
    ],
)
def test_ordinary_log_ins_are_no_stuffing(rows):
    assert alerts_of(CredentialStuffing(), people() + rows) == []


def test_an_attacker_does_not_teach_the_endpoint():
    first = logins("198.51.100.1", [401] * 2000, START)
    second = logins("198.51.100.2", [401] * 100, START + 3000 * SECOND)
    alerts = alerts_of(CredentialStuffing(), people() + first + second)
    assert [alert.actor for alert in alerts] == ["ip:198.51.100.1", "ip:198.51.100.2"]


TEXT = b'{"name": "x%d", "text": "Buy cheap watches and bags of all brands, worldwide shipping, write to our shop today"}'


@pytest.mark.parametrize("kind", find_detectors().values(), ids=lambda kind: kind.name)
class TestEveryDetector:
    def rows(self):
        later = START + 20_000 * SECOND
        attacks = logins("198.51.100.9", [401] * 120, later)
        for k in range(120):
            common = {"client": "198.51.100.10", "ts": later + k * SECOND, "request_bytes": 50 + k % 9}
            attacks += [
                common | {"path": "/v1/payments", "method": "POST", "status": 402},
                common | {"path": "/v1/coupons/apply", "method": "POST", "status": 404},
                common | {"path": "/v1/items", "method": "POST", "status": 422},
                common | {"path": f"/old{k}/admin", "status": 404},
            ]
            texts = {"client": f"192.0.2.{k}", "ts": later - (200 - k) * SECOND, "method": "POST", "path": "/v1/comments"}
            attacks.append(
                texts | {"sent": json.dumps({"text": review(random.Random(k)) + " " + review(random.Random(-k))}).encode()}
            )
            other = common | {"client": "198.51.100.11", "method": "POST"}
            attacks += [
                other | {"path": "/v1/comments", "sent": TEXT % k},
                other | {"path": "/v1/import", "sent": b'{"url": "http://10.0.0.%d/"}' % k},
                other | {"path": "/v1/register", "client": f"198.51.100.{100 + k % 12}", "status": 201},
                common | {"path": "/v1/me", "client": f"{100 + k % 4}.{k % 80}.1.1", "credential": 9, "auth": "bearer"},
                common | {"path": "/v1/items", "query": f"limit=90000&page={k}", "client": "198.51.100.12"},
            ]
            attacks += [common | {"path": f"/v1/rooms/{1 + (k + turn) % 6}", "client": "198.51.100.13"} for turn in range(4)]
            reset = {"status": 0, "version": 20, "weird": WEIRD_BIT["stream_reset"]}
            attacks.append(common | {"path": "/v1/me", "client": "198.51.100.16"} | reset)
        for k in range(30):
            buyer, order = (
                {"client": f"203.0.113.{k}", "ts": later - (9_000 - k * 60) * SECOND},
                {"method": "POST", "path": "/v1/checkout"},
            )
            steps = ("/v1/products", "/v1/cart")
            attacks += [buyer | {"path": path} for path in steps] + [buyer | order | {"ts": buyer["ts"] + SECOND}]
            attacks.append(order | {"client": "198.51.100.17", "ts": later + k * SECOND})
        for k, name in enumerate(("role", "is_admin", "balance") * 8):
            one = {"method": "POST", "ts": later + (300 + 180 * k) * SECOND}
            attacks += [
                one | {"path": "/v1/comments", "client": "198.51.100.14", "sent": json.dumps({"text": "a", name: k}).encode()},
                one | {"path": "/v1/cart", "client": "198.51.100.15", "sent": b'{"product": 7}'},
            ]
        return shoppers() + sweep(120) + people() + sorted(attacks, key=lambda row: row["ts"])

    def test_results_do_not_depend_on_batches(self, kind):
        whole = [alert.as_row() for alert in alerts_of(kind(), self.rows())]
        assert whole
        for sizes in ((1,), (7, 1, 30)):
            assert [alert.as_row() for alert in alerts_of(kind(), self.rows(), sizes)] == whole

    def test_an_empty_batch_changes_nothing(self, kind):
        inventory, detector = Inventory((1, 2)), kind()
        batch, values, _ = inventory.analyse(batch_of([]))
        detector.update(View(batch, values, inventory.table))
        assert detector.alerts(inventory.table) == []

    def test_the_batch_is_left_as_it_was(self, kind):
        inventory = Inventory((1, 2))
        batch, values, _ = inventory.analyse(batch_of(self.rows()))
        before = batch.rows.copy(), values.copy()
        kind().update(View(batch, values, inventory.table))
        assert (batch.rows == before[0]).all()
        assert (values == before[1]).all()

    def test_it_explains_itself(self, kind):
        text = inspect.getdoc(inspect.getmodule(kind))
        assert all(word in text for word in ("Statistic", "Threshold", "Cold start"))
        assert kind.owasp.endswith(":2023")
        assert kind.severity in ("low", "medium", "high", "critical")

    def test_an_unknown_setting_is_refused_in_words(self, kind):
        with pytest.raises(ValueError, match="has no setting"):
            kind(nonsense=1)


def test_tails_against_the_exact_distributions():
    from math import comb, erfc, log, sqrt

    for z in (0.5, 2.0, 6.0):
        assert normal_tail_nats(z) == pytest.approx(-log(0.5 * erfc(z / sqrt(2))), rel=1e-9)
    assert normal_tail_nats(-1.0) == 0.0
    exact = -log(sum(comb(50, k) * 0.1**k * 0.9 ** (50 - k) for k in range(20, 51)))
    assert 0 < more_than_expected_nats(20.0, 50.0, 0.1) <= exact
    assert more_than_expected_nats(2.0, 50.0, 0.1) == 0.0
    assert fewer_than_expected_nats(0.0, 100.0, 0.2) == pytest.approx(-100 * log(0.8))


def test_a_value_is_held_against_the_others_without_itself():
    """Against the mean and deviation that NumPy gives of the others and as many of the prior."""
    rng = np.random.default_rng(2)
    values = rng.normal(1.0, 0.5, 60).clip(0)
    own = float(values[7])
    others = np.delete(values, 7)
    prior, usual, spread = 20.0, 0.7, 0.9
    mean = (others.sum() + prior * usual) / (59 + prior)
    square = ((others**2).sum() + prior * (spread**2 + usual**2)) / (59 + prior)
    expected = normal_tail_nats((5.0 - mean) / np.sqrt(square - mean**2))
    sums = (60.0, float(values.sum()), float((values**2).sum()))
    assert nats_against_others(5.0, own, *sums, prior, usual, spread, 0.1) == pytest.approx(expected)
    fresh = (59.0, float(others.sum()), float((others**2).sum()))
    assert nats_against_others(5.0, -1.0, *fresh, prior, usual, spread, 0.1) == pytest.approx(expected)
    assert nats_against_others(5.0, -1.0, 0.0, 0.0, 0.0, prior, usual, spread, 4.0) == pytest.approx(
        normal_tail_nats((5 - usual) / 4)
    )


def test_pairs_are_remembered_and_rarely_mistaken():
    pairs, wrong = new_pair_set(), 0
    rng = np.random.default_rng(3)
    values = rng.integers(0, 1 << 62, 200_000).astype(np.uint64)
    for value in values:
        wrong += not add_pair(pairs, np.uint64(7), value)
    assert wrong < 200
    assert not any(add_pair(pairs, np.uint64(7), value) for value in values[-1000:])
    assert CAPACITY > 1_000_000


def test_the_incident_that_was_quiet_for_longest_gives_way():
    raised, control = np.zeros(4, TRACK), np.zeros(1, CONTROL)
    tracks = np.zeros(6, TRACK)
    for k, track in enumerate(tracks):
        track["key"], track["first_ts"], track["last_ts"] = k + 1, 10 * k, 100 - k if k < 2 else 100 + k
        claim(raised, control[0], track)
    assert sorted(raised["key"].tolist()) == [3, 4, 5, 6] and control["unkept"][0] == 2
    for track in tracks:
        track["requests"] = 9
        update(raised, track)
    assert sorted(raised["key"].tolist()) == [3, 4, 5, 6] and set(raised["requests"].tolist()) == {9}


def test_an_incident_keeps_its_name_when_its_endpoint_becomes_part_of_another():
    inventory, detector = Inventory((1, 2)), Enumeration()

    def take(transactions: list[dict]) -> list:
        batch, values, _ = inventory.analyse(batch_of(transactions))
        detector.update(View(batch, values, inventory.table))
        return detector.alerts(inventory.table)

    walk = [{"path": "/p/some-thing", "query": f"id={k}", "client": "192.0.2.9", "ts": START + k * SECOND} for k in range(200)]
    before = take(walk)
    products = [{"path": f"/p/thing-{max(0, k - 100)}-x", "ts": START + (300 + k) * SECOND} for k in range(400)]
    after = take(products)
    assert [row["endpoint"] for row in inventory.endpoints()] == ["/p/{slug}"]
    assert len(before) == 1 and [alert.alert_id for alert in after] == [before[0].alert_id]
