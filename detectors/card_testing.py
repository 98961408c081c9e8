"""Stolen or made-up cards are tried where something is paid (API6:2023, unrestricted access to sensitive business flows).

Statistic: the CUSUM of declined against accepted payments, for each address, for all addresses with one fingerprint, and for
the endpoint as a whole (detectors/attempts.py). Declined: 400, 402, 403 and 422; 409 says
that something is sold out.

Threshold: as for log-ins, once in 1,000,000 ordinary payments at the earliest. A person tries two or three cards:
`min_attempts` = 10 of one address, and they must differ.
Cold start: `usual_failures` = 0.15 of the payments are declined, as is common for cards that are not present.
"""

import numpy as np

from detectors.base import View
from detectors.guessing import Guessing
from detectors.trials import OF_CARDS, TrialRoom, attempts_at


class CardTesting(Guessing):
    """Many declined payments with different data."""

    name = "card_testing"
    owasp = "API6:2023"
    severity = "high"
    what = "payment"

    min_attempts: int = 10
    """payments of one address below which it may be a person with several cards"""

    def trials(self, view: View, room: TrialRoom) -> tuple[np.ndarray, int]:
        return attempts_at("payment", view, room, OF_CARDS)
