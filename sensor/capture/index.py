"""Kernels that find the frames in a chunk of a capture file.

Both kernels stop before the first incomplete record and say how far they came, so that the caller can move the
rest to the front of the next chunk. A record that cannot be right ends the file: nothing behind it can be trusted.
"""

import numpy as np

from sensor.core.bundle import Bundle
from sensor.core.jit import kernel
from sensor.core.wide import load_be16, load_be32, load_be64, load_le16, load_le32, load_le64

MAX_CAPTURED = 262_144
"""Bytes of one frame; what tcpdump and Wireshark take as the largest that makes sense."""
MAX_INTERFACES = 1024
"""Interfaces of a pcapng section; a hostile file could describe millions."""

GOOD, IMPOSSIBLE_LENGTH, NO_INTERFACE, BAD_SECTION, TOO_MANY_INTERFACES = range(5)
PROBLEMS = {
    IMPOSSIBLE_LENGTH: "a record of impossible length",
    NO_INTERFACE: "a packet of an interface that was never described",
    BAD_SECTION: "a damaged section header",
    TOO_MANY_INTERFACES: f"more than {MAX_INTERFACES} interfaces",
}

SECTION, INTERFACE, PACKET_BLOCK, SIMPLE, ENHANCED = 0x0A0D0D0A, 1, 2, 3, 6
OPTION_TSRESOL, OPTION_TSOFFSET = 9, 14
NANOSECONDS = 1_000_000_000

PCAPNG_FILE = np.dtype([
    ("big", "u1"),          # byte order of the section
    ("interfaces", "<u4"),  # interfaces that the section described
    ("length", "<i8"),      # bytes of the block that is passed over
    ("skip", "<i8"),        # how many of them are still to come
    ("last_ts", "<i8"),     # ns: newest packet
])  # fmt: skip
PCAPNG_INTERFACE = np.dtype([("link", "<u4"), ("snaplen", "<u4"), ("resolution", "u1"), ("offset", "<i8")])


class Pcapng(Bundle):
    """State of a pcapng reader between chunks."""

    file: np.ndarray
    """PCAPNG_FILE[1]"""
    interfaces: np.ndarray
    """PCAPNG_INTERFACE[MAX_INTERFACES]"""


def new_pcapng() -> Pcapng:
    return Pcapng(np.zeros(1, PCAPNG_FILE), np.zeros(MAX_INTERFACES, PCAPNG_INTERFACE))


@kernel
def read16(chunk, at, big):
    """16-bit number in the file's byte order."""
    return np.int64(load_be16(chunk, at)) if big else np.int64(load_le16(chunk, at))


@kernel
def read32(chunk, at, big):
    """32-bit number in the file's byte order."""
    return np.int64(load_be32(chunk, at)) if big else np.int64(load_le32(chunk, at))


@kernel
def index_pcap(chunk, filled, big, ns_per_unit, header, link, frames):
    """Frames of a pcap chunk: (count, bytes consumed, problem).

    chunk: uint8[filled + SLACK]; ns_per_unit: 1000 or 1; header: bytes of a record header (16; 24 in the variant
    of patched libpcaps); frames: FRAME[capacity], filled from 0.
    """
    at, count = np.int64(0), np.int64(0)
    while at + header <= filled and count < frames.shape[0]:
        captured = read32(chunk, at + 8, big)
        if captured > MAX_CAPTURED:
            return count, at, IMPOSSIBLE_LENGTH
        if at + header + captured > filled:
            break
        frame = frames[count]
        frame["at"] = at + header
        frame["captured"] = captured
        frame["wire"] = max(read32(chunk, at + 12, big), captured)
        frame["ts"] = read32(chunk, at, big) * NANOSECONDS + read32(chunk, at + 4, big) * ns_per_unit
        frame["link"] = link
        count += 1
        at += header + captured
    return count, at, GOOD


@kernel
def nanoseconds(units, resolution, offset):
    """A pcapng timestamp as ns since the epoch; `resolution` as in if_tsresol (high bit: power of two)."""
    power = np.int64(resolution & 0x7F)
    if resolution & 0x80:
        if power > 63:
            return offset * NANOSECONDS
        seconds = units >> np.uint64(power)
        fraction = units & ((np.uint64(1) << np.uint64(power)) - np.uint64(1))
        while power > 32:
            fraction >>= np.uint64(1)
            power -= 1
        ns = (fraction * np.uint64(NANOSECONDS)) >> np.uint64(power)
        return np.int64(seconds) * NANOSECONDS + np.int64(ns) + offset * NANOSECONDS
    value = np.int64(units)
    while power > 9:
        value //= 10
        power -= 1
    while power < 9:
        value *= 10
        power += 1
    return value + offset * NANOSECONDS


