"""A server that speaks ClickHouse's HTTP interface, as far as the driver uses it, and passes requests on to an embedded engine.

    python tests/clickhouse_server.py DIRECTORY     prints the port that it listens on

No server binary is in the package registries. Faults are asked for with `GET /fault?kind=KIND&times=N`, and meet inserts alone:
reset (in the midst of the block), lost (taken, but the answer is lost), slow, 500, 503, parts (too many parts).
"""

import argparse
import http.server
import json
import os
import pathlib
import re
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from typing import Any, ClassVar

from clickhouse_connect import get_client

INSERT = re.compile(r"\s*INSERT INTO (\S+)\s*(?:\((.*)\))?\s*FORMAT (\w+)\s*$", re.DOTALL)
SLOW = 1.0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    engine: Any = None
    one = threading.Lock()
    faults: ClassVar[list[str]] = []
    settings: ClassVar[dict[str, str]] = {}
    """of the last insert"""

    def log_message(self, *_):
        pass

    def do_GET(self):
        parts = urllib.parse.urlsplit(self.path)
        asked = dict(urllib.parse.parse_qsl(parts.query))
        if parts.path == "/fault":
            self.faults[:] = [asked["kind"]] * int(asked.get("times", 1))
        self.answer(json.dumps(self.settings).encode() if parts.path == "/settings" else b"Ok.\n")

    def do_POST(self):
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query, keep_blank_values=True))
        size = int(self.headers.get("Content-Length", 0))
        text, body = asked.get("query", ""), self.rfile.read(min(size, 64))
        fault = self.faults.pop(0) if self.faults and b"INSERT INTO" in text.encode() + body else ""
        if fault == "reset":
            self.rfile.read((size - len(body)) // 2)
            return self.reset()
        body += self.rfile.read(size - len(body))
        if not text:
            line, _, rest = body.partition(b"\n")
            text, body = (line.decode(), rest) if INSERT.match(line.decode("utf-8", "replace")) else (body.decode(), b"")
        if fault in ("500", "503"):
            return self.answer(b"something is wrong\n", int(fault))
        if fault == "parts":
            return self.refuse(
                252, "Code: 252. DB::Exception: Too many parts (300). Merges are processing slower than inserts."
            )
        if fault == "slow":
            time.sleep(SLOW)
        try:
            with self.one:
                data = self.run(text, body, asked)
        except Exception as error:
            found = re.search(r"Code: (\d+)", str(error))
            return self.refuse(int(found[1]) if found else 1, str(error))
        return self.reset() if fault == "lost" else self.answer(data)

    def run(self, text, body, asked):
        insert = INSERT.match(text)
        if insert:
            columns = [name.strip(" `") for name in insert[2].split(",")] if insert[2] else None
            settings = {
                name: value
                for name, value in asked.items()
                if name.startswith(("insert_dedup", "throw_on_max", "distributed_"))
            }
            Handler.settings = asked
            self.engine.raw_insert(insert[1], columns, body, settings, insert[3])
            return b""
        parameters = {name[6:]: value for name, value in asked.items() if name.startswith("param_")}
        # The driver's public calls would escape the parameters once more.
        return self.engine._backend._run(
            text, "TabSeparated", params=parameters, database=asked.get("database", "default")
        ).bytes()

    def answer(self, data, status=200, headers=()):
        self.send_response(status)
        named = {"Content-Length": len(data), "X-ClickHouse-Timezone": "UTC", "X-ClickHouse-Summary": "{}", **dict(headers)}
        for name, value in named.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, code, text):
        self.answer(text.encode(), 500, {"X-ClickHouse-Exception-Code": code})

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


class Server:
    """The server as a process of its own, for tests. It keeps its port and its data when it is killed and started again."""

    def __init__(self, folder: pathlib.Path, *prefix: str, script: str = __file__, grants: tuple[str, ...] = ()):
        self.folder, self.port, self.prefix, self.script, self.grants = folder, 0, prefix, script, grants
        self.start()

    def start(self):
        command = [
            *self.prefix,
            sys.executable,
            self.script,
            str(self.folder),
            "--port",
            str(self.port),
            *(f"--grant={one}" for one in self.grants),
        ]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    @property
    def dsn(self):
        return f"http://127.0.0.1:{self.port}"

    def fault(self, kind: str, times: int = 1):
        urllib.request.urlopen(f"{self.dsn}/fault?kind={kind}&times={times}").read()

    def settings(self) -> dict[str, str]:
        """Of the last insert."""
        return json.loads(urllib.request.urlopen(f"{self.dsn}/settings").read())

    def rows(self, sql: str) -> list[list]:
        asked = urllib.request.Request(f"{self.dsn}/", data=f"{sql} FORMAT JSONCompactEachRow".encode(), method="POST")
        return [json.loads(line) for line in urllib.request.urlopen(asked).read().splitlines()]


def restricted(folder: pathlib.Path, grants: list[str]) -> str:
    """A configuration beside the folder, whose only user may do this much."""
    users = folder.with_suffix(".users.xml")
    # The embedded engine says USE before each query, also of the database that there always is.
    queries = "".join(f"<query>{one}</query>" for one in ("GRANT SHOW DATABASES ON default.*", *grants))
    users.write_text(
        "<clickhouse><profiles><default/></profiles><quotas><default/></quotas><users><default><password/><networks><ip>::/0</ip>"
        f"</networks><profile>default</profile><quota>default</quota><grants>{queries}</grants></default></users></clickhouse>"
    )
    config = folder.with_suffix(".xml")
    config.write_text(f"<clickhouse><users_config>{users}</users_config></clickhouse>")
    return str(config)


def main(handler: type[Handler] = Handler, options: dict[str, str] | None = None):
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--grant", action="append", default=[], help="what the user may do; everything where none is given")
    given = parser.parse_args()
    chosen = {"session_timezone": "UTC"} | (options or {})
    if given.grant:
        chosen["config-file"] = restricted(pathlib.Path(given.folder), given.grant)
    handler.engine = get_client(interface="chdb", path=given.folder, chdb_options=chosen)
    threading.Thread(target=lambda: os._exit(len(sys.stdin.read())), daemon=True).start()  # it ends with the tests
    server = http.server.ThreadingHTTPServer(("127.0.0.1", given.port), handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
