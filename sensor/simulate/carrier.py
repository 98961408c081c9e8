"""Scripts of clients as packets, in the order of time, one after the other: nothing is held but what is under way."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from random import Random

from sensor.core.intents import PERSON
from sensor.simulate.second import Talk
from sensor.simulate.visits import SECOND, Exchange
from sensor.simulate.wire import Conversation, Frame

SERVER = ("10.20.0.10", 8080)
IDLE = 20 * SECOND
"""The server closes a connection on which nothing was asked for so long."""
PER_CONNECTION = 100
"""The server closes a connection after so many requests, as nginx once did by default."""
FIRST_PORT, LAST_PORT = 20_000, 60_000


@dataclass
class Script:
    """What one client does, on one connection at a time."""

    address: str
    exchanges: Iterator[Exchange]
    label: str = ""
    """the attack that it belongs to; empty for ordinary traffic"""
    nature: str = PERSON
    """who is behind it"""


@dataclass
class Done:
    """A request as it went over the wire."""

    at: int
    address: str
    port: int
    exchange: Exchange


@dataclass
class Carrier:
    """Carries scripts over TCP. done: the requests of labelled scripts, by label; natures: who is behind each address;
    http2: the share of clients that speak it, an attack all of its addresses or none.
    """

    rng: Random
    http2: float = 0.0
    natures: dict[str, str] = field(default_factory=dict)
    done: dict[str, list[Done]] = field(default_factory=dict)
    transactions: int = 0
    _ports: dict[str, count] = field(default_factory=dict)

    def frames(self, scripts: list[Script]) -> Iterator[Frame]:
        """All packets in the order of time."""
        return heapq.merge(*(self._frames_of(script) for script in scripts), key=lambda frame: frame[0])

    def _frames_of(self, script: Script) -> Iterator[Frame]:
        rtt = int(self.rng.lognormvariate(2.8, 0.5) * 1_000_000)
        conversation: Conversation | None = None
        talk: Talk | None = None
        is_second = Random(script.label or script.address).random() < self.http2  # a tool speaks one
        port = used = now = 0
        self.natures[script.address] = script.nature
        for exchange in script.exchanges:
            self.transactions += 1
            if conversation and (exchange.at > conversation.now + IDLE or used == PER_CONNECTION):
                conversation.wait(IDLE // 2 if used < PER_CONNECTION else rtt)
                conversation.close(by_client=False)
                now = conversation.now
                yield from conversation.frames
                conversation = None
            if conversation is None:
                port, used = self._next_port(script.address), 0
                isns = (self.rng.getrandbits(32), self.rng.getrandbits(32))
                start = max(exchange.at, now)
                conversation = Conversation((script.address, port), SERVER, start, rtt_ns=rtt, isns=isns)
                conversation.handshake()
                talk = Talk() if is_second else None
            conversation.wait_until(exchange.at)
            request, response = exchange.request, exchange.response
            if talk is not None:
                request, response = talk.exchange(request, response)
            asked, _ = conversation.exchange(request, response, exchange.service_ns)
            used += 1
            if script.label:
                self.done.setdefault(script.label, []).append(Done(asked, script.address, port, exchange))
            yield from conversation.frames
            conversation.frames.clear()
        if conversation:
            conversation.wait(rtt)
            conversation.close(by_client=False)
            yield from conversation.frames

    def _next_port(self, address: str) -> int:
        counter = self._ports.setdefault(address, count(self.rng.randint(0, LAST_PORT - FIRST_PORT)))
        return FIRST_PORT + next(counter) % (LAST_PORT - FIRST_PORT)
