"""Reassembly held against a plain model: the bytes that each side sent, whatever the segments did on their way."""

import numpy as np
import pytest
from helpers import CLIENT, SERVER, assert_streams_empty, examples, packet_of
from hypothesis import given
from hypothesis import strategies as st

from sensor.core.reasons import REASONS, named
from sensor.core.records import DELIVER_CLOSE, DELIVER_DATA, DELIVER_FIN, DELIVER_GAP, DELIVER_OPEN
from sensor.core.wide import SLACK, padded
from sensor.packets.decode import ACK, FIN, RST, SYN
from sensor.streams.life import CLOSE_CAPACITY, CLOSE_END, CLOSE_FIN, CLOSE_IDLE, CLOSE_RESET
from sensor.streams.reassemble import finish, reassemble
from sensor.streams.state import (
    FAR_LIMIT,
    IDLE_OPEN,
    IDLE_SILENT,
    PATIENCE_ACKED,
    PATIENCE_LOST,
    PATIENCE_SILENT,
    SWEEP_EVERY,
    WINDOW,
    StreamLimits,
    new_streams,
)

MILLISECOND, SECOND = 1_000_000, 1_000_000_000
START = 1_700_000_000 * SECOND


def segment(side, seq, payload=b"", flags=ACK, ack=0, ts=START, missing=0, client=CLIENT, server=SERVER, hash=7):  # noqa: A002
    """(PACKET[1], payload)"""
    ends = (client, server) if side == 0 else (server, client)
    packet = packet_of(
        *ends, seq=seq % 2**32, ack=ack % 2**32, flags=flags, ts=ts, length=len(payload), missing=missing, hash=hash
    )
    return packet, payload


class Streams:
    """A reassembler with all that it has delivered: (kind, side, payload or length, entry, close reason or start seen)."""

    def __init__(self, connections=8, held_bytes=1 << 18):
        self.counters = np.zeros(len(REASONS), np.uint64)
        self.state = new_streams(StreamLimits(connections, held_bytes), self.counters)
        self.told = []
        self._number = 0

    def take(self, segments, batch=5):
        """Segments in the order of arrival, a chunk for every few of them, which is overwritten afterwards."""
        for first in range(0, len(segments), batch):
            part = segments[first : first + batch]
            chunk = padded(b"".join(payload for _, payload in part))
            packets, at = np.concatenate([packet for packet, _ in part]), 0
            for index, (_, payload) in enumerate(part):
                packets[index]["at"] = at
                packets[index]["number"] = self._number
                self._number += 1
                at += len(payload)
            taken = 0
            while taken < len(part):
                taken = reassemble(self.state, packets, len(part), taken, chunk, chunk, 0, 1)
                self._collect(chunk)
            chunk[:] = 0xEE
        return self

    def finish(self, strict=True):
        done = False
        while not done:
            done = finish(self.state)
            self._collect(np.zeros(SLACK, np.uint8))
        assert_streams_empty(self.state)
        assert_well_formed(self.told, strict)
        return self

    def _collect(self, chunk):
        for row in self.state.deliveries[: self.state.control["deliveries"][0]]:
            kind, at, length = int(row["kind"]), int(row["at"]), int(row["length"])
            what = (
                (self.state.stored if row["stored"] else chunk)[at : at + length].tobytes() if kind == DELIVER_DATA else length
            )
            self.told.append((kind, int(row["direction"]), what, int(row["connection"]), int(row["flags"])))

    def side(self, side, entry=None):
        """[bytes or gap length, …] of one side, adjacent pieces joined."""
        joined = []
        for kind, whose, what, where, _ in self.told:
            if kind in (DELIVER_DATA, DELIVER_GAP) and whose == side and entry in (None, where):
                if joined and type(joined[-1]) is type(what):
                    joined[-1] += what
                else:
                    joined.append(what)
        return joined

    def kinds(self):
        return [kind for kind, *_ in self.told]

    def counted(self):
        return named(self.counters)


def assert_well_formed(told, strict=True):
    """OPEN, then bytes, gaps and at most one end a side, then CLOSE, for every entry; if strict, nothing behind a side's end (which is taken back where it proves false)."""
    ended = {}
    for kind, side, what, entry, _ in told:
        if kind == DELIVER_OPEN:
            assert entry not in ended
            ended[entry] = set()
        elif kind == DELIVER_CLOSE:
            del ended[entry]
        else:
            assert side not in ended[entry] or not strict, "told behind the end of its side"
            if kind == DELIVER_FIN:
                ended[entry].add(side)
            elif kind == DELIVER_DATA:
                assert what, "empty"
    assert not ended


