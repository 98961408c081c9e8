"""Capture files of every format, whole and damaged, against dpkt and against files built byte by byte."""

import gzip
import io
import struct
import subprocess
import sys
import zlib
from fractions import Fraction

import dpkt
import pytest
import zstandard
from helpers import FEATURES, PCAPS

from sensor.capture.files import CaptureError, CaptureFile, fingerprint
from sensor.capture.index import MAX_CAPTURED, MAX_INTERFACES

BILLION = 1_000_000_000
TIMES = [0, 1, 999_999, 1_772_528_400_123_456_789, 2**32 * BILLION - 1]
FRAMES = [bytes([k]) * (7 * k) for k in range(len(TIMES))]


def frames_of(path):
    """((ns, wire length, link type, bytes) of every frame, problem)."""
    capture = CaptureFile(str(path))
    try:
        found = []
        for chunk in capture.chunks():
            for frame in chunk.frames:
                at, size = int(frame["at"]), int(frame["captured"])
                found.append((int(frame["ts"]), int(frame["wire"]), int(frame["link"]), chunk.data[at : at + size].tobytes()))
        return found, capture.problem
    finally:
        capture.close()


@pytest.fixture
def read(tmp_path):
    """Write bytes to a file and read it back."""

    def write_and_read(content, name="x.pcap"):
        (tmp_path / name).write_bytes(content)
        return frames_of(tmp_path / name)

    return write_and_read


# pcap


def pcap_header(order="<", magic=0xA1B2C3D4, link=1):
    return struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65_535, link)


