"""Who asked, where trusted proxies stand between: the PROXY protocol, X-Forwarded-For, Forwarded, as far as they are believed.

The last address that no trusted proxy has counts. Each proxy appends the address that it was asked from, so the list is true
from its end up to the first address that is not one of ours; what stands before that is the client's own claim (RFC 7239 8.1).
An entry that is no address ends the walk: nothing is guessed.
"""

import ipaddress
from collections.abc import Iterable

import numpy as np

from sensor.core.addresses import MAPPED, parse_address
from sensor.core.bundle import Bundle
from sensor.core.hashing import U
from sensor.core.jit import kernel
from sensor.core.wide import load_be32

HOPS = 32
"""Entries of a list that are looked at, from its end."""
COMMA, SEMICOLON, QUOTE, SPACE = 44, 59, 34, 32
FOR_EQUALS, CASES = 0x666F723D, 0x20202000  # "for=", whatever its case


class Networks(Bundle):
    """Networks of proxies, as 128-bit numbers; IPv4 within ::ffff:0:0/96."""

    high: np.ndarray
    low: np.ndarray
    mask_high: np.ndarray
    mask_low: np.ndarray
    """uint64[n]"""


def networks_of(texts: Iterable[str]) -> Networks:
    """Raises ValueError for a text that is no network."""
    found = []
    for text in texts:
        network = ipaddress.ip_network(text, strict=False)
        mapped = network.version == 4
        number = int(network.network_address) | (MAPPED if mapped else 0)
        bits = network.prefixlen + (96 if mapped else 0)
        mask = ((1 << bits) - 1) << (128 - bits)
        found.append((number >> 64, number & (1 << 64) - 1, mask >> 64, mask & (1 << 64) - 1))
    columns = np.array(found, np.uint64).reshape(-1, 4).T
    return Networks(*(np.ascontiguousarray(column) for column in columns))


@kernel
def is_trusted(networks, high, low):
    """Whether an address lies in one of the networks."""
    for k in range(networks.high.shape[0]):
        if high & networks.mask_high[k] == networks.high[k] and low & networks.mask_low[k] == networks.low[k]:
            return True
    return False


@kernel
def node_of(text, at, end, standard):
    """Where in an entry its address stands: all of it, or where the standard is used the value of `for=` (RFC 7239 4)."""
    if standard:
        begin = at
        at, quoted = end, False
        for k in range(begin, end - 3):
            quoted ^= text[k] == QUOTE
            starts = k == begin or text[k - 1] == SEMICOLON or text[k - 1] == SPACE
            if starts and not quoted and load_be32(text, k) | U(CASES) == U(FOR_EQUALS):
                at = k + 4
                break
        stop, quoted = at, False
        while stop < end and (quoted or text[stop] != SEMICOLON):
            quoted ^= text[stop] == QUOTE
            stop += 1
        end = stop
    while at < end and (text[at] <= SPACE or text[at] == QUOTE):
        at += 1
    while end > at and (text[end - 1] <= SPACE or text[end - 1] == QUOTE):
        end -= 1
    return at, end


@kernel
def start_of_entry(text, begin, end):
    """Where the last entry of text[begin:end] begins: read from its end, so that a quote that a client opened hides nothing."""
    quoted = False
    while end > begin and (quoted or text[end - 1] != COMMA):
        end -= 1
        quoted ^= text[end] == QUOTE
    return end


@kernel
def resolve_clients(rows, arena, networks, speakers, standard, groups):
    """Keep the other end of each connection as `peer`, and let `client` be who asked the first of the trusted proxies.

    networks: of proxies whose list is believed, by Forwarded where `standard`, else by X-Forwarded-For; speakers: of those that
    speak the PROXY protocol; groups: int64[8], to work with.
    """
    for index in range(rows.shape[0]):
        row = rows[index]
        high, low = row["client_hi"], row["client_lo"]
        row["peer_hi"] = high
        row["peer_lo"] = low
        if (row["proxied_hi"] or row["proxied_lo"]) and is_trusted(speakers, high, low):
            high, low = row["proxied_hi"], row["proxied_lo"]
        begin = np.int64(row["forwarded_for_at"])
        end = begin + np.int64(row["forwarded_for_len"])
        hops = 0
        while hops < HOPS and end > begin and is_trusted(networks, high, low):
            at = start_of_entry(arena, begin, end)
            first, last = node_of(arena, at, end, standard)
            good, next_high, next_low = parse_address(arena, first, last, groups)
            if not good:
                break
            high, low = next_high, next_low
            end = at - 1
            hops += 1
        row["client_hi"] = high
        row["client_lo"] = low
