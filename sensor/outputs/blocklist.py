"""Addresses of alerts as decision feeds that gateways take in: who, until when, how sure, why, and whom else it would hit.

Nothing from the wire stands in a feed but addresses: the rest is the sensor's own words.
"""

import csv
import dataclasses
import datetime
import io
import ipaddress
import json
import uuid
from collections.abc import Callable, Iterable
from typing import Any

Row = dict[str, Any]
NEVER = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
        "224.0.0.0/4", "240.0.0.0/4", "::/127", "fc00::/7", "fe80::/10", "ff00::/8",
    )
)  # fmt: skip
"""Networks that no feed may name: private, local, shared by carriers, multicast."""
BLOCK_FROM = 0.9
"""Confidence from which on an address that nobody else uses is to be blocked; others are to be slowed down."""
NAMESPACE = uuid.UUID("7e2b8c1e-6c0e-5d0f-9a55-3f6b6a0c7a11")
"""Of the identifiers in STIX, which are the same in every export."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """One address."""

    address: str
    action: str
    """block or throttle"""
    expires: datetime.datetime
    confidence: float
    detector: str
    alert_id: str
    radius: int
    """others who used the address in the last seven days and were in no alert: the blast radius"""


@dataclasses.dataclass(frozen=True)
class Feed:
    """Entries, and what was left out of them."""

    entries: list[Entry]
    left_out: list[tuple[str, str]]
    """(address, why)"""


def decide(
    alerts: Iterable[Row],
    radius: dict[str, int],
    own: set[str],
    allowed: Iterable[Any],
    now: datetime.datetime,
    hours: float,
    min_confidence: float,
    max_radius: int,
) -> Feed:
    """Entries for the alerts' sources, the surest alert of each. alerts: rows of the view; own: addresses of servers."""
    allowed = tuple(allowed)
    entries: dict[str, Entry] = {}
    left_out: dict[str, str] = {}
    for row in sorted(alerts, key=lambda row: (-row["confidence"], row["raised_at"], row["alert_id"])):
        expires = _time(row["last_seen"]) + datetime.timedelta(hours=hours)
        for address in row["sources"]:
            if address in entries or address in left_out:
                continue
            why = _why_not(address, row, radius, own, allowed, expires <= now, min_confidence, max_radius)
            if why:
                left_out[address] = why
                continue
            hit = radius.get(address, 0)
            action = "block" if row["confidence"] >= BLOCK_FROM and hit == 0 else "throttle"
            entries[address] = Entry(address, action, expires, row["confidence"], row["detector"], row["alert_id"], hit)
    return Feed(sorted(entries.values(), key=_order), sorted(left_out.items()))


def _why_not(address, row, radius, own, allowed, expired, min_confidence, max_radius) -> str:
    """Why an address stands in no feed; empty where it may."""
    ip = ipaddress.ip_address(address)
    if address in own:
        return "is an address of the servers that are watched"
    if any(ip in network for network in allowed):
        return "is on the list of those allowed"
    if any(ip in network for network in NEVER):
        return "is private or local"
    if row.get("mark") in ("false-positive", "benign"):
        return f"its alert is marked {row['mark']}"
    if expired:
        return "was quiet for longer than entries last"
    if row["confidence"] < min_confidence:
        return f"its alert has a confidence of {row['confidence']:.2f}"
    if radius.get(address, 0) > max_radius:
        return f"{radius[address]} others in no alert use it, too"
    return ""


def _order(entry: Entry) -> tuple[int, int]:
    ip = ipaddress.ip_address(entry.address)
    return ip.version, int(ip)


def _time(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).astimezone(datetime.UTC)


def _stamp(time: datetime.datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _version(entry: Entry) -> int:
    return ipaddress.ip_address(entry.address).version


def as_csv(entries: list[Entry], now: datetime.datetime) -> str:
    """address, action, expires, confidence, detector, alert_id, radius"""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([field.name for field in dataclasses.fields(Entry)])
    writer.writerows((dataclasses.asdict(entry) | {"expires": _stamp(entry.expires)}).values() for entry in entries)
    return out.getvalue()


def as_json(entries: list[Entry], now: datetime.datetime) -> str:
    """One object a line."""
    return "".join(json.dumps(dataclasses.asdict(entry) | {"expires": _stamp(entry.expires)}) + "\n" for entry in entries)


def as_nftables(entries: list[Entry], now: datetime.datetime) -> str:
    """For `nft -f`: sets `block4`, `block6`, `throttle4`, `throttle6` of table inet tapwatch, whose elements time out."""
    lines = ["add table inet tapwatch"]
    for action in ("block", "throttle"):
        for version in (4, 6):
            name = f"{action}{version}"
            lines.append(f"add set inet tapwatch {name} {{ type ipv{version}_addr; flags timeout; }}")
            lines.append(f"flush set inet tapwatch {name}")
            lines += [
                f"add element inet tapwatch {name} {{ {entry.address} timeout {_seconds(entry, now)}s "
                f'comment "{entry.detector} {entry.alert_id}" }}'
                for entry in entries
                if entry.action == action and _version(entry) == version
            ]
    return "\n".join(lines) + "\n"


def _seconds(entry: Entry, now: datetime.datetime) -> int:
    return max(1, int((entry.expires - now).total_seconds()))


def as_nginx(entries: list[Entry], now: datetime.datetime) -> str:
    """A map to include in `http {}`: $tapwatch is block, throttle or empty."""
    lines = [
        f"    {entry.address} {entry.action}; # {entry.detector} {entry.alert_id} until {_stamp(entry.expires)}"
        for entry in entries
    ]
    return "\n".join(["map $remote_addr $tapwatch {", '    default "";', *lines, "}"]) + "\n"


def as_haproxy(entries: list[Entry], now: datetime.datetime) -> str:
    """A map file for `map_ip(FILE)`: address and action."""
    return "".join(f"{entry.address} {entry.action}\n" for entry in entries)


def as_aws_waf(entries: list[Entry], now: datetime.datetime) -> str:
    """IP sets as `aws wafv2 create-ip-set --cli-input-json` takes them, one object a line for each version."""
    lines = []
    for version, bits in ((4, 32), (6, 128)):
        addresses = [f"{entry.address}/{bits}" for entry in entries if entry.action == "block" and _version(entry) == version]
        ip_set = {
            "Name": f"tapwatch-block-v{version}",
            "Scope": "REGIONAL",
            "IPAddressVersion": f"IPV{version}",
            "Addresses": addresses,
        }
        lines.append(json.dumps(ip_set) + "\n")
    return "".join(lines)


def as_crowdsec(entries: list[Entry], now: datetime.datetime) -> str:
    """For `cscli decisions import -i FILE --format json`."""
    decisions = [
        {
            "duration": f"{_seconds(entry, now)}s",
            "origin": "tapwatch",
            "reason": f"{entry.detector} {entry.alert_id}",
            "scope": "ip",
            "type": "ban" if entry.action == "block" else "throttle",
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
        stamp = _stamp(now)
        objects.append(
            {
                "type": "indicator",
                "spec_version": "2.1",
                "id": f"indicator--{uuid.uuid5(NAMESPACE, f'{entry.address} {entry.alert_id}')}",
                "created": stamp,
                "modified": stamp,
                "name": f"{entry.detector} {entry.alert_id}",
                "indicator_types": ["malicious-activity"],
                "pattern": f"[{kind}:value = '{entry.address}']",
                "pattern_type": "stix",
                "valid_from": stamp,
                "valid_until": _stamp(entry.expires),
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
    "aws-waf": as_aws_waf,
    "crowdsec": as_crowdsec,
    "stix": as_stix,
}
