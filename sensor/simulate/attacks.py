"""Attacks on the shop, each over any number of sources: what every detector must find, and how it is labelled."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from sensor.core.intents import BAD_AUTOMATION
from sensor.simulate.carrier import Script
from sensor.simulate.clients import ClientKind, opaque
from sensor.simulate.crowd import card_number
from sensor.simulate.shop import COLOURS, FIRST_ID, WORDS, Shop, random_uuid, response
from sensor.simulate.texts import NAMES, pitch, review
from sensor.simulate.visits import SECOND, Exchange

TOOL = ClientKind(
    "tool",
    "none",
    (
        "Host: {host}",
        "User-Agent: {agent}",
        "Accept: application/json",
        "Accept-Encoding: gzip, deflate",
        "Content-Type: {type}",
        "Content-Length: {length}",
        "Connection: keep-alive",
        "Authorization: {authorization}",
    ),
)
AGENTS = tuple(
    f"Mozilla/5.0 ({system}) AppleWebKit/537.36 Chrome/{version}.0.0.0 Safari/537.36"
    for system in ("Windows NT 10.0; Win64; x64", "X11; Linux x86_64", "Macintosh; Intel Mac OS X 10_15_7")
    for version in range(118, 128)
)
OWN_NAME = "python-httpx/0.27.0"
DISGUISES = ROTATING, STEADY, OPEN = ("rotating", "steady", "open")
"""A browser's User-Agent chosen anew for each request; one for each source; the tool's own."""
LISTED_PATHS = (
    "admin",
    "backup",
    "config",
    "debug",
    "env",
    "git",
    "internal",
    "old",
    "private",
    "server-status",
    "test",
    "wp-login",
)


@dataclass
class Step:
    """One request of an attack, before it has a time and a source."""

    method: str
    target: str
    template: str
    status: int
    answer: dict
    body: dict | None = None
    authorization: str = ""


Steps = Callable[[Random, Shop, int], Iterator[Step]]
"""(random numbers, the shop, how many requests)"""


def sweep(rng: Random, shop: Shop, requests: int) -> Iterator[Step]:
    """Product identifiers in order."""
    for k in range(requests):
        yield product_step(shop, FIRST_ID + k)


def product_step(shop: Shop, identifier: int) -> Step:
    """A request for one product, served or not."""
    raw = shop.product(0, identifier)[0]
    status, body = int(raw[9:12]), raw.partition(b"\r\n\r\n")[2]
    return Step("GET", f"/v1/products/{identifier}", "/v1/products/{int}", status, json.loads(body))


def scrape(rng: Random, shop: Shop, requests: int) -> Iterator[Step]:
    """The catalogue in random order, each product once."""
    identifiers = list(range(FIRST_ID, FIRST_ID + 1000))
    rng.shuffle(identifiers)
    for k in range(requests):
        yield product_step(shop, identifiers[k % len(identifiers)])


def grid(rng: Random, shop: Shop, requests: int) -> Iterator[Step]:
    """Every SKU for every postal code: 153 of these to 61 of those, as in the case that the project began with."""
    columns = max(1, round((requests * 61 / 153) ** 0.5))
    for k in range(requests):
        sku, postal = shop.sku(FIRST_ID + k // columns), 10_000 + 37 * (k % columns)
        yield Step(
            "GET", f"/v1/inventory?sku={sku}&postal={postal}", "/v1/inventory", 200, {"sku": sku, "stock": rng.randint(0, 40)}
        )


def stuffing(rng: Random, shop: Shop, requests: int) -> Iterator[Step]:
    """Leaked pairs of address and password; one in a hundred fits."""
    for k in range(requests):
        email = f"{rng.choice(WORDS)}.{rng.choice(COLOURS)}{k:05d}@mail.test"
        yield log_in_step(email, opaque(rng, 10), rng.random() < 0.01)


def spraying(rng: Random, shop: Shop, requests: int) -> Iterator[Step]:
    """The same two passwords for one account after the other."""
    for k in range(requests):
        yield log_in_step(f"{rng.choice(WORDS)}{k:05d}@mail.test", ("Summer2026!", "Welcome1")[k % 2], False)


def log_in_step(email: str, password: str, fits: bool) -> Step:
    """A log-in, fitting or not."""
    answer = {"user": 1} if fits else {"error": "invalid_credentials"}
    return Step("POST", "/v1/login", "/v1/login", 200 if fits else 401, answer, {"email": email, "password": password})


def card_testing(rng: Random, shop: Shop, requests: int) -> Iterator[Step]:
    """Stolen cards, a small amount each; one in twenty-five is taken."""
    for _ in range(requests):
        taken = rng.random() < 0.04
        card = {"number": card_number(rng), "expiry": f"{rng.randint(1, 12):02d}/28", "cvc": f"{rng.randint(0, 999):03d}"}
        answer = {"state": "paid"} if taken else {"error": "declined"}
        yield Step("POST", "/v1/payments", "/v1/payments", 201 if taken else 402, answer, {"amount": 1, "card": card})


def coupons(rng: Random, shop: Shop, requests: int) -> Iterator[Step]:
    """Codes of a pattern, one after the other."""
    for k in range(requests):
        found = k % 211 == 210
        answer = {"discount": 10} if found else {"error": "no_such_code"}
        yield Step("POST", "/v1/coupons/apply", "/v1/coupons/apply", 200 if found else 404, answer, {"code": f"SAVE{k:05d}"})


def fuzzing(rng: Random, shop: Shop, requests: int) -> Iterator[Step]:
    """Numbers and strings where a product and a quantity belong."""
    odd = ("-1", "0", "1e309", "99999999999", "null", "[]", "{}", "' or 1=1", "../../etc", "%00", "NaN", "true", "A" * 300)
    for k in range(requests):
        body = {"product": f"{rng.choice(odd)}{k}", "quantity": rng.choice(odd)}
        broken = rng.random() < 0.1
        answer = {"error": "internal"} if broken else {"error": "bad_request"}
        yield Step("POST", "/v1/cart/items", "/v1/cart/items", 500 if broken else 400, answer, body)


def scanning(rng: Random, shop: Shop, requests: int) -> Iterator[Step]:
    """Paths of a list that do not exist."""
    for k in range(requests):
        path = f"/{rng.choice(LISTED_PATHS)}{k // 12 or ''}/{rng.choice(LISTED_PATHS)}"
        yield Step("GET", path, "/*", 404, {"error": "not_found"})


def spam(rng: Random, shop: Shop, requests: int) -> Iterator[Step]:
    """The same two texts below one product after the other, each time with other names and links."""
    for k in range(requests):
        body = {"name": rng.choice(NAMES), "stars": 5, "text": pitch(rng, k)}
        product = rng.choice(shop.popular)
        yield Step("POST", f"/v1/products/{product}/reviews", "/v1/products/{int}/reviews", 201, {"review": 1000 + k}, body)


def hoarding(rng: Random, shop: Shop, requests: int) -> Iterator[Step]:
    """Two things of which there are few, in the basket again and again, and never paid."""
    for k in range(requests):
        body = {"product": shop.popular[k // 40 % 2], "quantity": 5}
        yield Step("POST", "/v1/cart/items", "/v1/cart/items", 201, {"items": 1}, body)


def signups(rng: Random, shop: Shop, requests: int) -> Iterator[Step]:
    """Accounts under names that are made up."""
    for k in range(requests):
        body = {
            "email": f"{rng.choice(WORDS)}{k:05d}@mail.test",
            "password": opaque(rng, 12),
            "name": rng.choice(NAMES),
            "terms": 1,
        }
        yield Step("POST", "/v1/register", "/v1/register", 201, {"user": 90_000 + k}, body)


def watching(rng: Random, shop: Shop, requests: int) -> Iterator[Step]:
    """The stock of twenty things, over and over."""
    watched = rng.sample(shop.popular, 20)
    for k in range(requests):
        sku = shop.sku(watched[k % len(watched)])
        yield Step(
            "GET", f"/v1/inventory?sku={sku}&postal=10115", "/v1/inventory", 200, {"sku": sku, "stock": rng.randint(0, 40)}
        )


def paging(rng: Random, shop: Shop, requests: int) -> Iterator[Step]:
    """Lists of everything at once."""
    for k in range(requests):
        items = [{"id": one} for one in shop.page(1 + k % 60)]
        yield Step("GET", f"/v1/products?page={k}&limit=100000", "/v1/products", 200, {"items": items})


def assignment(rng: Random, shop: Shop, requests: int) -> Iterator[Step]:
    """Reviews with properties that are the shop's to set, one after the other."""
    tried = ("verified", "approved", "role", "is_staff", "points", "price", "owner_id", "internal")
    product = shop.popular[3]
    for k in range(requests):
        body = {"name": rng.choice(NAMES), "stars": 5, "text": review(rng), tried[k % len(tried)]: 1}
        yield Step("POST", f"/v1/products/{product}/reviews", "/v1/products/{int}/reviews", 201, {"review": 7_000 + k}, body)


