"""One hostile capture, with alerts, through every command and export: nothing acts, nothing breaks, and parsers take it."""

import csv
import html.parser
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pyarrow.parquet
import pytest
import yaml
from helpers import SERVER, write_conversations
from openapi_spec_validator import validate

from sensor.core.inert import FORMULA, inert_bytes
from sensor.simulate.feature_base import answer
from sensor.simulate.storefront import START

TAPWATCH = pathlib.Path(sys.executable).with_name("tapwatch")
VALUES = (
    b"<script>alert(1)</script>", b"</script><img/src=x/onerror=alert(2)>", b"\x1b[31m\x1b]0;title\x07", b"\xc2\x9b31m\x9b",
    b"=cmd|'/c+calc'!a1", b"@SUM(1+1)", b"+1+1", b"-2+3", b"';DROP/**/TABLE/**/transactions;--", b"%s%n%x%99999999d",
    b"\xff\xfe\x80\xc3(", b"\xe2\x80\xae\xe2\x80\xa8\xe2\x80\x8b", b"{{7*7}}${jndi:ldap://x}", b"\"]\\`$(id)`;#}", b"[red]x[/red]",
    b"\xed\xa0\x80", b"\x01\x02\x7f", b"__proto__", b"*bold*|pipe|", b"<!channel>", b"{x}{int}{{y}", b"\xf3\xa0\x81\x81",
)  # fmt: skip
SWEPT = 250
FEEDS = (
    "csv", "json", "nftables", "nginx", "haproxy", "haproxy-acl", "envoy", "aws-waf", "aws-waf-v6", "crowdsec", "stix",
)  # fmt: skip


def in_json(value: bytes) -> bytes:
    return b'"' + b"".join(b"\\u%04x" % c if c < 32 or c in b'"\\' else bytes([c]) for c in value) + b'"'


def request(method: bytes, path: bytes, host: bytes, extra: bytes = b"", body: bytes = b"") -> bytes:
    typed = b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body) if body else b""
    return method + b" " + path + b" HTTP/1.1\r\nHost: " + host + b"\r\n" + extra + typed + b"\r\n" + body


def conversations():
    """(address, exchanges): each value in each field; then sweeps, scans and log-ins at places that bear them."""
    names = (b"User-Agent", b"Referer", b"Authorization", b"X-Forwarded-For", b"X-Api-Key", b"X-Custom", b"Cookie: a")
    for k, value in enumerate(VALUES):
        extra = b"".join(name + (b"=" if b":" in name else b": ") + value + b"\r\n" for name in names)
        body = b"{" + in_json(value) + b":" + in_json(value) + b"}"
        for host in (b"api.test", value + b".test"):
            graphql = b'{"operationName":' + in_json(value) + b',"query":"query Cart { cart { id } }"}'
            rpc = b'{"jsonrpc":"2.0","method":' + in_json(value) + b',"id":1}'
            yield f"198.51.100.{10 + k}", [
                (request(b"GET", b"/" + value + b"/1?" + value + b"=" + value, host, extra), answer(body)),
                (request(b"POST", b"/v1/" + value, host, extra, body), answer(body, "201 Created", "Server: " + value.decode("latin-1"))),
                (request(b"POST", b"/graphql", host, extra, graphql), answer(body)),
                (request(b"POST", b"/rpc", host, extra, rpc), answer(body)),
            ]  # fmt: skip
        agent = b"User-Agent: " + value + b"\r\n"
        for a in range(12):
            near = [request(b"GET", b"/" + value + b"/obj/%d" % (1000 + a * 7 + j), b"api.test", agent) for j in range(3)]
            yield f"203.0.113.{a + 1}", [(one, answer(body)) for one in near]
        sweep = [request(b"GET", b"/" + value + b"/obj/%d" % (5000 + j), b"api.test", agent) for j in range(SWEPT)]
        yield f"192.0.2.{k + 1}", [(one, answer(body)) for one in sweep]
        scan = [request(b"GET", b"/" + value + b"%d" % j, value + b".scan", agent) for j in range(80)]
        yield f"192.0.2.{k + 100}", [(one, answer(b"{}", "404 Not Found")) for one in scan]


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """(folder with the capture, its transactions and ledger; the store)."""
    folder = tmp_path_factory.mktemp("hostile")
    write_conversations(folder / "hostile.pcap", conversations(), SERVER, START, 300_000_000)
    store = f"chdb://{folder}/store"
    out = run("replay", str(folder / "hostile.pcap"), "--store", store, "--transactions", str(folder / "t.jsonl"),
              "--alerts", str(folder / "a.jsonl"), "--ledger", str(folder / "l.jsonl"))  # fmt: skip
    assert_inert(out)
    return folder, store


