"""Header fields and cookies as parameters, and what JWTs say: from the wire to the inventory, against a plain reader."""

import base64
import json

import hpack
from helpers import ASK, KEY, REPLY, Http, data, examples
from hypothesis import given
from hypothesis import strategies as st
from rows import batch_of, packed

from parsers.http.names import USUAL
from parsers.http.state import EXTRAS, EXTRAS_LIMIT, TOKEN_LIMIT
from sensor.core.records import PACKED_COOKIE, PACKED_PREFIX
from sensor.inventory.analyse import Inventory
from sensor.inventory.parameters import shown_name

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
NAMES = st.sampled_from([*USUAL, "X-Tenant", "x-region", "Idempotency-Key", "X-" + "n" * 62, "Accept-Version", "Cookie"])
VALUES = st.text('abcXYZ0189 =;,-_"', max_size=40).map(str.strip)


def unpacked(raw: bytes) -> list[tuple[str, bool, int, str]]:
    """[(name, whether it is a cookie, bytes as sent, what is kept), …]"""
    found, at = [], 0
    while at < len(raw):
        length, sent, kept = raw[at] & 0x7F, int.from_bytes(raw[at + 1 : at + 3], "little"), raw[at + 3]
        name_end = at + PACKED_PREFIX + length
        is_cookie = raw[at] & PACKED_COOKIE != 0
        found.append(
            (raw[at + PACKED_PREFIX : name_end].decode(), is_cookie, sent, raw[name_end : name_end + kept].decode("latin-1"))
        )
        at = name_end + kept
    return found


def kept_of(value: str) -> str:
    return value if len(value) <= 48 else value[:32] + value[-16:]


def plain_extras(fields: list[tuple[str, str]]) -> list[tuple[str, bool, int, str]]:
    """What is to be handed on of a request's fields, was there room for all."""
    unusual = [(name.lower(), value) for name, value in fields if name.lower() not in USUAL and value and len(name) <= 64][
        :EXTRAS
    ]
    found = []
    for name, value in unusual:
        if name != "cookie":
            found.append((name, False, len(value), kept_of(value)))
            continue
        for part in value.split(";"):
            key, equals, text = part.lstrip(" ").partition("=")
            text = text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
            if equals and key and text:
                found.append((key.lower(), True, len(text), kept_of(text)))
    return found


def row_of(*lines: str, answer: list[str] | None = None) -> dict:
    head = "\r\n".join(("GET / HTTP/1.1", "Host: a", *lines, "", "")).encode("latin-1")
    reply = ANSWER if answer is None else "\r\n".join(("HTTP/1.1 204 No Content", *answer, "", "")).encode("latin-1")
    (row,) = Http().run([data(ASK, head), data(REPLY, reply)])
    return row


@examples(100)
@given(*2 * [st.lists(st.tuples(NAMES.filter(lambda name: name != "Cookie"), VALUES), max_size=8)])
def test_unusual_fields_of_an_answer_are_handed_on_behind_those_of_its_request(asked, answered):
    framing = ("content-length", "transfer-encoding", "upgrade", "expect", "connection")
    asked, answered = ([one for one in fields if one[0] not in framing] for fields in (asked, answered))
    row = row_of(*(f"{name}: {value}" for name, value in asked), answer=[f"{name}: {value}" for name, value in answered])
    for column, fields in (("fields", asked), ("answer_fields", answered)):
        expected, found = plain_extras(fields), unpacked(row[column])
        assert found == expected[: len(found)] and len(found) >= min(len(expected), 6)


@examples(300)
@given(st.lists(st.tuples(NAMES, VALUES), max_size=16))
def test_unusual_fields_are_handed_on(fields):
    fields = [
        (name, value) for name, value in fields if name not in ("content-length", "transfer-encoding", "upgrade", "expect")
    ]
    expected, found = plain_extras(fields), unpacked(row_of(*(f"{name}: {value}" for name, value in fields))["fields"])
    assert found == expected[: len(found)]
    size = sum(PACKED_PREFIX + len(name.encode()) + len(kept) for name, _, _, kept in found)
    assert size <= EXTRAS_LIMIT and (len(found) == len(expected) or size > EXTRAS_LIMIT - 120)


def test_of_long_values_their_ends_are_kept():
    found = unpacked(row_of("Cookie: " + "; ".join(f"c{k}={k:02}{'v' * 500}w" for k in range(40)))["fields"])
    assert 10 <= len(found) < 40
    assert found[7] == ("c7", True, 503, "07" + "v" * 30 + "v" * 15 + "w")
    assert unpacked(row_of("X-Long: " + "w" * 7_000)["fields"]) == [("x-long", False, 7_000, "w" * 48)]


