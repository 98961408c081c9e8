"""Parameters that bear URLs lead the server inside: to itself, to its network, to its cloud's metadata (API7:2023).

Statistic: different targets inside that one address names at one endpoint. A target is the URL up to its first 64 bytes.

Null model: clients name URLs of the outside (pictures, webhooks), and programs on a desk their own loopback in redirects, which
do not count. Where `usual_clients` = 5 addresses or more name private targets in one parameter that is what it is for, and
these do not count there any more; the metadata of a cloud and schemes as `file:` always do.

Threshold: one target of these two kinds, for which no client has an honest use; `min_targets` = 3 different ones of the others,
which a client that is misconfigured by one hand does not reach. No probability stands behind the 3: it is a rule.
Cold start: as later; nothing is learned but what a parameter is for.
"""

import numpy as np

from detectors.base import Alert, Detector, View, duration_text, evidence_key
from detectors.inward import CERTAIN, KINDS, METADATA, SCHEME, kind_of, url_values
from sensor.core.addresses import address_text
from sensor.inventory.values import IN_BODY, IN_PATH

CANDIDATES = 512
"""URLs of one batch that are looked at."""
INCIDENTS, PLACES = 1_024, 4_096
CASE = np.dtype([
    ("endpoint", "<u4"), ("source_hi", "<u8"), ("source_lo", "<u8"),
    ("first_ts", "<i8"), ("last_ts", "<i8"), ("raised_ts", "<i8"),
    ("requests", "<u4"), ("answered", "<u4"), ("kinds", "u1"), ("targets", "<u8", (8,)), ("different", "<u4"),
    ("status", "<u2"), ("port", "<u2"),
])  # fmt: skip
"""What one address did at one endpoint. targets: hashes of the first eight; different: how many there are."""
PLACE = np.dtype([("key", "<u8"), ("clients", "<u8", (8,)), ("count", "<u4")])
"""Addresses that named private targets in one parameter: the first eight, and how many."""


