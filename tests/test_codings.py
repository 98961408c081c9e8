"""Content codings of samples: undone, never beyond the limit, and counted where they are not what they say."""

import gzip
import zlib

import brotli
import numpy as np
import pytest
import zstandard

from parsers.body.decode import decode_bodies, decode_sample
from sensor.core.reasons import REASONS, named
from sensor.core.records import CODING, TRANSACTION, Batch
from sensor.core.wide import SLACK

LIMIT = 65_536


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


CODERS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "raw deflate": raw_deflate,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}
TEXT = b"".join(b'{"item":%d,"name":"chair"},' % k for k in range(3_000))


@pytest.mark.parametrize("name", CODERS)
@pytest.mark.parametrize("size", [0, 1, 1_000, LIMIT, len(TEXT)])
def test_what_was_coded_is_decoded(name, size):
    coded = CODERS[name](TEXT[:size])
    found = decode_sample(coded, CODING[name.split()[-1]], LIMIT)
    assert found[:LIMIT] == TEXT[:size][:LIMIT]
    assert (len(found) > LIMIT) == (size > LIMIT)


@pytest.mark.parametrize("name", CODERS)
def test_the_first_part_of_a_body_gives_the_first_part_of_its_text(name):
    coded = CODERS[name](TEXT)
    found = decode_sample(coded[: len(coded) // 2], CODING[name.split()[-1]], LIMIT)
    assert found is None or TEXT.startswith(found)


@pytest.mark.parametrize("name", CODERS)
def test_a_bomb_costs_no_more_than_a_body(name):
    """A gigabyte of zeros, told by its first bytes."""
    coded = CODERS[name](bytes(50_000_000))
    assert decode_sample(coded, CODING[name.split()[-1]], LIMIT) in (bytes(LIMIT), bytes(LIMIT + 1))


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "other"])
def test_what_is_coded_otherwise_is_none(coding):
    assert decode_sample(b"\xff\xfe{not coded at all}", CODING[coding], LIMIT) is None


def test_a_batch():
    """Those that are chosen are decoded, one that cannot be is gone and counted, the rest stays."""
    parts = [gzip.compress(b"first"), b"plain", b"broken", brotli.compress(b"last" * 100)]
    codings = ["gzip", "identity", "gzip", "br"]
    rows, at = np.zeros(4, TRANSACTION), 0
    for row, part, coding in zip(rows, parts, codings, strict=True):
        row["request_body_at"], row["request_body_len"], row["request_coding"] = at, len(part), CODING[coding]
        at += len(part)
    bodies = np.frombuffer(b"".join(parts) + bytes(SLACK), np.uint8)
    counters = np.zeros(len(REASONS), np.uint64)
    batch = decode_bodies(Batch(rows, np.zeros(SLACK, np.uint8), 0, bodies, at), "request", np.arange(4), 100, counters)
    assert [batch.body(k, "request_body") for k in range(4)] == [b"first", b"plain", b"", (b"last" * 100)[:100]]
    assert rows["request_coding"].tolist() == [0, 0, CODING["gzip"], 0]
    assert rows["request_partial"].tolist() == [0, 0, 1, 1]
    assert named(counters) == {"body_undecoded": 1}
