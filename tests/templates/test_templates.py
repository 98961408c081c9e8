"""Templates against the routes of public APIs, whose traffic is made up with slugs, identifiers, dates, tenants and a scanner."""

import collections
import json
import pathlib
import random
import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from routes import ROUTES
from traffic import Zipf, requests, value

from sensor.core.records import MEDIA, OPERATION, Batch
from sensor.core.wide import SLACK, padded
from sensor.inventory.analyse import Inventory
from sensor.inventory.endpoints import CAPACITY, endpoint_text
from sensor.inventory.learned import NEXT_ENDPOINTS, NEXT_SEEN
from sensor.inventory.learning import VERSION, Leaf, decide, unseen_mass
from sensor.inventory.shapes import DEPTH, NO_SHAPE, json_shape
from sensor.inventory.targets import is_version
from tests.rows import SECOND, START, batch_of

TAPWATCH = pathlib.Path(sys.executable).with_name("tapwatch")
COUNT = 6_000
"""Requests to each API."""
Traffic = list[tuple[str, dict]]


def with_bodies(transactions: list[dict]) -> Batch:
    """A batch whose answers are JSON, as `body` says."""
    batch, bodies = batch_of(transactions), bytearray()
    for row, given_ in zip(batch.rows, transactions, strict=True):
        body = given_.get("body", "").encode()
        if body:
            row["response_media"], row["response_body_at"], row["response_body_len"] = MEDIA["json"], len(bodies), len(body)
            bodies += body
    batch.bodies, batch.bodies_used = np.frombuffer(bytes(bodies) + bytes(SLACK), np.uint8).copy(), len(bodies)
    return batch


def learn_from(traffic: Traffic, learning: bool = True, batch: int = 1_000) -> tuple[Inventory, list[str]]:
    """(the inventory, the endpoint of each request as it stands in the end)."""
    inventory, places = Inventory((1, 2)), []
    traffic = [(route, {"ts": START + k * SECOND} | one) for k, (route, one) in enumerate(traffic)]
    if not learning:
        inventory.table.learned.control[[NEXT_SEEN, NEXT_ENDPOINTS]] = 1 << 40
    for part in (traffic[k : k + batch] for k in range(0, len(traffic), batch)):
        done, _, _ = inventory.analyse(with_bodies([transaction for _, transaction in part]))
        places += done.rows["endpoint"].tolist()
    if learning:
        inventory.endpoints()
    return inventory, [endpoint_text(inventory.table, place)[2] for place in places]


def pairs_of(groups: collections.Counter) -> float:
    return sum(count * (count - 1) / 2 for count in groups.values())


class Agreement:
    """Pairwise F1 of two groupings of requests: whether pairs that belong together are together."""

    def __init__(self) -> None:
        self.both = self.told = self.true = 0.0

    def add(self, traffic: Traffic, templates: list[str]) -> "Agreement":
        pairs = [(route, template) for (route, _), template in zip(traffic, templates, strict=True) if route]
        self.both += pairs_of(collections.Counter(pairs))
        self.true += pairs_of(collections.Counter(route for route, _ in pairs))
        self.told += pairs_of(collections.Counter(template for _, template in pairs))
        return self

    @property
    def f1(self) -> float:
        return 2 * self.both / (self.true + self.told)


def child_limit(traffic: Traffic, limit: int = 10) -> list[str]:
    """The usual rule: a node of the tree of paths with more than so many children becomes a wildcard."""
    paths = [transaction["path"].split("/")[1:] for _, transaction in traffic]
    done: list[list[str]] = [[] for _ in paths]
    for depth in range(max(map(len, paths))):
        children = collections.defaultdict(set)
        for path, prefix in zip(paths, done, strict=True):
            if depth < len(path):
                children[tuple(prefix)].add(path[depth])
        for path, prefix in zip(paths, done, strict=True):
            if depth < len(path):
                prefix.append("*" if len(children[tuple(prefix)]) > limit else path[depth])
    return ["/" + "/".join(prefix) for prefix in done]


