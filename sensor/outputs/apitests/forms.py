"""Tests as files: for pytest, for editors that read .http, and settings for schemathesis."""

import dataclasses
import json
import pathlib
import re
from collections.abc import Callable

from sensor.outputs.apitests.cases import PRIVILEGES, Case

RUNNER = pathlib.Path(__file__).with_name("runner.py")
PLACE = 'BASE = ""\nPRIVILEGES: dict = {}\nCASES: list = []'
"""Where a file has its data."""


def as_pytest(cases: list[Case], base_url: str) -> str:
    """A file for pytest. Data stands in it as JSON within a string: nothing of it can be code."""
    data = json.dumps([dataclasses.asdict(case) for case in cases], indent=1)
    head = [
        '"""Tests that Tapwatch suggests for an API, from what was called and attacked. They send requests: only to staging.',
        "",
        "TAPWATCH_BASE_URL  another host than the one that was exported for",
        "TAPWATCH_AUTHORIZATION_A, TAPWATCH_AUTHORIZATION_B  Authorization fields of two ordinary users, as `Bearer …`",
        "TAPWATCH_OBJECTS  JSON: path of a test to the identifier of an object that A owns",
        "TAPWATCH_LOAD=1  also run what makes many calls",
        '"""',
    ]
    data_lines = [
        f"BASE = json.loads({json.dumps(base_url)!r})",
        f"PRIVILEGES = json.loads({json.dumps(PRIVILEGES)!r})",
        "CASES = json.loads(",
        *(f"    {line!r}" for line in data.splitlines()),
        ")",
    ]
    code = RUNNER.read_text("utf-8").split('"""', 2)[2]
    return "\n".join(head) + code.replace(PLACE, "\n".join(data_lines))


def as_http(cases: list[Case], base_url: str) -> str:
    """A .http file (as of the REST clients of editors): one request a case, with what is expected above it."""
    parts = [f"@base = {_line(base_url)}", "@authorization = Bearer …", ""]
    for case in cases:
        expected = {
            "missing_credentials": "401 or 403", "exposed_data": "401 or 403",
            "object_level": "403 or 404 for somebody else's object",
            "walking": f"429 or 403 within {case.calls} calls with other identifiers",
            "rate_limit": f"429 within {case.calls} calls",
            "mass_assignment": "400, or an answer without these fields", "old_version": "404 or 410",
        }[case.kind]  # fmt: skip
        parts += [
            f"### {case.kind}: {expected} ({case.owasp}; {_line(case.because)})",
            f"{case.method} {{{{base}}}}{_line(case.path)}",
        ]
        if case.kind not in ("missing_credentials", "exposed_data"):
            parts.append("Authorization: {{authorization}}")
        body = case.body | PRIVILEGES if case.body is not None and case.kind == "mass_assignment" else case.body
        if body is not None:
            parts += ["Content-Type: application/json", "", json.dumps(body).replace("{{", "\\u007b\\u007b")]
        parts.append("")
    return "\n".join(parts)


def as_schemathesis(cases: list[Case], base_url: str) -> str:
    """schemathesis.toml (schemathesis 4), beside the document of `tapwatch export openapi -o openapi.json`."""
    anonymous = [case for case in cases if case.kind == "missing_credentials"]
    lines = [
        "# schemathesis run openapi.json",
        f"base-url = {json.dumps(base_url)}",
        'headers = { Authorization = "${TAPWATCH_AUTHORIZATION_A}" }',
        'rate-limit = "10/s"',
        "",
        "[checks]",
        "ignored_auth.enabled = true        # API2: credentials that are asked for are looked at",
        "response_schema_conformance.enabled = true",
        "not_a_server_error.enabled = true  # API8: no input makes the server fail",
        "",
    ]
    lines += [f"# asks for credentials: {case.method} {_line(case.path)}" for case in anonymous]
    return "\n".join(lines) + "\n"


def _line(text: str) -> str:
    """Text that stays on its line, and opens no variable."""
    return re.sub(r"\{(?=\{)", "{ ", "".join(c if c.isprintable() else "?" for c in text))


FORMATS: dict[str, Callable[[list[Case], str], str]] = {"pytest": as_pytest, "http": as_http, "schemathesis": as_schemathesis}