def test_the_same_in_http2():
    fields = [("x-tenant", "acme"), ("cookie", "theme=dark"), ("cookie", "sid=abc"), ("accept", "*/*")]
    head = [(":method", "GET"), (":path", "/a"), (":scheme", "http"), (":authority", "a"), *fields]
    blocks = [hpack.Encoder().encode(block) for block in (head, [(":status", "200"), ("x-tenant", "none")])]
    settings = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
    ask, reply = (settings + len(block).to_bytes(3, "big") + bytes([1, 5, 0, 0, 0, 1]) + block for block in blocks)
    (row,) = Http().run([data(ASK, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + ask), data(REPLY, reply)])
    assert unpacked(row["fields"]) == [("x-tenant", False, 4, "acme"), ("theme", True, 4, "dark"), ("sid", True, 3, "abc")]
    assert unpacked(row["answer_fields"]) == [("x-tenant", False, 4, "none")]


def learned(transactions: list[dict]) -> dict[tuple[str, str], dict]:
    inventory = Inventory(KEY)
    inventory.analyse(batch_of([{"path": "/a"} | one for one in transactions]))
    return {(row["location"], row["name"]): row for row in inventory.parameters()}


def test_what_header_fields_of_answers_expose():
    found = learned(
        [
            {
                "fields": packed(("x-tenant", "a")),
                "answer_fields": packed(
                    ("x-account-mail", f"m{k}@example.org"), ("x-ratelimit-remaining", str(k)), ("x-auth-token", f"t{k}"), ("x-csrf-token", f"t{k}"),
                    ("x-tenant", "a"),
                ),
            }
            for k in range(40)
        ]
        + [{"answer_fields": packed(("x-refused", "b@example.org")), "status": 403}]
    )  # fmt: skip
    assert {name for place, name in found if place == "response_header"} == {
        "x-account-mail", "x-ratelimit-remaining", "x-auth-token", "x-csrf-token", "x-tenant",
    }  # fmt: skip
    mail, left = found["response_header", "x-account-mail"], found["response_header", "x-ratelimit-remaining"]
    assert (mail["sensitive"], mail["seen"], mail["requests"]) == ("email", 40, 0)
    assert (left["sensitive"], left["types"], left["minimum"]) == ("", ["int"], None)
    assert found["response_header", "x-auth-token"]["sensitive"] == "api_key"
    assert found["response_header", "x-csrf-token"]["sensitive"] == ""
    assert found["header", "x-tenant"]["seen"] == found["response_header", "x-tenant"]["seen"] == 40


def test_parameters_of_header_fields_and_cookies():
    found = learned(
        [
            {
                "fields": packed(
                    ("x-tenant", str(100 + k)),
                    ("x-partner-key", f"k{k}"),
                    ("=sid", f"ab{k}"),
                    ("=theme", "dark"),
                    ("=n", str(k)),
                )
            }
            for k in range(50)
        ]
        + [{"fields": packed(("x-rare", "2026-01-01"))}, {}, {"fields": packed(("x-none", "1")), "status": 404}]
    )
    assert set(found) == {
        ("header", "x-tenant"), ("header", "x-partner-key"), ("header", "x-rare"), ("cookie", "sid"), ("cookie", "theme"), ("cookie", "n"),
    }  # fmt: skip
    tenant, key, sid, number = (
        found[name] for name in (("header", "x-tenant"), ("header", "x-partner-key"), ("cookie", "sid"), ("cookie", "n"))
    )
    assert (tenant["seen"], tenant["requests"], tenant["types"], tenant["minimum"], tenant["maximum"]) == (
        50,
        52,
        ["int"],
        100,
        149,
    )
    assert (key["sensitive"], sid["sensitive"]) == ("api_key", "session")
    assert (number["types"], number["minimum"], number["maximum"]) == (["int"], None, None)  # of cookies no range
    assert found["header", "x-rare"]["types"] == ["date"]


def test_of_many_requests_a_share_stands_for_all():
    found = learned([{"fields": packed(("x-tenant", "acme"))} for _ in range(5_000)])
    row = found["header", "x-tenant"]
    assert row["seen"] == row["requests"] and abs(row["seen"] - 5_000) < 16


@examples(200)
@given(st.binary(max_size=60))
def test_no_packed_fields_break_the_reader(raw):
    learned([{"fields": raw}])


def test_values_in_names_are_not_shown():
    found = learned([{"fields": packed(("=_ga_12345678", "1"), ("=mail@example.com", "2"))}])
    assert set(found) == {("cookie", "{text}")} and shown_name("_ga_12345678") == "{text}"


