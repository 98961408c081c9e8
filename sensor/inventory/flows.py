"""Business flows: which endpoints log somebody in, take money, redeem a code: what automation is after.

Told by method and template, else by the names of what bodies carry (a password, a card number); the operator's word, in
[flows] of the configuration, goes before both.
"""

import re

import numpy as np

from sensor.core.jit import kernel
from sensor.core.records import FLOW, FLOWS
from sensor.core.sensitive import CARD, CVV, PASSWORD
from sensor.inventory.endpoints import CAPACITY, Endpoints, endpoint_text
from sensor.inventory.secrets import is_among, name_hash, name_hashes, secret_by_name
from sensor.inventory.values import IN_BODY, IN_PATH, IN_QUERY

NONE, LOGIN, SIGNUP, RESET, PAYMENT, CODE, CART, SEARCH, CONTENT = range(len(FLOWS))

SERVED_FROM, SERVED_TO, CREATED = 200, 400, 201
FORM_OF_SIGNUP = 4
"""Fields beside which a password that makes something (201) makes an account: a log-in has two or three."""
MOST_VOTES = 1_000
WRITES = ("POST", "PUT", "PATCH")
LOOKED_AT = 128
"""Bytes of a template in which a name is looked for."""
_WORD = r"(?i)(^|[/._#:-])({})([/._-]|$)"
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
STEM = 4


def _stem(word: str) -> str:
    """Letters that stand wherever a word of WORDS does: its first ones, without one that may be missing."""
    letters = re.match(r"[a-z]+", word)[0]  # type: ignore[index]
    return (letters[:-1] if word[len(letters) :].startswith("?") else letters)[:STEM]


WORDS = (
    ("reset", WRITES,
     "forgot(-?password)? password-?reset reset-?(password|code) recover(y)?",
     "passwort-?(vergessen|zuruecksetzen) mot-?de-?passe-?oublie recuperar restablecer wachtwoord-?vergeten"),
    ("login", WRITES,
     "log-?in log-?on sign-?in authenticate auth oauth2? token sessions?",
     "anmelden anmeldung einloggen connexion identification iniciar-?sesion acceder ingresar entrar",
     "accedi accesso inloggen aanmelden zaloguj logowanie"),
    ("signup", WRITES,
     "sign-?up register registration create-?account accounts?/new",
     "registrieren registrierung inscription registro registrarse registrar cadastro registrazione registreren rejestracja"),
    ("code", ("GET", *WRITES),
     "coupons? vouchers? promo(tion)?s?(-?codes?)? discount(-?codes?)?s? gift-?(cards?|codes?) redeem",
     "gutscheine? geschenkkarten? rabattcode codes?-?promo cheques?-?cadeaux? cupon(es)? cupo(m|ns) kortingscode cadeaukaart"),
    ("payment", WRITES,
     "pay payments? checkout charges? purchase payment-?(intents|methods) cards?",
     "bezahlen zahlung kasse paiement payer pagos? pagar pagamentos? betalen betaling platnosc"),
    ("cart", WRITES,
     "carts? baskets? add-?to-?cart line-?items holds? seat-?holds? reserve",
     "warenkorb panier carrito carrinho carrello winkelwagen koszyk reservieren reserver reservar prenota reserveren"),
    ("content", WRITES,
     "comments? reviews? posts? messages? repl(y|ies) answers? feedback contact(-?us)? leads? tickets? threads? notes?",
     "guestbook kontakt(formular)? anfragen? contacto contatto contato kommentare? kommentieren bewertung(en)? antwort(en)?",
     "commentaires? avis reponses? comentarios? respuestas?",
     "opiniones resenas recensioni reacties opinie"),
    ("search", ("GET", "POST"),
     "search suggest autocomplete find query",
     "suche recherche buscar? busqueda cerca zoeken szukaj"),
)  # fmt: skip
"""(flow, methods, words of the template in English, in other languages of the web), the first that fits counts."""
RULES = tuple(
    (FLOW[flow], methods, re.compile(_WORD.format("|".join(" ".join(words).split()).replace("-?", "[-_]?"))))
    for flow, methods, *words in WORDS
)

STEMS = re.compile("(?i)" + "|".join(sorted({_stem(word) for _, _, *words in WORDS for word in " ".join(words).split()})))
"""One of these stands in every word above: most templates have none, and whoever tries paths costs no more than this."""

CODE_NAMES = name_hashes(
    "coupon", "coupon_code", "couponcode", "promo", "promo_code", "promocode", "voucher", "voucher_code", "vouchercode",
    "gift_card", "giftcard", "gift_code", "giftcode", "gift_card_number", "discount_code", "discountcode",
)  # fmt: skip
"""Names of parameters that carry a code somebody could guess."""


ACTION_NAMES = name_hashes("do", "action", "act", "op", "cmd", "method", "task", "mode", "func", "function")
"""Names of parameters of a query that say what a script is to do: one path, many endpoints."""
ACTIONS = {
    "login": "login logon signin authenticate auth",
    "signup": "signup register registration create_account createaccount",
    "reset": "reset forgot lostpassword resetpassword reset_password recover",
    "code": "voucher coupon promo giftcard gift_card redeem applycoupon apply_coupon applyvoucher apply_voucher",
    "payment": "pay payment checkout charge purchase",
    "cart": "cart addtocart add_to_cart basket",
    "search": "search suggest autocomplete",
    "content": "comment reply review message contact feedback post",
}
ACTION_WORDS = np.concatenate([name_hashes(*words.split()) for words in ACTIONS.values()])
ACTION_FLOWS = np.concatenate([np.full(len(words.split()), FLOW[flow], np.uint8) for flow, words in ACTIONS.items()])


