"""Packets that are written: as other readers see them, bounded on disk, and cut out again for an alert."""

import io
import pathlib
import subprocess
import sys

import dpkt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.capture import pcapng
from sensor.capture.files import CaptureError, CaptureFile
from sensor.capture.pcapng import FileRing, PcapngWriter, ring_files
from sensor.core.records import FRAME
from sensor.core.wide import padded

TAPWATCH = pathlib.Path(sys.executable).with_name("tapwatch")
ROOT = pathlib.Path(__file__).resolve().parent.parent
NS = 1_700_000_000_123_456_789


def chunk_of(packets: list[bytes], links: list[int] | None = None, gap: int = 0) -> tuple[np.ndarray, np.ndarray]:
    frames, at = np.zeros(len(packets), FRAME), gap
    data = bytes(gap)
    for frame, packet, link in zip(frames, packets, links or [1] * len(packets), strict=True):
        frame["at"], frame["captured"], frame["wire"], frame["ts"], frame["link"] = (
            at,
            len(packet),
            len(packet) + 9,
            NS + at,
            link,
        )
        data += packet
        at += len(packet)
    return padded(data), frames


packets = st.lists(st.binary(max_size=100), min_size=1, max_size=20)


@given(packets, packets, st.data())
def test_what_is_written_is_read_again(first, second, data):
    """By our own reader, and by dpkt where there is one link type."""
    links = [data.draw(st.sampled_from([1, 1, 101, 113])) for _ in second]
    out = io.BytesIO()
    writer = PcapngWriter(out)
    writer.write(*chunk_of(first), "eth1")
    writer.write(*chunk_of(second, links), "eth2")
    assert writer.size == len(out.getvalue()) and writer.packets == len(first) + len(second)
    capture, found = CaptureFile("x", io.BytesIO(out.getvalue())), []
    for chunk in capture.chunks():
        found += [
            (chunk.data[f["at"] : f["at"] + f["captured"]].tobytes(), int(f["wire"]), int(f["ts"]), int(f["link"]))
            for f in chunk.frames
        ]
    assert capture.problem is None
    wanted = []
    for group, kinds in ((first, [1] * len(first)), (second, links)):
        _, frames = chunk_of(group)
        wanted += [(p, len(p) + 9, int(f["ts"]), link) for p, f, link in zip(group, frames, kinds, strict=True)]
    assert found == wanted
    if set(links) == {1}:
        assert [data for _, data in dpkt.pcapng.Reader(io.BytesIO(out.getvalue()))] == [packet for packet, *_ in wanted]


def test_a_ring_of_files_stays_within_its_bytes(tmp_path):
    ring = FileRing(str(tmp_path / "tap.pcapng"), file_bytes=10_000, seconds=3600, total=50_000)
    chunk, frames = chunk_of([bytes([k]) * 900 for k in range(10)])
    for _ in range(60):
        assert ring.write(chunk, frames, "eth1") == 0
        assert sum(path.stat().st_size for path in ring.files()) <= 60_000
    ring.close()
    names = [path.name for path in ring.files()]
    assert names == sorted(names) and names[-1].startswith("tap_00030_") and 3 <= len(names) <= 5
    assert ring.files() == ring_files(tmp_path / "tap.pcapng")
    again = FileRing(str(tmp_path / "tap.pcapng"), 10_000, 3600, 50_000)
    again.close()
    assert again.files()[-1].name.startswith("tap_00031_")
    for path in ring.files():
        assert sum(len(chunk.frames) for chunk in CaptureFile(str(path)).chunks()) in (0, 10, 20)


def test_the_newest_file_has_the_highest_number(tmp_path):
    for number in (99_998, 99_999, 100_000):
        (tmp_path / f"tap_{number:05d}_20260101T000000.pcapng").write_bytes(bytes(20_000))
    ring = FileRing(str(tmp_path / "tap"), 10_000, 3600, 40_000)
    ring.close()
    assert [path.name[:10] for path in ring.files()] == ["tap_100000", "tap_100001"]


def test_files_change_with_time(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(pcapng.time, "monotonic", lambda: clock[0])
    ring = FileRing(str(tmp_path / "tap"), 1 << 20, 60, 1 << 30)
    for _ in range(3):
        ring.write(*chunk_of([b"x"]), "eth1")
        clock[0] += 61
    ring.close()
    assert len(ring.files()) == 3


def test_a_full_disk_is_told_and_counted(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(pcapng.time, "monotonic", lambda: clock[0])
    ring = FileRing(str(tmp_path / "tap"), 1 << 20, 60, 1 << 30)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(PcapngWriter, "write", full)
        assert ring.write(*chunk_of([b"x", b"y"]), "eth1") == 2
        assert "No space left" in ring.problem
    assert ring.write(*chunk_of([b"x"] * 3), "eth1") == 3 and len(ring.files()) == 1, "no file is begun for every chunk"
    clock[0] += pcapng.PAUSE
    assert ring.write(*chunk_of([b"x"]), "eth1") == 0 and ring.problem == ""
    ring.close()


def test_a_folder_that_is_none_is_told_at_once(tmp_path):
    with pytest.raises(CaptureError, match="No such file"):
        FileRing(str(tmp_path / "none" / "tap"), 1 << 20, 60, 1 << 30)


def test_the_packets_of_an_alert_are_cut_out(tmp_path):
    """The slice, replayed, holds the incident's transactions and no others."""
    store, out = f"chdb://{tmp_path}/store", tmp_path / "evidence.pcapng"

    def run(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run([TAPWATCH, *arguments], capture_output=True, text=True, timeout=300, check=False)

    assert run("replay", "--store", store, str(ROOT / "pcaps/storefront.pcap")).returncode == 0
    cut = run("alert", "a211", "--store", store, "--pcap", str(out), "--from", str(ROOT / "pcaps/storefront.pcap"))
    assert cut.returncode == 0 and "out of 1 captures" in cut.stdout
    lines = run("replay", "--no-store", "--transactions", "-", str(out)).stdout.splitlines()
    told = [line for line in lines if line.startswith("{")]
    assert len(told) == 600 and all('"client_ip":"198.51.100.77"' in line for line in told)
    nothing = run("alert", "a211", "--store", store, "--pcap", str(out))
    assert nothing.returncode == 2 and "--from" in nothing.stderr
    wrong = run("alert", "a211", "--store", store, "--pcap", str(out), "--from", str(ROOT / "README.md"))
    assert wrong.returncode == 1 and "no capture" in wrong.stderr and "Traceback" not in wrong.stderr