@pytest.mark.parametrize("shapes", [True, False], ids=["with answers' shapes", "without"])
def test_requests_are_grouped_as_their_routes_are(shapes):
    ours, by_type, by_limit = Agreement(), Agreement(), Agreement()
    each = {}
    for host in ROUTES:
        traffic = requests(host, COUNT, 1, shapes)
        each[host] = Agreement().add(traffic, learn_from(traffic)[1]).f1
        ours.add(traffic, learn_from(traffic)[1])
        by_type.add(traffic, learn_from(traffic, learning=False)[1])
        by_limit.add(traffic, child_limit(traffic))
    print(f"\npairwise F1: {ours.f1:.4f}; by types alone {by_type.f1:.4f}; by a limit of children {by_limit.f1:.4f}; {each}")
    assert ours.f1 >= (0.98 if shapes else 0.96)  # log-ins beside user names: nothing but their answers tells them apart
    assert ours.f1 > by_type.f1 and ours.f1 > by_limit.f1


def served_templates(inventory: Inventory) -> set[str]:
    return {row["endpoint"] for row in inventory.endpoints()}


@pytest.mark.parametrize("host", ROUTES)
def test_the_order_of_arrival_makes_no_difference(host):
    traffic, found = requests(host, COUNT, 2, True), []
    for seed in range(3):
        random.Random(seed).shuffle(traffic)
        inventory, _ = learn_from(traffic)
        found.append({row["endpoint"]: row["transactions"] for row in inventory.endpoints()})
    seen = set().union(*found)
    differing = sum(max(one.get(t, 0) for one in found) for t in seen if not all(t in one for one in found))
    assert differing <= 0.005 * COUNT, sorted(t for t in seen if not all(t in one for one in found))


def test_batches_make_no_difference():
    traffic = requests("shop.test", 3_000, 3, True)
    whole, first = learn_from(traffic, batch=10_000)
    parts, second = learn_from(traffic, batch=77)
    assert first == second and whole.endpoints() == parts.endpoints()
    assert whole.changes == parts.changes


def test_a_scanner_teaches_nothing():
    """100,000 random paths that do not exist: no template changes, and the table stays within its bounds."""
    traffic = requests("shop.test", 4_000, 4, True)
    draw = random.Random(4)
    poison = [
        ("", {"host": "shop.test", "path": f"/v1/products/{draw.getrandbits(40):x}-x/{draw.randrange(50)}", "status": 404})
        for _ in range(50_000)
    ] + [("", {"host": "shop.test", "path": f"/{draw.getrandbits(60):x}z/y{k}", "status": 404}) for k in range(50_000)]
    mixed = traffic[:2_000] + poison + traffic[2_000:]
    clean, _ = learn_from(traffic)
    dirty, _ = learn_from(mixed)
    assert served_templates(clean) == served_templates(dirty)
    assert dirty.known < CAPACITY


def test_a_fixed_set_of_names_stays_one():
    """Sixty resources, evenly or by Zipf, in any order: in 200 runs no place is taken for one of values."""
    for seed in range(200):
        draw = random.Random(seed)
        zipf = Zipf(60)
        counts = collections.Counter()
        for step in range(1, 2_000):
            counts[zipf.draw(draw) if seed % 2 else draw.randrange(60)] += 1
            if step % 20 == 0:
                leaves = [Leaf(0, "GET", ("v1", f"name{k}"), n, 0) for k, n in counts.items()]
                assert not list(decide(leaves, lambda _: False, lambda *_: False)), (seed, step)


def test_versions_and_typed_segments_are_no_words():
    leaves = [Leaf(k, "GET", (f"v{k}", "users"), 1, 5) for k in range(60)]
    leaves += [Leaf(k, "GET", ("a", "{int}", f"x{k % 3}"), 1, 5) for k in range(60)]
    assert not list(decide(leaves, lambda _: False, lambda *_: False))


@given(st.from_regex(r"[vV][0-9.]{0,3}[A-Za-z0-9.-]{0,6}", fullmatch=True))
def test_the_kernel_knows_versions_as_learning_does(word):
    raw = word.encode()
    assert bool(is_version(padded(raw), 0, len(raw))) == bool(VERSION.match(word))


def test_learning_comes_to_an_end_whatever_hosts_are_made_up():
    """More places than there is room for: nothing is decided twice."""
    traffic = [
        ("", {"host": f"h{k}", "path": f"/{word}", "status": 301})
        for k in range(6_000)
        for word in ("a1b2c3d4e5f6a7b8", "a9z8x7w6v5")
    ]
    inventory, _ = learn_from(traffic)
    decided = len(inventory.changes)
    assert decided == len({(change.host, change.prefix) for change in inventory.changes})
    inventory.learn(0)
    assert len(inventory.changes) == decided


