"""What is known of an endpoint: counts, distinct clients, quantiles, media types. Fixed size, whatever it is sent."""

import numpy as np

from sensor.core.bundle import Bundle
from sensor.core.hashing import U, hash_bytes, mix
from sensor.core.jit import kernel
from sensor.core.wide import SLACK, copy
from sensor.inventory.loglog import add_hash
from sensor.inventory.profile_facts import (
    MANY_ORIGINS,
    STATUS,
    STATUSES,
    note_facts,
    note_site,
    note_status,
    says_absent,
)

EXACT_CLIENTS = 64
"""Clients counted one by one; more are estimated."""
REGISTER_BITS = 10
REGISTERS = 1 << REGISTER_BITS
"""HyperLogLog registers: a standard error of 1.04 / sqrt(1024) = 3.3 %."""
BUCKETS = 160
"""Four to an octave up to 2^40: a quantile is off by at most an eighth."""
TYPES = 8
"""Media types remembered by endpoint and direction."""
TYPE_LIMIT = 64
EVERY_ONE_OF, ONE_IN = 256, 8
"""Transactions of an endpoint whose header fields and bodies are looked at in full; of later ones one in so many, for all."""
LATENCY, REQUEST, RESPONSE = range(3)

PROFILE = np.dtype([
    ("first_ts", "<i8"), ("last_ts", "<i8"),
    ("transactions", "<u8"),
    ("served", "u1"),                  # some answer said that the endpoint exists
    ("classes", "<u8", (6,)),          # without a response, then 1xx to 5xx
    ("auth", "<u4"),                   # bits of AUTH_KINDS
    ("open", "<u8"),                   # requests without credentials that were answered with 2xx
    ("facts", "<u4"),                  # bits of FACTS that some transaction showed
    ("origins", "<u8", (MANY_ORIGINS - 1,)),  # hashes of sites that may read answers with credentials; 0: none
    ("statuses", STATUS, (STATUSES,)),  # in the order of appearance
    ("clients", "<u4"),                # exact ones; EXACT_CLIENTS + 1: see the registers
    ("measured", "<u8", (3,)),         # values in each histogram
    ("largest", "<i8", (3,)), ("smallest", "<i8", (3,)),
    ("types", "u1", (2,)),             # media types remembered of requests and responses
    ("met", "<u8"),                    # served requests for which those stand that were looked at
    ("shape", "<u8"), ("shape_votes", "<u4"), ("shaped", "u1"),  # shape of its JSON answers; its majority; answers looked at
])  # fmt: skip


class Profiles(Bundle):
    """Profiles by endpoint id."""

    counts: np.ndarray
    """PROFILE[n]"""
    clients: np.ndarray
    """uint64[n, EXACT_CLIENTS]: hashes of addresses"""
    registers: np.ndarray
    """uint8[n, REGISTERS]"""
    histograms: np.ndarray
    """uint32[n, 3, BUCKETS]: latency in µs, body bytes of requests and of responses"""
    type_hashes: np.ndarray
    """uint64[n, 2, TYPES]"""
    type_texts: np.ndarray
    """uint8[n * 2 * TYPES * (TYPE_LIMIT + 1) + SLACK]: a length byte and the text"""


def new_profiles(count: int) -> Profiles:
    return Profiles(
        np.zeros(count, PROFILE),
        np.zeros((count, EXACT_CLIENTS), np.uint64),
        np.zeros((count, REGISTERS), np.uint8),
        np.zeros((count, 3, BUCKETS), np.uint32),
        np.zeros((count, 2, TYPES), np.uint64),
        np.zeros(count * 2 * TYPES * (TYPE_LIMIT + 1) + SLACK, np.uint8),
    )


