"""A session in numbers that do not depend on the application: what it is like, not what it asked for."""

import math

import numpy as np

from sensor.core.bits import distinct_bits
from sensor.core.jit import kernel
from sensor.intent.sessions import BUCKETS

UNKNOWN = -1.0
"""Of a share of nothing."""

FEATURES = (
    ("requests", "requests so far: {:,.0f}", "log2"),
    ("rate", "{:,.1f} requests a minute while it is active", "log2"),
    ("pace", "{:,.0f} ms from one request to the next, typically", "ms"),
    ("unsteadiness", "its pauses differ by a factor of {:,.1f}", "log2"),
    ("quick", "{:.0%} of its requests follow within 0.1 s", ""),
    ("hours", "it is active in {:.0f} hours of the day", ""),
    ("endpoints", "different endpoints: {:,.0f}", "log2"),
    ("variety", "its requests spread evenly over {:,.1f} kinds of endpoint", "log2"),
    ("top", "{:.0%} of its requests go to one kind of endpoint", ""),
    ("values", "{:,.1f} parameters a request", ""),
    ("novelty", "{:.0%} of the values that it sends are new", ""),
    ("steps", "{:.0%} of its numbers go on by the same step", ""),
    ("refused", "{:.0%} of its requests are refused", ""),
    ("missing", "{:.0%} of what it asks for does not exist", ""),
    ("failed", "{:.0%} of its requests end in errors of the server", ""),
    ("writes", "{:.0%} of its requests write", ""),
    ("sensitive", "{:.0%} of its requests go to log-in, sign-up, payment, codes or content", ""),
    ("sensitive_refused", "{:.0%} of these are refused", ""),
    ("referers", "{:.0%} of its requests say which page they come from", ""),
    ("assets", "{:.0%} of what it is given are pages, images, styles or scripts", ""),
    ("identity", "it is known by its {}", "identity"),
    ("agent", "it calls itself {}", "agent"),
    ("agents", "different names that it goes by: {:,.0f}", "log2"),
    ("fingerprints", "different orders of its header fields: {:,.0f}", "log2"),
    ("addresses", "addresses that it comes from: {:,.0f}", "log2"),
    ("robots", "it {} robots.txt", "robots"),
)
"""(name, its meaning in words, how its number is to be read back)"""
NAMES = tuple(name for name, _, _ in FEATURES)
COUNT = len(FEATURES)
_WORDS = {
    "identity": ("address", "session", "token"),
    "agent": ("nothing", "a browser", "an app", "a crawler", "a tool"),
    "robots": ("did not ask for", "asked for"),
}


@kernel
def share(part, whole):
    """A share; UNKNOWN of nothing."""
    return np.float64(part) / np.float64(whole) if whole > 0 else UNKNOWN


@kernel
def bits_of(word):
    """How many different hashes set these bits of a word, by linear counting (Whang et al. 1990), as a logarithm to base 2."""
    ones = distinct_bits(word)
    return math.log2(-64.0 * math.log((64.5 - ones) / 64.0) + 1e-9) if ones > 1 else 0.0


@kernel
def spread(session):
    """(entropy of the groups of endpoints in bits, share of the busiest)"""
    entropy, most = 0.0, 0.0
    for k in range(BUCKETS):
        if session["buckets"][k]:
            p = np.float64(session["buckets"][k]) / np.float64(session["requests"])
            entropy -= p * math.log2(p)
            most = max(most, p)
    return entropy, most


@kernel
def write_features(session, out):
    """The numbers of one session, in the order of FEATURES. out: float64[COUNT]."""
    requests, gaps = np.float64(session["requests"]), np.float64(session["gaps"])
    pace = session["gap_sum"] / gaps if gaps > 0 else UNKNOWN
    variance = session["gap_squares"] / gaps - pace * pace if gaps > 2 else UNKNOWN
    entropy, most = spread(session)
    out[0] = math.log2(requests)
    out[1] = math.log2(requests / max(1.0, np.float64(session["minutes"])))
    out[2] = pace
    out[3] = math.sqrt(max(0.0, variance)) if gaps > 2 else UNKNOWN
    out[4] = share(session["quick"], session["gaps"])
    out[5] = np.float64(distinct_bits(np.uint64(session["hours"])))
    out[6] = bits_of(session["endpoints"])
    out[7] = entropy
    out[8] = most
    out[9] = np.float64(session["values"]) / requests
    out[10] = min(1.0, share(session["novel"], session["values"]))
    out[11] = share(session["even_steps"], np.int64(session["steps"]) - 1)
    out[12] = share(session["refused"], session["answered"])
    out[13] = share(session["missing"], session["answered"])
    out[14] = share(session["failed"], session["answered"])
    out[15] = share(session["writes"], session["requests"])
    out[16] = share(session["sensitive"], session["answered"])
    out[17] = share(session["sensitive_refused"], session["sensitive"])
    out[18] = share(session["referers"], session["requests"])
    out[19] = share(session["assets"], session["answered"])
    out[20] = np.float64(session["identity"])
    out[21] = np.float64(session["agent"])
    out[22] = bits_of(session["agents"])
    out[23] = bits_of(session["fingerprints"])
    out[24] = bits_of(session["addresses"])
    out[25] = np.float64(session["robots"])


@kernel
def write_all_features(sessions, out):
    """The numbers of SESSION[n]. out: float64[n, COUNT]."""
    for k in range(sessions.shape[0]):
        write_features(sessions[k], out[k])


def in_words(feature: int, value: float) -> str:
    """What a feature's number says."""
    name, text, reading = FEATURES[feature]
    if value < 0 and reading != "log2":
        return f"{name} unknown"
    if reading in _WORDS:
        return text.format(_WORDS[reading][round(value)])
    if reading == "ms":  # log2(ms + 1)
        return text.format(2**value - 1)
    return text.format(2**value if reading == "log2" else value)
