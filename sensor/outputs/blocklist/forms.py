"""Blocklists as gateways and other tools take them in."""

import csv
import datetime
import io
import ipaddress
import json
import uuid
from collections.abc import Callable
from typing import Any

from sensor.outputs.blocklist.rules import ACTIONS, BLOCK, CHALLENGE, Entry, stamp

NAMESPACE = uuid.UUID("7e2b8c1e-6c0e-5d0f-9a55-3f6b6a0c7a11")
"""Of the identifiers in STIX, which are the same in every export."""
AWS_ALERTS = 8
"""Alerts that the description of an IP set names; it may have 256 characters."""
CROWDSEC = {BLOCK: "ban", CHALLENGE: "captcha"}
"""Its own words; other actions keep ours, for a bouncer that knows them."""
BITS = {4: 32, 6: 128}
COLUMNS = ("address", "action", "expires", "confidence", "detector", "alert_id", "radius")

Row = dict[str, Any]


def _precise(time: datetime.datetime) -> str:
    """As STIX wants `created` and `modified`: to the millisecond."""
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z"


def _version(entry: Entry) -> int:
    return ipaddress.ip_address(entry.address).version


def _told(entry: Entry) -> Row:
    return {name: getattr(entry, name) for name in COLUMNS} | {"expires": stamp(entry.expires)}


def as_csv(entries: list[Entry], now: datetime.datetime) -> str:
    """address, action, expires, confidence, detector, alert_id, radius"""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_told(entry).values() for entry in entries)
    return out.getvalue()


def as_json(entries: list[Entry], now: datetime.datetime) -> str:
    """One object a line."""
    return "".join(json.dumps(_told(entry)) + "\n" for entry in entries)


def as_nftables(entries: list[Entry], now: datetime.datetime) -> str:
    """For `nft -f`: sets `block4`, `block6`, `throttle4`, … of table inet tapwatch, whose elements time out."""
    lines = ["add table inet tapwatch"]
    for action in ACTIONS:
        for version in (4, 6):
            name = f"{action}{version}"
            lines.append(f"add set inet tapwatch {name} {{ type ipv{version}_addr; flags timeout; }}")
            lines.append(f"flush set inet tapwatch {name}")
            lines += [
                f"add element inet tapwatch {name} {{ {entry.address} timeout {_seconds(entry, now)}s "
                f'comment "{entry.because}" }}'
                for entry in entries
                if entry.action == action and _version(entry) == version
            ]
    return "\n".join(lines) + "\n"


def _seconds(entry: Entry, now: datetime.datetime) -> int:
    return max(1, int((entry.expires - now).total_seconds()))


def as_nginx(entries: list[Entry], now: datetime.datetime) -> str:
    """A map to include in `http {}`: $tapwatch is the action, or empty."""
    lines = [f"    {entry.address} {entry.action}; # {entry.because}" for entry in entries]
    return "\n".join(["map $remote_addr $tapwatch {", '    default "";', *lines, "}"]) + "\n"


def as_haproxy(entries: list[Entry], now: datetime.datetime) -> str:
    """A map file for `map_ip(FILE)`: address and action."""
    return "".join(f"# {entry.because}\n{entry.address} {entry.action}\n" for entry in entries)


def as_haproxy_acl(entries: list[Entry], now: datetime.datetime) -> str:
    """Patterns for `acl tapwatch src -f FILE`: addresses to refuse."""
    return "".join(f"# {entry.because}\n{entry.address}\n" for entry in entries)


