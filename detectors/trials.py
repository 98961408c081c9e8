"""Which requests are attempts at guessing something, and what their answers mean: rows of a batch to TRIAL rows."""

import numpy as np

from detectors.attempts_state import FAILURE, NEUTRAL, SUCCESS, TRIAL
from detectors.base import View
from sensor.core.hashing import U, hash_bytes, mix
from sensor.core.jit import kernel
from sensor.core.records import FLOW
from sensor.core.sensitive import EMAIL_SECRET, OTP, PASSWORD
from sensor.inventory.endpoints import CAPACITY
from sensor.inventory.lexical import INT
from sensor.inventory.refusals import REFUSED
from sensor.inventory.secrets import is_among, name_hashes
from sensor.inventory.values import IN_PATH

USERS = name_hashes(
    "user", "username", "user_name", "login", "email", "account", "phone", "userid",
)  # fmt: skip
"""Names of parameters that say which account is meant."""


def outcomes(failures: tuple[int, ...], successes: tuple[int, ...] = ()) -> np.ndarray:
    """uint8[1000]: outcome by status. successes: hundreds of all that succeed (2 and 3 where none are named)."""
    table = np.full(1_000, NEUTRAL, np.uint8)
    for hundred in successes or (2, 3):
        table[hundred * 100 : hundred * 100 + 100] = SUCCESS
    table[list(failures)] = FAILURE
    return table


OF_CARDS = outcomes((400, 402, 403, 422))
"""Of payments: declined; 409 says that something is sold out."""


class TrialRoom:
    """Rows for trials, used again by every batch."""

    def __init__(self) -> None:
        self._trials = np.empty(0, TRIAL)

    def of(self, size: int) -> np.ndarray:
        """TRIAL[size or more]"""
        if len(self._trials) < size:
            self._trials = np.empty(size, TRIAL)
        return self._trials


@kernel
def outcome_of(row, outcomes_by_status):
    """What an answer means: its status tells, unless its body says no; neutral where the body would tell and was not seen."""
    outcome = outcomes_by_status[min(row["status"], 999)]
    if outcome == SUCCESS and row["refused"]:
        return np.uint8(FAILURE if row["refused"] == REFUSED else NEUTRAL)
    return outcome


@kernel
def note_value(trial, value, users):
    """Add one value of the request to what was tried."""
    trial["what"] = mix(trial["what"] ^ mix(value["hash"] ^ value["slot"]))
    if value["secret"] == PASSWORD or value["secret"] == OTP:
        trial["secret"] = mix(value["hash"])
    elif value["secret"] == EMAIL_SECRET or (value["location"] != IN_PATH and is_among(value["slot"], users)):
        trial["user"] = mix(value["hash"])


@kernel
def start_trial(trial, index, row, outcome, place):
    """A trial of which nothing but the length of its body is known."""
    trial["row"] = index
    trial["outcome"] = outcome
    trial["place"] = place
    trial["what"] = mix(U(row["request_bytes"]))
    trial["user"] = 0
    trial["secret"] = 0
    trial["foreign"] = 0


@kernel
def trials_of_flow(rows, values, flow, outcomes_by_status, users, trials):
    """Attempts at endpoints of one business flow, to trials[:]: their number."""
    count, at = 0, 0
    for index in range(rows.shape[0]):
        row = rows[index]
        if row["flow"] != flow or row["endpoint"] == 0:
            continue
        outcome = outcome_of(row, outcomes_by_status)
        if outcome == NEUTRAL:
            continue
        start_trial(trials[count], index, row, outcome, row["endpoint"])
        while at < values.shape[0] and values[at]["row"] < index:
            at += 1
        while at < values.shape[0] and values[at]["row"] == index:
            note_value(trials[count], values[at], users)
            at += 1
        count += 1
    return count


@kernel
def note_form(trial, value):
    """Add the form of one value to what was tried: its class, and of a number its length. A list of records has one form."""
    length = U(value["len"]) if value["kind"] == INT else U(0)
    trial["what"] = mix(trial["what"] ^ mix(value["slot"] ^ (U(value["kind"]) << U(8)) ^ (length << U(16))))


@kernel
def trials_elsewhere(rows, values, judged, outcomes_by_status, trials):
    """Requests at all endpoints but those of flows that others watch (judged[flow]), to trials[:]: their number."""
    count, at = 0, 0
    for index in range(rows.shape[0]):
        row = rows[index]
        outcome = outcome_of(row, outcomes_by_status)
        if outcome == NEUTRAL or row["endpoint"] == 0 or judged[row["flow"]]:
            continue
        start_trial(trials[count], index, row, outcome, row["endpoint"])
        while outcome == FAILURE and at < values.shape[0] and values[at]["row"] < index:
            at += 1
        if at < values.shape[0] and values[at]["row"] == index:
            trials[count]["what"] = 0  # where values are seen the length of the body tells nothing more
        while outcome == FAILURE and at < values.shape[0] and values[at]["row"] == index:
            note_form(trials[count], values[at])
            at += 1
        count += 1
    return count


@kernel
def place_of_host(row, arena):
    """The place for what is held against all of a host."""
    host = hash_bytes(arena, np.int64(row["host_at"]), np.int64(row["host_len"]), U(1))
    return np.uint32(host & U(CAPACITY - 1))


@kernel
def trials_of_hosts(rows, arena, outcomes_by_status, trials):
    """Requests for endpoints that may exist or not, held against what is usual at their host: their number."""
    count = 0
    for index in range(rows.shape[0]):
        row = rows[index]
        outcome = outcomes_by_status[min(row["status"], 999)]
        if outcome == NEUTRAL or row["method_len"] == 0 or (outcome == FAILURE and row["served"]):
            continue
        start_trial(trials[count], index, row, outcome, place_of_host(row, arena))
        if row["endpoint"]:
            trials[count]["what"] = mix(U(row["endpoint"]))
        else:
            trials[count]["what"] = hash_bytes(arena, np.int64(row["path_at"]), np.int64(row["path_len"]), U(3))
        count += 1
    return count


def attempts_at(flow: str, view: View, room: TrialRoom, outcomes_by_status: np.ndarray) -> tuple[np.ndarray, int]:
    """(TRIAL[:], how many of them are the batch's attempts at endpoints of this business flow)"""
    rows = view.batch.rows
    trials = room.of(len(rows))
    return trials, trials_of_flow(rows, view.values, FLOW[flow], outcomes_by_status, USERS, trials)
