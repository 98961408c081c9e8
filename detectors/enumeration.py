"""One actor walks through the values of one parameter (API1:2023, broken object level authorisation).

Statistic: four independent votes on (actor, endpoint, parameter), each the surprise in nats of what was seen under
the endpoint's own ordinary traffic, capped at VOTE_CAP so that none decides alone:

- volume: distinct values against the other actors' numbers of distinct values, log-normal by median and upper quartile;
- walk: successive values that differ by one and the same step (binomial; in ordinary use steps repeat rarely);
- novelty: too few repeats, as ordinary interest returns to popular values (binomial, share of repeats of the others);
- misses: too many answers that say the value does not exist or is forbidden (binomial, share of misses of the others).

Threshold: Fisher's method (Fisher 1925): under the null the sum of four votes is Erlang(4) distributed, and exceeds
`threshold` = 29.2 nats with probability 1e-9 for each actor and parameter. The votes are bounds or have heavy tails, so take
this as an order of magnitude. Volume is required besides: what one actor in a hundred does is no attack.
Cold start: until MIN_POPULATION actors were seen, the priors below stand for them.
"""

import json
import math

import numpy as np

from detectors.base import Alert, Detector, View, address_text, confidence_from, duration_text, printable
from detectors.enumeration_kernels import RAISED, TEXT, enumerate_rows, new_enumeration
from sensor.inventory.secrets import SECRET_CLASSES
from sensor.inventory.values import IN_PATH, IN_QUERY


class Enumeration(Detector):
    """Values of one parameter tried one after the other by one actor."""

    name = "enumeration"
    owasp = "API1:2023"
    severity = "high"

    threshold: float = 29.2
    """nats of the summed votes; 29.2 means a false-alarm probability of about 1e-9 for each actor and parameter"""
    min_distinct: int = 20
    """distinct values below which nothing is called an enumeration"""
    idle_minutes: int = 60
    """silence after which an actor's count begins anew"""

    def __init__(self, **settings: float):
        super().__init__(**settings)
        self._state = new_enumeration()

    def update(self, view: View) -> None:
        idle = self.idle_minutes * 60 * 1_000_000_000
        enumerate_rows(
            self._state, view.batch.rows, view.batch.arena, view.values, len(view.values),
            float(self.threshold), int(self.min_distinct), idle,
        )  # fmt: skip

    def alerts(self, endpoints) -> list[Alert]:
        """One alert for each endpoint and actor, told by the parameter that shows it best."""
        best: dict[tuple, np.void] = {}
        for track in self._state.raised[: self._state.control["raised"][0]]:
            if track["status"] != RAISED:
                continue
            key = (
                int(track["endpoint"]),
                int(track["actor_hi"]),
                int(track["actor_lo"]),
                int(track["rung"]),
                int(track["first_ts"]),
            )
            if key not in best or track["nats"] > best[key]["nats"]:
                best[key] = track
        return sorted((self._describe(track, endpoints) for track in best.values()), key=lambda a: (a.raised_at, a.alert_id))

    def _describe(self, track, endpoints) -> Alert:
        host, method, template = self.place_of((int(track["key"]), int(track["first_ts"])), int(track["endpoint"]), endpoints)
        source = address_text(int(track["source_hi"]), int(track["source_lo"]))
        actor = f"token:{int(track['actor_lo']):016x}" if track["rung"] else f"ip:{source}"
        return Alert(
            detector=self.name,
            owasp=self.owasp,
            severity=self.severity,
            confidence=confidence_from(float(track["nats"]) - self.threshold),
            first_seen=int(track["first_ts"]),
            last_seen=int(track["last_ts"]),
            raised_at=int(track["raised_ts"]),
            host=host,
            method=method,
            endpoint=template,
            actor=actor,
            actors=1,
            sources=[source],
            transactions=int(track["requests"]),
            statistic={"name": "sum of votes (nats)", "value": round(float(track["nats"]), 2)},
            threshold=float(self.threshold),
            explanation=self._explain(track, actor, host, method, template),
            evidence=_evidence(track, source, method),
        )

    def _explain(self, track, actor: str, host: str, method: str, template: str) -> str:
        span = duration_text(int(track["last_ts"]) - int(track["first_ts"]))
        slot = slot_text(track)
        parts = [
            (
                f"{actor} asked {host} {method} {template} for {int(track['distinct'])} different values of {slot} in "
                f"{int(track['requests'])} requests within {span}; other actors ask for {math.exp(track['usual']):.0f} "
                f"(median of {int(track['population'])})."
            )
        ]
        first, last = (_value_text(track, which) for which in ("first", "last"))
        if track["numeric"] == track["requests"] and track["steps"] > 0:
            share = track["same_steps"] / track["steps"]
            low, high = int(track["low"]), int(track["high"])
            coverage = min(1.0, int(track["distinct"]) / (high - low + 1))
            parts.append(
                f"From {first} to {last}: {share:.0%} of the steps are {int(track['step']):+d}, and {coverage:.0%} of "
                f"the numbers between {low} and {high} were asked for."
            )
            if share >= 0.5 and not track["secret"]:
                parts.append(f"Next expected: {int(track['last_number']) + int(track['step'])}.")
        else:
            parts.append(f"The first was {first}, the last {last}.")
        if track["misses"]:
            parts.append(f"{int(track['misses'])} answers said that the value does not exist or is not allowed.")
        return " ".join(parts)


def slot_text(track) -> str:
    """What a track's parameter is called."""
    name = printable(track["name"][: int(track["name_len"])].tobytes())
    if track["location"] == IN_PATH:
        return f"path segment {int(track['slot']) + 1}"
    return f"{'query parameter' if track['location'] == IN_QUERY else 'body field'} {name}"


def _value_text(track, which: str) -> str:
    """First or last value for people; a sensitive one by its class alone."""
    if track["secret"]:
        return f"{{{SECRET_CLASSES[int(track['secret'])]}}}"
    length = int(track[which + "_len"])
    text = printable(track[which + "_text"][: min(length, TEXT)].tobytes())
    return text + "…" if length > TEXT else text


def _evidence(track, source: str, method: str) -> list[str]:
    """Keys of the first transactions and of the newest one."""
    found = []
    for k in range(int(track["samples"])):
        sample = track["sample"][k]
        found.append(
            json.dumps(
                {"ts": int(sample["ts"]), "client_ip": source, "client_port": int(sample["port"]), "method": method,
                 "status": int(sample["status"]) or None}
            )
        )  # fmt: skip
    return found