def checkout(rng: Random, shop: Shop, requests: int) -> Iterator[Step]:
    """Orders without a look at the shop, as of a bot that buys what is scarce the moment that it is there."""
    for _ in range(requests):
        body = {"payment": "invoice", "shipping": "express"}
        yield Step("POST", "/v1/checkout", "/v1/checkout", 201, {"order": random_uuid(rng)}, body)


def replay(rng: Random, shop: Shop, requests: int) -> Iterator[Step]:
    """The token of one person, stolen or sold, with which many look into the same basket."""
    token = f"Bearer {opaque(rng, 32)}"
    for _ in range(requests):
        yield Step("GET", "/v1/cart", "/v1/cart", 200, {"items": []}, None, token)


ONE, MANY, EITHER = (1,), (100,), (1, 100)


@dataclass(frozen=True)
class Attack:
    """An attack by its name. detector: who must find it; endpoint: where; sources: from how many addresses it makes sense;
    people: who must be there in an hour, for what is usual to be known."""

    steps: Steps
    detector: str
    method: str
    endpoint: str
    sources: tuple[int, ...] = EITHER
    people: int = 60


ATTACKS = {
    "sweep": Attack(sweep, "enumeration", "GET", "/v1/products/{int}"),
    "scrape": Attack(scrape, "enumeration", "GET", "/v1/products/{int}"),
    "grid": Attack(grid, "enumeration", "GET", "/v1/inventory"),
    "stuffing": Attack(stuffing, "credential_stuffing", "POST", "/v1/login"),
    "spraying": Attack(spraying, "credential_stuffing", "POST", "/v1/login"),
    "card_testing": Attack(card_testing, "card_testing", "POST", "/v1/payments"),
    "coupons": Attack(coupons, "code_guessing", "POST", "/v1/coupons/apply"),
    "fuzzing": Attack(fuzzing, "fuzzing", "POST", "/v1/cart/items"),
    "spam": Attack(spam, "spam", "POST", "/v1/products/{int}/reviews"),
    "scanning": Attack(scanning, "scanning", "", "/*"),
    "hoarding": Attack(hoarding, "hoarding", "POST", "/v1/cart/items"),
    "signups": Attack(signups, "flow_abuse", "POST", "/v1/register"),
    "watching": Attack(watching, "watching", "GET", "/v1/inventory", sources=ONE),
    "paging": Attack(paging, "excess", "GET", "/v1/products", sources=ONE),
    "checkout": Attack(checkout, "skipped_steps", "POST", "/v1/checkout", people=300),
    "replay": Attack(replay, "token_replay", "GET", "/v1/cart", sources=MANY, people=300),
    "assignment": Attack(assignment, "mass_assignment", "POST", "/v1/products/{int}/reviews", sources=ONE),
}


