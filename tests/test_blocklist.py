"""Feeds for gateways: who is in them and who never, and each format read by the program that it is for."""

import csv
import datetime
import importlib
import io
import ipaddress
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from sensor.cli import main
from sensor.following import follow_feed, run
from sensor.outputs.blocklist.forms import FORMATS
from sensor.outputs.blocklist.rules import ONLY_REFUSING, Entry, Feed, decide, within

NOW = datetime.datetime(2026, 3, 3, 12, tzinfo=datetime.UTC)


def alert(*sources, confidence=0.95, last="2026-03-03T11:00:00.000000Z", alert_id="a" * 16, **more):
    return {"sources": list(sources), "confidence": confidence, "last_seen": last, "raised_at": last, "alert_id": alert_id,
            "detector": "scanning"} | more  # fmt: skip


def decided(*alerts, radius=None, servers=(), own=(), allowed=(), hours=24.0, least=0.5, most=0, **more):
    ours, others = ([ipaddress.ip_network(text) for text in texts] for texts in (own, allowed))
    return decide(alerts, radius or {}, set(servers), ours, others, NOW, hours, least, most, **more)


def test_an_entry_says_until_when_how_sure_and_why():
    (entry,) = decided(alert("198.51.100.7")).entries
    until = datetime.datetime(2026, 3, 4, 11, tzinfo=datetime.UTC)
    raised = datetime.datetime(2026, 3, 3, 11, tzinfo=datetime.UTC)
    assert entry == Entry("198.51.100.7", "block", until, 0.95, "scanning", "a" * 16, 0, raised)
    because = f"scanning {'a' * 16}: block until 2026-03-04T11:00:00Z, confidence 0.95, radius 0"
    assert entry.because == because
    for form in ("nftables", "nginx", "haproxy", "haproxy-acl", "envoy", "crowdsec", "stix"):
        assert because in FORMATS[form]([entry], NOW), form


@pytest.mark.parametrize(
    ("address", "options", "why"),
    [
        ("10.1.2.3", {}, "private"),
        ("192.168.0.9", {}, "private"),
        ("100.64.0.1", {}, "private"),
        ("127.0.0.1", {}, "private"),
        ("fd00::1", {}, "private"),
        ("fe80::1", {}, "private"),
        ("fec0::1", {}, "private"),
        ("64:ff9b::c000:201", {}, "private"),
        ("192.0.0.8", {}, "private"),
        ("198.51.100.7", {"servers": ["198.51.100.7"]}, "servers"),
        ("198.51.100.7", {"own": ["198.51.100.0/24"]}, "your own"),
        ("198.51.100.7", {"allowed": ["198.51.100.0/24"]}, "allowed"),
        ("2001:db8::7", {"allowed": ["2001:db8::/32"]}, "allowed"),
        ("198.51.100.7", {"hours": 0.5}, "quiet"),
        ("198.51.100.7", {"least": 0.99}, "confidence"),
        ("198.51.100.7", {"radius": {"198.51.100.7": 3}, "most": 2}, "3 others"),
    ],
)
def test_who_is_left_out_is_listed_with_the_reason(address, options, why):
    feed = decided(alert(address), **options)
    assert feed.entries == [] and len(feed.left_out) == 1
    assert feed.left_out[0][0] == address and why in feed.left_out[0][1]


def test_whoever_shares_an_address_with_others_is_slowed_down_at_most():
    (entry,) = decided(alert("198.51.100.7"), radius={"198.51.100.7": 2}, most=5).entries
    assert (entry.action, entry.radius) == ("throttle", 2)
    (entry,) = decided(alert("198.51.100.7", confidence=0.7)).entries
    assert entry.action == "throttle"