def test_very_deep_paths_teach_nothing():
    traffic = [("", {"host": "h", "path": "/x" * 60 + f"/word-{k}", "status": 200}) for k in range(300)]
    inventory, _ = learn_from(traffic)
    assert inventory.changes == []


targets = st.sampled_from(["*", "h:443", "", "/", "//", "/a#b/c", "#", "/{slug}/x", "/{", "/\\x00"]) | st.binary(max_size=30)


@given(st.lists(st.tuples(targets, targets, st.sampled_from([200, 301, 404])), min_size=1, max_size=80))
def test_no_target_breaks_learning(drawn):
    """Any bytes as path and host; every word there is asked for is learned as soon as it can be."""
    inventory = Inventory((1, 2))
    rows = [{"path": path, "host": host, "status": status} for path, host, status in drawn]
    rows += [{"path": f"/p/a{k}b{k}c{k}d{k}", "host": drawn[0][1]} for k in range(100, 112)]
    inventory.table.learned.control[NEXT_SEEN] = 10
    for k in range(0, len(rows), 9):
        inventory.analyse(batch_of(rows[k : k + 9]))
        inventory.learn(k)
    assert sum(row["transactions"] for row in inventory.endpoints()) <= len(rows)
    inventory.parameters()


def test_operations_with_slashes_are_one_segment():
    """JSON-RPC methods as `tools/call`, at a place whose words are values."""
    batch = batch_of([{"host": "h", "path": f"/t/team-{k}/mcp", "status": 200} for k in range(300)])
    text = b"tools/call"
    batch = batch.with_room(len(text))
    batch.arena[batch.used : batch.used + len(text)] = np.frombuffer(text, np.uint8)
    batch.rows["operation_type"], batch.rows["operation_at"], batch.rows["operation_len"] = (
        OPERATION["jsonrpc"],
        batch.used,
        len(text),
    )
    batch.used += len(text)
    inventory = Inventory((1, 2))
    inventory.analyse(batch)
    found = {row["endpoint"]: row["transactions"] for row in inventory.endpoints()}
    assert found == {"/t/{slug}/mcp#tools/call": 300}


def test_a_hot_name_stays_beside_values():
    traffic = [("", {"host": "h", "path": f"/users/{name}", "status": 200}) for name in ["me"] * 400]
    traffic += [("", {"host": "h", "path": f"/users/user-{k}", "status": 200}) for k in range(400)]
    random.Random(5).shuffle(traffic)
    inventory, _ = learn_from(traffic)
    assert {"/users/me", "/users/{slug}"} == served_templates(inventory)


def test_counts_of_joined_endpoints_are_those_of_one():
    """What was counted before and after a place was learned, together, is as if it had been known from the beginning."""
    paths = [f"/p/item-{draw}" for draw in random.Random(6).choices(range(500), k=1_500)]
    given_ = [
        {"host": "h", "path": path, "status": 200, "client": f"192.0.2.{k % 200}", "latency_us": k % 900, "response_bytes": k}
        for k, path in enumerate(paths)
    ]
    learned, _ = learn_from([("", one) for one in given_])
    known, _ = learn_from([("", one | {"path": "/p/1"}) for one in given_])
    first, second = learned.endpoints(), known.endpoints()
    assert [row.pop("endpoint") for row in first + second] == ["/p/{slug}", "/p/{int}"]
    assert first == second


def test_news_of_endpoints_come_to_the_whole():
    """Told piece by piece, with what became part of others taken back, endpoints are in the end what they are at once."""
    traffic = requests("shop.test", 3_000, 8, True)
    inventory, told = Inventory((1, 2)), {}
    for k in range(0, len(traffic), 100):
        inventory.analyse(with_bodies([transaction for _, transaction in traffic[k : k + 100]]))
        fresh, gone = inventory.news()
        for key in gone:
            del told[key]
        told |= {(row["host"], row["method"], row["endpoint"]): row for row in fresh}
    again, gone = inventory.news()
    assert again == [] and gone == []
    assert sorted(told) == sorted((row["host"], row["method"], row["endpoint"]) for row in inventory.endpoints())
    assert all(told[row["host"], row["method"], row["endpoint"]] == row for row in inventory.endpoints())


