"""Texts that nearly repeat one that was written at the same endpoint within the last hour: which requests bring such."""

import numpy as np

from detectors.attempts_state import FAILURE, SUCCESS
from detectors.trials import start_trial
from sensor.core.bits import distinct_bits
from sensor.core.bundle import Bundle
from sensor.core.hashing import U, mix
from sensor.core.jit import kernel

PLACES, RECENT, PROBES = 256, 256, 8
"""Endpoints whose texts are remembered, texts of each, and places that an endpoint may take."""
FIRST, MANY, ALL = 20, 0.3, 0.8
"""Texts that are not judged yet; where more of them than the first share repeat each other without a link, or than the second
with one, the endpoint takes ready-made texts, and is not judged at all until it was silent for an hour."""
UNLINKED, FEW_LINKS = 6, 1
"""Where no more than one of the first six texts has a web address in it, each later one that has advertises."""
NEAR = 11
"""Bits in which signatures of texts of one origin differ at the most. Of independent bits so few differ once in 20 million
pairs; texts of people share words, and come so near once in some thousands: hence the usual share of an endpoint."""
WINDOW = 3_600_000_000_000

TEXT = np.dtype([("signature", "<u8"), ("exact", "<u8"), ("source", "<u8"), ("ts", "<i8")])
TOPIC = np.dtype([
    ("endpoint", "<u4"), ("next", "<u4"), ("last_ts", "<i8"), ("known", "<u4"), ("repeated", "<u4"), ("plain", "<u4"),
    ("linked", "<u4"),
])  # fmt: skip
"""known, repeated, plain (repeated without a link): of the first FIRST texts; linked: of the first UNLINKED."""
NEW, REPEATED, AGAIN = range(3)
"""What a text is: its own; near another; the same request of the same source once more."""
OF_SEVERAL = 3
"""Sources before that wrote nearly the same, from which on a text with a link is advertised by arrangement."""


class Texts(Bundle):
    """Texts of the last hour."""

    topics: np.ndarray
    """TOPIC[PLACES]: which endpoint has the place"""
    recent: np.ndarray
    """TEXT[PLACES, RECENT]"""


def new_texts() -> Texts:
    return Texts(np.zeros(PLACES, TOPIC), np.zeros((PLACES, RECENT), TEXT))


@kernel
def is_ready_made(topic):
    """Whether an endpoint takes texts that its application writes."""
    return topic["plain"] > MANY * FIRST or topic["repeated"] > ALL * FIRST


@kernel
def topic_of(texts, endpoint, ts):
    """Place of an endpoint's texts; -1 where all of its places are taken. An hour of silence gives one up."""
    first, free = np.int64(mix(U(endpoint))), np.int64(-1)
    for step in range(PROBES):
        place = (first + step) & (PLACES - 1)
        topic = texts.topics[place]
        is_silent = ts - topic["last_ts"] >= WINDOW
        if topic["endpoint"] == endpoint and not is_silent:
            topic["last_ts"] = max(topic["last_ts"], ts)
            return place
        if topic["endpoint"] == endpoint and not is_ready_made(topic):
            # Its older texts do not count any more, all else does.
            topic["last_ts"] = ts
            return place
        if free < 0 and (topic["endpoint"] == 0 or topic["endpoint"] == endpoint or is_silent):
            free = place
    if free >= 0:
        topic = texts.topics[free]
        topic["endpoint"] = endpoint
        topic["next"] = 0
        topic["known"] = 0
        topic["repeated"] = 0
        topic["plain"] = 0
        topic["linked"] = 0
        topic["last_ts"] = ts
        for k in range(RECENT):
            texts.recent[free, k]["signature"] = 0
    return free


@kernel
def is_judged(topic, said, linked):
    """Whether a text of this endpoint can be judged; the first ones show what the endpoint is for."""
    if topic["known"] < FIRST:
        topic["known"] += np.uint32(1)
        topic["repeated"] += np.uint32(said)
        topic["plain"] += np.uint32(said and not linked)
        topic["linked"] += np.uint32(linked and topic["known"] <= UNLINKED)
        return False
    return not is_ready_made(topic)


@kernel
def differing(a, b):
    """How many bits of two numbers differ."""
    value = a ^ b
    value -= (value >> U(1)) & U(0x5555555555555555)
    value = (value & U(0x3333333333333333)) + ((value >> U(2)) & U(0x3333333333333333))
    value = (value + (value >> U(4))) & U(0x0F0F0F0F0F0F0F0F)
    return np.int64((value * U(0x0101010101010101)) >> U(56))


@kernel
def standing_of(recent, signature, exact, source, ts):
    """(NEW, REPEATED or AGAIN: what a text is to recent (TEXT[RECENT]); other sources of those that it repeats)."""
    found, sources = NEW, U(0)
    for k in range(RECENT):
        text = recent[k]
        if text["signature"] == 0 or ts - text["ts"] > WINDOW:
            continue
        if text["exact"] == exact and text["source"] == source:
            return AGAIN, np.int64(0)
        if differing(text["signature"], signature) <= NEAR:
            found = REPEATED
            if text["source"] != source:
                sources |= U(1) << (text["source"] & U(63))
    return found, distinct_bits(sources)


@kernel
def trials_of_texts(texts, rows, values, trials):
    """Texts that were taken, to trials[:]: their number. Outcome: FAILURE for one that has been said before,
    and for one with a web address where these are rare."""
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
        standing, sources = standing_of(texts.recent[place], row["signature"], exact, source, row["ts"])
        if standing == AGAIN:
            continue
        topic = texts.topics[place]
        text = texts.recent[place, topic["next"]]
        text["signature"] = row["signature"]
        text["exact"] = exact
        text["source"] = source
        text["ts"] = row["ts"]
        topic["next"] = (topic["next"] + np.uint32(1)) & np.uint32(RECENT - 1)
        advertises = row["linked"] and topic["known"] >= UNLINKED and topic["linked"] <= FEW_LINKS
        if not is_judged(topic, standing == REPEATED, row["linked"]) and not advertises:
            continue
        outcome = FAILURE if standing == REPEATED or advertises else SUCCESS
        start_trial(trials[count], index, row, outcome, row["endpoint"])
        trials[count]["what"] = exact
        if advertises or (standing == REPEATED and row["linked"] and sources >= OF_SEVERAL):
            trials[count]["foreign"] = 1
            trials[count]["user"] = row["signature"]  # tells who wrote such texts from who repeats ready-made ones
        count += 1
    return count