def source_of(number: int) -> str:
    """Address of source `number`: networks all over, as of a residential proxy."""
    return f"{100 + number % 24}.{number // 24 % 250}.{number * 7 % 250}.{1 + number % 250}"


def attack_scripts(
    rng: Random,
    shop: Shop,
    name: str,
    start: int,
    requests: int,
    sources: int,
    rate: float,
    ramp: bool = False,
    disguise: str = ROTATING,
) -> list[Script]:
    """The attack shared out in turn over its sources. rate: requests a second, of all; ramp: it begins at a tenth of it."""
    own = [Random(f"{name} {k}").choice(AGENTS) for k in range(sources)]
    shares: list[list[Exchange]] = [[] for _ in range(sources)]
    now = start
    for k, step in enumerate(ATTACKS[name].steps(rng, shop, requests)):
        body = b"" if step.body is None else json.dumps(step.body, separators=(",", ":")).encode()
        agent = {ROTATING: rng.choice(AGENTS), STEADY: own[k % sources], OPEN: OWN_NAME}[disguise]
        token = {"authorization": step.authorization} if step.authorization else {}
        request = TOOL.request(step.method, step.target, body, agent=agent, **token)
        answer = response(now, step.status, step.answer)
        shares[k % sources].append(
            Exchange(now, step.method, step.template, request, answer, int(rng.uniform(2, 30) * 1_000_000))
        )
        slow = 10 - 9 * k / requests if ramp else 1.0
        now += int(rng.expovariate(rate / slow) * SECOND)
    return [Script(source_of(k), iter(share), name, BAD_AUTOMATION) for k, share in enumerate(shares)]
