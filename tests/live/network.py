"""Two network namespaces joined by a veth pair, and a mirror of the server's end of it, all gone again after a test."""

import contextlib
import os
import shutil
import subprocess

import pytest

CLIENT, SERVER = "10.9.0.1", "10.9.0.2"
MIRROR = "mon1"
"""The interface, in the server's namespace, that all packets of the server's are mirrored to."""
SET_UP = f"""
ip netns add {{c}}
ip netns add {{s}}
ip netns exec {{c}} sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
ip netns exec {{s}} sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
ip -n {{c}} link add c0 type veth peer name s0 netns {{s}}
ip -n {{s}} link add mon0 type veth peer name {MIRROR}
ip -n {{c}} addr add {CLIENT}/24 dev c0
ip -n {{s}} addr add {SERVER}/24 dev s0
ip -n {{c}} link set lo up
ip -n {{s}} link set lo up
ip -n {{c}} link set c0 up
ip -n {{s}} link set s0 up
ip -n {{s}} link set mon0 up
ip -n {{s}} link set {MIRROR} arp off up
ip netns exec {{s}} tc qdisc add dev s0 clsact
ip netns exec {{s}} tc filter add dev s0 ingress protocol all u32 match u32 0 0 action mirred egress mirror dev mon0
ip netns exec {{s}} tc filter add dev s0 egress protocol all u32 match u32 0 0 action mirred egress mirror dev mon0
"""


class Network:
    """The client's and the server's namespace."""

    def __init__(self, client: str, server: str):
        self.client, self.server = client, server

    def at_client(self, *command: str, **options) -> subprocess.CompletedProcess:
        return subprocess.run(["ip", "netns", "exec", self.client, *command], check=True, timeout=60, **options)

    def at_server(self, *command: str, **options) -> subprocess.CompletedProcess:
        return subprocess.run(["ip", "netns", "exec", self.server, *command], check=True, timeout=60, **options)


@contextlib.contextmanager
def made():
    """Both namespaces while the block runs; skips where they cannot be had."""
    missing = [program for program in ("ip", "tc", "sysctl") if not shutil.which(program)]
    if os.geteuid() != 0 or missing:
        pytest.skip(f"needs {'root' if os.geteuid() else ', '.join(missing)}: network namespaces")
    names = {"c": f"twc{os.getpid()}", "s": f"tws{os.getpid()}"}
    try:
        for line in SET_UP.format(**names).strip().splitlines():
            done = subprocess.run(line.split(), capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"no mirrored network namespaces here: {done.stderr.strip()}")
        yield Network(names["c"], names["s"])
    finally:
        for name in names.values():
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
