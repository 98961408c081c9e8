"""The inventory as CSV and Markdown: complete, and nothing from the wire is run or becomes markup."""

import csv
import io
import pathlib
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.outputs.inventory import COLUMNS, as_csv, as_markdown

TAPWATCH = pathlib.Path(sys.executable).with_name("tapwatch")
CAPTURE = pathlib.Path(__file__).parent.parent / "pcaps/storefront.pcap"
HOSTILE = [
    "=cmd|' /C calc'!A0",
    "@SUM(A1)",
    "-1+1",
    "+1",
    "\t=1",
    "<script>alert(1)</script>",
    "a|b",
    "# x\n## y",
    "`x`",
    "ü\x00\x1b[31m",
    '"q"',
]


def endpoint(host: str, path: str) -> dict:
    row = dict.fromkeys(COLUMNS, 0) | {"host": host, "method": "GET", "endpoint": path, "auth": ["none"], "findings": [path]}
    return row | {"sensitive_in_requests": [], "sensitive_in_responses": [], "first_seen": "", "last_seen": ""}


def parameter(host: str, path: str, name: str) -> dict:
    own = {"location": "query", "position": 0, "types": ["int"], "sensitive": "", "seen": 3}
    return {"host": host, "method": "GET", "endpoint": path, "name": name} | own


@given(st.lists(st.tuples(st.sampled_from(HOSTILE), st.text(max_size=20)), max_size=4))
def test_hostile_names_stay_text(pairs):
    endpoints = [endpoint(host, path) for host, path in pairs]
    parameters = [parameter(host, path, host + path) for host, path in pairs]
    lines = list(csv.reader(io.StringIO(as_csv(endpoints, parameters), newline="")))
    assert len(lines) == 1 + len(pairs) and all(len(line) == len(COLUMNS) + 1 for line in lines)
    assert not [cell for line in lines[1:] for cell in line[:3] if cell[:1] in ("=", "+", "-", "@", "\t", "\r") and cell]
    page = as_markdown(endpoints, parameters)
    assert "<" not in page and all(c.isprintable() or c == "\n" for c in page)
    tables = [line for line in page.splitlines() if line.startswith("|") and "---" not in line]
    assert {line.replace("\\|", "").count("|") for line in tables} <= {6, 7}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    dsn = f"chdb://{tmp_path_factory.mktemp('state')}/store"
    subprocess.run([TAPWATCH, "replay", CAPTURE, "--store", dsn], check=True, capture_output=True, timeout=300)
    return dsn


def test_both_formats_hold_every_endpoint(store, tmp_path):
    out = tmp_path / "inventory.md"
    done = subprocess.run(
        [TAPWATCH, "export", "inventory", "--store", store], check=True, capture_output=True, text=True, timeout=60
    )
    lines = list(csv.DictReader(io.StringIO(done.stdout)))
    command = [TAPWATCH, "export", "inventory", "-f", "markdown", "-o", out, "--store", store]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    page = out.read_text().replace("\\", "")
    assert len(lines) > 5 and {line["endpoint"] for line in lines} >= {"/v1/products/{int}", "/v1/login"}
    assert all(line["endpoint"] in page for line in lines)
    assert "query:page" in next(line for line in lines if line["endpoint"] == "/v1/products")["parameters"]
    wrong = subprocess.run(
        [TAPWATCH, "export", "inventory", "-f", "xls", "--store", store],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert wrong.returncode == 2 and "xls" in wrong.stderr
