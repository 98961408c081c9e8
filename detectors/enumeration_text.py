"""An enumeration in sentences, and the keys of transactions that show it."""

import math

import numpy as np

from detectors.base import duration_text, evidence_key, printable
from detectors.combinations import IN_COMBINATION
from detectors.enumeration_tracks import BY_FINGERPRINT, BY_PLACE, BY_TOKEN, TEXT, VOLUME_FLOOR
from sensor.core.addresses import address_text
from sensor.core.bits import counted_by_bits
from sensor.core.sensitive import SENSITIVE
from sensor.inventory.values import IN_PATH, IN_QUERY


def actor_text(track: np.void, alone: bool, kinds: int = 1) -> str:
    """Who it is, as the highest rung that is known names it. kinds: groups that were put together."""
    if track["rung"] == BY_PLACE or kinds > 1:
        return f"campaign:{int(track['key']):016x}"
    if track["rung"] == BY_FINGERPRINT or not alone:
        return f"fingerprint:{int(track['fingerprint']):016x}"
    if track["rung"] == BY_TOKEN:
        return f"token:{int(track['actor_lo']):016x}"
    return f"ip:{_source(track)}"


def slot_text(track: np.void) -> str:
    """What a track's parameter is called."""
    if track["location"] == IN_PATH:
        return f"path segment {int(track['slot']) + 1}"
    name = printable(track["name"][: int(track["name_len"])].tobytes())
    if track["location"] == IN_COMBINATION:
        return f"all parameters together ({name}, …)" if name else "all parameters together"
    return f"{'query parameter' if track['location'] == IN_QUERY else 'body field'} {name}"


def explain_actor(track: np.void, place: str) -> str:
    """What one actor did. place: host, method and template."""
    return " ".join(
        [
            (
                f"{actor_text(track, True)} asked {place} for {int(track['distinct'])} different values of {slot_text(track)} "
                f"in {int(track['requests'])} requests within {_span(track)}; other actors ask for "
                f"{math.exp(track['usual']):.0f} (median of {int(track['population'])})."
            ),
            *_strangers(track),
            *_walk(track),
        ]
    )


def _strangers(track: np.void) -> list[str]:
    """Whose things they are, where that is unusual."""
    if track["strangers"] < VOLUME_FLOOR:
        return []
    others = min(64, round(counted_by_bits(track["owners"])))
    return [f"Some of these were served before to {'more than 60' if others >= 60 else f'about {others}'} others, each to few."]


def explain_group(track: np.void, place: str, addresses: int, requests: int, distinct: int, kinds: int) -> str:
    """What a group did. distinct: values asked for by members that stand out alone, where the track is not the group's.

    kinds: groups that were put together; the track is that of the one which shows it best.
    """
    if track["rung"] <= BY_TOKEN:
        return " ".join(
            [
                (
                    f"{addresses:,} addresses that send the same headers in the same order asked {place} for {distinct} values "
                    f"of {slot_text(track)} in {requests} requests. The one that shows it best:"
                ),
                explain_actor(track, place),
            ]
        )
    alike = "" if track["rung"] == BY_PLACE else " that send the same headers in the same order"
    draws, values = int(track["draws"]), int(track["distinct"])
    if kinds > 1:
        return " ".join(
            [
                (
                    f"{addresses:,} addresses, in {kinds} groups by their headers, and do little else, made {requests} "
                    f"requests at {place}. The group that shows it best asked for {values} different values of "
                    f"{slot_text(track)} "
                    f"within {_span(track)}: {values / max(1, draws):.0%} of what one of its addresses asked for, no other "
                    "had asked for."
                ),
                *_walk(track),
            ]
        )
    return " ".join(
        [
            (
                f"{addresses:,} addresses{alike}, and do little else, asked {place} for {values} different values of "
                f"{slot_text(track)} in {requests} requests within {_span(track)}: {requests / max(1, addresses):.1f} each. "
                f"{values / max(1, draws):.0%} of what an address asked for, no other had asked for."
            ),
            *_walk(track),
        ]
    )


def _walk(track: np.void) -> list[str]:
    """From where to where, in which steps, and what comes next."""
    parts: list[str] = []
    if track["location"] == IN_COMBINATION:
        return parts
    first, last = (_value_text(track, which) for which in ("first", "last"))
    if track["secret"]:
        parts.append(f"The first was {first}, the last {last}.")
    elif track["numeric"] == track["requests"] and track["steps"] > 0:
        share = track["same_steps"] / track["steps"]
        low, high = int(track["low"]), int(track["high"])
        coverage = min(1.0, int(track["distinct"]) / (high - low + 1))
        parts.append(
            f"From {first} to {last}: {share:.0%} of the steps are {int(track['step']):+d}, and {coverage:.0%} of "
            f"the numbers between {low} and {high} were asked for."
        )
        if share >= 0.5:
            parts.append(f"Next expected: {int(track['last_number']) + int(track['step'])}.")
    else:
        parts.append(f"The first was {first}, the last {last}.")
    if track["misses"]:
        parts.append(f"{int(track['misses'])} answers said that the value does not exist or is not allowed.")
    return parts


def _span(track: np.void) -> str:
    return duration_text(int(track["last_ts"]) - int(track["first_ts"]))


def _source(track: np.void) -> str:
    return address_text(int(track["source_hi"]), int(track["source_lo"]))


def _value_text(track: np.void, which: str) -> str:
    """First or last value for people; a sensitive one by its class alone."""
    if track["secret"]:
        return f"{{{SENSITIVE[int(track['secret'])]}}}"
    length = int(track[which + "_len"])
    text = printable(track[which + "_text"][: min(length, TEXT)].tobytes())
    return text + "…" if length > TEXT else text


def evidence_of_actor(track: np.void, method: str) -> list[str]:
    """Keys of the first transactions and of the newest one."""
    samples = track["sample"][: int(track["samples"])]
    return [evidence_key(int(one["ts"]), _source(track), int(one["port"]), method, int(one["status"])) for one in samples]


def evidence_of_campaign(incident: np.void, method: str) -> list[str]:
    """The same for transactions of several addresses."""
    samples = incident["sample"][: int(incident["samples"])]
    return [
        evidence_key(int(one["ts"]), address_text(int(one["hi"]), int(one["lo"])), int(one["port"]), method, int(one["status"]))
        for one in samples
    ]
