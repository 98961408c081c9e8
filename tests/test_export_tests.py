"""Exported tests: run against a server that is as it should be, and against one with each fault."""

import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading

import pytest

from sensor.outputs.apitests.cases import Case, cases, filled
from sensor.outputs.apitests.forms import FORMATS
from sensor.outputs.policy.rules import Rate, Rule

TAPWATCH = pathlib.Path(sys.executable).with_name("tapwatch")
NOTHING = {"status_2xx": 5, "status_3xx": 0, "transactions": 5, "clients": 3}
ENDPOINTS = [
    NOTHING | {"method": "GET", "endpoint": "/v2/orders/{int}", "auth": ["bearer"]},
    NOTHING | {"method": "GET", "endpoint": "/v1/orders/{int}", "auth": ["bearer"]},
    NOTHING | {"method": "GET", "endpoint": "/v2/people", "auth": ["none"]},
    NOTHING | {"method": "POST", "endpoint": "/v2/login", "auth": ["none"]},
    NOTHING | {"method": "PATCH", "endpoint": "/v2/me", "auth": ["bearer"]},
]
FINDINGS = [
    {"method": "GET", "endpoint": "/v1/orders/{int}", "finding": "old_version", "owasp": "API9:2023", "evidence": "1 beside 2"},
    {
        "method": "GET",
        "endpoint": "/v2/people",
        "finding": "sensitive_without_authentication",
        "owasp": "API2:2023",
        "evidence": "card",
    },
]
ALERTS = [
    {"method": "GET", "endpoint": "/v2/orders/{int}", "alert_id": "aa", "detector": "enumeration"},
    {"method": "POST", "endpoint": "/v2/login", "alert_id": "bb", "detector": "credential_stuffing"},
]
FIELD = {"location": "body", "types": ["word"], "seen": 5, "sensitive": ""}
FIELDS = [FIELD | {"method": "PATCH", "endpoint": "/v2/me", "name": "address.city"}]
RULES = [Rule("a", "/v2/login", ("POST",), {"POST": Rate(10, 5, 20, 100)}, {}, 1024)]
KINDS = {"missing_credentials", "exposed_data", "object_level", "walking", "rate_limit", "mass_assignment", "old_version"}
FAULTS = {
    "open": "test_credentials_are_asked_for", "exposed": "test_data_is_not_given_to_everybody",
    "shared": "test_an_object_is_given_to_its_owner_alone", "unlimited": "test_calls_are_limited",
    "walkable": "test_identifiers_cannot_be_walked_through", "trusting": "test_fields_of_the_server_cannot_be_set",
    "old": "test_old_versions_are_gone",
}  # fmt: skip


def made() -> list[Case]:
    return cases(ENDPOINTS, FIELDS, FINDINGS, ALERTS, RULES)


class Api(http.server.BaseHTTPRequestHandler):
    """Orders of two users, a list of people, a log-in with a limit. `server.faults`: names of what is wrong with it."""

    def log_message(self, *_):
        pass

    def answer(self, status: int, body: dict | None = None) -> None:
        data = json.dumps(body or {}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def handle_any(self) -> None:
        faults, user = self.server.faults, self.headers.get("Authorization", "")
        sent = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        self.server.calls[self.path.rsplit("/", 1)[0]] = count = self.server.calls.get(self.path.rsplit("/", 1)[0], 0) + 1
        if self.path.startswith("/v1/") and "old" not in faults:
            self.answer(410)
        elif self.path == "/v2/people":
            self.answer(200 if "exposed" in faults else 401)
        elif self.path == "/v2/login":
            self.answer(429 if count > 10 and "unlimited" not in faults else 401)
        elif user not in ("Bearer a", "Bearer b") and "open" not in faults:
            self.answer(401)
        elif self.path == "/v2/me":
            self.answer(200, sent if "trusting" in faults else {"address": {}})
        elif count > 40 and "walkable" not in faults:
            self.answer(429)
        else:
            self.answer(200 if user != "Bearer b" or "shared" in faults else 404)

    do_GET = do_POST = do_PATCH = handle_any  # noqa: N815


@pytest.fixture
def server():
    found = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    found.faults, found.calls = set(), {}
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield found
    found.shutdown()
    found.server_close()


def failures(server, folder: pathlib.Path, **environment: str) -> dict[str, str]:
    """Outcome of each exported test, by its name without its case."""
    path = folder / "test_exported.py"
    path.write_text(FORMATS["pytest"](made(), f"http://127.0.0.1:{server.server_port}"), "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "--rootdir", str(folder), str(path)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TAPWATCH_")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder, env=kept | environment, check=False)
    found = {}
    for line in done.stdout.splitlines():
        outcome, _, name = line.partition(" ")
        if outcome in ("PASSED", "FAILED", "ERROR") and "::" in name:
            test = name.split("::")[1].split("[")[0]
            found[test] = outcome if found.get(test, "PASSED") == "PASSED" else found[test]
    return found


