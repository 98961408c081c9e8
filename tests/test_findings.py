"""Findings and risk: a server with known faults, from a capture to what the command line says of it."""

import json
import pathlib
import subprocess
import sys

import pytest
from helpers import SERVER

from sensor.simulate.feature_base import answer, ask
from sensor.simulate.wire import Conversation, write_pcap

TAPWATCH = pathlib.Path(sys.executable).with_name("tapwatch")
START = 1_772_528_400_000_000_000
GOOD = ["X-Content-Type-Options: nosniff", "Strict-Transport-Security: max-age=31536000"]
PAGE = ["Content-Type: text/html; charset=utf-8"]
NOSNIFF, PRIVATE = GOOD[0], [*GOOD, "Cache-Control: max-age=60, private"]


def reading(origin: str) -> list[str]:
    """Fields that let a site read an answer with credentials."""
    return [*GOOD, f"Access-Control-Allow-Origin: {origin}", "Access-Control-Allow-Credentials: true"]


TRACE = b'{"error": "Traceback (most recent call last):\\n  File \\"app.py\\", line 3"}'
PEOPLE = [{"name": f"n{k}", "card_number": "4111111111111111", "contact": f"a{k}@example.com"} for k in range(3)]
TOKEN = "Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."
KEY = "Authorization: Bearer abcdefghijkl0123"
# (method, target, fields of the request, status, fields of the answer, body), each asked for thrice
ANSWERS = [
    ("GET", "/v1/people", [], 200, GOOD, json.dumps(PEOPLE).encode()),
    ("GET", "/v2/people", [KEY], 200, GOOD, b'[{"name": "x"}]'),
    ("GET", "/v2/broken", [KEY], 500, GOOD, TRACE),
    ("GET", "/v2/reset?token=abcdef0123456789abcdef", [KEY], 200, GOOD, b"{}"),
    ("GET", "/v2/login", [KEY], 200, [*GOOD, "Set-Cookie: session=1; Secure", "Server: nginx/1.2.3"], b"{}"),
    ("GET", "/v2/any", [KEY], 200, reading("*"), b"{}"),
    ("GET", "/v2/null", [KEY], 200, reading("null"), b"{}"),
    *(("GET", "/v2/echo", [KEY], 200, reading(f"https://www.{name}.example:8443"), b"{}") for name in ("a", "b", "c", "d")),
    *(("GET", "/v2/own", [KEY], 200, reading(f"https://{name}.shop.example"), b"{}") for name in ("a", "b", "c", "d", "e")),
    ("GET", "/v2/private", [KEY], 200, PRIVATE, json.dumps(PEOPLE).encode()),
    ("GET", "/v2/callback", [KEY], 302, [*GOOD, "Location: https://app.example/#state=1&Access_Token=abc.def"], b"{}"),
    ("GET", "/v2/moved", [KEY], 302, [*GOOD, "Location: /v2/tokens?next_token=5&pass=1"], b"{}"),
    ("TRACE", "/v2/trace", [KEY], 200, GOOD, b"{}"),
    ("GET", "/v2/basic", ["Authorization: Basic dXNlcjpwYXNz"], 200, GOOD, b"{}"),
    ("GET", "/v2/session", [KEY], 200, [*GOOD, "Set-Cookie: session=1; HttpOnly"], b"{}"),
    ("GET", "/v2/trusting", [TOKEN], 200, [*GOOD, "Sunset: Sat, 31 Dec 2030 23:59:59 GMT"], b"{}"),
    ("GET", "/v2/wary", [TOKEN], 401, GOOD, b"{}"),
    ("GET", "/v2/careless", [f"X-Auth-Token: {TOKEN.split()[-1]}c2lnbmVk"], 200, GOOD, b"{}"),
    ("GET", "/v2/plain", [KEY], 200, [], b"{}"),
    ("GET", "/v2/status", [], 200, GOOD, b"{}"),
    (
        "GET",
        "/v2/page",
        [KEY],
        200,
        [*GOOD, *PAGE, "Content-Security-Policy: default-src 'self'", "Referrer-Policy: origin"],
        b"<html>",
    ),
    (
        "GET",
        "/v2/framed",
        [KEY],
        200,
        [*GOOD, *PAGE, "Content-Security-Policy: frame-ancestors 'none'", "Referrer-Policy: origin"],
        b"<html>",
    ),
    ("GET", "/partners/v1/list", [KEY], 200, GOOD, b"{}"),
]
EXPECTED = {
    ("/v1/people", "old_version"), ("/v1/people", "sensitive_without_authentication"), ("/v1/people", "sensitive_and_cacheable"), ("/v2/broken", "stack_trace"),
    ("/v2/reset", "secret_in_url"), ("/v2/login", "cookie_without_httponly"), ("/v2/login", "version_told"),
    ("/v2/any", "any_origin_with_credentials"), ("/v2/trusting", "unsigned_token"), ("/v2/trusting", "long_lived_token"), ("/v2/careless", "unsigned_token"), ("/v2/careless", "long_lived_token"), ("/v2/trusting", "deprecated_in_use"),
    ("/v2/plain", "missing_security_headers"), ("/v2/plain", "cleartext_credentials"), ("/v2/page", "missing_security_headers"), ("/v2/null", "null_origin_with_credentials"),
    ("/v2/callback", "secret_in_redirect"),
    ("/v2/echo", "many_origins_with_credentials"), ("/v2/trace", "trace_enabled"), ("/v2/basic", "basic_authentication"),
    ("/v2/session", "cookie_without_secure"),
}  # fmt: skip