@pytest.mark.parametrize("action", ["challenge", "decoy"])
def test_what_could_be_blocked_can_be_sent_elsewhere(action):
    (entry,) = decided(alert("198.51.100.7"), block_as=action).entries
    assert entry.action == action
    (entry,) = decided(alert("198.51.100.7", confidence=0.7), block_as=action).entries
    assert entry.action == "throttle"
    decision = {"challenge": "captcha", "decoy": "decoy"}[action]
    moved = [Entry("198.51.100.7", action, NOW, 0.9, "d", "a", 0)]
    assert json.loads(FORMATS["crowdsec"](moved, NOW))[0]["type"] == decision
    assert f"add set inet tapwatch {action}4" in FORMATS["nftables"](moved, NOW)


def test_the_surest_alert_of_an_address_counts():
    weak, sure = alert("198.51.100.7", confidence=0.6, alert_id="b" * 16), alert("198.51.100.7", confidence=0.97)
    (entry,) = decided(weak, sure).entries
    assert entry.alert_id == "a" * 16


MANY = [
    Entry(address, action, NOW + datetime.timedelta(hours=5), 0.9, "enumeration", f"{k:016x}", 0)
    for action in ("block", "throttle")
    for k, address in enumerate((f"198.51.100.{1 + (action == 'block')}", f"2001:db8::{1 + (action == 'block')}"))
]


REFUSED = within(Feed(MANY, []), "envoy").entries


@pytest.mark.parametrize("form", ONLY_REFUSING)
def test_what_a_format_cannot_say_is_listed(form):
    feed = within(Feed(MANY, [("192.0.2.1", "is private or local")]), form)
    assert [entry.action for entry in feed.entries] == ["block"] * 2 and len(feed.left_out) == 3
    assert sum("slowed down" in why for _, why in feed.left_out) == 2
    assert within(Feed(MANY, []), "nginx") == Feed(MANY, [])


@pytest.mark.filterwarnings("ignore")  # of the packages' own
def test_published_readers_take_them():
    """Envoy's own message types; the validator of OASIS for STIX."""
    rbac = importlib.import_module("envoy_data_plane.envoy.extensions.filters.http.rbac.v3").Rbac
    for entries in (REFUSED, []):
        typed = json.loads(FORMATS["envoy"](entries, NOW))["typed_config"]
        read = rbac.from_dict({"rules": typed["rules"]})
        named = [
            one.remote_ip.address_prefix
            for policy in read.rules.policies.values()
            for one in policy.principals
            if one.remote_ip
        ]
        assert named == [entry.address for entry in entries]
    stix = importlib.import_module("stix2validator")
    found = stix.validate_string(FORMATS["stix"](MANY, NOW), stix.ValidationOptions(version="2.1"))
    assert found.is_valid, [str(error) for error in found.errors]
    later = FORMATS["stix"](MANY, NOW + datetime.timedelta(hours=1))
    created = [
        [(one["id"], one["created"]) for one in json.loads(text)["objects"]] for text in (FORMATS["stix"](MANY, NOW), later)
    ]
    assert created[0] == created[1]


def test_formats_say_the_same():
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"](MANY, NOW))))
    assert [row["address"] for row in rows] == [entry.address for entry in MANY]
    lines = [json.loads(line) for line in FORMATS["json"](MANY, NOW).splitlines()]
    assert [{name: str(value) for name, value in line.items()} for line in lines] == rows
    decisions = json.loads(FORMATS["crowdsec"](MANY, NOW))
    assert {(one["value"], one["type"], one["duration"]) for one in decisions} == {
        (entry.address, "ban" if entry.action == "block" else "throttle", "18000s") for entry in MANY
    }
    for form, address in (("aws-waf", "198.51.100.2/32"), ("aws-waf-v6", "2001:db8::2/128")):
        ip_set = json.loads(FORMATS[form](REFUSED, NOW))
        assert ip_set["Addresses"] == [address]
        assert re.fullmatch(r"[\w+=:#@/\-,.][\w+=:#@/\-,.\s]{0,254}[\w+=:#@/\-,.]", ip_set["Description"])  # AWS's own pattern
    lines = FORMATS["haproxy-acl"](REFUSED, NOW).splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["198.51.100.2", "2001:db8::2"]
    bundle = json.loads(FORMATS["stix"](MANY, NOW))
    assert len({one["id"] for one in bundle["objects"]}) == len(MANY) and bundle["type"] == "bundle"
    assert all(one["valid_from"] < one["valid_until"] for one in bundle["objects"])


