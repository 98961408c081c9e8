"""What a gateway may ask of each endpoint without stopping anybody who was ordinary so far, and what that rests on.

Rate: requests of one address in a minute. The busiest calendar minute that any ordinary address had is doubled: a minute that
begins anywhere lies within two calendar minutes, so that no past request would have been stopped. Of addresses still to come at
least `coverage` stay below it, with a confidence of 95 %: the largest of n independent values is exceeded by more than a share
q of the others with a probability of (1 - q)^n (Wilks 1941). Addresses in alerts do not count as ordinary.
"""

import collections
import dataclasses
import re
from typing import Any

from sensor.core.placeholders import PLACEHOLDER
from sensor.outputs.policy.bodies import Body, bodies_by_method

Row = dict[str, Any]
CONFIDENCE = 0.95
LEAST_CLIENTS = 20
"""Ordinary addresses from which on a rate can be told: 86 % of those to come stay below it."""
LEAST_RATE = 10
"""Requests a minute that no policy goes below: one page may make so many."""
LEAST_REQUESTS = 100
"""Requests, all of them with credentials, from which on these are called required."""
KIB = 1 << 10
PATTERNS = {"int": "-?[0-9]+", "uuid": "[0-9A-Fa-f-]{36}", "objectid": "[0-9A-Fa-f]{24}", "hex": "[0-9A-Fa-f]+"}
ANYTHING = "[^/]+"
ALWAYS = ("OPTIONS", "HEAD")
"""Methods that no policy refuses: browsers and load balancers ask with them."""
HOST = re.compile(r"(?:[a-z0-9_-]+\.)*[a-z0-9_-]+(?::\d{1,5})?|\[[0-9a-f:.]+\](?::\d{1,5})?")
PLAIN = re.compile(r"[A-Za-z0-9/_-]")


@dataclasses.dataclass(frozen=True)
class Rate:
    """How often one address may call with one method."""

    per_minute: int
    busiest: int
    """the most that an ordinary address did in a calendar minute"""
    clients: int
    """ordinary addresses"""
    requests: int
    """their requests"""

    @property
    def because(self) -> str:
        """What it rests on, as a sentence of the sensor's own words."""
        return (
            f"{self.requests} requests of {self.clients} ordinary addresses, at most {self.busiest} in a minute: none would "
            f"have been stopped, and at least {self.coverage:.1%} of those to come stay below {self.per_minute}."
        )

    @property
    def coverage(self) -> float:
        """The share of addresses to come that stay below the rate, at least."""
        return (1 - CONFIDENCE) ** (1 / self.clients)


@dataclasses.dataclass(frozen=True)
class Credentials:
    """What all requests with one method bore."""

    kinds: tuple[str, ...]
    """of which one is required"""
    requests: int

    @property
    def because(self) -> str:
        return f"all of {self.requests} ordinary requests bore credentials: none would have been stopped."

    @property
    def stand_in_fields(self) -> bool:
        """Whether they stand in Authorization or Cookie; keys stand in fields and queries of any name."""
        return "api_key" not in self.kinds


@dataclasses.dataclass(frozen=True)
class Rule:
    """One path of one host."""

    host: str
    template: str
    methods: tuple[str, ...]
    rates: dict[str, Rate]
    """by method, where enough is known"""
    credentials: "dict[str, Credentials]"
    """by method, where no request came without any"""
    body_bytes: int
    """the largest body that may be sent"""
    bodies: dict[str, Body] = dataclasses.field(default_factory=dict)
    """by method, what JSON bodies had in common, where enough is known"""
    requests: int = 0
    """of ordinary addresses, with these methods"""
    unserved: int = 0
    """of them with methods that never were served"""
    largest_body: int = 0
    """bytes of the largest body that they sent"""

    @property
    def stopped(self) -> float:
        """The share of past ordinary requests that the line of methods would have stopped; the other lines stop none."""
        return self.unserved / max(1, self.unserved + self.requests)

    @property
    def because_methods(self) -> str:
        return (
            f"{self.requests} ordinary requests had these methods; {self.unserved} had others, which never were served: "
            f"{self.stopped:.2%} would have been stopped."
        )

    @property
    def because_size(self) -> str:
        return f"no body of {self.requests} ordinary requests was over {self.largest_body} bytes: none would have been stopped."

    @property
    def pattern(self) -> str:
        """Regular expression for the whole path, for RE2 and PCRE alike; bytes that may mean something stand as \\xHH."""
        return "".join(
            PATTERNS.get(part, ANYTHING) if k % 2 else literal(part) for k, part in enumerate(PLACEHOLDER.split(self.template))
        )