@kernel
def clear_profile(profiles, place):
    """Make a profile empty."""
    counts = profiles.counts[place]
    counts["first_ts"] = 0
    counts["last_ts"] = 0
    counts["transactions"] = 0
    counts["served"] = 0
    counts["auth"] = 0
    counts["facts"] = 0
    for k in range(MANY_ORIGINS - 1):
        counts["origins"][k] = 0
    for k in range(STATUSES):
        counts["statuses"][k]["code"] = 0
        counts["statuses"][k]["count"] = 0
    counts["open"] = 0
    counts["met"] = 0
    if counts["clients"] > EXACT_CLIENTS:
        for k in range(REGISTERS):
            profiles.registers[place, k] = 0
    counts["clients"] = 0
    for k in range(6):
        counts["classes"][k] = 0
    for which in range(3):
        if counts["measured"][which] > 0:
            for k in range(BUCKETS):
                profiles.histograms[place, which, k] = 0
        counts["measured"][which] = 0
        counts["largest"][which] = 0
        counts["smallest"][which] = 0
    for side in range(2):
        counts["types"][side] = 0
    counts["shape"] = 0
    counts["shape_votes"] = 0
    counts["shaped"] = 0


@kernel
def merge_types(profiles, onto, other, side):
    """Add the media types of one profile to another."""
    for k in range(profiles.counts[other]["types"][side]):
        at = ((other * 2 + side) * TYPES + k) * (TYPE_LIMIT + 1)
        add_type(profiles, onto, side, profiles.type_texts, at + 1, np.int64(profiles.type_texts[at]))


@kernel
def merge_clients(profiles, onto, other):
    """Add the clients of one profile to another."""
    if profiles.counts[other]["clients"] <= EXACT_CLIENTS:
        for k in range(profiles.counts[other]["clients"]):
            add_client(profiles, onto, profiles.clients[other, k])
        return
    counts = profiles.counts[onto]
    if counts["clients"] <= EXACT_CLIENTS:
        for k in range(counts["clients"]):
            add_register(profiles, onto, profiles.clients[onto, k])
        counts["clients"] = EXACT_CLIENTS + 1
    for k in range(REGISTERS):
        profiles.registers[onto, k] = max(profiles.registers[onto, k], profiles.registers[other, k])


@kernel
def merge_measures(profiles, onto, other, which):
    """Add one histogram of a profile to that of another."""
    counts, added = profiles.counts[onto], profiles.counts[other]
    if added["measured"][which] == 0:
        return
    first = counts["measured"][which] == 0
    if first or added["largest"][which] > counts["largest"][which]:
        counts["largest"][which] = added["largest"][which]
    if first or added["smallest"][which] < counts["smallest"][which]:
        counts["smallest"][which] = added["smallest"][which]
    counts["measured"][which] += added["measured"][which]
    for k in range(BUCKETS):
        profiles.histograms[onto, which, k] += profiles.histograms[other, which, k]


@kernel
def merge_profile(profiles, onto, other):
    """Add one profile to another, as if both had been one from the beginning."""
    counts, added = profiles.counts[onto], profiles.counts[other]
    if counts["transactions"] == 0:
        counts["first_ts"] = added["first_ts"]
        counts["last_ts"] = added["last_ts"]
    counts["first_ts"] = min(counts["first_ts"], added["first_ts"])
    counts["last_ts"] = max(counts["last_ts"], added["last_ts"])
    counts["transactions"] += added["transactions"]
    counts["served"] |= added["served"]
    counts["auth"] |= added["auth"]
    counts["facts"] |= added["facts"]
    for k in range(MANY_ORIGINS - 1):
        note_site(counts, added["origins"][k])
    for k in range(STATUSES):
        note_status(counts, added["statuses"][k]["code"], added["statuses"][k]["count"])
    counts["open"] += added["open"]
    counts["met"] += added["met"]
    for k in range(6):
        counts["classes"][k] += added["classes"][k]
    merge_clients(profiles, onto, other)
    for which in range(3):
        merge_measures(profiles, onto, other, which)
    for side in range(2):
        merge_types(profiles, onto, other, side)
    if added["shape_votes"] > counts["shape_votes"]:
        counts["shape"] = added["shape"]
        counts["shape_votes"] = added["shape_votes"]
    counts["shaped"] = max(counts["shaped"], added["shaped"])


@kernel
def bucket_of(value):
    """Histogram bucket: the position of the highest bit and the two bits behind it; 0 to 3 have their own."""
    if value < 4:
        return max(np.int64(0), np.int64(value))
    top, rest = np.int64(0), np.int64(value)
    while rest > 7:
        rest >>= 1
        top += 1
    return min(np.int64(BUCKETS - 1), 4 + top * 4 + (rest - 4))


