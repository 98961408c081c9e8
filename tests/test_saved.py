"""The saved queries: each runs on the bundled captures, with its defaults, and says what is known to be in them."""

import json
import pathlib
import re
import subprocess
import sys

import pytest

from sensor.store.saved import saved_queries

TAPWATCH = pathlib.Path(sys.executable).with_name("tapwatch")
ANSWERS = {
    # query: (parameters, a row's part that must be there, rows at least)
    "actors_of_endpoint": ({"endpoint": "/v1/products/{int}"}, {"actor": "ip:198.51.100.77", "transactions": 600}, 20),
    "actors_with_many_addresses": ({"least": "1"}, {}, 10),
    "addresses_with_many_actors": ({"least": "2"}, {}, 1),
    "attack_share": ({"least": "5"}, {"endpoint": "/v1/login"}, 1),
    "bad_automation": ({"least": "0.8"}, {"actor": "ip:198.51.100.77", "transactions": 600}, 2),
    "before_incident": ({"alert": "a211"}, {}, 1),
    "busiest_actors": ({}, {"actor": "ip:198.51.100.77", "transactions": 600}, 20),
    "by_hour": ({"host": "api.shop.test"}, {}, 1),
    "graphql_depth": ({}, {"operation_type": "query"}, 1),
    "guessable_identifiers": ({}, {"endpoint": "/v1/products/{int}", "position": 2}, 1),
    "incomplete": ({}, {}, 0),
    "largest_responses": ({}, {"endpoint": "/v1/products/{int}"}, 5),
    "liars": ({"least": "1"}, {}, 5),
    "many_guesses": ({}, {"endpoint": "/v1/login", "actor": "ip:192.0.2.145", "guesses": 400}, 1),
    "many_types": ({}, {}, 0),
    "mixed_authentication": ({}, {"endpoint": "/v1/cart"}, 1),
    "most_errors": ({"least": "1"}, {}, 0),
    "most_refused": ({}, {"endpoint": "/v1/login", "method": "POST"}, 1),
    "new_endpoints": ({}, {"endpoint": "/v1/products/{int}"}, 5),
    "oddities": ({}, {}, 1),
    "old_tls": ({}, {}, 0),
    "old_versions": ({}, {}, 0),
    "open_beside_closed": ({}, {}, 0),
    "open_endpoints": ({}, {"endpoint": "/healthz"}, 5),
    "rare_clients": ({}, {}, 5),
    "rare_tls_clients": ({}, {}, 0),
    "same_value": ({"least": "1"}, {}, 20),
    "schema_drift": ({}, {}, 0),
    "schema_of": ({"endpoint": "/v1/login", "method": "POST"}, {"side": "request", "path": "password", "required": 1}, 6),
    "seen_by_several_taps": ({}, {}, 0),
    "sensitive_parameters": ({}, {}, 0),
    "silent_endpoints": ({"days": "0"}, {}, 1),
    "slowest_endpoints": ({}, {"endpoint": "/v1/products/{int}"}, 5),
    "tokens": ({}, {}, 0),
    "tunnels": ({}, {"encap": ""}, 1),
    "unanswered": ({}, {}, 0),
    "unknown_paths": ({}, {}, 1),
    "versions": ({}, {"http_version": "1.1"}, 2),
    "walkers": ({}, {"actor": "ip:198.51.100.77", "targets": 600}, 10),
}


def tapwatch(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([TAPWATCH, *arguments], capture_output=True, text=True, timeout=300, check=False)


def test_every_query_has_an_answer_here():
    assert set(ANSWERS) == set(saved_queries()) and len(ANSWERS) >= 25


def test_queries_say_what_they_answer_and_take():
    for one in saved_queries().values():
        assert one.help.endswith(".") and len(one.help) < 120
        assert {parameter.name for parameter in one.parameters} == set(re.findall(r"\{(\w+):", one.sql)), one.name
        assert "ORDER BY" in one.sql, one.name


@pytest.mark.parametrize("name", ANSWERS)
def test_answers(bundled_store, name):
    given, part, least = ANSWERS[name]
    parameters = [word for key, value in given.items() for word in ("-p", f"{key}={value}")]
    done = tapwatch("query", name, *parameters, "--store", bundled_store, "--json")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) >= least
    assert not part or any(part.items() <= row.items() for row in rows), rows[:3]


def test_the_command_lists_and_refuses(bundled_store):
    listed = tapwatch("query", "--json")
    assert {json.loads(line)["name"] for line in listed.stdout.splitlines()} == set(ANSWERS)
    for arguments, status, words in (
        (("nothing",), 1, "There is no query"),
        (("walkers", "-p", "limit=many"), 1, "must be a number"),
        (("walkers", "-p", "size=1"), 1, "it takes: limit"),
        (("walkers", "-p", "limit"), 2, "NAME=VALUE"),
    ):
        done = tapwatch("query", *arguments, "--store", bundled_store)
        assert done.returncode == status and words in done.stderr and "Traceback" not in done.stderr


def test_actors(bundled_store):
    rows = [
        json.loads(line) for line in tapwatch("actors", "--limit", "3", "--store", bundled_store, "--json").stdout.splitlines()
    ]
    assert len(rows) == 3 and rows[0]["actor"] == "ip:198.51.100.77" and rows[0]["transactions"] == 600
