"""Values are tried that an endpoint does not take, to see how it breaks (API8:2023, security misconfiguration).

Statistic: the CUSUM of requests that are refused as malformed (400, 413, 414, 415, 422, 431) against those that are served, for
each address, for all addresses with one fingerprint, and for the endpoint as a whole (detectors/attempts.py). Log-ins, payments
and codes have detectors of their own.

Threshold: as for log-ins, once in 1,000,000 ordinary requests at the earliest; `min_attempts` = 30 of one address, of different
forms (classes of values, lengths of numbers): a client that repeats a broken request, or uploads a list of records that are all
refused, is broken, but does not fuzz. A group needs ten forms. That a service breaks
(5xx) says nothing: it may break for everybody.
Cold start: `usual_failures` = 0.05 of the requests are refused.
"""

import numpy as np

from detectors.base import View
from detectors.guessing import Guessing
from detectors.trials import TrialRoom, outcomes, trials_elsewhere
from sensor.core.records import FLOW, FLOWS

OUTCOMES = outcomes((400, 413, 414, 415, 422, 431))
JUDGED = np.zeros(len(FLOWS), np.uint8)
JUDGED[[FLOW["login"], FLOW["payment"], FLOW["code"]]] = 1


class Fuzzing(Guessing):
    """Many different requests that an endpoint refuses."""

    name = "fuzzing"
    owasp = "API8:2023"
    severity = "medium"
    what = "request"
    success_matters = False

    min_attempts: int = 30
    """requests of one address below which it may be a client with an error"""
    once: int = 0
    """every success counts: most addresses never fail, and are not remembered"""
    min_forms: int = 10
    """different failures of a group below which they may come from one error of many clients"""
    min_addresses: int = 30
    """addresses below which a group may be a broken release of a client"""
    usual_failures: float = 0.05
    """share of refused requests before the endpoint is known"""

    def trials(self, view: View, room: TrialRoom) -> tuple[np.ndarray, int]:
        trials = room.of(len(view.batch.rows))
        return trials, trials_elsewhere(view.batch.rows, view.values, JUDGED, OUTCOMES, trials)
