"""Business flows of endpoints: by name, by what bodies carry, by the operator's word."""

import re

import pytest
from rows import batch_of

from sensor.config import ConfigError, load_config
from sensor.core.records import FLOWS
from sensor.inventory.analyse import Inventory
from sensor.inventory.flows import STEMS, WORDS, flow_of


@pytest.mark.parametrize(
    ("method", "template", "flow"),
    [
        ("POST", "/v1/login", "login"),
        ("POST", "/api/auth/sign-in", "login"),
        ("POST", "/oauth2/token", "login"),
        ("GET", "/v1/login", ""),
        ("POST", "/users/register", "signup"),
        ("POST", "/exams/register/{int}", ""),
        ("POST", "/thread/{int}/reply", "content"),
        ("POST", "/password-reset", "reset"),
        ("POST", "/v1/orders/{int}/payments", "payment"),
        ("POST", "/checkout", "payment"),
        ("GET", "/v1/coupons/{hex}", "code"),
        ("POST", "/gift-cards/balance", "code"),
        ("POST", "/v1/cart/items", "cart"),
        ("GET", "/search", "search"),
        ("POST", "/posts/{int}/comments", "content"),
        ("GET", "/v1/products/{int}", ""),
        ("POST", "/v1/tokenizers", ""),
        ("POST", "/users/sign_in.json", "login"),
        ("POST", "/konto/anmelden", "login"),
        ("POST", "/compte/connexion", "login"),
        ("POST", "/konto/passwort-vergessen", "reset"),
        ("POST", "/cuenta/registro", "signup"),
        ("POST", "/warenkorb/hinzufuegen", "cart"),
        ("POST", "/geschenkkarte/guthaben", "code"),
        ("POST", "/graphql#mutation:Login", "login"),
        ("POST", "/graphql#mutation:createAccount", "signup"),
        ("POST", "/api/user/resetCode", "reset"),
    ],
)
def test_names_tell(method, template, flow):
    assert FLOWS[flow_of(method, template)] == flow


def test_every_word_has_a_stem():
    """Templates without any are not looked at further."""
    for _, _, *words in WORDS:
        for word in " ".join(words).split():
            whole = re.sub(r"\(([^()|]*)(\|[^()]*)?\)\??", r"\1", word).replace("?", "")
            assert STEMS.search(whole), word
            shorter = re.sub(r"\([^()]*\)\?|.\?", "", word)
            assert STEMS.search(re.sub(r"\(([^()|]*)(\|[^()]*)?\)", r"\1", shorter)), word


def flows_of(requests, given=None):
    inventory = Inventory((1, 2), given)
    batch, _, _ = inventory.analyse(batch_of([{"method": "POST"} | request for request in requests]))
    return [FLOWS[code] for code in batch.rows["flow"].tolist()]


def test_bodies_tell_where_names_do_not():
    password, card = b'{"u":"x","password":"y"}', b'{"pan":"4000001234567899"}'
    assert flows_of([{"path": "/enter", "sent": password}, {"path": "/enter"}]) == ["login", "login"]
    assert flows_of([{"path": "/enter"}, *[{"path": "/enter", "sent": password}] * 2]) == ["", "", "login"]
    account = {"path": "/join", "sent": b'{"name":"a","email":"a@b.test","password":"y","terms":true}'}
    assert flows_of([account | {"status": 201}]) == ["signup"] and flows_of([account]) == ["login"]
    assert flows_of([{"path": "/enter", "sent": password, "status": 201}]) == ["login"]
    assert flows_of([{"path": "/order", "sent": card}]) == ["payment"]
    assert flows_of([{"path": "/enter", "sent": password, "status": 400}]) == [""]  # whoever is refused teaches nothing
    assert flows_of([{"path": "/x"}] * 9 + [{"path": "/x", "sent": password}] * 5)[-1] == ""
    assert flows_of([{"path": "/things", "sent": b'{"id":4000001234567899}'}]) == [""]
    assert flows_of([{"path": "/order", "query": "promo_code=X"}]) == ["code"]


def test_the_operator_goes_first():
    given = {"POST /enter": "login", "POST api.test/v1/login": "search"}
    assert flows_of([{"path": "/enter"}, {"path": "/v1/login"}], given) == ["login", "search"]


def test_a_flow_that_is_none_is_refused_in_words(tmp_path):
    file = tmp_path / "t.toml"
    file.write_text('[flows]\n"POST /enter" = "entry"\n')
    with pytest.raises(ConfigError, match="flows are login, signup"):
        load_config(str(file))
    file.write_text('[flows]\n"POST /enter" = "login"\n')
    assert load_config(str(file)).flows == {"POST /enter": "login"}