def tapwatch(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([TAPWATCH, *arguments], capture_output=True, text=True, timeout=600, check=False)


def lines(done: subprocess.CompletedProcess) -> list[dict]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def write_capture(path: pathlib.Path, exchanges: list[tuple]) -> None:
    """Each exchange on a connection of its own, a second apart."""
    frames = []
    for at, (method, target, fields, status, answered, body) in enumerate(exchanges):
        made = Conversation(("192.0.2.10", 20_000 + at), SERVER, START + at * 1_000_000_000)
        made.handshake()
        made.exchange(ask(method, target, b"", *fields), answer(body, f"{status} X", *answered))
        made.close()
        frames += made.frames
    write_pcap(path, frames)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("findings")
    write_capture(folder / "faults.pcap", ANSWERS * 3)
    dsn = f"chdb://{folder}/store"
    done = tapwatch("replay", "--store", dsn, str(folder / "faults.pcap"))
    assert done.returncode == 0, done.stderr
    return dsn


def test_each_fault_is_found_once_and_nothing_else(store):
    found = lines(tapwatch("findings", "--json", "--store", store))
    assert sorted((row["endpoint"], row["finding"]) for row in found) == sorted(EXPECTED)
    assert all(row["owasp"].startswith("API") and row["evidence"] for row in found)


def test_one_request_of_a_stranger_makes_no_finding_and_hides_none(tmp_path):
    """Bearer at what is open, a token without a signature there, a password in a query, a version that does not exist."""
    odd = [("GET", "/v1/people", [KEY], 200, GOOD, json.dumps(PEOPLE).encode()), ("GET", "/v2/status", [TOKEN], 200, GOOD, b"{}"),
           ("GET", "/v2/status?password=hunter22hunter22", [], 200, GOOD, b"{}"), ("GET", "/v999/none", [], 403, GOOD, b"{}")]  # fmt: skip
    many = [one for one in ANSWERS for _ in range(25)]
    write_capture(tmp_path / "t.pcap", [*many, *odd])
    dsn = f"chdb://{tmp_path}/store"
    assert tapwatch("replay", "--store", dsn, str(tmp_path / "t.pcap")).returncode == 0
    found = lines(tapwatch("findings", "--json", "--store", dsn))
    assert sorted((row["endpoint"], row["finding"]) for row in found) == sorted(EXPECTED)


def test_the_gravest_come_first_and_can_be_chosen(store):
    found = lines(tapwatch("findings", "--json", "--severity", "high", "--store", store))
    assert [row["finding"] for row in found] == [
        "unsigned_token", "unsigned_token", "any_origin_with_credentials", "null_origin_with_credentials", "secret_in_redirect", "secret_in_url", "sensitive_without_authentication",
    ]  # fmt: skip
    assert "old_version" in tapwatch("findings", "--finding", "old_version", "--store", store).stdout


def test_alerts_that_were_called_harmless_are_no_risk(tmp_path):
    dsn = f"chdb://{tmp_path}/store"
    assert (
        tapwatch("replay", "--store", dsn, str(pathlib.Path(__file__).parent.parent / "pcaps/storefront.pcap")).returncode == 0
    )

    def factor():
        (row,) = [one for one in lines(tapwatch("endpoints", "--json", "--store", dsn)) if one["endpoint"] == "/v1/login"]
        return row["factors"]["alerts"], row["alerts"]

    assert factor() == (1, 1)
    (alert,) = lines(tapwatch("alerts", "--detector", "credential_stuffing", "--json", "--store", dsn))
    assert tapwatch("alert", alert["alert_id"], "--mark", "false-positive", "--store", dsn).returncode == 0
    assert factor() == (0, 0)


def test_what_no_document_names_is_told(tmp_path):
    """/v1/orders is of another API than /v2/people: no old version. Only hosts of documents are held against them."""
    document = {"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "servers": [{"url": "https://api.shop.test/v2"}],
                "paths": {path: {"get": {"responses": {}}} for path in ("/people", "/pets/{id}", "/pets/search")}}  # fmt: skip
    (tmp_path / "shop.json").write_text(json.dumps(document))
    (tmp_path / "c.toml").write_text(f'[inventory]\nopenapi = ["{tmp_path}/shop.json"]\n')
    targets = ("/v2/people", "/v2/pets/7", "/v2/pets/search", "/v2/more", "/partners/v1/list")
    write_capture(tmp_path / "t.pcap", [("GET", target, [], 200, GOOD, b"{}") for target in targets] * 3)
    dsn = f"chdb://{tmp_path}/store"
    assert tapwatch("replay", "--store", dsn, "--config", str(tmp_path / "c.toml"), str(tmp_path / "t.pcap")).returncode == 0
    found = lines(tapwatch("findings", "--json", "--store", dsn))
    assert {(row["endpoint"], row["finding"]) for row in found} == {
        ("/v2/more", "undocumented"),
        ("/partners/v1/list", "undocumented"),
    }
    rows = {row["endpoint"]: row["factors"]["undocumented"] for row in lines(tapwatch("endpoints", "--json", "--store", dsn))}
    assert rows == {"/v2/people": 0, "/v2/pets/{id}": 0, "/v2/pets/search": 0, "/v2/more": 1, "/partners/v1/list": 1}


def test_risk_is_made_of_its_factors_and_can_be_weighed_anew(store):
    rows = {row["endpoint"]: row for row in lines(tapwatch("endpoints", "--json", "--store", store))}
    people = rows["/v1/people"]
    assert people["sensitive_in_responses"] == ["card", "email"]
    assert people["factors"]["sensitive_data"] == 1 and people["factors"]["authentication"] == 1
    assert max(rows, key=lambda name: rows[name]["risk"]) == "/v1/people"
    weights = {
        row["factor"]: row["weight"] for row in lines(tapwatch("sql", "--json", "SELECT * FROM risk_factors", "--store", store))
    }
    for row in rows.values():
        assert row["risk"] == pytest.approx(
            min(10, sum(weights[name] * part for name, part in row["factors"].items())), abs=0.06
        )
        assert set(row["factors"]) == set(weights)


def test_weights(store):
    def risk() -> float:
        return {row["endpoint"]: row["risk"] for row in lines(tapwatch("endpoints", "--json", "--store", store))}["/v1/people"]

    before = risk()
    assert tapwatch("store", "weigh", "sensitive_data", "0", "--store", store).returncode == 0
    assert risk() == pytest.approx(before - 3, abs=0.06)
    assert tapwatch("store", "weigh", "sensitive_data", "3", "--store", store).returncode == 0
    assert risk() == before
    wrong = tapwatch("store", "weigh", "nonsense", "1", "--store", store)
    assert wrong.returncode == 1 and "There is no factor 'nonsense'; there are: alerts," in wrong.stderr


def test_no_value_stands_in_the_store(store):
    for table in ("endpoint_inventory", "endpoint_parameters", "findings", "transactions"):
        told = tapwatch("sql", "--json", f"SELECT * FROM {table}", "--store", store).stdout
        assert "4111111111111111" not in told and "a1@example.com" not in told and "abcdef0123456789abcdef" not in told