def test_the_log_says_what_was_decided_and_why():
    inventory, _ = learn_from(requests("petstore.test", COUNT, 1, True))
    first, last = inventory.changes[0], inventory.changes[-1]
    assert (first.host, first.prefix) == ("petstore.test", "/v2/user") and first.endpoints > 10 and "words in" in first.reason
    assert "login" in first.names + last.names and "logout" in first.names + last.names


@given(st.lists(st.integers(1, 5), min_size=1, max_size=100))
def test_the_unseen_mass_is_a_lower_bound_of_a_share(counts):
    assert unseen_mass(counts) <= counts.count(1) / sum(counts) <= 1.0


keys = st.text(st.characters(codec="utf-8", exclude_characters='"\\'), min_size=1, max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)


def shape_of(value) -> int:
    raw = json.dumps(value, ensure_ascii=False).encode()
    return int(json_shape(padded(raw), 0, len(raw), np.zeros(DEPTH, np.uint64)))


def key_paths(value, path=(), depth=0) -> set | None:
    """Plain reference: the paths of keys down to the second level, of lists through their first element."""
    found = set()
    if isinstance(value, dict):
        for key, inner in value.items():
            if depth < 2:
                found.add((*path, key))
            found |= key_paths(inner, (*path, key, type(inner) is list), depth + 1)
    elif isinstance(value, list) and value:
        found |= key_paths(value[0], (*path, "[]", type(value[0]) is list), depth + 1)
    return found


@given(values, values)
def test_shapes_are_equal_where_key_paths_are(first, second):
    shapes, paths = [shape_of(value) for value in (first, second)], [key_paths(value) for value in (first, second)]
    for shape, found in zip(shapes, paths, strict=True):
        assert (shape == NO_SHAPE) == (len(found) < 2)
    if shapes[0] != NO_SHAPE and shapes[1] != NO_SHAPE:
        assert (shapes[0] == shapes[1]) == (paths[0] == paths[1])


@given(st.binary(max_size=60))
def test_any_bytes_have_a_shape_or_none(raw):
    json_shape(padded(raw), 0, len(raw), np.zeros(DEPTH, np.uint64))


def test_the_history_stands_in_the_store(tmp_path):
    """A capture of a shop whose products have slugs, replayed: `endpoints --history` says when and why they became values."""
    capture = tmp_path / "shop.pcap"
    draw = random.Random(7)
    exchanges = [f"/v1/products/{value('slug', Zipf(400).draw(draw), 's')}" for _ in range(300)]
    capture.write_bytes(capture_of([(path, b'{"name":"x","price":1}') for path in exchanges]))
    store = f"chdb://{tmp_path}/store"
    found = [
        subprocess.run([TAPWATCH, *command, "--store", store], capture_output=True, text=True, check=True, timeout=300).stdout
        for command in (["replay", str(capture)], ["endpoints", "--json"], ["endpoints", "--history", "--json"])
    ]
    (endpoint,), (change,) = ([json.loads(line) for line in text.splitlines()] for text in found[1:])
    assert endpoint["endpoint"] == "/v1/products/{slug}" and endpoint["transactions"] == 300
    assert change["prefix"] == "/v1/products" and change["host"] == "shop.test" and "alike" in change["reason"]


def capture_of(exchanges: list[tuple[str, bytes]]) -> bytes:
    """A pcap file of one connection: a GET for each path, answered with JSON."""
    out, ts, numbers = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1)], 1_772_528_400_000_000, [1, 1]
    for path, body in exchanges:
        request = f"GET {path} HTTP/1.1\r\nHost: shop.test\r\n\r\n".encode()
        answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        for side, payload in enumerate((request, answer)):
            ends = [(b"\x0a\x00\x00\x01", 40_000), (b"\x0a\x00\x00\x02", 80)]
            (source, source_port), (target, target_port) = ends if side == 0 else ends[::-1]
            tcp = struct.pack(">HHIIBBHHH", source_port, target_port, numbers[side], numbers[1 - side], 0x50, 24, 8192, 0, 0)
            ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + len(payload), 0, 0, 64, 6, 0, source, target)
            frame = bytes(12) + b"\x08\x00" + ip + tcp + payload
            out.append(struct.pack("<IIII", ts // 1_000_000, ts % 1_000_000, len(frame), len(frame)) + frame)
            numbers[side] += len(payload)
            ts += 10_000
    return b"".join(out)