def literal(text: str) -> str:
    """A pattern for this text and nothing else, of which no byte means anything to a configuration file."""
    return "".join(c if PLAIN.fullmatch(c) else "".join(f"\\x{byte:02x}" for byte in c.encode()) for c in text)


def rules(endpoints: list[Row], facts: list[Row], fields: list[Row]) -> list[Rule]:
    """Rules by host and path, the most particular first: of those that fit a request the first one counts.

    endpoints: of the inventory; facts: of queries.policy_facts; fields: of the view `schema_fields`. Hosts that are no names
    are the clients' invention. Where bodies name operations each has a form of its own, and none is asked for.
    """
    sent: dict[tuple[str, str], list[Row]] = collections.defaultdict(list)
    for row in fields:
        sent[row["host"], row["endpoint"].partition("#")[0]].append(row)
    by_path: dict[tuple[str, str], list[tuple[Row, Row]]] = collections.defaultdict(list)
    unserved: dict[tuple[str, str], collections.Counter[str]] = collections.defaultdict(collections.Counter)
    known = {(row["host"], row["method"], row["endpoint"]): row for row in facts}
    for row in endpoints:
        fact = known.get((row["host"], row["method"], row["endpoint"]))
        path = row["endpoint"].partition("#")[0]
        if fact and not fact["served"] and row["method"] not in ALWAYS:
            unserved[row["host"], path][row["method"]] += fact["requests"]
        if fact and fact["served"] and path.startswith("/") and row["method"].isalpha() and HOST.fullmatch(row["host"]):
            by_path[row["host"], path].append((row, fact))
    found = []
    for (host, path), rows in by_path.items():
        is_plain = not any("#" in row["endpoint"] for row, _ in rows)
        bodies = bodies_by_method(sent[host, path]) if is_plain else {}
        found.append(_rule(host, path, rows, bodies, unserved[host, path]))
    return sorted(found, key=lambda rule: (rule.host, len(PLACEHOLDER.findall(rule.template)), rule.template))


def _rule(host: str, path: str, rows: list[tuple[Row, Row]], bodies: dict[str, Body], unserved: dict[str, int]) -> Rule:
    by_method: dict[str, list[Row]] = collections.defaultdict(list)
    kinds: dict[str, set[str]] = collections.defaultdict(set)
    for row, fact in rows:
        by_method[row["method"]].append(fact)
        kinds[row["method"]] |= {*row["auth"]} - {"none"}
    rates = {method: rate for method, facts in sorted(by_method.items()) if (rate := _rate(facts))}
    borne = {method: one for method, facts in sorted(by_method.items()) if (one := _credentials(kinds[method], facts))}
    largest = max(fact["largest_body"] for _, fact in rows)
    return Rule(
        host, path, tuple(sorted(by_method)), rates, borne, body_limit(largest), bodies,
        sum(fact["requests"] for _, fact in rows),
        sum(count for method, count in unserved.items() if method not in by_method), largest,
    )  # fmt: skip


def _credentials(kinds: set[str], facts: list[Row]) -> Credentials | None:
    """What one method asks for; None where some ordinary request bore nothing, or too few are known."""
    requests = sum(fact["requests"] for fact in facts)
    if not kinds or requests < LEAST_REQUESTS or any(fact["without_credentials"] for fact in facts):
        return None
    return Credentials(tuple(sorted(kinds)), requests)


def _rate(facts: list[Row]) -> Rate | None:
    """The rate of one method, over all operations that its bodies name; None where too few addresses are known."""
    clients = max(fact["clients"] for fact in facts)
    if clients < LEAST_CLIENTS:
        return None
    busiest = sum(fact["busiest"] for fact in facts)
    return Rate(max(LEAST_RATE, 2 * busiest), busiest, clients, sum(fact["requests"] for fact in facts))


def body_limit(largest: int) -> int:
    """Twice the largest body, as the next power of two of at least a KiB, also where none was ever sent."""
    limit = KIB
    while limit < 2 * largest:
        limit *= 2
    return limit