@kernel
def read_interface(chunk, at, end, big, interface):
    """Take an interface description block's body, chunk[at : end], into `interface` (draft-ietf-opsawg-pcapng 4.2)."""
    interface["link"] = read16(chunk, at, big)
    interface["snaplen"] = read32(chunk, at + 4, big)
    interface["resolution"] = 6
    interface["offset"] = 0
    at += 8
    while at + 4 <= end:
        code, length = read16(chunk, at, big), read16(chunk, at + 2, big)
        at += 4
        if code == 0 or at + length > end:
            break
        if code == OPTION_TSRESOL and length == 1:
            interface["resolution"] = chunk[at]
        elif code == OPTION_TSOFFSET and length == 8:
            interface["offset"] = np.int64(load_be64(chunk, at)) if big else np.int64(load_le64(chunk, at))
        at += (length + 3) & ~3


@kernel
def read_packet(chunk, kind, at, end, state, frame):
    """Take a packet block's body, chunk[at : end], into `frame`: a problem or GOOD."""
    file = state.file[0]
    big = file["big"]
    if kind == SIMPLE:
        number, data, wire = np.int64(0), at + 4, read32(chunk, at, big)
        captured = min(wire, end - data)
        if file["interfaces"] > 0 and state.interfaces[0]["snaplen"] > 0:
            captured = min(captured, np.int64(state.interfaces[0]["snaplen"]))
    else:
        number = read32(chunk, at, big) if kind == ENHANCED else read16(chunk, at, big)
        data, captured, wire = at + 20, read32(chunk, at + 12, big), read32(chunk, at + 16, big)
        if data > end:
            return IMPOSSIBLE_LENGTH
    if number >= file["interfaces"]:
        return NO_INTERFACE
    if captured > MAX_CAPTURED or data + captured > end:
        return IMPOSSIBLE_LENGTH
    interface = state.interfaces[number]
    if kind != SIMPLE:  # a simple packet has no time of its own: it happened when the last one did, as far as anyone knows
        units = (np.uint64(read32(chunk, at + 4, big)) << np.uint64(32)) | np.uint64(read32(chunk, at + 8, big))
        file["last_ts"] = nanoseconds(units, interface["resolution"], interface["offset"])
    frame["at"] = data
    frame["captured"] = captured
    frame["wire"] = max(wire, captured)
    frame["ts"] = file["last_ts"]
    frame["link"] = interface["link"]
    return GOOD


@kernel
def begin_section(chunk, at, filled, state):
    """Take a section header's byte order: block length, or -1 when it is damaged."""
    magic = np.int64(load_be32(chunk, at + 8))
    if magic != 0x1A2B3C4D and magic != 0x4D3C2B1A:
        return np.int64(-1)
    state.file[0]["big"] = magic == 0x1A2B3C4D
    state.file[0]["interfaces"] = 0
    return read32(chunk, at + 4, state.file[0]["big"])


@kernel
def index_pcapng(chunk, filled, state, frames):
    """Frames of a pcapng chunk: (count, bytes consumed, problem). Blocks of unknown type are passed over, however long."""
    file = state.file[0]
    at, count = np.int64(0), np.int64(0)
    while True:
        if file["skip"] > 0:
            step = min(file["skip"], filled - at)
            file["skip"] -= step
            at += step
        if at + 12 > filled or count == frames.shape[0]:
            return count, at, GOOD
        kind = read32(chunk, at, file["big"])
        if kind == SECTION:
            length = begin_section(chunk, at, filled, state)
            if length < 28:
                return count, at, BAD_SECTION
        else:
            length = read32(chunk, at + 4, file["big"])
        if length < 12 or length & 3:
            return count, at, IMPOSSIBLE_LENGTH
        if kind != INTERFACE and kind != ENHANCED and kind != PACKET_BLOCK and kind != SIMPLE:
            file["length"] = length
            file["skip"] = length
            continue
        if length > MAX_CAPTURED + 65_536:
            return count, at, IMPOSSIBLE_LENGTH
        if at + length > filled:
            return count, at, GOOD
        body, end = at + 8, at + length - 4
        if kind == INTERFACE:
            if file["interfaces"] == MAX_INTERFACES:
                return count, at, TOO_MANY_INTERFACES
            if end - body < 8:
                return count, at, IMPOSSIBLE_LENGTH
            read_interface(chunk, body, end, file["big"], state.interfaces[file["interfaces"]])
            file["interfaces"] += 1
        else:
            if end - body < 4:
                return count, at, IMPOSSIBLE_LENGTH
            problem = read_packet(chunk, kind, body, end, state, frames[count])
            if problem != GOOD:
                return count, at, problem
            count += 1
        at += length
