"""Ordinary traffic of a shop: people, phones, a partner, a crawler, a health check, an office behind one address, a sale."""

import dataclasses
import json
from collections.abc import Iterator
from random import Random

from sensor.core.intents import GOOD_BOT
from sensor.simulate.carrier import Script
from sensor.simulate.clients import IOS_APP, OKHTTP, PEOPLE_KINDS, ClientKind, jwt
from sensor.simulate.machines import machine, visitor
from sensor.simulate.shop import COLOURS, WORDS, Shop, password, random_uuid, response
from sensor.simulate.texts import review
from sensor.simulate.visits import SECOND, Exchange, Person, Visit, health_checks, partner_batch

MINUTE, HOUR = 60 * SECOND, 3600 * SECOND
CRAWLER = ClientKind(
    "crawler",
    "none",
    (
        "Host: {host}",
        "Connection: keep-alive",
        "Accept: text/html,application/json;q=0.9,*/*;q=0.8",
        "From: bot@crawler.test",
        "User-Agent: Mozilla/5.0 (compatible; Examplebot/2.1; +http://crawler.test/bot.html)",
        "Accept-Encoding: gzip, deflate",
    ),
)
REVIEWS = 0.15
"""Share of visits that end with a review."""
DECLINED = 0.08
"""Share of people's payments that the bank declines."""
CATEGORIES = tuple(f"{colour}-{word}s" for colour in COLOURS[:3] for word in WORDS[:6])


def address_of(number: int) -> str:
    """Address of ordinary client `number`, of three networks kept for documentation and one for private use."""
    if number < 600:
        return f"{('203.0.113', '198.51.100', '192.0.2')[number % 3]}.{10 + number // 3}"
    return f"10.{64 + number // 60_000 % 64}.{number // 240 % 250}.{1 + number % 240}"


def person_of(rng: Random, number: int) -> Person:
    """Somebody with an account."""
    email = f"{rng.choice(COLOURS)}.{rng.choice(WORDS)}{number:04d}@example.test"
    person = Person(1000 + number, PEOPLE_KINDS[number % len(PEOPLE_KINDS)], email, password(rng))
    person.orders = [random_uuid(rng) for _ in range(rng.randint(0, 3))]
    return person


def visits_of(rng: Random, shop: Shop, person: Person, start: int, end: int, pause: float) -> Iterator[Exchange]:
    """Visits of one person, `pause` seconds apart on the average."""
    now = start + int(rng.expovariate(1 / pause) * SECOND)
    while now < end:
        bought = False
        for exchange in Visit(rng, shop, person, now).exchanges():
            if exchange.at >= end:
                return
            now = exchange.at
            bought |= exchange.template == "/v1/checkout"
            yield exchange
        if bought:
            yield from payments(rng, person, now)
        if rng.random() < REVIEWS:
            now += int(rng.uniform(20, 90) * SECOND)
            yield written(rng, shop, person, now)
        now += int(rng.expovariate(1 / pause) * SECOND) + MINUTE


def written(rng: Random, shop: Shop, person: Person, now: int) -> Exchange:
    """A review of a product."""
    product = rng.choices(shop.popular, shop.interest)[0]
    body = {"name": person.email.split(".")[0], "stars": rng.randint(1, 5), "text": review(rng)}
    answer = response(now, 201, {"review": rng.randint(1, 10**6)})
    exchange = posted(person.kind, now, f"/v1/products/{product}/reviews", body, answer, person.proof)
    return dataclasses.replace(exchange, template="/v1/products/{int}/reviews")


def payments(rng: Random, person: Person, now: int) -> Iterator[Exchange]:
    """Paying for an order, at times with a second card; one in five tries a coupon first."""
    if rng.random() < 0.2:
        now += 8 * SECOND
        known = rng.random() < 0.6
        code = rng.choice(("SPRING", "WELCOME10", "FREESHIP")) if known else f"{rng.choice(WORDS).upper()}{rng.randint(5, 50)}"
        answer = response(now, 200, {"discount": 10}) if known else response(now, 404, {"error": "no_such_code"})
        yield posted(person.kind, now, "/v1/coupons/apply", {"code": code}, answer, person.proof)
    for _ in range(3):
        now += int(rng.uniform(10, 40) * SECOND)
        declined = rng.random() < DECLINED
        answer = response(now, 402, {"error": "declined"}) if declined else response(now, 201, {"state": "paid"})
        card = {
            "number": card_number(rng),
            "expiry": f"{rng.randint(1, 12):02d}/{rng.randint(27, 31)}",
            "cvc": f"{rng.randint(0, 999):03d}",
        }
        yield posted(person.kind, now, "/v1/payments", {"amount": rng.randint(5, 200), "card": card}, answer, person.proof)
        if not declined:
            return


def posted(kind: ClientKind, at: int, path: str, body: dict, answer: bytes, proof: dict[str, str]) -> Exchange:
    """A JSON request with its answer."""
    data = json.dumps(body, separators=(",", ":")).encode()
    return Exchange(at, "POST", path, kind.request("POST", path, data, **proof), answer, 9_000_000)


def card_number(rng: Random) -> str:
    """A number with a right check digit, of a range that is kept for tests."""
    digits = [4, 0, 0, 0, 0, 0, *(rng.randint(0, 9) for _ in range(9))]
    total = sum(d if k % 2 else (2 * d - 9 if d > 4 else 2 * d) for k, d in enumerate(digits))
    return "".join(map(str, digits)) + str(-total % 10)


