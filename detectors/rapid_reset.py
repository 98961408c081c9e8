"""HTTP/2 streams that are opened and reset at once, by the hundred: the server works for nobody (CVE-2023-44487; API4:2023).

Statistic: a request that its client resets before any answer is a failure, every other one over HTTP/2 a success: CUSUM for
each address, for all addresses with one fingerprint, and for the endpoint as a whole (detectors/attempts.py).

Null model: people leave pages that load and searches that they type on; the share of such resets is learned at each endpoint.
Streams that were answered do not count when they are reset: that is how subscriptions and downloads end. Paths that never were
answered count together, by host: there a client that makes up a new one for each stream is found.

Threshold: as for log-ins, once in 1,000,000 ordinary requests at the earliest; `min_attempts` = 100 of one address.
Cold start: `usual_failures` = 0.1 of the requests are reset.
"""

import numpy as np

from detectors.attempts_state import FAILURE, SUCCESS
from detectors.base import View, duration_text, who_of
from detectors.guessing import Guessing
from detectors.trials import TrialRoom, place_of_host, start_trial
from sensor.core.bits import distinct_bits
from sensor.core.hashing import U, mix
from sensor.core.jit import kernel
from sensor.core.records import WEIRD_BIT
from sensor.inventory.endpoints import CAPACITY

HTTP2 = 20
W_RESET = WEIRD_BIT["stream_reset"]


@kernel
def place_of_stream(row, arena, answered, generation):
    """What a stream counts for: its endpoint, or its host where nothing at its path was ever answered."""
    endpoint = row["endpoint"]
    if row["status"] > 0:
        answered[endpoint] = generation
    if answered[endpoint] == generation:
        return np.uint32(endpoint)
    return place_of_host(row, arena)


@kernel
def trials_of_streams(rows, arena, endpoints, answered, trials):
    """Requests over HTTP/2, to trials[:]: their number. Outcome: FAILURE for one that was reset and not answered.

    answered: uint32[CAPACITY], by endpoint its generation plus one once it was answered, 0 before.
    """
    count = 0
    for index in range(rows.shape[0]):
        row = rows[index]
        if row["version"] != HTTP2 or row["endpoint"] == 0:
            continue
        is_reset = row["weird"] & W_RESET and row["status"] == 0
        place = place_of_stream(row, arena, answered, endpoints[row["endpoint"]]["generation"] + np.uint32(1))
        start_trial(trials[count], index, row, FAILURE if is_reset else SUCCESS, place)
        trials[count]["what"] = mix(U(row["ts"]) ^ row["client_lo"])  # each is as bad as the one before
        trials[count]["user"] = mix(U(row["endpoint"]))
        count += 1
    return count


class RapidReset(Guessing):
    """Streams that are reset as soon as they are opened."""

    name = "rapid_reset"
    owasp = "API4:2023"
    severity = "high"
    what = "request"
    statistic = "CUSUM of streams that were reset"
    success_matters = False

    usual_failures: float = 0.1
    """share of streams that are reset before they are answered, before the endpoint is known"""
    min_attempts: int = 100
    """requests of one address below which it may be a page that was left"""
    once: int = 0
    """of each address its first reset, and every other request, count for its group"""

    def __init__(self, **settings: float):
        super().__init__(**settings)
        self._answered = np.zeros(CAPACITY, np.uint32)

    def trials(self, view: View, room: TrialRoom) -> tuple[np.ndarray, int]:
        rows = view.batch.rows
        trials = room.of(len(rows))
        return trials, trials_of_streams(rows, view.batch.arena, view.endpoints.rows, self._answered, trials)

    def place(self, incident, endpoints) -> tuple[str, str, str]:
        """The endpoint; the host where there were several when it was raised, which nobody answers for."""
        identity = int(incident["key"]), int(incident["began"])
        is_new = identity not in self._told
        host, _, _ = super().place(incident, endpoints)
        if is_new and distinct_bits(np.uint64(incident["users"])) > 1:
            self._told[identity] = host, "", "/*"
        return self._told[identity]

    def explain(self, incident, sources, attempts, failures, place) -> str:
        span = duration_text(int(incident["last_ts"]) - int(incident["first_ts"]))
        who = who_of(sources)
        return (
            f"{who} opened {attempts} streams at {place} within {span} and reset {failures} of them "
            f"({failures / max(attempts, 1):.1%}) before they were answered; {incident['usual']:.1%} is usual. "
            "The server began to work for each."
        )
