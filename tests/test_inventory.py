"""Templates, redaction, profiles and the bounds of the endpoint table."""

import itertools

import numpy as np
import pytest
from rows import batch_of

from sensor.core.reasons import REASON, REASONS
from sensor.core.sensitive import SENSITIVE
from sensor.inventory.analyse import Inventory
from sensor.inventory.documents import Documents
from sensor.inventory.endpoints import CAPACITY
from sensor.inventory.profile import add_client, bucket_of, clear_profile, measure, new_profiles
from sensor.inventory.profile_figures import distinct_clients, quantile

KEY = (1, 2)


def analysed(**transaction):
    batch, values, _ = Inventory(KEY).analyse(batch_of([transaction]))
    return batch, values


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/v1/products/10150", "/v1/products/{int}"),
        ("/v1/products/10150.json", "/v1/products/{int}.json"),
        ("/static/app.min.js", "/static/app.min.js"),
        ("/users/me", "/users/me"),
        ("/users/-7", "/users/{int}"),
        ("/o/123e4567-e89b-12d3-a456-426614174000/lines", "/o/{uuid}/lines"),
        ("/e/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/e/{ulid}"),
        ("/e/0ujtsYcgvSTl8PAuAdqWYSMnLOv", "/e/{ksuid}"),
        ("/m/507f1f77bcf86cd799439011", "/m/{objectid}"),
        ("/c/3f2a9c1d", "/c/{hex}"),
        ("/f/a3Xk9QzL0pVb7TnW2cYd", "/f/{base64url}"),
        ("/d/2026-03-03", "/d/{date}"),
        ("/d/2026-13-03", "/d/2026-13-03"),
        ("/u/bob@example.com", "/u/{email}"),
        ("/n/192.0.2.7", "/n/{ip}"),
        ("/t/+4912345678", "/t/{phone}"),
        ("/en-US/home", "/{locale}/home"),
        ("/s/red-running-shoes-2024", "/s/red-running-shoes-2024"),
        ("/facade/deadbeef", "/facade/deadbeef"),
        ("/", "/"),
        ("*", "*"),
        ("//a//", "//a//"),
        ("/a;x=1/b", "/a/b"),
    ],
)
def test_template(path, template):
    batch, _ = analysed(path=path)
    assert batch.text(0, "template").decode() == template


def test_a_hostile_path_has_a_bounded_template():
    batch, _ = analysed(path="/" + "/".join("abc" for _ in range(4000)))
    assert batch.text(0, "template").endswith(b"/{rest}")
    assert len(batch.text(0, "template")) < 600


@pytest.mark.parametrize(
    ("given", "path", "query", "referer"),
    [
        ({"query": "user=ann&password=hunter2&x=1"}, "/", "user=ann&password={password}&x=1", ""),
        ({"query": "PassWord=hunter2"}, "/", "PassWord={password}", ""),
        ({"query": "access_token=abc&sig=d&api_key=e"}, "/", "access_token={token}&sig={signature}&api_key={api_key}", ""),
        ({"query": "n=4111111111111111"}, "/", "n={card}", ""),
        ({"query": "n=4111111111111112"}, "/", "n=4111111111111112", ""),
        ({"query": "4111111111111111"}, "/", "{card}", ""),
        ({"query": "mail=bob%40example.com"}, "/", "mail={email}", ""),
        ({"path": "/pay/4111111111111111/ok"}, "/pay/{card}/ok", "", ""),
        ({"path": "/u/bob@example.com"}, "/u/{email}", "", ""),
        ({"path": "/a;jsessionid=12ab/b"}, "/a;{session}/b", "", ""),
        ({"path": "/a;v/b"}, "/a;v/b", "", ""),
        ({"query": "password="}, "/", "password=", ""),
        *(
            ({"query": query}, "/", f"{query.partition('=')[0]}={{{found}}}", "")
            for query, found in (
                ("q=my+card+4111111111111111", "card"),
                ("q=pay%204111111111111111%20now", "card"),
                ("f=number:4111111111111111", "card"),
                ("ids=1,4111111111111111,2", "card"),
                ("f=%7B%22card%22%3A%224111111111111111%22%7D", "card"),
                ("q=iban+DE89370400440532013000", "iban"),
                ("s=ssn+078-05-1120", "ssn"),
                ("f=email:bob@example.com", "email"),
                ("to=bob@example.com,eve@example.com", "email"),
                ("user[password]=x", "password"),
                ("user%5Bpassword%5D=x", "password"),
                ("user.password=x", "password"),
                ("userPassword=x", "password"),
                ("new-password=x", "password"),
                ("url=https://u:pw@db/", "password"),
                ("url=https%3A%2F%2Fa.test%3Ftoken%3Dabc", "token"),
                ("next=/a?access_token=abc", "token"),
                ('f={"password":"x"}', "password"),
                ("phone=2125551234", "phone"),
                ("dob=1980-01-02", "birth_date"),
            )
        ),
        *(
            ({"query": query}, "/", query, "")
            for query in (
                "q=red+chair",
                "sort=token:asc",
                "filter=password",
                "f=order-1000200030004-x",
                "id=3f2504e0-4f89-41d3-9a0c-0305e82c3301",
                "range=2026-01-01,2026-02-01",
                "fields=id,name,passwordless",
                "page.size=20",
                "lat=52.5200",
                "at=12:30:00",
                "ids=1000200030004,1000200030005",
                "next=/a?page=2&x=1".replace("&x=1", ""),
                "v=card-1772528400123",
            )
        ),
        ({"path": "/x/card-4111111111111111/y"}, "/x/{card}/y", "", ""),
        ({"path": "/x/user:bob@example.com"}, "/x/{email}", "", ""),
        ({"path": "/x/4111111111111111,4012888888881881"}, "/x/{card}", "", ""),
        ({"path": "/x/order-1000200030004/y"}, "/x/order-1000200030004/y", "", ""),
        ({"referer": "https://u:p@a.test/x?token=1#f"}, "/", "", "https://a.test/x?token={token}"),
        ({"referer": "https://a.test/x/y"}, "/", "", "https://a.test/x/y"),
        ({"referer": "https://a.test/pay/4111111111111111"}, "/", "", "https://a.test/pay/{card}"),
    ],
)
def test_secrets_in_targets_are_told_by_class(given, path, query, referer):
    batch, _ = analysed(**given)
    assert (batch.text(0, "path").decode(), batch.text(0, "query").decode(), batch.text(0, "referer").decode()) == (
        path,
        query,
        referer,
    )
    assert b"4111" not in batch.text(0, "template") and b"bob" not in batch.text(0, "template")


