"""The operation that a request names in its body: GraphQL, JSON-RPC, SOAP. Its name joins the other texts in the arena."""

import numpy as np

from parsers.body.graphql import DOCUMENT, FIELDS_LIMIT, LETTER, NAME_LIMIT, read_document
from parsers.body.json import QUOTE, next_member, outermost, unescape
from parsers.body.soap import soap_operation
from sensor.core.jit import kernel
from sensor.core.records import MEDIA, OPERATION, Batch
from sensor.core.wide import SLACK, copy, load_le64, word
from sensor.core.words import url_byte

M_JSON, M_XML, M_GRAPHQL = MEDIA["json"], MEDIA["xml"], MEDIA["graphql"]
JSON_RPC, SOAP, PERSISTED = OPERATION["jsonrpc"], OPERATION["soap"], OPERATION["persisted"]
ROOM = NAME_LIMIT + 2 * FIELDS_LIMIT
"""Bytes of arena that one request can need."""
TEXT_LIMIT = 65_536
"""Bytes of a document that are read; samples are smaller by default."""
QUERY_KEY, METHOD_KEY, RPC_KEY = word(b"query"), word(b"method"), word(b"jsonrpc")
NAME_KEY, NAME_KEY_REST = word(b"operatio"), word(b"nName")
EXTENSIONS, EXTENSIONS_REST = word(b"extensio"), word(b"ns")
GRAPHQL_ENDS = word(b"/graphql")
EQUALS, AMPERSAND, PLUS = 61, 38, 43
IN_NAME = LETTER.copy()
for _character in b".:/-":
    IN_NAME[_character] = 1
"""Characters of a JSON-RPC method's or SOAP operation's name."""

SPANS = np.dtype([("query", "<i8", (2,)), ("name", "<i8", (2,)), ("method", "<i8", (2,)), ("rpc", "u1"), ("extensions", "u1")])
"""Insides of the strings that matter in a JSON body: (begin, end), 0 where there is none; rpc, extensions: that
it has such a member."""


@kernel
def key_word(text, at, end):
    """Up to eight bytes of a key, zero-padded."""
    value = load_le64(text, at)
    return value if end - at >= 8 else value & ((np.uint64(1) << np.uint64(8 * (end - at))) - np.uint64(1))


@kernel
def note_member(text, key, key_end, value, stop, spans):
    """Keep a member that matters: a string."""
    first, length = key_word(text, key, key_end), key_end - key
    inside = value + 1
    last = stop - 1 if stop - 1 > value and text[stop - 1] == QUOTE else stop
    if length == 5 and first == QUERY_KEY:
        spans["query"][0], spans["query"][1] = inside, last
    elif length == 6 and first == METHOD_KEY:
        spans["method"][0], spans["method"][1] = inside, last
    elif length == 7 and first == RPC_KEY:
        spans["rpc"] = 1
    elif length == 13 and first == NAME_KEY and key_word(text, key + 8, key_end) == NAME_KEY_REST:
        spans["name"][0], spans["name"][1] = inside, last


@kernel
def read_members(text, at, end, spans):
    """Look through the outermost object of a JSON body."""
    for k in range(2):
        spans["query"][k] = 0
        spans["name"][k] = 0
        spans["method"][k] = 0
    spans["rpc"] = 0
    spans["extensions"] = 0
    at = outermost(text, at, end)
    while 0 <= at < end:
        key, key_end, value, at = next_member(text, at, end)
        if key < 0:
            return
        if text[value] == QUOTE:
            note_member(text, key, key_end, value, at, spans)
        elif key_end - key == 10 and key_word(text, key, key_end) == EXTENSIONS:
            spans["extensions"] = key_word(text, key + 8, key_end) == EXTENSIONS_REST


@kernel
def put_name(text, begin, stop, arena, used, row):
    """Copy the operation's name to the arena; one that is too long, or has characters that no name has, is left out."""
    if stop - begin > NAME_LIMIT:
        return used
    for k in range(begin, stop):
        if not IN_NAME[text[k]]:
            return used
    copy(arena, used, text, begin, stop - begin)
    row["operation_at"] = used
    row["operation_len"] = stop - begin
    return used + stop - begin


