"""The commands as a user calls them, in processes of their own."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import textwrap
import time

import dpkt
import pytest

from sensor.cli import tables
from sensor.config import load_config

PCAPS = pathlib.Path(__file__).resolve().parent.parent / "pcaps"
STOREFRONT = PCAPS / "storefront.pcap"
LABELS = json.loads((PCAPS / "storefront.labels.json").read_text())


@pytest.fixture
def call(tmp_path):
    """Run `tapwatch …` with a state folder of its own: (exit status, stdout, stderr)."""

    def run(*arguments, stdin=None, expect=0, **environment):
        done = subprocess.run(
            [sys.executable, "-m", "sensor", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            env=os.environ | {"XDG_STATE_HOME": str(tmp_path / "state"), "COLUMNS": "200"} | environment,
            cwd=tmp_path,
            timeout=300,
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in err, err
        assert done.returncode == expect, err
        return out, err

    return run


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    ("words", "at", "told"),
    [
        ("tapwatch corr", 1, "correlate"), ("tapwatch export inv", 2, "inventory"), ("tapwatch query walk", 2, "walkers"),
        ("tapwatch export policy -f ko", 4, "kong"), ("tapwatch export blocklist --format st", 4, "stix"),
        ("tapwatch export tests -f py", 4, "pytest"), ("tapwatch manual priv", 2, "privacy"),
    ],
)  # fmt: skip
def test_the_shell_completes_commands(words, at, told):
    environment = os.environ | {"COMP_WORDS": words, "COMP_CWORD": str(at), "_TAPWATCH_COMPLETE": "bash_complete"}
    tapwatch = pathlib.Path(sys.executable).with_name("tapwatch")
    done = subprocess.run([tapwatch], capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert done.stdout == f"plain,{told}\n"


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from sensor.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'numba', 'numpy', 'scapy', 'chdb', 'clickhouse_connect', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


def test_the_storefront_is_told_as_its_labels_say(call):
    out, _ = call("replay", STOREFRONT, "--no-store", "--json")
    summary = json.loads(out)
    assert (summary["transactions"], summary["connections"]) == (LABELS["transactions"], LABELS["connections"])
    assert summary["endpoints"] == len(LABELS["endpoints"])
    told = {
        (
            alert["detector"],
            alert["actor"],
            alert["method"],
            alert["host"],
            alert["endpoint"],
            alert["transactions"],
            alert["actors"],
        )
        for alert in summary["raised"]
    }
    assert told == {
        (i["kind"], f"ip:{i['actor']}", i["method"], i["host"], i["endpoint"], i["transactions"], 1)
        for i in LABELS["incidents"]
    }
    assert len(summary["raised"]) == len(LABELS["incidents"])


def test_replays_are_the_same_whatever_the_number_of_workers(call, tmp_path):
    for name, workers in (("a", 1), ("b", 1), ("c", 2), ("d", 3)):
        call("replay", STOREFRONT, "--no-store", "--workers", workers, "--transactions", f"{name}.t", "--alerts", f"{name}.a")
    for kind in ("t", "a"):
        texts = [(tmp_path / f"{name}.{kind}").read_bytes() for name in "abcd"]
        assert texts[0]
        assert texts[1:] == texts[:1] * 3


def test_replaying_twice_into_one_store_doubles_nothing(call):
    counts = []
    for _ in range(2):
        call("replay", STOREFRONT)
        out, _ = call(
            "sql", "--json",
            "SELECT (SELECT count() FROM transactions) AS t, (SELECT count() FROM endpoints) AS e, (SELECT count() FROM alerts) AS a",
        )  # fmt: skip
        counts.append(json.loads(out))
    assert counts == [{"t": LABELS["transactions"], "e": len(LABELS["endpoints"]), "a": len(LABELS["incidents"])}] * 2
    endpoints = [json.loads(line) for line in call("endpoints", "--json")[0].splitlines()]
    assert {(e["method"], e["endpoint"]): e["transactions"] for e in endpoints} == {
        (e["method"], e["template"]): e["count"] for e in LABELS["endpoints"]
    }
    alerts = [json.loads(line) for line in call("alerts", "--json")[0].splitlines()]
    out, _ = call("alert", alerts[0]["alert_id"][:6])
    assert alerts[0]["explanation"][:40] in out


def test_each_capture_on_its_own(call, tmp_path):
    names = ["keepalive", "out_of_order", "vlan"]
    paths = [PCAPS / "features" / f"{name}.pcap" for name in names]
    call("replay", "--each", "--no-store", "--transactions", "all.jsonl", *paths)
    together = lines_of(tmp_path / "all.jsonl")
    assert {row["capture"] for row in together} == {f"{name}.pcap" for name in names}
    for path in paths:
        call("replay", "--no-store", "--transactions", "one.jsonl", path)
        assert lines_of(tmp_path / "one.jsonl") == [row for row in together if row["capture"] == path.name]


def test_standard_input(call):
    out, _ = call("replay", "-", "--no-store", "--json", stdin=(PCAPS / "features" / "keepalive.pcap").read_bytes())
    assert json.loads(out)["transactions"] > 0


def test_a_cut_capture_yields_everything_before_the_cut_and_says_so(call, tmp_path):
    data = STOREFRONT.read_bytes()
    (tmp_path / "cut.pcap").write_bytes(data[: len(data) // 2])
    out, err = call("replay", "cut.pcap", "--no-store", "--json", expect=1)
    assert json.loads(out)["transactions"] > 1000
    assert "stopped at byte" in err


def test_a_filter_is_applied(call):
    pytest.importorskip("scapy")
    from sensor.scapy_bridge import FilterError, compile_bpf

    try:
        compile_bpf("tcp", 1)
    except FilterError as error:
        pytest.skip(str(error))
    client = "198.51.100.77"
    expected = 0
    with STOREFRONT.open("rb") as file:
        for _, frame in dpkt.pcap.Reader(file):
            ip = dpkt.ethernet.Ethernet(frame).data
            expected += client in {".".join(map(str, ip.src)), ".".join(map(str, ip.dst))}
    out, _ = call("replay", STOREFRONT, "--no-store", "--json", "-f", f"host {client} and tcp")
    summary = json.loads(out)
    assert (summary["packets"], summary["transactions"]) == (expected, 600)
    _, err = call("replay", STOREFRONT, "--no-store", "-f", "host host host", expect=1)
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["replay", "missing.pcap", "--no-store"], 1, "missing.pcap does not exist"),
        (["replay", "--no-store", "."], 1, "is a folder"),
        (["replay", "text.txt", "--no-store"], 1, "is no capture"),
        (["replay", "empty", "--no-store"], 1, "is empty"),
        (["replay"], 2, "at least one capture"),
        (["replay", STOREFRONT, "--no-store", "-c", "bad.toml"], 1, "no setting `wrokers`"),
        (["replay", STOREFRONT, "--no-store", "-c", "bad-detector.toml"], 1, "has no setting"),
        (["replay", STOREFRONT, "--no-store", "-c", "none.toml"], 1, "cannot be read"),
        (["replay", STOREFRONT, "--store", "http://127.0.0.1:1"], 1, "127.0.0.1:1"),
        (["replay", STOREFRONT, "--store", "nonsense"], 1, "store"),
        (["endpoints"], 1, "store"),
        (["replay", STOREFRONT, "--no-store", "--transactions", "no/such/folder"], 1, "no/such/folder"),
    ],
)
def test_a_users_mistake_is_one_sentence(call, tmp_path, arguments, status, words):
    (tmp_path / "text.txt").write_text("hello, this is no capture at all\n" * 10)
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "bad.toml").write_text("wrokers = 2\n")
    (tmp_path / "bad-detector.toml").write_text("[detectors.enumeration]\nnonsense = 2\n")
    _, err = call(*arguments, expect=status)
    assert words in err
    told = [line for line in err.splitlines() if not line.startswith(("Usage:", "Try ", "Compil")) and line]
    assert len(told) == 1, err


def secrets_capture(path):
    """A capture whose every secret holds the word s3cr3t, or a number known to the test."""
    from sensor.simulate.wire import Conversation, write_pcap

    conversation = Conversation(("192.0.2.1", 40000), ("192.0.2.2", 80), 1_772_528_400_000_000_000)
    conversation.handshake()
    requests = [
        b"GET /a?password=s3cr3t&x=1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer s3cr3t\r\n\r\n",
        b"GET /b?card=4111111111111111 HTTP/1.1\r\nHost: a\r\nCookie: sessionid=s3cr3t\r\n\r\n",
        b"GET /c/4111111111111111 HTTP/1.1\r\nHost: a\r\nReferer: http://u:s3cr3t@b/?token=s3cr3t\r\nX-Api-Key: s3cr3t\r\n\r\n",
        b"GET http://u:s3cr3t@a/d HTTP/1.1\r\nHost: a\r\nAuthorization: Basic czNjcjN0OnMzY3IzdA==\r\n\r\n",
    ]
    for request in requests:
        conversation.exchange(request, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: sid=s3cr3t\r\n\r\nok")
    conversation.close()
    write_pcap(path, conversation.frames)


def test_no_secret_reaches_any_output(call, tmp_path):
    secrets_capture(tmp_path / "secrets.pcap")
    outputs = []
    out, err = call("replay", "secrets.pcap", "--transactions", "t.jsonl", "--alerts", "a.jsonl")
    outputs += [out, err, (tmp_path / "t.jsonl").read_text(), (tmp_path / "a.jsonl").read_text()]
    outputs += [call("sql", "--json", f"SELECT * FROM {table}")[0] for table in ("transactions", "endpoints", "alerts")]
    text = "\n".join(outputs)
    assert len(lines_of(tmp_path / "t.jsonl")) == 4
    for secret in ("s3cr3t", "4111111111111111", "czNjcjN0"):
        assert secret not in text
    for told in ("password={password}", "{card}", "token={token}"):
        assert told in text
    files = b"".join(path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file())
    assert b"s3cr3t" not in files


def test_reveal_leaves_targets_in_the_lines_alone(call, tmp_path):
    secrets_capture(tmp_path / "secrets.pcap")
    call("replay", "secrets.pcap", "--reveal", "--transactions", "t.jsonl")
    text = (tmp_path / "t.jsonl").read_text()
    assert "password=s3cr3t" in text
    assert "Bearer" not in text
    assert "s3cr3t" not in call("sql", "--json", "SELECT * FROM transactions")[0]


def test_hashes_depend_on_the_key(call, tmp_path):
    secrets_capture(tmp_path / "secrets.pcap")
    actors = []
    for key in ("00" * 16, "00" * 16, "01" * 16):
        call("replay", "secrets.pcap", "--no-store", "--transactions", "t.jsonl", TAPWATCH_KEY=key)
        actors.append([row["actor"] for row in lines_of(tmp_path / "t.jsonl")])
    assert actors[0] == actors[1]
    assert actors[0] != actors[2]
    assert all(actor.startswith(("token:", "session:")) for actor in actors[0])


def test_hostile_bytes_act_in_no_output(call, tmp_path):
    from sensor.simulate.wire import Conversation, write_pcap

    conversation = Conversation(("192.0.2.1", 40000), ("192.0.2.2", 80), 1_772_528_400_000_000_000)
    conversation.handshake()
    request = b"GET /\x1b[31m<script>?[bold]=\xff\xfe%n HTTP/1.1\r\nHost: \x1b]0;x\x07evil\r\nUser-Agent: [red]\x1b[2J'; DROP TABLE x\r\n\r\n"
    conversation.exchange(request, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    conversation.close()
    write_pcap(tmp_path / "hostile.pcap", conversation.frames)
    out, err = call("replay", "hostile.pcap", "--transactions", "t.jsonl")
    outputs = [out, err, (tmp_path / "t.jsonl").read_text(), call("endpoints")[0], call("sql", "SELECT * FROM transactions")[0]]
    assert "\x1b" not in "".join(outputs)
    assert lines_of(tmp_path / "t.jsonl")[0]["method"] == "GET"


def test_the_readme_states_every_command():
    from sensor.cli import COMMANDS

    readme = (PCAPS.parent / "README.md").read_text()
    missing = [
        name for name in COMMANDS if f"tapwatch {name}" not in readme and f"`{name}`" not in readme and f"{name} " not in readme
    ]
    assert missing == []


def test_the_configuration_of_the_readme_is_one(tmp_path):
    """Every setting that it shows exists, and has a value of its kind."""
    readme = (PCAPS.parent / "README.md").read_text()
    block = readme.split("## Configuration\n", 1)[1].split("\n## ", 1)[0]
    (tmp_path / "t.toml").write_text(textwrap.dedent(block))
    config = load_config(str(tmp_path / "t.toml"))
    assert config.sensor == "tap-1" and config.suppress and config.notify and config.proxies.trusted


def test_tables_are_told_by_field_on_a_narrow_terminal(monkeypatch, capsys):
    """And where nobody watches they are as wide as they must be."""
    columns = ["alert", "first seen", "endpoint", "explanation"]
    rows = [["a211cf05bfd6f518", "2026-03-03T09:18:00.008172Z", "/v1/products/{int}", "x" * 200]]
    tables.print_table(columns, rows)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "a211" in line]
    assert line.split() == ["a211cf05bfd6f518", "2026-03-03T09:18:00Z", "/v1/products/{int}", "x" * 200]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "70")
    tables.print_table(columns, rows)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["alert", "a211cf05bfd6f518"] and lines[2].split() == ["endpoint", "/v1/products/{int}"]


def test_top_shows_a_replay(tmp_path):
    """A capture that is still being written: what has come so far, its incidents among it."""
    capture = (PCAPS / "storefront.pcap").read_bytes()
    tapwatch = pathlib.Path(sys.executable).with_name("tapwatch")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    look = [tapwatch, "top", "--address", address, "--once"]
    command = [tapwatch, "replay", "-", "--no-store", "--metrics", address, "--json"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as replay:
        told, end = {"counters": {}}, time.monotonic() + 120
        for first, last, is_told in ((0, 1_200_000, "transactions"), (1_200_000, 3_200_000, "")):
            replay.stdin.write(capture[first:last])
            replay.stdin.flush()
            while not (told["counters"].get(is_told) if is_told else told["incidents"]) and time.monotonic() < end:
                done = subprocess.run([*look, "--json"], capture_output=True, text=True, check=False)
                told = json.loads(done.stdout) if done.returncode == 0 else told
        shown = subprocess.run(look, capture_output=True, text=True, check=True).stdout
        replay.stdin.write(capture[3_200_000:])
        out, err = replay.communicate(timeout=120)
    assert replay.returncode == 0, err
    assert 1_000 < told["counters"]["transactions"] < json.loads(out)["transactions"] == 4_500
    assert "198.51.100.77" in shown and "/v1/products/{int}" in shown
    assert "198.51.100.77" in told["incidents"][0]["explanation"] and told["interfaces"][0]["packets"] > 5_000
    taken = socket.create_server(("127.0.0.1", 0))
    wrong = subprocess.run(
        [tapwatch, "replay", PCAPS / "storefront.pcap", "--no-store", "--metrics", f"127.0.0.1:{taken.getsockname()[1]}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert wrong.returncode in (1, 2) and "cannot be listened on" in wrong.stderr and "Traceback" not in wrong.stderr
