"""Rules as gateways read them. What a gateway cannot say stands there as a comment."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import yaml

from sensor.outputs.policy.rules import ALWAYS, CONFIDENCE, KIB, Rate, Rule, literal

UPSTREAM = "http://upstream.invalid"
"""Where a policy cannot do without an upstream: a name that leads nowhere (RFC 6761)."""
ASKING = (
    'if not (kong.request.get_header("authorization") or kong.request.get_header("cookie")) then '
    'return kong.response.exit(401, { message = "Unauthorized" }) end'
)
"""Kong's own plugins of authentication would ask its own users' database: that a credential is there is all that is known."""
ENVOY = "type.googleapis.com/envoy.extensions.filters.http."
KEYS = "takes keys, in fields or queries that are not kept: ask for them yourself"
HEAD = "Made by Tapwatch from what ordinary addresses did; those in alerts are not among them."


def as_yaml(rules: list[Rule]) -> str:
    """Everything that is known, for people and for programs of their own."""
    return _dump({"about": HEAD, "confidence": CONFIDENCE, "rules": [_plain(rule) for rule in rules]})


def _plain(rule: Rule) -> dict[str, Any]:
    return {
        "host": rule.host,
        "path": rule.template,
        "pattern": f"^{rule.pattern}$",
        "methods": list(rule.methods),
        "methods_because": rule.because_methods,
        "methods_stopped_share": round(rule.stopped, 6),
        "rates": {
            method: {
                "per_minute_and_address": rate.per_minute,
                "busiest_minute_so_far": rate.busiest,
                "ordinary_addresses": rate.clients,
                "ordinary_requests": rate.requests,
                "share_of_addresses_below": round(rate.coverage, 4),
                "because": rate.because,
                "stopped_share": 0.0,
            }
            for method, rate in rule.rates.items()
        },
        "credentials": {
            method: {"one_of": list(borne.kinds), "because": borne.because, "stopped_share": 0.0}
            for method, borne in rule.credentials.items()
        },
        "body_bytes": rule.body_bytes,
        "body_bytes_because": rule.because_size,
        "body_bytes_stopped_share": 0.0,
        "bodies": {
            method: {
                "schema": body.schema,
                "learned_from": body.bodies,
                "share_of_bodies_that_fit": round(body.fitting, 4),
                "because": body.because,
                "stopped_share": 0.0,
            }
            for method, body in rule.bodies.items()
        },
    }


def as_nginx(rules: list[Rule]) -> str:
    """Rates, methods and credentials as maps for the http block; what belongs into the server block stands at the end.

    A map takes the first pattern that fits: each request has one rule, that of the most particular path.
    """
    lines = [
        f"# {HEAD}",
        "# Include this in the http block. A request without a rule has no limit.",
        "",
    ]
    lines += ['map "$host:$server_port$uri" $tapwatch_rule {', '    default "";']
    lines += [f'    "~^{_host(rule)}{rule.pattern}$" {_short(rule)};' for rule in rules]
    lines += ["}", ""]
    for rule in rules:
        for method, rate in rule.rates.items():
            name = f"tapwatch_{_short(rule)}_{method.lower()}"
            lines += [
                f"# {rate.because}",
                f'map "$request_method $tapwatch_rule" ${name} {{',
                '    default "";',
                f'    "{method} {_short(rule)}" $binary_remote_addr;',
                "}",
                f"limit_req_zone ${name} zone={name}:1m rate={rate.per_minute}r/m;",
                f"limit_req zone={name} burst={rate.per_minute} nodelay;",
                "",
            ]
    lines += ["limit_req_status 429;", "", 'map "$request_method $tapwatch_rule" $tapwatch_method_refused {', '    default "";']
    for rule in rules:
        lines += [f"    # {rule.because_methods}", f'    "~^(?:{"|".join((*rule.methods, *ALWAYS))}) {_short(rule)}$" "";']
    lines += [f'    "~^[^ ]+ {_short(rule)}$" 1;' for rule in rules]
    lines += [
        "}",
        "",
        'map "$request_method $tapwatch_rule $http_authorization$http_cookie" $tapwatch_credentials_missing {',
        '    default "";',
    ]
    for rule in rules:
        for method, borne in rule.credentials.items():
            if borne.stand_in_fields:
                lines += [f"    # {borne.because}", f'    "{method} {_short(rule)} " 1;']
            else:
                lines.append(f"    # {method} {_short(rule)} {KEYS}")
    lines += ["}", ""]
    for rule in rules:
        for method, body in rule.bodies.items():
            lines.append(f"# {body.because} nginx cannot ask for it: {method} {_short(rule)} {json.dumps(body.schema)}")
    lines += ["", "# In the server block:"]
    lines += ["#   if ($tapwatch_method_refused) { return 405; }", "#   if ($tapwatch_credentials_missing) { return 401; }"]
    for size in sorted({rule.body_bytes for rule in rules}):
        lines.append(f"#   client_max_body_size {size // KIB}k;  # in locations for:")
        for rule in rules:
            if rule.body_bytes == size:
                lines.append(f"#     ^{rule.pattern}$  {rule.because_size}")
    return "\n".join(lines) + "\n"


def as_kong(rules: list[Rule]) -> str:
    """Routes with plugins, as a declarative configuration (decK, format 3.0): a service a host, a route a path and method.

    Where requests go to is not for clients to say, who wrote the hosts: UPSTREAM is to be replaced.
    """
    services: dict[str, dict[str, Any]] = {}
    for place, rule in enumerate(rules):
        service = services.setdefault(rule.host, {"name": f"tapwatch-{_digest(rule.host)}", "url": UPSTREAM, "routes": []})
        for method in rule.methods:
            plugins: list[dict[str, Any]] = []
            if rate := rule.rates.get(method):
                limits = {"minute": rate.per_minute, "limit_by": "ip", "policy": "local"}
                plugins.append({"name": "rate-limiting", "config": limits, "tags": [_tag(rate)]})
            tags = [f"stopped-{rule.stopped:.6f}"]
            if borne := rule.credentials.get(method):
                if borne.stand_in_fields:
                    said = [f"borne-by-all-of-{borne.requests}"]
                    plugins.append({"name": "pre-function", "config": {"access": [ASKING]}, "tags": said})
                else:
                    tags.append(f"takes-keys-borne-by-all-of-{borne.requests}")
            size = {"allowed_payload_size": rule.body_bytes // KIB, "size_unit": "kilobytes"}
            plugins.append({"name": "request-size-limiting", "config": size, "tags": [f"largest-{rule.largest_body}"]})
            if body := rule.bodies.get(method):  # a plugin of Kong Gateway's enterprise edition
                form = {"version": "draft4", "body_schema": json.dumps(body.schema)}
                plugins.append({"name": "request-validator", "config": form, "tags": [f"learned-from-{body.bodies}"]})
            route = _kong_route(rule, method.lower(), [method], len(rules) - place, plugins)
            service["routes"].append(route | {"tags": tags})
        if others := _never_refused(rule):
            service["routes"].append(_kong_route(rule, "always", others, len(rules) - place, []))
    return f"# {HEAD}\n" + _dump({"_format_version": "3.0", "services": list(services.values())})


def _kong_route(rule: Rule, name: str, methods: list[str], priority: int, plugins: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": f"tapwatch-{_short(rule)}-{name}", "hosts": [rule.host], "methods": methods, "paths": [f"~{rule.pattern}$"],
        "regex_priority": priority, "strip_path": False, "plugins": plugins,
    }  # fmt: skip


def as_envoy(rules: list[Rule]) -> str:
    """Virtual hosts with routes for an HTTP connection manager that has the filters local_ratelimit, rbac and buffer.

    The bucket of each address is a dynamic descriptor (Envoy 1.34 and newer).
    """
    hosts: dict[str, list[dict[str, Any]]] = {}
    for rule in rules:
        routes = hosts.setdefault(rule.host, [])
        routes += [_envoy_route(rule, method) for method in rule.methods]
        if others := _never_refused(rule):
            route = _envoy_match(rule, "always", {"safe_regex": {"regex": "|".join(others)}})
            routes.append(route | {"metadata": {"filter_metadata": {"tapwatch": {"methods": rule.because_methods}}}})
    virtual = [{"name": f"tapwatch-{_digest(host)}", "domains": [host], "routes": routes} for host, routes in hosts.items()]
    return f"# {HEAD}\n" + _dump({"virtual_hosts": virtual})


def _never_refused(rule: Rule) -> list[str]:
    """Methods of ALWAYS that the rule has no route for: what has no route is refused."""
    return [method for method in ALWAYS if method not in rule.methods]


def _envoy_match(rule: Rule, name: str, method: dict[str, Any]) -> dict[str, Any]:
    """A route without limits, for the methods that a StringMatcher fits."""
    headers = [{"name": ":method", "string_match": method}]
    return {
        "name": f"tapwatch-{_short(rule)}-{name}",
        "match": {"safe_regex": {"regex": f"^{rule.pattern}$"}, "headers": headers},
        "route": {"cluster": "tapwatch-upstream"},
    }


def _envoy_route(rule: Rule, method: str) -> dict[str, Any]:
    route = _envoy_match(rule, method.lower(), {"exact": method})
    said: dict[str, Any] = {"methods": rule.because_methods, "body_bytes": rule.because_size}
    filters: dict[str, Any] = {}
    if rule.largest_body:  # the filter waits for whole requests: where none has a body one may be an upgrade that never ends
        size = {"@type": f"{ENVOY}buffer.v3.BufferPerRoute", "buffer": {"max_request_bytes": rule.body_bytes}}
        filters["envoy.filters.http.buffer"] = size
    if rate := rule.rates.get(method):
        said["rate"] = rate.because
        route["route"]["rate_limits"] = [{"actions": [{"remote_address": {}}]}]
        filters["envoy.filters.http.local_ratelimit"] = _envoy_rate(rate, route["name"])
    if borne := rule.credentials.get(method):
        said["credentials"] = borne.because if borne.stand_in_fields else KEYS
        if borne.stand_in_fields:
            filters["envoy.filters.http.rbac"] = _envoy_credentials()
    if body := rule.bodies.get(method):  # Envoy cannot ask for it
        said |= {"body_schema": json.dumps(body.schema), "body": body.because}
    return (
        route
        | {"metadata": {"filter_metadata": {"tapwatch": said}}}
        | ({"typed_per_filter_config": filters} if filters else {})
    )


def _envoy_rate(rate: Rate, name: str) -> dict[str, Any]:
    bucket = {"max_tokens": rate.per_minute, "tokens_per_fill": rate.per_minute, "fill_interval": "60s"}
    return {
        "@type": f"{ENVOY}local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": name,
        "token_bucket": {"max_tokens": 1_000_000, "tokens_per_fill": 1_000_000, "fill_interval": "1s"},
        **{
            name: {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
            for name in ("filter_enabled", "filter_enforced")
        },
        "descriptors": [{"entries": [{"key": "remote_address"}], "token_bucket": bucket}],
    }


def _envoy_credentials() -> dict[str, Any]:
    """Requests with Authorization or Cookie are let through, others are answered 403."""
    bearing = [{"header": {"name": name, "present_match": True}} for name in ("authorization", "cookie")]
    policy = {"permissions": [{"any": True}], "principals": [{"or_ids": {"ids": bearing}}]}
    return {
        "@type": f"{ENVOY}rbac.v3.RBACPerRoute",
        "rbac": {"rules": {"action": "ALLOW", "policies": {"bears-a-credential": policy}}},
    }


FORMATS: dict[str, Callable[[list[Rule]], str]] = {"yaml": as_yaml, "nginx": as_nginx, "kong": as_kong, "envoy": as_envoy}


def _tag(rate: Rate) -> str:
    return f"busiest-{rate.busiest}-of-{rate.clients}"


def _host(rule: Rule) -> str:
    """A pattern for `$host:$server_port`: of the port that the clients name, or of any."""
    name, colon, port = rule.host.rpartition(":")
    if colon and port.isdigit():
        return f"{literal(name)}:{port}"
    return f"{literal(rule.host)}:[0-9]+"


def _short(rule: Rule) -> str:
    return _digest(f"{rule.host} {rule.template}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _dump(document: Any) -> str:
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=False, width=120)