# Conversations


@st.composite
def conversations(draw, longest=120):
    """(initial sequence numbers, [(side, bytes), …] in turn)."""
    near_wrap = st.integers(1, 400).map(lambda k: 2**32 - k)
    isns = draw(st.one_of(near_wrap, st.integers(0, 2**32 - 1))), draw(st.one_of(near_wrap, st.integers(0, 2**32 - 1)))
    messages = draw(st.lists(st.tuples(st.integers(0, 1), st.integers(1, longest)), min_size=1, max_size=8))
    counters = [0, 0]
    content = []
    for side, size in messages:
        # Bytes that tell where they stand.
        content.append(
            (side, bytes(k * 7 + (k >> 8) * 13 + side * 91 & 0xFF for k in range(counters[side], counters[side] + size)))
        )
        counters[side] += size
    return isns, content


def streams_of(content):
    return tuple(b"".join(payload for side, payload in content if side == which) for which in (0, 1))


@st.composite
def sent(draw, conversation, copies=True):
    """Segments of a conversation in the order of sending, as (side, offset, length, offset acknowledged)."""
    sizes = [0, 0]
    found = []
    whole = streams_of(conversation[1])
    for side, payload in conversation[1]:
        at, end = sizes[side], sizes[side] + len(payload)
        while at < end:
            length = draw(st.integers(1, min(40, end - at)))
            found.append((side, at, length, sizes[1 - side]))
            at += length
            if copies and draw(st.integers(0, 5)) == 0:  # again, cut in another way, and perhaps with what follows
                back = draw(st.integers(1, at))
                found.append((side, at - back, draw(st.integers(1, min(60, end - at + back))), sizes[1 - side]))
        sizes[side] = end
    assert sizes == [len(whole[0]), len(whole[1])]
    return found


def shuffled(draw, items, window):
    """Items in another order, none of them further than about `window` places from its own."""
    keys = [index + draw(st.integers(0, window)) for index in range(len(items))]
    return [items[index] for index in sorted(range(len(items)), key=lambda index: (keys[index], index))]


def handshake(isns, ts=START, **ends):
    return [
        segment(0, isns[0], flags=SYN, ts=ts, **ends),
        segment(1, isns[1], flags=SYN | ACK, ack=isns[0] + 1, ts=ts, **ends),
        segment(0, isns[0] + 1, ack=isns[1] + 1, ts=ts, **ends),
    ]


def on_the_wire(conversation, pieces, step=10_000, **ends):
    """Pieces as segments, a time step from one to the next."""
    isns, whole = conversation[0], streams_of(conversation[1])
    return [
        segment(
            side,
            isns[side] + 1 + at,
            whole[side][at : at + length],
            ack=isns[1 - side] + 1 + acked,
            ts=START + (k + 1) * step,
            **ends,
        )
        for k, (side, at, length, acked) in enumerate(pieces)
    ]


