"""Who calls the storefront's API, and in which order: people, machines of the shop and its partners, and two attackers.

Each function yields exchanges in packet time; nothing here knows of packets.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from sensor.simulate.clients import CURL, FIREFOX, OKHTTP, PYTHON_REQUESTS, ClientKind, jwt, opaque
from sensor.simulate.shop import COLOURS, WORDS, Shop, random_uuid, response

SECOND = 1_000_000_000
MISTYPED = 0.12
"""Share of people's log-ins with a wrong password."""
SESSION_LOST = 0.5
"""Share of visits that begin without what the last log-in gave."""
REVALIDATES = 0.5
"""Share of repeated views for which the client still has the product in its cache."""
REFERER = "http://shop.test/"


@dataclass(frozen=True)
class Exchange:
    """A request and its response, before they become packets."""

    at: int
    """packet time of the request, in ns, unless the connection is still busy then"""
    method: str
    template: str
    request: bytes
    response: bytes
    service_ns: int


@dataclass
class Person:
    """Somebody with a device and an account; what the client remembers between visits."""

    number: int
    kind: ClientKind
    email: str
    password: str
    proof: dict[str, str] = field(default_factory=dict)
    orders: list[str] = field(default_factory=list)
    etags: dict[int, str] = field(default_factory=dict)


class Visit:
    """One visit of a person to the shop."""

    def __init__(self, rng: Random, shop: Shop, person: Person, start: int):
        self._rng, self._shop, self._person, self._now = rng, shop, person, start
        self._seen = list(shop.page(1))
        self._viewed: list[int] = []
        self._cart: list[int] = []

    def exchanges(self) -> Iterator[Exchange]:
        """The visit, step by step."""
        rng = self._rng
        if rng.random() < SESSION_LOST:
            self._person.proof = {}
        yield self._list(1)
        if not self._person.proof and rng.random() < 0.75:
            yield from self._log_in()
        steps = {
            self._view: 52,
            self._next_page: 14,
            self._search: 12,
            self._add: 10,
            self._show_cart: 5,
            self._stock: 5,
            self._order: 4,
        }
        for _ in range(rng.randint(8, 34)):
            self._now += int(rng.lognormvariate(1.2, 0.7) * SECOND)
            yield from rng.choices(list(steps), list(steps.values()))[0]()
        if self._cart and self._person.proof and rng.random() < 0.5:
            yield from self._check_out()

    def _exchange(self, method: str, target: str, template: str, answer: bytes, body: Any = None, **values: str) -> Exchange:
        data = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
        service = int(self._rng.lognormvariate(1.6, 0.5) * 1_000_000)
        request = self._person.kind.request(method, target, data, referer=REFERER, **self._person.proof, **values)
        return Exchange(self._now, method, template, request, answer, service)

    def _list(self, page: int) -> Exchange:
        items = self._shop.page(page)
        self._seen += items
        return self._exchange("GET", f"/v1/products?page={page}", "/v1/products", self._shop.listing(self._now, items))

    def _next_page(self) -> Iterator[Exchange]:
        yield self._list(min(1 + int(self._rng.expovariate(0.35)), 60))

    def _search(self) -> Iterator[Exchange]:
        word = self._rng.choice(WORDS)
        items = self._shop.found(word)
        self._seen += items
        words = f"{self._rng.choice(COLOURS)}+{word}" if self._rng.random() < 0.4 else word
        yield self._exchange("GET", f"/v1/search?q={words}", "/v1/search", self._shop.listing(self._now, items))

    def _view(self) -> Iterator[Exchange]:
        rng, shop = self._rng, self._shop
        chance = rng.random()
        if chance < 0.015:
            identifier = rng.choice(shop.removed)  # an old bookmark
        elif chance < 0.35:
            identifier = rng.choices(shop.popular, shop.interest)[0]
        else:
            identifier = rng.choice(self._seen[-12:])
        known = self._person.etags.get(identifier, "") if rng.random() < REVALIDATES else ""
        answer, etag = shop.product(self._now, identifier, known)
        values = {"if_none_match": known} if known else {}
        yield self._exchange("GET", f"/v1/products/{identifier}", "/v1/products/{int}", answer, **values)
        if etag:
            self._person.etags[identifier] = etag
            self._viewed.append(identifier)

    def _stock(self) -> Iterator[Exchange]:
        if self._viewed:
            sku = self._shop.sku(self._viewed[-1])
            postal = 10_115 + self._person.number % 9 * 1_101
            answer = response(self._now, 200, {"sku": sku, "stock": self._rng.randint(0, 40)})
            yield self._exchange("GET", f"/v1/inventory?sku={sku}&postal={postal}", "/v1/inventory", answer)

    def _add(self) -> Iterator[Exchange]:
        if self._viewed:
            identifier = self._viewed[-1]
            self._cart.append(identifier)
            answer = response(self._now, 201, {"items": len(self._cart)})
            item = {"product": identifier, "quantity": self._rng.choice((1, 1, 1, 2, 3))}
            yield self._exchange("POST", "/v1/cart/items", "/v1/cart/items", answer, item)

    def _show_cart(self) -> Iterator[Exchange]:
        items = [{"product": identifier, "price": self._shop.price(identifier)} for identifier in self._cart]
        yield self._exchange("GET", "/v1/cart", "/v1/cart", response(self._now, 200, {"items": items}))

    def _log_in(self) -> Iterator[Exchange]:
        person = self._person
        while True:
            self._now += int(self._rng.lognormvariate(2.0, 0.4) * SECOND)
            mistyped = self._rng.random() < MISTYPED
            password = person.password[:-1] if mistyped else person.password
            proof, answer = log_in_answer(self._rng, self._now, person, mistyped)
            yield self._exchange("POST", "/v1/login", "/v1/login", answer, {"email": person.email, "password": password})
            person.proof = proof
            if not mistyped:
                return

    def _order(self) -> Iterator[Exchange]:
        if self._person.orders and self._person.proof:
            yield self._show_order(self._rng.choice(self._person.orders))

    def _show_order(self, order: str) -> Exchange:
        answer = response(self._now, 200, {"order": order, "state": "shipped", "total": int(order[:4], 16) / 100})
        return self._exchange("GET", f"/v1/orders/{order}", "/v1/orders/{uuid}", answer)

    def _check_out(self) -> Iterator[Exchange]:
        self._now += int(self._rng.lognormvariate(2.5, 0.5) * SECOND)
        order = random_uuid(self._rng)
        answer = response(self._now, 201, {"order": order}, f"Location: /v1/orders/{order}")
        yield self._exchange("POST", "/v1/checkout", "/v1/checkout", answer, {"payment": "invoice", "shipping": "standard"})
        self._person.orders.append(order)
        self._now += SECOND
        yield self._show_order(order)


