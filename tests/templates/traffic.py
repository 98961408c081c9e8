"""Requests to the routes of public APIs: routes and values drawn by Zipf's law, answers of a shape of the route's own."""

import hashlib
import random
import re
import uuid

from routes import ROUTES

SYLLABLES = [
    "ba",
    "ce",
    "di",
    "fo",
    "gu",
    "ha",
    "je",
    "ki",
    "lo",
    "mu",
    "na",
    "pe",
    "qui",
    "ro",
    "su",
    "ta",
    "ve",
    "wi",
    "xo",
    "yu",
    "zan",
    "ber",
    "cor",
    "del",
    "fin",
    "gar",
    "hol",
    "jun",
]
ADJECTIVES = [
    "red",
    "blue",
    "green",
    "old",
    "new",
    "big",
    "tiny",
    "fancy",
    "plain",
    "odd",
    "warm",
    "cold",
    "soft",
    "hard",
    "light",
    "dark",
    "wild",
    "calm",
    "bold",
    "shy",
]
NOUNS = [
    "shoe",
    "hat",
    "coat",
    "sock",
    "belt",
    "scarf",
    "glove",
    "shirt",
    "dress",
    "skirt",
    "tie",
    "bag",
    "ring",
    "watch",
    "lamp",
    "chair",
    "table",
    "sofa",
    "bed",
    "desk",
]
BASE62 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
FEW = [
    "acme",
    "globex",
    "initech",
    "umbrella",
    "hooli",
    "stark",
    "wayne",
    "wonka",
    "tyrell",
    "cyberdyne",
    "soylent",
    "aperture",
]
POPULATION = {"name": 3_000, "slug": 1_500, "few": len(FEW), "title": 4_000, "domain": 800, "pod": 3_000, "branch": 500}


def value(kind: str, number: int, salt: str) -> str:
    """The value with a number, of a parameter of some kind."""
    draw = random.Random(f"{kind} {number} {salt}")
    if kind == "int":
        return str(number + 1)
    if kind == "snow":
        return str(draw.randrange(10**17, 10**18))
    if kind == "uuid":
        return str(uuid.UUID(int=draw.getrandbits(128), version=4))
    if kind in ("sha1", "md5"):
        return hashlib.new(kind, str(draw.random()).encode()).hexdigest()
    if kind == "date":
        return f"20{draw.randrange(20, 27)}-{draw.randrange(1, 13):02d}-{draw.randrange(1, 29):02d}"
    if kind == "few":
        return FEW[number % len(FEW)]
    if kind == "name":
        return "".join(draw.choices(SYLLABLES, k=draw.randint(2, 4))) + draw.choice(["", "", "", "-dev", "42", "_x"])
    if kind == "slug":
        return f"{draw.choice(ADJECTIVES)}-{draw.choice(NOUNS)}" + draw.choice(["", f"-{draw.randrange(99)}"])
    if kind == "title":
        return "-".join(draw.choices(ADJECTIVES + NOUNS, k=draw.randint(3, 7)))
    if kind == "domain":
        return "".join(draw.choices(SYLLABLES, k=3)) + draw.choice([".com", ".org", ".io"])
    if kind == "pod":
        return f"{draw.choice(NOUNS)}-{draw.getrandbits(36):09x}-{''.join(draw.choices(BASE62[:36], k=5))}"
    if kind == "sku":
        return f"{''.join(draw.choices('ABCDEFGHKLMNPQRSTUVWXYZ', k=3))}-{draw.randrange(10_000):04d}"
    if kind == "order":
        return f"ORD{draw.randrange(10**8):08d}"
    if kind == "stripe":
        return "cus_" + "".join(draw.choices(BASE62, k=14))
    if kind == "base62":
        return "".join(draw.choices(BASE62, k=22))
    if kind == "code":
        return "".join(draw.choices(BASE62, k=8))
    raise ValueError(kind)


class Zipf:
    """Numbers below `size`, the k-th of them with a weight of 1 / k."""

    def __init__(self, size: int):
        self._cumulated, total = [], 0.0
        for k in range(size):
            total += 1 / (k + 1)
            self._cumulated.append(total)
        self._numbers = range(size)

    def draw(self, draw: random.Random) -> int:
        return draw.choices(self._numbers, cum_weights=self._cumulated)[0]


def requests(host: str, count: int, seed: int, shapes: bool) -> list[tuple[str, dict]]:
    """(route, transaction as `rows.batch_of` takes it); a tenth more are a scanner's, whose route is empty."""
    draw = random.Random(f"{host} {seed}")
    routes = ROUTES[host].split()
    draw.shuffle(routes)
    which, sizes = Zipf(len(routes)), {}
    found = []
    for _ in range(count):
        route = routes[which.draw(draw)]

        def fill(match: re.Match, route=route) -> str:
            name, kind = match[1], match[2]
            zipf = sizes.setdefault(kind, Zipf(POPULATION.get(kind, 2_000)))
            return value(kind, zipf.draw(draw), f"{host} {name}")

        path = re.sub(r"\{(\w+):(\w+)\}", fill, route)
        transaction = {"host": host, "path": path, "status": 200}
        if shapes:
            digest = hashlib.sha1(route.encode()).hexdigest()
            transaction["body"] = f'{{"id":1,"{digest[:6]}":"x","{digest[6:12]}":{{"{digest[12:18]}":[1,2]}}}}'
        found.append((route, transaction))
    for k in range(count // 10):
        found.append(
            (
                "",
                {
                    "host": host,
                    "path": f"/{draw.choice(['admin', 'wp', 'old', 'v1'])}/{draw.getrandbits(32):x}.php",
                    "status": 404,
                },
            )
        )
        if k % 5 == 0:
            found.append(("", {"host": host, "path": f"/{'/'.join(draw.choices(SYLLABLES, k=3))}", "status": 404}))
    draw.shuffle(found)
    return found
