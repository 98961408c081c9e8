"""Which tests the inventory and the incidents of a host suggest."""

import collections
import dataclasses
import urllib.parse
from typing import Any

from sensor.core.placeholders import PLACEHOLDER
from sensor.outputs.policy.rules import Rule

Row = dict[str, Any]
MADE_UP = {
    "int": "1", "uuid": "00000000-0000-4000-8000-000000000000", "ulid": "00000000000000000000000000", "date": "2020-01-01",
    "objectid": "000000000000000000000000", "hex": "00000000", "email": "nobody@example.com", "ip": "192.0.2.1",
    "ipv6": "2001:db8::1", "locale": "en-US", "phone": "+10000000000", "number": "1.0", "slug": "example",
}  # fmt: skip
"""By the type of a placeholder; for all others `example`."""
IDENTIFIERS = ("int", "uuid", "ulid", "ksuid", "objectid", "hex", "base64url")
WRITING = ("POST", "PUT", "PATCH")
PRIVILEGES = {"is_admin": True, "role": "admin", "verified": True, "balance": 1_000_000}
"""Fields that nobody but the server may set: what a test of mass assignment tries (API3:2023)."""
FAULTS = {
    "sensitive_without_authentication": "exposed_data", "personal_without_authentication": "exposed_data",
    "old_version": "old_version",
}  # fmt: skip
"""Findings to kinds of tests."""
CROWD, FEW = 10, 3
"""Where an endpoint of the host has a CROWD of clients, one of fewer than FEW is left out: a word of its path may name
somebody, as `/users/alice`, and is not known for a value yet."""
SELDOM = 0.05
"""Share of the requests with a body below which a key is left out: it may be a value, as in a map of people."""
CALLS = 100
"""Calls of a test of a rate limit where no rate of ordinary addresses is known."""
GUESSED = {"password", "otp", "card", "cvv"}
"""Classes of what requests bear that is found by trying: who takes it limits how often."""


@dataclasses.dataclass(frozen=True)
class Case:
    """One test."""

    kind: str
    """missing_credentials, exposed_data, object_level, rate_limit, walking, mass_assignment, old_version"""
    owasp: str
    method: str
    path: str
    because: str
    """in the sensor's own words"""
    body: dict[str, Any] | None = None
    calls: int = 0
    """of rate_limit and walking: so many must not all be answered"""
    marks: int = 0
    """of object_level and walking: which segment of the path is the identifier, from 0"""


def cases(endpoints: list[Row], parameters: list[Row], findings: list[Row], alerts: list[Row], rules: list[Rule]) -> list[Case]:
    """The tests of one host, by kind and path. All rows are of views of the store."""
    faults = {(row["method"], row["endpoint"], row["finding"]): row for row in findings}
    attacked = {(row["method"], row["endpoint"]): row for row in alerts}
    rates = {(method, rule.template): rate.per_minute for rule in rules for method, rate in rule.rates.items()}
    fields: dict[tuple[str, str], list[Row]] = collections.defaultdict(list)
    for one in parameters:
        fields[one["method"], one["endpoint"]].append(one)
    found: list[Case] = []
    least = FEW if max((row["clients"] for row in endpoints), default=0) >= CROWD else 0
    for row in endpoints:
        if row["clients"] < least:
            continue
        method, endpoint = row["method"], row["endpoint"]
        if "#" in endpoint or not endpoint.startswith("/") or not method.isalpha() or not row["status_2xx"] + row["status_3xx"]:
            continue
        body = _body(fields[method, endpoint]) if method in WRITING else None
        found += _cases_of_inventory(row, body, faults)
        calls = rates.get((method, endpoint), CALLS // 2) * 2
        if alert := attacked.get((method, endpoint)):
            found.append(_case_of_alert(row, body, alert, calls))
        elif guessed := _guessed(fields[method, endpoint]):
            because = f"its requests bear what is found by trying: {', '.join(guessed)}"
            found.append(Case("rate_limit", "API4:2023", method, filled(endpoint), because, body, calls))
    return sorted(found, key=lambda case: (case.kind, case.path, case.method))


def _cases_of_inventory(row: Row, body: Row | None, faults: dict[tuple[str, str, str], Row]) -> list[Case]:
    method, endpoint = row["method"], row["endpoint"]
    path, position = filled(endpoint), _identifier(endpoint)
    found = []
    if row["auth"] and "none" not in row["auth"]:
        because = f"all of its {row['transactions']} requests bore credentials"
        found.append(Case("missing_credentials", "API2:2023", method, path, because, body))
    for finding, kind in FAULTS.items():
        if fault := faults.get((method, endpoint, finding)):
            found.append(Case(kind, fault["owasp"], method, path, fault["evidence"], body))
    if position >= 0 and row["auth"] != ["none"]:
        because = "it names an object by an identifier"
        found.append(Case("object_level", "API1:2023", method, path, because, body, marks=position))
    if body:
        found.append(Case("mass_assignment", "API3:2023", method, path, "it takes fields of an object", body))
    return found


def _case_of_alert(row: Row, body: Row | None, alert: Row, calls: int) -> Case:
    path, position = filled(row["endpoint"]), _identifier(row["endpoint"])
    because = f"alert {alert['alert_id']}: {alert['detector']}"
    if alert["detector"] == "enumeration" and position >= 0:
        return Case("walking", "API1:2023", row["method"], path, because, body, calls, position)
    return Case("rate_limit", "API4:2023", row["method"], path, because, body, calls)


def _guessed(parameters: list[Row]) -> list[str]:
    return sorted({one["sensitive"] for one in parameters if one["location"] in ("path", "query", "body")} & GUESSED)


def filled(template: str) -> str:
    """A path with made-up values of the right types."""
    return urllib.parse.quote(PLACEHOLDER.sub(lambda match: MADE_UP.get(match[1], "example"), template), "/:@!$&'()*+,;=%~")


def _identifier(template: str) -> int:
    """Number of the last segment that is an identifier, -1 where none is."""
    found = -1
    for k, segment in enumerate(template.split("/")[1:]):
        kind = PLACEHOLDER.fullmatch(segment)
        if kind and kind[1] in IDENTIFIERS:
            found = k
    return found


def _body(parameters: list[Row]) -> dict[str, Any] | None:
    """A JSON body with the fields that requests bore, of the right types; None where there were none."""
    root: dict[str, Any] = {}
    sent = [one for one in parameters if one["location"] == "body" and one["name"]]
    most = max((one["seen"] for one in sent), default=0)
    for one in sent:
        if one["seen"] < SELDOM * most:
            continue
        *parents, name = one["name"].split(".")
        place = root
        for parent in parents:
            inner = place.setdefault(parent, {})
            place = inner if isinstance(inner, dict) else {}
        place.setdefault(name, _made_up(one["types"]))
    return root or None


def _made_up(types: list[str]) -> Any:
    types = [name for name in types if name != "null"] or ["null"]
    kind = types[0] if len(types) == 1 else "word"
    return {"int": 1, "number": 1.0, "boolean": True, "null": None}.get(kind, MADE_UP.get(kind, "example"))
