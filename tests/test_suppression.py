"""What is not told: rules of the configuration, and what analysts marked."""

import json
import pathlib
import subprocess
import sys

import pytest

from sensor.config import ConfigError, load_config
from sensor.settings import Suppress
from sensor.suppression import Mark, Suppression

TAPWATCH = pathlib.Path(sys.executable).with_name("tapwatch")
PCAP = pathlib.Path(__file__).resolve().parent.parent / "pcaps" / "storefront.pcap"
DAY = 86_400 * 10**9
ALERT = {
    "alert_id": "aa", "detector": "enumeration", "host": "a.test", "method": "GET", "endpoint": "/v1/{int}", "actor": "ip:192.0.2.1",
    "sources": ["192.0.2.1", "192.0.2.2"], "statistic": {"name": "x", "value": 12.0}, "threshold": 10.0, "last_seen": 20_000 * DAY,
}  # fmt: skip
LIKE = ("enumeration", "a.test", "GET", "/v1/{int}")


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        ({"detector": "enumeration"}, True),
        ({"detector": "scanning"}, False),
        ({"host": "a.test", "endpoint": "/v1/{int}"}, True),
        ({"host": "a.test", "endpoint": "/v2/{int}"}, False),
        ({"actor": "ip:192.0.2.1"}, True),
        ({"sources": ("192.0.2.0/24",)}, True),
        ({"sources": ("192.0.2.1",)}, False),
        ({"sources": ("192.0.2.1", "192.0.2.2")}, True),
        ({"sources": ("2001:db8::/32",)}, False),
    ],
)
def test_rules(rule, fits):
    assert bool(Suppression([Suppress(**rule)]).why_not(ALERT)) == fits


def test_a_rule_ends():
    import datetime

    day = datetime.date(1970, 1, 1) + datetime.timedelta(20_000)
    assert Suppression([Suppress(detector="enumeration", until=day)]).why_not(ALERT)
    assert not Suppression([Suppress(detector="enumeration", until=day - datetime.timedelta(1))]).why_not(ALERT)


def test_marks_move_the_threshold_of_their_endpoint_alone():
    def told(*marks: str, **changes) -> bool:
        many = [Mark(f"other{k}", *LIKE, mark) for k, mark in enumerate(marks)]
        return bool(Suppression((), many).told([ALERT | changes]))

    assert told() and told("benign") and told("true-positive")
    assert not told("false-positive"), "12 is less than 1.5 times 10"
    assert told("false-positive", statistic={"name": "x", "value": 15.0})
    assert told("false-positive", "true-positive")
    assert told("false-positive", endpoint="/v2/{int}") and told("false-positive", detector="spam")
    assert told(*["false-positive"] * 50, statistic={"name": "x", "value": 40.0}), "never beyond four times"


def test_a_marked_alert_is_not_told_again():
    for mark, told in (("false-positive", False), ("benign", False), ("true-positive", True)):
        alert = ALERT | {"statistic": {"name": "x", "value": 1e9}}
        assert bool(Suppression((), [Mark("aa", *LIKE, mark)]).told([alert])) == told


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[[suppress]]\nreason = 'x'", "must name a detector"),
        ("[[suppress]]\nsources = ['x']", "no address or network"),
        ("[[suppress]]\ndetektor = 'x'", "there is no setting"),
    ],
)
def test_a_wrong_rule_is_one_sentence(text, sentence, tmp_path):
    (tmp_path / "t.toml").write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        load_config(str(tmp_path / "t.toml"))


def tapwatch(*arguments: str) -> subprocess.CompletedProcess:
    done = subprocess.run([TAPWATCH, *arguments], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done


def told_by(*arguments: str) -> tuple[set[str], int]:
    summary = json.loads(tapwatch("replay", "--json", *arguments, str(PCAP)).stdout)
    return {alert["detector"] for alert in summary["raised"]}, summary["suppressed"]


def test_rules_and_marks_from_the_command_line(tmp_path):
    store, rules = f"chdb://{tmp_path}/store", tmp_path / "t.toml"
    assert told_by("--store", store) == ({"enumeration", "credential_stuffing"}, 0)
    rules.write_text(
        '[[suppress]]\ndetector = "enumeration"\nsources = ["198.51.100.0/24"]\nuntil = 2026-12-31\nreason = "test"\n'
    )
    assert told_by("-c", str(rules), "--no-store") == ({"credential_stuffing"}, 1)
    tapwatch("alert", "a211", "--mark", "false-positive", "--note", "ours", "--store", store)
    alert = json.loads(tapwatch("alert", "a211", "--json", "--store", store).stdout)
    assert (alert["mark"], alert["note"]) == ("false-positive", "ours")
    blocked = tapwatch("export", "blocklist", "--allow", "192.0.2.0/24", "--store", store)
    assert "198.51.100.77 its alert is marked false-positive" in blocked.stderr
    assert told_by("--store", store) == ({"credential_stuffing"}, 1)
    tapwatch("alert", "a211", "--mark", "none", "--store", store)
    assert told_by("--store", store) == ({"enumeration", "credential_stuffing"}, 0)
