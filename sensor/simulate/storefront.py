"""The storefront scenario: 45 minutes of a shop's JSON API, and two attacks inside."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from sensor.simulate.carrier import IDLE, PER_CONNECTION, SERVER
from sensor.simulate.clients import HOST, PEOPLE_KINDS
from sensor.simulate.shop import COLOURS, WORDS, Shop, password, random_uuid
from sensor.simulate.visits import (
    SECOND,
    Exchange,
    Person,
    Visit,
    credential_stuffing,
    enumeration,
    health_checks,
    partner_batch,
)
from sensor.simulate.wire import Conversation, merged, write_pcap

START = int(datetime(2026, 3, 3, 9, 0, tzinfo=UTC).timestamp()) * SECOND
DURATION = 45 * 60 * SECOND

ORDINARY = 3_500
PEOPLE = 40

ENUMERATOR, STUFFER = "198.51.100.77", "192.0.2.145"
PARTNER, BALANCER = "203.0.113.200", "10.20.0.2"
FIRST_VALUE, SWEEP_REQUESTS = 10_150, 600
STUFFING_REQUESTS, STUFFING_HITS = 400, 6


@dataclass
class _Client:
    """One address: its next port, its distance, its exchanges so far as packets."""

    address: str
    rtt_ns: int
    ports: count


class Storefront:
    """Builds the capture and its labels from one seed."""

    def __init__(self, seed: int):
        self._rng = Random(seed)
        self._seed = seed
        self._shop = Shop(self._rng)
        self._conversations: list[Conversation] = []
        self._counts: Counter[tuple[str, str]] = Counter()
        self._clients: dict[str, _Client] = {}
        self._incidents: list[dict[str, Any]] = []
        self._build()

    def write(self, path: Path) -> dict[str, Any]:
        """Write the capture to `path` and the labels beside it; returns the labels."""
        packets = write_pcap(path, merged(self._conversations))
        labels = self._labels() | {"packets": packets}
        path.with_suffix(".labels.json").write_text(json.dumps(labels, indent=1) + "\n")
        return labels

    def _build(self) -> None:
        rng, shop = self._rng, self._shop
        machines = [
            (BALANCER, list(health_checks(START, START + DURATION))),
            (PARTNER, list(partner_batch(rng, shop, START + 150 * SECOND, 320))),
        ]
        for address, exchanges in machines:
            self._carry(address, exchanges)
        self._people(ORDINARY - sum(self._counts.values()))
        swept = list(enumeration(rng, shop, START + 1_080 * SECOND, FIRST_VALUE, SWEEP_REQUESTS))
        last = FIRST_VALUE + SWEEP_REQUESTS - 1
        self._attack("enumeration", ENUMERATOR, swept, str(FIRST_VALUE), str(last))
        tried = list(credential_stuffing(rng, START + 1_620 * SECOND, STUFFING_REQUESTS, STUFFING_HITS))
        emails = [json.loads(exchange.request.partition(b"\r\n\r\n")[2])["email"] for exchange in tried]
        self._attack("credential_stuffing", STUFFER, tried, emails[0], emails[-1])

    def _people(self, transactions: int) -> None:
        """Visits of people, in turn, until there are enough transactions."""
        people = [self._person(number) for number in range(PEOPLE)]
        free_at = [START + int(self._rng.uniform(0, 0.35) * DURATION) for _ in people]
        remaining = transactions
        while remaining:
            # Whoever has been away longest comes next, so that all stay within the capture's time.
            number = min(range(PEOPLE), key=free_at.__getitem__)
            visit = list(Visit(self._rng, self._shop, people[number], free_at[number]).exchanges())[:remaining]
            # Four pairs of people share an address, as behind a home router.
            shared = number - PEOPLE + 8 if number >= PEOPLE - 4 else number
            network = ("203.0.113", "198.51.100", "192.0.2")[shared % 3]
            self._carry(f"{network}.{10 + shared}", visit)
            remaining -= len(visit)
            free_at[number] = visit[-1].at + int(self._rng.uniform(60, 400) * SECOND)

    def _person(self, number: int) -> Person:
        rng = self._rng
        email = f"{rng.choice(COLOURS)}.{rng.choice(WORDS)}{number:02d}@example.test"
        person = Person(1000 + number, PEOPLE_KINDS[number % len(PEOPLE_KINDS)], email, password(rng))
        person.orders = [random_uuid(rng) for _ in range(rng.randint(0, 3))]
        return person

    def _carry(self, address: str, exchanges: Iterable[Exchange]) -> list[int]:
        """Put exchanges on connections of one address; returns the packet times of the requests."""
        client = self._client(address)
        conversation: Conversation | None = None
        times: list[int] = []
        used = 0
        for exchange in exchanges:
            self._counts[exchange.method, exchange.template] += 1
            if conversation and (exchange.at > conversation.now + IDLE or used == PER_CONNECTION):
                self._end(conversation)
                conversation = None
            if conversation is None:
                conversation = self._connect(client, exchange.at)
                used = 0
            elif exchange.at > conversation.now + client.rtt_ns:
                conversation.wait(client.rtt_ns)
                conversation.ack(True)
            conversation.wait_until(exchange.at)
            times.append(conversation.exchange(exchange.request, exchange.response, exchange.service_ns)[0])
            used += 1
        if conversation:
            self._end(conversation)
        return times

    def _client(self, address: str) -> _Client:
        if address not in self._clients:
            rtt = int(self._rng.lognormvariate(2.8, 0.5) * 1_000_000)
            self._clients[address] = _Client(address, rtt, count(self._rng.randint(40_000, 55_000)))
        return self._clients[address]

    def _connect(self, client: _Client, at: int) -> Conversation:
        isns = (self._rng.getrandbits(32), self._rng.getrandbits(32))
        conversation = Conversation((client.address, next(client.ports)), SERVER, at, rtt_ns=client.rtt_ns, isns=isns)
        self._conversations.append(conversation)
        conversation.handshake()
        return conversation

    @staticmethod
    def _end(conversation: Conversation) -> None:
        conversation.wait(conversation.rtt_ns)
        conversation.ack(True)
        conversation.wait(5 * SECOND)
        conversation.close(by_client=False)

    def _attack(self, kind: str, actor: str, exchanges: list[Exchange], first_value: str, last_value: str) -> None:
        times = self._carry(actor, exchanges)
        self._incidents.append(
            {
                "kind": kind,
                "actor": actor,
                "host": HOST,
                "method": exchanges[0].method,
                "endpoint": exchanges[0].template,
                "transactions": len(exchanges),
                "first_value": first_value,
                "last_value": last_value,
                "first_seen": rfc3339(times[0]),
                "last_seen": rfc3339(times[-1]),
            }
        )

    def _labels(self) -> dict[str, Any]:
        total = sum(self._counts.values())
        return {
            "description": "A shop's JSON API with people, a health check and a partner's batch job; one sweep of product "
            "identifiers and one run of credential stuffing.",
            "seed": self._seed,
            "host": HOST,
            "server": f"{SERVER[0]}:{SERVER[1]}",
            "transactions": total,
            "connections": len(self._conversations),
            "clients": len(self._clients),
            "endpoints": [
                {"method": method, "template": template, "count": number}
                for (method, template), number in sorted(self._counts.items(), key=lambda item: (item[0][1], item[0][0]))
            ],
            "incidents": self._incidents,
        }


def write_storefront(path: Path, seed: int = 1) -> dict[str, Any]:
    """Write the scenario to `path` and its labels beside it (`NAME.labels.json`); returns the labels."""
    return Storefront(seed).write(path)


def rfc3339(time_ns: int) -> str:
    """A packet time as text: UTC, microseconds."""
    return datetime.fromtimestamp(time_ns // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{time_ns % SECOND // 1000:06d}Z"
