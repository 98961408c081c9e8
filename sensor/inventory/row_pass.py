"""The pass of a batch through the inventory: endpoint, values and redaction of every row."""

import numpy as np

from sensor.core.hashing import U, hash_bytes, siphash, siphash_word
from sensor.core.jit import kernel
from sensor.core.records import AUTH, MEDIA, SENSITIVE_OF_ROW
from sensor.core.wide import copy
from sensor.inventory.body_leaves import ROOM_PER_VALUE
from sensor.inventory.body_values import read_body_values
from sensor.inventory.endpoints import find_endpoint
from sensor.inventory.learned import NEXT_ENDPOINTS, NEXT_SEEN, SEEN, name_hash_at, place_hash, watch
from sensor.inventory.lexical import SLUG
from sensor.inventory.operations import copy_procedure, is_grpc, resolve_persisted, write_operation
from sensor.inventory.profile import profile_row, transactions_meant
from sensor.inventory.redaction import has_secret_word, is_plain_url, redact_path, redact_query, redact_url, redact_words
from sensor.inventory.secrets import NAME_LIMIT
from sensor.inventory.shapes import NO_SHAPE, json_shape, vote
from sensor.inventory.targets import CLASS_LENGTHS, CLASS_TEXTS, read_query, write_template
from sensor.inventory.values import VALUES_OF_BODY

SHAPED = 16
"""JSON answers of an endpoint whose shape is looked at."""
SLUG_BYTES = CLASS_LENGTHS[SLUG]
SERVED_FROM, SERVED_TO = 200, 300
OPEN_AT_MOST = 0.1
"""Share of answers with 2xx that went to who bore no credential, up to which an endpoint asks for one."""
M_JSON = MEDIA["json"]
A_API_KEY = AUTH["api_key"]


@kernel
def ends_learned(arena, template, length):
    """Whether a template ends with a word that was learned to be a value, and not with what the operator calls one."""
    for k in range(SLUG_BYTES):
        if length < SLUG_BYTES or arena[template + length - SLUG_BYTES + k] != CLASS_TEXTS[SLUG * 16 + k]:
            return False
    return True


@kernel
def watch_word(learned, host, arena, template, length, value, row, bodies, stack):
    """A path ends with a word that is taken for a value: count it, and look at the shape of its answers."""
    if value["kind"] != SLUG or not SERVED_FROM <= row["status"] < SERVED_TO or not ends_learned(arena, template, length):
        return
    at, size = np.int64(value["at"]), np.int64(value["len"])
    if at + size != np.int64(row["path_at"]) + np.int64(row["path_len"]):
        return
    place = place_hash(host, arena, template, length - SLUG_BYTES)
    group, way = watch(learned, place, name_hash_at(place, arena, at, size), arena, at, size)
    note_shape(learned.watched[group, way], row, bodies, stack)


@kernel
def note_shape(counts, row, bodies, stack):
    """Look at the shape of a JSON answer that is whole and not encoded."""
    if row["response_body_len"] == 0:
        return
    if counts["shaped"] >= SHAPED or row["response_media"] != M_JSON or row["response_coding"] != 0 or row["response_partial"]:
        return
    if not SERVED_FROM <= row["status"] < SERVED_TO:
        return
    counts["shaped"] += np.uint8(1)
    at = np.int64(row["response_body_at"])
    shape = json_shape(bodies, at, at + np.int64(row["response_body_len"]), stack)
    if shape != NO_SHAPE:
        vote(counts, shape)


@kernel
def place_template(table, place, arena, template, template_len, used, batch):
    """Where the endpoint's template stands in this batch's arena, and its length: one copy a batch serves all its rows."""
    entry = table.rows[place]
    if place > 0 and entry["batch"] == batch:
        return np.int64(entry["copied_at"]), np.int64(entry["copied_len"]), used
    copy(arena, used, arena, template, template_len)
    entry["batch"] = batch
    entry["copied_at"] = used
    entry["copied_len"] = template_len
    return used, template_len, used + template_len


@kernel
def needs_credential(counts):
    """Whether an endpoint hardly ever serves who bears none: elsewhere a key is but a header that anybody can write."""
    return np.float64(counts["open"]) <= OPEN_AT_MOST * np.float64(counts["classes"][2])


@kernel
def key_secrets(values, first, count, key0, key1):
    """Hashes of sensitive values depend on the key: whoever finds them in a checkpoint cannot try what they are."""
    for k in range(first, count):
        if values[k]["secret"] or values[k]["exposed"]:
            values[k]["hash"] = siphash_word(values[k]["hash"], key0, key1)


@kernel
def note_sensitive(row, values, first, count):
    """Keep classes and keyed hashes of a row's first sensitive values, each once, whose hashes are keyed already."""
    kept = 0
    for k in range(first, count):
        value = values[k]
        kind = value["secret"] if value["secret"] else value["exposed"]
        if kind == 0 or value["len"] == 0:
            continue
        known = False
        for n in range(kept):
            known |= row["sensitive_hash"][n] == value["hash"]
        if not known:
            row["sensitive_class"][kept] = kind
            row["sensitive_hash"][kept] = value["hash"]
            kept += 1
            if kept == SENSITIVE_OF_ROW:
                break
    row["sensitive"] = kept


