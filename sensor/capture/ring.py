"""Packets of an interface: an AF_PACKET socket with a ring (TPACKET_V3) that it shares with the operating system.

The socket cannot send: it has a ring for sending too, in which no frame is ever made ready, and whatever is handed to such a
socket is not looked at, only the ring is. That ring lies behind the other one in memory, where wide loads may stray to.

Several rings of one interface form a group (PACKET_FANOUT), between which the operating system shares packets out by a hash of
addresses and ports that is the same in both directions. Through tunnels it sees no further than their outer addresses, and
outer ports where they are of UDP.
"""

import collections
import contextlib
import ctypes
import errno
import fcntl
import mmap
import socket
import struct
from collections.abc import Callable

import numpy as np

from sensor.capture.blocks import OURS, STATUS, index_block
from sensor.capture.files import BUFFERS, CaptureError, Chunk
from sensor.capture.interface import UP, flags_of
from sensor.core.records import FRAME
from sensor.core.wide import SLACK

# linux/if_packet.h, linux/if_ether.h, linux/filter.h, linux/sockios.h
SOL_PACKET = 263
ADD_MEMBERSHIP, RX_RING, STATISTICS, VERSION, RESERVE = 1, 5, 6, 10, 12
TX_RING, TIMESTAMP, FANOUT, IGNORE_OUTGOING = 13, 17, 18, 23
FANOUT_HASH, FANOUT_UNIQUE_ID = 0, 1 << 13
TPACKET_V3, PROMISCUOUS, HARDWARE_CLOCK = 2, 1, 1 << 6
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
ETH_P_ALL = 3
SIOCGIFHWADDR = 0x8927
HARDWARE_LOOPBACK = 772
LINKS = {1: 1, HARDWARE_LOOPBACK: 1, 65534: 101, 801: 105, 802: 119, 803: 127, 519: 101, 768: 101, 769: 101, 776: 101}
"""LINKTYPE_* by the kind of the hardware (linux/if_arp.h): Ethernet, loopback, none (tun), IEEE 802.11 and with its headers,
raw IP of a modem, IP tunnels."""
BLOCK = 1 << 20
"""Bytes of a block: as many as one chunk of a capture file."""
FRAMES_PER_BLOCK = BLOCK // 64
"""A frame takes more than 64 bytes with its headers, however short it is."""
RETIRE_MS = 64
"""Milliseconds after which a block is handed over that is not full."""
ROOM = 16
"""Bytes left free before each frame, of which a VLAN tag takes four."""
TX_BLOCK, TX_FRAME = 4096, 2048
NO_MORE = [(6, 0, 0, 0)]
"""A BPF program that takes no packet."""
Compiler = Callable[[int], list | None]


