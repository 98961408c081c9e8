"""Schemas in the store: what came and went of bodies is told, what is seldom there is not; JWTs and header fields."""

import base64
import json
import pathlib
import random
import subprocess
import sys

import pytest
from helpers import SERVER

from sensor.drift import changes_of
from sensor.simulate.feature_base import answer, ask
from sensor.simulate.wire import Conversation, write_pcap

TAPWATCH = pathlib.Path(sys.executable).with_name("tapwatch")
START, STEP = 1_772_528_400_000_000_000, 1_000_000_000
EXCHANGES = 900


def tapwatch(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([TAPWATCH, *arguments], capture_output=True, text=True, timeout=600, check=False)


def part(value: dict) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def body_of(k: int, chance: random.Random) -> dict:
    """`late` comes after 500 bodies, `old` goes after 300, `price` becomes a text after 600, `rare` is in one of sixty."""
    body = {"id": k, "tags": ["a", "b"], "price": 1.5 if k < 600 else "1.50"}
    return (
        body
        | ({"late": {"by": 1}} if k >= 500 else {"old": True} if k < 300 else {})
        | ({"rare": 1} if chance.random() < 1 / 60 else {})
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder, frames, chance = tmp_path_factory.mktemp("schemas"), [], random.Random(7)
    token = f"{part({'alg': 'RS256'})}.{part({'iss': 'id.shop.test', 'exp': START // STEP + 10**7, 'sub': 'secret-subject'})}.c2lnbmF0dXJl"
    fields = [f"Authorization: Bearer {token}", "X-Tenant: acme", "Cookie: theme=dark; sid=secret-session"]
    for k in range(EXCHANGES):
        made = Conversation(("192.0.2.10", 20_000 + k), SERVER, START + k * STEP)
        made.handshake()
        made.exchange(ask("GET", f"/v1/things/{k}", b"", *fields), answer(json.dumps(body_of(k, chance)).encode()))
        made.close()
        frames += made.frames
    write_pcap(folder / "drift.pcap", frames)
    dsn = f"chdb://{folder}/store"
    (folder / "c.toml").write_text("[bodies]\nper_endpoint = 1000\n")
    done = tapwatch("replay", "--store", dsn, "-c", str(folder / "c.toml"), str(folder / "drift.pcap"))
    assert done.returncode == 0, done.stderr
    return dsn


def rows(store: str, *arguments: str) -> list[dict]:
    done = tapwatch(*arguments, "--store", store, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_what_came_and_went_is_told_and_nothing_else(store):
    found = {(row["path"], row["type"]): row for row in rows(store, "query", "schema_drift")}
    assert {key: row["change"] for key, row in found.items()} == {
        ("late", "object"): "new_key", ("late.by", "number"): "new_key", ("old", "boolean"): "gone",
        ("price", "number"): "gone", ("price", "string"): "new_type",
    }  # fmt: skip
    told = changes_of(rows(store, "sql", "SELECT * FROM schema_field_versions FINAL"))
    assert {(row["path"], row["type"]): change for row, change in told} == {key: row["change"] for key, row in found.items()}
    late = found["late", "object"]
    assert abs(late["bodies_without"] - 500) <= 16 and late["ts"].startswith("2026-03-03T09:08:")
    assert (late["endpoint"], late["side"], late["status"]) == ("/v1/things/{int}", "response", 200)


def test_the_schema_is_exported(store):
    document = json.loads(tapwatch("export", "openapi", "--store", store).stdout)
    (operation,) = (item["get"] for item in document["paths"].values())
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["id", "price", "tags"] and schema["properties"]["price"]["type"] == ["number", "string"]
    assert schema["properties"]["tags"]["items"]["type"] == "string"
    listed = {(one["in"], one["name"]): one["required"] for one in operation["parameters"]}
    assert listed == {("path", "thing_id"): True, ("header", "x-tenant"): True, ("cookie", "theme"): True}


def test_tokens_are_described_and_not_kept(store):
    (row,) = rows(store, "query", "tokens")
    assert (row["jwt_algorithms"], row["jwt_issuers"], row["jwt_unlimited"]) == (["RS256"], ["id.shop.test"], 0)
    assert row["jwt_lifetime_s"] > 10**6
    assert "long_lived_token" in {one["finding"] for one in rows(store, "findings")}
    for secret in ("secret-subject", "secret-session", "c2lnbmF0dXJl", part({"alg": "RS256"})):
        folder = pathlib.Path(store.removeprefix("chdb://"))
        for table in ("transactions", "endpoint_profiles", "endpoint_parameter_versions", "schema_field_versions"):
            assert secret not in tapwatch("sql", f"SELECT * FROM {table}", "--store", store, "--json").stdout
        assert folder.is_dir()
