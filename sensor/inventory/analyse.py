"""The inventory: endpoints of all traffic, what is known of them, and the pass of a batch through it."""

from collections.abc import Callable

import numpy as np

from sensor.core.reasons import REASON
from sensor.core.records import AUTH_KINDS, FACTS, MEDIA, Batch, names_of
from sensor.core.wide import SLACK
from sensor.inventory.body_leaves import ROOM_PER_VALUE
from sensor.inventory.body_values import DEPTH as BODY_DEPTH
from sensor.inventory.body_values import read_answers, read_texts
from sensor.inventory.claims import ClaimReader
from sensor.inventory.documents import Documents
from sensor.inventory.endpoints import CAPACITY, TEXT_LIMIT, Endpoints, endpoint_text, new_endpoints
from sensor.inventory.flows import Flows
from sensor.inventory.header_values import read_fields
from sensor.inventory.learned import SEEN
from sensor.inventory.merging import TemplateChange, learn_templates
from sensor.inventory.operations import OPERATION_LIMIT
from sensor.inventory.parameters import describe, note_parameters
from sensor.inventory.patterns import Patterns, join_hosts, new_patterns, room_of_hosts
from sensor.inventory.profile import LATENCY, REQUEST, RESPONSE
from sensor.inventory.profile_figures import distinct_clients, media_types, quantile, statuses
from sensor.inventory.proxies import networks_of, resolve_clients
from sensor.inventory.refusals import Refusals
from sensor.inventory.row_pass import SERVED_FROM, analyse_rows, body_room, key_secrets
from sensor.inventory.schema_rows import SchemaRows
from sensor.inventory.schemas import learn_schemas
from sensor.inventory.secrets import NAME_LIMIT
from sensor.inventory.shapes import DEPTH
from sensor.inventory.targets import TEMPLATE_LIMIT
from sensor.inventory.texts import LONGEST as LONGEST_TEXT
from sensor.inventory.texts import sign_texts
from sensor.inventory.traces import find_traces
from sensor.inventory.values import VALUE, VALUES_PER_ROW

AGAIN = 1.1
"""Transactions by which there must be more before paths are learned from again, when endpoints are asked for."""
ANSWERED = 8_192
"""Values of responses that are looked at together."""
REDIRECTED_TO = 400
TEXT_MEDIA = (MEDIA["text"], MEDIA["xml"])
OVERFLOWS = REASON["endpoint_overflow"], REASON["parameter_overflow"]
TARGETS = ("path", "query", "referer", "user_agent", "forwarded_for")


