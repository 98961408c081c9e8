"""Leaked or guessed credentials are tried at a log-in (API2:2023, broken authentication).

Statistic: the CUSUM of failed against successful log-ins, for each address, for all addresses with one fingerprint, and
for the endpoint as a whole (detectors/attempts.py). p1 = 0.98 for an address, as leaked credentials rarely fit (0.1 to 2 %).

Threshold: `threshold` = 13.8 nats for an address, ln(`run_length`) = 13.8 for a group: by Wald's bound a run above it comes
once in 1,000,000 ordinary attempts at the earliest (Lorden 1971). People who forgot their password fail in a row, too:
that is what `min_attempts` is for, and that attempts must differ; a group takes the first failure of each address alone.
Cold start: until the endpoint was seen, p0 is drawn to `usual_failures` = 0.15.

After an outage, or a change of rules, many people fail at once. They get in in the end: where half of the addresses of a group
did so, each at one account with 10 attempts or fewer, it is no alert any more.

Which accounts and passwords were tried tells the form: many of both (stuffing), few passwords for many accounts
(spraying), many passwords for one account (brute force).
"""

import numpy as np

from detectors.base import View
from detectors.guessing import Guessing, tried
from detectors.trials import TrialRoom, attempts_at, outcomes

OUTCOMES = outcomes(tuple(status for status in range(400, 500) if status not in (408, 429)))
GOT_IN, PATIENT = 0.5, 10
"""Leaked credentials fit one time in 50 to 1,000; people who forgot theirs get in after a few attempts, or by a reset."""
FORMS = {
    ("many", "many"): "Many accounts, each with a password of its own: credential stuffing.",
    ("many", "one"): "One password for many accounts: password spraying.",
    ("many", "few"): "A few passwords for many accounts: password spraying.",
    ("one", "many"): "Many passwords for one account: brute force.",
    ("few", "many"): "Many passwords for a few accounts: brute force.",
}


class CredentialStuffing(Guessing):
    """Many failing log-ins with different credentials."""

    name = "credential_stuffing"
    owasp = "API2:2023"
    severity = "high"
    what = "log-in"

    def trials(self, view: View, room: TrialRoom) -> tuple[np.ndarray, int]:
        return attempts_at("login", view, room, OUTCOMES)

    def are_people(self, members: np.ndarray) -> bool:
        """Whether at least GOT_IN of many addresses, with a few attempts each at one account, logged in among them."""
        if len(members) < self.min_addresses or np.median(members["transactions"]) > PATIENT:
            return False
        own = np.bitwise_count(members["users"]) == 1  # who tries others' accounts proves nothing by logging in to his own
        return bool(np.mean(own & (members["failures"] < members["transactions"])) >= GOT_IN)

    def explain(self, incident, sources, attempts, failures, place) -> str:
        form = FORMS.get((tried(int(incident["users"])), tried(int(incident["secrets"]))), "")
        return f"{super().explain(incident, sources, attempts, failures, place)} {form}".strip()
