"""Policies: no ordinary request would have been stopped, attackers would, and gateways read what is written."""

import collections
import importlib
import json
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft4Validator

from sensor.outputs.policy.bodies import Body, bodies_by_method
from sensor.outputs.policy.forms import FORMATS
from sensor.outputs.policy.rules import LEAST_CLIENTS, Credentials, Rate, Rule, body_limit, literal, rules

TAPWATCH = pathlib.Path(sys.executable).with_name("tapwatch")
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
ATTACKERS = {"198.51.100.77", "192.0.2.145"}
HOSTILE = ['/a"b;c', "/x{y}$z", "/new\nline", "/\u00fc\u202e", "/(.*)+", "/a b#c", "/';drop", "/{int}/`id`/{slug}"]


def tapwatch(*arguments: str) -> str:
    done = subprocess.run([TAPWATCH, *arguments], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def policy(bundled_store) -> dict:
    return yaml.safe_load(tapwatch("export", "policy", "--host", "api.shop.test", "--store", bundled_store))


@pytest.fixture(scope="module")
def transactions(bundled_store) -> list[dict]:
    sql = (
        "SELECT replaceOne(IPv6NumToString(client_ip), '::ffff:', '') AS client, host, method, path, auth, request_bytes, "
        "toUnixTimestamp64Micro(ts) / 1e6 AS at FROM transactions WHERE host = 'api.shop.test' ORDER BY at"
    )
    return [json.loads(line) for line in tapwatch("sql", "--json", sql, "--store", bundled_store).splitlines()]


def rule_for(policy: dict, row: dict) -> dict | None:
    return next(
        (one for one in policy["rules"] if one["host"] == row["host"] and re.fullmatch(one["pattern"], row["path"])), None
    )


def test_no_request_of_an_ordinary_address_would_have_been_stopped(policy, transactions):
    """Minutes that begin anywhere, methods, credentials and sizes, over everything that was seen."""
    windows: dict[tuple, collections.deque] = collections.defaultdict(collections.deque)
    stopped = collections.Counter()
    judged = 0
    for row in transactions:
        rule = rule_for(policy, row)
        if rule is None:
            continue
        judged += 1
        window = windows[rule["path"], row["method"], row["client"]]
        window.append(row["at"])
        while window[0] <= row["at"] - 60:
            window.popleft()
        rate = rule["rates"].get(row["method"], {}).get("per_minute_and_address")
        too_fast = rate is not None and len(window) > rate
        too_large = row["request_bytes"] > rule["body_bytes"]
        bare = row["method"] in rule["credentials"] and row["auth"] == "none"
        if too_fast or too_large or bare or row["method"] not in rule["methods"]:
            stopped[row["client"]] += 1
    assert judged > 0.95 * len(transactions)
    assert set(stopped) == ATTACKERS and stopped["198.51.100.77"] > 300 and stopped["192.0.2.145"] > 200


def test_what_the_rules_rest_on(policy):
    by_path = {rule["path"]: rule for rule in policy["rules"]}
    rate = by_path["/v1/products/{int}"]["rates"]["GET"]
    assert rate["ordinary_addresses"] >= 35 and rate["per_minute_and_address"] == 2 * rate["busiest_minute_so_far"]
    assert rate["share_of_addresses_below"] == pytest.approx(0.05 ** (1 / rate["ordinary_addresses"]), abs=1e-4)
    assert by_path["/v1/orders/{uuid}"]["credentials"]["GET"]["one_of"] == ["cookie", "jwt"]
    assert by_path["/healthz"]["rates"] == {}, "one address is not enough for a rate"
    assert by_path["/v1/cart"]["methods"] == ["DELETE", "GET"]
    for rule in policy["rules"]:
        lines = [rule[name] for name in rule if name.endswith("_stopped_share")]
        lines += [one["stopped_share"] for part in ("rates", "credentials", "bodies") for one in rule[part].values()]
        reasons = [rule[name] for name in rule if name.endswith("_because")]
        assert len(lines) >= 2 and len(reasons) >= 2 and all(share < 0.01 for share in lines) and all(reasons)


def test_each_line_says_what_it_rests_on(policy, bundled_store):
    """The same sentences in every form that has room for sentences."""
    envoy, nginx = (
        tapwatch("export", "policy", "-f", form, "--host", "api.shop.test", "--store", bundled_store)
        for form in ("envoy", "nginx")
    )
    told = [
        one["metadata"]["filter_metadata"]["tapwatch"]
        for host in yaml.safe_load(envoy)["virtual_hosts"]
        for one in host["routes"]
    ]
    in_envoy = {text for one in told for text in one.values()}
    for rule in policy["rules"]:
        texts = [rule[name] for name in rule if name.endswith("_because")]
        texts += [one["because"] for part in ("rates", "credentials", "bodies") for one in rule[part].values()]
        assert set(texts) <= in_envoy and all(text in nginx for text in texts), rule["path"]


def test_bodies_are_asked_for_what_all_had(policy):
    bodies = {rule["path"]: rule["bodies"] for rule in policy["rules"]}
    told = bodies["/v1/cart/items"]["POST"]
    schema = told["schema"]
    assert told["learned_from"] >= 200 and told["share_of_bodies_that_fit"] == round(1 - 1 / (told["learned_from"] + 2), 4)
    assert schema["required"] == ["product"], "one body of another capture had no quantity"
    assert schema["properties"]["quantity"] == {"type": "number"} and schema["properties"]["product"] == {"type": "number"}
    valid = Draft4Validator(schema).is_valid
    assert valid({"product": 1, "quantity": 2}) and valid({"product": 1.5, "quantity": 2, "gift": True})
    assert not valid({"product": "1", "quantity": 2}) and not valid({"quantity": 2}) and not valid([])
    assert bodies["/v1/checkout"] == bodies["/v1/cart"] == {}, "too few bodies, and none"


def field(path, kind, required=1, total=200, partial=0):
    return {"side": "request", "method": "POST", "path": path, "type": kind, "integers": 0, "required": required, "total": total,
            "bodies": total, "partial": partial, "status": 0}  # fmt: skip


def test_bodies_that_were_not_seen_whole_teach_no_schema():
    rows = [field("", "object"), field("n", "number")]
    assert bodies_by_method(rows)["POST"].schema["properties"] == {"n": {"type": "number"}}
    assert bodies_by_method([row | {"partial": 1} for row in rows]) == {}


def test_odd_keys_are_keys():
    rows = [
        field("", "object"),
        field("\\e", "number"),
        field("\\[]", "string"),
        field("list", "array"),
        field("list[]", "string"),
    ]
    schema = bodies_by_method(rows)["POST"].schema
    assert schema["type"] == "object" and set(schema["properties"]) == {"", "[]", "list"}
    assert schema["properties"]["list"]["items"] == {"type": "string"}


def test_sizes():
    assert [body_limit(size) for size in (0, 1, 512, 513, 5_000)] == [1024, 1024, 1024, 2048, 16_384]


@given(st.text(max_size=20))
def test_a_literal_matches_itself_alone(text):
    pattern = literal(text)
    assert (
        re.fullmatch(pattern.encode(), text.encode("utf-8", "surrogatepass")) or "\ud800" <= max(text, default="") <= "\udfff"
    )
    assert not re.search(r'["\'$;{}\s#`]', pattern)


def hostile_rules() -> list[Rule]:
    rate = Rate(20, 10, LEAST_CLIENTS, 100)
    body = Body({"type": "object", "properties": {key: {"type": "string"} for key in HOSTILE}, "required": HOSTILE[:2]}, 200)
    borne = {method: Credentials(("bearer",), 200) for method in ("GET", "POST")}
    return [Rule('evil".test;\n', path, ("GET", "POST"), {"GET": rate}, borne, 1024, {"POST": body}) for path in HOSTILE]


@pytest.mark.parametrize("form", ["yaml", "kong", "envoy"])
def test_documents_are_read_back(form, policy):
    found = yaml.safe_load(FORMATS[form](hostile_rules()))
    if form == "yaml":
        assert [rule["path"] for rule in found["rules"]] == HOSTILE
    elif form == "kong":
        (service,) = found["services"]
        assert len(service["routes"]) == 3 * len(HOSTILE) == len({route["name"] for route in service["routes"]})
        assert {plugin["name"] for route in service["routes"] for plugin in route["plugins"]} == {
            "rate-limiting",
            "pre-function",
            "request-size-limiting",
            "request-validator",
        }
        (validator,) = (one for one in service["routes"][1]["plugins"] if one["name"] == "request-validator")
        Draft4Validator.check_schema(json.loads(validator["config"]["body_schema"]))
    else:
        (host,) = found["virtual_hosts"]
        assert len(host["routes"]) == 3 * len(HOSTILE)
        bucket = host["routes"][0]["typed_per_filter_config"]["envoy.filters.http.local_ratelimit"]["descriptors"][0][
            "token_bucket"
        ]
        assert bucket == {"max_tokens": 20, "tokens_per_fill": 20, "fill_interval": "60s"}


@pytest.mark.filterwarnings("ignore")  # of the package's own
@pytest.mark.parametrize("which", ["hostile", "observed"])
def test_envoy_knows_every_field(which, bundled_store):
    """By the message types of Envoy's own API: a field that there is not, or of another type, is an error."""
    read_as = importlib.import_module("envoy_data_plane.envoy.config.route.v3").RouteConfiguration.from_dict
    for name in ("buffer", "local_ratelimit", "rbac"):
        importlib.import_module(f"envoy_data_plane.envoy.extensions.filters.http.{name}.v3")
    text = (
        FORMATS["envoy"](hostile_rules())
        if which == "hostile"
        else tapwatch("export", "policy", "-f", "envoy", "--store", bundled_store)
    )
    document = yaml.safe_load(text)
    read = read_as(document)
    assert [[route.name for route in host.routes] for host in read.virtual_hosts] == [
        [route["name"] for route in host["routes"]] for host in document["virtual_hosts"]
    ]
    (limited, *_) = (
        route
        for host in read.virtual_hosts
        for route in host.routes
        if "envoy.filters.http.local_ratelimit" in route.typed_per_filter_config
    )
    (descriptor,) = limited.typed_per_filter_config["envoy.filters.http.local_ratelimit"].unpack().descriptors
    assert descriptor.token_bucket.max_tokens == descriptor.token_bucket.tokens_per_fill >= 10
    asking = [
        route.typed_per_filter_config["envoy.filters.http.rbac"].unpack()
        for host in read.virtual_hosts
        for route in host.routes
        if "envoy.filters.http.rbac" in route.typed_per_filter_config
    ]
    assert asking and all(len(one.rbac.rules.policies["bears-a-credential"].principals[0].or_ids.ids) == 2 for one in asking)
    route = document["virtual_hosts"][0]["routes"][0]
    route["match"]["safe_regexp"] = route["match"].pop("safe_regex")
    with pytest.raises(Exception, match="safe_regexp"):
        read_as(document)


def test_endpoints_of_which_nothing_was_served_have_no_rule():
    endpoint = {"host": "a", "method": "GET", "endpoint": "/x", "auth": ["none"]}
    fact = {"host": "a", "method": "GET", "endpoint": "/x", "clients": 50, "busiest": 3, "requests": 100, "served": 0,
            "without_credentials": 100, "largest_body": 0}  # fmt: skip
    assert rules([endpoint], [fact], []) == []
    (rule,) = rules([endpoint], [fact | {"served": 1}], [])
    assert rule.rates["GET"].per_minute == 10 and rule.credentials == {} and rule.body_bytes == 1024
    refused = [fact | {"method": "PUT", "requests": 25}, fact | {"method": "OPTIONS"}]
    others = [endpoint | {"method": one["method"]} for one in refused]
    (rule,) = rules([endpoint, *others], [fact | {"served": 1}, *refused], [])
    assert rule.methods == ("GET",) and rule.stopped == 0.2
    operations = [endpoint | {"endpoint": f"/x#{name}", "method": "POST"} for name in "ab"]
    served, never = (fact | {"endpoint": f"/x#{name}", "method": "POST", "served": name == "a"} for name in "ab")
    (by_body,) = rules(operations, [served, never], [])
    assert by_body.methods == ("POST",) and by_body.stopped == 0
    assert rule.because_methods == (
        "100 ordinary requests had these methods; 25 had others, which never were served: 20.00% would have been stopped."
    )


def test_credentials_are_asked_for_by_method():
    """A public GET beside a guarded POST, preflights without any, and a key."""
    facts = [
        {"host": "a", "method": method, "endpoint": "/x", "clients": 50, "busiest": 3, "requests": 100, "served": 100,
         "without_credentials": bare, "largest_body": 0}
        for method, bare in (("GET", 100), ("POST", 0), ("OPTIONS", 100), ("PUT", 0))
    ]  # fmt: skip
    kinds = {"GET": ["none"], "POST": ["jwt", "none"], "OPTIONS": ["none"], "PUT": ["api_key"]}
    (rule,) = rules(
        [{"host": "a", "method": one["method"], "endpoint": "/x", "auth": kinds[one["method"]]} for one in facts], facts, []
    )
    assert {method: (borne.kinds, borne.stand_in_fields) for method, borne in rule.credentials.items()} == {
        "POST": (("jwt",), True), "PUT": (("api_key",), False),
    }  # fmt: skip
    kong = yaml.safe_load(FORMATS["kong"]([rule]))
    asking = {route["methods"][0]: [one["name"] for one in route["plugins"]] for route in kong["services"][0]["routes"]}
    assert "pre-function" in asking["POST"] and not any("pre-function" in asking[one] for one in ("GET", "OPTIONS", "PUT"))
    envoy = yaml.safe_load(FORMATS["envoy"]([rule]))["virtual_hosts"][0]["routes"]
    guarded = {
        route["match"]["headers"][0]["string_match"].get("exact"): route.get("typed_per_filter_config", {}) for route in envoy
    }
    assert ["envoy.filters.http.rbac" in guarded[one] for one in ("POST", "GET", "PUT")] == [True, False, False]
    assert "ask for them yourself" in FORMATS["envoy"]([rule]) and "ask for them yourself" in FORMATS["nginx"]([rule])
    assert "takes-keys-borne-by-all-of-100" in FORMATS["kong"]([rule])


def nginx_of(folder: pathlib.Path, text: str, port: int) -> list[str]:
    (folder / "policy.conf").write_text(text)
    (folder / "nginx.conf").write_text(f"""
daemon off; pid {folder}/pid; error_log {folder}/error.log; user root;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  include {folder}/policy.conf;
  server {{ listen 127.0.0.1:{port}; if ($tapwatch_method_refused) {{ return 405; }} if ($tapwatch_credentials_missing) {{ return 401; }}
    location / {{ try_files /nothing =204; }} }}
}}""")
    return [NGINX, "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"]


OTHER_MAP = 'map $http_upgrade $connection_upgrade { default upgrade; "" close; }\n'
"""What stands in many configurations before ours."""
needs_nginx = pytest.mark.skipif(not NGINX, reason="needs nginx")


@needs_nginx
def test_nginx_reads_hostile_names(tmp_path):
    done = subprocess.run(
        [*nginx_of(tmp_path, OTHER_MAP + FORMATS["nginx"](hostile_rules()), 1), "-t"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@needs_nginx
def test_nginx_does_as_the_policy_says(bundled_store, policy, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    text = tapwatch("export", "policy", "-f", "nginx", "--host", "api.shop.test", "--store", bundled_store)
    server = subprocess.Popen(nginx_of(tmp_path, text, port))
    try:
        wait_for_server(port)
        rate = next(rule for rule in policy["rules"] if rule["path"] == "/v1/products/{int}")["rates"]["GET"][
            "per_minute_and_address"
        ]
        found = [status("GET", f"/v1/products/{k}", port) for k in range(3 * rate)]
        assert found[:rate] == [204] * rate and 429 in found
        assert status("GET", "/v1/products/none", port) == 204, "another path"
        assert status("PATCH", "/v1/cart", port) == 405 and status("DELETE", "/v1/cart", port) == 204
        order = "/v1/orders/0b1d7b3e-0000-4000-8000-000000000000"
        assert status("GET", order, port) == 401 and status("GET", order, port, Authorization="Bearer x") == 204
    finally:
        server.terminate()
        server.wait(10)


@needs_nginx
def test_of_two_rules_that_fit_the_particular_one_counts(tmp_path):
    """A name beside values: open, and busy; the others ask for a token and are rarely called."""
    slow, fast = Rate(10, 5, LEAST_CLIENTS, 100), Rate(200, 100, LEAST_CLIENTS, 1_000)
    many = [
        Rule("api.shop.test", "/users/login", ("GET",), {"GET": fast}, {}, 0),
        Rule(
            "api.shop.test",
            "/users/{slug}",
            ("GET", "PUT"),
            {"GET": slow},
            {"GET": Credentials(("jwt",), 200), "PUT": Credentials(("jwt",), 200)},
            0,
        ),
        Rule("api.shop.test", "/keys", ("GET",), {}, {"GET": Credentials(("api_key",), 200)}, 0),
    ]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(nginx_of(tmp_path, FORMATS["nginx"](many), port))
    try:
        wait_for_server(port)
        assert {status("GET", "/users/login", port) for _ in range(60)} == {204}
        assert status("PUT", "/users/login", port) == 405 and status("GET", "/users/anna", port) == 401
        assert 429 in {status("GET", "/users/anna", port, Authorization="Bearer x") for _ in range(30)}
        assert status("GET", "/keys?api_key=x", port) == 204
    finally:
        server.terminate()
        server.wait(10)


def test_hosts_that_are_no_names_have_no_rule():
    for host in ("u@evil.example/x", "a b", "x;y", "", "a..b"):
        endpoint = {"host": host, "method": "GET", "endpoint": "/x", "auth": ["none"]}
        fact = {"host": host, "method": "GET", "endpoint": "/x", "clients": 50, "busiest": 3, "requests": 100, "served": 100,
                "without_credentials": 100, "largest_body": 0}  # fmt: skip
        assert rules([endpoint], [fact], []) == []
    text = FORMATS["kong"]([Rule("169.254.169.254", "/x", ("GET",), {}, {}, 0)])
    assert yaml.safe_load(text)["services"][0]["url"] == "http://upstream.invalid"


def wait_for_server(port: int) -> None:
    for _ in range(100):
        try:
            status("GET", "/", port)
            return
        except OSError:
            time.sleep(0.05)


def status(method: str, path: str, port: int, **headers: str) -> int:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", method=method, headers={"Host": "api.shop.test"} | headers
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
