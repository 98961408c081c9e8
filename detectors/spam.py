"""The same text is written again and again, with other names and links: comments, reviews, leads (API6:2023).

Statistic: at endpoints that take content, a text that nearly repeats one of the last hour (detectors/similar.py) counts as a
repetition, and so does one with a web address where ordinary texts have none: spun texts differ, what they are for does not.
CUSUM of repetitions against texts of their own, for each address, for all addresses with one fingerprint, and for the endpoint
as a whole (detectors/attempts.py). A text with a web address, where these are rare or where it nearly repeats those of three
other sources, is rare in itself (`foreign`).

Null model: people and their applications repeat texts too (`Great, thanks!` is too short to count; ready-made sentences
are not). The share that is usual is learned at each endpoint.

Threshold: as for log-ins, once in 1,000,000 ordinary texts at the earliest. One address must have repeated itself
`min_attempts` = 15 times, in bodies that differ: who sends one request again and again tries to be heard, and spams nobody.
Cold start: the first 20 texts of an endpoint are not judged; where 30 % of them repeat each other without a link, or 80 %
with one, it takes ready-made texts (forms with a template, what applications share), and nothing there is. Then its usual
share is drawn to `usual_failures` = 0.3.
"""

import numpy as np

from detectors.base import View, duration_text, who_of
from detectors.guessing import Guessing
from detectors.similar import new_texts, trials_of_texts
from detectors.trials import TrialRoom


class Spam(Guessing):
    """Texts that are nearly the same."""

    name = "spam"
    owasp = "API6:2023"
    severity = "medium"
    what = "text"
    statistic = "CUSUM of repeated texts"
    success_matters = False

    usual_failures: float = 0.3
    """share of repetitions before the endpoint is known"""
    min_attempts: int = 15
    """texts of one address below which it may be a person who insists"""

    def __init__(self, **settings: float):
        super().__init__(**settings)
        self._texts = new_texts()

    def trials(self, view: View, room: TrialRoom) -> tuple[np.ndarray, int]:
        rows = view.batch.rows
        trials = room.of(len(rows))
        return trials, trials_of_texts(self._texts, rows, view.values, trials)

    def _guilty(self, incident, members: np.ndarray) -> np.ndarray:
        """Those alone who wrote foreign texts, where they make a group by themselves."""
        foreign = members[members["users"] != 0]
        return foreign if len(foreign) >= self.min_addresses else super()._guilty(incident, members)

    def explain(self, incident, sources, attempts, failures, place) -> str:
        span = duration_text(int(incident["last_ts"]) - int(incident["first_ts"]))
        who = who_of(sources)
        share = f"{failures} ({failures / max(attempts, 1):.1%})"
        return (
            f"{who} wrote {attempts} texts at {place} within {span}: {share} nearly repeat "
            f"one of the hour before, or bring a link where these are rare; {incident['usual']:.1%} is usual. Names, numbers "
            "and links may differ."
        )
