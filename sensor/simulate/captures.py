"""Writes all captures of `pcaps/`: `python -m sensor.simulate.captures pcaps/`."""

import gzip
import json
import struct
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import dpkt
import zstandard

from sensor.simulate.features import FEATURES, Feature
from sensor.simulate.storefront import write_storefront
from sensor.simulate.wire import SNAPLEN, Frame, write_pcap

README = """# Captures

All were made by `python -m sensor.simulate.captures pcaps/` from fixed seeds; a second run gives the same bytes.
No packet in here comes from a real network, every address and name is one of those reserved for documentation or tests,
and every password and token is made up.

Each capture has its labels beside it, as `NAME.labels.json`: what is in it, as a sensor should find it.

## storefront.pcap

{storefront}

Made by `sensor/simulate/storefront.py`, seed {seed}: {transactions:,} transactions, {connections} connections,
{packets:,} packets, {clients} client addresses, 45 minutes of packet time.

| method | endpoint | transactions |
| --- | --- | --- |
{endpoints}

| attack | actor | endpoint | transactions | values | from | to |
| --- | --- | --- | --- | --- | --- | --- |
{incidents}

## features/

One feature each, made by the `sensor/simulate/feature_*.py`. In labels, sizes are those of bodies without chunk framing,
and what follows CONNECT or an upgrade to another protocol than HTTP/2 belongs to no body. `variant_*` are the packets of
`{variant_of}` (and of `ipv6`, on the second interface of `variant_pcapng`) in other file formats.

| file | packets | what is in it |
| --- | --- | --- |
{features}
"""

VARIANT_OF = "keepalive"


def write_features(directory: Path) -> list[tuple[str, dict[str, Any]]]:
    """Write every feature capture and the variants of file formats; returns file names and labels."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for name, build in FEATURES.items():
        built = build()
        path = directory / f"{name}.pcap"
        write_pcap(path, built.frames, link_type=built.link_type)
        written.append((path.name, _write_labels(path, built)))
    return written + _write_variants(directory)


def _write_variants(directory: Path) -> list[tuple[str, dict[str, Any]]]:
    feature = FEATURES[VARIANT_OF]()
    plain = (directory / f"{VARIANT_OF}.pcap").read_bytes()
    written = []

    def add(name: str, suffix: str, form: str, variant: Feature) -> Path:
        path = directory / f"{name}{suffix}"
        variant = Feature(f"{form} {variant.description}", variant.frames, variant.transactions)
        written.append((path.name, _write_labels(directory / f"{name}.pcap", variant)))
        return path

    # A fixed time and no name in the header: gzip would write the present time, and the file would differ by run.
    add("variant_gzip", ".pcap.gz", "pcap within gzip.", feature).write_bytes(gzip.compress(plain, 9, mtime=0))
    add("variant_zstandard", ".pcap.zst", "pcap within Zstandard.", feature).write_bytes(
        zstandard.ZstdCompressor(19).compress(plain)
    )
    add("variant_big_endian", ".pcap", "pcap in big-endian order.", feature).write_bytes(_big_endian_pcap(feature.frames))
    odd = [(time_ns + position, frame) for position, (time_ns, frame) in enumerate(feature.frames)]
    write_pcap(add("variant_nanosecond", ".pcap", "pcap with nanoseconds.", feature), odd, nanoseconds=True)
    other = FEATURES["ipv6"]()
    both = Feature(
        f"{feature.description} On the second, later: {other.description}",
        feature.frames + [(time_ns + 1_000_000_007, frame) for time_ns, frame in other.frames],
        feature.transactions + other.transactions,
    )
    path = add("variant_pcapng", ".pcapng", "pcapng with nanoseconds and two interfaces. On the first:", both)
    numbers = [0] * len(feature.frames) + [1] * len(other.frames)
    path.write_bytes(_pcapng(zip(numbers, both.frames, strict=True)))
    return written


def _big_endian_pcap(frames: Iterable[Frame]) -> bytes:
    # dpkt writes in the order of the machine that it runs on.
    records = (
        struct.pack(">IIII", time_ns // 1_000_000_000, time_ns % 1_000_000_000 // 1000, len(frame), len(frame)) + frame
        for time_ns, frame in frames
    )
    return struct.pack(">IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, SNAPLEN, 1) + b"".join(records)


def _pcapng(frames: Iterable[tuple[int, Frame]]) -> bytes:
    """Two Ethernet interfaces, both with nanoseconds; dpkt's own writer knows microseconds only, its blocks know more."""
    resolution = dpkt.pcapng.PcapngOptionLE(code=dpkt.pcapng.PCAPNG_OPT_IF_TSRESOL, data=b"\x09")
    end = dpkt.pcapng.PcapngOptionLE(code=dpkt.pcapng.PCAPNG_OPT_ENDOFOPT)
    interface = dpkt.pcapng.InterfaceDescriptionBlockLE(snaplen=SNAPLEN, linktype=1, opts=[resolution, end])
    blocks = [bytes(dpkt.pcapng.SectionHeaderBlockLE()), bytes(interface), bytes(interface)]
    for number, (time_ns, frame) in frames:
        block = dpkt.pcapng.EnhancedPacketBlockLE(
            iface_id=number,
            ts_high=time_ns >> 32,
            ts_low=time_ns & 0xFFFFFFFF,
            caplen=len(frame),
            pkt_len=len(frame),
            pkt_data=frame,
        )
        blocks.append(bytes(block))
    return b"".join(blocks)


def _write_labels(path: Path, feature: Feature) -> dict[str, Any]:
    labels = feature.labels()
    path.with_suffix(".labels.json").write_text(json.dumps(labels, indent=1) + "\n")
    return labels


def write_all(directory: Path, seed: int = 1) -> None:
    """Write storefront.pcap, features/ and README.md into a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    labels = write_storefront(directory / "storefront.pcap", seed)
    features = write_features(directory / "features")
    endpoints = [f"| {row['method']} | `{row['template']}` | {row['count']:,} |" for row in labels["endpoints"]]
    incidents = [
        f"| {row['kind']} | {row['actor']} | {row['method']} `{row['endpoint']}` | {row['transactions']} "
        f"| {row['first_value']} … {row['last_value']} | {row['first_seen']} | {row['last_seen']} |"
        for row in labels["incidents"]
    ]
    text = README.format(
        storefront=labels["description"],
        endpoints="\n".join(endpoints),
        incidents="\n".join(incidents),
        features="\n".join(f"| {name} | {row['packets']} | {row['description']} |" for name, row in features),
        variant_of=VARIANT_OF,
        **{name: labels[name] for name in ("seed", "transactions", "connections", "packets", "clients")},
    )
    (directory / "README.md").write_text(text)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m sensor.simulate.captures DIRECTORY")
    write_all(Path(sys.argv[1]))
