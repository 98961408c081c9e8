"""From how many networks each token is used within an hour."""

import math

import numpy as np

from detectors.statistics import nats_against_others
from detectors.ways import way_of
from sensor.core.bits import counted_by_bits
from sensor.core.bundle import Bundle
from sensor.core.hashing import U, hash_bytes, mix
from sensor.core.jit import kernel

TOKENS, HOSTS = 32_768, 1_024
SHARED = 0.3
"""Share of its host's requests from which on a token is one that an application brings along, the same for everybody."""
NETWORKS = 256
"""Addresses of a token that are kept, for the alert."""
INCIDENTS = 64
USUAL_LOG, SPREAD = math.log(1.2), 0.7
"""ln(networks) of one token in an hour, before its host is known: one in six is used from two or three, as a phone."""
PRIOR, LEAST_SPREAD = 20.0, 0.45
"""Tokens that this counts for, and how little they may differ at the least: nobody knows the tail of a few hundred."""
TEACHES = math.log(4.0)
"""ln(networks) that one token teaches at the most: many that were stolen must not make each other usual."""

BEARER = np.dtype([
    ("key", "<u8"), ("credential", "<u8"), ("endpoint", "<u4"), ("networks", "<u8"), ("most", "<f8"), ("began", "<i8"),
    ("first_ts", "<i8"), ("last_ts", "<i8"), ("raised_ts", "<i8"), ("nats", "<f8"), ("requests", "<u4"), ("incident", "<i4"),
    ("hi", "<u8"), ("lo", "<u8"),
])  # fmt: skip
"""A token at a host. networks: bits of hashes of the networks that it was used from since `began`; most: how many these were
at the most; first_ts: its first use; hi, lo: who used it last; incident: where its addresses are, -1 for nowhere."""
ADDRESS = np.dtype([("hi", "<u8"), ("lo", "<u8"), ("requests", "<u4"), ("ts", "<i8"), ("port", "<u2"), ("status", "<u2")])


HOST = np.dtype([("requests", "<u8"), ("since", "<i8"), ("tokens", "<f8"), ("sum", "<f8"), ("squares", "<f8")])
"""The hosts of a place: tokens of the last hour or so, and the sums of ln(networks) and of its square over them."""


class Roaming(Bundle):
    """All tokens, and the addresses of those that were raised."""

    bearers: np.ndarray
    """BEARER[TOKENS], by detectors.ways"""
    addresses: np.ndarray
    """ADDRESS[INCIDENTS, NETWORKS]"""
    hosts: np.ndarray
    """HOST[HOSTS], by hash"""
    control: np.ndarray
    """int64[1]: incidents so far; the newest INCIDENTS have addresses"""
    owners: np.ndarray
    """uint64[INCIDENTS]: key of the token whose addresses are there"""


def new_roaming() -> Roaming:
    addresses, hosts = np.zeros((INCIDENTS, NETWORKS), ADDRESS), np.zeros(HOSTS, HOST)
    return Roaming(np.zeros(TOKENS, BEARER), addresses, hosts, np.zeros(1, np.int64), np.zeros(INCIDENTS, np.uint64))


@kernel
def network_of(row):
    """Hash of the network of who asked: /16 of IPv4, /32 of IPv6, about one of a provider's."""
    if row["client_hi"] == U(0) and row["client_lo"] >> U(32) == U(0xFFFF):
        return mix(row["client_lo"] >> U(16))
    return mix(row["client_hi"] >> U(32))


@kernel
def bearer_of(bearers, row, host, idle):
    """The entry of a token at a host; one that is not raised and was silent longest gives way."""
    key = mix(row["credential"] ^ mix(host)) | U(1)
    bearer = bearers[way_of(bearers, key)]
    if bearer["key"] != key:
        bearer["key"] = key
        bearer["credential"] = row["credential"]
        bearer["endpoint"] = row["endpoint"]
        bearer["networks"] = 0
        bearer["began"] = row["ts"]
        bearer["first_ts"] = row["ts"]
        bearer["last_ts"] = row["ts"]
        bearer["raised_ts"] = 0
        bearer["nats"] = 0.0
        bearer["requests"] = 0
        bearer["incident"] = -1
        bearer["most"] = 0.0
    elif row["ts"] - bearer["began"] > idle:
        bearer["networks"] = 0
        bearer["began"] = row["ts"]
    return bearer