def run(*words: str, codes: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run([TAPWATCH, *words], capture_output=True, timeout=300, check=False)
    told = done.stderr.decode()
    assert done.returncode in codes and "Traceback" not in told, (words, told[-2000:])
    assert_inert(told)
    return done.stdout.decode()


def assert_inert(text: str, but: str = "\n") -> None:
    acting = {c for c in text if not c.isprintable() and c not in but}
    assert not acting, (acting, [line for line in text.splitlines() if any(c in line for c in acting)][:2])


def objects(text: str) -> list[dict]:
    assert_inert(text)
    return [json.loads(line) for line in text.splitlines()]


def test_alerts_are_told_of_hostile_places(seen):
    _, store = seen
    rows = objects(run("alerts", "--json", "--store", store))
    assert {row["detector"] for row in rows} >= {"enumeration", "scanning"} and len(rows) >= 20
    assert any("\x1b" in row["endpoint"] for row in rows) and any("<script>" in row["endpoint"] for row in rows)
    for row in rows[:: len(rows) // 6]:
        assert_inert(run("alert", row["alert_id"], "--store", store))
        assert objects(run("alert", row["alert_id"], "--json", "--store", store))[0]["explanation"] == row["explanation"]


@pytest.mark.parametrize(
    "words",
    ["alerts", "endpoints", "endpoints --history", "findings", "actors", "encrypted", "query", "store stats", "correlate"],
)
def test_tables(seen, words):
    _, store = seen
    assert_inert(run(*words.split(), "--store", store))
    if words != "query":
        objects(run(*words.split(), "--json", "--store", store))


def test_rows_of_queries(seen):
    _, store = seen
    rows = objects(run("sql", "SELECT * FROM transactions LIMIT 2000", "--json", "--store", store))
    assert len(rows) == 2_000
    for words in ("sql SELECT*FROM_transactions_LIMIT_2000", "query walkers", "query rare_clients", "query liars"):
        for separator, option in ((",", "--csv"), ("\t", "--tsv")):
            arguments = [word.replace("_", " ") if word.startswith("SELECT") else word for word in words.split()]
            text = run(*arguments, option, "--store", store)
            assert_inert(text, "\n" + separator)
            for cells in list(csv.reader(io.StringIO(text), delimiter=separator))[1:]:
                assert not [one for one in cells if one.startswith(FORMULA) and not re.fullmatch(r"-?[\d.e+-]+", one)], cells


def test_files_of_a_replay(seen):
    folder, _ = seen
    for name in ("t.jsonl", "a.jsonl"):
        assert objects((folder / name).read_text("utf-8"))
    run("ledger", "verify", str(folder / "l.jsonl"))
    for text in ("<script>", "\\u001b", "jndi"):
        proof = run("ledger", "prove", str(folder / "l.jsonl"), text)
        assert_inert(proof)
        (folder / "proof.json").write_text(proof)
        assert_inert(run("ledger", "check", str(folder / "proof.json")))


def test_marks_and_evidence(seen, tmp_path):
    """What an analyst writes is as hostile as what comes from the wire; the packets are those of the alert."""
    folder, store = seen
    first = objects(run("alerts", "--json", "--store", store))[0]["alert_id"]
    note = "'); DROP TABLE alerts; -- <b>\x1b[31m\u202e"
    assert_inert(run("alert", first, "--mark", "benign", "--note", note, "--store", store))
    assert objects(run("alert", first, "--json", "--store", store))[0]["note"] == note
    assert_inert(run("alert", first, "--store", store))
    run("alert", first, "--mark", "none", "--store", store)
    run("alert", first, "--pcap", str(tmp_path / "e.pcap"), "--from", str(folder / "hostile.pcap"), "--store", store)
    assert (tmp_path / "e.pcap").stat().st_size > 1_000


def test_parquet(seen, tmp_path):
    _, store = seen
    run("store", "export", "parquet", "transactions", "-o", str(tmp_path / "t.parquet"), "--store", store)
    table = pyarrow.parquet.read_table(tmp_path / "t.parquet")
    assert len(table) > 2_000 and "endpoint" in table.column_names


def test_inventories(seen):
    _, store = seen
    text = run("export", "inventory", "-f", "csv", "--store", store)
    assert_inert(text, "\n\r")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert len({len(row) for row in rows}) == 1 and not [one for row in rows for one in row if one.startswith(FORMULA)]
    assert_inert(run("export", "inventory", "-f", "markdown", "--store", store))


def test_openapi(seen, tmp_path):
    _, store = seen
    for name, read in (("o.json", json.loads), ("o.yaml", yaml.safe_load)):
        run("export", "openapi", "--host", "api.test", "-o", str(tmp_path / name), "--store", store)
        text = (tmp_path / name).read_text("utf-8")
        assert_inert(text)
        document = read(text)
        validate(document)
        assert len(document["paths"]) > 20
    told = run("spec", "diff", str(tmp_path / "o.json"), "--host", "api.test", "--store", store, codes=(0, 1))
    assert_inert(told)
    assert {line.split(":")[0] for line in told.splitlines() if not line.startswith(" ")} <= {"orphan", "shadow"}, (
        "a path of braces alone"
    )


@pytest.mark.parametrize("form", FEEDS)
def test_feeds(seen, form, tmp_path):
    """Each is read by its own program, where it is here."""
    _, store = seen
    text = run("export", "blocklist", "-f", form, "--store", store)
    assert_inert(text)
    path = tmp_path / "feed"
    path.write_text(text)
    if form == "json":
        assert [json.loads(line)["address"] for line in text.splitlines()]
    elif form in ("crowdsec", "stix", "envoy", "aws-waf", "aws-waf-v6"):
        assert yaml.safe_load(text)
    elif form == "nginx":
        assert_taken("nginx", "-t", "-e", "stderr", "-c", str(nginx_with(path)))
    elif form == "haproxy":
        (tmp_path / "haproxy.cfg").write_text(
            f"defaults\n  mode http\n  timeout client 1s\nfrontend f\n  bind 127.0.0.1:1\n"
            f"  http-request deny if {{ src,map_ip({path}) -m found }}\n"
        )
        assert_taken("haproxy", "-c", "-f", str(tmp_path / "haproxy.cfg"))


def nginx_with(path: pathlib.Path) -> pathlib.Path:
    """A configuration that includes a file into its http block."""
    conf = path.with_name("nginx.conf")
    conf.write_text(f"pid {path}.pid;\nerror_log stderr;\nevents {{}}\nhttp {{ access_log off; include {path}; }}\n")
    return conf


def assert_taken(program: str, *words: str) -> None:
    if found := shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin"):
        done = subprocess.run([found, *words], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("form", ["yaml", "nginx", "kong", "envoy"])
def test_policies(seen, form, tmp_path):
    _, store = seen
    text = run("export", "policy", "-f", form, "--store", store)
    assert_inert(text)
    if form == "nginx":
        (tmp_path / "policy.conf").write_text(text)
        assert_taken("nginx", "-t", "-e", "stderr", "-c", str(nginx_with(tmp_path / "policy.conf")))
    else:
        assert yaml.safe_load(text)


@pytest.mark.parametrize("form", ["pytest", "http", "schemathesis"])
def test_tests(seen, form):
    _, store = seen
    text = run("export", "tests", "--base-url", "https://staging.test", "--host", "api.test", "-f", form, "--store", store)
    assert_inert(text)
    if form == "pytest":
        compile(text, "test_api.py", "exec")


class Elements(html.parser.HTMLParser):
    """Counts elements, and finds handlers of events."""

    def __init__(self):
        super().__init__()
        self.found: dict[str, int] = {}
        self.handlers: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.found[tag] = self.found.get(tag, 0) + 1
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


def test_the_report(seen, tmp_path):
    _, store = seen
    run("report", "-o", str(tmp_path / "r.html"), "--store", store)
    text = (tmp_path / "r.html").read_text("utf-8")
    assert_inert(text, "\n\N{NARROW NO-BREAK SPACE}")
    elements = Elements()
    elements.feed(text)
    assert elements.found["script"] == 2 and "img" not in elements.found and not elements.handlers


def test_json_means_the_same():
    for value in VALUES:
        text = value.decode("utf-8", "replace")
        encoded = json.dumps({text: [text]}, ensure_ascii=False).encode()
        assert json.loads(inert_bytes(encoded)) == {text: [text]}
        assert_inert(inert_bytes(encoded).decode())
