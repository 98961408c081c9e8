"""Classes of what must not be stored, or is to be told of where it is exposed."""

import numpy as np

from sensor.core.words import words_table

SENSITIVE = (
    "", "password", "token", "api_key", "session", "secret", "signature", "otp", "card", "cvv", "iban", "ssn", "jwt", "email",
    "phone", "birth_date", "national_id", "health", "location", "cloud_key", "payment_key", "private_key",
)  # fmt: skip
(
    HARMLESS, PASSWORD, TOKEN, API_KEY, SESSION, SECRET, SIGNATURE, OTP, CARD, CVV, IBAN, SSN, JWT_SECRET, EMAIL_SECRET,
    TELEPHONE, BIRTH_DATE, NATIONAL_ID, HEALTH, PLACE, CLOUD_KEY, PAYMENT_KEY, PRIVATE_KEY,
) = range(len(SENSITIVE))  # fmt: skip
BY_CHANCE = np.zeros(len(SENSITIVE), np.uint8)
BY_CHANCE[[CARD, NATIONAL_ID, IBAN, SSN]] = 1
"""Classes that other numbers fall into by chance: one of forty of sixteen digits for cards, one of 23 for Spain's."""
NO_KEYS = words_table("captcha", "request", "device", "push", "nonce", "cache", "trace", "correlat", "idempo", "csrf", "xsrf")
"""What is in the names of header fields whose keys and tokens say nothing of who asks: nobody's credentials."""
