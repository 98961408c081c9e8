"""Dynamic table of one direction (RFC 7541 2.3.2 and 4), as far as its insertions were seen.

References count from the newest insertion, so a window of those that were seen answers exactly, and a reference past it is
unknown. Nothing is ever resolved to another entry's value.
"""

import numpy as np

from parsers.http.text import copy_short
from parsers.http2.state import ENTRY_OVERHEAD, LARGE_TABLE, TABLE_SIZE, UNKNOWN, places_of
from sensor.core.jit import inlined, kernel
from sensor.core.records import TRUNCATED
from sensor.core.wide import OVERWRITTEN, copy, copy_wide

STATIC_LENGTH = 61
NOWHERE, INVALID = -1, -2
SMALL_PLACES, LARGE_PLACES = places_of(TABLE_SIZE), places_of(LARGE_TABLE)


@kernel
def give_back_ring(http2, table):
    """Free the large ring of a table."""
    if table["large"] >= 0:
        http2.large[table["large"]] = http2.control[1]
        http2.control[1] = table["large"]
        table["large"] = -1


@kernel
def new_table(http2, index, missed):
    """Make a table as new. missed: why earlier insertions were not seen, 0 when there were none."""
    table = http2.tables[index]
    give_back_ring(http2, table)
    table["ring"] = index * TABLE_SIZE
    table["room"] = TABLE_SIZE
    table["entries"] = index * SMALL_PLACES
    table["places"] = SMALL_PLACES
    table["inserted"] = 0
    table["begin"] = 0
    table["limit"] = -1 if missed else TABLE_SIZE
    table["missed"] = missed
    empty(table)


@kernel
def empty(table):
    """Forget all entries; references to them are references to nothing."""
    table["count"] = 0
    table["bytes"] = 0
    table["size"] = 0


@kernel
def forget(table, missed):
    """Insertions were lost: all that is older is unknown from here on."""
    empty(table)
    table["missed"] |= missed


@inlined
def entry_at(table, age):
    """Place in `entries` of the entry that is `age` insertions older than the newest."""
    return table["entries"] + ((table["inserted"] - 1 - age) & (table["places"] - 1))


@kernel
def stored_bytes(entry):
    """Bytes of an entry in its ring."""
    return np.int64(0) if entry["name"] == UNKNOWN else np.int64(entry["name"]) + np.int64(entry["value"])


@kernel
def drop_oldest(http2, table):
    """Evict one entry."""
    stored = stored_bytes(http2.entries[entry_at(table, table["count"] - 1)])
    table["count"] -= 1
    table["bytes"] -= stored
    table["size"] -= stored + ENTRY_OVERHEAD


@kernel
def grow(http2, table):
    """Move a table to a large ring, if one is free."""
    number = np.int64(http2.control[1])
    if table["large"] >= 0 or number < 0:
        return
    http2.control[1] = http2.large[number]
    ring = http2.tables.shape[0] * TABLE_SIZE + number * LARGE_TABLE
    entries = http2.tables.shape[0] * SMALL_PLACES + number * LARGE_PLACES
    to = np.int64(0)
    for age in range(table["count"] - 1, -1, -1):
        old = http2.entries[entry_at(table, np.int64(age))]
        new = http2.entries[entries + ((table["inserted"] - 1 - age) & (LARGE_PLACES - 1))]
        size = stored_bytes(old)
        new["at"] = to
        new["label"] = old["label"]
        new["name"] = old["name"]
        new["value"] = old["value"]
        read_ring(http2.rings, table["ring"], table["room"], np.int64(old["at"]), size, http2.rings, ring + to)
        to += size
    table["ring"] = ring
    table["room"] = LARGE_TABLE
    table["entries"] = entries
    table["places"] = LARGE_PLACES
    table["large"] = number
    table["begin"] = to


@kernel
def set_limit(http2, table, limit):
    """The encoder changed the maximum size (RFC 7541 6.3)."""
    table["limit"] = limit
    while table["count"] > 0 and table["size"] > limit:
        drop_oldest(http2, table)
    if limit > table["room"]:
        grow(http2, table)


@inlined
def read_ring(rings, ring, room, at, length, target, to):
    """Copy `length` bytes of a ring, from place `at` on, to target[to:]. Up to OVERWRITTEN bytes behind it change."""
    first = min(length, room - at)
    copy_wide(target, to, rings, ring + at, first)
    if first < length:
        copy_wide(target, to + first, rings, ring, length - first)


@inlined
def write_ring(http2, table, at, length):
    """Append fields[at : at + length] to a table's ring."""
    begin, room = table["begin"], table["room"]
    if max(begin, table["bytes"]) + length + OVERWRITTEN <= room:  # what lies behind it is free, and of this ring
        copy_short(http2.rings, table["ring"] + begin, http2.fields, at, length)
    else:
        first = min(length, room - begin)
        copy(http2.rings, table["ring"] + begin, http2.fields, at, first)
        copy(http2.rings, table["ring"], http2.fields, at + first, length - first)
    table["begin"] = (begin + length) & (room - 1)


@kernel
def insert(http2, table, at, label, name, value):
    """Insert an entry (RFC 7541 4.4) whose name and value lie side by side in fields[at:]. name UNKNOWN: a placeholder."""
    known = name != UNKNOWN
    length = name + value if known else np.int64(0)
    size = (length if known else value) + ENTRY_OVERHEAD
    limit = table["limit"]
    if size > (limit if limit >= 0 else TABLE_SIZE):
        # Too large to be inserted: it empties the table. Where the limit is not known it may have been inserted, which
        # makes no difference to what is inserted later.
        empty(table)
        return
    if length > table["room"]:  # no large ring was free
        known, length = False, np.int64(0)
    while table["count"] > 0 and limit >= 0 and table["size"] + size > limit:
        drop_oldest(http2, table)
    while table["count"] > 0 and (table["bytes"] + length > table["room"] or table["count"] == table["places"]):
        table["missed"] |= TRUNCATED
        drop_oldest(http2, table)
    table["inserted"] += 1
    table["count"] += 1
    entry = http2.entries[entry_at(table, np.int64(0))]
    entry["at"] = table["begin"]
    entry["label"] = label
    entry["name"] = name if known else UNKNOWN
    entry["value"] = value if known else 0
    write_ring(http2, table, at, length)
    table["bytes"] += length
    table["size"] += length + ENTRY_OVERHEAD


@inlined
def find_entry(table, index):
    """Place of the entry with a dynamic index: NOWHERE when it was not seen, INVALID when there is none."""
    age = index - STATIC_LENGTH - 1
    if age < table["count"]:
        return entry_at(table, age)
    return np.int64(NOWHERE if table["missed"] else INVALID)


@inlined
def read_entry(http2, table, entry, with_value, to):
    """Copy an entry's name, and its value behind it, to fields[to:]."""
    length = np.int64(entry["name"]) + (np.int64(entry["value"]) if with_value else 0)
    read_ring(http2.rings, table["ring"], table["room"], np.int64(entry["at"]), length, http2.fields, to)
