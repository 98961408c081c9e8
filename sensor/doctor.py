"""What is wrong with this machine, its interfaces and its store, and the command that mends it."""

import ctypes
import dataclasses
import pathlib
import shutil
from collections.abc import Iterator

from sensor.capture.interface import Interface, look_at
from sensor.config import ConfigError, hash_key, state_folder
from sensor.settings import Config
from sensor.store.errors import StoreError

CAP_NET_RAW = 13
LEAST_ROOM, LEAST_SHARE = 2 << 30, 0.05
"""Bytes, and share, of the disk that must be free."""
LEAST_MTU = 1500
DROPPED_SHARE = 0.001
CLOCK_IS_WRONG = 5
"""What adjtimex(2) returns when nobody sets the clock (TIME_ERROR)."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """One line of the doctor's."""

    name: str
    good: bool
    text: str
    mend: str = ""
    """command that mends what is bad"""


def examine(config: Config, names: list[str]) -> Iterator[Finding]:
    """Everything, in the order in which it stands in the way."""
    yield _capability()
    for name in names:
        interface = look_at(name)
        if interface is None:
            yield Finding(name, False, "there is no such interface", "ip link")
        else:
            yield from _interface(interface)
    yield _clock()
    yield _kernels()
    yield _key(config)
    yield _disk(config)
    yield _store(config)


def _capability() -> Finding:
    status = pathlib.Path("/proc/self/status").read_text()
    effective = int(next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), 16)
    if effective >> CAP_NET_RAW & 1:
        return Finding("capability", True, "CAP_NET_RAW is there")
    return Finding("capability", False, "CAP_NET_RAW is missing: nothing can be captured", "sudo tapwatch live …")


def _interface(one: Interface) -> Iterator[Finding]:
    name = one.name
    driver = f"up, driver {one.driver or 'unknown'}"
    yield Finding(f"{name} state", one.up, driver if one.up else "down", f"ip link set dev {name} up")
    if not one.loopback:
        text = f"has {', '.join(one.addresses)}: it can be spoken to" if one.addresses else "has no address"
        if _carries_the_host(name):
            yield Finding(f"{name} address", False, f"{text}, and is this host's own way out", "ip link  # choose another one")
            return
        yield Finding(f"{name} address", not one.addresses, text, f"ip address flush dev {name}")
        text = "answers ARP requests that it sees" if one.arp else "is silent to ARP"
        yield Finding(f"{name} ARP", not one.arp, text, f"ip link set dev {name} arp off")
    joined = [text for text, on in (("gro", one.gro), ("lro", one.lro)) if on]
    text = f"{' and '.join(joined).upper()} joins packets before they are seen" if joined else "packets are seen as they came"
    yield Finding(f"{name} offload", not joined, text, f"ethtool -K {name} {' '.join(f'{o} off' for o in joined)}")
    if one.ring:
        used, most = one.ring
        yield Finding(
            f"{name} descriptors", used >= most, f"{used} of {most} receive descriptors", f"ethtool -G {name} rx {most}"
        )
    if not one.loopback:
        text = f"{one.queues} receive queue{'s' if one.queues != 1 else ''}"
        if one.queues > 1:
            text += ": the two directions of a connection may overtake each other"
        yield Finding(f"{name} queues", one.queues <= 1, text, f"ethtool -L {name} combined 1")
    yield Finding(f"{name} MTU", one.mtu >= LEAST_MTU, f"{one.mtu} bytes", f"ip link set dev {name} mtu {LEAST_MTU}")
    share = one.dropped / (one.received + one.dropped) if one.dropped else 0.0
    text = f"{one.dropped:,} of {one.received + one.dropped:,} frames ({share:.2%}) since it is there"
    yield Finding(f"{name} drops", share <= DROPPED_SHARE, text, f"ethtool -S {name}")


def _carries_the_host(name: str) -> bool:
    """Whether the default route leads through an interface, so that the advice for a tap would cut this host off."""
    for path, place, zero in (("/proc/net/route", 1, "0" * 8), ("/proc/net/ipv6_route", 0, "0" * 32)):
        try:
            lines = pathlib.Path(path).read_text().splitlines()
        except OSError:
            continue
        for fields in map(str.split, lines):
            leads = fields[0] if place else fields[-1]
            if leads == name and fields[place] == zero and name != "lo":
                return True
    return False


def _clock() -> Finding:
    room = ctypes.create_string_buffer(256)
    wrong = ctypes.CDLL(None).adjtimex(room) in (CLOCK_IS_WRONG, -1)
    text = "is set by nobody: times of several sensors will not agree" if wrong else "is kept right"
    return Finding("clock", not wrong, text, "timedatectl set-ntp true")


def _kernels() -> Finding:
    from sensor.core.cache import CACHE_FOLDER, is_cached

    if is_cached():
        return Finding("compiled kernels", True, f"in {CACHE_FOLDER}")
    return Finding(
        "compiled kernels", False, "are not there: the first start takes a minute", "tapwatch bench --transactions 1000"
    )


def _key(config: Config) -> Finding:
    try:
        lasting = hash_key(config)[1]
    except ConfigError as error:
        return Finding("hash key", False, str(error), "openssl rand -hex 16")
    if lasting:
        return Finding("hash key", True, "hashes of credentials stay the same")
    return Finding(
        "hash key", False, "cannot be kept: hashes change with every start", "export TAPWATCH_KEY=$(openssl rand -hex 16)"
    )


def _folder(config: Config) -> pathlib.Path:
    """The nearest folder there is to the one that grows."""
    path = state_folder()
    if config.store and config.store.startswith("chdb://"):
        path = pathlib.Path(config.store.removeprefix("chdb://"))
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _disk(config: Config) -> Finding:
    folder = _folder(config)
    room = shutil.disk_usage(folder)
    good = room.free >= LEAST_ROOM and room.free >= LEAST_SHARE * room.total
    return Finding(
        "disk", good, f"{room.free / 1e9:,.1f} GB of {room.total / 1e9:,.1f} GB free for {folder}", f"df -h {folder}"
    )


def _store(config: Config) -> Finding:
    from sensor.store.open import open_store

    try:
        store = open_store(config.store)
        try:
            name, version = store.name, store.rows("SELECT version()")[0][0]
        finally:
            store.close()
    except StoreError as error:
        return Finding("store", False, str(error), "tapwatch schema apply")
    return Finding("store", True, f"{name}: ClickHouse {version}")
