"""What clients do before they pay: which endpoints most of them had asked for, and who comes without half of these."""

import numpy as np

from detectors.attempts_state import FAILURE, SUCCESS
from detectors.owners import identity
from detectors.trials import OF_CARDS, outcome_of, start_trial
from detectors.ways import way_of
from sensor.core.bits import address_hash, distinct_bits
from sensor.core.bundle import Bundle
from sensor.core.hashing import U, hash_bytes, mix
from sensor.core.jit import kernel
from sensor.core.records import AUTH, FLOW
from sensor.inventory.endpoints import CAPACITY
from sensor.inventory.refusals import REFUSED

VISITORS = 32_768
KNOWN, USUAL = 8.0, 0.8
"""Visits from which on it is known what comes before one, and share of them that had a step before, from which on it is usual:
of eight visits seven, which of a step that half of the clients take happens once in 28 times."""
KEPT = 2 * 3_600_000_000_000
"""ns of silence after which nobody remembers what somebody did before."""
HOUR = 3_600_000_000_000
FORGOTTEN = VISITORS // 100
"""Visitors of this half hour and the last who had to give way: beyond so many, what somebody did before is not sure."""
EXCUSED = 3
"""Tries of a person whose card is declined; who goes on after so many is counted again."""
PUT_POST_PATCH = 80  # `P`
F_PAYMENT = FLOW["payment"]
PROGRAMS = np.zeros(len(AUTH), np.uint8)
PROGRAMS[[AUTH["api_key"], AUTH["basic"], AUTH["aws"], AUTH["digest"]]] = 1
"""Credentials of programs, which have no steps to take."""

VISITOR = np.dtype([
    ("key", "<u8"), ("last_ts", "<i8"), ("raised_ts", "<i8"), ("steps", "<u8"), ("taught", "<u8"), ("spare", "<u4"),
    ("refused", "u1"), ("excused", "u1"),
])  # fmt: skip
"""Somebody at a host, by address or by who he says he is. steps: bits of endpoints that served him since he paid last;
taught: the same of those whose usual steps he had a part in; spare: requests that are of no visit yet, where several
share an address; refused: payments that were, since then; excused: how often one decline made a payment no trial."""
GOAL = np.dtype([("generation", "<u4"), ("since", "<i8"), ("kinds", "<u8"), ("visits", "<f8"), ("having", "<f8", (64,))])
"""An endpoint where something is paid: visits of the last hours, older ones counting less, and those with each step before;
kinds: bits of hashes of the orders of header fields that came without any step within the hour."""


CROWD = np.dtype([("since", "<i8"), ("lost", "<i8"), ("lost_before", "<i8")])
"""How many visitors had to give way since, and in the half hour before."""


class Steps(Bundle):
    """Everything that is known of steps."""

    visitors: np.ndarray
    """VISITOR[VISITORS], by detectors.ways"""
    goals: np.ndarray
    """GOAL[CAPACITY], by endpoint"""
    crowd: np.ndarray
    """CROWD[1]"""


def new_steps() -> Steps:
    return Steps(np.zeros(VISITORS, VISITOR), np.zeros(CAPACITY, GOAL), np.zeros(1, CROWD))


@kernel
def visitor_of(visitors, who, host, ts, crowd):
    """The entry of somebody at a host, begun anew after a long silence."""
    key = mix(who ^ mix(host)) | U(1)
    visitor = visitors[way_of(visitors, key)]
    if visitor["key"] != key and visitor["key"] != U(0) and ts - visitor["last_ts"] < HOUR // 2:
        crowd["lost"] += 1
    if visitor["key"] != key or ts - visitor["last_ts"] > KEPT:
        visitor["key"] = key
        visitor["raised_ts"] = 0
        visitor["steps"] = 0
        visitor["taught"] = 0
        visitor["spare"] = 0
        visitor["refused"] = 0
        visitor["excused"] = 0
        visitor["last_ts"] = ts
    visitor["last_ts"] = max(visitor["last_ts"], ts)
    return visitor


@kernel
def is_crowded(crowd, ts):
    """Whether so many visitors had to give way that who pays may have been here, and is forgotten."""
    if ts - crowd["since"] > HOUR // 2:
        crowd["lost_before"] = crowd["lost"] if ts - crowd["since"] < HOUR else 0
        crowd["lost"] = 0
        crowd["since"] = ts
    return crowd["lost"] + crowd["lost_before"] > FORGOTTEN


