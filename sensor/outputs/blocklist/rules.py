"""Addresses of alerts as decision feeds that gateways take in: who, until when, how sure, why, and whom else it would hit.

Nothing from the wire stands in a feed but addresses: the rest is the sensor's own words.
"""

import csv
import dataclasses
import datetime
import io
import ipaddress
from collections.abc import Iterable
from typing import Any

Row = dict[str, Any]
NEVER = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.168.0.0/16", "224.0.0.0/4", "240.0.0.0/4", "::/127", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64",
        "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    )
)  # fmt: skip
"""Networks that no feed may name: private, local, shared by carriers, multicast, translated (RFC 6890)."""
BLOCK_FROM = 0.9
"""Confidence from which on an address that nobody else uses is to be blocked; others are to be slowed down."""
ONLY_REFUSING = ("haproxy-acl", "envoy", "aws-waf", "aws-waf-v6")
"""Formats that can say nothing but no."""
BLOCK, THROTTLE, CHALLENGE, DECOY = ACTIONS = ("block", "throttle", "challenge", "decoy")
"""What a gateway is to do: refuse; slow down; ask for proof of a person; send to a copy that leads nowhere."""


def stamp(time: datetime.datetime) -> str:
    """A time of day in UTC, to the second (RFC 3339)."""
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


@dataclasses.dataclass(frozen=True)
class Entry:
    """One address."""

    address: str
    action: str
    """one of ACTIONS"""
    expires: datetime.datetime
    confidence: float
    detector: str
    alert_id: str
    radius: int
    """others who used the address in the last seven days and are not known to be bad: the blast radius"""
    raised: datetime.datetime = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    """when its alert was; not told in CSV and JSON"""

    @property
    def because(self) -> str:
        """What it rests on, in one line."""
        return (
            f"{self.detector} {self.alert_id}: {self.action} until {stamp(self.expires)}, "
            f"confidence {self.confidence:.2f}, radius {self.radius}"
        )


@dataclasses.dataclass(frozen=True)
class Feed:
    """Entries, and what was left out of them."""

    entries: list[Entry]
    left_out: list[tuple[str, str]]
    """(address, why)"""


def decide(
    alerts: Iterable[Row],
    radius: dict[str, int],
    servers: set[str],
    own: Iterable[Any],
    allowed: Iterable[Any],
    now: datetime.datetime,
    hours: float,
    min_confidence: float,
    max_radius: int,
    block_as: str = BLOCK,
) -> Feed:
    """Entries for the alerts' sources, the surest alert of each. alerts: rows of the view; servers: addresses;
    own, allowed: networks.

    block_as: what is done to those that could be blocked.
    """
    own, allowed = tuple(own), tuple(allowed)
    entries: dict[str, Entry] = {}
    left_out: dict[str, str] = {}
    for row in sorted(alerts, key=lambda row: (-row["confidence"], row["raised_at"], row["alert_id"])):
        expires = _time(row["last_seen"]) + datetime.timedelta(hours=hours)
        for address in row["sources"]:
            if address in entries or address in left_out:
                continue
            why = _why_not(address, row, radius, servers, own, allowed, expires <= now, min_confidence, max_radius)
            if why:
                left_out[address] = why
                continue
            hit = radius.get(address, 0)
            action = block_as if row["confidence"] >= BLOCK_FROM and hit == 0 else THROTTLE
            entries[address] = Entry(
                address, action, expires, row["confidence"], row["detector"], row["alert_id"], hit, _time(row["raised_at"])
            )
    return Feed(sorted(entries.values(), key=_order), sorted(left_out.items()))


def left_out_text(feed: Feed) -> str:
    """Who is left out, as CSV."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([("address", "why"), *feed.left_out])
    return out.getvalue()


def within(feed: Feed, form: str) -> Feed:
    """The feed as a format can say it: what it cannot is left out, and listed."""
    if form not in ONLY_REFUSING:
        return feed
    why = f"is only to be slowed down, and {form} can but refuse"
    slower = [(entry.address, why) for entry in feed.entries if entry.action == THROTTLE]
    return Feed([entry for entry in feed.entries if entry.action != THROTTLE], sorted([*feed.left_out, *slower]))


def _why_not(address, row, radius, servers, own, allowed, expired, min_confidence, max_radius) -> str:
    """Why an address stands in no feed; empty where it may."""
    ip = ipaddress.ip_address(address)
    if address in servers:
        return "is an address of the servers that are watched"
    if any(ip in network for network in own):
        return "is of your own networks"
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
