"""Alerts on their way out: what receivers get, signed, once, tried again, and never in the sensor's way."""

import hashlib
import hmac
import http.server
import json
import re
import socket
import threading
import time

import pytest

from sensor.config import ConfigError, load_config
from sensor.outputs.lines import rfc3339
from sensor.outputs.notify import queue
from sensor.outputs.notify.messages import FORMATS, RAISED, syslog
from sensor.outputs.notify.queue import Notifier
from sensor.outputs.notify.senders import SendError, Syslog, Webhook

NOW = 1_772_528_400_000_000_000
ROW = {
    "alert_id": "a211cf05bfd6f518", "detector": "enumeration", "owasp": "API1:2023", "severity": "high", "confidence": 0.985,
    "first_seen": NOW, "last_seen": NOW + 5_000_000_000, "raised_at": NOW, "host": "api.shop.test", "method": "GET",
    "endpoint": "/v1/products/{int}", "actor": "ip:198.51.100.77", "actors": 1, "sources": ["198.51.100.77"], "transactions": 600,
    "statistic": {"name": "x", "value": 64.0}, "threshold": 29.2, "explanation": "it asked", "evidence": [],
}  # fmt: skip
EVIL = ROW | {"host": 'a"b]\\c\nd', "endpoint": "/<!channel>&\u202e", "explanation": "<https://x|y> *bold*\n2nd"}


