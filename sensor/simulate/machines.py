"""More of those who are ordinary: jobs of partners and of the shop, pollers, monitors; and people who use the shop's pages."""

import json
from collections.abc import Callable, Iterator
from random import Random

from sensor.simulate.clients import CHROME, FIREFOX, ClientKind, opaque
from sensor.simulate.shop import WORDS, Shop, random_uuid, response
from sensor.simulate.visits import SECOND, Exchange

LIBRARIES = (
    "python-requests/2.32.3",
    "Go-http-client/1.1",
    "axios/1.7.2",
    "Java/21.0.3",
    "Apache-HttpClient/5.3 (Java/17.0.9)",
    "GuzzleHttp/7",
    "node-fetch/3.3.2",
    "curl/8.5.0",
)
CRAWLERS = (
    "Mozilla/5.0 (compatible; Indexbot/1.3; +http://index.test/bot)",
    "PriceSpider/2.0 (+http://prices.test)",
    "Uptimebot/1.0",
)
PAGES = ("", "products", "products/popular", "about", "help", "returns", "sale", "account", "checkout")
ASSETS = ("css/site.css", "js/vendor.js", "js/app.js", "fonts/sans.woff2", "img/logo.svg", "img/banner.webp", "favicon.ico")
TYPES = {"css": "text/css", "js": "text/javascript", "woff2": "font/woff2", "svg": "image/svg+xml", "ico": "image/x-icon"}


def job_kind(rng: Random, agent: str) -> ClientKind:
    """A program's client, whose author chose a library and header fields."""
    lines = ["Host: {host}", f"User-Agent: {agent}", "Accept: application/json", "Accept-Encoding: gzip"]
    rng.shuffle(lines)
    return ClientKind(
        "job", "none", (*lines, "Authorization: {authorization}", "Content-Type: {type}", "Content-Length: {length}")
    )


def poller(rng: Random, shop: Shop, kind: ClientKind, proof: dict[str, str], start: int, end: int) -> Iterator[Exchange]:
    """The same few questions on a timer."""
    pause = rng.choice((10, 30, 60, 120, 300)) * SECOND
    pool = ("/v1/config", "/v1/cart", "/healthz", "/v1/products", "/v1/banners/3")
    targets = rng.sample(pool, rng.randint(1, 3))
    now = start
    while now < end:
        for target in targets:
            answer = response(now, 200, {"state": "ok", "n": rng.randint(1, 9)})
            yield Exchange(now, "GET", target, kind.request("GET", target, b"", **proof), answer, 1_500_000)
            now += int(rng.uniform(0.02, 0.3) * SECOND)
        now += pause + int(rng.gauss(0, 0.01) * SECOND)


def stock_job(rng: Random, shop: Shop, kind: ClientKind, proof: dict[str, str], start: int, end: int) -> Iterator[Exchange]:
    """A partner asks for the stock of what it sells, round by round."""
    products, postal = rng.sample(shop.popular, rng.randint(8, 60)), rng.choice((20_095, 10_115, 50_667))
    pause, between = rng.randint(60, 900) * SECOND, rng.uniform(0.05, 1.5)
    now = start
    while now < end:
        for product in products:
            answer = response(now, 200, {"sku": shop.sku(product), "stock": rng.randint(0, 40)})
            target = f"/v1/inventory?sku={shop.sku(product)}&postal={postal}"
            yield Exchange(now, "GET", "/v1/inventory", kind.request("GET", target, b"", **proof), answer, 2_000_000)
            now += int(rng.uniform(0.7, 1.3) * between * SECOND)
        now += pause


def order_job(rng: Random, shop: Shop, kind: ClientKind, proof: dict[str, str], start: int, end: int) -> Iterator[Exchange]:
    """The warehouse fetches orders of its own list and says that they were sent."""
    now = start
    while now < end:
        for _ in range(rng.randint(2, 25)):
            order = random_uuid(rng)
            answer = response(now, 200, {"order": order, "state": "paid"})
            yield Exchange(
                now, "GET", "/v1/orders/{uuid}", kind.request("GET", f"/v1/orders/{order}", b"", **proof), answer, 2_000_000
            )
            now += int(rng.uniform(0.05, 0.4) * SECOND)
            body = json.dumps({"state": "sent", "parcel": opaque(rng, 12)}).encode()
            request = kind.request("PUT", f"/v1/orders/{order}", body, **proof)
            yield Exchange(now, "PUT", "/v1/orders/{uuid}", request, response(now, 200, {"state": "sent"}), 3_000_000)
            now += int(rng.uniform(0.05, 0.4) * SECOND)
        now += rng.randint(120, 1_200) * SECOND


