"""Who is behind an actor: what is gathered of it, what the model makes of that, and what the store is told."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rows import SECOND, START, batch_of

from sensor.core.intents import UNKNOWN
from sensor.evaluate_intent import area_under, curve, reliability, roc
from sensor.intent.actors import Actors, Judge, latest, leading, weighed
from sensor.intent.features import COUNT, NAMES, in_words, write_all_features
from sensor.intent.model import CLASSES, STRETCHES, ModelError, kept_model, model_of
from sensor.intent.sessions import ACTORS, IDLE, LEAST, NEWS, new_sessions, note_value
from sensor.intent_training import TRAINED_ON, Examples, boosted, edges_of, scenarios, sessions_of, train, weights_of
from sensor.inventory.agents import AGENT_KINDS, agent_kind, calls_itself_crawler
from sensor.inventory.analyse import Inventory
from sensor.inventory.values import VALUE
from sensor.outputs.report.intent import intent_page

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


def told(transactions, sizes=(10_000,), rest=True):
    """SESSION[n] that are told of the transactions, taken in batches of the given sizes, over and over."""
    actors, inventory, at, turn, found = Actors(), Inventory((1, 2)), 0, 0, []
    while at < len(transactions):
        size = sizes[turn % len(sizes)]
        batch, values, _ = inventory.analyse(batch_of(transactions[at : at + size]))
        found.append(actors.taken(batch, values))
        at, turn = at + size, turn + 1
    return np.concatenate([*found, actors.rest()] if rest else found)


def features_of(transactions):
    """The features of the one actor at its end, by name."""
    sessions = told(transactions)[-1:]
    out = np.empty((1, COUNT))
    write_all_features(sessions, out)
    return dict(zip(NAMES, out[0].tolist(), strict=True))


def requests(count, pause=SECOND, **more):
    return [{"path": f"/items/{k}", "ts": START + k * pause, "user_agent": FIREFOX} | more for k in range(count)]


def test_an_actor_is_told_at_five_and_whenever_its_requests_have_doubled_and_at_its_end():
    assert told(requests(43))["requests"].tolist() == [5, 10, 20, 40, 43]
    assert told(requests(40))["requests"].tolist() == [5, 10, 20, 40]
    assert told(requests(LEAST - 1)).size == 0


@given(st.lists(st.integers(1, 40), min_size=1, max_size=4))
def test_what_is_told_does_not_depend_on_batches(sizes):
    mixed = sorted(
        [row | {"client": f"10.0.0.{k % 7}", "session": k % 3} for k, row in enumerate(requests(150, SECOND // 3))],
        key=lambda row: row["ts"],
    )
    whole, parts = told(mixed), told(mixed, sizes)
    assert whole.tobytes() == parts.tobytes()


def test_half_an_hour_of_silence_ends_a_session():
    rows = requests(6) + [row | {"ts": row["ts"] + IDLE + 10 * SECOND} for row in requests(7)]
    sessions = told(rows)
    assert sessions["requests"].tolist() == [5, 6, 5, 7]
    assert len(set(sessions["first_ts"].tolist())) == 2


def test_actors_are_known_by_token_then_session_then_address():
    rows = [row | {"credential": 7, "session": 8, "client": f"10.0.0.{k}"} for k, row in enumerate(requests(5))]
    assert [row["actor"] for row in Judge().rows(told(rows))] == ["token:0000000000000007"]
    rows = [row | {"session": 8, "client": f"10.0.0.{k}"} for k, row in enumerate(requests(5))]
    assert [row["actor"] for row in Judge().rows(told(rows))] == ["session:0000000000000008"]
    assert [row["actor"] for row in Judge().rows(told(requests(5, client="2001:db8::1")))] == ["ip:2001:db8::1"]


def test_the_table_is_bounded_and_tells_who_gives_way():
    rows = [
        row | {"client": f"10.{k >> 16}.{k >> 8 & 255}.{k & 255}", "ts": START + k}
        for k in range(2 * ACTORS)
        for row in requests(5)
    ]
    sessions = told(rows)
    assert len(sessions) == 2 * ACTORS, "each is told once, at its fifth request"


def test_a_flood_of_made_up_sessions_pushes_out_nobody_who_was_there():
    rows = [row | {"client": "10.1.0.1"} for row in requests(8)]
    rows += [
        {"path": "/", "client": "198.51.100.7", "session": 1 + k, "ts": START + 10 * SECOND + k} for k in range(3 * ACTORS)
    ]
    rows += [row | {"client": "10.1.0.1", "ts": row["ts"] + 20 * SECOND} for row in requests(4)]
    assert told(rows)["requests"].tolist() == [5, 10, 12]


def test_news_that_find_no_room_wait_for_the_next_turn():
    rows = [row | {"client": f"10.0.{k >> 8}.{k & 255}"} for k in range(NEWS + 1_000) for row in requests(5)]
    assert len(told(rows)) == NEWS + 1_000


def test_features_say_what_was_done():
    walk = features_of(requests(64, SECOND // 2, status=404))
    assert walk["requests"] == 6 and walk["missing"] == walk["refused"] == 1 and walk["top"] == 1 and walk["variety"] == 0
    assert walk["steps"] == pytest.approx(62 / 63, abs=0.01), "the first step is like none before it"
    assert walk["novelty"] == pytest.approx(1, abs=0.15) and walk["values"] == 1
    assert 2 ** walk["pace"] - 1 == pytest.approx(500) and walk["unsteadiness"] == 0 and walk["quick"] == 0
    page = features_of([row | {"path": "/a", "response_type": "text/html", "referer": "http://a/"} for row in requests(8)])
    assert page["assets"] == page["referers"] == 1 and page["values"] == 0 and page["novelty"] == -1
    write = features_of(
        [
            row | {"method": method}
            for row, method in zip(requests(6), ["POST", "PUT", "DELETE", "GET", "HEAD", "PATCH"], strict=True)
        ]
    )
    assert write["writes"] == pytest.approx(4 / 6)
    rotating = features_of([row | {"user_agent": f"{FIREFOX}{k}"} for k, row in enumerate(requests(40))])
    assert 24 < 2 ** rotating["agents"] < 64
    robots = features_of([*requests(5), requests(6)[5] | {"path": "/robots.txt"}])
    assert robots["robots"] == 1 and features_of(requests(6))["robots"] == 0
    logins = features_of(
        [row | {"path": "/login", "method": "POST", "status": 401 if k % 2 else 200} for k, row in enumerate(requests(8))]
    )
    assert logins["sensitive"] == 1 and logins["sensitive_refused"] == 0.5


@given(st.integers(0, 2**32), st.integers(1, 120))
def test_new_values_are_counted_without_bias(seed, distinct):
    rng = np.random.default_rng(seed)
    estimates = []
    for _ in range(20):
        session, values = new_sessions().table[0], np.zeros(3 * distinct, VALUE)
        values["hash"] = rng.choice(rng.integers(1, 2**63, distinct), 3 * distinct)
        for value in values:
            note_value(session, value)
        estimates.append(session["novel"] / len(set(values["hash"].tolist())))
    assert abs(np.mean(estimates) - 1) < 0.15


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "none"), (FIREFOX, "browser"), ("okhttp/4.12.0", "app"), ("ShopApp/4 (iPhone) CFNetwork/1496", "app"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1)", "crawler"), ("SPIDER", "crawler"), ("craw", "crawler"),
        ("python-requests/2.32", "tool"), ("curl/8", "tool"), ("mozilla/4.0", "tool"), ("cra", "tool"),
    ],
)  # fmt: skip
def test_what_a_client_calls_itself(text, kind):
    arena = np.frombuffer(text.encode() + bytes(64), np.uint8)
    assert AGENT_KINDS[agent_kind(arena, 0, len(text))] == kind
    assert calls_itself_crawler(arena, 0, len(text)) == (kind == "crawler")


@given(st.binary(max_size=700))
def test_no_user_agent_is_too_odd(raw):
    arena = np.frombuffer(raw + bytes(64), np.uint8)
    lower = raw[:512].lower().replace(b"\x0f", b"/")
    crawler = any(word in lower for word in (b"bot", b"spid", b"craw"))
    assert not crawler or calls_itself_crawler(arena, 0, len(raw))


def test_the_model_adds_what_its_file_says():
    """The kernel against the file, read plainly."""
    kept, rng = kept_model(), np.random.default_rng(3)
    sessions = told([row | {"status": int(rng.choice([200, 404]))} for row in requests(300)])
    verdicts = weighed(model_of(kept), sessions)
    for k in range(len(sessions)):
        scores = list(kept.prior)
        for f in range(COUNT):
            stretch = sum(verdicts.features[k, f] > edge for edge in kept.edges[f])
            scores = [score + point for score, point in zip(scores, kept.points[f][stretch], strict=True)]
        chances = [math.exp(score) / sum(math.exp(other) for other in scores) for score in scores]
        assert verdicts.chances[k] == pytest.approx(chances)


def test_the_kept_model_fits_the_program():
    kept = kept_model()
    assert tuple(kept.features) == NAMES and all(len(one) <= STRETCHES for one in kept.points)
    assert all(edges == sorted(set(edges)) for edges in kept.edges)
    with pytest.raises(ModelError):
        model_of(type(kept)(**{name: getattr(kept, name) for name in kept.__struct_fields__} | {"features": ["other"]}))


def test_a_sweep_and_a_person_are_told_apart_with_reasons():
    sweep = Judge().rows(told(requests(200, SECOND // 4, status=404)))[-1]
    assert sweep["intent"] == "bad_automation" and sweep["bad_automation"] > 0.8
    assert len(sweep["reasons"]) == 3 and any("does not exist" in reason or "refused" in reason for reason in sweep["reasons"])
    assert math.isclose(sum(sweep[name] for name in CLASSES), 1, abs_tol=0.001)


def test_what_is_like_nothing_known_has_no_intent():
    kept = kept_model()
    strict = type(kept)(**{name: getattr(kept, name) for name in kept.__struct_fields__} | {"familiar": 0.0})
    assert {row["intent"] for row in Judge(strict).rows(told(requests(200, status=404)))} == {UNKNOWN}


def test_every_feature_has_words():
    for k, name in enumerate(NAMES):
        assert in_words(k, 0.0) and "{" not in in_words(k, 1.0), name
        assert in_words(k, -1.0)
    assert leading(np.zeros((2, COUNT, len(CLASSES))), np.zeros(2, int)) == [[], []]


def test_only_the_latest_state_of_a_session_is_written():
    rows = [row | {"client": f"10.0.0.{k % 2}"} for k, row in enumerate(requests(80))]
    sessions = told(rows)
    assert len(sessions) == 8 and latest(sessions)["requests"].tolist() == [40, 40]


def test_training_finds_what_tells_classes_apart():
    rng = np.random.default_rng(5)
    classes = rng.integers(0, len(CLASSES), 1_500)
    features = rng.normal(size=(1_500, COUNT))
    features[:, 3] += 3 * classes
    examples = Examples(features, classes, rng.integers(0, len(TRAINED_ON), 1_500))
    *said, kept = train(examples)
    chances = weighed_chances(kept, features)
    assert (chances.argmax(axis=1) == classes).mean() > 0.85
    assert all("told right" in line for line in said[:-1]) and said[-1].startswith("temperature")
    spans = [np.ptp(np.array(points)) for points in kept.points]
    assert int(np.argmax(spans)) == 3, "the one feature that matters"


def weighed_chances(kept, features):
    from sensor.intent.actors import weighed_features

    return weighed_features(model_of(kept), features)[0]


def test_edges_are_quantiles_and_nothing_is_learnt_of_noise():
    values = np.arange(1_000.0)
    assert len(edges_of(values, np.ones(1_000))) == STRETCHES - 1
    assert len(edges_of(np.zeros(1_000), np.ones(1_000))) == 0
    classes = np.zeros(300, int)
    points = boosted(np.zeros((300, COUNT), int), [1] * COUNT, classes, weights_of(classes))
    assert not points.any()


def test_curves():
    scores, positive = np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True])
    assert area_under(scores, positive) == 0.75
    assert area_under(np.zeros(4), positive) == 0.5
    assert roc(scores, positive) == [(0.0, 0.0), (0.0, 0.5), (0.5, 0.5), (0.5, 1.0), (1.0, 1.0)]
    classes = np.array([0, 0, 2, 2] * 50)
    chances = np.array([[0.9, 0, 0.1], [0.8, 0, 0.2], [0.3, 0, 0.7], [0.1, 0, 0.9]] * 50)
    told_all = curve("x", chances, np.zeros(200), classes)
    assert (told_all.auc, told_all.found, told_all.accused, told_all.unknown) == (1, 1, 0, 0)
    assert [(one.told, one.true) for one in reliability(chances, classes)] == [(0.1, 0), (0.2, 0), (0.7, 1), (0.9, 1)]


def test_the_page_of_the_evaluation_has_a_line_for_every_scenario():
    curves = [curve(f"scenario {k}", *made(k)) for k in range(12)]
    page = intent_page(curves, [(0.1, 0.0), (0.9, 1.0)], ["sweep"], 1, "0")
    assert all(f">scenario {k}</th>" in page for k in range(12)) and page.count("<svg") == 2 and "<script" not in page


def made(seed):
    """(chances, surprise, classes) of made-up sessions."""
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(3), 50), np.zeros(50), rng.integers(0, 3, 50)


def test_attacks_that_were_not_trained_on_are_told_from_the_crowd():
    """As `tapwatch evaluate --intent`, of one scenario."""
    assert "card_testing" not in TRAINED_ON
    (scenario,) = scenarios(("card_testing",), range(7_001, 7_002))
    features, classes = sessions_of(scenario)
    chances = weighed_chances(kept_model(), features)
    assert set(classes) == {0, 1, 2}
    assert area_under(chances[:, 2], classes == 2) > 0.98


def test_replay_tells_the_store_and_actors_show_it(tmp_path):
    store = f"chdb://{tmp_path / 'store'}"

    def tapwatch(*words):
        done = subprocess.run(
            [sys.executable, "-m", "sensor", *words, "--store", store], capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    tapwatch("replay", "pcaps/storefront.pcap", "--json")
    bad = tapwatch("actors", "--intent", "bad_automation", "--json")
    assert {row["actor"] for row in bad} == {"ip:198.51.100.77", "ip:192.0.2.145"}
    assert all(row["reasons"] and row["bad_automation"] > 0.8 for row in bad)
    everybody = tapwatch("actors", "--limit", "1000", "--json")
    assert sum(row["intent"] == "person" for row in everybody) > 0.8 * len(everybody)
    tapwatch("replay", "pcaps/storefront.pcap", "--json")
    assert tapwatch(
        "sql", "SELECT count() AS n, uniqExact(actor, first_seen) AS distinct FROM actor_sessions FINAL", "--json"
    ) == [{"n": n, "distinct": n} for n in [tapwatch("sql", "SELECT count() AS n FROM actor_sessions FINAL", "--json")[0]["n"]]]
