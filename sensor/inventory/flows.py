"""Business flows: which endpoints log somebody in, take money, redeem a code: what automation is after.

Told by method and template, else by the names of what bodies carry (a password, a card number); the operator's word, in
[flows] of the configuration, goes before both.
"""

import re

import numpy as np

from sensor.core.jit import kernel
from sensor.core.records import FLOW, FLOWS
from sensor.inventory.endpoints import CAPACITY, Endpoints, endpoint_text
from sensor.inventory.secrets import CARD, CVV, PASSWORD, plain_name_hash
from sensor.inventory.values import IN_BODY, IN_QUERY

NONE, LOGIN, SIGNUP, RESET, PAYMENT, CODE, CART, SEARCH, CONTENT = range(len(FLOWS))

WRITES = ("POST", "PUT", "PATCH")
_WORD = r"(?i)(^|[/._#-])({})([/._-]|$)"
RULES = tuple(
    (FLOW[flow], methods, re.compile(_WORD.format(words)))
    for flow, methods, words in (
        ("reset", WRITES, r"forgot(-?password)?|password-?reset|reset-?password|recover(y)?|passwordreset"),
        ("login", WRITES, r"log-?in|log-?on|sign-?in|authenticate|auth|oauth2?|token|sessions?"),
        ("signup", WRITES, r"sign-?up|register|registration|create-?account|accounts?/new"),
        (
            "code",
            ("GET", *WRITES),
            r"coupons?|vouchers?|promo(tion)?s?(-?codes?)?|discount(-?codes?)?s?|gift-?(cards?|codes?)|redeem",
        ),
        (
            "payment",
            WRITES,
            r"pay|payments?|checkout|charges?|purchase|payment-?(intents|methods)|cards?",
        ),
        ("cart", WRITES, r"carts?|baskets?|add-?to-?cart|line-?items"),
        ("content", WRITES, r"comments?|reviews?|posts?|messages?|feedback|contact(-?us)?|leads?|tickets?|threads?|notes?"),
        ("search", ("GET", "POST"), r"search|suggest|autocomplete|find|query"),
    )
)
"""(flow, methods, words of the template), the first that fits counts."""

CODE_NAMES = np.array(
    [
        plain_name_hash(name.encode())
        for name in (
            "coupon", "coupon_code", "couponcode", "promo", "promo_code", "promocode", "voucher", "voucher_code", "vouchercode",
            "gift_card", "giftcard", "gift_code", "giftcode", "gift_card_number", "discount_code", "discountcode",
        )
    ],
    np.uint64,
)  # fmt: skip
"""Names of parameters that carry a code somebody could guess."""


def flow_of(method: str, template: str) -> int:
    """The flow that method and template tell, NONE where they tell none."""
    for flow, methods, words in RULES:
        if method in methods and words.search(template):
            return flow
    return NONE


@kernel
def flow_hint(value, current, names):
    """Flow that a value of the request shows, where nothing stronger was seen (`current`). names: CODE_NAMES."""
    if value["location"] == IN_BODY:
        if value["secret"] == CARD or value["secret"] == CVV:
            return np.uint8(PAYMENT)
        if value["secret"] == PASSWORD and current == NONE:
            return np.uint8(LOGIN)
    if current == NONE and (value["location"] == IN_BODY or value["location"] == IN_QUERY):
        for k in range(names.shape[0]):
            if names[k] == value["slot"]:
                return np.uint8(CODE)
    return np.uint8(current)


@kernel
def note_hints(hints, generations, endpoints, rows, values, names):
    """Set `flow` of rows[:] by what their values, and those of the endpoint's requests before them, show.

    hints: uint8[CAPACITY] by endpoint, begun anew when its generation changes. values: in row order.
    """
    at = 0
    for index in range(rows.shape[0]):
        place = rows[index]["endpoint"]
        if generations[place] != endpoints[place]["generation"]:
            generations[place] = endpoints[place]["generation"]
            hints[place] = NONE
        while at < values.shape[0] and values[at]["row"] == index:
            hints[place] = flow_hint(values[at], hints[place], names)
            at += 1
        rows[index]["flow"] = hints[place]


class Flows:
    """Flows of all endpoints. given: the operator's, by `METHOD /template` or `METHOD host/template`."""

    def __init__(self, given: dict[str, str] | None = None):
        self._given = {key: FLOW[name] for key, name in (given or {}).items()}
        self.named = np.zeros(CAPACITY, np.uint8)
        self._named_of = np.zeros(CAPACITY, np.uint32)
        self.hints = np.zeros(CAPACITY, np.uint8)
        self._hints_of = np.zeros(CAPACITY, np.uint32)

    def arrays(self) -> dict[str, np.ndarray]:
        """What was seen of bodies: the rest follows from the endpoints' names."""
        return {"flows.hints": self.hints, "flows.hints_of": self._hints_of}

    def mark(self, endpoints: Endpoints, rows: np.ndarray, values: np.ndarray) -> None:
        """Set `flow` of every row."""
        for place in np.flatnonzero(endpoints.rows["generation"] != self._named_of).tolist():
            self._named_of[place] = endpoints.rows["generation"][place]
            host, method, template = endpoint_text(endpoints, place)
            given = self._given.get(f"{method} {host}{template}", self._given.get(f"{method} {template}"))
            self.named[place] = flow_of(method, template) if given is None else given
        note_hints(self.hints, self._hints_of, endpoints.rows, rows, values, CODE_NAMES)
        named = self.named[rows["endpoint"]]
        rows["flow"] = np.where(named > 0, named, rows["flow"])
