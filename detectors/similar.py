"""Texts that nearly repeat one that was written at the same endpoint within the last hour: which requests bring such."""

import numpy as np

from detectors.attempts_state import FAILURE, SUCCESS
from detectors.trials import start_trial
from sensor.core.bundle import Bundle
from sensor.core.hashing import U, mix
from sensor.core.jit import kernel

PLACES, RECENT = 256, 256
"""Endpoints whose texts are remembered, and texts of each."""
NEAR = 11
"""Bits in which signatures of texts of one origin differ at the most. Of independent bits so few differ once in 20 million
pairs; texts of people share words, and come so near once in some thousands: hence the usual share of an endpoint."""
WINDOW = 3_600_000_000_000

TEXT = np.dtype([("signature", "<u8"), ("exact", "<u8"), ("source", "<u8"), ("ts", "<i8")])
TOPIC = np.dtype([("endpoint", "<u4"), ("next", "<u4"), ("last_ts", "<i8")])


class Texts(Bundle):
    """Texts of the last hour."""

    topics: np.ndarray
    """TOPIC[PLACES]: which endpoint has the place"""
    recent: np.ndarray
    """TEXT[PLACES, RECENT]"""


def new_texts() -> Texts:
    return Texts(np.zeros(PLACES, TOPIC), np.zeros((PLACES, RECENT), TEXT))


@kernel
def topic_of(texts, endpoint, ts):
    """Place of an endpoint's texts; -1 where another endpoint has it. An hour of silence gives it up."""
    place = np.int64(mix(U(endpoint)) & U(PLACES - 1))
    topic = texts.topics[place]
    if topic["endpoint"] != endpoint:
        if topic["endpoint"] and ts - topic["last_ts"] < WINDOW:
            return np.int64(-1)
        topic["endpoint"] = endpoint
        topic["next"] = 0
        for k in range(RECENT):
            texts.recent[place, k]["signature"] = 0
    topic["last_ts"] = max(topic["last_ts"], ts)
    return place


@kernel
def differing(a, b):
    """How many bits of two numbers differ."""
    value = a ^ b
    value -= (value >> U(1)) & U(0x5555555555555555)
    value = (value & U(0x3333333333333333)) + ((value >> U(2)) & U(0x3333333333333333))
    value = (value + (value >> U(4))) & U(0x0F0F0F0F0F0F0F0F)
    return np.int64((value * U(0x0101010101010101)) >> U(56))


@kernel
def has_been_said(recent, signature, exact, source, ts):
    """Whether a near text is among recent (TEXT[RECENT]); the same body from the same source is the same request again."""
    for k in range(RECENT):
        text = recent[k]
        if text["signature"] == 0 or ts - text["ts"] > WINDOW:
            continue
        if text["exact"] == exact and text["source"] == source:
            continue
        if differing(text["signature"], signature) <= NEAR:
            return True
    return False


@kernel
def trials_of_texts(texts, rows, values, trials):
    """Texts that were taken, to trials[:]: their number. Outcome: FAILURE for one that has been said before."""
    count, at = 0, 0
    for index in range(rows.shape[0]):
        row = rows[index]
        if row["signature"] == 0 or row["endpoint"] == 0:
            continue
        place = topic_of(texts, row["endpoint"], row["ts"])
        if place < 0:
            continue
        exact = mix(row["signature"] ^ U(row["request_bytes"]))
        while at < values.shape[0] and values[at]["row"] < index:
            at += 1
        while at < values.shape[0] and values[at]["row"] == index:
            exact = mix(exact ^ mix(values[at]["hash"] ^ values[at]["slot"]))
            at += 1
        source = mix(row["client_lo"] ^ mix(row["client_hi"] ^ row["credential"]))
        said = has_been_said(texts.recent[place], row["signature"], exact, source, row["ts"])
        topic = texts.topics[place]
        text = texts.recent[place, topic["next"]]
        text["signature"] = row["signature"]
        text["exact"] = exact
        text["source"] = source
        text["ts"] = row["ts"]
        topic["next"] = (topic["next"] + np.uint32(1)) & np.uint32(RECENT - 1)
        start_trial(trials[count], index, row, FAILURE if said else SUCCESS, row["endpoint"])
        trials[count]["what"] = exact
        count += 1
    return count
