"""Which fields the bodies of an endpoint's requests have, and who sends such as nobody else does."""

import numpy as np

from detectors.ways import address_key, way_of
from sensor.core.bits import address_bit, distinct_bits
from sensor.core.bundle import Bundle
from sensor.core.hashing import U, mix
from sensor.core.jit import kernel
from sensor.inventory.endpoints import CAPACITY
from sensor.inventory.refusals import REFUSED
from sensor.inventory.secrets import is_among, name_hash, name_hashes
from sensor.inventory.values import IN_BODY

KNOWN, SENDERS = 16_384, 4_096
PRIVILEGES = name_hashes(
    "role", "roles", "role_id", "roleid", "admin", "is_admin", "isadmin", "administrator", "superuser", "is_superuser",
    "issuperuser", "is_staff", "isstaff", "staff", "permission", "permissions", "privilege", "privileges", "scope", "scopes",
    "access", "access_level", "accesslevel", "user_type", "usertype", "account_type", "accounttype", "plan", "tier",
    "verified", "is_verified", "isverified", "email_verified", "emailverified", "kyc", "kyc_status", "approved", "is_approved",
    "isapproved", "active", "is_active", "isactive", "enabled", "internal", "is_internal", "trusted", "balance", "credit",
    "credits", "credit_limit", "wallet", "points", "price", "unit_price", "unitprice", "discount", "total", "fee", "paid",
    "is_paid", "ispaid", "owner", "owner_id", "ownerid", "user_id", "userid", "account_id", "accountid", "tenant",
    "tenant_id", "tenantid", "org_id", "orgid", "organization_id", "company_id", "group", "groups", "group_id", "quota",
    "mfa_enabled", "created_at", "createdat",
)  # fmt: skip
"""Names of properties that a server decides on: rights, money, whose something is."""
LEARNED_REQUESTS, LEARNED_ADDRESSES = 20, 8
"""Requests, and addresses that they come from, from which on an endpoint's fields are known."""
HABIT = 10
"""Addresses that send a field, from which on it is one of the endpoint's."""
SHOWN, NAME_LIMIT = 6, 32
"""Names that are kept of a sender's fields, and bytes of each."""
POST, PUT_PATCH, DOT, OPEN_BRACKET, CLOSE_BRACKET = 79, 80, 46, 91, 93

FIELD = np.dtype([("key", "<u8"), ("last_ts", "<i8"), ("raised_ts", "<i8"), ("askers", "<u8")])
"""A field of an endpoint. askers: bits of hashes of the addresses that sent it."""
PLACE = np.dtype([("generation", "<u4"), ("requests", "<u4"), ("askers", "<u8")])
SENDER = np.dtype([
    ("key", "<u8"), ("endpoint", "<u4"), ("generation", "<u4"), ("hi", "<u8"), ("lo", "<u8"),
    ("fields", "<u8"), ("sets", "<u8"), ("requests", "<u4"), ("served", "<u4"),
    ("first_ts", "<i8"), ("last_ts", "<i8"), ("raised_ts", "<i8"), ("port", "<u2"), ("status", "<u2"),
    ("names", "u1", (SHOWN, NAME_LIMIT)), ("hashes", "<u8", (SHOWN,)), ("shown", "u1"),
])  # fmt: skip
"""An address that sent such fields to an endpoint. fields, sets: bits of hashes of them, and of what came together; served:
requests that were answered with 2xx or 3xx."""


class Fields(Bundle):
    """Everything that is known of fields."""

    known: np.ndarray
    """FIELD[KNOWN], by detectors.ways"""
    places: np.ndarray
    """PLACE[CAPACITY], by endpoint"""
    senders: np.ndarray
    """SENDER[SENDERS], by detectors.ways"""


def new_fields() -> Fields:
    return Fields(np.zeros(KNOWN, FIELD), np.zeros(CAPACITY, PLACE), np.zeros(SENDERS, SENDER))


@kernel
def last_name(arena, value):
    """(offset, length) of the last key of a key path: of `user.role`, and of `user[role]`."""
    at, end = np.int64(value["name_at"]), np.int64(value["name_at"]) + np.int64(value["name_len"])
    if end > at and arena[end - 1] == CLOSE_BRACKET:
        end -= 1
    begin = at
    for k in range(at, end):
        if arena[k] == DOT or arena[k] == OPEN_BRACKET:
            begin = k + 1
    return begin, end - begin


