"""Parameters of endpoints: how often each is there, of which types its values are, in which range. No value is kept.

Requests that were served (2xx, 3xx) teach alone, as for templates.
"""

import re
import string

import numpy as np

from sensor.core.bundle import Bundle
from sensor.core.hashing import U, mix
from sensor.core.jit import kernel
from sensor.core.placeholders import CLASSES
from sensor.core.records import names_of
from sensor.core.sensitive import BY_CHANCE, SENSITIVE
from sensor.inventory.few_words import LETTERS, WORDS, merge_few, note_few, told_words
from sensor.inventory.lexical import INT
from sensor.inventory.loglog import add_hash, estimate
from sensor.inventory.profile import EVERY_ONE_OF
from sensor.inventory.sightings import NEVER, is_welcome, new_sightings
from sensor.inventory.values import IN_ANSWER_HEADER, IN_COOKIE, IN_HEADER, IN_PATH, IN_RESPONSE, LOCATIONS

CAPACITY = 65_536
PROBES = 16
"""Places looked at before a parameter finds no room."""
NAME = 64
REGISTER_BITS = 6
REGISTERS = 1 << REGISTER_BITS
"""HyperLogLog registers: a standard error of 13 %."""
SERVED_FROM, SERVED_TO = 200, 400
OF_ANSWERS = (IN_RESPONSE, IN_ANSWER_HEADER)
VALUE_LIKE = re.compile(r"@|%40|[0-9]{4}")
"""In names of query parameters; keys of bodies were looked at as they were read."""
RANGE_FROM = 10
"""Different values, about, from which on a range is told."""
FREELY, MOST = 64, 384
"""Parameters of one endpoint: those that it takes as they come, and with those that are met again."""
ALPHABETS = ("digits", "lower", "upper", "hyphen", "underscore", "dot", "other")
"""Sets of characters that values are made of; escapes and all else are `other`."""
ALPHABET_BIT = np.full(256, 1 << ALPHABETS.index("other"), np.uint8)
for _code, _characters in enumerate((string.digits, string.ascii_lowercase, string.ascii_uppercase, "-", "_", ".")):
    ALPHABET_BIT[list(_characters.encode())] = 1 << _code
ALPHABET_BYTES = 32
"""Of a value that are looked at, in the first EVERY_ONE_OF requests that bear the parameter."""
OTHER_NUMBERS = (
    b"order", b"track", b"ref", b"plate", b"serial", b"invoice", b"sku", b"ean", b"upc", b"gtin", b"isbn", b"imei", b"time",
    b"stamp", b"batch", b"lot", b"shipment", b"parcel", b"session", b"request", b"trace", b"span", b"version",
)  # fmt: skip
"""Parts of names of fields whose numbers are neither cards nor anybody's identity."""

PARAMETER = np.dtype([
    ("endpoint", "<u4"),    # id of its endpoint, 0 free
    ("generation", "<u4"),  # of the endpoint's place
    ("slot", "<u8"), ("location", "u1"),  # as in VALUE
    ("seen", "<u8"),        # requests that bore it
    ("kinds", "<u4"),       # bits of lexical.CLASSES
    ("low", "<i8"), ("high", "<i8"),  # of INT values
    ("shortest", "<u4"), ("longest", "<u4"),  # bytes
    ("secret", "u1"),       # class in sensitive.SENSITIVE that some value may be, 0 harmless: nothing of it is shown
    ("exposed", "u1"), ("votes", "<u4"),  # class in sensitive.SENSITIVE that most of its values are, and its majority
    ("showing", "<u4"),     # values of that class
    ("words", "u1"), ("newest", "<u8"),  # few words that it takes, WORDS + 1 for more; `seen` when the last was new
    ("alphabet", "u1"),     # bits of ALPHABETS that its harmless values are of
    ("registers", "u1", (REGISTERS,)),  # of the values' hashes
    ("name", "u1", (NAME,)), ("name_len", "u1"),  # of query and body
])  # fmt: skip


class Parameters(Bundle):
    """The table: open addressing by endpoint and slot."""

    rows: np.ndarray
    """PARAMETER[CAPACITY]"""
    words: np.ndarray
    """uint8[CAPACITY, WORDS, LETTERS]: the few words of each, zeros behind"""
    sightings: np.ndarray
    """As new_sightings makes them"""
    control: np.ndarray
    """int64[1]: values that found no room"""


def new_parameters() -> Parameters:
    words = np.zeros((CAPACITY, WORDS, LETTERS), np.uint8)
    return Parameters(np.zeros(CAPACITY, PARAMETER), words, new_sightings(), np.zeros(1, np.int64))