USERS = {
    "TAPWATCH_AUTHORIZATION_A": "Bearer a", "TAPWATCH_AUTHORIZATION_B": "Bearer b", "TAPWATCH_LOAD": "1",
    "TAPWATCH_OBJECTS": json.dumps({"/v2/orders/1": 7}),
}  # fmt: skip


def test_there_is_a_case_of_each_kind():
    assert {case.kind for case in made()} == KINDS
    (limit,) = [case for case in made() if case.kind == "rate_limit"]
    assert limit.calls == 20 and limit.path == "/v2/login"


def test_what_is_found_by_trying_wants_a_limit_before_anybody_tries():
    field = FIELD | {"method": "POST", "endpoint": "/v2/login", "name": "password", "sensitive": "password"}
    (limit,) = [case for case in cases(ENDPOINTS, [field], [], [], RULES) if case.kind == "rate_limit"]
    assert (limit.path, limit.calls) == ("/v2/login", 20) and limit.because.endswith("found by trying: password")
    answered = field | {"location": "response"}
    assert not [case for case in cases(ENDPOINTS, [answered], [], [], RULES) if case.kind == "rate_limit"]


def test_words_that_may_name_somebody_stay_here():
    """A path that hardly anybody calls, where others call many; a key that hardly any body has."""
    people = NOTHING | {"method": "GET", "endpoint": "/users/alice", "auth": ["bearer"], "clients": 1}
    crowd = NOTHING | {"method": "POST", "endpoint": "/groups", "auth": ["bearer"], "clients": 40}
    field = FIELD | {"method": "POST", "endpoint": "/groups", "types": ["boolean"]}
    fields = [field | {"name": "open", "seen": 100}, field | {"name": "members.bob", "seen": 1}]
    found = cases([people, crowd], fields, [], [], [])
    assert {case.path for case in found} == {"/groups"} and all(case.body == {"open": True} for case in found)
    assert {case.path for case in cases([people], [], [], [], [])} == {"/users/alice"}, "a capture of one's own"


def test_a_good_server_passes(server, tmp_path):
    assert failures(server, tmp_path, **USERS) == dict.fromkeys(FAULTS.values(), "PASSED")


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_fails_its_test_alone(server, tmp_path, fault):
    server.faults = {fault}
    found = failures(server, tmp_path, **USERS)
    assert {name for name, outcome in found.items() if outcome != "PASSED"} == {FAULTS[fault]}


def test_without_users_nothing_is_claimed(server, tmp_path):
    """What needs credentials or makes many calls is skipped, and says what to set."""
    assert set(failures(server, tmp_path)) == {
        "test_credentials_are_asked_for", "test_data_is_not_given_to_everybody", "test_old_versions_are_gone",
    }  # fmt: skip


def test_hostile_names_stay_data(tmp_path):
    """A path from the wire is neither code, nor a line, nor a variable in any of the files."""
    evil = ['/a"""\nimport os; os._exit(7)\n"""', "/b'\\'+exit()+'", "/c\r\nX: y", "/{{base}}/$(id)", "/d\u2028e"]
    many = [Case("missing_credentials", "API2:2023", "GET", path, "x\nGET /y") for path in evil]
    path = tmp_path / "test_evil.py"
    path.write_text(FORMATS["pytest"](many, "http://127.0.0.1:1"), "utf-8")
    listed = {}
    exec(compile(path.read_text("utf-8"), str(path), "exec"), listed)
    assert [case["path"] for case in listed["CASES"]] == evil
    text = FORMATS["http"](many, "http://127.0.0.1:1")
    assert sum(line.startswith("GET ") for line in text.split("\n")) == len(evil) and "\r" not in text
    assert all("{{base}}" in line and line.count("{{") == 1 for line in text.split("\n") if line.startswith("GET "))
    body = [Case("mass_assignment", "API3:2023", "POST", "/x{{{authorization}}", "x", {"{{$processEnv HOME}}": 1})]
    text = FORMATS["http"](body, "http://127.0.0.1:1")
    assert "{{$" not in text and text.count("{{") == 2, "base and authorization"
    assert all(c.isprintable() or c == "\n" for c in FORMATS["schemathesis"](many, "http://127.0.0.1:1"))


def test_made_up_values_have_the_right_types():
    assert filled("/v1/{int}/x/{uuid}/{slug}/{what}") == "/v1/1/x/00000000-0000-4000-8000-000000000000/example/example"


def test_the_command(bundled_store, tmp_path):
    def run(*arguments: str) -> subprocess.CompletedProcess:
        command = [TAPWATCH, "export", "tests", "--store", bundled_store, "--host", "api.shop.test", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    done = run("--base-url", "https://staging.example", "-o", str(tmp_path / "test_api.py"))
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "test_api.py").read_text()
    assert "a211cf05bfd6f518" in text and "/v1/orders/00000000-0000-4000-8000-000000000000" in text
    assert run().returncode == 2 and run("--base-url", "staging").returncode == 2
    assert run("--base-url", "https://s.example", "-f", "soap").returncode == 2
