"""Coupon, voucher and gift-card codes are guessed (API6:2023, unrestricted access to sensitive business flows).

Statistic: the CUSUM of refused against accepted codes, for each address, for all addresses with one fingerprint, and for the
endpoint as a whole (detectors/attempts.py). Refused: 400, 403, 404, 409, 410 and 422.

Threshold: as for log-ins, once in 1,000,000 ordinary attempts at the earliest; `min_attempts` = 20 different ones of one
address, as bargain hunters try what lists of coupons offer.
Cold start: `usual_failures` = 0.3 of the codes are refused: many are mistyped or have expired.
"""

import numpy as np

from detectors.base import View
from detectors.guessing import Guessing
from detectors.trials import TrialRoom, attempts_at, outcomes

OUTCOMES = outcomes((400, 403, 404, 409, 410, 422))


class CodeGuessing(Guessing):
    """Many refused codes."""

    name = "code_guessing"
    owasp = "API6:2023"
    severity = "high"
    what = "code"

    usual_failures: float = 0.3
    """share of refused codes before the endpoint is known"""

    def trials(self, view: View, room: TrialRoom) -> tuple[np.ndarray, int]:
        return attempts_at("code", view, room, OUTCOMES)
