"""What is put into a basket, or held, for whom and when: which requests hold the same thing again that was never paid."""

import numpy as np

from detectors.attempts_state import FAILURE, SUCCESS
from detectors.owners import identity
from detectors.trials import start_trial
from detectors.ways import way_of
from sensor.core.bundle import Bundle
from sensor.core.hashing import U, mix
from sensor.core.jit import kernel
from sensor.core.records import FLOW
from sensor.core.words import holds_one_of, words_table
from sensor.inventory.refusals import REFUSED
from sensor.inventory.values import IN_QUERY

HOLDS, BUYERS = 16_384, 4_096
SOON = 300_000_000_000
"""ns: who asks for the same once more within this time has clicked twice, tries again in a rush, or has changed his mind."""
CLICKS = 8
"""Times that nobody asks for the same within that time, however great the rush."""
KEPT = 6 * 3_600_000_000_000
"""ns after which nobody remembers that the thing was held before."""
PUT_POST_PATCH = 80  # `P`
F_CART, F_PAYMENT = FLOW["cart"], FLOW["payment"]

RESERVATIONS = words_table("hold", "reserv")
"""In a template: what is held is a part of something that there is no more of."""

HOLD = np.dtype([("last_ts", "<i8"), ("raised_ts", "<i8"), ("key", "<u8"), ("clicks", "<u4")])
"""A thing that somebody held. clicks: how often it was asked for since it was last counted."""
BUYER = np.dtype([("key", "<u8"), ("last_ts", "<i8"), ("raised_ts", "<i8"), ("paid", "<u8")])
"""How often somebody paid: what he holds afterwards is another thing."""


class Holds(Bundle):
    """Everything that is known of holds."""

    holds: np.ndarray
    """HOLD[HOLDS], by detectors.ways"""
    buyers: np.ndarray
    """BUYER[BUYERS], by detectors.ways"""


def new_holds() -> Holds:
    return Holds(np.zeros(HOLDS, HOLD), np.zeros(BUYERS, BUYER))


@kernel
def buyer_of(state, row):
    """The entry of whoever asks: a token, a session, or an address."""
    who = identity(row)
    key = mix(who if who != U(0) else row["client_lo"] ^ mix(row["client_hi"])) | U(1)
    buyer = state.buyers[way_of(state.buyers, key)]
    if buyer["key"] != key:
        buyer["key"] = key
        buyer["paid"] = 0
        buyer["raised_ts"] = 0
    buyer["last_ts"] = max(buyer["last_ts"], row["ts"])
    return buyer


@kernel
def hold_again(state, row, buyer, thing):
    """Whether a thing is held again, -1 where it is asked for once more at once; it is held from here on."""
    key = mix(mix(buyer["key"] + buyer["paid"]) ^ mix(thing ^ mix(U(row["endpoint"])))) | U(1)
    hold = state.holds[way_of(state.holds, key)]
    known, before = hold["key"] == key, hold["last_ts"]
    if known and row["ts"] - before < SOON:
        hold["clicks"] += np.uint32(1)
        return 1 if hold["clicks"] % CLICKS == 0 else -1  # and the time since it was counted goes on
    hold["key"] = key
    hold["clicks"] = 0
    hold["last_ts"] = row["ts"]
    hold["raised_ts"] = 0
    return 1 if known and row["ts"] - before < KEPT else 0


@kernel
def thing_of(values, at, end, is_reservation):
    """What values[at:end] of a request name: with what its body says in a basket; of a reservation the event alone, if path or
    query name one, since other seats of it are taken no less from others. 0 for nothing."""
    named, all_of_it = U(0), U(0)
    for k in range(at, end):
        value = mix(values[k]["hash"] ^ values[k]["slot"])
        all_of_it = mix(all_of_it ^ value)
        if values[k]["location"] <= IN_QUERY:
            named = mix(named ^ value)
    return named if is_reservation and named != U(0) else all_of_it


@kernel
def trials_of_holds(state, rows, arena, values, trials):
    """Things that were held, to trials[:]: their number. Outcome: FAILURE for one that is held again and was not paid."""
    count, at = 0, 0
    for index in range(rows.shape[0]):
        row = rows[index]
        served = 200 <= row["status"] < 400 and row["refused"] != REFUSED
        if row["endpoint"] == 0 or not served or (row["flow"] != F_CART and row["flow"] != F_PAYMENT):
            continue
        buyer = buyer_of(state, row)
        if row["flow"] == F_PAYMENT:
            writes = row["method_len"] > 0 and arena[np.int64(row["method_at"])] == PUT_POST_PATCH
            buyer["paid"] += U(1) if writes and row["request_bytes"] > 0 else U(0)
            continue
        while at < values.shape[0] and values[at]["row"] < index:
            at += 1
        first, template = at, np.int64(row["template_at"])
        while at < values.shape[0] and values[at]["row"] == index:
            at += 1
        reserves = holds_one_of(arena, template, template + np.int64(row["template_len"]), RESERVATIONS)
        thing = thing_of(values, first, at, reserves)
        again = hold_again(state, row, buyer, thing) if thing != U(0) else -1
        if again < 0:
            continue
        start_trial(trials[count], index, row, FAILURE if again == 1 else SUCCESS, row["endpoint"])
        trials[count]["what"] = mix(thing ^ U(row["ts"]))  # one thing held ten times is as bad as ten
        count += 1
    return count