class Receiver(http.server.BaseHTTPRequestHandler):
    """Keeps what it is sent; answers as `server.answers` says, then 204."""

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))
        self.send_response(self.server.answers.pop(0) if self.server.answers else 204)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def receiver():
    found = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    found.got, found.answers = [], []
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield found
    found.shutdown()
    found.server_close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(queue, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(queue, "LONGEST_PAUSE", 0.02)


def notifier(sender, form: str = "json", least: str = "low", is_syslog: bool = False, said: list | None = None) -> Notifier:
    return Notifier(sender, form, least, is_syslog, "tap-1", (said if said is not None else []).append)


def url_of(server) -> str:
    return f"http://127.0.0.1:{server.server_port}/hook"


def test_a_webhook_is_signed_and_sent_once(receiver):
    one = notifier(Webhook(url_of(receiver), b"key"))
    for _ in range(3):
        one.alerts([ROW], rfc3339)
    one.close(5)
    ((headers, body),) = receiver.got
    moment, signature = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", headers["X-Tapwatch-Signature"]).groups()
    assert hmac.compare_digest(hmac.new(b"key", f"{moment}.".encode() + body, hashlib.sha256).hexdigest(), signature)
    assert abs(int(moment) - time.time()) < 60 and headers["Idempotency-Key"] == "a211cf05bfd6f518-600"
    told = json.loads(body)
    assert (
        told["event"] == "raised"
        and told["alert_id"] == ROW["alert_id"]
        and told["first_seen"] == "2026-03-03T09:00:00.000000Z"
    )
    assert one.sent == 1 and one.dropped == 0


def test_what_is_not_taken_is_sent_again_under_the_same_key(receiver):
    receiver.answers = [503, 429, 500]
    said = []
    one = notifier(Webhook(url_of(receiver)), said=said)
    one.alerts([ROW], rfc3339)
    one.close(5)
    assert [headers["Idempotency-Key"] for headers, _ in receiver.got] == ["a211cf05bfd6f518-600"] * 4
    assert one.sent == 1 and len(said) == 1 and "answered 503" in said[0]


def test_what_is_refused_for_good_is_given_up(receiver):
    receiver.answers = [404]
    one = notifier(Webhook(url_of(receiver)))
    one.alerts([ROW], rfc3339)
    one.close(5)
    assert len(receiver.got) == 1 and (one.sent, one.dropped) == (0, 1)


def test_nobody_there_is_told_without_what_is_secret():
    said = []
    one = notifier(Webhook("http://user:word@127.0.0.1:9/hook?token=t"), said=said)
    one.alerts([ROW], rfc3339)
    one.close(0.5)
    assert one.dropped == 1 and said and "word" not in said[0] and "token" not in said[0]


def test_a_redirect_is_not_followed(receiver):
    receiver.answers = [302]
    with pytest.raises(SendError) as error:
        Webhook(url_of(receiver)).send(b"{}", "k")
    assert error.value.final and len(receiver.got) == 1


class Stuck:
    """A sender that never comes back until it is let go."""

    def __init__(self):
        self.go, self.sent = threading.Event(), []

    def send(self, body, key):
        self.go.wait(10)
        self.sent.append(key)

    def close(self):
        pass


def test_a_slow_receiver_costs_the_sensor_nothing_and_the_oldest_give_way(monkeypatch):
    monkeypatch.setattr(queue, "WAITING", 10)
    stuck = Stuck()
    one = notifier(stuck)
    begin = time.monotonic()
    for k in range(50):
        one.alerts([ROW | {"alert_id": f"{k:04}"}], rfc3339)
    assert time.monotonic() - begin < 5
    stuck.go.set()
    one.close(5)
    assert stuck.sent[-1] == "0049-600" and one.sent + one.dropped == 50 and 10 <= one.sent <= 12


def test_it_is_told_again_when_it_is_graver_or_has_grown_much(receiver, monkeypatch):
    one = notifier(Webhook(url_of(receiver)), least="medium")
    one.alerts([ROW | {"severity": "low"}], rfc3339)
    one.alerts([ROW], rfc3339)
    one.alerts([ROW | {"transactions": 5_000}], rfc3339)
    one.alerts([ROW | {"transactions": 5_100, "severity": "critical"}], rfc3339)
    monkeypatch.setattr(queue, "AGAIN", 0.0)
    one.alerts([ROW | {"transactions": 5_200}], rfc3339)
    one.alerts([ROW | {"transactions": 12_000, "severity": "critical"}], rfc3339)
    one.close(5)
    told = [json.loads(body) for _, body in receiver.got]
    assert [(row["event"], row["transactions"]) for row in told] == [("raised", 600), ("updated", 5_100), ("updated", 12_000)]


TIMES = {
    "first_seen": "2026-03-03T09:00:00.000000Z",
    "last_seen": "2026-03-03T09:00:05.000000Z",
    "raised_at": "2026-03-03T09:00:00Z",
}
OCSF_REQUIRED = ("activity_id", "category_uid", "class_uid", "finding_info", "metadata", "severity_id", "time", "type_uid")


@pytest.mark.parametrize("row", [ROW, EVIL])
def test_shapes(row):
    """What OCSF 1.3 requires of a Detection Finding and its objects, and ECS 8 of an alert; hostile names stay data."""
    finding = FORMATS["ocsf"](row, RAISED, "tap-1", TIMES)
    assert set(OCSF_REQUIRED) <= set(finding)
    assert finding["type_uid"] == finding["class_uid"] * 100 + finding["activity_id"] and finding["category_uid"] == 2
    assert finding["finding_info"]["uid"] == row["alert_id"] and finding["finding_info"]["title"]
    assert {"version", "product"} <= set(finding["metadata"]) and finding["time"] == row["last_seen"] // 10**6
    assert all({"name", "type_id"} <= set(one) for one in finding["observables"]) and 0 <= finding["confidence_score"] <= 100
    event = FORMATS["ecs"](row, RAISED, "tap-1", TIMES)
    assert (
        event["event"]["kind"] == "alert"
        and event["@timestamp"] == TIMES["last_seen"]
        and event["related"]["ip"] == row["sources"]
    )
    text = FORMATS["slack"](row, RAISED, "tap-1", TIMES)["text"]
    assert "<" not in text and ">" not in text and "\n" not in text
    assert json.loads(json.dumps([finding, event])) == [finding, event]


@pytest.mark.parametrize("row", [ROW, EVIL])
def test_syslog_is_one_line_of_rfc_5424(row):
    message = syslog(row, {"a": row["host"]}, RAISED, "tap 1", "my host", TIMES).decode()
    value = r'(?:[^"\\\]]|\\["\\\]])*'
    found = re.fullmatch(rf'<131>1 (\S+) (\S+) tapwatch - raised \[tapwatch@32473((?: \w+="{value}")*)\] (.*)', message)
    assert found and found[2] == "myhost" and found[1] == TIMES["last_seen"] and "\n" not in message
    fields = dict(re.findall(rf' (\w+)="({value})"', found[3]))
    assert re.sub(r"\\(.)", r"\1", fields["host"]) == row["host"].replace("\n", "?")
    assert json.loads(found[4]) == {"a": row["host"]}


def test_syslog_over_udp_and_tcp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(5)
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        one = notifier(Syslog(f"udp://127.0.0.1:{udp.getsockname()[1]}"), is_syslog=True)
        other = notifier(Syslog(f"tcp://127.0.0.1:{tcp.getsockname()[1]}"), "ocsf", is_syslog=True)
        for sink in (one, other):
            sink.alerts([ROW, ROW | {"alert_id": "b"}], rfc3339)
        connection, _ = tcp.accept()
        one.close(5)
        other.close(5)
        assert udp.recv(65_536).startswith(b"<131>1 2026-03-03T09:00:05")
        stream = b""
        while part := connection.recv(65_536):
            stream += part
        connection.close()
    messages = []
    while stream:
        size, _, stream = stream.partition(b" ")
        messages.append(stream[: int(size)])
        stream = stream[int(size) :]
    assert [json.loads(one.split(b"] ", 1)[1])["finding_info"]["uid"] for one in messages] == [ROW["alert_id"], "b"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[[notify]]\nurl = "ftp://x"', "must be https"),
        ('[[notify]]\nurl = "https://x"\nformat = "xml"', "must be one of json"),
        ('[[notify]]\nurl = "udp://x:1"\nseverity = "bad"', "must be one of low"),
        ("[[notify]]\nformat = 'json'", "url"),
    ],
)
def test_a_wrong_receiver_is_one_sentence(text, sentence, tmp_path):
    (tmp_path / "t.toml").write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        load_config(str(tmp_path / "t.toml"))
