"""Answers that say no although their status does not: `{"success":false}`, errors of GraphQL, a form that is shown again.

Three signs, none of which depends on a language:

- the top-level members of a JSON answer: a member that says whether it worked (SUCCESSES) is false, one that holds an error
  (ERRORS) holds something (GraphQL over HTTP 6, RFC 6749 5.2, JSON:API), one that says how it ended (STATES) says badly, where
  something was tried: a payment that is looked up was declined, the look was not;
- a redirection to the path that was asked, or to one that names an error: a form of a flow (a log-in, a code) sends who is let
  in elsewhere, and who is not back to itself;
- a page as the answer to a form of a flow, at an endpoint that was seen to redirect: post, redirect, get.

Where an endpoint refuses by what its answers carry, an answer that was not seen says nothing: UNTOLD.
"""

import numpy as np

from sensor.core.hashing import LOCATION_ERROR, LOCATION_SEED, U, hash_bytes, with_query
from sensor.core.jit import kernel
from sensor.core.quoted import QUOTE, string_end
from sensor.core.records import FLOW, MEDIA
from sensor.core.wide import load_le64, word
from sensor.inventory.endpoints import CAPACITY
from sensor.inventory.secrets import is_among, name_hash, name_hashes
from sensor.inventory.shapes import CLOSE, CLOSE_LIST, COMMA, OPEN, OPEN_LIST, colon_behind

NO_REFUSAL, REFUSED, UNTOLD = 0, 1, 2
"""Values of TRANSACTION.refused: places in REFUSALS."""
SCANNED = 4_096
"""Bytes of an answer that are looked at."""
M_JSON, M_FORM = MEDIA["json"], MEDIA["form"]
FORMS = np.zeros(len(FLOW), np.uint8)
FORMS[[FLOW["login"], FLOW["signup"], FLOW["reset"], FLOW["payment"], FLOW["code"]]] = 1
"""Flows whose forms are shown again to who is refused."""
PAGE = word(b"text/htm")
FALSE, NULL, ZERO, ERROR_FROM, ERROR_TO = 102, 110, 48, 52, 53  # `f`, `n`, `0`, `4`, `5`
FROM, TO = 200, 400

SUCCESSES = name_hashes(
    "success", "ok", "succeeded", "successful", "issuccess", "is_success", "authenticated", "valid", "isvalid", "is_valid",
    "approved", "accepted", "authorized",
)  # fmt: skip
ERRORS = name_hashes(
    "error", "errors", "err", "errormessage", "error_message", "error_description", "errorcode", "error_code", "errcode",
    "errno", "exception", "fault", "failure", "failures",
)  # fmt: skip
STATES = name_hashes("status", "result", "state", "outcome", "decision")
BAD = name_hashes(
    "error", "fail", "failed", "failure", "declined", "decline", "denied", "rejected", "refused", "invalid", "unauthorized",
    "unauthenticated", "forbidden", "ko", "nok", "ng",
)  # fmt: skip
EMPTY = name_hashes("", "false", "no", "0", "null", "none")


@kernel
def is_nothing(text, at, end):
    """Whether a value stands for no, or for nothing: false, null, 0, an empty text, list or object."""
    if at >= end:
        return True
    byte = text[at]
    if byte == QUOTE:
        stop = string_end(text, at + 1, end)
        return is_among(name_hash(text, at + 1, stop - at - 1), EMPTY)
    if byte == OPEN or byte == OPEN_LIST:
        k = at + 1
        while k < end and text[k] <= 32:
            k += 1
        return k < end and (text[k] == CLOSE or text[k] == CLOSE_LIST)
    if byte == ZERO:
        return at + 1 >= end or text[at + 1] <= 32 or text[at + 1] == COMMA or text[at + 1] == CLOSE
    return byte == FALSE or byte == NULL


@kernel
def ends_badly(text, at, end):
    """Whether a value is a word for failure, or a status of HTTP that is one."""
    if at >= end:
        return False
    if text[at] == QUOTE:
        stop = string_end(text, at + 1, end)
        return is_among(name_hash(text, at + 1, stop - at - 1), BAD)
    digits = 0
    while at + digits < end and ZERO <= text[at + digits] <= ZERO + 9:
        digits += 1
    return digits == 3 and ERROR_FROM <= text[at] <= ERROR_TO


