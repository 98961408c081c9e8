"""The operator's templates against a plain search; joined hosts, kept names, and what a configuration may say."""

import itertools
import json
import re

import pytest
from helpers import KEY, examples
from hypothesis import given
from hypothesis import strategies as st
from rows import batch_of

from sensor.config import ConfigError, load_config
from sensor.core.wide import padded
from sensor.documented import said_of
from sensor.inventory.analyse import Inventory
from sensor.inventory.learned import text_hash
from sensor.inventory.patterns import NO_TEMPLATE, SEGMENTS, find_template, new_patterns
from sensor.settings import Config
from sensor.settings import Inventory as Said

SEGMENT = st.sampled_from(["a", "b", "shops", "5", "x.json"])
TEMPLATES = st.lists(st.one_of(SEGMENT, st.sampled_from(["{id}", "{shop}"])), min_size=1, max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)
HOSTS = st.sampled_from(["", "api.test", "b.test"])


def plain_template(templates, host, path):
    """Index in the sorted list of the template that a search segment by segment, literal ones first, finds."""
    for wanted in (host, ""):
        fitting = [
            (tuple("{" in segment for segment in template.split("/")), number)
            for number, (of_host, template) in enumerate(templates)
            if of_host == wanted and re.fullmatch(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(template)), path)
        ]
        if fitting:
            return min(fitting)[0], {number for _, number in fitting}
    return None, {NO_TEMPLATE}


@examples(400)
@given(st.lists(st.tuples(HOSTS, TEMPLATES), max_size=8), HOSTS, st.lists(SEGMENT | st.just(""), min_size=1, max_size=5))
def test_the_template_is_the_most_literal_one(templates, host, segments):
    patterns, listed, path = new_patterns(templates), sorted(set(templates)), "/" + "/".join(segments)
    found = find_template(patterns, padded(path.encode()), 0, len(path), text_hash(host, 1))
    form, fitting = plain_template(listed, host, path)
    assert found in fitting
    if form is not None:
        assert tuple("{" in segment for segment in listed[found][1].split("/")) == form


def test_no_path_costs_more_than_the_tree():
    """All templates of eight segments of `a` and placeholders: each path of `a` could be any of them."""
    templates = [("", "/" + "/".join(parts) + "/end") for parts in itertools.product(("a", "{x}"), repeat=8)]
    patterns = new_patterns(templates)
    for path in ("/a" * 8 + "/none", "/a" * 8 + "/end", "/a" * 5_000, "//" * 40, "no path"):
        found = find_template(patterns, padded(path.encode()), 0, len(path), text_hash("h", 1))
        assert (found == NO_TEMPLATE) == (path != "/a" * 8 + "/end")
    assert "/a" * 5_000 and SEGMENTS < 5_000


def endpoints_of(said: Said, transactions: list[dict]) -> list[tuple[str, str]]:
    inventory = Inventory(KEY, patterns=said_of(Config(inventory=said))[0])
    inventory.analyse(batch_of(transactions))
    return sorted({(row["host"], row["endpoint"]) for row in inventory.endpoints()})


def test_templates_go_before_what_would_be_learned():
    said = Said(templates=("/v1/shops/{shop}", "api.test/v1/shops/{shop}/{thing}"))
    paths = ["/v1/shops/anna", "/v1/shops/ben", "/v1/shops/ben/7", "/v1/other/7", "/v1/shops/", "/v1/shops/a/b/c"]
    assert endpoints_of(said, [{"path": path} for path in paths]) == [
        ("api.test", path)
        for path in ("/v1/other/{int}", "/v1/shops/", "/v1/shops/a/b/c", "/v1/shops/{shop}", "/v1/shops/{shop}/{thing}")
    ]
    inventory = Inventory(KEY, patterns=said_of(Config(inventory=said))[0])
    batch, values, _ = inventory.analyse(
        batch_of([{"path": "/v1/shops/anna/7"}, {"path": "/v1/shops/a@b.com/4111111111111111"}])
    )
    assert [(int(value["slot"]), int(value["kind"] > 0)) for value in values] == [(2, 1), (3, 1)] * 2
    assert batch.text(1, "path") == b"/v1/shops/{email}/{card}" and batch.text(0, "path") == b"/v1/shops/anna/7"


