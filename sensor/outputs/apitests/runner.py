"""What every exported test file is but for its data: it needs Python and pytest, and nothing of Tapwatch."""

import json
import os
import urllib.error
import urllib.request

import pytest

BASE = ""
PRIVILEGES: dict = {}
CASES: list = []
BASE_URL = os.environ.get("TAPWATCH_BASE_URL", BASE)
AUTHORIZATION_A = os.environ.get("TAPWATCH_AUTHORIZATION_A", "")
AUTHORIZATION_B = os.environ.get("TAPWATCH_AUTHORIZATION_B", "")
OBJECTS = json.loads(os.environ.get("TAPWATCH_OBJECTS", "{}"))
LOAD = os.environ.get("TAPWATCH_LOAD") == "1"
REFUSED = (401, 403, 404, 410)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer of its own: to a log-in, for example."""

    def redirect_request(self, *_):
        return None


def call(method, path, authorization="", body=None):
    """(status, text of the answer)"""
    data = json.dumps(body).encode() if body is not None else None
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if authorization:
        headers["Authorization"] = authorization
    request = urllib.request.Request(BASE_URL.rstrip("/") + path, data=data, method=method, headers=headers)
    try:
        with urllib.request.build_opener(NoRedirect).open(request, timeout=30) as answer:
            return answer.status, answer.read(1 << 20).decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read(1 << 20).decode("utf-8", "replace")


def with_identifier(case, identifier):
    parts = case["path"].split("/")
    parts[case["marks"] + 1] = str(identifier)
    return "/".join(parts)


def of_kind(kind):
    chosen = [case for case in CASES if case["kind"] == kind]
    return pytest.mark.parametrize("case", chosen, ids=[f"{case['method']} {case['path']}" for case in chosen])


def needs(value, name):
    if not value:
        pytest.skip(f"set {name}")


@of_kind("missing_credentials")
def test_credentials_are_asked_for(case):
    status, _ = call(case["method"], case["path"], body=case["body"])
    assert status in REFUSED or 300 <= status < 400, f"{status} without credentials; {case['because']}"


@of_kind("exposed_data")
def test_data_is_not_given_to_everybody(case):
    status, _ = call(case["method"], case["path"], body=case["body"])
    assert status >= 400 or 300 <= status < 400, f"{status} without credentials; {case['because']}"


@of_kind("object_level")
def test_an_object_is_given_to_its_owner_alone(case):
    """TAPWATCH_OBJECTS maps a path, as it stands here, to the identifier of an object that A owns and B may not touch."""
    needs(AUTHORIZATION_A and AUTHORIZATION_B, "TAPWATCH_AUTHORIZATION_A and TAPWATCH_AUTHORIZATION_B")
    needs(case["path"] in OBJECTS, f"an object of A for {case['path']} in TAPWATCH_OBJECTS")
    path = with_identifier(case, OBJECTS[case["path"]])
    status, _ = call(case["method"], path, AUTHORIZATION_B, case["body"])
    assert status in (401, 403, 404), f"{status} for somebody else's object"
    if case["method"] == "GET":
        status, _ = call("GET", path, AUTHORIZATION_A)
        assert status < 300, f"{status} for its owner: is it an object of A?"


@of_kind("walking")
def test_identifiers_cannot_be_walked_through(case):
    needs(LOAD, "TAPWATCH_LOAD=1, for this makes many calls")
    found = {call(case["method"], with_identifier(case, k + 1), AUTHORIZATION_A, case["body"])[0] for k in range(case["calls"])}
    assert found & {403, 429}, f"{case['calls']} identifiers in a row were answered with {sorted(found)}; {case['because']}"


@of_kind("rate_limit")
def test_calls_are_limited(case):
    needs(LOAD, "TAPWATCH_LOAD=1, for this makes many calls")
    found = {call(case["method"], case["path"], AUTHORIZATION_A, case["body"])[0] for _ in range(case["calls"])}
    assert found & {403, 429}, f"{case['calls']} calls in a row were answered with {sorted(found)}; {case['because']}"


@of_kind("mass_assignment")
def test_fields_of_the_server_cannot_be_set(case):
    needs(AUTHORIZATION_A, "TAPWATCH_AUTHORIZATION_A")
    status, text = call(case["method"], case["path"], AUTHORIZATION_A, case["body"] | PRIVILEGES)
    if status >= 400:
        return
    try:
        told = json.loads(text)
    except ValueError:
        return
    taken = [name for name, value in PRIVILEGES.items() if isinstance(told, dict) and told.get(name) == value]
    assert not taken, f"the server took {', '.join(taken)} from a client"


@of_kind("old_version")
def test_old_versions_are_gone(case):
    status, _ = call(case["method"], case["path"], AUTHORIZATION_A, case["body"])
    assert status in (301, 308, 404, 410), f"{status} from an old version; {case['because']}"
