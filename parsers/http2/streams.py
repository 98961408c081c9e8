"""The transactions of one connection by their stream."""

import numpy as np

from parsers.http2.state import BUCKETS
from sensor.core.jit import inlined, kernel
from sensor.core.records import CUT, REQUEST_CUT


@inlined
def bucket_of(slot, stream):
    """Place of a stream's bucket. Numbers go up by two, odd ones from the client, even ones from the server."""
    return slot * BUCKETS + ((np.int64(stream) >> 1) & (BUCKETS - 1))


@inlined
def find_stream(http, slot, stream):
    """The transaction of a stream, -1 when there is none."""
    index = np.int64(http.http2.buckets[bucket_of(slot, stream)])
    while index >= 0 and http.pending[index]["stream"] != stream:
        index = np.int64(http.pending[index]["bucket"])
    return index


@kernel
def remember_stream(http, slot, stream, index):
    """Give a transaction its stream."""
    place = bucket_of(slot, stream)
    http.pending[index]["stream"] = stream
    http.pending[index]["bucket"] = http.http2.buckets[place]
    http.http2.buckets[place] = index


@kernel
def forget_stream(http, entry, index):
    """Take a transaction from its bucket and from frames that are still coming in; what it lacks is marked."""
    slot = np.int64(http.connections[entry]["slot"])
    pending = http.pending[index]
    if not pending["sent"]:
        pending["completeness"] |= REQUEST_CUT
    if not pending["answered"] and pending["reply_ts"] >= 0:
        pending["completeness"] |= CUT
    if slot < 0:
        return
    for side in range(2):
        if http.http2.sides[2 * slot + side]["pending"] == index:
            http.http2.sides[2 * slot + side]["pending"] = -1
    place = bucket_of(slot, pending["stream"])
    at = np.int64(http.http2.buckets[place])
    if at == index:
        http.http2.buckets[place] = pending["bucket"]
        return
    while at >= 0:
        following = np.int64(http.pending[at]["bucket"])
        if following == index:
            http.pending[at]["bucket"] = pending["bucket"]
            return
        at = following
