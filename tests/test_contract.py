"""A client that knows an API by its exported document alone gets answers that fit it, from the server that was watched."""

import http.client
import http.server
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import threading

import pytest
from click.testing import CliRunner
from helpers import SERVER
from openapi_schema_validator import OAS31Validator

from sensor.cli import main
from sensor.simulate.wire import Conversation, write_pcap

START, STEP = 1_772_528_400_000_000_000, 1_000_000_000
ORDERS = 300
CALLS = 20


class Shop(http.server.BaseHTTPRequestHandler):
    """Orders of a shop: listed, shown, and made."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def _answer(self, status: int, body) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def send_error(self, code, message=None, explain=None):
        """What http.server answers by itself, as of methods that it does not know."""
        self._answer(405 if code == 501 else code, {"error": message or "", "code": 6})

    def _order(self, number: int) -> dict:
        order = {"id": number, "state": ("open", "paid", "sent")[number % 3], "total": number * 1.25, "lines": []}
        order["lines"] = [
            {"sku": f"S-{number}-{k}", "count": k + 1, **({"gift": True} if k % 2 else {})} for k in range(number % 4)
        ]
        return order | ({"note": None if number % 2 else "leave at door"} if number % 5 else {})

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path == "/v1/orders":
            if not re.fullmatch(r"page=\d{1,6}", query):
                return self._answer(400, {"error": "page", "code": 7})
            return self._answer(200, {"orders": [self._order(int(query[5:]) + k) for k in range(3)], "more": True})
        found = re.fullmatch(r"/v1/orders/(\d+)", path)
        if found and int(found[1]) < ORDERS:
            return self._answer(200, self._order(int(found[1])))
        return self._answer(404, {"error": "no order", "code": 4})

    def do_POST(self):
        try:
            sent = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        except ValueError:
            sent = None
        if not isinstance(sent, dict) or not isinstance(sent.get("sku"), str) or not isinstance(sent.get("count"), int):
            return self._answer(422, {"error": "sku and count", "code": 5})
        return self._answer(201, {"id": 7, "state": "open"})


@pytest.fixture(scope="module")
def shop():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address
    server.shutdown()
    server.server_close()


def ask(address, method: str, target: str, body=None) -> tuple[int, bytes, bytes]:
    """(status, the exchange's head and body as they are on the wire, decoded body)"""
    connection = http.client.HTTPConnection(*address, timeout=10)
    raw = json.dumps(body).encode() if body is not None else None
    connection.request(method, target, raw, {"Content-Type": "application/json"} if raw else {})
    answer = connection.getresponse()
    text = answer.read()
    head = f"HTTP/1.1 {answer.status} {answer.reason}\r\n" + "".join(
        f"{name}: {value}\r\n" for name, value in answer.getheaders()
    )
    connection.close()
    return answer.status, head.encode() + b"\r\n" + text, text


@pytest.fixture(scope="module")
def folder(shop, tmp_path_factory):
    """What is exported of what ordinary clients asked the server for: shop.json, and schemathesis.toml beside it."""
    folder, chance, frames = tmp_path_factory.mktemp("contract"), random.Random(3), []
    for k in range(400):
        method, target, body = chance.choice([
            ("GET", f"/v1/orders?page={k}", None), ("GET", f"/v1/orders/{chance.randrange(ORDERS + 30)}", None),
            ("POST", "/v1/orders", {"sku": f"S-{k}", "count": k % 4 + 1}), ("GET", "/v1/orders?page=x", None),
            ("POST", "/v1/orders", {"sku": "x"}),
        ])  # fmt: skip
        raw = json.dumps(body).encode() if body is not None else b""
        fields = f"Content-Type: application/json\r\nContent-Length: {len(raw)}\r\n" if raw else ""
        made = Conversation((f"192.0.2.{k % 40 + 1}", 20_000 + k), SERVER, START + k * STEP)
        made.handshake()
        made.exchange(
            f"{method} {target} HTTP/1.1\r\nHost: shop.test\r\n{fields}\r\n".encode() + raw, ask(shop, method, target, body)[1]
        )
        made.close()
        frames += made.frames
    write_pcap(folder / "shop.pcap", frames)
    store = f"chdb://{folder}/store"
    assert CliRunner().invoke(main, ["replay", "--store", store, str(folder / "shop.pcap")]).exit_code == 0
    done = CliRunner().invoke(main, ["export", "openapi", "--store", store, "-o", str(folder / "shop.json")])
    assert done.exit_code == 0, done.output
    settings = ["-f", "schemathesis", "--base-url", f"http://{shop[0]}:{shop[1]}", "-o", str(folder / "schemathesis.toml")]
    done = CliRunner().invoke(main, ["export", "tests", "--store", store, *settings])
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture(scope="module")
def document(folder):
    return json.loads((folder / "shop.json").read_text())


def made_up(schema: dict, chance: random.Random):
    """A value that fits a schema."""
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if "enum" in schema:
        return chance.choice(schema["enum"])
    if kind == "integer":
        low, high = schema.get("x-tapwatch-range", [1, 99])
        return chance.randint(low, high)
    if kind == "object":
        return {name: made_up(one, chance) for name, one in schema.get("properties", {}).items()}
    if kind == "array":
        return [made_up(schema.get("items", {}), chance)]
    return {"number": 1.5, "boolean": True, "null": None}.get(kind, "word")


def test_answers_fit_the_document(document, shop):
    chance, seen = random.Random(5), set()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for _ in range(CALLS):
                target, query = path, []
                for one in operation.get("parameters", ()):
                    value = made_up(one["schema"], chance)
                    if one["in"] == "path":
                        target = target.replace("{" + one["name"] + "}", str(value))
                    elif one["in"] == "query":
                        query.append(f"{one['name']}={value}")
                content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
                body = made_up(content["schema"], chance) if content else None
                status, _, text = ask(shop, method.upper(), target + ("?" + "&".join(query) if query else ""), body)
                response = operation["responses"][str(status)]
                OAS31Validator(response["content"]["application/json"]["schema"]).validate(json.loads(text))
                seen.add((method, path, status))
    assert {("get", "/v1/orders", 200), ("get", "/v1/orders/{order_id}", 200), ("post", "/v1/orders", 201)} <= seen


def test_the_document_is_narrow_enough_to_fail(document):
    """An order without what all orders had, or with a word for a number, does not fit."""
    schema = document["paths"]["/v1/orders/{order_id}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert sorted(schema["required"]) == ["id", "lines", "state", "total"]
    whole = {"id": 1, "state": "open", "total": 1.5, "lines": []}
    OAS31Validator(schema).validate(whole)
    for wrong in ({**whole, "id": "x"}, {"id": 1}, {**whole, "lines": [{"sku": 5}]}, []):
        assert list(OAS31Validator(schema).iter_errors(wrong))


SCHEMATHESIS = pathlib.Path(sys.executable).with_name("schemathesis")


def run_schemathesis(folder: pathlib.Path, document: str) -> subprocess.CompletedProcess:
    """schemathesis under the exported settings; `ignored_auth` is left out, for nobody logs in to this server."""
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    command = [
        SCHEMATHESIS,
        "run",
        document,
        "--checks",
        checks,
        "--max-examples",
        "25",
        "--seed",
        "7",
        "--rate-limit",
        "1000/s",
    ]
    kept = os.environ | {"TAPWATCH_AUTHORIZATION_A": "Bearer a", "NO_COLOR": "1"}
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=folder, env=kept, check=False)


def test_schemathesis_finds_that_answers_fit_the_document(folder):
    done = run_schemathesis(folder, "shop.json")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "No issues found" in done.stdout


def test_schemathesis_finds_where_the_document_is_wrong(folder, document):
    wrong = json.loads(json.dumps(document))
    del wrong["paths"]["/v1/orders/{order_id}"]["get"]["responses"]["404"]
    (folder / "wrong.json").write_text(json.dumps(wrong))
    done = run_schemathesis(folder, "wrong.json")
    assert done.returncode == 1 and re.search(r"Undocumented HTTP status code: \d+|ndefined.*status|\[404\]", done.stdout), (
        done.stdout[-3000:]
    )
