"""Sensitive values in every place of requests and answers: none of them is in any table, file, or export."""

import json
import pathlib
import subprocess
import sys

import pytest
from helpers import SERVER, write_conversations

from sensor.simulate.feature_base import answer
from sensor.simulate.storefront import START

TAPWATCH = pathlib.Path(sys.executable).with_name("tapwatch")
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiIsIm5hbWUiOiJBIn0.c2lnbmF0dXJlc2lnbmF0dXJl"
SECRETS = {
    "card": "4111111111111111",
    "iban": "DE89370400440532013000",
    "ssn": "078-05-1120",
    "email": "mary.major@example.org",
    "jwt": JWT,
    "national_id": "529.982.247-25",
    "phone": "+4915123456789",
    "cloud_key": "AKIAIOSFODNN7EXAMPLE",
    "payment_key": "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "token": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "dni": "12345678Z",
    "resident": "11010519491231002X",
    "encoded_phone": "%2b4915123456780",
    "encoded_email": "john.doe%40example.org",
    "grouped_card": "4111+1111+1111+1111",
    "encoded_card": "5555%205555%205555%204444",
    "encoded_iban": "GB82%20WEST%201234%205698%207654%2032",
}
HARMLESS = {
    "order": "1000200030004",
    "time": "1772528400123",
    "uuid": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "hex": "9f86d081884c7d659a2feaa0c55ad015",
    "version": "10.15.7.2024",
    "letters": "12345678A",
    "date": "2026-03-03",
}


def requests(name: str, value: str):
    """The value in each place of a request, and in its answer."""
    body = json.dumps({"note": value, "list": [{"x": value}]}).encode()
    text = value.encode()
    lines = b"".join(
        field + b": " + pattern.replace(b"*", text) + b"\r\n"
        for field, pattern in (
            (b"User-Agent", b"Tool/1.0 (contact: *; x=*)"), (b"Referer", b"http://shop.test/p/*?q=*"), (b"X-Forwarded-For", b"192.0.2.7, *"),
            (b"X-Custom", b"*"), (b"Cookie", b"theme=*"),
        )
    )  # fmt: skip
    host = b"Host: api.test\r\n"
    yield b"GET /v1/p/" + text + b" HTTP/1.1\r\n" + host + b"\r\n"
    yield b"GET /v1/p/" + text + b".json HTTP/1.1\r\n" + host + b"\r\n"
    yield b"GET /v1/q?" + name.encode() + b"=1&q=" + text + b" HTTP/1.1\r\n" + host + b"\r\n"
    yield b"GET /v1/bare?" + text + b" HTTP/1.1\r\n" + host + b"\r\n"
    yield b"GET /v1/h HTTP/1.1\r\n" + host + lines + b"\r\n"
    head = b"POST /v1/b HTTP/1.1\r\n" + host + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    yield head % len(body) + body
    form = b"note=" + text
    head = head.replace(b"application/json", b"application/x-www-form-urlencoded")
    yield head % len(form) + form


def stored(folder: pathlib.Path, values: dict[str, str]) -> str:
    """All that the sensor wrote of a capture with these values, as one text."""
    conversations = []
    for number, (name, value) in enumerate(values.items()):
        answered = answer(json.dumps({"value": value}).encode(), "200 OK", f"X-Answer: {value}")
        conversations.append(
            (f"198.51.100.{number + 1}", [(asked, answered) for _ in range(3) for asked in requests(name, value)])
        )
    write_conversations(folder / "s.pcap", conversations, SERVER, START, 1_000_000_000)
    store = f"chdb://{folder}/store"
    out = run("replay", str(folder / "s.pcap"), "--store", store, "--transactions", str(folder / "t.jsonl"),
              "--alerts", str(folder / "a.jsonl"), "--ledger", str(folder / "l.jsonl"))  # fmt: skip
    texts = [out, *((folder / name).read_text("utf-8") for name in ("t.jsonl", "a.jsonl", "l.jsonl"))]
    tables = run(
        "sql",
        "SELECT name FROM system.tables WHERE database = 'tapwatch' AND name NOT LIKE 'endpoint_minutes%'",
        "--tsv",
        "--store",
        store,
    )
    texts += [run("sql", f"SELECT * FROM {table}", "--json", "--store", store) for table in tables.split()[1:]]
    texts += [run("export", "openapi", "--host", "api.test", "--store", store), run("export", "inventory", "--store", store)]
    run("report", "-o", str(folder / "r.html"), "--store", store)
    return "\n".join([*texts, (folder / "r.html").read_text("utf-8")])