def test_a_secret_in_a_word_that_was_learned_to_be_a_value_is_hidden():
    inventory = Inventory((1, 2))
    words = [f"{a}{b}-{c}" for a in ("red", "blue", "old", "new") for b in "abcdefgh" for c in ("chair", "table", "lamp")]
    inventory.analyse(
        batch_of([{"path": f"/v1/things/{word}", "client": f"192.0.2.{k % 200 + 1}"} for k, word in enumerate(words * 4)])
    )
    inventory.endpoints()
    batch, values, _ = inventory.analyse(
        batch_of([{"path": f"/v1/things/{word}"} for word in ("red-sofa", "card-4111111111111111")])
    )
    assert [batch.text(k, "template") for k in range(2)] == [b"/v1/things/{slug}"] * 2
    assert [batch.text(k, "path") for k in range(2)] == [b"/v1/things/red-sofa", b"/v1/things/{card}"]
    assert SENSITIVE[values["secret"][1]] == "card"


def test_a_key_in_the_query_is_a_credential():
    batch, _ = analysed(query="api_key=abcdef")
    assert batch.rows["auth"][0] > 0
    assert batch.rows["credential"][0] != 0


def test_quantiles_are_within_an_eighth():
    profiles = new_profiles(1)
    values = np.random.default_rng(1).lognormal(8, 2, 5000).astype(np.int64)
    for value in values:
        measure(profiles, 0, 0, value)
    for share in (0.05, 0.5, 0.95, 0.99):
        assert quantile(profiles, 0, 0, share) == pytest.approx(np.quantile(values, share), rel=0.13)
    assert all(bucket_of(v) <= bucket_of(v + 1) for v in range(5000))


@pytest.mark.parametrize("clients", [0, 1, 64, 65, 1000, 100_000])
def test_distinct_clients_are_exact_and_then_near(clients):
    profiles = new_profiles(1)
    rng = np.random.default_rng(2)
    for hashed in rng.integers(0, 1 << 64, clients, dtype=np.uint64):
        add_client(profiles, 0, hashed)
        add_client(profiles, 0, hashed)
    found = distinct_clients(profiles, 0)
    assert found == clients if clients <= 64 else found == pytest.approx(clients, rel=0.12)
    clear_profile(profiles, 0)
    assert distinct_clients(profiles, 0) == 0


def test_a_scanner_cannot_push_out_served_endpoints():
    inventory = Inventory(KEY)
    real = [{"path": f"/real/{name}", "status": 200} for name in ("a", "b", "c")]
    inventory.analyse(batch_of(real))
    for part in range(6):
        inventory.analyse(batch_of([{"path": f"/scan/x{part}y{k}", "status": 404} for k in range(5000)]))
    inventory.analyse(batch_of(real))
    found = inventory.endpoints()
    assert [(row["endpoint"], row["transactions"]) for row in found] == [("/real/a", 2), ("/real/b", 2), ("/real/c", 2)]
    assert inventory.table.control[0] <= CAPACITY


