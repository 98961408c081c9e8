"""TCP conversations as timed frames, and captures made of them.

The clock is the packets' own, as a tap beside the server would stamp them: a client's answer to a server's segment
appears one round trip later, a server's answer at once.
"""

import heapq
import ipaddress
import struct
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from pathlib import Path

import dpkt

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
ETHERNET = 1
SNAPLEN = 262_144

Frame = tuple[int, bytes]
"""Nanoseconds since the epoch, and the bytes from the link layer on."""
Framer = Callable[[bytes, bool], bytes]
"""(IP packet, whether the client sent it) to a frame."""

_CLIENT_MAC = bytes.fromhex("020000000001")
_SERVER_MAC = bytes.fromhex("020000000002")


def ethernet(vlans: Sequence[int] = ()) -> Framer:
    """A framer for Ethernet, with VLAN tags outermost first; every tag but the last is a service tag (802.1ad)."""
    tags = b"".join(
        struct.pack(">HH", 0x88A8 if position < len(vlans) - 1 else 0x8100, vlan) for position, vlan in enumerate(vlans)
    )

    def frame(packet: bytes, from_client: bool) -> bytes:
        addresses = _SERVER_MAC + _CLIENT_MAC if from_client else _CLIENT_MAC + _SERVER_MAC
        return addresses + tags + (b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd") + packet

    return frame


def raw_ip(packet: bytes, from_client: bool) -> bytes:
    """The framer for link types without a link-layer header."""
    return packet


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


class _Side:
    """One sender of a conversation: what it has sent, what it has acknowledged."""

    def __init__(self, ip: str, port: int, isn: int, ip_id: int):
        self.address = ipaddress.ip_address(ip).packed
        self.port = port
        self.next_seq = isn & 0xFFFFFFFF
        self.ip_id = ip_id


class Conversation:
    """One TCP connection. Methods append to `frames`; `now` is the packet time of whatever comes next."""

    def __init__(
        self,
        client: tuple[str, int],
        server: tuple[str, int],
        start_ns: int,
        *,
        vlans: Sequence[int] = (),
        framer: Framer | None = None,
        rtt_ns: int = 8_000_000,
        mss: int | None = None,
        isns: tuple[int, int] = (1_000_000, 3_000_000),
    ):
        self._client = _Side(*client, isns[0], isns[0] >> 3)
        self._server = _Side(*server, isns[1], isns[1] >> 3)
        self._version = 4 if len(self._client.address) == 4 else 6
        self._framer = framer or ethernet(vlans)
        self.rtt_ns = rtt_ns
        self.mss = mss or (1460 if self._version == 4 else 1440)
        self.now = start_ns
        self.frames: list[Frame] = []

    def wait(self, duration_ns: int) -> None:
        """Let packet time pass."""
        self.now += duration_ns

    def wait_until(self, time_ns: int) -> None:
        """Let packet time pass up to `time_ns`, if that is not over yet."""
        self.now = max(self.now, time_ns)

    def handshake(self) -> None:
        """SYN, SYN-ACK, ACK."""
        options = struct.pack(">BBHBBBBBBBB", 2, 4, self.mss, 1, 3, 3, 7, 1, 1, 4, 2)
        self._emit(True, SYN, options=options)
        self.wait(60_000)
        self._emit(False, SYN | ACK, options=options)
        self.wait(self.rtt_ns)
        self._emit(True, ACK)

    def ack(self, from_client: bool) -> None:
        """A segment without data."""
        self._emit(from_client, ACK)

    def send(self, from_client: bool, data: bytes, sizes: Iterable[int] = ()) -> int:
        """Send data in segments of `sizes` in turn, then of the MSS, with the peer's ACK after every second one.

        Returns the packet time of the first segment.
        """
        first, position, unacknowledged = self.now, 0, 0
        lengths = iter(sizes)
        while position < len(data):
            piece = data[position : position + next(lengths, self.mss)]
            position += len(piece)
            self._emit(from_client, ACK | PSH if position == len(data) else ACK, piece)
            self.wait(12_000)
            unacknowledged += 1
            if unacknowledged == 2 and position < len(data):
                self._emit(not from_client, ACK)
                unacknowledged = 0
        return first

    def exchange(self, request: bytes, response: bytes, service_ns: int = 2_000_000) -> tuple[int, int]:
        """A request, the time the server takes, and its response; returns the packet times of their first segments."""
        asked = self.send(True, request)
        self.wait(service_ns)
        return asked, self.send(False, response)

    def segment(self, from_client: bool, data: bytes, flags: int = ACK | PSH) -> Frame:
        """A segment in sequence that is built but not put on the wire: for `place`, now or later, once or twice."""
        self._emit(from_client, flags, data)
        return self.frames.pop()

    def place(self, frame: Frame) -> None:
        """Put a segment from `segment` on the wire at the present time."""
        self.frames.append((self.now, frame[1]))
        self.wait(12_000)

    def rewind(self, from_client: bool, size: int) -> None:
        """Step back in the sequence: what this side sends next covers its last `size` bytes again."""
        side = self._client if from_client else self._server
        side.next_seq = (side.next_seq - size) & 0xFFFFFFFF

    def close(self, by_client: bool = True) -> None:
        """FIN from one side, FIN-ACK from the other, ACK."""
        for from_client, flags in ((by_client, FIN | ACK), (not by_client, FIN | ACK), (by_client, ACK)):
            self._emit(from_client, flags)
            self.wait(60_000 if from_client else self.rtt_ns)

    def reset(self, from_client: bool) -> None:
        """An abortive end."""
        self._emit(from_client, RST | ACK)

    def _emit(self, from_client: bool, flags: int, data: bytes = b"", options: bytes = b"") -> None:
        sender, receiver = (self._client, self._server) if from_client else (self._server, self._client)
        # A first SYN acknowledges nothing yet.
        acknowledged = receiver.next_seq if flags & ACK else 0
        offset = (20 + len(options)) << 2
        tcp = struct.pack(
            ">HHIIBBHHH", sender.port, receiver.port, sender.next_seq, acknowledged, offset, flags, 64_240, 0, 0
        )  # fmt: skip
        tcp = tcp + options + data
        pseudo = sender.address + receiver.address + struct.pack(">II", len(tcp), 6)
        tcp = tcp[:16] + struct.pack(">H", checksum(pseudo + tcp)) + tcp[18:]
        packet = self._ip_header(sender, receiver, len(tcp)) + tcp
        self.frames.append((self.now, self._framer(packet, from_client)))
        sender.next_seq = (sender.next_seq + len(data) + bool(flags & (SYN | FIN))) & 0xFFFFFFFF

    def _ip_header(self, sender: _Side, receiver: _Side, length: int) -> bytes:
        if self._version == 6:
            return struct.pack(">IHBB", 6 << 28, length, 6, 64) + sender.address + receiver.address
        sender.ip_id = (sender.ip_id + 1) & 0xFFFF
        fields = struct.pack(">BBHHHBBH", 0x45, 0, 20 + length, sender.ip_id, 0x4000, 64, 6, 0)
        header = fields + sender.address + receiver.address
        return header[:10] + struct.pack(">H", checksum(header)) + header[12:]


def merged(conversations: Iterable[Conversation]) -> Iterable[Frame]:
    """The frames of all conversations in the order of packet time; at equal times, in the order given."""
    return heapq.merge(*(conversation.frames for conversation in conversations), key=lambda frame: frame[0])


def write_pcap(path: Path, frames: Iterable[Frame], *, link_type: int = ETHERNET, nanoseconds: bool = False) -> int:
    """Write frames to a pcap file and return how many they were."""
    count = 0
    unit = 1 if nanoseconds else 1000
    with path.open("wb") as file:
        writer = dpkt.pcap.Writer(file, snaplen=SNAPLEN, linktype=link_type, nano=nanoseconds)
        for time_ns, frame in frames:
            # A decimal: a float has no room for nanoseconds, and rounding up could write a full second as a fraction.
            writer.writepkt_time(frame, Decimal(time_ns // unit * unit).scaleb(-9))
            count += 1
    return count