@kernel
def read_graphql(text, at, end, names, name_at, name_len, arena, used, row, document):
    """Read a GraphQL document into a row: arena bytes used."""
    if not read_document(text, at, end, names, name_at, name_len, arena, used, document):
        return used
    row["operation_type"] = document["type"]
    row["graphql_depth"] = min(document["depth"], 65_535)
    row["graphql_aliases"] = min(document["aliases"], 65_535)
    row["root_fields_at"] = used
    row["root_fields_len"] = document["fields_len"]
    used += document["fields_len"]
    return put_name(text, document["name_at"], document["name_at"] + document["name_len"], arena, used, row)


@kernel
def read_json(text, at, end, scratch, arena, used, row, spans, document):
    """Read a JSON body into a row: arena bytes used."""
    read_members(text, at, end, spans)
    if spans["query"][1] > 0:
        stop = unescape(text, spans["query"][0], spans["query"][1], scratch, 0, TEXT_LIMIT)
        name_at, name_end = spans["name"][0], spans["name"][1]
        return read_graphql(scratch, np.int64(0), stop, text, name_at, name_end - name_at, arena, used, row, document)
    if spans["extensions"] and spans["name"][1] > 0:  # the document is known to the server: its kind is not told
        row["operation_type"] = PERSISTED
        return put_name(text, spans["name"][0], spans["name"][1], arena, used, row)
    if spans["rpc"] and spans["method"][1] > 0:
        row["operation_type"] = JSON_RPC
        return put_name(text, spans["method"][0], spans["method"][1], arena, used, row)
    return used


@kernel
def unquote(text, at, end, target, limit):
    """Copy a query parameter, its percent-encoding resolved, to target[:limit]: bytes of the copy."""
    to = np.int64(0)
    while at < end and to < limit:
        byte, length = url_byte(text, at, end)
        target[to] = 32 if text[at] == PLUS else byte
        at += length
        to += 1
    return to


@kernel
def read_url(arena, row, scratch, used, document):
    """Read a GraphQL document in the query string, as GET requests carry it: arena bytes used."""
    path_end = np.int64(row["path_at"]) + np.int64(row["path_len"])
    if row["path_len"] < 8 or load_le64(arena, path_end - 8) != GRAPHQL_ENDS:
        return used
    at = np.int64(row["query_at"])
    end = at + np.int64(row["query_len"])
    length, name, name_len = np.int64(0), np.int64(0), np.int64(0)
    while at < end:
        stop = at
        while stop < end and arena[stop] != AMPERSAND:
            stop += 1
        if stop - at > 6 and arena[at + 5] == EQUALS and key_word(arena, at, at + 5) == QUERY_KEY:
            length = unquote(arena, at + 6, stop, scratch, TEXT_LIMIT)
        elif stop - at > 14 and arena[at + 13] == EQUALS and key_word(arena, at, at + 8) == NAME_KEY:
            name, name_len = at + 14, stop - at - 14
        at = stop + 1
    if length == 0:
        return used
    return read_graphql(scratch, np.int64(0), length, arena, name, name_len, arena, used, row, document)


@kernel
def read_operations(rows, bodies, arena, used, scratch, spans, document):
    """Fill in the operation of rows[:], names written behind arena[:used]: bytes used then. spans, document: one of each."""
    for index in range(rows.shape[0]):
        row = rows[index]
        at = np.int64(row["request_body_at"])
        end = at + np.int64(row["request_body_len"])
        if at == end or row["request_coding"]:
            if row["query_len"] > 0:
                used = read_url(arena, row, scratch, used, document[0])
        elif row["request_media"] == M_JSON:
            used = read_json(bodies, at, end, scratch, arena, used, row, spans[0], document[0])
        elif row["request_media"] == M_GRAPHQL:
            used = read_graphql(bodies, at, end, bodies, 0, 0, arena, used, row, document[0])
        elif row["request_media"] == M_XML:
            begin, stop = soap_operation(bodies, at, end)
            if begin >= 0:
                row["operation_type"] = SOAP
                used = put_name(bodies, begin, stop, arena, used, row)
    return used


def find_operations(batch: Batch) -> Batch:
    """The batch with the operations of its requests filled in. Request bodies must be decoded."""
    rows = batch.rows
    candidates = int(((rows["request_body_len"] > 0) | (rows["query_len"] > 0)).sum())
    batch = batch.with_room(candidates * ROOM)
    scratch, spans, document = np.empty(TEXT_LIMIT + SLACK, np.uint8), np.zeros(1, SPANS), np.zeros(1, DOCUMENT)
    used = read_operations(rows, batch.bodies, batch.arena, batch.used, scratch, spans, document)
    return Batch(rows, batch.arena, int(used), batch.bodies, batch.bodies_used)
