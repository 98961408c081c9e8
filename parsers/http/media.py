"""What a body is, by its Content-Type and Content-Encoding: as far as the analysers of bodies need to know."""

import numpy as np

from parsers.http.text import LOWER, find_byte, first_eight, trim
from sensor.core.jit import kernel
from sensor.core.records import CODING, MEDIA
from sensor.core.wide import load_le64, word

NO_MEDIA = MEDIA["none"]
M_JSON, M_FORM, M_XML, M_MULTIPART, M_GRAPHQL, M_TEXT = (
    MEDIA[name] for name in ("json", "form", "xml", "multipart", "graphql", "text")
)
APPLICATION, SLASH_JSON, SLASH_GRPC, SLASH_XHTML = (word(part) for part in (b"applicat", b"ion/json", b"ion/grpc", b"ion/xhtm"))
IMAGE_SVG = word(b"image/sv")
FORM_BYTES, MULTIPART_BYTES, GRAPHQL_BYTES = 33, 19, 19
"""Lengths of application/x-www-form-urlencoded, multipart/form-data and application/graphql."""
FORM_PART, MULTIPART_PART, GRAPHQL_PART = word(b"ion/x-ww"), word(b"t/form-d"), word(b"ion/grap")
MULTIPART_START, TEXT_PLAIN, TEXT_CSV = word(b"multipar"), word(b"text/pla"), word(b"text/csv")
PAGE = word(b"text/htm")
JSON, XML = 0x6A736F6E, 0x786D6C
LONGEST = 128
NAMES = {b"gzip": "gzip", b"x-gzip": "gzip", b"deflate": "deflate", b"br": "br", b"zstd": "zstd", b"identity": "identity"}
CODING_LENGTHS = np.array([len(name) for name in NAMES])
CODING_WORDS = np.array([word(name) | LOWER for name in NAMES], np.uint64)
CODING_CODES = np.array([CODING[coding] for coding in NAMES.values()])
OTHER = CODING["other"]


@kernel
def lower(byte):
    """A letter in lower case."""
    return byte | 32 if 65 <= byte <= 90 else byte


@kernel
def contains_json_or_xml(buffer, at, end):
    """Whether a media type is one of JSON's or XML's, whatever it is called: application/problem+json, text/xml."""
    window = np.int64(0)
    for k in range(at, end):
        window = (window << 8 | np.int64(lower(buffer[k]))) & 0xFFFFFFFF
        if window == JSON:
            return M_JSON
        if window & 0xFFFFFF == XML and k + 1 == end:
            return M_XML
    return NO_MEDIA


@kernel
def media_of(buffer, at, length):
    """The kind of a media type (MEDIA); none for those that nobody reads: pictures, pages, gRPC, event streams."""
    if length < 8 or length > LONGEST:
        return NO_MEDIA
    first = load_le64(buffer, at) | LOWER
    second = load_le64(buffer, at + 8) | LOWER
    if first == APPLICATION:
        if length == 16 and second == SLASH_JSON:
            return M_JSON
        if second == SLASH_GRPC or second == SLASH_XHTML:
            return NO_MEDIA
        if length == FORM_BYTES and second == FORM_PART:
            return M_FORM
        if length == GRAPHQL_BYTES and second == GRAPHQL_PART:
            return M_GRAPHQL
    elif first == IMAGE_SVG:
        return NO_MEDIA
    elif length == MULTIPART_BYTES and first == MULTIPART_START and second == MULTIPART_PART:
        return M_MULTIPART
    elif first == TEXT_CSV or (first == TEXT_PLAIN and length == 10):
        return M_TEXT
    return contains_json_or_xml(buffer, at, at + length)


@kernel
def is_page(buffer, at, length):
    """Whether a media type is HTML's: nobody reads pages, but for what they show of an error."""
    return length == 9 and load_le64(buffer, at) | LOWER == PAGE and buffer[at + 8] | 32 == 108


@kernel
def coding_of(buffer, at, end):
    """The coding of a Content-Encoding field (CODING); `other` for one that is not known, or for several."""
    at, end = trim(buffer, at, end)
    if at == end:
        return 0
    if find_byte(buffer, at, end, 44) < 0 and end - at <= 8:
        name = first_eight(buffer, at, end - at)
        for k in range(CODING_WORDS.shape[0]):
            if CODING_LENGTHS[k] == end - at and CODING_WORDS[k] == name:
                return CODING_CODES[k]
    return OTHER
