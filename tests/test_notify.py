"""Alerts on their way out: what receivers get, signed, once, tried again, and never in the sensor's way."""

import datetime
import hashlib
import hmac
import http.server
import json
import re
import socket
import ssl
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from sensor.config import ConfigError, load_config
from sensor.notifying import Notifiers
from sensor.outputs.lines import rfc3339
from sensor.outputs.notify import queue
from sensor.outputs.notify.messages import FORMATS, OCSF_VERSION, RAISED, SYSLOG_LARGEST, fitting_syslog, syslog
from sensor.outputs.notify.queue import Notifier
from sensor.outputs.notify.senders import SendError, Syslog, Webhook
from sensor.settings import Config, Notify

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


def test_what_was_told_before_a_restart_is_not_raised_again(receiver):
    settings = Config(notify=(Notify(url=url_of(receiver), severity="low"),))
    first = Notifiers(settings, print)
    first.alerts([ROW], rfc3339)
    first.close(5)
    told = json.loads(json.dumps(first.told()))
    assert url_of(receiver) not in json.dumps(told), "a URL may hold what is secret"
    second = Notifiers(settings, print)
    second.take_up(told)
    second.alerts([ROW, ROW | {"alert_id": "b"}, ROW | {"severity": "critical", "transactions": 700}], rfc3339)
    second.close(5)
    events = [(json.loads(body)["alert_id"], json.loads(body)["event"]) for _, body in receiver.got]
    assert events == [(ROW["alert_id"], "raised"), ("b", "raised"), (ROW["alert_id"], "updated")]


def test_what_nobody_took_is_raised_again_after_a_restart(receiver):
    nowhere = Config(notify=(Notify(url="http://127.0.0.1:9/", severity="low"),))
    first = Notifiers(nowhere, lambda _: None)
    first.alerts([ROW], rfc3339)
    assert list(first.told().values()) == [{}]
    first.close(0.1)
    assert list(first.told().values()) == [{}]


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


@pytest.mark.parametrize("row", [ROW, EVIL])
def test_a_finding_is_one_by_the_published_schema_of_ocsf(row):
    """Every field known, of its type, from the values that there are: OCSF 1.3.0 as its authors publish it."""
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(OCSF_VERSION)).get_class_schema("detection_finding")
    finding = FORMATS["ocsf"](row, RAISED, "tap-1", TIMES)
    Draft202012Validator(schema).validate(finding)
    for wrong in ({"activity_id": 17}, {"time": "today"}, {"nonsense": 1}, {"finding_info": {}}):
        assert list(Draft202012Validator(schema).iter_errors(finding | wrong))


ECS = {
    "@timestamp": str, "ecs.version": str, "event.kind": {"alert", "event", "metric", "signal", "state"}, "event.category": list,
    "event.type": list, "event.action": str, "event.id": str, "event.severity": int, "event.start": str, "event.end": str,
    "event.dataset": str, "event.module": str, "event.reason": str, "event.risk_score": (int, float), "message": str,
    "observer.name": str, "observer.product": str, "observer.type": str, "observer.vendor": str, "rule.name": str,
    "rule.category": str, "related.ip": list, "related.hosts": list, "http.request.method": str, "url.domain": str, "url.path": str,
}  # fmt: skip
"""Of the field reference of ECS 8.17: those that are used, with their types."""
CATEGORIES = {"api", "authentication", "intrusion_detection", "network", "threat", "vulnerability", "web"}


def flat(value: dict, before: str = "") -> dict:
    found = {}
    for name, one in value.items():
        found |= flat(one, f"{before}{name}.") if isinstance(one, dict) else {before + name: one}
    return found


@pytest.mark.parametrize("row", [ROW, EVIL])
def test_an_event_has_fields_of_ecs_alone(row):
    event = flat(FORMATS["ecs"](row, RAISED, "tap-1", TIMES))
    for name, value in event.items():
        kind = ECS[name]
        assert value in kind if isinstance(kind, set) else isinstance(value, kind), name
    assert set(event["event.category"]) <= CATEGORIES and event["event.type"] == ["info"]


@pytest.mark.parametrize("form", FORMATS)
def test_a_message_of_syslog_is_whole_however_much_there_is_to_tell(form):
    many = [f"2001:db8::{k:x}" for k in range(5_000)]
    for more in ({}, {"sources": many}, {"explanation": "long " * 5_000, "endpoint": "/\u20ac" * 5_000, "host": "h" * 9_000}):
        message = fitting_syslog(ROW | more, form, RAISED, "tap-1", "here", TIMES)
        assert len(message) <= SYSLOG_LARGEST
        assert json.loads(message.split(b'"] ', 1)[1])


def test_a_receiver_that_closed_loses_no_message():
    """It is noticed before the next message is written, not behind it."""
    with socket.socket() as tcp:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        one = Syslog(f"tcp://127.0.0.1:{tcp.getsockname()[1]}")
        got = []
        for text in (b"first", b"second", b"third"):
            one.send(text, "k")
            connection, _ = tcp.accept()
            got.append(connection.recv(100))
            connection.close()
            time.sleep(0.05)
        one.close()
    assert got == [b"5 first", b"6 second", b"5 third"]


def test_syslog_over_tls(tmp_path):
    """RFC 5425: a receiver whose certificate is the right one, and none that has another."""
    certificate, key = certificate_of("localhost", tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    got, ended = [], threading.Event()

    def serve(listening):
        while not ended.is_set():
            try:
                connection, _ = listening.accept()
                with context.wrap_socket(connection, server_side=True) as stream:
                    while part := stream.recv(65_536):
                        got.append(part)
            except OSError:
                continue

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.settimeout(0.2)
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        url = f"tls://localhost:{listening.getsockname()[1]}"
        one = Syslog(url, str(certificate))
        for text in (b"first", b"second"):
            one.send(text, "k")
            time.sleep(0.1)
        one.close()
        with pytest.raises(SendError):
            Syslog(url).send(b"to whom it may concern", "k")
        with pytest.raises(SendError):
            Syslog(url.replace("localhost", "127.0.0.1"), str(certificate)).send(b"another name", "k")
        ended.set()
        thread.join(10)
    assert b"".join(got) == b"5 first6 second"


def certificate_of(name: str, folder) -> tuple:
    """Files of a certificate that vouches for itself, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "c.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.TraditionalOpenSSL
    (folder / "k.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return folder / "c.pem", folder / "k.pem"


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