@kernel
def clear_parameter(entry, endpoint, generation, slot, location):
    """Make an entry that of a parameter of which nothing is known."""
    entry["endpoint"] = endpoint
    entry["generation"] = generation
    entry["slot"] = slot
    entry["location"] = location
    entry["seen"] = 0
    entry["kinds"] = 0
    entry["low"] = 0
    entry["high"] = 0
    entry["shortest"] = 0xFFFFFFFF
    entry["longest"] = 0
    entry["secret"] = 0
    entry["exposed"] = 0
    entry["votes"] = 0
    entry["showing"] = 0
    entry["name_len"] = 0
    entry["words"] = 0
    entry["alphabet"] = 0
    entry["newest"] = 0
    for k in range(REGISTERS):
        entry["registers"][k] = 0


@kernel
def find_parameter(parameters, owner, endpoint, slot, location, ts):
    """Place of a parameter, new or known; -1 when there is no room, or its endpoint (owner: ENDPOINT) has too many.

    ts: as in is_welcome.
    """
    generation = owner["generation"]
    key = mix(U(endpoint) * U(0x9E3779B97F4A7C15) ^ mix(slot + U(location)))
    first = np.int64(key & U(CAPACITY - 1))
    for step in range(PROBES):
        place = (first + step) & (CAPACITY - 1)
        entry = parameters.rows[place]
        if entry["endpoint"] == 0:
            if owner["parameters"] >= MOST:
                break
            if not is_welcome(parameters.sightings, owner["parameters"], FREELY, key, ts):
                return np.int64(-1)
            owner["parameters"] += np.uint16(1)
            clear_parameter(entry, endpoint, generation, slot, location)
            return place
        if entry["endpoint"] == endpoint and entry["slot"] == slot and entry["location"] == location:
            if entry["generation"] != generation:  # the place was given to another endpoint
                clear_parameter(entry, endpoint, generation, slot, location)
            return place
    parameters.control[0] += 1
    return np.int64(-1)


@kernel
def standing(endpoints, endpoint):
    """The endpoint that an endpoint has become a part of, itself where it has not. endpoints: ENDPOINT[:]"""
    while endpoints[endpoint]["moved"]:
        endpoint = np.int64(endpoints[endpoint]["moved"])
    return endpoint


@kernel
def note_number(entry, number):
    """Widen the range of a parameter's numbers."""
    first = not entry["kinds"] >> np.uint32(INT) & np.uint32(1)
    if first or number < entry["low"]:
        entry["low"] = number
    if first or number > entry["high"]:
        entry["high"] = number


@kernel
def alphabet_of(arena, at, length):
    """Bits of ALPHABETS for the first bytes of a value."""
    found = np.uint8(0)
    for k in range(min(length, ALPHABET_BYTES)):
        found |= ALPHABET_BIT[arena[at + k]]
    return found


@kernel
def is_at_hand(value):
    """Whether the arena holds a value: what stood out in a text without fields has neither name nor copy."""
    return value["name_len"] > 0 or value["location"] == IN_PATH


@kernel
def note_exposure(entry, kind, weight):
    """A value is taken for a class of sensitive data: keep the class of most (Boyer and Moore's majority vote)."""
    if kind == entry["exposed"]:
        entry["votes"] += weight
        entry["showing"] += weight
    elif entry["votes"] < weight:
        entry["exposed"] = kind
        entry["votes"] = weight
        entry["showing"] = weight
    else:
        entry["votes"] -= weight


@kernel
def note_parameters(parameters, endpoints, rows, arena, values):
    """Learn from values[:] (VALUE) of rows[:], whose text is in the arena. endpoints: ENDPOINT[:], for their generations."""
    for index in range(values.shape[0]):
        value = values[index]
        row = rows[value["row"]]
        endpoint = np.int64(row["endpoint"])
        if endpoint == 0 or not SERVED_FROM <= row["status"] < SERVED_TO:
            continue
        endpoint = standing(endpoints, endpoint)
        place = find_parameter(parameters, endpoints[endpoint], endpoint, value["slot"], value["location"], row["ts"])
        if place < 0:
            continue
        entry = parameters.rows[place]
        if entry["seen"] == 0 and value["location"] != IN_PATH:
            length = min(np.int64(value["name_len"]), NAME)
            entry["name_len"] = length
            for k in range(length):
                entry["name"][k] = arena[value["name_at"] + k]
        entry["seen"] += U(value["weight"])
        if value["kind"] == INT and value["secret"] == 0 and value["exposed"] == 0:  # the range of one secret is that secret
            note_number(entry, value["number"])
        entry["kinds"] |= np.uint32(1) << np.uint32(value["kind"])
        entry["shortest"] = min(entry["shortest"], value["len"])
        entry["longest"] = max(entry["longest"], value["len"])
        entry["secret"] = max(entry["secret"], value["secret"])
        if value["exposed"]:
            note_exposure(entry, value["exposed"], np.uint32(value["weight"]))
        elif value["secret"] == 0 and entry["seen"] <= U(EVERY_ONE_OF) and is_at_hand(value):
            entry["alphabet"] |= alphabet_of(arena, np.int64(value["at"]), np.int64(value["len"]))
        note_few(entry, parameters.words[place], value, arena)
        add_hash(entry["registers"], REGISTER_BITS, mix(value["hash"]))