def test_documents_give_templates(tmp_path):
    document = {"openapi": "3.1.0", "servers": [{"url": "https://api.test/base"}], "paths": {"/users/{userId}": {"get": {"responses": {}}},
                "/files/{name}.json": {"get": {"responses": {}}}, "/plain": {"get": {"responses": {}}}}}  # fmt: skip
    (tmp_path / "api.json").write_text(json.dumps(document))
    said = Said(openapi=(str(tmp_path / "api.json"),))
    paths = [{"path": "/base/users/anna"}, {"path": "/base/users/anna", "host": "other.test"}, {"path": "/base/plain"}]
    assert endpoints_of(said, paths) == [
        ("api.test", "/base/plain"),
        ("api.test", "/base/users/{userId}"),
        ("other.test", "/base/users/anna"),
    ]


def test_hosts_that_are_one():
    said = Said(hosts=("{tenant}.shop.test",))
    hosts = ["a.shop.test", "b.shop.test:8080", "shop.test", "x.y.shop.test", ".shop.test", "evilshop.test", ""]
    found = endpoints_of(said, [{"path": "/a", "host": host} for host in hosts])
    assert [host for host, _ in found] == [
        "", ".shop.test", "evilshop.test", "shop.test", "x.y.shop.test", "{tenant}.shop.test", "{tenant}.shop.test:8080",
    ]  # fmt: skip


WORDS = [f"{a}{b}-{c}" for a in ("red", "blue", "old", "new") for b in "abcdefgh" for c in ("chair", "table", "lamp")]


@pytest.mark.parametrize("prefix", ["/v1/things", "api.test/v1/things"])
def test_what_was_learned_can_be_undone(prefix):
    transactions = [{"path": f"/v1/things/{word}", "client": f"192.0.2.{k % 200 + 1}"} for k, word in enumerate(WORDS * 4)]
    assert endpoints_of(Said(), transactions) == [("api.test", "/v1/things/{slug}")]
    kept = endpoints_of(Said(names=(prefix,)), transactions)
    assert [path for _, path in kept] == sorted(f"/v1/things/{word}" for word in WORDS)
    again = Inventory(KEY, patterns=said_of(Config(inventory=Said(names=(prefix,))))[0])
    learned = Inventory(KEY)
    learned.analyse(batch_of(transactions))
    learned.endpoints()
    for name, array in again.arrays().items():  # a state that was kept knows the words for values
        array[...] = learned.arrays()[name]
    again.analyse(batch_of(transactions[:1]))
    assert transactions[0]["path"] in {row["endpoint"] for row in again.endpoints()}


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ('templates = ["v1"]', "HOST/PATH"),
        ('templates = ["/v1/{a}.json"]', "whole segments"),
        ('templates = ["/a b"]', "HOST/PATH"),
        ('hosts = ["*.example.com"]', "{tenant}.example.com"),
        ('hosts = ["{tenant}.com"]', "{tenant}.example.com"),
        ('names = ["things"]', "HOST/PATH"),
        ('openapi = ["/none/x.yaml"]', "cannot be read"),
    ],
)
def test_mistakes_are_told_in_a_sentence(tmp_path, lines, says):
    (tmp_path / "c.toml").write_text(f"[inventory]\n{lines}\n")
    with pytest.raises(ConfigError, match=re.escape(says)):
        said_of(load_config(str(tmp_path / "c.toml")))


def test_words_of_templates_teach_no_names():
    """A word that is asked for far more often than others stays a value where the operator says that it is one."""
    said = Said(templates=("/v1/shops/{shop}",))
    inventory = Inventory(KEY, patterns=said_of(Config(inventory=said))[0])
    inventory.analyse(batch_of([{"path": f"/v1/shops/{'anna' if k % 3 else WORDS[k % len(WORDS)]}"} for k in range(3_000)]))
    assert [row["endpoint"] for row in inventory.endpoints()] == ["/v1/shops/{shop}"] and inventory.changes == []
