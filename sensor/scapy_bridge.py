"""The only module that imports scapy.

scapy is GPL-2.0-only, Tapwatch is BSD-3-Clause (see NOTICE), so what is needed from scapy stands behind the few functions
here. The imports are lazy because importing scapy takes about a second, which only calls that use it should pay.
"""

import ctypes
from typing import Any

Instruction = tuple[int, int, int, int]
"""A classic BPF instruction: code, jt, jf, k."""


class FilterError(ValueError):
    """A filter expression that cannot be compiled; the text is a sentence for the user."""


class _LinkType(int):
    """A link type that is true even when it is 0 (BSD loopback): scapy takes a false one for none given."""

    def __bool__(self) -> bool:
        return True


def compile_bpf(expression: str, link_type: int) -> list[Instruction]:
    """Compile a BPF expression, as tcpdump knows it, for frames of one link type.

    >>> compile_bpf("", 1)
    [(6, 0, 0, 65535)]
    """
    from scapy.arch.common import compile_filter
    from scapy.error import Scapy_Exception

    if "\0" in expression:
        raise FilterError("The filter expression contains a NUL character.")
    try:
        program = compile_filter(expression, linktype=_LinkType(link_type))
    except (ImportError, OSError):
        raise FilterError(
            "Filters need libpcap, which is not installed: install libpcap0.8 (Debian), libpcap (Fedora) or libpcap (Alpine)."
        ) from None
    except Scapy_Exception as error:
        raise FilterError(f"The filter {expression!r} is not valid for link type {link_type}: {_reason(str(error))}.") from None
    instructions = ctypes.cast(program.bf_insns, ctypes.POINTER(_Instruction))
    return [
        (instruction.code, instruction.jt, instruction.jf, instruction.k & 0xFFFFFFFF)
        for instruction in instructions[: program.bf_len]
    ]


def open_sniffer(interface: str, expression: str | None):
    """scapy's own socket on an interface: with `fileno`, `recv_raw` (type, bytes, time in seconds or None) and `close`.

    Raises OSError.
    """
    import scapy.arch  # noqa: F401  (it sets conf.L2listen)
    from scapy.config import conf
    from scapy.error import Scapy_Exception

    try:
        return conf.L2listen(iface=interface, filter=expression, promisc=True)
    except (Scapy_Exception, ValueError) as error:
        raise OSError(0, str(error)) from None


def cooked(version: int, ip_packet: bytes, from_client: bool) -> bytes:
    """A frame as Linux writes for the interface `any`: link type 113 (version 1) or 276 (version 2)."""
    from scapy.layers.l2 import CookedLinux, CookedLinuxV2

    fields: dict[str, Any] = {
        "pkttype": 0 if from_client else 4,  # to us, or sent by us
        "lladdrtype": 1,
        "lladdrlen": 6,
        "src": bytes.fromhex("020000000001" if from_client else "020000000002") + b"\0\0",
        "proto": 0x0800 if ip_packet[0] >> 4 == 4 else 0x86DD,
    }
    if version == 1:
        return bytes(CookedLinux(**fields)) + ip_packet
    return bytes(CookedLinuxV2(ifindex=2, **fields)) + ip_packet


def loopback(ip_packet: bytes) -> bytes:
    """A frame as BSD writes for its loopback interface (link type 0), in little-endian order."""
    from scapy.layers.l2 import Loopback

    # FreeBSD's and macOS's number of IPv6 differ from Linux's 10, which scapy would take here; 30 is macOS's.
    return bytes(Loopback(type=2 if ip_packet[0] >> 4 == 4 else 30)) + ip_packet


class _Instruction(ctypes.Structure):
    # Declared here because scapy declares k as a signed number.
    _fields_ = (("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint))


def _reason(text: str) -> str:
    # scapy wraps libpcap's own words: Failed to compile filter expression '…' (syntax error)
    return text.rpartition(" (")[2].rstrip(")").rstrip(".") or text