def pcap_record(order, seconds, fraction, frame, wire=None, behind=b""):
    return struct.pack(order + "IIII", seconds, fraction, len(frame), len(frame) if wire is None else wire) + behind + frame


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("magic", "unit", "behind"), [(0xA1B2C3D4, 1000, b""), (0xA1B23C4D, 1, b""), (0xA1B2CD34, 1000, b"8 bytes.")]
)
def test_pcap_in_every_variant(read, order, magic, unit, behind):
    records = [
        pcap_record(order, ts // BILLION, ts % BILLION // unit, frame, 2000, behind)
        for ts, frame in zip(TIMES, FRAMES, strict=True)
    ]
    found, problem = read(pcap_header(order, magic, 113) + b"".join(records))
    assert found == [(ts // unit * unit, 2000, 113, frame) for ts, frame in zip(TIMES, FRAMES, strict=True)]
    assert problem is None


def test_upper_half_of_the_link_type_field_is_no_part_of_it(read):
    """It holds the length of the frame check sequence (tcpdump.org/manpages/pcap-savefile.5)."""
    found, _ = read(pcap_header(link=0xF400_0071) + pcap_record("<", 1, 2, b"abc"))
    assert found == [(1_000_002_000, 3, 113, b"abc")]


def test_wire_length_is_at_least_what_was_captured(read):
    assert read(pcap_header() + pcap_record("<", 1, 0, b"abcdef", 4))[0] == [(BILLION, 6, 1, b"abcdef")]


def test_pcap_without_records_is_read_without_a_problem(read):
    assert read(pcap_header()) == ([], None)


def test_largest_frame_is_read_and_a_larger_one_ends_the_file(read):
    good = pcap_record("<", 1, 0, bytes(MAX_CAPTURED))
    found, problem = read(pcap_header() + good + struct.pack("<IIII", 1, 0, MAX_CAPTURED + 1, 60) + bytes(MAX_CAPTURED + 100))
    assert [len(frame) for *_, frame in found] == [MAX_CAPTURED]
    assert "impossible length" in problem and "stopped at byte" in problem


def test_captures_larger_than_a_chunk_are_read_on(read):
    frames = [bytes([k & 0xFF]) * (k * 37 % 9000) for k in range(900)]
    found, problem = read(pcap_header() + b"".join(pcap_record("<", k, 0, frame) for k, frame in enumerate(frames)))
    assert [frame for *_, frame in found] == frames
    assert problem is None


def test_more_empty_frames_than_a_chunk_has_room_for(read):
    found, problem = read(pcap_header() + b"".join(pcap_record("<", k, 0, b"") for k in range(150_000)))
    assert [ts for ts, *_ in found] == [k * BILLION for k in range(150_000)]
    assert problem is None


# pcapng


def block(order, kind, body):
    length = 12 + len(body) + -len(body) % 4
    return struct.pack(order + "II", kind, length) + body + bytes(-len(body) % 4) + struct.pack(order + "I", length)


def option(order, code, value):
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(order="<"):
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(order="<", link=1, snaplen=0, resolution=None, offset=None):
    options = option(order, 2, b"eth0")
    if resolution is not None:
        options += option(order, 9, bytes([resolution]))
    if offset is not None:
        options += option(order, 14, struct.pack(order + "q", offset))
    return block(order, 1, struct.pack(order + "HHI", link, 0, snaplen) + options + option(order, 0, b""))


def enhanced(order, number, units, frame, wire=None, options=b""):
    fields = struct.pack(
        order + "IIIII", number, units >> 32, units & 0xFFFFFFFF, len(frame), len(frame) if wire is None else wire
    )
    return block(order, 6, fields + frame + bytes(-len(frame) % 4) + options)


def obsolete(order, number, units, frame, wire=None):
    fields = struct.pack(
        order + "HHIIII", number, 7, units >> 32, units & 0xFFFFFFFF, len(frame), len(frame) if wire is None else wire
    )
    return block(order, 2, fields + frame)


def simple(order, frame, wire=None):
    return block(order, 3, struct.pack(order + "I", len(frame) if wire is None else wire) + frame)


@pytest.mark.parametrize("order", "<>")
def test_pcapng_packet_blocks_of_all_three_kinds(read, order):
    content = section(order) + interface(order, 1, resolution=9) + interface(order, 101)
    content += (
        enhanced(order, 0, TIMES[3], b"first", 60) + obsolete(order, 1, 7_000_001, b"second!", 61) + simple(order, b"third")
    )
    found, problem = read(content)
    assert found[:2] == [(TIMES[3], 60, 1, b"first"), (7_000_001_000, 61, 101, b"second!")]
    assert found[2][1:] == (5, 1, b"third")
    assert problem is None


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("resolution", [None, 0, 3, 6, 9, 0x80, 0x80 | 10, 0x80 | 30, 0x80 | 32])
@pytest.mark.parametrize("offset", [None, 0, 1_700_000_000, -5])
def test_pcapng_times_with_every_resolution_and_offset(read, order, resolution, offset):
    per_second = 2 ** (resolution & 0x7F) if (resolution or 0) & 0x80 else 10 ** (6 if resolution is None else resolution)
    units = [0, 1, 3 * per_second + per_second // 3, 1_600_000_000 * per_second + per_second - 1]
    found, problem = read(
        section(order) + interface(order, 1, 0, resolution, offset) + b"".join(enhanced(order, 0, u, b"x") for u in units)
    )
    exact = [Fraction(u * BILLION, per_second) + (offset or 0) * BILLION for u in units]
    assert [ts for ts, *_ in found] == [int(e // 1) for e in exact]
    assert problem is None


@pytest.mark.parametrize("resolution", [12, 0x80 | 40, 0x80 | 50, 0x80 | 62, 0x80 | 63])
def test_pcapng_times_finer_than_nanoseconds_lose_less_than_one(read, resolution):
    per_second = 2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution
    units = [u for u in (0, 1, per_second // 3, per_second - 1, 3 * per_second // 2, 2**62) if u < 2**63]
    found, _ = read(section() + interface("<", 1, 0, resolution) + b"".join(enhanced("<", 0, u, b"x") for u in units))
    for unit, (ts, *_) in zip(units, found, strict=True):
        assert -1 < ts - Fraction(unit * BILLION, per_second) <= 0 or abs(ts - Fraction(unit * BILLION, per_second)) < 2


def test_simple_packets_end_at_the_snap_length_and_take_the_last_time(read):
    content = (
        section() + interface(snaplen=4, resolution=9) + enhanced("<", 0, 5 * BILLION, b"abcd", 9) + simple("<", b"efgh", 10)
    )
    assert read(content) == ([(5 * BILLION, 9, 1, b"abcd"), (5 * BILLION, 10, 1, b"efgh")], None)


def test_options_behind_the_packet_are_no_part_of_it(read):
    content = section() + interface() + enhanced("<", 0, 1, b"abc", options=option("<", 1, b"a comment") + option("<", 0, b""))
    assert read(content) == ([(1000, 3, 1, b"abc")], None)


@pytest.mark.parametrize("size", [0, 4, 1000, 3 << 20])
def test_blocks_of_unknown_type_are_passed_over_however_long(read, size):
    unknown = block("<", 0x0BAD0000, bytes(range(1, 5)) * (size // 4)) + block("<", 5, bytes(8)) + block("<", 10, bytes(20))
    content = section() + unknown + interface() + enhanced("<", 0, 1, b"a") + unknown + enhanced("<", 0, 2, b"b") + unknown
    assert read(content) == ([(1000, 1, 1, b"a"), (2000, 1, 1, b"b")], None)


@pytest.mark.parametrize(("first", "second"), ["<>", "><"])
def test_a_second_section_has_its_own_byte_order_and_interfaces(read, first, second):
    content = section(first) + interface(first, 1) + enhanced(first, 0, 1, b"a")
    content += section(second) + interface(second, 113, resolution=9) + enhanced(second, 0, 2, b"b")
    assert read(content) == ([(1000, 1, 1, b"a"), (2, 1, 113, b"b")], None)


@pytest.mark.parametrize(
    ("damaged", "words"),
    [
        (enhanced("<", 1, 1, b"x"), "never described"),
        (section() + enhanced("<", 0, 1, b"x"), "never described"),
        (section() + simple("<", b"x"), "never described"),
        (struct.pack("<II", 6, 8) + bytes(40), "impossible length"),
        (struct.pack("<II", 6, 33) + bytes(40), "impossible length"),
        (struct.pack("<II", 6, 2**31) + bytes(40), "impossible length"),
        (struct.pack("<II", 0xBAD, 0) + bytes(40), "impossible length"),
        (block("<", 6, bytes(4)), "impossible length"),
        (block("<", 3, b""), "impossible length"),
        (block("<", 1, bytes(4)), "impossible length"),
        (block("<", 6, struct.pack("<IIIII", 0, 0, 0, 5, 5) + b"abcd"), "impossible length"),
        (block("<", 6, struct.pack("<IIIII", 0, 0, 0, 2**32 - 1, 5) + b"abcd"), "impossible length"),
        (block("<", 0x0A0D0D0A, bytes(16)), "damaged section header"),
        (interface() * MAX_INTERFACES, "interfaces"),
    ],
)
def test_a_damaged_block_ends_the_file_and_is_named(read, damaged, words):
    good = section() + interface() + enhanced("<", 0, 1, b"good")
    found, problem = read(good + damaged + section() + interface() + enhanced("<", 0, 1, b"behind"))
    assert found == [(1000, 4, 1, b"good")]
    assert words in problem and "stopped at byte" in problem


def test_the_damage_is_where_the_problem_says(read):
    good = section() + interface() + enhanced("<", 0, 1, b"good")
    assert read(good + block("<", 6, bytes(4)))[1].startswith(f"stopped at byte {len(good)}:")


@pytest.mark.parametrize(
    "options",
    [b"\x09\x00\xff\xff\x09", b"\x09\x00\x02\x00\x09\x09\0\0", b"\x0e\x00\x04\x00abcd", b"\x01\x00", b"\x02\x00\x05\x00abcde"],
)
def test_damaged_interface_options_do_no_harm(read, options):
    content = section() + block("<", 1, struct.pack("<HHI", 1, 0, 0) + options) + enhanced("<", 0, 1, b"x")
    assert read(content) == ([(1000, 1, 1, b"x")], None)


# Cut at every byte

SMALL_PCAP = pcap_header() + b"".join(pcap_record("<", k, 0, frame) for k, frame in enumerate(FRAMES))
SMALL_BLOCKS = [
    section(),
    interface(),
    enhanced("<", 0, 1, b"abc"),
    block("<", 0xBAD, b"unknown block..."),
    simple("<", b"de"),
    enhanced("<", 0, 2, b"f"),
]


def boundaries(sizes):
    ends = [0]
    for size in sizes:
        ends.append(ends[-1] + size)
    return ends


def test_a_pcap_cut_at_any_byte_gives_the_records_before_the_cut(read):
    ends = boundaries([24] + [16 + len(frame) for frame in FRAMES])[1:]
    for cut in range(24, len(SMALL_PCAP) + 1):
        found, problem = read(SMALL_PCAP[:cut])
        assert [frame for *_, frame in found] == FRAMES[: sum(end <= cut for end in ends) - 1]
        assert (problem is None) == (cut in ends), (cut, problem)


def test_a_pcap_cut_within_a_record_is_said_to_end_where_that_record_begins(read):
    ends = boundaries([24] + [16 + len(frame) for frame in FRAMES])[1:]
    for cut in range(24, len(SMALL_PCAP) + 1):
        _, problem = read(SMALL_PCAP[:cut])
        if cut not in ends:
            assert problem == f"stopped at byte {max(end for end in ends if end < cut)}: the file ends within a record"


def check_cut_pcapng(read, cuts):
    content, ends = b"".join(SMALL_BLOCKS), boundaries(len(part) for part in SMALL_BLOCKS)
    packets = [(k, frame) for k, frame in ((2, b"abc"), (4, b"de"), (5, b"f"))]
    for cut in cuts(ends):
        found, problem = read(content[:cut])
        whole = sum(end <= cut for end in ends) - 1
        assert [frame for *_, frame in found] == [frame for k, frame in packets if k < whole]
        if cut in ends:
            assert problem is None
        else:
            assert problem == f"stopped at byte {ends[whole]}: the file ends within a record", cut


def test_a_pcapng_cut_within_a_known_block_gives_the_records_before_it(read):
    check_cut_pcapng(
        read, lambda ends: [k for low, high in ((1, 2), (2, 3), (4, 5), (5, 6)) for k in range(ends[low], ends[high] + 1)]
    )


def test_a_pcapng_cut_within_a_block_that_is_passed_over_is_a_problem_too(read):
    check_cut_pcapng(read, lambda ends: [k for low, high in ((0, 1), (3, 4)) for k in range(ends[low] + 4, ends[high])])


def test_a_cut_capture_yields_the_same_frames_through_gzip_and_zstandard(read):
    for cut in range(24, len(SMALL_PCAP), 7):
        plain, problem = read(SMALL_PCAP[:cut])
        assert read(gzip.compress(SMALL_PCAP[:cut], mtime=0), "x.gz") == (plain, problem)
        assert read(zstandard.compress(SMALL_PCAP[:cut]), "x.zst") == (plain, problem)


LARGE = pcap_header() + b"".join(pcap_record("<", k, 0, bytes((k * j * j + j) & 0xFF for j in range(900))) for k in range(5000))


def damaged_gzip():
    whole = gzip.compress(LARGE, 1, mtime=0)
    return whole[: len(whole) * 9 // 10]


def decompressed_part(compressed):
    return zlib.decompressobj(31).decompress(compressed)


def test_a_cut_gzip_stream_is_a_problem_and_yields_frames_before_it(read):
    found, problem = read(damaged_gzip(), "x.gz")
    assert found == read(LARGE)[0][: len(found)]
    assert "compressed stream is damaged" in problem


def test_a_cut_gzip_stream_yields_every_frame_that_can_be_decompressed(read):
    found, _ = read(damaged_gzip(), "x.gz")
    assert found == read(decompressed_part(damaged_gzip()))[0]


def test_a_cut_zstandard_stream_yields_frames_before_it_and_is_a_problem(read):
    whole = zstandard.compress(LARGE, 1)
    found, problem = read(whole[: len(whole) * 9 // 10], "x.zst")
    assert found and found == read(LARGE)[0][: len(found)]
    assert problem


@pytest.mark.parametrize(("pack", "name"), [(gzip.compress, "x.gz"), (zstandard.compress, "x.zst")])
def test_a_cut_compressed_stream_is_a_problem_even_between_records(read, pack, name):
    whole = pack(SMALL_PCAP) if pack is gzip.compress else pack(LARGE)
    _, problem = read(whole[:-4], name)
    assert problem


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_compressed_streams_may_follow_each_other(read, pack):
    half = len(SMALL_PCAP) // 2
    assert read(pack(SMALL_PCAP[:half]) + pack(SMALL_PCAP[half:])) == read(SMALL_PCAP)


# Bundled captures against dpkt

BUNDLED = sorted(path for path in [*FEATURES.iterdir(), PCAPS / "storefront.pcap"] if not path.name.endswith(".json"))


def decompressed(path):
    content = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(content)
    if path.suffix == ".zst":
        return zstandard.ZstdDecompressor().decompressobj().decompress(content)
    return content


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.name)
def test_bundled_captures_have_the_frames_that_dpkt_finds(path):
    content = decompressed(path)
    reader = dpkt.pcap.UniversalReader(io.BytesIO(content))
    expected = [(ts, frame) for ts, frame in reader]
    found, problem = frames_of(path)
    assert problem is None
    assert [frame for *_, frame in found] == [frame for _, frame in expected]
    assert {link for _, _, link, _ in found} == {reader.datalink()}
    for (ns, *_), (ts, _) in zip(found, expected, strict=True):
        assert abs(ns - Fraction(str(ts)) * BILLION) < 1000, "dpkt's times are floats"


def test_nanoseconds_are_exact():
    plain, fine = frames_of(FEATURES / "keepalive.pcap")[0], frames_of(FEATURES / "variant_nanosecond.pcap")[0]
    assert [ns for ns, *_ in fine] == [ns + k for k, (ns, *_) in enumerate(plain)]


@pytest.mark.parametrize(
    "name", ["keepalive.pcap", "variant_gzip.pcap.gz", "variant_zstandard.pcap.zst", "variant_pcapng.pcapng"]
)
def test_standard_input_gives_the_same_frames(name):
    code = (
        "from sensor.capture.files import CaptureFile\n"
        "capture = CaptureFile('-')\n"
        "for chunk in capture.chunks():\n"
        "    for frame in chunk.frames:\n"
        "        print(int(frame['ts']), chunk.data[frame['at'] : frame['at'] + frame['captured']].tobytes().hex())\n"
        "print(capture.problem)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], input=(FEATURES / name).read_bytes(), capture_output=True, check=True)
    found, problem = frames_of(FEATURES / name)
    assert done.stdout.decode().split("\n")[:-1] == [f"{ts} {frame.hex()}" for ts, _, _, frame in found] + [str(problem)]


# What the file is called by


def test_fingerprint_names_captures_by_their_content(tmp_path):
    def of(content, name="x.pcap"):
        (tmp_path / name).write_bytes(content)
        return fingerprint([str(tmp_path / name)])

    assert of(SMALL_PCAP) == of(SMALL_PCAP, "y.pcap")
    assert len({of(SMALL_PCAP), of(SMALL_PCAP[:-1] + b"?"), of(SMALL_PCAP[:-1])}) == 3
    assert len(of(SMALL_PCAP)) == 16


def test_position_comes_to_the_size_of_the_file(tmp_path):
    for path in (FEATURES / "keepalive.pcap", FEATURES / "variant_gzip.pcap.gz", FEATURES / "variant_zstandard.pcap.zst"):
        capture = CaptureFile(str(path))
        list(capture.chunks())
        assert capture.position == capture.size == path.stat().st_size


# What is no capture


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"abc", b"hello, this is text\n" * 100, b"\x89PNG\r\n\x1a\n" + bytes(100), pcap_header()[:23], pcap_header()[:4], b"\x1f\x8b", b"\x1f\x8b\x08" + b"?" * 50, gzip.compress(b"", mtime=0), gzip.compress(b"text", mtime=0), gzip.compress(SMALL_PCAP, mtime=0)[:15], b"\x28\xb5\x2f\xfd" + b"\xff" * 40, zstandard.compress(b"text")],
)  # fmt: skip
def test_what_is_no_capture_is_told_in_one_sentence(tmp_path, content):
    path = tmp_path / "x.bin"
    path.write_bytes(content)
    with pytest.raises(CaptureError) as caught:
        CaptureFile(str(path))
    assert_one_sentence(caught.value, "x.bin")


def test_a_missing_file_and_a_folder_are_told_in_one_sentence(tmp_path):
    for path in (tmp_path / "none.pcap", tmp_path):
        with pytest.raises(CaptureError) as caught:
            CaptureFile(str(path))
        assert_one_sentence(caught.value, str(path))


def assert_one_sentence(error, name):
    text = str(error)
    assert name in text and text.endswith(".") and not text.endswith("..") and "\n" not in text and len(text) < 300