@kernel
def measure(profiles, place, which, value):
    """Add a value to a histogram."""
    counts = profiles.counts[place]
    if counts["measured"][which] == 0 or value > counts["largest"][which]:
        counts["largest"][which] = value
    if counts["measured"][which] == 0 or value < counts["smallest"][which]:
        counts["smallest"][which] = value
    counts["measured"][which] += U(1)
    profiles.histograms[place, which, bucket_of(value)] += np.uint32(1)


@kernel
def add_register(profiles, place, hashed):
    """One hash into the HyperLogLog."""
    add_hash(profiles.registers[place], REGISTER_BITS, hashed)


@kernel
def add_client(profiles, place, hashed):
    """Count a client: exactly at first, by registers once there are many."""
    counts = profiles.counts[place]
    if counts["clients"] > EXACT_CLIENTS:
        add_register(profiles, place, hashed)
        return
    for k in range(counts["clients"]):
        if profiles.clients[place, k] == hashed:
            return
    if counts["clients"] < EXACT_CLIENTS:
        profiles.clients[place, counts["clients"]] = hashed
        counts["clients"] += np.uint32(1)
        return
    for k in range(EXACT_CLIENTS):
        add_register(profiles, place, profiles.clients[place, k])
    add_register(profiles, place, hashed)
    counts["clients"] += np.uint32(1)


@kernel
def add_type(profiles, place, side, arena, at, length):
    """Remember a media type of requests (side 0) or responses (1)."""
    if length == 0 or length > TYPE_LIMIT:
        return
    hashed = hash_bytes(arena, at, length, U(7))
    counts = profiles.counts[place]
    known = counts["types"][side]
    for k in range(known):
        if profiles.type_hashes[place, side, k] == hashed:
            return
    if known == TYPES:
        return
    profiles.type_hashes[place, side, known] = hashed
    to = ((place * 2 + side) * TYPES + known) * (TYPE_LIMIT + 1)
    profiles.type_texts[to] = length
    copy(profiles.type_texts, to + 1, arena, at, length)
    counts["types"][side] = known + 1


@kernel
def transactions_meant(counts, status):
    """Transactions for which the one that was counted last stands to whoever looks closer; 0: it is not looked at."""
    number = counts["transactions"]
    meant = 1 if number <= U(EVERY_ONE_OF) else ONE_IN if number % U(ONE_IN) == U(0) else 0
    if 200 <= status < 400:
        counts["met"] += U(meant)
    return meant


@kernel
def profile_row(profiles, place, arena, row):
    """Add one transaction to its endpoint's profile."""
    counts = profiles.counts[place]
    ts = row["ts"]
    if counts["transactions"] == 0 or ts < counts["first_ts"]:
        counts["first_ts"] = ts
    if counts["transactions"] == 0 or ts > counts["last_ts"]:
        counts["last_ts"] = ts
    counts["transactions"] += U(1)
    status = np.int64(row["status"])
    counts["classes"][min(status // 100, 5) if status > 0 else 0] += U(1)
    if not says_absent(status, row["grpc_status"]):
        counts["served"] = 1
    counts["auth"] |= np.uint32(1) << np.uint32(row["auth"])
    counts["open"] += U(row["auth"] == 0 and status // 100 == 2)
    note_status(counts, status, 1)
    note_facts(counts, np.uint32(row["facts"]), status, row["allowed_origin"])
    add_client(profiles, place, mix(row["client_lo"] ^ (row["client_hi"] * U(0x9E3779B97F4A7C15))))
    if row["latency_us"] >= 0:
        measure(profiles, place, LATENCY, row["latency_us"])
        measure(profiles, place, RESPONSE, row["response_bytes"])
    measure(profiles, place, REQUEST, row["request_bytes"])
    add_type(profiles, place, 0, arena, np.int64(row["request_type_at"]), np.int64(row["request_type_len"]))
    add_type(profiles, place, 1, arena, np.int64(row["response_type_at"]), np.int64(row["response_type_len"]))
