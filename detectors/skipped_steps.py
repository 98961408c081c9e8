"""Something is paid, ordered or booked by who comes without the steps before it: no list, no basket, no page (API6:2023).

Statistic: what four in five clients of a paying endpoint asked for at its host in the two hours before, since they paid
last, are its usual steps (detectors/steps.py). A payment without half of them counts as a failure: CUSUM for each address, for
all addresses with one fingerprint, and for the endpoint as a whole (detectors/attempts.py).

Null model: some people come back to a basket of yesterday, or on another network; the share of such payments is learned at each
endpoint. Programs that say so (API keys, Basic, signed requests, without a session) are left out; so are payments that are
declined, and those behind such (three of them behind one decline each): who tries cards is found by `card_testing`. Of people
behind one address who have no sessions the steps count together. While visitors come faster than they can be remembered nobody
is judged.

Threshold: as for log-ins, once in 1,000,000 ordinary payments at the earliest; `min_attempts` = 8 of one address.
Cold start: nothing, until 8 payments by as many addresses have shown what comes before one; then `usual_failures` = 0.1.
"""

import numpy as np

from detectors.base import View, duration_text, who_of
from detectors.guessing import Guessing
from detectors.steps import new_steps, trials_of_steps
from detectors.trials import TrialRoom


class SkippedSteps(Guessing):
    """Payments without what comes before them."""

    name = "skipped_steps"
    owasp = "API6:2023"
    severity = "medium"
    what = "payment"
    statistic = "CUSUM of payments without their steps"
    success_matters = False

    usual_failures: float = 0.1
    """share of payments without their steps before the endpoint is known"""
    min_attempts: int = 8
    """payments of one address below which it may be a person who comes back"""

    def __init__(self, **settings: float):
        super().__init__(**settings)
        self._steps = new_steps()

    def trials(self, view: View, room: TrialRoom) -> tuple[np.ndarray, int]:
        rows = view.batch.rows
        trials = room.of(len(rows))
        return trials, trials_of_steps(self._steps, rows, view.batch.arena, view.endpoints.rows, trials)

    def explain(self, incident, sources, attempts, failures, place) -> str:
        span = duration_text(int(incident["last_ts"]) - int(incident["first_ts"]))
        who = who_of(sources)
        return (
            f"{who} paid, ordered or booked {attempts} times at {place} within {span}: {failures} times "
            f"({failures / max(attempts, 1):.1%}) without the steps that most clients take before; "
            f"{incident['usual']:.1%} is usual."
        )