def test_hosts_that_somebody_makes_up_cannot_push_out_those_that_are_called():
    inventory, counters = Inventory(KEY), np.zeros(len(REASONS), np.uint64)
    real = [{"path": f"/real/{name}"} for name in ("a", "b", "c")] * 4
    inventory.analyse(batch_of(real))
    for part in range(6):
        inventory.analyse(batch_of([{"host": f"x{part}y{k}.test"} for k in range(5000)]))
        inventory.count(counters)
    inventory.analyse(batch_of([*real, {"path": "/late"}]))
    found = [(row["endpoint"], row["transactions"]) for row in inventory.endpoints() if row["host"] == "api.test"]
    assert found == [("/late", 1), ("/real/a", 8), ("/real/b", 8), ("/real/c", 8)]
    assert 30_000 - CAPACITY < counters[REASON["endpoint_overflow"]] < 30_000


def test_who_gives_way_in_the_middle_of_a_batch_keeps_its_values():
    """30,000 hosts in one batch: each has the parameter that it was called with, or is not told of."""
    inventory = Inventory(KEY)
    words = ["".join(letters) for letters in itertools.product("abcdefghijklmnopqrstuvwxyz", repeat=3)] + ["xy"] * 3
    inventory.analyse(
        batch_of([{"host": f"{word}.test", "query": f"p{word}=1"} for word in [*words, *(f"{word}z" for word in words)]])
    )
    named = {(row["host"], row["name"]) for row in inventory.parameters()}
    assert len(named) > 10_000 and all(host == f"{name[1:]}.test" for host, name in named)


def test_a_parameter_that_is_sent_twice_counts_once():
    inventory = Inventory(KEY)
    inventory.analyse(batch_of([{"query": "tag=a&tag=b&x=1&tag=a"}] * 3))
    found = {row["name"]: (row["seen"], row["distinct_values"]) for row in inventory.parameters()}
    assert found == {"tag": (3, 2), "x": (3, 1)}


def test_no_parameter_has_more_values_than_requests():
    inventory = Inventory(KEY)
    inventory.analyse(batch_of([{"path": "/p", "query": f"v{k % 40}=w{k}"} for k in range(400)]))
    assert all(row["distinct_values"] <= row["seen"] == 10 for row in inventory.parameters())


def test_what_no_document_names_is_undocumented():
    operations = {("api.test", "GET", "/a/{}"), ("", "POST", "/b"), ("api.test", "GET", "/files/{}.json")}
    inventory = Inventory(KEY, documents=Documents(frozenset(operations), frozenset({"api.test", ""})))
    called = (("/a/1", "GET"), ("/a/1", "POST"), ("/b", "POST"), ("/c", "GET"), ("/c", "OPTIONS"), ("/files/a.json", "GET"))
    inventory.analyse(
        batch_of([{"path": path, "method": method} for path, method in called] + [{"path": "/c", "host": "other.test"}])
    )
    told = {(row["host"], row["method"], row["endpoint"]): row["facts"] for row in inventory.endpoints()}
    assert told == {
        ("api.test", "GET", "/a/{int}"): ["documented"], ("api.test", "POST", "/a/{int}"): ["undocumented"],
        ("api.test", "POST", "/b"): ["documented"], ("api.test", "GET", "/c"): ["undocumented"], ("api.test", "OPTIONS", "/c"): [],
        ("api.test", "GET", "/files/a.json"): [], ("other.test", "GET", "/c"): [],
    }  # fmt: skip


def test_no_error_hides_the_stack_trace_of_another_endpoint():
    inventory = Inventory(KEY)
    trace = b"Traceback (most recent call last):"
    broken = [
        {"path": f"/broken/{name}", "status": 500, "answer": b"sorry", "answer_media": "text"}
        for name in "abc"
        for _ in range(90)
    ]
    telling = [{"path": f"/telling/{name}", "status": 500, "answer": trace, "answer_media": "text"} for name in "defgh"]
    batch, _, _ = inventory.analyse(batch_of(broken + telling))
    inventory.read_answers(batch)
    told = {row["endpoint"] for row in inventory.endpoints() if "stack_trace" in row["facts"]}
    assert told == {f"/telling/{name}" for name in "defgh"}


def test_the_profile_counts_what_was_seen():
    inventory = Inventory(KEY)
    inventory.analyse(
        batch_of(
            [
                {"path": "/x/1", "status": 200, "response_type": "application/json", "client": "192.0.2.1"},
                {"path": "/x/2", "status": 404, "client": "192.0.2.2", "auth": "basic"},
                {"path": "/x/3", "status": 0, "latency_us": -1, "client": "2001:db8::1"},
            ]
        )
    )
    (row,) = inventory.endpoints()
    assert (row["endpoint"], row["transactions"], row["clients"], row["unanswered"], row["status_2xx"], row["status_4xx"]) == (
        "/x/{int}", 3, 3, 1, 1, 1,
    )  # fmt: skip
    assert row["response_types"] == ["application/json"]
    assert row["auth"] == ["none", "basic"]