def run(*words: str) -> str:
    done = subprocess.run([TAPWATCH, *words], capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return done.stdout.decode()


def test_no_secret_is_stored(tmp_path):
    text = stored(tmp_path, SECRETS)
    assert '"path":"/v1/p/{card}"' in text and '"path":"/v1/p/{card}.json"' in text and '"query":"{ssn}"' in text
    assert '"user_agent":"Tool/1.0 (contact: {iban}; x={iban})"' in text and '"forwarded_for":"192.0.2.7, {token}"' in text
    assert [name for name, value in SECRETS.items() if value in text] == []


def log_in(email: str, password: str) -> bytes:
    body = json.dumps({"email": email, "password": password}).encode()
    head = f"POST /login HTTP/1.1\r\nHost: api.test\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def test_transactions_with_the_same_value_can_be_grouped(tmp_path, monkeypatch):
    """One password tried on two accounts, one account tried twice: told by keyed hashes, other ones under another key."""
    people = [("a@example.com", "winter26"), ("b@example.com", "winter26"), ("a@example.com", "summer25")]
    exchanges = [(log_in(*who), answer(b"{}")) for who in people]
    exchanges.append((b"GET /p/a@example.com?card=4111111111111111 HTTP/1.1\r\nHost: api.test\r\n\r\n", answer(b"{}")))
    write_conversations(tmp_path / "s.pcap", [("198.51.100.1", exchanges)], SERVER, START, 1_000_000_000)
    told = []
    for key in ("00" * 16, "01" * 16):
        monkeypatch.setenv("TAPWATCH_KEY", key)
        store, lines = f"chdb://{tmp_path}/{key}", tmp_path / "t.jsonl"
        run("replay", str(tmp_path / "s.pcap"), "--store", store, "--transactions", str(lines))
        rows = run("sql", "SELECT sensitive FROM transactions ORDER BY ts", "--json", "--store", store)
        found = [json.loads(row)["sensitive"] for row in rows.splitlines()]
        assert found == [json.loads(row)["sensitive"] for row in lines.read_text().splitlines()]
        assert [[one.split(":")[0] for one in row] for row in found] == [["email", "password"]] * 3 + [["email", "card"]]
        (first, second, third, path) = found
        assert first[1] == second[1] != third[1] and first[0] == third[0] == path[0] != second[0]
        told.append(found)
    assert not {one for row in told[0] for one in row} & {one for row in told[1] for one in row}


def test_what_only_looks_alike_stays(tmp_path):
    text = stored(tmp_path, HARMLESS)
    assert [name for name, value in HARMLESS.items() if f'"path":"/v1/p/{value}"' not in text] == []
    assert [
        name for name, value in HARMLESS.items() if f'"user_agent":"Tool/1.0 (contact: {value}; x={value})"' not in text
    ] == []


@pytest.mark.parametrize("template", ["/cards/{card}", "/" + "/".join(f"{{p{k}}}" for k in range(10))])
def test_no_secret_is_stored_where_the_operator_names_paths(tmp_path, template):
    path = "/cards/4111111111111111.json" if "card" in template else "/a/b/c/d/e/f/g/h/i/mary.major@example.org"
    exchange = (f"GET {path} HTTP/1.1\r\nHost: api.test\r\n\r\n".encode(), answer(b"{}"))
    write_conversations(tmp_path / "s.pcap", [("198.51.100.1", [exchange])], SERVER, START, 0)
    (tmp_path / "t.toml").write_text(f'[inventory]\ntemplates = ["{template}"]\n')
    run(
        "replay",
        str(tmp_path / "s.pcap"),
        "-c",
        str(tmp_path / "t.toml"),
        "--no-store",
        "--transactions",
        str(tmp_path / "t.jsonl"),
    )
    (row,) = map(json.loads, (tmp_path / "t.jsonl").read_text().splitlines())
    assert row["path"] == ("/cards/{card}.json" if "card" in template else "/a/b/c/d/e/f/g/h/i/{email}")
