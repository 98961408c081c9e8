"""The same things are put into baskets, or held, again and again, and never paid: stock and seats that nobody else can have
(API6:2023).

Statistic: at endpoints that put something into a basket or hold it, what somebody (by token, session or address) held before,
five minutes to six hours ago, and has not paid since, counts as a repetition (detectors/holds.py); of reservations the event
counts, whichever seats. CUSUM of repetitions against
what is held for the first time, for each address, for all addresses with one fingerprint, and for the endpoint as a whole
(detectors/attempts.py).

Null model: people change their minds and fill a basket anew, and what ran out is tried again; the share of such repetitions is
learned at each endpoint.

Threshold: as for log-ins, once in 1,000,000 ordinary attempts at the earliest; `min_attempts` = 10 of one address.
Cold start: `usual_failures` = 0.1 of what is held is held again.
"""

import numpy as np

from detectors.base import View, duration_text, who_of
from detectors.guessing import Guessing
from detectors.holds import new_holds, trials_of_holds
from detectors.trials import TrialRoom


class Hoarding(Guessing):
    """Things held again and again."""

    name = "hoarding"
    owasp = "API6:2023"
    severity = "medium"
    what = "hold"
    statistic = "CUSUM of repeated holds"
    success_matters = False

    usual_failures: float = 0.1
    """share of repetitions before the endpoint is known"""
    min_attempts: int = 10
    """holds of one address below which it may be a person who cannot decide"""
    once: int = 0
    """what is held first counts for nothing against what is held again"""

    def __init__(self, **settings: float):
        super().__init__(**settings)
        self._holds = new_holds()

    def trials(self, view: View, room: TrialRoom) -> tuple[np.ndarray, int]:
        rows = view.batch.rows
        trials = room.of(len(rows))
        return trials, trials_of_holds(self._holds, rows, view.batch.arena, view.values, trials)

    def explain(self, incident, sources, attempts, failures, place) -> str:
        span = duration_text(int(incident["last_ts"]) - int(incident["first_ts"]))
        who = who_of(sources)
        return (
            f"{who} held things {attempts} times at {place} within {span}: {failures} times "
            f"({failures / max(attempts, 1):.1%}) what they had held before and never paid; {incident['usual']:.1%} is usual."
        )