class Ssrf(Detector):
    """URLs that lead inside."""

    name = "ssrf"
    owasp = "API7:2023"
    severity = "high"

    min_targets: int = 3
    """different private targets of one address, below which it may be misconfigured"""
    usual_clients: int = 5
    """addresses that name private targets in one parameter, from which on that is what it is for"""

    def __init__(self, **settings: float):
        super().__init__(**settings)
        self._cases = np.zeros(INCIDENTS, CASE)
        self._places = np.zeros(PLACES, PLACE)
        self._found = np.zeros(CANDIDATES, np.int64)

    def update(self, view: View) -> None:
        count = url_values(view.values, view.batch.arena, self._found)
        for index in self._found[:count].tolist():
            value = view.values[index]
            row = view.batch.rows[value["row"]]
            kind = kind_of(*_texts(view, value))
            if kind is not None and row["endpoint"] and (kind in CERTAIN or not self._is_usual(row, value)):
                self._note(row, value, kind)

    def _is_usual(self, row: np.void, value: np.void) -> bool:
        """Whether many addresses name private targets in this parameter; this one is counted."""
        key = int(value["slot"]) ^ (int(row["endpoint"]) * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF) ^ int(value["location"])
        place = self._places[key % PLACES]
        if place["key"] != key:
            if place["count"] >= self.usual_clients:
                return False  # the place belongs to a parameter of which more is known
            place["key"], place["count"] = key, 0
        client = int(row["client_hi"]) ^ int(row["client_lo"])
        if client not in place["clients"][: min(int(place["count"]), 8)].tolist():
            if place["count"] < 8:
                place["clients"][int(place["count"])] = client
            place["count"] = min(int(place["count"]) + 1, 1_000)
        return bool(place["count"] >= self.usual_clients)

    def _note(self, row: np.void, value: np.void, kind: int) -> None:
        case = self._case_of(row)
        target, known = int(value["hash"]), min(int(case["different"]), 8)
        if target not in case["targets"][:known].tolist():
            if known < 8:
                case["targets"][known] = target
            case["different"] += 1
        case["requests"] += 1
        case["answered"] += 200 <= row["status"] < 300
        case["kinds"] |= 1 << kind
        case["status"] = row["status"]
        case["port"] = row["client_port"]
        case["last_ts"] = max(case["last_ts"], row["ts"])
        certain = case["kinds"] & sum(1 << one for one in CERTAIN)
        if not case["raised_ts"] and (certain or case["different"] >= self.min_targets):
            case["raised_ts"] = row["ts"]

    def _case_of(self, row: np.void) -> np.void:
        """The case of an address at an endpoint, made where there is none; the one that was quiet for longest gives way."""
        same = (
            (self._cases["endpoint"] == row["endpoint"])
            & (self._cases["source_hi"] == row["client_hi"])
            & (self._cases["source_lo"] == row["client_lo"])
        )
        at = int(np.argmax(same))
        if not same[at]:
            order = self._cases["last_ts"] + (self._cases["raised_ts"] > 0) * np.int64(1 << 62)
            at = int(np.argmin(order))
            self._cases[at] = np.zeros(1, CASE)[0]
            for name, of in (
                ("endpoint", "endpoint"),
                ("source_hi", "client_hi"),
                ("source_lo", "client_lo"),
                ("first_ts", "ts"),
            ):
                self._cases[at][name] = row[of]
        return self._cases[at]

    def alerts(self, endpoints) -> list[Alert]:
        raised = self._cases[self._cases["raised_ts"] > 0]
        return sorted((self._describe(case, endpoints) for case in raised), key=lambda alert: (alert.raised_at, alert.alert_id))

    def _describe(self, case: np.void, endpoints) -> Alert:
        source = address_text(int(case["source_hi"]), int(case["source_lo"]))
        key = int(case["source_hi"]) ^ int(case["source_lo"]) ^ int(case["endpoint"]) << 96
        host, method, template = self.place_of((key, int(case["first_ts"])), int(case["endpoint"]), endpoints)
        kinds = [KINDS[kind] for kind in range(len(KINDS)) if int(case["kinds"]) >> kind & 1]
        certain = bool(int(case["kinds"]) & (1 << METADATA | 1 << SCHEME))
        answered = int(case["answered"])
        span = duration_text(int(case["last_ts"]) - int(case["first_ts"]))
        return Alert(
            detector=self.name,
            owasp=self.owasp,
            severity="critical" if certain and answered else self.severity,
            confidence=0.95 if certain else 0.8,
            first_seen=int(case["first_ts"]),
            last_seen=int(case["last_ts"]),
            raised_at=int(case["raised_ts"]),
            host=host,
            method=method,
            endpoint=template,
            actor=f"ip:{source}",
            actors=1,
            sources=[source],
            transactions=int(case["requests"]),
            statistic={"name": "different targets inside", "value": float(case["different"])},
            threshold=1.0 if certain else float(self.min_targets),
            explanation=(
                f"ip:{source} named {int(case['different'])} target{'' if case['different'] == 1 else 's'} inside, in "
                f"{int(case['requests'])} requests for {host} {method} {template} within {span}: {', '.join(kinds)}. "
                f"{answered} of them were answered with 2xx."
            ),
            evidence=[_evidence(case, source, method)],
        )


def _evidence(case: np.void, source: str, method: str) -> str:
    """The newest of its requests."""
    return evidence_key(int(case["last_ts"]), source, int(case["port"]), method, int(case["status"]))


def _texts(view: View, value: np.void) -> tuple[str, str]:
    """(a value, as far as it is there; its parameter's name)"""
    arena, length = view.batch.arena, min(int(value["len"]), 256 if value["location"] != IN_BODY else 64)
    text = arena[int(value["at"]) : int(value["at"]) + length].tobytes().decode("utf-8", "replace")
    if value["location"] == IN_PATH:
        return text, ""
    name = arena[int(value["name_at"]) : int(value["name_at"]) + int(value["name_len"])].tobytes().decode("utf-8", "replace")
    return text, name
