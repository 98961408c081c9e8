"""Properties that a server decides on, sent by a client."""

import json

import pytest
from rows import SECOND, START
from test_detectors import alerts_of

from detectors.mass_assignment import MassAssignment


def update(client, ts, path="/users/me", **body):
    return {
        "method": "PATCH",
        "path": path,
        "client": client,
        "ts": ts,
        "sent": json.dumps({"name": "A", "city": "B"} | body).encode(),
    }


def people(count=40, first=0, **body):
    return [update(f"10.0.0.{first + k + 1}", START + (first + k) * 20 * SECOND, **body) for k in range(count)]


def tries(*bodies, client="198.51.100.7", path="/users/me"):
    return [update(client, START + 2_000 * SECOND + k * 30 * SECOND, path, **body) for k, body in enumerate(bodies)]


ROLE, ADMIN, MONEY = {"role": "admin"}, {"is_admin": True}, {"balance": 1_000}


def test_properties_tried_one_by_one():
    attack = tries(ROLE, ADMIN, MONEY, ROLE | ADMIN)
    for sizes in ((10_000,), (1,), (3, 7)):
        (alert,) = alerts_of(MassAssignment(), people() + attack, sizes)
        assert (alert.endpoint, alert.actor, alert.transactions) == ("/users/me", "ip:198.51.100.7", 4)
        assert alert.owasp == "API3:2023" and alert.severity == "high"
        assert all(f"`{name}`" in alert.explanation for name in ("role", "is_admin", "balance"))


def test_nested_properties_and_variables_count_by_their_last_name():
    attack = tries({"profile": {"role": 1}}, {"user": {"isAdmin": True}}, {"account": {"balance": 5}})
    (alert,) = alerts_of(MassAssignment(), people() + attack)
    assert alert.statistic["value"] == 3


def test_what_is_refused_is_told_with_less_weight():
    attack = [row | {"status": 422} for row in tries(ROLE, ADMIN, MONEY)]
    (alert,) = alerts_of(MassAssignment(), people() + attack)
    assert alert.severity == "medium" and "0 of them were taken" in alert.explanation


@pytest.mark.parametrize(
    "rows",
    [
        people() + tries(ROLE, ROLE, ROLE),  # one property
        people() + tries(ROLE | ADMIN | MONEY, ROLE | ADMIN | MONEY),  # a new version: always the same ones
        people(6) + tries(ROLE, ADMIN, MONEY),  # little is known
        people() + tries({"nickname": "x"}, {"color": "y"}, {"pet": "z"}, {"motto": "m"}),  # a client's to set
        people(40, **ROLE, **ADMIN, **MONEY) + tries(ROLE, ADMIN, MONEY),  # everybody sends them
        people() + people(8, 60, **ROLE) + people(8, 80, **ADMIN) + people(8, 100, **MONEY),  # a roll-out
        [row | {"method": "GET"} for row in people() + tries(ROLE, ADMIN, MONEY)],
    ],
    ids=["one", "the same", "unknown", "harmless", "everybody", "roll-out", "reads"],
)
def test_what_is_no_mass_assignment(rows):
    assert alerts_of(MassAssignment(), rows) == []


def test_names_from_the_wire_are_harmless_in_the_explanation():
    attack = tries({"a\x1b[31m`.role": 1}, ADMIN, MONEY, {"<script>.roles": 1})
    for alert in alerts_of(MassAssignment(), people() + attack):
        assert "\x1b" not in alert.explanation
