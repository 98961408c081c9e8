"""An alert as others take it in: plain JSON, OCSF 1.x (Detection Finding, 2004), ECS 8, a text for chats, RFC 5424.

Text from the wire (host, endpoint) is data in all of them: JSON escapes it, syslog's structure escapes it, chats get no markup.
"""

import json
from typing import Any

Row = dict[str, Any]
SEVERITY_ID = {"low": 2, "medium": 3, "high": 4, "critical": 5}
"""OCSF; ECS takes the same number times 20."""
SYSLOG_SEVERITY = {"low": 5, "medium": 4, "high": 3, "critical": 2}
"""RFC 5424 6.2.1: notice, warning, error, critical."""
LOCAL0 = 16
RAISED, UPDATED = "raised", "updated"
ACTIVITY_ID = {RAISED: 1, UPDATED: 2}
ENTERPRISE = 32473
"""The number that IANA keeps for documentation (RFC 5612): Tapwatch has none of its own."""
MOST_SOURCES = 100
SYSLOG_LARGEST = 8_192
"""Bytes of a message of syslog; RFC 5426 3.2 asks receivers of datagrams for 2,048 and recommends more."""
FITTING = ((MOST_SOURCES, 100_000), (10, 100_000), (1, 1_000), (1, 100))
"""(sources, letters of each text) that are told, until the message is small enough."""
MILLISECOND = 1_000_000
"""ns"""
OCSF_VERSION, ECS_VERSION = "1.3.0", "8.17.0"


def plain(row: Row, event: str, sensor: str, times: Row) -> Row:
    """The alert itself. times: first_seen, last_seen and raised_at as RFC 3339."""
    kept = ("alert_id", "detector", "owasp", "severity", "confidence", "host", "method", "endpoint", "actor", "actors",
            "transactions", "statistic", "threshold", "explanation")  # fmt: skip
    return (
        {"event": event, "sensor": sensor}
        | {name: row[name] for name in kept}
        | times
        | {"sources": row["sources"][:MOST_SOURCES]}
    )


def ocsf(row: Row, event: str, sensor: str, times: Row) -> Row:
    """https://schema.ocsf.io/1.3.0/classes/detection_finding"""
    activity = ACTIVITY_ID[event]
    return {
        "category_uid": 2, "class_uid": 2004, "activity_id": activity, "type_uid": 200_400 + activity,
        "time": row["last_seen"] // MILLISECOND, "start_time": row["first_seen"] // MILLISECOND,
        "end_time": row["last_seen"] // MILLISECOND, "severity_id": SEVERITY_ID[row["severity"]], "status_id": 1,
        "confidence_score": round(100 * row["confidence"]), "count": row["transactions"], "message": row["explanation"],
        "metadata": {"version": OCSF_VERSION, "product": {"name": "Tapwatch", "vendor_name": "Tapwatch"}, "log_name": sensor,
                     "uid": row["alert_id"]},
        "finding_info": {"uid": row["alert_id"], "title": f"{row['detector']} at {row['host']}{row['endpoint']}",
                         "desc": row["explanation"], "types": [row["owasp"]],
                         "first_seen_time": row["first_seen"] // MILLISECOND, "last_seen_time": row["last_seen"] // MILLISECOND,
                         "analytic": {"name": row["detector"], "type_id": 3}},
        "observables": [{"name": "src_endpoint.ip", "type_id": 2, "value": source} for source in row["sources"][:MOST_SOURCES]],
        "resources": [{"name": f"{row['method']} {row['endpoint']}", "type": "API endpoint", "namespace": row["host"]}],
    }  # fmt: skip


def ecs(row: Row, event: str, sensor: str, times: Row) -> Row:
    """https://www.elastic.co/guide/en/ecs/8.17"""
    return {
        "@timestamp": times["last_seen"],
        "ecs": {"version": ECS_VERSION},
        "event": {"kind": "alert", "category": ["intrusion_detection", "web"], "type": ["info"], "action": event,
                  "id": row["alert_id"], "severity": 20 * SEVERITY_ID[row["severity"]], "start": times["first_seen"],
                  "end": times["last_seen"], "dataset": "tapwatch.alert", "module": "tapwatch", "reason": row["explanation"],
                  "risk_score": round(100 * row["confidence"])},
        "message": row["explanation"],
        "observer": {"name": sensor, "product": "Tapwatch", "type": "sensor", "vendor": "Tapwatch"},
        "rule": {"name": row["detector"], "category": row["owasp"]},
        "related": {"ip": row["sources"][:MOST_SOURCES], "hosts": [row["host"]] if row["host"] else []},
        "http": {"request": {"method": row["method"]}},
        "url": {"domain": row["host"], "path": row["endpoint"]},
    }  # fmt: skip


def chat(row: Row, event: str, sensor: str, times: Row) -> Row:
    """A text for an incoming webhook as of Slack: `&`, `<` and `>` mean something there, and nothing else is markup."""
    text = f"{row['severity'].upper()} {row['detector']} ({event}, {sensor}): {row['explanation']} {row['alert_id']}"
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {"text": "".join(c if c.isprintable() else "?" for c in escaped), "mrkdwn": False}


FORMATS = {"json": plain, "ocsf": ocsf, "ecs": ecs, "slack": chat}


def syslog(row: Row, body: Row, event: str, sensor: str, host: str, times: Row) -> bytes:
    """One message of RFC 5424, its text the alert in the format that was asked for."""
    fields = {"alert_id": row["alert_id"], "event": event, "severity": row["severity"], "detector": row["detector"],
              "owasp": row["owasp"], "host": row["host"], "endpoint": row["endpoint"], "sensor": sensor}  # fmt: skip
    structured = " ".join(f'{name}="{_quoted(value)}"' for name, value in fields.items())
    priority = LOCAL0 * 8 + SYSLOG_SEVERITY[row["severity"]]
    head = f"<{priority}>1 {times['last_seen']} {_word(host)} tapwatch - {event} [tapwatch@{ENTERPRISE} {structured}] "
    return head.encode() + json.dumps(body).encode()


def fitting_syslog(row: Row, form: str, event: str, sensor: str, host: str, times: Row) -> bytes:
    """The same with a text that is whole JSON within SYSLOG_LARGEST bytes: sources are left out first, then texts cut short."""
    message = b""
    for sources, letters in FITTING:
        cut = {name: value[:letters] + "…" for name, value in row.items() if isinstance(value, str) and len(value) > letters}
        short = row | cut | {"sources": row["sources"][:sources]}
        message = syslog(short, FORMATS[form](short, event, sensor, times), event, sensor, host, times)
        if len(message) <= SYSLOG_LARGEST:
            break
    return message


def _quoted(text: str) -> str:
    """A value of structured data (RFC 5424 6.3.3), on one line."""
    escaped = "".join("\\" + c if c in '"\\]' else c for c in text)
    return "".join(c if c.isprintable() else "?" for c in escaped)


def _word(text: str) -> str:
    """A name in a header: printable ASCII without spaces."""
    return "".join(c for c in text if 33 <= ord(c) <= 126)[:255] or "-"