@kernel
def taught(networks):
    """What a token with these bits of networks teaches; -1 for one that was not seen in this hour."""
    return min(TEACHES, math.log(counted_by_bits(networks))) if networks else -1.0


@kernel
def note_network(host, bearer, row, idle):
    """A token's networks, and what is usual at its host: the surprise at them in nats, 0 where they are the same as before."""
    if row["ts"] - host["since"] > idle:
        share = 0.5 ** min((row["ts"] - host["since"]) // idle, 50)
        host["tokens"] *= share
        host["sum"] *= share
        host["squares"] *= share
        host["since"] = row["ts"]
    before = taught(bearer["networks"])
    bits = bearer["networks"] | U(1) << (network_of(row) & U(63))
    if bits == bearer["networks"]:
        return 0.0
    bearer["networks"] = bits
    networks = counted_by_bits(bits)
    bearer["most"] = max(bearer["most"], networks)
    nats = nats_against_others(
        math.log(networks), before, host["tokens"], host["sum"], host["squares"], PRIOR, USUAL_LOG, SPREAD, LEAST_SPREAD
    )
    host["tokens"] += 1.0 if before < 0 else 0.0
    after = taught(bits)
    host["sum"] += after - max(0.0, before)
    host["squares"] += after * after - max(0.0, before) ** 2
    return nats


@kernel
def keep_address(addresses, row):
    """Count a request of a raised token for its address: ADDRESS[NETWORKS]; later addresses find no room."""
    for k in range(NETWORKS):
        one = addresses[k]
        if one["requests"] == 0:
            one["hi"] = row["client_hi"]
            one["lo"] = row["client_lo"]
        if one["requests"] == 0 or (one["hi"] == row["client_hi"] and one["lo"] == row["client_lo"]):
            one["requests"] += np.uint32(1)
            one["ts"] = row["ts"]
            one["port"] = row["client_port"]
            one["status"] = row["status"]
            return


@kernel
def open_incident(state, bearer):
    """Room for the addresses of a token; the oldest incident gives its own up."""
    at = state.control[0] % INCIDENTS
    state.control[0] += 1
    bearer["incident"] = at
    state.owners[at] = bearer["key"]
    for k in range(NETWORKS):
        state.addresses[at, k]["requests"] = 0


@kernel
def take_tokens(state, rows, arena, kinds, threshold, idle):
    """All requests of a batch that bear a token of a user and were served. kinds: uint8[AUTH], 1 for those of users."""
    for index in range(rows.shape[0]):
        row = rows[index]
        host = hash_bytes(arena, np.int64(row["host_at"]), np.int64(row["host_len"]), U(1))
        place = host & U(HOSTS - 1)
        state.hosts[place]["requests"] += U(1)
        if row["credential"] == U(0) or not kinds[row["auth"]] or row["endpoint"] == 0 or not 200 <= row["status"] < 400:
            continue
        bearer = bearer_of(state.bearers, row, host, idle)
        bearer["requests"] += np.uint32(1)
        bearer["last_ts"] = max(bearer["last_ts"], row["ts"])
        bearer["nats"] = max(bearer["nats"], note_network(state.hosts[place], bearer, row, idle))
        is_everybodys = np.float64(bearer["requests"]) > SHARED * np.float64(state.hosts[place]["requests"])
        if bearer["nats"] >= threshold and bearer["raised_ts"] == 0 and not is_everybodys:
            bearer["raised_ts"] = row["end"]
            open_incident(state, bearer)
        bearer["hi"] = row["client_hi"]
        bearer["lo"] = row["client_lo"]
        if bearer["incident"] >= 0 and state.owners[bearer["incident"]] == bearer["key"]:
            keep_address(state.addresses[bearer["incident"]], row)