def checked(command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not shutil.which("nft") or os.geteuid() != 0, reason="needs nft and root")
@pytest.mark.parametrize("entries", [MANY, []], ids=["entries", "none"])
def test_nft_takes_it(entries, tmp_path):
    (tmp_path / "f.nft").write_text(FORMATS["nftables"](entries, NOW))
    command = ["nft", "-c", "-f", str(tmp_path / "f.nft")]
    checked(["unshare", "--net", *command] if shutil.which("unshare") else command)


@pytest.mark.skipif(not shutil.which("nginx"), reason="needs nginx")
@pytest.mark.parametrize("entries", [MANY, []], ids=["entries", "none"])
def test_nginx_takes_it(entries, tmp_path):
    (tmp_path / "map.conf").write_text(FORMATS["nginx"](entries, NOW))
    conf = f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off; include {tmp_path}/map.conf; "
    conf += "server { listen unix:/tmp/none; if ($tapwatch = block) { return 403; } } }"
    (tmp_path / "nginx.conf").write_text(conf)
    checked(["nginx", "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")])


@pytest.mark.skipif(not shutil.which("haproxy"), reason="needs haproxy")
@pytest.mark.parametrize("entries", [MANY, []], ids=["entries", "none"])
def test_haproxy_takes_it(entries, tmp_path):
    (tmp_path / "t.map").write_text(FORMATS["haproxy"](entries, NOW))
    (tmp_path / "t.acl").write_text(FORMATS["haproxy-acl"](entries, NOW))
    (tmp_path / "h.cfg").write_text(
        "defaults\n mode http\n timeout client 1s\n timeout server 1s\n timeout connect 1s\n"
        "frontend f\n bind 127.0.0.1:1\n"
        f" http-request deny if {{ src,map_ip({tmp_path}/t.map) -m str block }}\n"
        f" acl tapwatch src -f {tmp_path}/t.acl\n http-request deny if tapwatch\n"
    )
    checked(["haproxy", "-c", "-f", str(tmp_path / "h.cfg")])


