"""One address tries leaked credentials at a login endpoint (API2:2023, broken authentication).

Statistic: for each (login endpoint, address) the CUSUM of the log-likelihood ratio of failed against successful
attempts (Page 1954): S = max(0, S + ln(p1/p0)) on a failure, S + ln((1-p1)/(1-p0)) on a success. p0 is the failure
share that is usual at this endpoint, learned from its other addresses, each of which counts with its first
TEACHES attempts alone, so that an attacker cannot teach it; p1 = 0.98, as leaked credentials rarely fit (0.1 to 2 %).

Threshold: `threshold` = 13.8 nats. By Wald's bound a run above it comes once in e^13.8 = 1,000,000 renewals of
ordinary attempts at the earliest (Lorden 1971). People who forgot their password fail in a row, too: that is what
`min_attempts` is for, and that the requests must differ in length: a client that repeats one wrong password sends
the same bytes.
Cold start: until the endpoint was seen, p0 is drawn to 0.15.
"""

import json
import re

import numpy as np

from detectors.base import Alert, Detector, View, address_text, confidence_from, duration_text, place_text
from detectors.incidents import claim, update
from sensor.core.bundle import Bundle
from sensor.core.hashing import U, mix
from sensor.core.jit import kernel
from sensor.inventory.endpoints import CAPACITY

LOGIN = re.compile(r"(?i)(^|[/._-])(log-?in|log-?on|sign-?in|authenticate|auth|oauth2?|token|session|sessions)([/._-]|$)")
LOGIN_METHODS = ("POST", "PUT")

TRACKS = 32_768
WAYS = 8
RAISED_LIMIT = 1_024
SAMPLES = 8
RAISED = 1
TEACHES = 10
PRIOR_FAILURES, PRIOR_ATTEMPTS = 3.0, 20.0
"""p0 before the endpoint is known: three of twenty attempts fail."""
FLOOR, CEILING = 0.02, 0.7
ATTACK_FAILS = 0.98

SAMPLE = np.dtype([("ts", "<i8"), ("port", "<u2"), ("status", "<u2")])
TRACK = np.dtype([
    ("key", "<u8"), ("status", "u1"), ("endpoint", "<u4"),
    ("source_hi", "<u8"), ("source_lo", "<u8"),
    ("first_ts", "<i8"), ("last_ts", "<i8"), ("raised_ts", "<i8"), ("raised_at", "<i4"),
    ("attempts", "<u4"), ("failures", "<u4"),
    ("lengths", "<u8"),  # bit k: a body of a length that is k modulo 64
    ("sum", "<f8"), ("peak", "<f8"), ("usual", "<f8"),
    ("sample", SAMPLE, (SAMPLES,)), ("samples", "u1"),
])  # fmt: skip
CONTROL = np.dtype([("raised", "<i8"), ("unkept", "<i8")])


class LoginState(Bundle):
    """Everything the detector remembers."""

    tracks: np.ndarray
    """TRACK[TRACKS], sets of WAYS places"""
    usual: np.ndarray
    """float64[CAPACITY, 2]: failures and attempts that count as ordinary, by endpoint"""
    logins: np.ndarray
    """uint8[CAPACITY]: 1 for a login endpoint, 0 for another"""
    raised: np.ndarray
    """TRACK[RAISED_LIMIT]"""
    control: np.ndarray


