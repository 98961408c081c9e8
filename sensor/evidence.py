"""Evidence slices: the packets of an alert's connections, cut out of captures."""

import dataclasses
import ipaddress
import pathlib
from collections.abc import Iterable

import numpy as np

from sensor.capture.files import FRAMES_PER_CHUNK, CaptureError, CaptureFile
from sensor.capture.pcapng import PcapngWriter
from sensor.core.reasons import REASONS
from sensor.core.records import PACKET
from sensor.packets.decode import connection_hashes, decode, new_decoder
from sensor.packets.fragments import new_side

AROUND_NS = 60_000_000_000
"""Before the first and after the last transaction: hand-shakes, and what is still on its way."""
MOST_CONNECTIONS = 100_000


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Which packets: those of these connections, at these times (ns since the epoch)."""

    connections: np.ndarray
    """PACKET[n]: addresses and ports, in either direction"""
    begin: int
    end: int


@dataclasses.dataclass
class Slice:
    """What was cut out."""

    packets: int = 0
    captures: int = 0
    """captures in which there was anything"""


def wanted_connections(rows: Iterable[tuple[str, int, str, int]], begin: int, end: int) -> Wanted:
    """rows: (client address, client port, server address, server port)."""
    found = list(dict.fromkeys(rows))[:MOST_CONNECTIONS]
    connections = np.zeros(len(found), PACKET)
    for packet, (client, client_port, server, server_port) in zip(connections, found, strict=True):
        packet["src_hi"], packet["src_lo"] = _number(client)
        packet["dst_hi"], packet["dst_lo"] = _number(server)
        packet["src_port"], packet["dst_port"] = client_port, server_port
    return Wanted(connections, begin - AROUND_NS, end + AROUND_NS)


def _number(text: str) -> tuple[int, int]:
    address = ipaddress.ip_address(text)
    value = int(address) | (0xFFFF << 32 if address.version == 4 else 0)
    return value >> 64, value & (1 << 64) - 1


def cut_out(wanted: Wanted, captures: list[pathlib.Path], out: pathlib.Path) -> Slice:
    """Write the wanted packets of the captures, in their order, as one pcapng file. Raises CaptureError.

    A datagram that came in fragments is there with its last one alone.
    """
    result = Slice()
    try:
        with out.open("wb") as file:
            writer = PcapngWriter(file)
            for path in captures:
                before = writer.packets
                _cut_one(wanted, path, writer)
                result.captures += writer.packets > before
            result.packets = writer.packets
    except OSError as error:
        raise CaptureError(f"{out} cannot be written: {error.strerror}.") from None
    return result


def _cut_one(wanted: Wanted, path: pathlib.Path, writer: PcapngWriter) -> None:
    seed, counters = np.uint64(0), np.zeros(len(REASONS), np.uint64)
    hashes = np.zeros(len(wanted.connections), np.uint64)
    connection_hashes(wanted.connections, seed, hashes)
    decoder, joined, packets = new_decoder(duplicate_window_ms=0.0), new_side(), np.zeros(FRAMES_PER_CHUNK, PACKET)
    capture = CaptureFile(str(path))
    try:
        for chunk in capture.chunks():
            timely = (chunk.frames["ts"] >= wanted.begin) & (chunk.frames["ts"] <= wanted.end)
            if not timely.any():
                continue
            count = int(decode(decoder, chunk.data, chunk.frames, 0, seed, packets, joined, counters))
            fitting = packets["number"][:count][np.isin(packets["hash"][:count], hashes)]
            kept = fitting[timely[fitting]]
            writer.write(chunk.data, chunk.frames[kept], capture.name)
    finally:
        capture.close()
