"""A bounded sample of each body: its first bytes, kept in a chain while the transaction waits, handed on with its row.

Only bodies of media types that somebody reads are sampled. What is kept is never stored by the sensor: the analysers take
from it what they look for, and it is gone.
"""

import numpy as np

from parsers.http.media import M_TEXT, NO_MEDIA, is_page, media_of
from parsers.http.state import BODIES
from sensor.core.chain import FULL, NONE, extend, read_short_chain, release_chain
from sensor.core.hashing import U
from sensor.core.jit import inlined, kernel
from sensor.core.reasons import REASON

R_DROPPED = REASON["body_dropped"]
ERROR_FROM = 400
"""Status from which on a page is sampled."""
ROOM = 1 << 20
"""Room for samples without which no delivery is taken; one that completes more than that loses samples."""


@kernel
def clear_choice(pending, way):
    """Nothing is known of a body."""
    pending["samples"][way] = 0
    pending["media"][way] = NO_MEDIA
    pending["coding"][way] = 0
    pending["partial"][way] = 0


@kernel
def clear_bodies(pending):
    """No sample of either body."""
    for way in range(2):
        clear_choice(pending, way)
        pending["body_block"][way] = NONE
        pending["body_last"][way] = NONE
        pending["body_used"][way] = 0


@kernel
def choose_body(http, pending, way, buffer, message):
    """A head was read: whether the body behind it is sampled. way: 0 to the server."""
    at, length = message["type_at"], message["type_len"]
    media = media_of(buffer, at, length)
    if media == NO_MEDIA and way == 1 and message["status"] >= ERROR_FROM and is_page(buffer, at, length):
        media = np.int64(M_TEXT)  # it may show program text
    pending["media"][way] = media
    pending["coding"][way] = message["coding"]
    pending["samples"][way] = pending["media"][way] != NO_MEDIA and http.control[0]["body_limit"][way] > 0


@kernel
def stop_body(pending, way):
    """No more of a body is kept: bytes of it were lost, or there are enough."""
    pending["partial"][way] = 1
    pending["samples"][way] = 0


@kernel
def forget_body(http, pending, way):
    """Give a sample's blocks back."""
    release_chain(http.bodies, np.int64(pending["body_block"][way]))
    pending["body_block"][way] = NONE
    pending["body_last"][way] = NONE
    pending["body_used"][way] = 0


@kernel
def drop_body(http, pending, way):
    """Forget a sample for want of room."""
    http.counters[R_DROPPED] += U(1)
    forget_body(http, pending, way)
    stop_body(pending, way)


@inlined
def keep_body(http, pending, way, buffer, at, end):
    """Body bytes, in order."""
    if not pending["samples"][way] or at >= end:
        return
    used = np.int64(pending["body_used"][way])
    size = min(end - at, np.int64(http.control[0]["body_limit"][way]) - used)
    first, last = extend(http.bodies, np.int64(pending["body_last"][way]), used, buffer, at, size)
    if first == FULL:
        drop_body(http, pending, way)
        return
    if used == 0:
        pending["body_block"][way] = first
    pending["body_last"][way] = last
    pending["body_used"][way] = used + size
    if size < end - at:
        stop_body(pending, way)


@inlined
def hand_over(http, pending, way):
    """Copy a sample to the output: (offset, bytes)."""
    control, length = http.control[0], np.int64(pending["body_used"][way])
    if length == 0:
        return np.int64(0), np.int64(0)
    at = np.int64(control["bodies"])
    if at + length > BODIES:
        http.counters[R_DROPPED] += U(1)
        pending["partial"][way] = 1
        return np.int64(0), np.int64(0)
    read_short_chain(http.bodies, np.int64(pending["body_block"][way]), length, http.samples, at)
    control["bodies"] = at + length
    return at, length


@kernel
def write_bodies(http, pending, row):
    """The samples of a transaction into its row."""
    row["request_media"] = pending["media"][0]
    row["response_media"] = pending["media"][1]
    row["request_coding"] = pending["coding"][0]
    row["response_coding"] = pending["coding"][1]
    row["request_body_at"], row["request_body_len"] = hand_over(http, pending, 0)
    row["response_body_at"], row["response_body_len"] = hand_over(http, pending, 1)
    row["request_partial"] = pending["partial"][0]
    row["response_partial"] = pending["partial"][1]


@kernel
def release_bodies(http, pending):
    """Give the samples' blocks back."""
    for way in range(2):
        if pending["body_used"][way] > 0:
            forget_body(http, pending, way)
