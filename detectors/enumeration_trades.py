"""Who may ask for everything once: by trade, or because it is theirs. What enumeration does not tell."""

import numpy as np

from detectors.enumeration_groups import MIN_OTHERS
from detectors.enumeration_tracks import VOLUME_FLOOR
from detectors.owners import NOBODY, identity
from sensor.core.bits import counted_by_bits
from sensor.core.hashing import U
from sensor.core.jit import kernel
from sensor.inventory.agents import calls_itself_crawler

PLAIN_SHAPE = 3.0
"""nats of walk and misses below which who is given everything that he asks for, in no order, may be meant to have it."""
BY_THE_WAY = 0.3
"""Share of an address's requests below which one endpoint is not what it is after."""
SPARSE = 100.0
"""Numbers to each one that is asked for, from which on who tries them would miss most."""
CRAWLER_GAP = 1_000_000_000
"""ns between the requests of a crawler that keeps to what is usual, on the average."""
SCATTERED = 4.0
"""Numbers to each one that is asked for, from which on those of others lie between."""
COLLEAGUES, COLLEAGUES_EACH = 8.0, 0.06
"""Others whose things a token may ask for, at the most; and for each of its values."""
EVEN = 0.8
"""Share of equal steps from which on numbers are made, and not looked up."""
A_JOB = 64
"""Different values from which on who bears a token is judged by himself alone: many that share a walk have less each."""


@kernel
def is_polite_crawler(track, arena, row):
    """Whether a client calls itself a crawler and is no faster than one: a search engine asks for everything once, too."""
    if track["last_ts"] - track["first_ts"] < np.int64(track["requests"]) * CRAWLER_GAP:
        return False
    at = np.int64(row["user_agent_at"])
    return calls_itself_crawler(arena, at, at + np.int64(row["user_agent_len"]))


@kernel
def knows_its_own(track, row):
    """Whether somebody who is logged in asks for numbers that lie far from each other, and never for one that is not there: who
    tries numbers misses, and who has a list of his own does not."""
    if identity(row) == NOBODY or track["misses"] > 0 or track["numeric"] != track["requests"]:
        return False
    return np.float64(track["high"]) - np.float64(track["low"]) > SPARSE * np.float64(track["distinct"])


@kernel
def meets_strangers(track):
    """Whether an actor was served the things of more others than is usual."""
    return track["strangers"] >= VOLUME_FLOOR


@kernel
def are_its_own(track, row):
    """Whether the numbers that somebody with a token asks for lie scattered among those of others, and are not theirs: none is
    missing, no step is always the same, and nobody, or a few colleagues, were served them before, while others with tokens are
    served theirs. In what order he asks says nothing then.
    """
    if not row["proven"] or track["misses"] > 0 or track["numeric"] != track["requests"]:
        return False
    if track["population"] < MIN_OTHERS or track["same_steps"] > EVEN * np.float64(track["steps"]):
        return False
    distinct = np.float64(track["distinct"])
    if np.float64(track["high"]) - np.float64(track["low"]) < SCATTERED * distinct:
        return False
    return track["owners"] == U(0) or counted_by_bits(track["owners"]) <= max(COLLEAGUES, COLLEAGUES_EACH * distinct)


@kernel
def may_ask_for_all(track, shape, plain, asked, arena, row):
    """Whether a client asks for everything once by trade: it proves who it is, as a partner's job, or is a crawler; or it does
    so by the way, as the people behind one address do, who have clients of several kinds.

    shape: nats of walk and misses; plain: without the walk's direction, as site maps are sorted; asked: requests of the
    address, wherever. At an endpoint that hardly anybody else uses a job may go in order, if it never misses.
    """
    if meets_strangers(track):
        return False
    if are_its_own(track, row):
        return True
    if plain < PLAIN_SHAPE and (is_polite_crawler(track, arena, row) or knows_its_own(track, row)):
        return True
    if shape < PLAIN_SHAPE:
        return row["credential"] != U(0) or np.float64(track["requests"]) < BY_THE_WAY * np.float64(asked)
    return row["credential"] != U(0) and track["misses"] == 0 and track["population"] < MIN_OTHERS
