"""A real server and real clients on loopback, captured with tcpdump: the server's own log says what must come out."""

import json
import os
import pathlib

import pytest
from capturing import free_port, needs, nginx, run, sniffing

pytestmark = needs("nginx", "curl")

SERVER = """
  gzip on; gzip_types *; gzip_min_length 100;
  server {{
    listen 127.0.0.1:{port}; root {folder}/www;
    location /api/ {{ default_type application/json; return 200 '{{"path":"$request_uri"}}'; }}
    location /moved {{ return 301 /api/new; }}
    location /nothing {{ return 204; }}
    location /upload {{ client_max_body_size 4m; proxy_pass http://127.0.0.1:{port}/api/stored; }}
  }}
"""


@pytest.fixture
def server(tmp_path):
    """nginx on a free port: (port, folder)."""
    port = free_port()
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "big.txt").write_text("A line of a large file that compresses well.\n" * 20_000)
    with nginx(tmp_path, SERVER, port):
        yield port, tmp_path


def captured(port: int, folder: pathlib.Path, calls: list[list[str]]) -> tuple[list[dict], list[dict]]:
    """(transactions that the sensor tells, lines of the server's log) for some calls of curl."""
    log = folder / "access.log"
    with sniffing(port, folder) as found:
        log.write_text("")
        for call in calls:
            run("curl", "-sS", *call)
    return found.rows, [json.loads(line) for line in log.read_text().splitlines()]


def key_of(row: dict) -> tuple:
    query = row["query"].decode()
    return row["client_port"], row["method"].decode(), row["path"].decode() + ("?" + query if query else ""), row["status"]


def test_what_nginx_logs_is_what_is_told(server):
    port, folder = server
    base = f"http://127.0.0.1:{port}"
    body = folder / "body.bin"
    body.write_bytes(os.urandom(300_000))
    rows, lines = captured(
        port,
        folder,
        [
            [f"{base}/api/items/[1-20]?page=2"],  # keep-alive
            ["-I", f"{base}/api/head", "--next", f"{base}/api/after"],
            ["--compressed", f"{base}/big.txt"],  # chunked, gzip
            [f"{base}/big.txt"],
            ["-L", f"{base}/moved"],
            [f"{base}/nothing", "--next", f"{base}/missing"],
            ["-H", "Expect: 100-continue", "--data-binary", f"@{body}", f"{base}/upload"],
            ["-H", "Transfer-Encoding: chunked", "--data-binary", f"@{body}", f"{base}/upload"],
            ["-0", f"{base}/api/old"],
            ["-X", "DELETE", f"{base}/api/items/7"],
        ],
    )
    assert len(lines) >= 34
    assert sorted(map(key_of, rows)) == sorted((line["port"], line["method"], line["target"], line["status"]) for line in lines)
    assert not [row for row in rows if row["completeness"]]
    told = {key_of(row): row for row in rows}
    for line in lines:
        row = told[line["port"], line["method"], line["target"], line["status"]]
        framing = line["body"] - row["response_bytes"]  # nginx counts chunk sizes and line ends, too
        assert framing == 0 or (line["target"] in ("/big.txt", "/upload") and 0 < framing < 200)
        assert row["user_agent"].decode() == line["agent"] or line["target"] == "/api/stored"
    assert sum(row["request_bytes"] == 300_000 for row in rows) >= 3
