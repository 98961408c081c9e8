"""Whose things are asked for: jobs that have lists of their own, and those who walk through the things of others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rows import SECOND, START, batch_of
from test_detectors import alerts_of

from detectors.enumeration import Enumeration
from detectors.owners import NOBODY, new_owners, other_owner
from sensor.inventory.analyse import Inventory

TENANTS = 24


def invoices(tenant):
    """A tenant's invoices: runs of numbers, scattered among those of all."""
    rng = np.random.default_rng(1)
    starts = rng.permutation(np.arange(610_000, 622_000, 10))[tenant::TENANTS][:40]
    return sorted(int(start) + k for start in starts for k in range(2 + int(start) // 10 % 7))


def job(tenant, start=START, pause=SECOND, **more):
    """A partner's job that asks for all of its tenant's invoices, in their order."""
    return [
        {"path": f"/v1/invoices/{one}", "client": f"203.0.113.{tenant + 1}", "credential": 1_000 + tenant, "auth": "api_key",
         "ts": start + k * pause, "fingerprint": 77, **more}
        for k, one in enumerate(invoices(tenant))
    ]  # fmt: skip


def colleagues(tenant):
    """Two people of the tenant who look at a few of its invoices."""
    rng = np.random.default_rng(100 + tenant)
    return [
        {"path": f"/v1/invoices/{int(one)}", "client": f"10.1.{tenant}.{1 + who}", "session": 5_000 + 10 * tenant + who, "auth": "cookie",
         "ts": START + int(rng.integers(0, 3_000)) * SECOND, "fingerprint": 3 + who}
        for who in range(2)
        for one in rng.choice(invoices(tenant), 6)
    ]  # fmt: skip


def thief(count=400, step=1, **more):
    return [
        {"path": f"/v1/invoices/{612_000 + k * step}", "client": "198.51.100.7", "credential": 9, "auth": "api_key",
         "ts": START + 2_400 * SECOND + 3 * k * SECOND, "fingerprint": 77, **more}
        for k in range(count)
    ]  # fmt: skip


def found(*parts, sizes=(10_000,)):
    return alerts_of(Enumeration(), sorted((row for part in parts for row in part), key=lambda row: row["ts"]), sizes)


JOBS = [row for tenant in range(TENANTS) for row in job(tenant, START + tenant * 60 * SECOND)]
PEOPLE = [row for tenant in range(TENANTS) for row in colleagues(tenant)]


@pytest.mark.parametrize("sizes", [(10_000,), (50, 7)])
def test_jobs_that_ask_for_what_is_theirs_are_left_alone(sizes):
    assert found(JOBS, PEOPLE, sizes=sizes) == []


def test_who_walks_through_everybodys_things_is_found_among_them():
    for walk in (thief(), [row | {"status": 404 if k % 9 == 0 else 200} for k, row in enumerate(thief())]):
        (alert,) = found(JOBS, PEOPLE, walk)
        assert alert.actor == "token:0000000000000009" and alert.actors == 1
        assert "were served before to" in alert.explanation


def test_scattered_numbers_that_others_were_served_are_not_ones_own():
    """He asks in jumps, and never misses: his list is that of everybody."""
    everybodys = sorted({one for tenant in range(TENANTS) for one in invoices(tenant)})
    rows = [row | {"path": f"/v1/invoices/{one}"} for row, one in zip(thief(360), everybodys[::12], strict=False)]
    later = [row | {"ts": row["ts"] + 2_000 * SECOND} for row in rows]
    assert [alert.actor for alert in found(JOBS, PEOPLE, later)] == ["token:0000000000000009"]


def test_an_office_is_many_people_who_each_have_things_of_their_own():
    """And what belongs to everybody, as products do, is nobody's."""
    rng = np.random.default_rng(4)
    office = [
        {"path": f"/v1/products/{int(rng.zipf(1.3)) % 400}", "client": "198.51.100.250", "session": 1 + k % 40,
         "ts": START + k * 20 * SECOND, "fingerprint": 1 + k % 2}
        for k in range(900)
    ]  # fmt: skip
    others = [
        {"path": f"/v1/products/{int(rng.zipf(1.3)) % 400}", "client": f"10.0.{k % 60}.1", "session": 500 + k % 60,
         "ts": START + k * 20 * SECOND, "fingerprint": 1 + k % 3}
        for k in range(900)
    ]  # fmt: skip
    assert found(office, others) == []


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 12), st.sampled_from([200, 404])), max_size=60))
def test_owners_against_a_plain_dictionary(asked):
    """(who, what, status) of requests."""
    transactions = [{"path": f"/a/{what}", "credential": who, "status": status} for who, what, status in asked]
    batch, values, _ = Inventory((1, 2)).analyse(batch_of(transactions))
    owners, plain = new_owners(), {}
    for (who, what, status), value in zip(asked, values, strict=True):
        other = int(other_owner(owners, 5, batch.rows[int(value["row"])], value))
        if status == 200:
            first = plain.setdefault(what, who)
            assert other == (int(NOBODY) if first == who else first)
        else:
            assert other == int(NOBODY)