class Inventory:
    """Endpoints of all traffic so far."""

    def __init__(self, key: tuple[int, int], flows: dict[str, str] | None = None, trusted: tuple[str, ...] = (),
                 protocol: tuple[str, ...] = (), standard: bool = False, patterns: Patterns | None = None,
                 documents: Documents | None = None):  # fmt: skip
        self.table: Endpoints = new_endpoints()
        self.changes: list[TemplateChange] = []
        """what was learned, oldest first; the first CHANGES alone are kept"""
        self.flows = Flows(flows)
        self._refusals = Refusals()
        self._claims = ClaimReader(CAPACITY)
        self._schema_rows = SchemaRows(self.table)
        self._proxies, self._speakers = networks_of(trusted), networks_of(protocol)
        self._standard, self._groups = standard, np.zeros(8, np.int64)
        self._key = np.uint64(key[0]), np.uint64(key[1])
        self._learned_at, self._refused_before = 0, np.zeros(2, np.uint64)
        self._told: dict[int, tuple[int, tuple[str, str, str]]] = {}
        self._told_counts = np.zeros(CAPACITY, np.uint64)
        self._hot_before = np.zeros(CAPACITY, np.uint64)
        self._patterns, self._documents = patterns or new_patterns(), documents or Documents()
        self._stack = np.zeros(DEPTH, np.uint64)
        self._lengths = np.zeros(BODY_DEPTH, np.int64)
        self._answers = np.empty(ANSWERED, VALUE)
        self._answer_text = np.empty(ANSWERED * ROOM_PER_VALUE + NAME_LIMIT + SLACK, np.uint8)
        self._told_seen = np.zeros(len(self.table.parameters.rows), np.uint64)
        self._text, self._counts = np.zeros(LONGEST_TEXT + SLACK, np.uint8), np.zeros(64, np.int64)
        self._arena = np.empty(0, np.uint8)
        self._values = np.empty(0, VALUE)

    def learn(self, now: int) -> None:
        """See which words of paths are values. now: packet time, ns, for the log of changes."""
        learn_templates(self.table, self._patterns, now, self.changes)

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything that it remembers, by name."""
        return self.table.arrays() | self.flows.arrays() | self._refusals.arrays() | self._claims.arrays()

    def count(self, counters: np.ndarray) -> None:
        """Add what found no room since the last batch was begun. counters: uint64[len(REASONS)]"""
        counters[list(OVERFLOWS)] += self._refusals_so_far() - self._refused_before

    def _refusals_so_far(self) -> np.ndarray:
        return np.array([self.table.control[2], self.table.parameters.control[0]], np.uint64)

    @property
    def known(self) -> int:
        """Endpoints that are in the table."""
        return int(self.table.control[0])

    def analyse(self, batch: Batch) -> tuple[Batch, np.ndarray, dict[str, np.ndarray]]:
        """The batch with endpoints and without secrets, its values (VALUE[n]), and where its targets stood on the wire.

        The last maps each `_at` and `_len` field of TARGETS to its values before redaction. Arena and
        values are used again by the next call: memory touched anew for every batch would cost as much as the work.
        """
        rows = batch.rows
        targets = sum(int(rows[name + "_len"].sum()) for name in TARGETS)
        longest = TEMPLATE_LIMIT + OPERATION_LIMIT
        room = batch.used + 4 * targets + longest * len(rows) + body_room(rows) + room_of_hosts(self._patterns, rows) + 64
        needed = room + longest + TEXT_LIMIT + NAME_LIMIT + SLACK
        if len(self._arena) < needed:
            self._arena = np.empty(needed + needed // 2, np.uint8)
        if len(self._values) < len(rows) * VALUES_PER_ROW + 1:
            self._values = np.empty(len(rows) * VALUES_PER_ROW + 1, VALUE)
        arena, values = self._arena, self._values
        arena[: batch.used] = batch.arena[: batch.used]
        wire = {name + part: rows[name + part].copy() for name in TARGETS for part in ("_at", "_len")}
        resolve_clients(rows, arena, self._proxies, self._speakers, self._standard, self._groups)
        self.table.control[1] += 1
        self._refused_before = self._refusals_so_far()
        at, used, count = 0, join_hosts(self._patterns, rows, arena, batch.used), 0
        while True:
            at, used, count = analyse_rows(
                self.table,
                self._patterns,
                rows,
                at,
                arena,
                used,
                room,
                batch.bodies,
                self._stack,
                self._lengths,
                *self._key,
                values,
                count,
            )
            if at >= len(rows):
                break
            self.learn(int(rows["ts"][at]))
        self.flows.mark(self.table, rows, arena, values[:count])
        sign_texts(rows, batch.bodies, self._text, self._counts)
        note_parameters(self.table.parameters, self.table.rows, rows, arena, values[:count])
        found = Batch(rows, arena, int(used), batch.bodies, batch.bodies_used)
        self._learn(rows, arena, lambda part: read_fields(arena, part, self._answers))
        self._claims.learn(self.table.rows, found)
        return found, values[:count], wire

    def _learn(self, rows: np.ndarray, text: np.ndarray, read: Callable[[np.ndarray], tuple[int, int]]) -> None:
        """Learn parameters of values that nobody else is handed, as many at once as there is room for.

        read: of rows, a kernel that puts values into self._answers and their text into `text`: (rows taken, values). It is
        called for no rows, too, so that it is compiled before the first packet.
        """
        while True:
            done, count = read(rows)
            key_secrets(self._answers, 0, count, *self._key)
            note_parameters(self.table.parameters, self.table.rows, rows, text, self._answers[:count])
            if done == len(rows):
                return
            rows = rows[done:]

    def read_answers(self, batch: Batch) -> None:
        """Learn the fields of responses from the samples that are left in an analysed batch, and which of them say no."""
        rows, bodies, text = batch.rows, batch.bodies, self._answer_text
        self._refusals.mark(self.table.rows, rows, batch.arena, bodies)
        find_traces(batch, self.table.profiles.counts)
        learn_schemas(self.table.schemas, self.table.rows, rows, bodies)
        bearing = rows[np.isin(rows["request_media"], TEXT_MEDIA) & (rows["request_body_len"] > 0)]
        self._learn(bearing, text, lambda part: read_texts(bodies, part, self._answers))
        served = (rows["status"] >= SERVED_FROM) & (rows["status"] < REDIRECTED_TO)
        scratch = len(text) - NAME_LIMIT - SLACK
        self._learn(
            rows[(rows["response_body_len"] > 0) & served], text,
            lambda part: read_answers(bodies, part, self._answers, text, scratch, self._lengths),
        )  # fmt: skip

    def endpoints(self) -> list[dict]:
        """All endpoints that some answer showed to exist, as rows of the store, by host, template and method."""
        found = []
        counts = self.table.profiles.counts
        self._learn_again()
        for place in np.flatnonzero(self.table.rows["used"] & counts["served"]).tolist():
            found.append(self._describe(place))
        return sorted(found, key=lambda row: (row["host"], row["endpoint"], row["method"]))

    def news(self) -> tuple[list[dict], list[tuple[str, str, str]]]:
        """(endpoints whose counts changed since the last call, those told before that became part of others or gave way)."""
        self._learn_again()
        rows, counts = self.table.rows, self.table.profiles.counts
        standing = (rows["used"] > 0) & (rows["moved"] == 0) & (counts["served"] > 0)
        gone = [
            place
            for place, (generation, _) in self._told.items()
            if not standing[place] or rows["generation"][place] != generation
        ]
        gone_keys = [self._told.pop(place)[1] for place in gone]
        changed = np.flatnonzero(standing & (counts["transactions"] != self._told_counts)).tolist()
        self._told_counts = counts["transactions"].copy()
        found = []
        for place in changed:
            row = self._describe(place)
            self._told[place] = int(rows["generation"][place]), (row["host"], row["method"], row["endpoint"])
            found.append(row)
        return found, gone_keys

    def hottest(self, most: int) -> list[tuple[str, str, str, int]]:
        """(host, method, template, transactions since the last call) of the busiest endpoints."""
        counts = self.table.profiles.counts["transactions"]
        fresh = np.where(counts >= self._hot_before, counts - self._hot_before, counts).astype(np.int64)
        self._hot_before = counts.copy()
        busiest = np.argsort(fresh, kind="stable")[::-1][:most].tolist()
        return [(*endpoint_text(self.table, place), int(fresh[place])) for place in busiest if fresh[place]]

    def _learn_again(self) -> None:
        """Learn from paths once more, if much was seen since it was done."""
        seen = int(self.table.learned.control[SEEN])
        if seen > self._learned_at * AGAIN:
            self._learned_at = seen
            self.learn(int(self.table.profiles.counts["last_ts"].max()))

    def parameters(self) -> list[dict]:
        """Parameters of all endpoints, as rows of the store, in the order of these."""
        return self._describe_parameters(self.table.parameters.rows["seen"] > 0)

    def news_of_parameters(self) -> list[dict]:
        """Those that were seen since the last call."""
        seen = self.table.parameters.rows["seen"]
        changed = (seen > 0) & (seen != self._told_seen)
        self._told_seen = seen.copy()
        return self._describe_parameters(changed)

    def schemas(self) -> list[dict]:
        """Keys of bodies of all endpoints, as rows of the store, in the order of these."""
        return self._schema_rows.all()

    def news_of_schemas(self) -> list[dict]:
        """Those of bodies of which many were seen since they were told."""
        return self._schema_rows.news()

    def _describe_parameters(self, chosen: np.ndarray) -> list[dict]:
        found, table = [], self.table
        for number in np.flatnonzero(chosen).tolist():
            entry = table.parameters.rows[number]
            place = int(entry["endpoint"])
            if table.rows["generation"][place] == entry["generation"] and not table.rows["moved"][place]:
                host, method, template = endpoint_text(table, place)
                row = describe(entry, table.parameters.words[number], table.profiles.counts[place])
                found.append({"host": host, "method": method, "endpoint": template} | row)
        key = ("host", "endpoint", "method", "location", "position", "name")
        return sorted(found, key=lambda row: tuple(row[name] for name in key))

    def _describe(self, place: int) -> dict:
        profiles = self.table.profiles
        counts = profiles.counts[place]
        host, method, template = endpoint_text(self.table, place)
        classes = counts["classes"].tolist()
        row = {
            "host": host,
            "method": method,
            "endpoint": template,
            "first_seen": int(counts["first_ts"]),
            "last_seen": int(counts["last_ts"]),
            "transactions": int(counts["transactions"]),
            "unanswered": classes[0],
            **{f"status_{k}xx": classes[k] for k in range(1, 6)},
            "statuses": statuses(profiles, place),
            "clients": distinct_clients(profiles, place),
        }
        for name, which, shares in (
            ("latency_us", LATENCY, (50, 95, 99)),
            ("request_bytes", REQUEST, (50, 95)),
            ("response_bytes", RESPONSE, (50, 95, 99)),
        ):
            for share in shares:
                value = quantile(profiles, place, which, share / 100)
                row[f"{name}_p{share}"] = value if value is not None or which == LATENCY else 0
        row["request_types"] = media_types(profiles, place, 0)
        row["response_types"] = media_types(profiles, place, 1)
        row |= self._claims.describe(place, int(self.table.rows["generation"][place]))
        row["open_2xx"] = int(counts["open"])
        row["facts"] = names_of(int(counts["facts"]), FACTS) + self._documents.facts_of(host, method, template)
        row["auth"] = [name for code, name in enumerate(AUTH_KINDS) if int(counts["auth"]) >> code & 1]
        return row
