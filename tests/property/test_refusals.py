"""Answers that say no although their status does not, against a plain reader; where a Location leads."""

import json
import urllib.parse

import h2.config
import h2.connection
import numpy as np
import pytest
from helpers import ASK, REPLY, Http, data, examples
from hypothesis import given
from hypothesis import strategies as st
from rows import batch_of

from parsers.http.target import location_hash
from sensor.core.hashing import LOCATION_ERROR, LOCATION_SEED, hash_bytes, with_query
from sensor.core.wide import padded
from sensor.inventory.analyse import Inventory
from sensor.inventory.refusals import ERRORS, REFUSED, STATES, SUCCESSES, UNTOLD, json_refuses

NOTHING = ("", "false", "no", "0", "null", "none")
WENT_BADLY = ("error", "fail", "failed", "declined", "denied", "rejected", "invalid")
NAMES = {
    "success": 1,
    "ok": 1,
    "Authenticated": 1,
    "error": 2,
    "errors": 2,
    "error_message": 2,
    "status": 3,
    "result": 3,
    "data": 0,
}
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 2), st.integers(398, 402), st.just(1.5), st.sampled_from([*NOTHING, *WENT_BADLY, "fine"]),
    st.lists(st.integers(0, 3), max_size=2), st.dictionaries(st.sampled_from(["success", "error", "x"]), st.booleans(), max_size=2),
)  # fmt: skip
TREES = st.dictionaries(st.sampled_from(sorted(NAMES)), VALUES, max_size=4)


def plain_refuses(tree: dict) -> bool:
    def nothing(value) -> bool:
        return value in (None, False, 0, [], {}) or (isinstance(value, str) and value.lower() in NOTHING)

    def badly(value) -> bool:
        if isinstance(value, str):
            return value.lower() in WENT_BADLY
        return isinstance(value, int) and not isinstance(value, bool) and 400 <= value < 600

    says = {0: lambda _: False, 1: nothing, 2: lambda value: not nothing(value), 3: badly}
    return any(says[NAMES[name]](value) for name, value in tree.items())


def refuses(text: bytes) -> bool:
    return bool(json_refuses(padded(text), 0, len(text), True, SUCCESSES, ERRORS, STATES))


@examples(400)
@given(TREES, st.sampled_from([None, 2]))
def test_members_against_a_plain_reader(tree, indent):
    assert refuses(json.dumps(tree, indent=indent).encode()) == plain_refuses(tree)
    assert not refuses(json.dumps([tree]).encode()) and not refuses(json.dumps({"data": tree}).encode())


@examples(200)
@given(TREES, st.integers(0, 60))
def test_what_is_cut_off_or_no_json_is_survived(tree, cut):
    refuses(json.dumps(tree).encode()[:cut])
    refuses(b"\xff" + json.dumps(tree).encode()[cut:])


@examples(200)
@given(
    st.sampled_from(["", "http://a.example", "https://a:8443", "//a.example"]), st.sampled_from(["", "/", "/login", "/a/b;c", "x/y"]),
    st.sampled_from(["", "?error=1", "?next=/x", "#top", "?a=1#b", "?", "?login_error"]),
)  # fmt: skip
def test_where_a_location_leads(authority, path, rest):
    text = (authority + path + rest).encode()
    found = int(location_hash(padded(text), 0, len(text)))
    if authority == "//a.example" or not path.startswith("/"):  # a name without its scheme is taken for a path: no path fits it
        return
    own = urllib.parse.urlsplit(text).path
    if "error" in rest:
        assert found == int(LOCATION_ERROR)
        return
    path = hash_bytes(padded(own), 0, len(own), LOCATION_SEED)
    query = with_query(np.uint64(path), np.uint64(hash_bytes(padded(b"a=1"), 0, 3, LOCATION_SEED)))
    assert found == int(query if "?a=1" in rest else path)


REDIRECTED = b"HTTP/1.1 302 Found\r\nLocation: https://a/login?next=/a\r\nContent-Length: 0\r\n\r\n"