class Ring:
    """One interface. Blocks are taken in turn and given back in the same order.

    Raises CaptureError where it cannot be opened. program: makes a BPF program for a link type, which the operating system runs
    before it copies anything; None for none. group: that of another ring of the interface, which it shares packets with, or 0,
    which begins a new one: such a ring takes nothing until `filter_by` is called, for all of a group should begin at once.
    None is for a ring that takes all packets.
    """

    def __init__(
        self, interface: str, size: int, program: Compiler = lambda link: None, hardware_clock: bool = False,
        group: int | None = None,
    ):  # fmt: skip
        self.name = interface
        self.blocks = max(2, size // (BUFFERS * BLOCK)) * BUFFERS
        self._turn = 0
        self._taken: collections.deque[int] = collections.deque()
        self._program: list | None = None
        try:
            self.number = socket.if_nametoindex(interface)
        except OSError:
            raise CaptureError(f"There is no interface {interface!r}: `ip link` lists those there are.") from None
        try:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        except PermissionError:
            raise CaptureError(
                "Capturing needs the capability CAP_NET_RAW: run as root, or as the service in systemd/, which has it."
            ) from None
        try:
            self.link = self._link()
            chosen = program(self.link)
            self._make_ring(hardware_clock, chosen if group is None else NO_MORE)
            if group is not None:
                kind = FANOUT_HASH if group else FANOUT_HASH | FANOUT_UNIQUE_ID
                self._socket.setsockopt(SOL_PACKET, FANOUT, struct.pack("I", kind << 16 | group))
        except OSError as error:
            self._socket.close()
            hint = ": ask for a smaller ring (--ring)" if error.errno == errno.ENOMEM else ""
            raise CaptureError(f"No packets can be had of {interface}: {error.strerror}{hint}.") from None
        except Exception:
            self._socket.close()
            raise

    def _link(self) -> int:
        answer = fcntl.ioctl(self._socket, SIOCGIFHWADDR, struct.pack("16sH14x", self.name.encode(), 0))
        kind = struct.unpack("16sH14x", answer)[1]
        self._is_loopback = kind == HARDWARE_LOOPBACK
        if kind not in LINKS:
            raise CaptureError(f"The interface {self.name} is of a kind ({kind}, linux/if_arp.h) that cannot be read.")
        return LINKS[kind]

    def _make_ring(self, hardware_clock: bool, program: list | None) -> None:
        own = self._socket
        own.setsockopt(SOL_PACKET, VERSION, TPACKET_V3)
        own.setsockopt(SOL_PACKET, RESERVE, ROOM)
        if hardware_clock:
            own.setsockopt(SOL_PACKET, TIMESTAMP, HARDWARE_CLOCK)
        if self._is_loopback:
            own.setsockopt(SOL_PACKET, IGNORE_OUTGOING, 1)  # it hands every packet over twice
        frames = self.blocks * (BLOCK // 2048)
        own.setsockopt(SOL_PACKET, RX_RING, struct.pack("7I", BLOCK, self.blocks, 2048, frames, RETIRE_MS, 0, 0))
        own.setsockopt(SOL_PACKET, TX_RING, struct.pack("7I", TX_BLOCK, 1, TX_FRAME, TX_BLOCK // TX_FRAME, 0, 0, 0))
        self._map = mmap.mmap(own.fileno(), self.blocks * BLOCK + TX_BLOCK, mmap.MAP_SHARED)
        self._ring = np.frombuffer(self._map, np.uint8)
        self._status = self._ring[: self.blocks * BLOCK].view("<u4")[STATUS // 4 :: BLOCK // 4]
        self._frames = [np.zeros(FRAMES_PER_BLOCK, FRAME) for _ in range(BUFFERS)]
        assert SLACK <= TX_BLOCK
        self.filter_by(program)
        own.bind((self.name, ETH_P_ALL))
        own.setsockopt(SOL_PACKET, ADD_MEMBERSHIP, struct.pack("iHH8s", self.number, PROMISCUOUS, 0, b""))

    @property
    def group(self) -> int:
        """The number of the rings that share packets with this one."""
        return struct.unpack("I", self._socket.getsockopt(SOL_PACKET, FANOUT, 4))[0] & 0xFFFF

    def filter_by(self, program: list | None) -> None:
        """Take another filter from here on; None for none. Nothing is lost in between."""
        if program is not None:
            code = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
            room = ctypes.create_string_buffer(code, len(code))
            whole = struct.pack("HP", len(program), ctypes.addressof(room))
            self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, whole)
        elif self._program is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
        self._program = program

    def no_more(self) -> None:
        """What comes from here on is not taken; what lies in the ring is."""
        self.filter_by(NO_MORE)

    def fileno(self) -> int:
        """For `select.poll`, which tells when a block is full, or was not filled for RETIRE_MS."""
        return self._socket.fileno()

    @property
    def filled(self) -> int:
        """Blocks that wait to be taken."""
        return int((self._status & OURS).sum()) - len(self._taken)

    def take(self) -> Chunk | None:
        """The next full block, None when there is none yet. Its frames lie in the ring until it is given back."""
        turn = self._turn
        if len(self._taken) == min(BUFFERS, self.blocks) or not self._status[turn] & OURS:
            return None
        frames = self._frames[turn % BUFFERS]
        count = index_block(self._ring, turn * BLOCK, self.link, frames)
        self._taken.append(turn)
        self._turn = (turn + 1) % self.blocks
        return Chunk(self._ring, frames[:count])

    def give_back(self) -> None:
        """The block that was taken first is not needed any more."""
        self._status[self._taken.popleft()] = 0

    def statistics(self) -> tuple[int, int]:
        """(frames that passed the filter, frames of these that found no room in the ring) since the last call."""
        seen, dropped, _ = struct.unpack("III", self._socket.getsockopt(SOL_PACKET, STATISTICS, 12))
        return seen, dropped

    def trouble(self) -> str:
        """What is wrong with the interface: `gone` (its number is another's or nobody's), `down`, or nothing."""
        self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # else poll goes on telling of it
        try:
            name = socket.if_indextoname(self.number)
            flags = flags_of(self._socket, name)
        except OSError:
            return "gone"
        self.name = name  # it may have been renamed, which changes nothing else
        return "" if flags & UP else "down"

    def close(self) -> None:
        """The ring must not be read any more."""
        del self._status, self._ring
        self._socket.close()
        with contextlib.suppress(BufferError):  # an array of it is still held somewhere: it goes with it
            self._map.close()
