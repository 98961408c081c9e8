"""What live tests share: free ports, waiting with an end, and tcpdump around some traffic."""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import time

import pytest
from helpers import transactions_of

PATIENCE = 10.0
NGINX = """
daemon off; worker_processes 1; pid {{folder}}/nginx.pid; error_log {{folder}}/error.log; user root;
events {{{{ worker_connections 64; }}}}
http {{{{
  log_format line escape=json '{{{{"port": $remote_port, "method": "$request_method", "target": "$request_uri", "status": $status, '
    '"body": $body_bytes_sent, "agent": "$http_user_agent"}}}}';
  access_log {{folder}}/access.log line;
  client_body_temp_path {{folder}}/body; proxy_temp_path {{folder}}/proxy; fastcgi_temp_path {{folder}}/fastcgi;
  uwsgi_temp_path {{folder}}/uwsgi; scgi_temp_path {{folder}}/scgi;
  {server}
}}}}
"""


def needs(*programs: str) -> list:
    """Marks of tests that capture on loopback and run these programs."""
    missing = [program for program in ("tcpdump", *programs) if not shutil.which(program)]
    return [
        pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}"),
        pytest.mark.skipif(os.geteuid() != 0, reason="needs root: capturing on loopback"),
    ]


def wait_for(condition, what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen within {PATIENCE} s"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def nginx(folder: pathlib.Path, server: str, port: int):
    """nginx with the configuration of a server, until the block ends. It logs a JSON object a request to access.log."""
    (folder / "nginx.conf").write_text(NGINX.format(server=server).format(folder=folder, port=port))
    with subprocess.Popen(["nginx", "-p", folder, "-c", folder / "nginx.conf"], stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(lambda: answers(port), "a start of nginx")
            yield
        finally:
            server.terminate()


class Sniffed:
    """The transactions of a capture, once it is over."""

    rows: list[dict]


@contextlib.contextmanager
def sniffing(port: int, folder: pathlib.Path):
    """tcpdump on loopback while the block runs: what the sensor tells stands in `rows` behind it."""
    capture, found = folder / "wire.pcap", Sniffed()
    tcpdump = ["tcpdump", "-i", "lo", "-U", "--immediate-mode", "-s", "0", "-B", "131072", "-w", capture, f"tcp port {port}"]
    with subprocess.Popen(tcpdump, stderr=subprocess.DEVNULL) as sniffer:
        try:
            wait_for(lambda: capture.exists() and capture.stat().st_size >= 24, "a start of tcpdump")
            time.sleep(0.3)
            yield found
            written = -1
            while written < (written := capture.stat().st_size):  # tcpdump may be behind: until nothing more comes
                time.sleep(0.7)
        finally:
            sniffer.terminate()
    found.rows = transactions_of(capture)


def run(*command: str) -> None:
    """A client, with an end."""
    subprocess.run(command, check=True, timeout=PATIENCE, stdout=subprocess.DEVNULL)
