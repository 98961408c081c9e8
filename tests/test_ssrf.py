"""URLs that lead inside: what is one in all its forms, who is told of, and what clients may honestly send."""

import json
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rows import SECOND, START
from test_detectors import alerts_of

from detectors.inward import LOOPBACK, METADATA, PRIVATE, SCHEME, kind_of
from detectors.ssrf import Ssrf


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("http://169.254.169.254/latest/meta-data/", METADATA),
        ("http://[fd00:ec2::254]/", METADATA),
        ("http://[::ffff:169.254.169.254]/", METADATA),
        ("http://2852039166/", METADATA),
        ("http://0xA9.0xFE.0xA9.0xFE/", METADATA),
        ("http://metadata.google.internal./computeMetadata/v1/", METADATA),
        ("file:///etc/passwd", SCHEME),
        ("GOPHER://127.0.0.1:6379/_x", SCHEME),
        ("http://localhost:8080/admin", LOOPBACK),
        ("http://127.1/", LOOPBACK),
        ("http://0177.0.0.1/", LOOPBACK),
        ("http://2130706433", LOOPBACK),
        ("https://user@[::1]:8443/", LOOPBACK),
        ("http://0.0.0.0/", LOOPBACK),
        ("http%3A%2F%2F10.0.0.5%2Fx", PRIVATE),
        ("http://192.168.1.1/", PRIVATE),
        ("http://db.prod.svc.cluster.local/", PRIVATE),
        ("http://wiki.corp/", PRIVATE),
        ("https://example.com/?u=http://127.0.0.1/", None),
        ("http://8.8.8.8/", None),
        ("http://127.0.0.1.example.com/", None),
        ("https://internal.example.com/", None),
        ("notaurl://10.0.0.1/", None),
        ("http://", None),
        ("http://[bad", None),
        ("10.0.0.1", None),
    ],
)
def test_where_a_url_leads(url, kind):
    assert kind_of(url, "url") == kind


def test_a_program_on_a_desk_may_be_called_back():
    assert kind_of("http://127.0.0.1:53682/", "redirect_uri") is None
    assert kind_of("http://169.254.169.254/", "redirect_uri") == METADATA


@given(st.text(max_size=60), st.text(max_size=20))
def test_any_text_is_survived(text, name):
    kind_of(text, name)


def request(k: int, url: str, client: str = "198.51.100.7", where: str = "body", **more) -> dict:
    row = {"client": client, "ts": START + k * SECOND, "method": "POST", "path": "/v1/import", **more}
    if where == "query":
        return row | {"query": "url=" + urllib.parse.quote(url, safe="")}
    return row | {"sent": json.dumps({"source": {"url": url}}).encode()}


@pytest.mark.parametrize("where", ["body", "query"])
def test_one_question_for_metadata_is_enough(where):
    (alert,) = alerts_of(
        Ssrf(), [request(0, "https://img.example.com/1.png", where=where), request(1, "http://169.254.169.254/", where=where)]
    )
    assert (alert.severity, alert.endpoint, alert.sources, alert.transactions) == (
        "critical",
        "/v1/import",
        ["198.51.100.7"],
        1,
    )
    assert "metadata service" in alert.explanation and alert.raised_at == START + SECOND
    (alert,) = alerts_of(Ssrf(), [request(1, "http://169.254.169.254/", where=where, status=400)])
    assert alert.severity == "high"


def test_private_targets_need_to_be_several():
    twice = [request(k, f"http://10.0.0.{k % 2}/") for k in range(20)]
    assert alerts_of(Ssrf(), twice) == []
    (alert,) = alerts_of(Ssrf(), [*twice, request(30, "http://10.0.0.77:6379/")], sizes=(3, 1))
    assert alert.transactions == 21 and alert.statistic["value"] == 3.0 and alert.raised_at == START + 30 * SECOND


def test_a_parameter_that_is_for_private_targets():
    """Sensors of a plant that tell where they are: each a few addresses of its own."""
    many = [request(k, f"http://10.1.{k % 20}.{k // 20}/", client=f"192.0.2.{1 + k % 20}") for k in range(200)]
    assert alerts_of(Ssrf(), many) == []
    (alert,) = alerts_of(Ssrf(), [*many, request(999, "file:///etc/shadow")])
    assert alert.sources == ["198.51.100.7"]


def test_urls_of_the_outside_raise_nothing():
    assert alerts_of(Ssrf(), [request(k, f"https://cdn{k}.example.com/p/{k}.jpg") for k in range(300)]) == []


def test_a_flood_of_addresses_is_bounded_and_keeps_what_was_raised():
    flood = [
        request(k, "http://10.0.0.1/", client=f"100.{k // 65536}.{k // 256 % 256}.{k % 256}", path=f"/v{k % 5}/i")
        for k in range(3_000)
    ]
    first = request(0, "http://169.254.169.254/")
    found = alerts_of(Ssrf(usual_clients=10_000), [first, *flood], sizes=(500,))
    assert [alert.sources for alert in found] == [["198.51.100.7"]]
