"""What the tap itself shows: the answers that an operator needs before trusting that something is absent.

Each figure is a share of what it is named after, and comes with what to do about it.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Figure:
    """One figure about the traffic as it was delivered."""

    name: str
    """what is counted, as in `duplicate packets`"""
    part: int
    whole: int
    advice: str
    """what to do about it, for a person"""

    @property
    def share(self) -> float:
        return self.part / self.whole if self.whole else 0.0

    def as_dict(self) -> dict:
        return {"name": self.name, "count": self.part, "of": self.whole, "share": round(self.share, 6), "advice": self.advice}


ENCRYPTED = "encrypted connections"
# (name, counters that add up to it, counters of the whole, advice)
FIGURES = (
    ("packets that found no room in the ring", ("kernel_dropped",), ("kernel_frames",),
     "They came faster than they were taken: a larger ring (--ring) for bursts, a filter (-f) or more workers otherwise."),
    ("connections refused under load", ("shed",), ("tcp",),
     "Packets of connections that were not followed, for want of time: a filter (-f), more workers, or a second sensor."),
    ("transactions that the store did not take", ("store_dropped",), ("transactions",),
     "The store was away or too slow for longer than the queue holds: see its own log, and the disk's room."),
    ("requests to endpoints that found no room", ("endpoint_overflow",), ("transactions",),
     "Hosts or paths that somebody makes up, and that are served: join them by inventory.hosts or inventory.templates."),
    ("duplicate packets", ("duplicate",), ("tcp",),
     "The mirror port copies both directions of the same ports: mirror ingress only, or one side of each link."),
    ("connections with one direction only", ("one_sided",), ("with_data",),
     "The other direction takes another way: mirror both directions, or bring both halves to one sensor."),
    ("connections tagged differently by direction", ("scopes_united",), ("connections",),
     "One direction bears a tag that the other lacks; they were joined. Set capture.vlan_separates = false to be sure."),
    ("packets cut by the snap length", ("snapped", "truncated_frame"), ("frames",),
     "Bodies and heads are incomplete: capture with a snap length of 0 (tcpdump -s 0)."),
    ("wrong TCP checksums in the sample", ("checksum_wrong",), ("checksum_looked_at",),
     "Ordinary where a host captures what it sends (offload); from a tap it means damage: then set verify_checksums."),
    ("bytes never seen", ("gap_bytes",), ("frame_bytes", "gap_bytes"),
     "Packets were lost before the sensor: look at drops of the mirror port and of the capture, and at its speed."),
    (ENCRYPTED, ("tls",), ("with_data",),
     "Their content cannot be read here: tap behind what ends the TLS."),
    ("packets that could not be read", ("unreadable", "malformed", "unknown_link", "too_many_layers"), ("frames",),
     "Encrypted tunnels (IPsec, MACsec, protected wireless) or encapsulations that this version does not know."),
    ("fragmented datagrams given up", ("fragment_overlap", "fragment_timeout", "fragment_evicted", "fragment_overflow"),
     ("fragments",), "Fragments were lost or overlapped (an old evasion), or were too many for the memory: see the counters."),
    ("connections evicted for want of room", ("evicted_capacity",), ("connections",),
     "A flood, or more clients than the memory is good for: raise --memory."),
)  # fmt: skip


def hygiene(counters: dict[str, int]) -> list[Figure]:
    """All figures that are not zero. counters: by reason, as sensor.core.reasons.named gives them."""

    def total(names: tuple[str, ...]) -> int:
        return sum(counters.get(name, 0) for name in names)

    found = [Figure(name, total(part), total(whole), advice) for name, part, whole, advice in FIGURES]
    return [figure for figure in found if figure.part]