def flow_of(method: str, template: str) -> int:
    """The flow that method and template tell, NONE where they tell none."""
    template = _HUMP.sub("-", template[:LOOKED_AT])
    if not STEMS.search(template):
        return NONE
    for flow, methods, words in RULES:
        found = words.search(template) if method in methods else None
        if found and flow == SIGNUP and template.startswith("/{", found.end(2)):
            continue  # who registers for something has an account
        if found:
            return flow
    return NONE


@kernel
def flow_hint(value, names):
    """Flow that one value of a request shows by its name, NONE where it shows none. names: CODE_NAMES."""
    if value["location"] == IN_BODY:
        if value["secret"] == CVV or (value["secret"] == CARD and secret_by_name(value["slot"]) == CARD):
            return np.uint8(PAYMENT)
        if value["secret"] == PASSWORD:
            return np.uint8(LOGIN)
    if value["location"] != IN_PATH and is_among(value["slot"], names):
        return np.uint8(CODE)
    return np.uint8(NONE)


@kernel
def action_flow(value, arena, names, words, flows):
    """Flow that a parameter of the query names outright, NONE where it names none. names: ACTION_NAMES, words: ACTION_WORDS."""
    if value["location"] != IN_QUERY or not is_among(value["slot"], names):
        return np.uint8(NONE)
    hashed = name_hash(arena, np.int64(value["at"]), np.int64(value["len"]))
    for k in range(words.shape[0]):
        if words[k] == hashed:
            return flows[k]
    return np.uint8(NONE)


@kernel
def vote(hints, votes, place, hint):
    """One served request's hint: the endpoint keeps that of most (Boyer and Moore's majority vote)."""
    if hints[place] == hint:
        votes[place] = min(votes[place] + 1, MOST_VOTES)
    elif votes[place] > 0:
        votes[place] -= 1
    else:
        hints[place] = hint
        votes[place] = 1


@kernel
def note_hints(hints, votes, generations, endpoints, rows, arena, values, names):
    """Set `flow` of rows[:] by what the served requests of their endpoints, and they themselves, carry for the most part; by
    what they ask a script to do, where they say it.

    hints: uint8[CAPACITY] by endpoint, with their votes, begun anew when its generation changes. values: in row order.
    """
    at = 0
    for index in range(rows.shape[0]):
        place = rows[index]["endpoint"]
        if generations[place] != endpoints[place]["generation"]:
            generations[place] = endpoints[place]["generation"]
            hints[place] = NONE
            votes[place] = 0
        hint, fields, action = np.uint8(NONE), 0, np.uint8(NONE)
        while at < values.shape[0] and values[at]["row"] == index:
            hint = max(hint, flow_hint(values[at], names))
            action = max(action, action_flow(values[at], arena, ACTION_NAMES, ACTION_WORDS, ACTION_FLOWS))
            fields += values[at]["location"] == IN_BODY
            at += 1
        if hint == LOGIN and rows[index]["status"] == CREATED and fields >= FORM_OF_SIGNUP:
            hint = np.uint8(SIGNUP)
        if SERVED_FROM <= rows[index]["status"] < SERVED_TO:
            vote(hints, votes, place, hint)
        rows[index]["flow"] = action if action != NONE and hint == NONE else hints[place]


class Flows:
    """Flows of all endpoints. given: the operator's, by `METHOD /template` or `METHOD host/template`."""

    def __init__(self, given: dict[str, str] | None = None):
        self._given = {key: FLOW[name] for key, name in (given or {}).items()}
        self.named = np.zeros(CAPACITY, np.uint8)
        self._named_of = np.zeros(CAPACITY, np.uint32)
        self.hints = np.zeros(CAPACITY, np.uint8)
        self._votes = np.zeros(CAPACITY, np.int32)
        self._hints_of = np.zeros(CAPACITY, np.uint32)

    def arrays(self) -> dict[str, np.ndarray]:
        """What was seen of bodies: the rest follows from the endpoints' names."""
        return {"flows.hints": self.hints, "flows.votes": self._votes, "flows.hints_of": self._hints_of}

    def mark(self, endpoints: Endpoints, rows: np.ndarray, arena: np.ndarray, values: np.ndarray) -> None:
        """Set `flow` of every row."""
        for place in np.flatnonzero(endpoints.rows["generation"] != self._named_of).tolist():
            self._named_of[place] = endpoints.rows["generation"][place]
            host, method, template = endpoint_text(endpoints, place)
            given = self._given.get(f"{method} {host}{template}", self._given.get(f"{method} {template}"))
            self.named[place] = flow_of(method, template) if given is None else given
        note_hints(self.hints, self._votes, self._hints_of, endpoints.rows, rows, arena, values, CODE_NAMES)
        named = self.named[rows["endpoint"]]
        rows["flow"] = np.where(named > 0, named, rows["flow"])