def indexer(rng: Random, shop: Shop, kind: ClientKind, proof: dict[str, str], start: int, end: int) -> Iterator[Exchange]:
    """A crawler that reads robots.txt and then follows links at its own pace."""
    pace, now = rng.uniform(2, 20), start
    robots = kind.request("GET", "/robots.txt", b"", **proof)
    yield Exchange(now, "GET", "/robots.txt", robots, response(now, 200, {"allow": "*"}), 800_000)
    for product in rng.sample(shop.popular, len(shop.popular)):
        now += int(rng.uniform(0.6, 1.5) * pace * SECOND)
        if now >= end:
            return
        target, answer = f"/v1/products/{product}", shop.product(now, product)[0]
        yield Exchange(now, "GET", "/v1/products/{int}", kind.request("GET", target, b"", **proof), answer, 2_000_000)


JOBS: tuple[Callable[..., Iterator[Exchange]], ...] = (poller, stock_job, order_job, indexer)


def machine(rng: Random, shop: Shop, number: int, start: int, end: int) -> Iterator[Exchange]:
    """One of them, as chance has it: most bear a token, a few an honest name alone."""
    job = JOBS[number % len(JOBS)]
    crawls = job is indexer
    kind = job_kind(rng, rng.choice(CRAWLERS) if crawls else rng.choice(LIBRARIES))
    proof = {} if crawls or (job is poller and rng.random() < 0.5) else {"authorization": f"Bearer {opaque(rng, 32)}"}
    return job(rng, shop, kind, proof, start + int(rng.uniform(0, 600) * SECOND), end)


def asset_answer(now: int, path: str) -> bytes:
    """A file of the shop's pages."""
    head = response(now, 200, None).decode().removesuffix("\r\n\r\n")
    kind = TYPES.get(path.rsplit(".", 1)[-1], "image/webp")
    return f"{head}\r\nContent-Type: {kind}\r\nContent-Length: 12\r\n\r\n{'x' * 12}".encode()


def page_answer(now: int) -> bytes:
    """A page of the shop."""
    head, body = response(now, 200, None).decode().removesuffix("\r\n\r\n"), "<html><body>Shop</body></html>"
    return f"{head}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def visitor(rng: Random, shop: Shop, number: int, start: int, end: int) -> Iterator[Exchange]:
    """A person at a browser: pages with what belongs to them, and the questions that scripts ask on the way."""
    kind = (FIREFOX, CHROME)[number % 2]
    now = start + int(rng.uniform(0, 1) * (end - start) * 0.8)
    proof = {"cookie": f"session={opaque(rng, 24)}"} if rng.random() < 0.7 else {}
    while now < end:
        cached = False
        for _ in range(rng.randint(3, 12)):
            page = rng.choice(PAGES)
            referer = f"http://shop.test/{rng.choice(PAGES)}"
            yield Exchange(
                now,
                "GET",
                f"/{page}",
                kind.request("GET", f"/{page}", b"", referer=referer, **proof),
                page_answer(now),
                9_000_000,
            )
            referer = f"http://shop.test/{page}"
            files = [*rng.sample(ASSETS, 1 if cached else 6), *(f"img/p{one}.webp" for one in rng.sample(shop.popular, 5))]
            cached = True
            for path in files:
                now += int(rng.uniform(0.004, 0.06) * SECOND)
                request = kind.request("GET", f"/{path}", b"", referer=referer, **proof)
                yield Exchange(now, "GET", f"/{path}", request, asset_answer(now, path), 1_000_000)
            if rng.random() < 0.5:
                now += int(rng.uniform(0.1, 2) * SECOND)
                target = f"/v1/search?q={rng.choice(WORDS)}"
                answer = shop.listing(now, shop.popular[:5])
                yield Exchange(
                    now, "GET", "/v1/search", kind.request("GET", target, b"", referer=referer, **proof), answer, 4_000_000
                )
            now += int(rng.lognormvariate(2.3, 0.9) * SECOND)
        now += int(rng.expovariate(1 / 5_400) * SECOND) + 120 * SECOND