def home_screens(rng: Random, shop: Shop, number: int, start: int, end: int) -> Iterator[Exchange]:
    """A phone whose app asks for fifty things whenever it is opened."""
    kind = (IOS_APP, OKHTTP)[number % 2]
    proof = {"authorization": f"Bearer {jwt(rng, 9000 + number, end // SECOND)}"}
    now = start + int(rng.uniform(0, 3600) * SECOND)
    while now < end:
        targets = [("/v1/config", "/v1/config"), ("/v1/me", "/v1/me")]
        targets += [(f"/v1/banners/{k}", "/v1/banners/{int}") for k in range(1, 7)]
        targets += [(f"/v1/categories/{name}", "/v1/categories/{slug}") for name in rng.sample(CATEGORIES, 12)]
        products = rng.choices(shop.popular, shop.interest, k=18)
        targets += [(f"/v1/products/{one}", "/v1/products/{int}") for one in products]
        targets += [(f"/v1/inventory?sku={shop.sku(one)}&postal=20095", "/v1/inventory") for one in products[:12]]
        for target, template in targets:
            now += int(rng.uniform(0.05, 0.35) * SECOND)
            product = template == "/v1/products/{int}"
            answer = (
                shop.product(now, int(target.rsplit("/", 1)[1]))[0]
                if product
                else response(now, 200, {"state": "ok", "n": rng.randint(1, 9)})
            )
            yield Exchange(now, "GET", template, kind.request("GET", target, b"", **proof), answer, 3_000_000)
        now += int(rng.expovariate(1 / 7200) * SECOND) + 5 * MINUTE


def crawler(rng: Random, shop: Shop, start: int, end: int) -> Iterator[Exchange]:
    """A search engine: the list page by page, every product on it once, one request in about twelve seconds."""
    now = start
    yield Exchange(
        now, "GET", "/robots.txt", CRAWLER.request("GET", "/robots.txt"), response(now, 404, {"error": "none"}), 800_000
    )
    for page in range(1, 67):
        items = shop.page(page)
        pages = [(f"/v1/products?page={page}", shop.listing(now, items))]
        pages += [(f"/v1/products/{one}", shop.product(now, one)[0]) for one in items]
        for target, answer in pages:
            now += int(rng.uniform(6, 18) * SECOND)
            if now >= end:
                return
            template = "/v1/products" if "?" in target else "/v1/products/{int}"
            yield Exchange(now, "GET", template, CRAWLER.request("GET", target), answer, 2_000_000)


def sale(rng: Random, shop: Shop, person: Person, product: int, start: int) -> Iterator[Exchange]:
    """Somebody who is after the one product of a flash sale; most are too late."""
    now = start + int(rng.expovariate(1 / 120) * SECOND)
    for _ in range(rng.randint(2, 6)):
        request = person.kind.request("GET", f"/v1/products/{product}", b"", **person.proof)
        yield Exchange(now, "GET", "/v1/products/{int}", request, shop.product(now, product)[0], 4_000_000)
        now += int(rng.uniform(1, 9) * SECOND)
    late = rng.random() < 0.7
    answer = response(now, 404, {"error": "sold_out"}) if late else response(now, 201, {"items": 1})
    yield posted(person.kind, now, "/v1/cart/items", {"product": product, "quantity": 1}, answer, person.proof)


def more_of_them(rng: Random, shop: Shop, start: int, end: int, machines: int, visitors: int) -> list[Script]:
    """Machines with orderly work, and people who use the shop's pages."""
    scripts = [
        Script(address_of(14_000 + number), machine(rng, shop, number, start, end), nature=GOOD_BOT)
        for number in range(machines)
    ]
    return scripts + [Script(address_of(17_000 + number), visitor(rng, shop, number, start, end)) for number in range(visitors)]


def crowd(rng: Random, shop: Shop, start: int, end: int, people: int, pause: float = 5400.0) -> list[Script]:
    """Everything ordinary between two times. people: persons with an address of their own; a quarter as many share one."""
    scripts = [
        Script("10.20.0.2", health_checks(start, end), nature=GOOD_BOT),
        Script(
            "203.0.113.200",
            partner_batch(rng, shop, start + 150 * SECOND, max(320, int((end - start) / HOUR * 300))),
            nature=GOOD_BOT,
        ),
        Script("203.0.113.201", crawler(rng, shop, start + 300 * SECOND, end), nature=GOOD_BOT),
    ]
    for number in range(people):
        scripts.append(Script(address_of(number), visits_of(rng, shop, person_of(rng, number), start, end, pause)))
    for number in range(people // 4):
        scripts.append(Script(address_of(3_000 + number), home_screens(rng, shop, number, start, end)))
    office = [person_of(rng, 5_000 + number) for number in range(people // 2)]
    scripts += [Script("198.51.100.250", visits_of(rng, shop, one, start, end, 2 * pause)) for one in office]
    asked = start + (end - start) // 4
    for number in range(people // 2):  # those whom the shop asked for a review in the morning's mail
        person, at = person_of(rng, 11_000 + number), start + int(rng.uniform(0, asked - start))
        scripts.append(Script(address_of(11_000 + number), iter([written(rng, shop, person, at)])))
    sale_at, product = start + (end - start) // 2, shop.popular[7]
    for number in range(people // 2):
        scripts.append(Script(address_of(8_000 + number), sale(rng, shop, person_of(rng, 8_000 + number), product, sale_at)))
    return scripts
