"""Rules as gateways read them. What a gateway cannot say stands there as a comment."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import yaml

from sensor.outputs.policy.rules import CONFIDENCE, KIB, Rate, Rule, literal

UPSTREAM = "http://upstream.invalid"
"""Where a policy cannot do without an upstream: a name that leads nowhere (RFC 6761)."""
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
        "rates": {
            method: {
                "per_minute_and_address": rate.per_minute,
                "busiest_minute_so_far": rate.busiest,
                "ordinary_addresses": rate.clients,
                "ordinary_requests": rate.requests,
                "share_of_addresses_below": round(rate.coverage, 4),
            }
            for method, rate in rule.rates.items()
        },
        "credentials": list(rule.credentials),
        "body_bytes": rule.body_bytes,
        "bodies": {
            method: {"schema": body.schema, "learned_from": body.bodies, "share_of_bodies_that_fit": round(body.fitting, 4)}
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
        "map_hash_bucket_size 256;",
        "",
    ]
    lines += ['map "$host:$server_port$uri" $tapwatch_rule {', '    default "";']
    lines += [f'    "~^{_host(rule)}{rule.pattern}$" {_short(rule)};' for rule in rules]
    lines += ["}", ""]
    for rule in rules:
        for method, rate in rule.rates.items():
            name = f"tapwatch_{_short(rule)}_{method.lower()}"
            lines += [
                f"# {_because(rate)}",
                f'map "$request_method $tapwatch_rule" ${name} {{',
                '    default "";',
                f'    "{method} {_short(rule)}" $binary_remote_addr;',
                "}",
                f"limit_req_zone ${name} zone={name}:1m rate={rate.per_minute}r/m;",
                f"limit_req zone={name} burst={rate.per_minute} nodelay;",
                "",
            ]
    lines += ["limit_req_status 429;", "", 'map "$request_method $tapwatch_rule" $tapwatch_method_refused {', '    default "";']
    lines += [f'    "~^(?:{"|".join(rule.methods)}|OPTIONS|HEAD) {_short(rule)}$" "";' for rule in rules]
    lines += [f'    "~^[^ ]+ {_short(rule)}$" 1;' for rule in rules]
    lines += [
        "}",
        "",
        'map "$tapwatch_rule $http_authorization$http_cookie" $tapwatch_credentials_missing {',
        '    default "";',
    ]
    for rule in rules:
        if rule.credentials and "api_key" not in rule.credentials:
            lines.append(f'    "{_short(rule)} " 1;')
        elif rule.credentials:
            lines.append(f"    # {_short(rule)} takes keys, in fields or queries that are not kept: ask for them yourself")
    lines += ["}", ""]
    for rule in rules:
        for method, body in rule.bodies.items():
            lines.append(f"# nginx cannot ask for it: a body of {method} {_short(rule)} fits {json.dumps(body.schema)}")
    lines += ["", "# In the server block:"]
    lines += ["#   if ($tapwatch_method_refused) { return 405; }", "#   if ($tapwatch_credentials_missing) { return 401; }"]
    largest = max((rule.body_bytes for rule in rules), default=0)
    if largest:
        lines.append(
            f"#   client_max_body_size {largest // KIB}k;  # for the largest body; by location where others are smaller"
        )
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
                plugins.append(
                    {"name": "rate-limiting", "config": {"minute": rate.per_minute, "limit_by": "ip", "policy": "local"},
                     "tags": [_tag(rate)]}
                )  # fmt: skip
            if rule.body_bytes:
                size = {"allowed_payload_size": max(1, rule.body_bytes // KIB), "size_unit": "kilobytes"}
                plugins.append({"name": "request-size-limiting", "config": size})
            if body := rule.bodies.get(method):  # a plugin of Kong Gateway's enterprise edition
                form = {"version": "draft4", "body_schema": json.dumps(body.schema)}
                plugins.append({"name": "request-validator", "config": form, "tags": [f"learned-from-{body.bodies}"]})
            service["routes"].append(
                {"name": f"tapwatch-{_short(rule)}-{method.lower()}", "hosts": [rule.host], "methods": [method],
                 "paths": [f"~{rule.pattern}$"], "regex_priority": len(rules) - place,
                 "strip_path": False, "plugins": plugins}
            )  # fmt: skip
    return f"# {HEAD}\n" + _dump({"_format_version": "3.0", "services": list(services.values())})


def as_envoy(rules: list[Rule]) -> str:
    """Virtual hosts with routes for an HTTP connection manager that has the filters local_ratelimit and buffer.

    The bucket of each address is a dynamic descriptor (Envoy 1.34 and newer).
    """
    hosts: dict[str, list[dict[str, Any]]] = {}
    for rule in rules:
        for method in rule.methods:
            route: dict[str, Any] = {
                "name": f"tapwatch-{_short(rule)}-{method.lower()}",
                "match": {
                    "safe_regex": {"regex": f"^{rule.pattern}$"},
                    "headers": [{"name": ":method", "string_match": {"exact": method}}],
                },
                "route": {"cluster": "tapwatch-upstream"},
            }
            filters: dict[str, Any] = {}
            if rate := rule.rates.get(method):
                route["route"]["rate_limits"] = [{"actions": [{"remote_address": {}}]}]
                bucket = {"max_tokens": rate.per_minute, "tokens_per_fill": rate.per_minute, "fill_interval": "60s"}
                filters["envoy.filters.http.local_ratelimit"] = {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
                    "stat_prefix": route["name"],
                    "token_bucket": {name: 1_000_000 if "tokens" in name else "1s" for name in bucket},
                    "filter_enabled": {"default_value": {"numerator": 100, "denominator": "HUNDRED"}},
                    "filter_enforced": {"default_value": {"numerator": 100, "denominator": "HUNDRED"}},
                    "descriptors": [{"entries": [{"key": "remote_address"}], "token_bucket": bucket}],
                }
                route["metadata"] = {"filter_metadata": {"tapwatch": {"because": _because(rate)}}}
            if rule.body_bytes:
                filters["envoy.filters.http.buffer"] = {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.BufferPerRoute",
                    "buffer": {"max_request_bytes": rule.body_bytes},
                }
            if body := rule.bodies.get(method):  # Envoy cannot ask for it
                said = route.setdefault("metadata", {}).setdefault("filter_metadata", {}).setdefault("tapwatch", {})
                said["body_schema"] = json.dumps(body.schema)
            if filters:
                route["typed_per_filter_config"] = filters
            hosts.setdefault(rule.host, []).append(route)
    virtual = [{"name": f"tapwatch-{_digest(host)}", "domains": [host], "routes": routes} for host, routes in hosts.items()]
    return f"# {HEAD}\n" + _dump({"virtual_hosts": virtual})


FORMATS: dict[str, Callable[[list[Rule]], str]] = {"yaml": as_yaml, "nginx": as_nginx, "kong": as_kong, "envoy": as_envoy}


def _because(rate: Rate) -> str:
    """What a rate rests on, as a sentence of the sensor's own words."""
    return (
        f"{rate.requests} requests of {rate.clients} ordinary addresses, at most {rate.busiest} in a minute: none would have "
        f"been stopped, and at least {rate.coverage:.1%} of those to come stay below {rate.per_minute}."
    )


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