def as_envoy(entries: list[Entry], now: datetime.datetime) -> str:
    """An HTTP filter that denies (envoy.extensions.filters.http.rbac.v3), as JSON, by the address that Envoy trusts.

    One policy for what rests on the same, named by it: Envoy tells in its logs which one a request met.
    """
    policies: dict[str, Row] = {}
    for entry in entries:
        policy = policies.setdefault(f"tapwatch {entry.because}", {"permissions": [{"any": True}], "principals": []})
        prefix = {"address_prefix": entry.address, "prefix_len": BITS[_version(entry)]}
        policy["principals"].append({"remote_ip": prefix})
    # A policy without principals is none that Envoy takes.
    nobody = {"tapwatch": {"permissions": [{"any": True}], "principals": [{"not_id": {"any": True}}]}}
    rules = {"action": "DENY", "policies": policies or nobody}
    typed = {"@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC", "rules": rules}
    return json.dumps({"name": "envoy.filters.http.rbac", "typed_config": typed}, indent=1) + "\n"


def as_aws_waf(entries: list[Entry], now: datetime.datetime) -> str:
    """An IP set of IPv4 addresses as `aws wafv2 create-ip-set --cli-input-json` takes it."""
    return _ip_set(entries, 4)


def as_aws_waf_v6(entries: list[Entry], now: datetime.datetime) -> str:
    """The same of IPv6 addresses: AWS has a set for each version."""
    return _ip_set(entries, 6)


def _ip_set(entries: list[Entry], version: int) -> str:
    chosen = [entry for entry in entries if _version(entry) == version]
    alerts = sorted({entry.alert_id for entry in chosen})
    because = f"Tapwatch: {len(chosen)} addresses of {len(alerts)} alerts, {' '.join(alerts[:AWS_ALERTS])}".rstrip(" ,")
    ip_set = {
        "Name": f"tapwatch-block-v{version}",
        "Scope": "REGIONAL",
        "Description": because,
        "IPAddressVersion": f"IPV{version}",
        "Addresses": [f"{entry.address}/{BITS[version]}" for entry in chosen],
    }
    return json.dumps(ip_set, indent=1) + "\n"


def as_crowdsec(entries: list[Entry], now: datetime.datetime) -> str:
    """For `cscli decisions import -i FILE --format json`."""
    decisions = [
        {
            "duration": f"{_seconds(entry, now)}s",
            "origin": "tapwatch",
            "reason": entry.because,
            "scope": "ip",
            "type": CROWDSEC.get(entry.action, entry.action),
            "value": entry.address,
        }
        for entry in entries
    ]
    return json.dumps(decisions, indent=1) + "\n"


def as_stix(entries: list[Entry], now: datetime.datetime) -> str:
    """A STIX 2.1 bundle of indicators (OASIS Standard, 4.7)."""
    objects: list[Row] = []
    for entry in entries:
        kind = f"ipv{_version(entry)}-addr"
        since = _precise(entry.raised)
        objects.append(
            {
                "type": "indicator",
                "spec_version": "2.1",
                "id": f"indicator--{uuid.uuid5(NAMESPACE, f'{entry.address} {entry.alert_id}')}",
                "created": since,
                "modified": _precise(max(now, entry.raised)),
                "name": f"{entry.detector} {entry.alert_id}",
                "description": entry.because,
                "indicator_types": ["malicious-activity"],
                "pattern": f"[{kind}:value = '{entry.address}']",
                "pattern_type": "stix",
                "valid_from": since,
                "valid_until": _precise(entry.expires),
                "confidence": round(100 * entry.confidence),
            }
        )
    identity = uuid.uuid5(NAMESPACE, "".join(one["id"] for one in objects))
    return json.dumps({"type": "bundle", "id": f"bundle--{identity}", "objects": objects}, indent=1) + "\n"


FORMATS: dict[str, Callable[[list[Entry], datetime.datetime], str]] = {
    "csv": as_csv,
    "json": as_json,
    "nftables": as_nftables,
    "nginx": as_nginx,
    "haproxy": as_haproxy,
    "haproxy-acl": as_haproxy_acl,
    "envoy": as_envoy,
    "aws-waf": as_aws_waf,
    "aws-waf-v6": as_aws_waf_v6,
    "crowdsec": as_crowdsec,
    "stix": as_stix,
}
