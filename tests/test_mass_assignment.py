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
    attack = [row | {"sent": row["sent"].replace(b"is_admin", b"<b>.is_admin")} for row in tries(ROLE, ADMIN, MONEY)]
    (alert,) = alerts_of(MassAssignment(), people() + attack)
    assert "`is_admin`" in alert.explanation and "<b>" not in alert.explanation


def test_forms_with_brackets_and_keys_in_any_order():
    forms = [
        {"method": "POST", "path": "/users", "client": f"10.0.0.{k + 1}", "ts": START + k * SECOND, "media": "form", "sent": b"user[name]=a"}
        for k in range(30)
    ]  # fmt: skip
    attack = [
        forms[0] | {"client": "198.51.100.7", "ts": START + (100 + k) * SECOND, "sent": b"user[name]=a&user[%s]=1" % name}
        for k, name in enumerate((b"role", b"is_admin", b"balance"))
    ]
    assert len(alerts_of(MassAssignment(), forms + attack)) == 1
    same = tries(ROLE | ADMIN | MONEY, dict(reversed((ROLE | ADMIN | MONEY).items())))
    assert alerts_of(MassAssignment(), people() + same) == []


def test_a_flood_of_names_elsewhere_frames_nobody():
    flood = [
        update(f"10.9.0.{k % 200}", START + 1_500 * SECOND + k, "/other", **{f"x{k}": 1, f"y{k}": 2}) for k in range(3_000)
    ]
    habit = people(40, **ROLE, **ADMIN, **MONEY)
    assert alerts_of(MassAssignment(), habit + flood + tries(ROLE, ADMIN, MONEY)) == []
