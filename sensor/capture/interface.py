"""What the operating system says of an interface: ioctls of linux/sockios.h and linux/ethtool.h, and files below /sys."""

import array
import dataclasses
import fcntl
import pathlib
import re
import socket
import struct

SIOCGIFFLAGS, SIOCETHTOOL = 0x8913, 0x8946
UP, LOOPBACK, NO_ARP = 1, 8, 0x80
DRIVER, RING, GRO, FLAGS = 0x03, 0x10, 0x2B, 0x25
"""ETHTOOL_GDRVINFO, GRINGPARAM, GGRO, GFLAGS"""
LRO = 1 << 15


@dataclasses.dataclass(frozen=True)
class Interface:
    """One interface; None stands for what its driver does not say."""

    name: str
    up: bool
    loopback: bool
    arp: bool
    mtu: int
    addresses: tuple[str, ...]
    driver: str | None
    gro: bool | None
    lro: bool | None
    ring: tuple[int, int] | None
    """(receive descriptors in use, the most that the card has)"""
    queues: int
    """receive queues"""
    received: int
    dropped: int
    """frames that the card or the operating system dropped on receipt"""


def look_at(name: str) -> Interface | None:
    """The interface of that name, None where there is none."""
    folder = pathlib.Path("/sys/class/net") / name
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            flags = flags_of(probe, name)
        except OSError:
            return None
        driver, gro, flag_bits = _ask(probe, name, DRIVER, 196), _ask(probe, name, GRO, 8), _ask(probe, name, FLAGS, 8)
        ring = _ask(probe, name, RING, 36)
    numbers = struct.unpack("9I", ring) if ring else None
    return Interface(
        name=name,
        up=bool(flags & UP),
        loopback=bool(flags & LOOPBACK),
        arp=not flags & NO_ARP,
        mtu=_number(folder / "mtu"),
        addresses=_addresses(name),
        driver=driver[4:36].split(b"\0")[0].decode("ascii", "replace") if driver else None,
        gro=bool(struct.unpack("2I", gro)[1]) if gro else None,
        lro=bool(struct.unpack("2I", flag_bits)[1] & LRO) if flag_bits else None,
        ring=(numbers[5], numbers[1]) if numbers and numbers[1] else None,
        queues=len(list((folder / "queues").glob("rx-*"))),
        received=_number(folder / "statistics/rx_packets"),
        dropped=sum(_number(folder / "statistics" / name) for name in ("rx_dropped", "rx_missed_errors", "rx_fifo_errors")),
    )


def flags_of(probe: socket.socket, name: str) -> int:
    """IFF_ flags of an interface, asked for through any socket. Raises OSError."""
    return struct.unpack("16sH14x", fcntl.ioctl(probe, SIOCGIFFLAGS, struct.pack("16sH14x", name.encode(), 0)))[1]


def _ask(probe: socket.socket, name: str, question: int, size: int) -> bytes | None:
    answer = array.array("B", struct.pack("I", question).ljust(size, b"\0"))
    request = struct.pack("16sP", name.encode(), answer.buffer_info()[0]).ljust(40, b"\0")
    try:
        fcntl.ioctl(probe, SIOCETHTOOL, request)
    except OSError:
        return None
    return answer.tobytes()


def _number(path: pathlib.Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def _addresses(name: str) -> tuple[str, ...]:
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            answer = fcntl.ioctl(probe, 0x8915, struct.pack("256s", name.encode()))  # SIOCGIFADDR
            found.append(socket.inet_ntoa(answer[20:24]))
        except OSError:
            pass
    try:
        lines = pathlib.Path("/proc/net/if_inet6").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        fields = line.split()
        if fields[-1] == name:
            found.append(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(re.sub(r"\W", "", fields[0]))))
    return tuple(found)
