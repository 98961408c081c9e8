"""The same packet twice, as SPAN ports show it: once where it comes in and once where it goes out.

Two packets are one when their addresses, ports, numbers, flags, window, IP identification, length and TCP checksum are equal
and they come within a few milliseconds; MAC addresses, VLAN, TTL and tunnels may differ. A retransmission has another IP
identification, or comes later than any copy; where neither holds (IPv6, within the window), it brings nothing new either.
"""

import numpy as np

from sensor.core.bundle import Bundle
from sensor.core.hashing import U, mix
from sensor.core.jit import inlined
from sensor.core.scopes import new_aliases, unite
from sensor.core.wide import load_be16

PLACES = 1 << 15
"""Packets remembered, one for each value of the hash's low bits: half a megabyte, which stays in the processor's cache."""

SEEN = np.dtype([("key", "<u8"), ("ts", "<i8"), ("scope", "<u8")])


class Duplicates(Bundle):
    """Packets seen lately, and scopes that turned out to be two views of one network."""

    seen: np.ndarray
    """SEEN[PLACES]"""
    aliases: np.ndarray
    """ALIAS[…]: a routed packet is seen in the VLAN that it leaves and in the one that it enters"""
    window: np.ndarray
    """int64[1]: ns within which an equal packet is a copy; negative: nothing is"""


def new_duplicates(window_ms: float) -> Duplicates:
    """Nothing seen yet. window_ms: 0 keeps duplicates."""
    window = round(window_ms * 1e6) if window_ms > 0 else -1
    seen = np.zeros(PLACES, SEEN)
    seen["ts"] = np.iinfo(np.int64).min // 2
    return Duplicates(seen, new_aliases(), np.array([window]))


@inlined
def is_duplicate(duplicates, packet, chunk, header, ts, stack, seed):
    """Whether this segment, whose TCP header is at chunk[header], was seen just now."""
    numbers = (U(packet["seq"]) << U(32)) | U(packet["ack"])
    rest = (U(packet["ip_id"]) << U(48)) | (load_be16(chunk, header + 16) << U(32))
    rest |= (U(packet["flags"]) << U(24)) ^ (U(packet["window"]) << U(8)) ^ U(packet["length"])
    ends = packet["src_lo"] ^ (packet["dst_lo"] * U(0x9E3779B97F4A7C15)) ^ packet["src_hi"] * U(31) ^ packet["dst_hi"] * U(17)
    key = mix(mix(ends ^ (U(packet["src_port"]) << U(16)) ^ U(packet["dst_port"])) ^ numbers) ^ rest
    key = mix(key ^ seed)
    place = duplicates.seen[np.int64(key & U(PLACES - 1))]
    if place["key"] == key and abs(ts - place["ts"]) <= duplicates.window[0]:
        if place["scope"] != stack["scope"]:
            unite(duplicates.aliases, stack["scope"], place["scope"])
        return True
    place["key"] = key
    place["ts"] = ts
    place["scope"] = stack["scope"]
    return False