@kernel
def find_track(state, row, idle):
    """The track of (endpoint, address), begun anew after a long silence."""
    key = mix(row["client_lo"] ^ mix(row["client_hi"]) ^ (U(row["endpoint"]) << U(40)))
    base = np.int64(key & U(TRACKS // WAYS - 1)) * WAYS
    chosen = base
    for k in range(base, base + WAYS):
        track = state.tracks[k]
        if track["key"] == key and track["attempts"] > 0 and row["ts"] - track["last_ts"] <= idle:
            return np.int64(k)
        if track["attempts"] == 0 or (
            state.tracks[chosen]["attempts"] > 0 and track["last_ts"] < state.tracks[chosen]["last_ts"]
        ):
            chosen = k
    track = state.tracks[chosen]
    track["key"] = key
    track["status"] = 0
    track["endpoint"] = row["endpoint"]
    track["source_hi"] = row["client_hi"]
    track["source_lo"] = row["client_lo"]
    track["first_ts"] = row["ts"]
    track["last_ts"] = row["ts"]
    track["raised_at"] = -1
    track["attempts"] = 0
    track["failures"] = 0
    track["lengths"] = 0
    track["sum"] = 0.0
    track["peak"] = 0.0
    track["samples"] = 0
    return np.int64(chosen)


@kernel
def usual_share(state, track):
    """p0: failure share of the endpoint's other addresses, drawn to the prior."""
    own = min(np.float64(track["attempts"]), np.float64(TEACHES))
    own_failures = min(np.float64(track["failures"]), own)
    failures, attempts = state.usual[track["endpoint"], 0] - own_failures, state.usual[track["endpoint"], 1] - own
    return min(CEILING, max(FLOOR, (max(0.0, failures) + PRIOR_FAILURES) / (max(0.0, attempts) + PRIOR_ATTEMPTS)))


@kernel
def distinct_lengths(lengths):
    """Bits set: a lower bound of the different body lengths."""
    count = 0
    while lengths != U(0):
        lengths &= lengths - U(1)
        count += 1
    return count


@kernel
def keep(state, track, ts, raise_now):
    """Note a raised track among the incidents, where there is room."""
    if raise_now:
        track["status"] = RAISED
        track["raised_ts"] = ts
        claim(state.raised, state.control[0], track)
    update(state.raised, track)


@kernel
def watch_logins(state, rows, threshold, min_attempts, min_lengths, idle):
    """Take the answered login attempts of a batch."""
    for index in range(rows.shape[0]):
        row = rows[index]
        status = np.int64(row["status"])
        if not state.logins[row["endpoint"]] or status == 0 or status >= 500:
            continue
        track = state.tracks[find_track(state, row, idle)]
        failed = status >= 400
        usual = usual_share(state, track)
        track["attempts"] += np.uint32(1)
        track["failures"] += np.uint32(failed)
        track["last_ts"] = max(track["last_ts"], row["ts"])
        track["lengths"] |= U(1) << (U(row["request_bytes"]) & U(63))
        track["usual"] = usual
        ratio = np.log(ATTACK_FAILS / usual) if failed else np.log((1.0 - ATTACK_FAILS) / (1.0 - usual))
        track["sum"] = max(0.0, track["sum"] + ratio)
        track["peak"] = max(track["peak"], track["sum"])
        at = min(np.int64(track["samples"]), SAMPLES - 1)
        track["sample"][at]["ts"] = row["ts"]
        track["sample"][at]["port"] = row["client_port"]
        track["sample"][at]["status"] = row["status"]
        track["samples"] = at + 1
        if track["attempts"] <= TEACHES:
            state.usual[row["endpoint"], 0] += 1.0 if failed else 0.0
            state.usual[row["endpoint"], 1] += 1.0
        enough = track["attempts"] >= min_attempts and distinct_lengths(track["lengths"]) >= min_lengths
        tips = track["status"] != RAISED and enough and track["sum"] >= threshold
        if tips or track["status"] == RAISED:
            keep(state, track, row["end"], tips)


class CredentialStuffing(Detector):
    """Many failing log-ins with different credentials from one address."""

    name = "credential_stuffing"
    owasp = "API2:2023"
    severity = "high"

    threshold: float = 13.8
    """nats; ordinary attempts reach it once in e^13.8 = 1,000,000 at the earliest"""
    min_attempts: int = 20
    """attempts of one address below which it may be a person who forgot a password"""
    min_lengths: int = 3
    """different lengths of request bodies, as different credentials have"""
    idle_minutes: int = 60
    """silence after which an address begins anew"""

    def __init__(self, **settings: float):
        super().__init__(**settings)
        self._state = LoginState(
            np.zeros(TRACKS, TRACK),
            np.zeros((CAPACITY, 2)),
            np.zeros(CAPACITY, np.uint8),
            np.zeros(RAISED_LIMIT, TRACK),
            np.zeros(1, CONTROL),
        )
        self._generation = np.zeros(CAPACITY, np.uint32)

    def update(self, view: View) -> None:
        self._recognise(view.endpoints)
        idle = self.idle_minutes * 60 * 1_000_000_000
        watch_logins(self._state, view.batch.rows, float(self.threshold), int(self.min_attempts), int(self.min_lengths), idle)

    def _recognise(self, endpoints) -> None:
        """Ask of each endpoint that is new, by its method and template, whether it is a log-in."""
        for place in np.flatnonzero(endpoints.rows["generation"] != self._generation).tolist():
            self._generation[place] = endpoints.rows["generation"][place]
            _, method, template = place_text(endpoints, place)
            self._state.logins[place] = method in LOGIN_METHODS and bool(LOGIN.search(template))
            self._state.usual[place] = 0

    def alerts(self, endpoints) -> list[Alert]:
        raised = self._state.raised[: self._state.control["raised"][0]]
        return [self._describe(track, endpoints) for track in raised]

    def _describe(self, track, endpoints) -> Alert:
        host, method, template = self.place_of(track, endpoints)
        source = address_text(int(track["source_hi"]), int(track["source_lo"]))
        attempts, failures = int(track["attempts"]), int(track["failures"])
        span = duration_text(int(track["last_ts"]) - int(track["first_ts"]))
        explanation = (
            f"ip:{source} tried to log in {attempts} times at {host} {method} {template} within {span}: {failures} attempts "
            f"({failures / attempts:.1%}) failed, where {track['usual']:.1%} is usual here."
        )
        if failures < attempts:
            explanation += f" {attempts - failures} attempts succeeded: treat these accounts as taken over."
        return Alert(
            detector=self.name,
            owasp=self.owasp,
            severity="critical" if failures < attempts else self.severity,
            confidence=confidence_from(float(track["peak"]) - self.threshold),
            first_seen=int(track["first_ts"]),
            last_seen=int(track["last_ts"]),
            raised_at=int(track["raised_ts"]),
            host=host,
            method=method,
            endpoint=template,
            actor=f"ip:{source}",
            actors=1,
            sources=[source],
            transactions=attempts,
            statistic={"name": "CUSUM of failed log-ins (nats)", "value": round(float(track["peak"]), 2)},
            threshold=float(self.threshold),
            explanation=explanation,
            evidence=[
                json.dumps({"ts": int(sample["ts"]), "client_ip": source, "client_port": int(sample["port"]), "method": method,
                            "status": int(sample["status"])})
                for sample in track["sample"][: int(track["samples"])]
            ],
        )  # fmt: skip
