"""IEEE 802.11 data frames, and the radiotap and PPI headers that captures put before them."""

import numpy as np

from sensor.core.jit import kernel
from sensor.core.wide import load_le16, load_le32
from sensor.packets.encap import KIND_WLAN, NO_LABEL, push
from sensor.packets.layers import IEEE80211, LLC, MALFORMED, NOT_IP, TOO_DEEP, TRUNCATED, UNREADABLE

U = np.uint64
DATA, QOS, NO_DATA = 2, 8, 4
"""Type of data frames; bits of their subtype."""
PROTECTED, MORE_FRAGMENTS, ORDER = 0x40, 0x04, 0x80
AGGREGATE = 0x80
"""Bit of the QoS control field: several frames in one (A-MSDU), of which the first is read."""


@kernel
def ieee80211(chunk, at, end, stack):
    """A data frame's header (IEEE 802.11-2020 9.3.2), up to its LLC header; encrypted ones cannot be read."""
    if end - at < 24:
        return TRUNCATED, at, end
    control, flags = np.int64(chunk[at]), np.int64(chunk[at + 1])
    if control & 3:
        return MALFORMED, at, end
    subtype = control >> 4
    if (control >> 2) & 3 != DATA or subtype & NO_DATA:
        return NOT_IP, at, end
    if flags & PROTECTED:
        return UNREADABLE, at, end
    if flags & MORE_FRAGMENTS or load_le16(chunk, at + 22) & U(0xF):
        return NOT_IP, at, end  # a part of a frame
    header = 30 if flags & 3 == 3 else 24
    aggregate = False
    if subtype & QOS:
        aggregate = end - at > header and chunk[at + header] & AGGREGATE != 0
        header += 6 if flags & ORDER else 2
    if aggregate:
        header += 14
    if end - at < header:
        return TRUNCATED, at, end
    if not push(stack, KIND_WLAN, np.uint32(NO_LABEL)):
        return TOO_DEEP, at, end
    return LLC, at + header, end


@kernel
def header_end(chunk, at, end):
    """(what is wrong or 0, offset behind it) of a header that states its length in its third and fourth byte."""
    if end - at < 8:
        return TRUNCATED, at
    length = np.int64(load_le16(chunk, at + 2))
    if chunk[at] != 0 or length < 8:
        return MALFORMED, at
    return (TRUNCATED if end - at < length else 0), at + length


@kernel
def radiotap(chunk, at, end):
    """A radiotap header (radiotap.org): its length is what matters; padding behind the 802.11 header is not removed."""
    problem, behind = header_end(chunk, at, end)
    return (problem if problem else IEEE80211), behind, end


@kernel
def ppi(chunk, at, end, links):
    """A Per-Packet Information header: its length, and the link type of what follows. links: layer by link type."""
    problem, behind = header_end(chunk, at, end)
    return (problem if problem else np.int64(links[load_le32(chunk, at + 4) & U(0xFFFF)])), behind, end