def test_the_bundled_attackers_are_in_the_feed(bundled_store):
    arguments = ["export", "blocklist", "--store", bundled_store, "--max-radius", "1000", "--hours", "1000000"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    addresses = {row["address"] for row in csv.DictReader(io.StringIO(result.stdout))}
    assert {"198.51.100.77", "192.0.2.145"} <= addresses


def waited(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_feed_that_is_followed_changes_with_the_store(tmp_path):
    """It is written, and the command run, once at first and once for each change; a store that goes away changes nothing."""
    store, path, ran = f"chdb://{tmp_path / 'store'}", tmp_path / "feed.csv", tmp_path / "ran"

    def tapwatch(*words):
        done = subprocess.run(
            [sys.executable, "-m", "sensor", *words, "--store", store], capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr

    (tmp_path / "note").write_text("#!/bin/sh\necho x >>" + str(ran) + "\n")
    (tmp_path / "note").chmod(0o755)
    tapwatch("replay", "pcaps/storefront.pcap", "--json")
    words = [
        "export",
        "blocklist",
        "--store",
        store,
        "--max-radius",
        "1000",
        "--hours",
        "1000000",
        "-o",
        str(path),
        "--follow",
        "1",
        "--left-out",
        str(tmp_path / "left.csv"),
    ]
    follower = subprocess.Popen(
        [sys.executable, "-m", "sensor", *words, "--then", str(tmp_path / "note")], stderr=subprocess.PIPE, text=True
    )
    try:
        waited(lambda: path.exists() and ran.exists())
        assert "198.51.100.77" in path.read_text()
        while True:  # one process at a time holds the store
            done = subprocess.run(
                [sys.executable, "-m", "sensor", "alert", "a211cf05bfd6f518", "--mark", "false-positive", "--store", store],
                capture_output=True, text=True, timeout=60,
            )  # fmt: skip
            if done.returncode == 0:
                break
            time.sleep(0.3)
        waited(lambda: "198.51.100.77" not in path.read_text())
        waited(lambda: ran.read_text() == "x\nx\n")
        waited(lambda: "198.51.100.77,its alert is marked false-positive" in (tmp_path / "left.csv").read_text())
    finally:
        follower.send_signal(signal.SIGTERM)
        said = follower.communicate(timeout=60)[1]
    assert follower.returncode == 0 and "Traceback" not in said and said.count("entries") == 2
    assert not list(tmp_path.glob(".feed*"))


def test_a_feed_that_cannot_be_written_at_the_start_ends(bundled_store):
    arguments = ["export", "blocklist", "--store", bundled_store, "-o", "/nowhere/feed.csv", "--follow", "1"]
    done = subprocess.run([sys.executable, "-m", "sensor", *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "/nowhere" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("/nowhere/nothing", "could not be run"),
        ("false", "status 1"),
        ("'", "could not be run"),
        (" ", "could not be run"),
        ("true", ""),
    ],
)
def test_what_a_command_behind_a_change_comes_to_is_said(command, words):
    said = []
    run(command, said.append)
    assert (words in said[0]) if words else not said


@pytest.mark.parametrize(
    "options",
    [
        ["--format", "nonsense"],
        ["--allow", "nowhere"],
        ["--follow", "5"],
        ["--then", "true"],
        ["--follow", "0", "-o", "x"],
        ["--block-as", "decoy", "--format", "envoy"],
    ],
)
def test_wrong_words_are_status_2(options, bundled_store):
    result = CliRunner().invoke(main, ["export", "blocklist", "--store", bundled_store, *options])
    assert result.exit_code == 2 and "Traceback" not in result.output


def test_a_list_that_cannot_be_written_holds_up_no_feed(tmp_path):
    said, rounds = [], iter(range(3))
    own = tmp_path / "own"
    own.mkdir()

    def feed():
        number = next(rounds, None)
        if number is None:
            signal.raise_signal(signal.SIGTERM)
            number = 2
        if number == 1:
            shutil.rmtree(own)
        entry = Entry(f"198.51.100.{number}", "block", NOW, 0.9, "scanning", "a" * 16, 0)
        return Feed([entry], [(f"192.0.2.{number}", "why")]), f"feed{number}"

    follow_feed(feed, tmp_path / "feed", 0.01, None, said.append, own / "left.csv")
    assert (tmp_path / "feed").read_text() == "feed2"
    assert any("left.csv cannot be written" in line for line in said)


def test_the_configuration_says_whom_no_feed_names_and_the_others_are_listed_in_a_file(bundled_store, tmp_path):
    (tmp_path / "t.toml").write_text('[feeds]\nown = ["198.51.100.0/24"]\nallow = ["192.0.2.145"]\n')
    words = ["export", "blocklist", "--store", bundled_store, "--hours", "1000000", "--max-radius", "1000"]
    listed = tmp_path / "left.csv"
    result = CliRunner().invoke(main, [*words, "-c", str(tmp_path / "t.toml"), "--left-out", str(listed)])
    assert result.exit_code == 0 and result.stderr == "" and "198.51.100.77" not in result.stdout
    why = {row["address"]: row["why"] for row in csv.DictReader(io.StringIO(listed.read_text()))}
    assert "your own" in why["198.51.100.77"] and "allowed" in why["192.0.2.145"]
    (tmp_path / "t.toml").write_text('[feeds]\nown = ["somewhere"]\n')
    wrong = CliRunner().invoke(main, [*words, "-c", str(tmp_path / "t.toml")])
    assert wrong.exit_code in (1, 2) and "feeds.own" in str(wrong.output) + str(wrong.exception)