def fins(conversation, ts=START + SECOND // 10, **ends):
    isns, sizes = conversation[0], [len(part) for part in streams_of(conversation[1])]
    ends_at = [isns[side] + 1 + sizes[side] for side in (0, 1)]
    return [
        segment(0, ends_at[0], flags=FIN | ACK, ack=ends_at[1], ts=ts, **ends),
        segment(1, ends_at[1], flags=FIN | ACK, ack=ends_at[0] + 1, ts=ts, **ends),
        segment(0, ends_at[0] + 1, ack=ends_at[1] + 1, ts=ts, **ends),
    ]


@examples(300)
@given(conversations(), st.data(), st.sampled_from([0, 0, 1, 3, 8]))
def test_both_sides_arrive_whole_and_in_order(conversation, data, window):
    pieces = shuffled(data.draw, data.draw(sent(conversation)), window)
    streams = Streams().take(handshake(conversation[0]) + on_the_wire(conversation, pieces) + fins(conversation)).finish()
    whole = streams_of(conversation[1])
    assert [streams.side(side) for side in (0, 1)] == [[part] if part else [] for part in whole]
    assert streams.told[0][0] == DELIVER_OPEN and streams.told[0][4] == 1
    assert streams.kinds().count(DELIVER_FIN) == 2
    assert streams.told[-1][0] == DELIVER_CLOSE and streams.told[-1][4] == CLOSE_FIN


@examples(200)
@given(conversations(), st.data(), st.sampled_from([1, 3, 8]))
def test_a_message_comes_after_those_that_it_acknowledges(conversation, data, window):
    pieces = shuffled(data.draw, data.draw(sent(conversation, copies=False)), window)
    streams = Streams().take(handshake(conversation[0]) + on_the_wire(conversation, pieces)).finish()
    needs, sizes = [{}, {}], [0, 0]
    for side, payload in conversation[1]:
        for at in range(sizes[side], sizes[side] + len(payload)):
            needs[side][at] = sizes[1 - side]
        sizes[side] += len(payload)
    told = [0, 0]
    for kind, side, what, *_ in streams.told:
        if kind == DELIVER_DATA:
            assert told[1 - side] >= needs[side][told[side] + len(what) - 1]
            told[side] += len(what)
    assert told == sizes


@examples(300)
@given(conversations(), st.data(), st.sampled_from([0, 0, 2, 8]), st.booleans())
def test_lost_segments_leave_gaps_of_exactly_their_length(conversation, data, window, ending):
    pieces = data.draw(sent(conversation))
    kept = [piece for piece in pieces if data.draw(st.integers(0, 3))]
    whole = streams_of(conversation[1])
    covered = [np.zeros(len(part), bool) for part in whole]
    for side, at, length, _ in kept:
        covered[side][at : at + length] = True
    segments = handshake(conversation[0]) + on_the_wire(conversation, shuffled(data.draw, kept, window))
    streams = Streams().take(segments + (fins(conversation) if ending else [])).finish()
    for side in (0, 1):
        at, seen = 0, np.zeros(len(whole[side]), bool)
        for what in streams.side(side):
            if isinstance(what, bytes):
                assert what == whole[side][at : at + len(what)]
                seen[at : at + len(what)] = True
                at += len(what)
            else:
                at += what
        assert (seen == covered[side]).all(), "all that was seen is told, and nothing else"
        assert at <= len(whole[side])


@examples(300)
@given(conversations(), st.data(), st.sampled_from([30 * MILLISECOND, 300 * MILLISECOND, 3 * SECOND, 20 * SECOND]))
def test_what_is_told_after_waiting_in_vain_is_right_where_it_stands(conversation, data, step):
    """Slow traffic with losses: holes and causes are given up, and what comes later is too late."""
    pieces = shuffled(data.draw, [piece for piece in data.draw(sent(conversation)) if data.draw(st.integers(0, 3))], 6)
    streams = Streams().take(handshake(conversation[0]) + on_the_wire(conversation, pieces, step)).finish()
    whole = streams_of(conversation[1])
    at, lost = [0, 0], [False, False]
    for kind, side, what, *_ in streams.told:
        if kind == DELIVER_GAP:
            at[side] += what
            lost[side] = lost[side] or what == 0
        elif kind == DELIVER_DATA and lost[side]:
            assert what in whole[side]  # behind a gap of unknown length: somewhere
        elif kind == DELIVER_DATA:
            assert whole[side][at[side] : at[side] + len(what)] == what
            at[side] += len(what)


@given(conversations(), st.data())
def test_bytes_beyond_the_snap_length_are_a_gap(conversation, data):
    pieces = data.draw(sent(conversation, copies=False))
    isns, whole = conversation[0], streams_of(conversation[1])
    segments, expected = handshake(isns), [[], []]
    for k, (side, at, length, acked) in enumerate(pieces):
        present = data.draw(st.integers(0, length))
        payload = whole[side][at : at + present]
        segments.append(
            segment(side, isns[side] + 1 + at, payload, ack=isns[1 - side] + 1 + acked, ts=START + k, missing=length - present)
        )
        expected[side] += [payload] * bool(payload) + [length - present] * (present < length)
    order = [segments[:3], *([item] for item in segments[3:])]
    streams = Streams().take(sum(shuffled(data.draw, order[1:], data.draw(st.sampled_from([0, 4]))), order[0])).finish()
    for side in (0, 1):
        assert sum(len(what) if isinstance(what, bytes) else what for what in streams.side(side)) == len(whole[side])
        assert b"".join(what for what in streams.side(side) if isinstance(what, bytes)) == b"".join(
            what for what in expected[side] if isinstance(what, bytes)
        )


@examples(150)
@given(st.lists(conversations(longest=40), min_size=2, max_size=6), st.data())
def test_connections_with_colliding_hashes_do_not_mix(several, data):
    queues, ends = [], []
    for number, conversation in enumerate(several):
        who = {
            "client": (f"192.0.2.{number % 3}", 50_000 + number // 3),
            "hash": data.draw(st.sampled_from([0, 1, 15, 2**64 - 1])),
        }
        pieces = data.draw(sent(conversation))
        closing = fins(conversation, **who) if data.draw(st.booleans()) else []
        queues.append(handshake(conversation[0], **who) + on_the_wire(conversation, pieces, **who) + closing)
        ends.append(who)
    arrived = []
    while any(queues):
        arrived.append(data.draw(st.sampled_from([queue for queue in queues if queue])).pop(0))
    streams = Streams().take(arrived).finish()
    found = sorted(
        tuple(b"".join(streams.side(side, entry)) for side in (0, 1)) for entry in {entry for *_, entry, _ in streams.told}
    )
    assert found == sorted(streams_of(content) for _, content in several)
    assert streams.counted()["connections"] == len(several)


# Fixed cases


def opened(**options):
    return Streams(**options).take(handshake((999, 1999)))


def ask(at, payload, **more):
    return segment(0, 1000 + at, payload, ack=more.pop("ack", 2000), **more)


def reply(at, payload, **more):
    return segment(1, 2000 + at, payload, ack=more.pop("ack", 1000), **more)


def test_a_connection_joined_late_begins_with_what_is_seen():
    streams = Streams().take([ask(5, b"hello", ack=2500), reply(500, b"hi", ack=1010)]).finish()
    assert streams.told[0][4] == 0
    assert (streams.side(0), streams.side(1)) == ([b"hello"], [b"hi"])


def test_segments_without_payload_open_nothing():
    streams = Streams().take([ask(0, b""), segment(0, 5, flags=FIN | ACK), segment(0, 5, flags=RST)]).finish()
    assert streams.told == [] and streams.counted() == {"no_connection": 3}


def test_a_reset_closes_and_repetitions_do_not_open_anew():
    streams = opened().take([ask(0, b"abc"), segment(1, 2000, flags=RST | ACK, ack=1003), ask(0, b"abc")]).finish()
    assert streams.side(0) == [b"abc"] and streams.told[-1][4] == CLOSE_RESET
    assert streams.counted()["reset"] == 1


def test_a_connection_that_goes_on_after_a_reset_did_not_believe_it():
    streams = opened().take([ask(0, b"abc"), segment(1, 2000, flags=RST | ACK, ack=1003), ask(3, b"more")]).finish()
    assert streams.side(0) == [b"abcmore"] and streams.told[-1][4] == CLOSE_END
    assert streams.counted()["reset_ignored"] == 1


def test_a_made_up_end_before_the_handshake_is_forgotten():
    streams = Streams().take(
        [
            segment(0, 999, flags=SYN),
            segment(1, 0, flags=RST | ACK, ack=1000),
            segment(1, 0, flags=FIN | ACK, ack=1000),
            segment(1, 1999, flags=SYN | ACK, ack=1000),
            ask(0, b"request"),
            reply(0, b"answer", ack=1007),
        ]
    )
    assert streams.finish().side(0) == [b"request"] and streams.side(1) == [b"answer"]


def test_a_false_end_is_taken_back_when_bytes_behind_it_are_acknowledged():
    told = [ask(0, b"abc"), segment(0, 1003, flags=FIN | ACK), ask(3, b"more"), reply(0, b"", ack=1007), ask(7, b"!")]
    streams = opened().take(told).finish(strict=False)
    assert streams.side(0)[0] == b"abc" and streams.side(0)[-1].endswith(b"!")
    assert streams.counted()["false_fin"] == 1


def test_bytes_that_the_snap_length_cut_behind_an_end_are_not_told():
    streams = opened().take(
        [segment(0, 1000, b"abc", flags=FIN | ACK), segment(0, 2000, missing=50), ask(3, b"x", ts=START + 1)]
    )
    assert streams.finish(strict=False).side(0) == [b"abc"]


def test_numbers_half_of_their_space_apart_are_neither_ahead_nor_behind():
    """Held before the SYN that would place it; then the SYN puts it exactly 2**31 away."""
    streams = Streams().take([segment(0, 999, flags=SYN), segment(1, 5000, b"0123456789", flags=0)])
    streams.take([segment(1, 5000 + 2**31 - 1, flags=SYN | ACK, ack=1000)]).finish(strict=False)
    assert all(len(what) <= 10 for kind, _, what, *_ in streams.told if kind == DELIVER_DATA)


@pytest.mark.parametrize("early", [False, True])
def test_the_same_numbers_with_other_bytes_are_a_conflict_and_the_first_count(early):
    gap = 0 if early else -4
    told = [ask(4 + gap, b"first bytes"), ask(4 + gap, b"other bytes"), *([ask(0, b"head")] if early else [])]
    streams = opened().take(told).finish()
    assert streams.side(0) == [b"headfirst bytes" if early else b"first bytes"]
    assert streams.counted()["overlap_conflict"] == 1


def test_a_reset_far_outside_the_window_is_not_believed():
    streams = opened().take([segment(1, 2000 + WINDOW * 2, flags=RST), ask(0, b"abc")]).finish()
    assert streams.side(0) == [b"abc"] and streams.told[-1][4] == CLOSE_END


def test_keep_alive_probes_are_no_data():
    streams = opened().take([ask(0, b"abc"), ask(2, b"\0"), ask(3, b"d")]).finish()
    assert streams.side(0) == [b"abcd"]
    assert streams.counted()["keep_alive"] == 1


def test_a_reused_port_is_another_connection():
    again = [
        segment(0, 70_000, flags=SYN),
        segment(1, 80_000, flags=SYN | ACK, ack=70_001),
        segment(0, 70_001, b"new", ack=80_001),
    ]
    streams = opened().take([ask(0, b"old"), *again]).finish()
    assert streams.kinds().count(DELIVER_OPEN) == 2
    assert streams.side(0) == [b"oldnew"]


def test_a_repeated_syn_is_the_same_connection():
    streams = opened().take([segment(0, 999, flags=SYN), ask(0, b"abc"), segment(0, 999, flags=SYN)]).finish()
    assert streams.kinds().count(DELIVER_OPEN) == 1 and streams.side(0) == [b"abc"]


def test_data_on_the_syn_is_taken():
    streams = Streams().take([segment(0, 999, b"fast", flags=SYN), segment(0, 1004, b"open")]).finish()
    assert streams.side(0) == [b"fastopen"]


def test_segments_far_outside_the_window_are_dropped_until_they_come_in_a_row():
    far = [ask(2 * WINDOW + 3 * k, b"xyz") for k in range(FAR_LIMIT)]
    streams = opened().take([ask(0, b"abc"), *far[:-1], ask(3, b"def")]).finish()
    assert streams.side(0) == [b"abcdef"] and streams.counted()["out_of_window"] == FAR_LIMIT - 1
    streams = opened().take([ask(0, b"abc"), *far]).finish()
    assert streams.side(0) == [b"abc", 0, b"xyz"]


@pytest.mark.parametrize(("acked", "patience"), [(True, PATIENCE_ACKED), (False, PATIENCE_LOST)])
def test_a_hole_is_given_up_after_its_time_and_not_before(acked, patience):
    behind = [ask(10, b"behind")] + ([reply(0, b"", ack=1016)] if acked else [])
    early, late = opened().take(behind), opened().take(behind)
    early.take([ask(16, b"!", ts=START + patience - MILLISECOND)])
    late.take([ask(16, b"!", ts=START + patience + MILLISECOND)])
    assert early.side(0) == []
    assert late.side(0) == [10, b"behind!"]


def test_a_reply_waits_for_its_request_but_not_for_ever():
    answer = reply(0, b"answer", ack=1007)
    in_time = opened().take([answer, ask(0, b"request")]).finish()
    assert [side for kind, side, *_ in in_time.told if kind == DELIVER_DATA] == [0, 1]
    never = opened().take([answer, reply(6, b"!", ack=1007, ts=START + PATIENCE_SILENT + MILLISECOND)])
    assert never.side(1) == [b"answer!"] and never.side(0) == []


def test_a_repetition_is_not_told_again_once_waiting_for_what_follows_it_is_over():
    waiting = ask(0, b"next", ack=2020)  # acknowledges ten bytes that were never seen
    streams = opened().take(
        [reply(0, b"old answer"), waiting, ask(4, b"!", ack=2020, ts=START + PATIENCE_SILENT + MILLISECOND)]
    )
    streams.take([reply(0, b"old answer", ts=START + 3 * SECOND)])
    assert streams.side(0) == [b"next!"]
    assert streams.side(1) == [b"old answer"]


def test_data_behind_the_end_of_a_side_is_not_told():
    streams = opened().take([segment(0, 1000, b"abc", flags=FIN | ACK), ask(3, b"fake"), ask(4, b"fake")]).finish()
    assert streams.kinds()[1:3] == [DELIVER_DATA, DELIVER_FIN]
    assert streams.side(0) == [b"abc"]


def test_idle_connections_are_closed_by_a_sweep():
    streams = opened().take([ask(0, b"abc")])
    streams.take(handshake((5, 6), client=("192.0.2.99", 1), ts=START + IDLE_OPEN + SECOND))
    assert (DELIVER_CLOSE, CLOSE_IDLE) in [(kind, flags) for kind, *_, flags in streams.told]
    assert streams.counted()["evicted_idle"] == 1
    streams.take(handshake((5, 6), client=("192.0.2.98", 1), ts=START + IDLE_OPEN + IDLE_SILENT + 2 * SWEEP_EVERY))
    assert streams.counted()["evicted_idle"] == 2


@pytest.mark.parametrize("count", [5, 40])
def test_a_full_table_evicts_and_counts(count):
    streams = Streams(connections=4)
    for k in range(count):
        who = {"client": (f"192.0.2.{k}", 1000), "hash": k, "ts": START + k * MILLISECOND}
        streams.take([*handshake((999, 1999), **who), ask(0, b"abc", **who), ask(10, b"held", **who)])
    streams.finish()
    assert streams.counted()["evicted_capacity"] == count - 4
    assert [flags for kind, *_, flags in streams.told if kind == DELIVER_CLOSE] == [CLOSE_CAPACITY] * (count - 4) + [
        CLOSE_END
    ] * 4
    assert streams.kinds().count(DELIVER_OPEN) == count
    assert [what for kind, _, what, *_ in streams.told if kind == DELIVER_DATA and what == b"held"] == [b"held"] * count


def test_more_holes_than_may_be_kept_are_given_up_and_counted():
    """Every other byte, and never the first."""
    segments = [ask(1 + 2 * k, bytes([k & 0xFF]), ts=START + k) for k in range(2000)]
    streams = opened(held_bytes=1 << 20).take(segments, 500).finish()
    assert streams.side(0) == [item for k in range(2000) for item in (1, bytes([k & 0xFF]))]
    assert streams.counted()["ooo_overflow"] > 0


def test_a_store_that_is_full_gives_up_holes_and_counts():
    segments = [ask(1000 + 1400 * k, bytes([k & 0xFF]) * 1400, ts=START + k) for k in range(200)]
    streams = opened(held_bytes=1 << 16).take(segments, 50).finish()
    assert streams.side(0) == [1000, b"".join(bytes([k]) * 1400 for k in range(200))]
    assert streams.counted()["ooo_overflow"] > 0


def test_the_segment_that_finds_the_store_full_is_told_too():
    """Segments 2, 4, 6, … are held; then 1, 3, 5, … come behind the very first hole, one after the other."""
    size, count = 512, 128
    held = [ask(1000 + size * 2 * k, b"e" * size, ts=START + k) for k in range(count)]
    between = [ask(1000 + size * (2 * k + 1), b"o" * size, ts=START + count + k) for k in range(count)]
    streams = opened(held_bytes=count * size).take(held + between, 50).finish()
    assert streams.side(0) == [1000, (b"e" * size + b"o" * size) * count]


@examples(100)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 1),
            st.integers(0, 3),
            st.integers(0, 63),
            st.integers(0, 2**32 - 1),
            st.integers(0, 2**32 - 1),
            st.binary(max_size=30),
            st.integers(0, 40),
            st.integers(0, 4 * SECOND),
        ),
        max_size=60,
    )
)
def test_no_sequence_of_segments_leaves_anything_behind(arrivals):
    """Any flags, any numbers near each other or not: deliveries are well formed, and all that was taken is given back."""
    streams, ts = Streams(connections=2), START
    for side, who, flags, seq, ack, payload, missing, pause in arrivals:
        ts += pause
        near = seq % 200 if seq & 1 else seq
        streams.take(
            [segment(side, near, payload, flags, ack % 200 if ack & 1 else ack, ts, missing, (f"192.0.2.{who}", 1000))]
        )
    streams.finish(strict=False)