@kernel
def merge_parameter(entry, other):
    """Add what is known of one parameter to another."""
    if other["kinds"] >> np.uint32(INT) & np.uint32(1):
        note_number(entry, other["low"])
        entry["kinds"] |= np.uint32(1) << np.uint32(INT)
        note_number(entry, other["high"])
    entry["kinds"] |= other["kinds"]
    entry["alphabet"] |= other["alphabet"]
    entry["seen"] += other["seen"]
    entry["shortest"] = min(entry["shortest"], other["shortest"])
    entry["longest"] = max(entry["longest"], other["longest"])
    entry["secret"] = max(entry["secret"], other["secret"])
    if other["votes"] > entry["votes"]:
        entry["exposed"] = other["exposed"]
        entry["votes"] = other["votes"]
        entry["showing"] = other["showing"]
    if entry["name_len"] == 0:
        entry["name_len"] = other["name_len"]
        for k in range(NAME):
            entry["name"][k] = other["name"][k]
    for k in range(REGISTERS):
        entry["registers"][k] = max(entry["registers"][k], other["registers"][k])


@kernel
def move_parameters(parameters, endpoints):
    """Endpoints became parts of others: what is known of their parameters goes with them."""
    for place in range(CAPACITY):
        other = parameters.rows[place]
        endpoint = np.int64(other["endpoint"])
        if endpoint == 0 or other["seen"] == 0 or not endpoints[endpoint]["moved"]:
            continue
        onto, found = standing(endpoints, endpoint), np.int64(-1)
        if other["generation"] == endpoints[endpoint]["generation"]:  # else of an endpoint that had this place before
            found = find_parameter(parameters, endpoints[onto], onto, other["slot"], other["location"], np.int64(NEVER))
        if found >= 0:
            merge_few(parameters.rows[found], parameters.words[found], other, parameters.words[place])
            merge_parameter(parameters.rows[found], other)
        other["seen"] = 0  # it keeps its place: others may stand behind it


def sensitive_class(entry: np.void) -> str:
    """What a parameter bears. Of what numbers are by chance most of its values must be it, and a single one is not believed
    where its name says that it is another number.
    """
    if not entry["exposed"]:
        return ""
    if BY_CHANCE[entry["exposed"]]:
        showing, seen = int(entry["showing"]), int(entry["seen"])
        name = entry["name"][: entry["name_len"]].tobytes().lower()
        if 2 * showing < seen or (showing == 1 and any(word in name for word in OTHER_NUMBERS)):
            return ""
    return SENSITIVE[int(entry["exposed"])]


def shown_name(name: str) -> str:
    """A name that is itself a value (an address, a number) by its kind alone."""
    return "{text}" if VALUE_LIKE.search(name) else name


def describe(entry: np.void, words: np.ndarray, profile: np.void) -> dict:
    """One parameter, as columns of the store without its endpoint. words: its few ones; profile: PROFILE of its endpoint."""
    location = int(entry["location"])
    served = int(profile["classes"][2] + profile["classes"][3])
    requests = int(profile["met"]) if location in (IN_HEADER, IN_COOKIE) else 0 if location in OF_ANSWERS else served
    kinds = [name or "word" for code, name in enumerate(CLASSES) if int(entry["kinds"]) >> code & 1]
    seen = int(entry["seen"])
    different = min(round(estimate(entry["registers"])), seen)
    is_harmless = not entry["secret"] and not entry["exposed"] and location not in (*OF_ANSWERS, IN_COOKIE)
    sensitive = sensitive_class(entry)
    is_number = "int" in kinds and is_harmless and different >= RANGE_FROM  # the range of a few values is these values
    return {
        "location": LOCATIONS[location],
        "name": shown_name(entry["name"][: entry["name_len"]].tobytes().decode("utf-8", "backslashreplace")),
        "position": 0 if location != IN_PATH else int(entry["slot"]),
        "seen": seen,
        "requests": requests,
        "types": kinds,
        "minimum": int(entry["low"]) if is_number else None,
        "maximum": int(entry["high"]) if is_number else None,
        "alphabet": names_of(int(entry["alphabet"]), ALPHABETS) if is_harmless else [],
        "shortest": int(entry["shortest"]),
        "longest": int(entry["longest"]),
        "distinct_values": different,
        "sensitive": sensitive,
        "sensitive_seen": int(entry["showing"]) if sensitive else 0,
        "values": told_words(entry, words),
    }