@kernel
def redacted_words(arena, at, length, used):
    """Where a text of words stands without its secrets, its length, and the bytes of the arena in use."""
    end = np.int64(at) + np.int64(length)
    if not has_secret_word(arena, np.int64(at), end):
        return np.int64(at), np.int64(length), used
    to = redact_words(arena, np.int64(at), end, used)
    return used, to - used, to


@kernel
def redact_texts(arena, row, used):
    """Replace secrets among the words of what clients write as they like: bytes of the arena in use."""
    at, length, used = redacted_words(arena, row["user_agent_at"], row["user_agent_len"], used)
    row["user_agent_at"], row["user_agent_len"] = at, length
    at, length, used = redacted_words(arena, row["forwarded_for_at"], row["forwarded_for_len"], used)
    row["forwarded_for_at"], row["forwarded_for_len"] = at, length
    return used


@kernel
def analyse_rows(table, patterns, rows, first_row, arena, used, scratch, bodies, stack, lengths, key0, key1, values, count):
    """Fill in endpoint and template of rows[first_row:], profile them, and replace secrets.

    Returns (the row at which it is time to learn, or their number; bytes used; number of values). arena: has room behind
    `used` for the worst case; scratch: offset behind that, room for one template; bodies: samples; stack and lengths: as
    json_shape and read_json_values want.
    """
    learned = table.learned
    batch = np.uint32(table.control[1])
    for index in range(first_row, rows.shape[0]):
        if learned.control[SEEN] >= learned.control[NEXT_SEEN] or table.control[0] >= learned.control[NEXT_ENDPOINTS]:
            return index, used, count
        learned.control[SEEN] += 1
        row = rows[index]
        host = hash_bytes(arena, np.int64(row["host_at"]), np.int64(row["host_len"]), U(1))
        at, end = np.int64(row["path_at"]), np.int64(row["path_at"]) + np.int64(row["path_len"])
        first = count
        length, count, secret_path = write_template(arena, at, end, scratch, index, values, count, learned, host, patterns)
        last = values[max(count, 1) - 1]
        if not secret_path and is_grpc(arena, row):
            length, count, secret_path = copy_procedure(arena, at, end, scratch), first, False
        elif row["operation_type"]:
            resolve_persisted(table.documents, host, arena, row)
            length += write_operation(arena, row, scratch + length)
        query, query_end = np.int64(row["query_at"]), np.int64(row["query_at"]) + np.int64(row["query_len"])
        count, secret_query, key = read_query(arena, query, query_end, index, values, count)
        if key >= 0 and row["auth"] == 0:
            row["auth"] = A_API_KEY
            row["credential"] = siphash(arena, np.int64(values[key]["at"]), np.int64(values[key]["len"]), key0, key1)
        count, used = read_body_values(bodies, row, index, values, count, arena, used, scratch + length, lengths)
        key_secrets(values, first, count, key0, key1)
        note_sensitive(row, values, first, count)
        if row["method_len"] == 0 or row["path_len"] == 0:
            count = first  # a request of which too little was seen belongs to no endpoint
            row["endpoint"] = 0
            row["looked"] = 0
        else:
            place = find_endpoint(table, arena, row, scratch, length)
            row["endpoint"] = place
            row["template_at"], row["template_len"], used = place_template(table, place, arena, scratch, length, used, batch)
            profile_row(table.profiles, place, arena, row)
            row["looked"] = transactions_meant(table.profiles.counts[place], row["status"])
            row["served"] = table.profiles.counts[place]["served"]
            row["proven"] = row["credential"] != U(0) and needs_credential(table.profiles.counts[place])
            note_shape(table.profiles.counts[place], row, bodies, stack)
            if count > first:
                watch_word(learned, host, arena, scratch, length, last, row, bodies, stack)
        if secret_path:
            to = redact_path(arena, at, end, used)
            row["path_at"], row["path_len"], used = used, to - used, to
        if secret_query:
            to = redact_query(arena, query, query_end, used)
            row["query_at"], row["query_len"], used = used, to - used, to
        if row["referer_len"] > 0:
            referer = np.int64(row["referer_at"])
            referer_end = referer + np.int64(row["referer_len"])
            if not is_plain_url(arena, referer, referer_end):
                to = redact_url(arena, referer, referer_end, used)
                row["referer_at"], row["referer_len"], used = used, to - used, to
        used = redact_texts(arena, row, used)
    return np.int64(rows.shape[0]), used, count


def body_room(rows: np.ndarray) -> int:
    """Bytes of the arena that the values of the rows' bodies may take: names in full, before each value."""
    per_row = np.minimum(rows["request_body_len"].astype(np.int64) * NAME_LIMIT, VALUES_OF_BODY * ROOM_PER_VALUE)
    return int(per_row.sum())