@kernel
def pass_time(goal, generation, ts):
    """Let what was seen in the hours that are over count for less; a place that was given to another endpoint begins anew."""
    if goal["generation"] != generation:
        goal["generation"] = generation
        goal["kinds"] = 0
        goal["visits"] = 0.0
        goal["having"][:] = 0.0
        goal["since"] = ts
    elif ts - goal["since"] > HOUR:
        share = 0.9 ** min((ts - goal["since"]) // HOUR, 400)
        goal["visits"] *= share
        for k in range(64):
            goal["having"][k] *= share
        goal["kinds"] = 0
        goal["since"] = ts


@kernel
def usual_steps(goal):
    """Bits of the steps that most visits had before; none where too few are known."""
    bits = U(0)
    if goal["visits"] >= KNOWN:
        for k in range(64):
            if goal["having"][k] >= USUAL * goal["visits"]:
                bits |= U(1) << U(k)
    return bits


@kernel
def teach(goal, steps, fingerprint):
    """Count a visit with what came before it. Without any step one counts for all that send the same header fields: a campaign
    must not make it usual."""
    kind = U(1) << (mix(fingerprint) & U(63))
    if steps == U(0) and goal["kinds"] & kind:
        return
    goal["kinds"] |= kind if steps == U(0) else U(0)
    goal["visits"] += 1.0
    for k in range(64):
        if steps >> U(k) & U(1):
            goal["having"][k] += 1.0


@kernel
def is_program(row):
    """Whether a request is a program's, which has no steps to take: it bears a program's credential and no session. A key
    beside the cookie of a basket is but a line that anybody can write."""
    return PROGRAMS[row["auth"]] != 0 and row["session"] == U(0)


@kernel
def takes_again(address, person):
    """Whether this payment is the next try of somebody whose card was declined: behind one decline EXCUSED times at the most,
    always behind several, of which `card_testing` tells."""
    declined = max(address["refused"], person["refused"])
    address["refused"] = 0
    person["refused"] = 0
    if declined > 1:
        return True
    if declined == 1 and max(address["excused"], person["excused"]) < EXCUSED:
        address["excused"] += np.uint8(1)
        person["excused"] = max(person["excused"], address["excused"])
        return True
    return False


@kernel
def end_visit(address, person, bit, visit):
    """Somebody paid. Of an address the steps stay while its requests are more than this visit's: they are those of others."""
    address["spare"] -= min(address["spare"], np.uint32(visit))
    if address["spare"] == 0:
        address["steps"] = bit
    if person["key"] != address["key"]:
        person["steps"] = bit


@kernel
def trials_of_steps(state, rows, arena, endpoints, trials):
    """What was paid, to trials[:]: their number. Outcome: FAILURE without half of the steps that are usual there."""
    count = 0
    for index in range(rows.shape[0]):
        row = rows[index]
        served = 200 <= row["status"] < 400 and row["refused"] != REFUSED
        writes = row["method_len"] > 0 and arena[np.int64(row["method_at"])] == PUT_POST_PATCH
        pays = row["flow"] == F_PAYMENT and writes
        if row["endpoint"] == 0 or not (served or pays) or is_program(row):
            continue
        host = hash_bytes(arena, np.int64(row["host_at"]), np.int64(row["host_len"]), U(1))
        crowd = state.crowd[0]
        address = visitor_of(state.visitors, address_hash(row), host, row["ts"], crowd)
        own = identity(row)
        person = visitor_of(state.visitors, own, host, row["ts"], crowd) if own != U(0) else address
        bit = U(1) << (mix(U(row["endpoint"])) & U(63))
        steps = address["steps"] | person["steps"]
        if not pays:
            address["spare"] += np.uint32(1)
            address["steps"] |= bit
            person["steps"] |= bit
            continue
        if not served:
            if outcome_of(row, OF_CARDS) == FAILURE:  # as card_testing counts
                address["refused"] = min(address["refused"] + 1, 100)
                person["refused"] = max(person["refused"], address["refused"])
            continue
        tries = takes_again(address, person)
        goal = state.goals[row["endpoint"]]
        pass_time(goal, endpoints[row["endpoint"]]["generation"], row["ts"])
        usual = usual_steps(goal)
        skips = 2 * distinct_bits(usual & ~steps) >= distinct_bits(usual)
        if usual != U(0) and not tries and not is_crowded(crowd, row["ts"]):
            start_trial(trials[count], index, row, FAILURE if skips else SUCCESS, row["endpoint"])
            trials[count]["what"] = mix(U(row["ts"]) ^ row["client_lo"])  # each is as bad as the one before
            count += 1
        if not (address["taught"] & bit) and not (usual != U(0) and skips):
            address["taught"] |= bit
            teach(goal, steps, row["fingerprint"])
        end_visit(address, person, bit, max(distinct_bits(usual), 1))
    return count