def log_in_answer(rng: Random, now: int, person: Person, refused: bool) -> tuple[dict[str, str], bytes]:
    """The shop's answer to a log-in, and what the client then sends with every request."""
    if refused:
        return {}, response(now, 401, {"error": "invalid_credentials"})
    if person.kind.proof == "cookie":
        session = opaque(rng, 32)
        line = f"Set-Cookie: sid={session}; Path=/; HttpOnly"
        return {"cookie": f"sid={session}"}, response(now, 200, {"user": person.number}, line)
    token = jwt(rng, person.number, now // SECOND + 3600)
    return {"authorization": f"Bearer {token}"}, response(now, 200, {"token": token})


def health_checks(start: int, end: int) -> Iterator[Exchange]:
    """The load balancer's question, every 20 seconds."""
    for now in range(start, end, 20 * SECOND):
        yield Exchange(now, "GET", "/healthz", CURL.request("GET", "/healthz"), response(now, 200, {"status": "up"}), 400_000)


def partner_batch(rng: Random, shop: Shop, start: int, requests: int) -> Iterator[Exchange]:
    """A partner's job that asks for the stock of the same 40 products again and again: fast and regular, but no sweep."""
    products = rng.sample(shop.popular, 40)
    key = {"api_key": opaque(rng, 24)}
    now = start
    for position in range(requests):
        sku = shop.sku(products[position % len(products)])
        answer = response(now, 200, {"sku": sku, "stock": rng.randint(0, 40)})
        request = PYTHON_REQUESTS.request("GET", f"/v1/inventory?sku={sku}&postal=20095", b"", **key)
        yield Exchange(now, "GET", "/v1/inventory", request, answer, 2_500_000)
        # A minute and a half between rounds: a job on a timer.
        now += 95 * SECOND if position % len(products) == len(products) - 1 else int(rng.uniform(0.25, 0.45) * SECOND)


def enumeration(rng: Random, shop: Shop, start: int, first: int, requests: int) -> Iterator[Exchange]:
    """The first attack: product identifiers in order, one after the other, in the guise of a browser."""
    now = start
    for identifier in range(first, first + requests):
        answer, _ = shop.product(now, identifier)
        request = FIREFOX.request("GET", f"/v1/products/{identifier}")
        yield Exchange(now, "GET", "/v1/products/{int}", request, answer, int(rng.uniform(2, 6) * 1_000_000))
        now += int(rng.uniform(0.2, 0.5) * SECOND)


def credential_stuffing(rng: Random, start: int, requests: int, hits: int) -> Iterator[Exchange]:
    """The second attack: a list of leaked e-mail addresses and passwords, of which a few fit."""
    now = start
    fitting = set(rng.sample(range(requests), hits))
    for position in range(requests):
        email = f"{rng.choice(WORDS)}.{rng.choice(COLOURS)}{position:03d}{rng.randint(10, 99)}@mail.test"
        account = Person(5000 + position, OKHTTP, email, opaque(rng, 10))
        _, answer = log_in_answer(rng, now, account, position not in fitting)
        body = json.dumps({"email": email, "password": account.password}, separators=(",", ":")).encode()
        request = OKHTTP.request("POST", "/v1/login", body)
        yield Exchange(now, "POST", "/v1/login", request, answer, int(rng.uniform(40, 90) * 1_000_000))
        now += int(rng.uniform(0.6, 1.8) * SECOND)
