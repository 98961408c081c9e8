"""Paths are tried that do not exist, to find some that do (API9:2023, improper inventory management).

Statistic: the CUSUM of requests for endpoints that are absent (404, 405, 501) against those that are served, at a host, for
each address, for all addresses with one fingerprint, and for the host as a whole (detectors/attempts.py). What differs is the
endpoint: identifiers that do not exist are an enumeration, not a scan.

Threshold: as for log-ins, once in 1,000,000 ordinary requests at the earliest; `min_attempts` = 30, of many endpoints: a client
that asks for one missing thing again and again, or a crawler that follows old links, does not scan.
Cold start: `usual_failures` = 0.05 of the requests are for what is absent.
"""

import numpy as np

from detectors.base import View
from detectors.guessing import Guessing
from detectors.trials import TrialRoom, outcomes, trials_of_hosts

OUTCOMES = outcomes((404, 405, 501))


class Scanning(Guessing):
    """Many different paths that do not exist."""

    name = "scanning"
    owasp = "API9:2023"
    severity = "low"
    what = "request"
    success_matters = False

    min_attempts: int = 30
    """requests of one address below which it may follow old links"""
    once: int = 0
    """every success counts: most addresses never fail, and are not remembered"""
    min_forms: int = 10
    """different failures of a group below which they may come from one error of many clients"""
    min_addresses: int = 30
    """addresses below which a group may follow one old link"""
    usual_failures: float = 0.05
    """share of absent paths before the host is known"""

    def trials(self, view: View, room: TrialRoom) -> tuple[np.ndarray, int]:
        trials = room.of(len(view.batch.rows))
        return trials, trials_of_hosts(view.batch.rows, view.batch.arena, OUTCOMES, trials)

    def place(self, incident, endpoints) -> tuple[str, str, str]:
        """The host; a scan has no endpoint."""
        return super().place(incident, endpoints)[0], "", "/*"
