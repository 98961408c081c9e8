"""The bundled captures: transactions are what their labels say, however many workers find them."""

import json
from collections import Counter

import pytest
from helpers import FEATURES, PCAPS, Sensor, transactions_of

CAPTURES = sorted(path for path in FEATURES.iterdir() if not path.name.endswith(".json"))
VERSIONS = {9: "0.9", 10: "1.0", 11: "1.1", 20: "2"}
STOREFRONT = PCAPS / "storefront.pcap"


def labels_of(path):
    return json.loads((path.parent / (path.name.split(".")[0] + ".labels.json")).read_text())


def as_label(row):
    asked = "no_request" not in row["completeness"]
    text = {name: row[name].decode() if asked else None for name in ("method", "path", "query")}
    return text | {
        "client_ip": row["client_ip"],
        "client_port": row["client_port"],
        "status": row["status"] or None,
        "request_bytes": row["request_bytes"],
        "response_bytes": row["response_bytes"],
        "http_version": VERSIONS[row["version"]],
        "completeness": sorted(row["completeness"]),
    }


def expected_rows(path):
    """Labels mark every transaction of a connection that was joined late, the product those up to its first whole exchange."""
    late, expected = set(), []
    for label in labels_of(path)["transactions"]:
        connection = label["client_ip"], label["client_port"]
        marks = set(label["completeness"])
        if "late_join" in marks and connection in late:
            marks.discard("late_join")
        elif "late_join" in marks and label["method"]:
            late.add(connection)
        expected.append(label | {"completeness": sorted(marks)})
    return expected


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name)
def test_transactions_equal_the_labels(path):
    assert [as_label(row) for row in transactions_of(path)] == expected_rows(path)


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name)
def test_every_packet_is_counted_once(path):
    sensor = Sensor()
    sensor.read(path)
    assert sensor.counted()["frames"] == labels_of(path)["packets"]


@pytest.mark.parametrize("path", [*CAPTURES, STOREFRONT], ids=lambda path: path.name)
def test_two_workers_find_the_same_rows_in_the_same_order(path):
    assert Sensor(shards=2).read(path) == Sensor().read(path)


@pytest.mark.parametrize("path", [FEATURES / "vlan.pcap", FEATURES / "qinq.pcap"], ids=lambda path: path.name)
def test_vlan_tags_are_told(path):
    assert {row["encap"] for row in transactions_of(path)} == {"vlan:10" if path.stem == "vlan" else "vlan:100/vlan:10"}


@pytest.fixture(scope="module")
def storefront():
    return transactions_of(STOREFRONT)


def template(path):
    parts = path.decode().split("/")
    return "/".join("{int}" if p.isdigit() else "{uuid}" if len(p) == 36 and p.count("-") == 4 else p for p in parts)


def test_storefront_has_all_its_transactions_complete(storefront):
    labels = labels_of(STOREFRONT)
    assert len(storefront) == labels["transactions"]
    assert not [row for row in storefront if row["completeness"] or row["weird"] or not row["status"]]
    assert {row["server_ip"] + ":" + str(row["server_port"]) for row in storefront} == {labels["server"]}
    assert {row["host"].decode() for row in storefront} == {labels["host"]}
    assert len({row["client_ip"] for row in storefront}) == labels["clients"]
    assert len({(row["client_ip"], row["client_port"]) for row in storefront}) == labels["connections"]


def test_storefront_endpoints_have_their_counts(storefront):
    found = Counter((row["method"].decode(), template(row["path"])) for row in storefront)
    assert found == {(row["method"], row["template"]): row["count"] for row in labels_of(STOREFRONT)["endpoints"]}


def test_storefront_attackers_asked_what_the_labels_say(storefront):
    for incident in labels_of(STOREFRONT)["incidents"]:
        rows = [row for row in storefront if row["client_ip"] == incident["actor"]]
        assert len(rows) == incident["transactions"]
        assert {(row["method"].decode(), template(row["path"])) for row in rows} == {(incident["method"], incident["endpoint"])}
