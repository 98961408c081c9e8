"""Simulated scenarios: the same bytes every time, labels that are true, and what the detectors make of them."""

import json
from collections import Counter

import pytest
from click.testing import CliRunner

from sensor.cli import main
from sensor.evaluate import ROUND, LabelsError, evaluate_file, judged, replayed
from sensor.settings import Config
from sensor.simulate.attacks import ATTACKS
from sensor.simulate.scenarios import NAMES, Scenario, write_scenario

SHORT = {"hours": 0.5, "people": 30}


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_is_the_same_every_time(name, tmp_path):
    scenario = Scenario(name, seed=7, requests=60, sources=5, **SHORT)
    first = write_scenario(scenario, tmp_path / "a.pcap", tmp_path / "a.labels.json")
    second = write_scenario(scenario, tmp_path / "b.pcap", None)
    assert (tmp_path / "a.pcap").read_bytes() == (tmp_path / "b.pcap").read_bytes() and first == second
    assert [one["transactions"] for one in first["incidents"]] == ([] if name == "ordinary" else [60])


@pytest.mark.parametrize("http2", [0.0, 1.0])
def test_every_labelled_request_is_a_transaction_of_the_replay(http2, tmp_path):
    path = tmp_path / "s.pcap"
    labels = write_scenario(Scenario("grid", requests=200, sources=20, http2=http2, **SHORT), path, None)
    result = CliRunner().invoke(main, ["replay", str(path), "--no-store", "--transactions", str(tmp_path / "t.jsonl")])
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert len(rows) == labels["transactions"]
    seen = Counter((row["ts"], row["client_ip"], row["client_port"]) for row in rows)
    (incident,) = labels["incidents"]
    assert all(seen[tuple(request)] == 1 for request in incident["requests"])
    assert {row["endpoint"] for row in rows if row["client_ip"] in set(incident["sources"])} == {incident["endpoint"]}


@pytest.mark.parametrize(
    ("name", "sources"),
    [
        *((name, 60 if max(attack.sources) > 1 else 1) for name, attack in ATTACKS.items()),
        *((name, 1) for name in ("sweep", "grid", "spraying", "fuzzing", "signups", "hoarding", "card_testing")),
    ],
)
def test_every_attack_is_one_incident_and_ordinary_traffic_none(name, sources, tmp_path):
    path = tmp_path / "s.pcap"
    rate = 0.3 if name == "hoarding" and sources > 1 else 2.0  # what is held again within minutes is a click
    labels = write_scenario(
        Scenario(name, seed=3, requests=900, sources=sources, hours=1.0, rate=rate, people=ATTACKS[name].people), path, None
    )
    outcome = judged(labels, *replayed(path, Config()))
    assert (outcome.found, outcome.alerts, outcome.false_alerts) == (1, 1, 0), outcome
    # Volume and novelty alone tell of a scrape and a small grid; of many who fuzz, scan or sign up each must have done so thrice;
    # who holds something again must have held it before.
    slow = ("scrape", "grid") if sources == 1 else ("fuzzing", "scanning", "signups")
    latest = 300 if name in ("watching", "hoarding") else 200 if name in slow else 100
    assert 0 < outcome.delay <= latest and outcome.sources_named >= 0.95 and outcome.others_named <= 0.01, outcome


@pytest.mark.parametrize("name", ["sweep", "stuffing", "spam", "coupons", "checkout"])
def test_the_same_over_http2(name, tmp_path):
    path = tmp_path / "s.pcap"
    scenario = Scenario(name, seed=3, requests=600, sources=60, http2=1.0, people=ATTACKS[name].people)
    labels = write_scenario(scenario, path, None)
    outcome = judged(labels, *replayed(path, Config()))
    assert (outcome.transactions, outcome.found, outcome.alerts, outcome.false_alerts) == (labels["transactions"], 1, 1, 0), (
        outcome
    )
    assert outcome.sources_named >= 0.95 and outcome.others_named <= 0.01, outcome


def test_a_day_of_ordinary_traffic_raises_nothing(tmp_path):
    path = tmp_path / "s.pcap"
    labels = write_scenario(Scenario("ordinary", seed=5, hours=24.0, people=40), path, None)
    outcome = judged(labels, *replayed(path, Config()))
    assert (outcome.alerts, outcome.false_alerts) == (0, 0), outcome


def test_alerts_are_the_same_with_several_workers(tmp_path):
    path = tmp_path / "s.pcap"
    write_scenario(Scenario("stuffing", requests=400, sources=80, **SHORT), path, None)
    alone, together = ([alert.as_row() for alert in replayed(path, Config(workers=workers))[0]] for workers in (1, 2))
    assert alone and alone == together


def test_a_bad_tap_hides_no_attack(tmp_path):
    path = tmp_path / "s.pcap"
    scenario = Scenario("sweep", requests=900, sources=60, loss=0.02, reorder=0.02, hours=1.0)
    outcome = judged(write_scenario(scenario, path, None), *replayed(path, Config()))
    assert (outcome.found, outcome.false_alerts) == (1, 0), outcome


def test_the_round_has_every_attack():
    assert {scenario.name for scenario in ROUND} == set(NAMES)


class TestCommands:
    def test_simulate_then_evaluate(self, tmp_path):
        path = tmp_path / "s.pcap"
        arguments = ["simulate", "scanning", "-o", str(path), "--requests", "200", "--hours", "0.5", "--people", "20"]
        assert CliRunner().invoke(main, arguments).exit_code == 0
        result = CliRunner().invoke(main, ["evaluate", str(path), "--json"])
        assert result.exit_code == 0, result.output
        (row,) = [json.loads(line) for line in result.output.splitlines() if line.startswith("{")]
        assert (row["scenario"], row["found"], row["false_alerts"]) == ("scanning", 1, 0)

    def test_an_unknown_scenario_is_one_sentence(self, tmp_path):
        result = CliRunner().invoke(main, ["simulate", "nonsense", "-o", str(tmp_path / "x.pcap")])
        assert result.exit_code == 2 and "there are: ordinary, sweep" in result.output

    def test_an_attack_that_is_missed_is_status_1(self, tmp_path):
        path = tmp_path / "s.pcap"
        labels = write_scenario(Scenario("ordinary", **SHORT), path, None)
        one = {"kind": "x", "detector": "scanning", "endpoint": "/*", "sources": ["192.0.2.1"], "requests": [["", "", 0]]}
        (tmp_path / "s.labels.json").write_text(json.dumps(labels | {"incidents": [one]}))
        assert CliRunner().invoke(main, ["evaluate", str(path)]).exit_code == 1

    @pytest.mark.parametrize("text", [None, "no json", "[]", '{"incidents": [{"sources": 1}]}'])
    def test_labels_that_are_none_are_one_sentence(self, text, tmp_path):
        path = tmp_path / "s.pcap"
        write_scenario(Scenario("ordinary", **SHORT), path, None)
        if text is not None:
            (tmp_path / "s.labels.json").write_text(text)
        with pytest.raises(LabelsError, match="labels"):
            evaluate_file(path, Config())