@kernel
def member_refuses(text, name, name_end, at, end, is_attempt, successes, errors, states):
    """Whether one top-level member, its value at text[at:], says no. is_attempt: a state is that of what was tried."""
    hashed = name_hash(text, name, name_end - name)
    if is_among(hashed, successes):
        return is_nothing(text, at, end)
    if is_among(hashed, errors):
        return not is_nothing(text, at, end)
    return is_attempt and is_among(hashed, states) and ends_badly(text, at, end)


@kernel
def json_refuses(text, at, end, is_attempt, successes, errors, states):
    """Whether one of the top-level members of the JSON object text[at:end] says no. is_attempt: as in member_refuses."""
    depth = 0
    while at < end:
        byte = text[at]
        if byte == QUOTE:
            stop = string_end(text, at + 1, end)
            behind = colon_behind(text, stop + 1, end) if depth == 1 else np.int64(-1)
            if behind >= 0:
                while behind < end and text[behind] <= 32:
                    behind += 1
                if behind < end and member_refuses(text, at + 1, stop, behind, end, is_attempt, successes, errors, states):
                    return True
                at = behind
            else:
                at = stop + 1
            continue
        if byte == OPEN or byte == OPEN_LIST:
            depth += 1
        elif byte == CLOSE or byte == CLOSE_LIST:
            depth -= 1
        at += 1
    return False


@kernel
def is_page(row, arena):
    """Whether the answer is HTML."""
    return row["response_type_len"] >= 8 and load_le64(arena, np.int64(row["response_type_at"])) == PAGE


@kernel
def form_refuses(row, arena, redirects):
    """Whether the answer to a form says no; notes an endpoint that redirects who is let in, in redirects: uint8[1]."""
    if FORMS[row["flow"]] == 0:
        return False
    if row["status"] >= 300:
        if row["location"] == U(0):
            return False
        if row["location"] == LOCATION_ERROR:
            return True
        own = hash_bytes(arena, np.int64(row["path_at"]), np.int64(row["path_len"]), LOCATION_SEED)
        query = hash_bytes(arena, np.int64(row["query_at"]), np.int64(row["query_len"]), LOCATION_SEED)
        if row["location"] == own or (row["query_len"] > 0 and row["location"] == with_query(own, query)):
            return True
        redirects[0] = 1
        return False
    return redirects[0] == 1 and row["status"] == 200 and is_page(row, arena)


@kernel
def mark_refusals(rows, arena, bodies, endpoints, signs, generations, successes, errors, states):
    """Set `refused` of rows[:], whose samples are decoded.

    signs: uint8[CAPACITY, 2] by endpoint: whether it redirects from forms, whether it refuses by what its answers carry; begun
    anew when its generation changes.
    """
    for index in range(rows.shape[0]):
        row = rows[index]
        place = row["endpoint"]
        row["refused"] = NO_REFUSAL
        if place == 0 or row["status"] < FROM or row["status"] >= TO:
            continue
        if generations[place] != endpoints[place]["generation"]:
            generations[place] = endpoints[place]["generation"]
            signs[place, 0] = 0
            signs[place, 1] = 0
        if row["request_media"] == M_FORM and form_refuses(row, arena, signs[place, :1]):
            row["refused"] = REFUSED
        elif row["response_media"] == M_JSON:
            at = np.int64(row["response_body_at"])
            length = min(np.int64(row["response_body_len"]), SCANNED)
            if length == 0 or row["response_coding"] != 0:
                row["refused"] = UNTOLD if signs[place, 1] else NO_REFUSAL
            elif json_refuses(bodies, at, at + length, FORMS[row["flow"]] == 1, successes, errors, states):
                row["refused"] = REFUSED
                signs[place, 1] = 1


class Refusals:
    """What is known of how endpoints refuse."""

    def __init__(self) -> None:
        self._signs = np.zeros((CAPACITY, 2), np.uint8)
        self._signs_of = np.zeros(CAPACITY, np.uint32)

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything that it remembers, by name."""
        return {"refusals.signs": self._signs, "refusals.signs_of": self._signs_of}

    def mark(self, endpoints: np.ndarray, rows: np.ndarray, arena: np.ndarray, bodies: np.ndarray) -> None:
        """Set `refused` of every row."""
        mark_refusals(rows, arena, bodies, endpoints, self._signs, self._signs_of, SUCCESSES, ERRORS, STATES)