def test_a_location_goes_with_its_transaction():
    own = int(hash_bytes(padded(b"/login"), 0, 6, LOCATION_SEED))
    (row,) = Http().run([data(ASK, b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"), data(REPLY, REDIRECTED)])
    assert int(row["location"]) == own
    client = h2.connection.H2Connection(h2.config.H2Configuration(True, header_encoding="utf-8"))
    server = h2.connection.H2Connection(h2.config.H2Configuration(False, header_encoding="utf-8"))
    client.initiate_connection()
    server.initiate_connection()
    for stream in (1, 3):
        fields = [(":method", "GET"), (":path", "/"), (":authority", "a"), (":scheme", "http")]
        client.send_headers(stream, fields, end_stream=True)
    asked = client.data_to_send()
    server.receive_data(asked)
    server.send_headers(1, [(":status", "302"), ("location", "/login")], end_stream=True)
    server.send_headers(3, [(":status", "200")], end_stream=True)
    rows = Http().run([data(ASK, asked), data(REPLY, server.data_to_send())])
    assert [int(row["location"]) for row in rows] == [own, 0]


def marked(requests: list[dict], to: list[str] | None = None) -> list[int]:
    """`refused` of requests; to: the paths that their answers lead to."""
    inventory, batch = Inventory((1, 2)), batch_of([{"method": "POST", "path": "/login"} | request for request in requests])
    for row, path in zip(batch.rows, to or [], strict=bool(to)):
        row["location"] = hash_bytes(padded(path.encode()), 0, len(path), LOCATION_SEED) if path else np.uint64(0)
    batch, _, _ = inventory.analyse(batch)
    inventory.read_answers(batch)
    return batch.rows["refused"].tolist()


FORM = {"media": "form", "sent": b"username=a&password=b"}
PAGE = FORM | {"response_type": "text/html"}


def test_a_form_that_is_shown_again():
    assert marked([FORM | {"status": 302}] * 3, ["/login", "/account", ""]) == [REFUSED, 0, 0]
    assert marked([PAGE, FORM | {"status": 302}, PAGE, PAGE | {"status": 401}], ["", "/account", "", ""]) == [0, 0, REFUSED, 0]
    assert marked([FORM | {"status": 302, "path": "/notes"}, PAGE | {"path": "/notes"}], ["/x", ""]) == [0, 0]
    assert marked([FORM | {"status": 302, "path": "/cart"}], ["/cart"]) == [0], "the basket is shown, with what was put into it"


def test_a_form_that_leads_back_to_its_own_query_refuses():
    inventory = Inventory((1, 2))
    batch = batch_of(
        [FORM | {"method": "POST", "path": "/login", "query": query, "status": 302} for query in ("x=1", "x=2", "")]
    )
    batch.rows["location"] = location_hash(padded(b"/login?x=1"), 0, 10)
    batch, _, _ = inventory.analyse(batch)
    inventory.read_answers(batch)
    assert batch.rows["refused"].tolist() == [REFUSED, 0, 0]


@pytest.mark.parametrize(
    ("location", "refused"),
    [
        ("/login?error=1", 1),
        ("/x?login_failed", 1),
        ("login?err=3", 1),
        ("/login?next=%2Fa", 1),
        ("/login?step=2", 0),
        ("/?a=errand", 0),
    ],
)
def test_what_the_query_of_a_location_says(location, refused):
    inventory, batch = Inventory((1, 2)), batch_of([FORM | {"method": "POST", "path": "/login", "status": 302}])
    batch.rows["location"] = location_hash(padded(location.encode()), 0, len(location))
    batch, _, _ = inventory.analyse(batch)
    inventory.read_answers(batch)
    assert batch.rows["refused"].tolist() == [REFUSED * refused]


def test_an_answer_that_was_not_seen_says_nothing():
    no, unseen = {"answer": b'{"success":false}'}, {"answer_media": "json"}
    assert marked([unseen, no, unseen, {"answer": b'{"success":true}'}, no | {"status": 400}]) == [0, REFUSED, UNTOLD, 0, 0]


def test_the_state_of_a_thing_is_no_refusal():
    declined = {"answer": b'{"id":1,"status":"declined"}', "method": "GET"}
    assert marked([declined | {"path": "/v1/payments/7"}, declined | {"method": "POST", "path": "/v1/payments"}]) == [
        0,
        REFUSED,
    ]


@pytest.mark.parametrize(
    ("text", "says_no"),
    [
        (b'{"errors":[{"message":"Invalid e-mail or password"}],"data":{"login":null}}', True),
        (b'{"success":false,"code":4021,"msg":"Payment declined by issuer","data":null}', True),
        (b'{"status":"declined","id":"ch_1"}', True),
        (b'{"error":{"code":"bad_credentials"}}', True),
        (b'{"data":{"login":{"token":"x"}}}', False),
        (b'{"status":"succeeded","error":null,"errors":[]}', False),
        (b'{"token":"abc","user":{"valid":false,"error":"x"}}', False),
        (b'{"status":200,"result":"ok"}', False),
    ],
)
def test_answers_of_real_services(text, says_no):
    assert refuses(text) == says_no