def token_of(header: dict, payload: dict, signature: str = "c2ln") -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, payload))
    return ".".join((*parts, signature))


def claims_of(*tokens: str, **more) -> dict:
    inventory = Inventory(KEY)
    inventory.analyse(
        batch_of(
            [
                {"path": "/a", "token": token.rpartition(".")[0], "credential": k + 1, "auth": "jwt"} | more
                for k, token in enumerate(tokens)
            ]
        )
    )
    (row,) = inventory.endpoints()
    return {name: value for name, value in row.items() if name.startswith("jwt_")}


def test_what_tokens_say_of_themselves():
    claims = {
        "iss": "https://id.shop.test",
        "aud": ["api", "web"],
        "iat": 1_772_528_000,
        "exp": 1_772_531_600,
        "sub": "anna@example.com",
    }
    found = claims_of(
        token_of({"alg": "RS256"}, claims),
        token_of({"alg": "nOnE"}, {"exp": 1_772_528_400 + 90_000}, ""),
        token_of({"alg": "made up"}, {"iss": "anna@example.com"}),
    )
    assert found == {
        "jwt_algorithms": ["other", "none", "RS256"], "jwt_issuers": ["https://id.shop.test", "{text}"], "jwt_audiences": ["api", "web"],
        "jwt_lifetime_s": 89_999, "jwt_unlimited": 1,
    }  # fmt: skip


def test_an_odd_claim_spoils_no_other():
    odd = {"exp": "1772531600", "iat": "soon", "iss": 7, "aud": ["api", {"x": 1}, 5]}
    assert claims_of(token_of({"alg": "HS256"}, odd)) == {
        "jwt_algorithms": ["HS256"], "jwt_issuers": [], "jwt_audiences": ["api"], "jwt_lifetime_s": None, "jwt_unlimited": 0,
    }  # fmt: skip
    told = claims_of(*(token_of({"alg": "HS256"}, {"exp": exp}) for exp in ("never", True, [1], 1e400, "1772528464")))
    assert (told["jwt_lifetime_s"], told["jwt_unlimited"]) == (60, 0), "what is no time is not taken for none"


def test_tokens_that_were_refused_say_nothing():
    found = claims_of(token_of({"alg": "none"}, {}), status=401)
    assert found == {"jwt_algorithms": [], "jwt_issuers": [], "jwt_audiences": [], "jwt_lifetime_s": None, "jwt_unlimited": 0}


@examples(200)
@given(
    st.binary(max_size=60)
    | st.dictionaries(
        st.sampled_from(["exp", "iat", "iss", "aud"]),
        st.none() | st.integers() | st.floats() | st.text() | st.lists(st.integers()),
    ).map(lambda claims: token_of({"alg": "RS256"}, claims).encode())
)
def test_no_token_breaks_the_reader(raw):
    claims_of(raw.decode("latin-1") + ".x")


def test_the_signature_is_left_behind():
    token = token_of({"alg": "RS256", "typ": "JWT"}, {"sub": "1", "iss": "i"}, "s1gnature-that-is-secret")
    for line in (f"Authorization: Bearer {token}", f"Cookie: theme=1; sid={token}"):
        assert row_of(line)["token"] == token.rpartition(".")[0].encode()
    assert row_of(f"Authorization: Bearer {token_of({'alg': 'RS256', 'x': 'y' * TOKEN_LIMIT}, {})}")["token"] == b""


def test_few_words_are_listed_and_names_of_people_are_not():
    found = learned(
        [{"query": f"sort={'asc' if k % 3 else 'desc'}&user=anna&page={k}&word={chr(97 + k % 20)}x"} for k in range(200)]
    )
    assert found["query", "sort"]["values"] == ["asc", "desc"]
    assert [found["query", name]["values"] for name in ("user", "page", "word")] == [[], [], []]
    assert learned([{"query": f"for={'Anna' if k % 3 else 'Ben'}"} for k in range(200)])["query", "for"]["values"] == []
    assert learned([{"query": "sort=asc"}] * 100)["query", "sort"]["values"] == []  # the first is new to the 99 behind it
    late = learned([{"query": "sort=asc"}] * 150 + [{"query": "sort=desc"}])
    assert late["query", "sort"]["values"] == []


def test_a_cookie_that_is_there_twice_counts_once():
    row = learned([{"fields": packed(("=sid", "1"), ("=sid", "2"), ("sid", "3"))}] * 5)["cookie", "sid"]
    assert (row["seen"], row["requests"], row["distinct_values"]) == (5, 5, 2)