@kernel
def sender_of(senders, row, generation, idle):
    """The entry of an address at an endpoint, begun anew after a long silence."""
    key = address_key(row, generation)
    sender = senders[way_of(senders, key)]
    if sender["key"] != key or (sender["raised_ts"] == 0 and row["ts"] - sender["last_ts"] > idle):
        sender["key"] = key
        sender["endpoint"] = row["endpoint"]
        sender["generation"] = generation
        sender["hi"] = row["client_hi"]
        sender["lo"] = row["client_lo"]
        sender["fields"] = 0
        sender["sets"] = 0
        sender["requests"] = 0
        sender["served"] = 0
        sender["first_ts"] = row["ts"]
        sender["last_ts"] = row["ts"]
        sender["raised_ts"] = 0
        sender["shown"] = 0
    return sender


@kernel
def keep_name(sender, arena, at, length, hashed):
    """Keep a field's name, for the explanation."""
    shown = np.int64(sender["shown"])
    for k in range(shown):
        if sender["hashes"][k] == hashed:
            return
    if shown < SHOWN:
        sender["hashes"][shown] = hashed
        for k in range(NAME_LIMIT):
            sender["names"][shown, k] = arena[at + k] if k < length else 0
        sender["shown"] = shown + 1


@kernel
def note_field(state, row, generation, name):
    """One more request with a field: how many addresses sent it, this one included."""
    key = mix(name ^ mix(U(row["endpoint"]) << U(32) ^ U(generation))) | U(1)
    field = state.known[way_of(state.known, key)]
    if field["key"] != key:
        field["key"] = key
        field["askers"] = 0
        field["raised_ts"] = 0
    field["last_ts"] = max(field["last_ts"], row["ts"])
    field["askers"] |= address_bit(row)
    return distinct_bits(field["askers"])


@kernel
def take_fields(state, rows, arena, values, endpoints, names, least, idle):
    """All requests of a batch that write. names: PRIVILEGES; least: different fields that raise an address."""
    at = 0
    for index in range(rows.shape[0]):
        row = rows[index]
        while at < values.shape[0] and values[at]["row"] < index:
            at += 1
        method = arena[np.int64(row["method_at"]) + 1] if row["method_len"] > 2 else np.uint8(0)
        writes = method == POST or (arena[np.int64(row["method_at"])] == PUT_PATCH and row["method_len"] > 2)
        if row["endpoint"] == 0 or not writes or at >= values.shape[0] or values[at]["row"] != index:
            continue
        place, generation = state.places[row["endpoint"]], endpoints[row["endpoint"]]["generation"]
        if place["generation"] != generation:
            place["generation"] = generation
            place["requests"] = 0
            place["askers"] = 0
        learned = place["requests"] >= LEARNED_REQUESTS and distinct_bits(place["askers"]) >= LEARNED_ADDRESSES
        fields, sender = U(0), state.senders[0]
        while at < values.shape[0] and values[at]["row"] == index:
            value = values[at]
            at += 1
            if value["location"] != IN_BODY:
                continue
            begin, length = last_name(arena, value)
            hashed = name_hash(arena, begin, length)
            if not is_among(hashed, names) or note_field(state, row, generation, hashed) >= HABIT or not learned:
                continue
            if fields == U(0):
                sender = sender_of(state.senders, row, generation, idle)
            fields |= U(1) << (hashed & U(63))
            keep_name(sender, arena, begin, length, hashed)
        if fields == U(0):
            place["requests"] = min(place["requests"] + np.uint32(1), np.uint32(1_000_000))
            place["askers"] |= address_bit(row)
            continue
        sender["fields"] |= fields
        sender["sets"] |= U(1) << (mix(fields) & U(63))
        sender["requests"] += np.uint32(1)
        sender["served"] += np.uint32(200 <= row["status"] < 400 and row["refused"] != REFUSED)
        sender["last_ts"] = max(sender["last_ts"], row["ts"])
        sender["port"] = row["client_port"]
        sender["status"] = row["status"]
        several = distinct_bits(sender["fields"]) >= least and distinct_bits(sender["sets"]) >= 2
        if sender["raised_ts"] == 0 and several:
            sender["raised_ts"] = row["end"]
