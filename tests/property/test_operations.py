"""Operations named in bodies: GraphQL against graphql-core, JSON against the standard library, hostile bytes of any kind."""

import json
import random
import urllib.parse

import graphql
import numpy as np
import pytest
from helpers import examples
from hypothesis import given
from hypothesis import strategies as st

from parsers.body.json import next_member, outermost, unescape
from parsers.body.operations import find_operations, unquote
from sensor.core.records import MEDIA, OPERATIONS, TRANSACTION, Batch
from sensor.core.wide import SLACK, padded


def operation_of(body: bytes = b"", media: str = "json", path: bytes = b"/graphql", query: bytes = b"") -> dict:
    """What is found in one request."""
    rows = np.zeros(1, TRANSACTION)
    rows["request_body_len"], rows["request_media"] = len(body), MEDIA[media]
    rows["path_len"], rows["query_at"], rows["query_len"] = len(path), len(path), len(query)
    batch = find_operations(Batch(rows, padded(path + query), len(path + query), padded(body), len(body)))
    return {
        "type": OPERATIONS[int(rows["operation_type"][0])],
        "name": batch.text(0, "operation"),
        "fields": batch.text(0, "root_fields").split(b",") if rows["root_fields_len"][0] else [],
        "depth": int(rows["graphql_depth"][0]),
        "aliases": int(rows["graphql_aliases"][0]),
    }


def sent(document: str, **members) -> bytes:
    return json.dumps({"query": document, **members}).encode()


class Facts(graphql.Visitor):
    """The same facts, told by graphql-core's syntax tree: of the whole document, but for fields those of one operation."""

    def __init__(self):
        super().__init__()
        self.depth, self.aliases, self._depth, self._aliases = 0, 0, 0, 0

    def enter_selection_set(self, *_):
        self._depth += 1
        self.depth = max(self.depth, self._depth)

    def leave_selection_set(self, *_):
        self._depth -= 1

    def enter_field(self, node, *_):
        self._aliases += node.alias is not None
        self.aliases = max(self.aliases, self._aliases)

    def enter_operation_definition(self, *_):
        self._aliases = 0

    enter_fragment_definition = enter_operation_definition


def facts_of(document: str, wanted: str | None = None) -> dict:
    tree = graphql.parse(document)
    operations = [node for node in tree.definitions if isinstance(node, graphql.OperationDefinitionNode)]
    chosen = next((node for node in operations if wanted and node.name and node.name.value == wanted), operations[0])
    facts = Facts()
    graphql.visit(tree, facts)
    fields = [node.name.value.encode() for node in chosen.selection_set.selections if isinstance(node, graphql.FieldNode)]
    return {
        "type": chosen.operation.value,
        "name": chosen.name.value.encode() if chosen.name else b"",
        "fields": list(dict.fromkeys(fields)),
        "depth": facts.depth,
        "aliases": facts.aliases,
    }


WORDS = ("user", "orders", "items", "on", "query", "id", "price", "_meta", "fragment", "name2")


class Writer:
    """Random documents."""

    def __init__(self, seed):
        self.choose = random.Random(seed)

    def arguments(self):
        values = ["1", '"a{b}(c)\\\\"', '"""block "quoted" { ( """', "$x", "[1, {a: {b: 2}}]", '{a: "}"}', "null", "RED"]
        return "" if self.choose.random() < 0.6 else f"(first: {self.choose.choice(values)}, y: {self.choose.choice(values)})"

    def directive(self):
        return (
            ""
            if self.choose.random() < 0.8
            else self.choose.choice([" @skip(if: $x)", " @live", " @include(if: true) @cached"])
        )

    def selection(self, depth=0):
        choose, parts = self.choose, []
        for _ in range(choose.randrange(1, 4)):
            roll = choose.random()
            if roll < 0.1:
                parts.append("...Shared" + self.directive())
            elif roll < 0.2 and depth < 4:
                condition = choose.choice(["on User ", "on Query ", ""])
                parts.append(f"... {condition}{self.directive()}{self.selection(depth + 1)}")
            else:
                alias = f"{choose.choice(WORDS)} : " if choose.random() < 0.3 else ""
                below = self.selection(depth + 1) if depth < 4 and choose.random() < 0.4 else ""
                parts.append(f"{alias}{choose.choice(WORDS)}{self.arguments()}{self.directive()}{below}")
        space = choose.choice([" ", "\n", " , ", " # a { comment\n"])
        return "{" + space + space.join(parts) + space + "}"

    def document(self):
        choose = self.choose
        if choose.random() < 0.3:
            return self.selection(), None
        parts, names = [], []
        for k in range(choose.choice([1, 1, 2, 3])):
            names.append(f"Op{k}")
            variables = '($x: [Int!]! = [1], $y: String = "(")' if choose.random() < 0.5 else ""
            kind = choose.choice(["query", "mutation", "subscription"])
            parts.append(f"{kind} Op{k}{variables}{self.directive()} {self.selection()}")
        if choose.random() < 0.5:
            parts.append(f"fragment Shared on User {self.selection()}")
        return "\n".join(choose.sample(parts, len(parts))), choose.choice([*names, None])


@examples(1500)
@given(st.integers(0, 10**9))
def test_documents_as_graphql_core_reads_them(seed):
    document, wanted = Writer(seed).document()
    members = {"variables": {"query": "{no}", "x": [1, "}"]}}
    if wanted:
        members["operationName"] = wanted
    body = {"query": document, **members} if seed % 2 else {**members, "query": document}
    assert operation_of(json.dumps(body).encode()) == facts_of(document, wanted)
    assert operation_of(document.encode(), "graphql") == facts_of(document)


def test_a_document_in_the_url():
    found = operation_of(query=b"a=1&query=query+Find%28%24x%3AInt%29%7Buser%28id%3A%24x%29%7Bname%7D%7D&variables=%7B%7D")
    assert found == {"type": "query", "name": b"Find", "fields": [b"user"], "depth": 2, "aliases": 0}
    both = operation_of(query=b"query=query+A%7Ba%7D+query+B%7Bb%7D&operationName=B")
    assert (both["name"], both["fields"]) == (b"B", [b"b"])
    assert operation_of(path=b"/search", query=b"query=%7Buser%7D")["type"] == ""


SOAP_BODY = (
    b'<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header><a:Action/></s:Header>'
    b'<s:Body><m:GetPrice xmlns:m="urn:x"><m:Item/></m:GetPrice></s:Body></s:Envelope>'
)


@pytest.mark.parametrize(("body", "media", "kind", "name"), [
    (b'{"jsonrpc":"2.0","method":"eth_call","params":[{"method":"no"}],"id":1}', "json", "jsonrpc", b"eth_call"),
    (b' [ {"id":1, "method" : "a.b" , "jsonrpc":"2.0"}, {"jsonrpc":"2.0","method":"other"}]', "json", "jsonrpc", b"a.b"),
    (b'{"jsonrpc":"2.0","method":"drop table; --"}', "json", "jsonrpc", b""),
    (b'{"operationName":"HomeFeed","variables":{},"extensions":{"persistedQuery":{"version":1,"sha256Hash":"ab"}}}', "json",
     "persisted", b"HomeFeed"),
    (b'{"operationName":"HomeFeed","variables":{}}', "json", "", b""),
    (b'{"extensions":{},"operationName":7}', "json", "", b""),
    (b'{"method":"GET","url":"/x"}', "json", "", b""),
    (b'{"query":"shoes in red"}', "json", "", b""),
    (b'{"query":"query"}', "json", "", b""),
    (b'{"query":{"match":{"a":"{b}"}}}', "json", "", b""),
    (b'{"query":"{"}', "json", "", b""),
    (b'{"query":"{job=\\"api\\", env=\\"x\\"} |= \\"err\\""}', "json", "", b""),
    (b'{"jsonrpc":"2.0","method":"' + b"m" * 65 + b'"}', "json", "jsonrpc", b""),
    (SOAP_BODY, "xml", "soap", b"GetPrice"),
    (b"<Envelope><!-- <Body><No/> --><Body>\n<Login></Login></Body></Envelope>", "xml", "soap", b"Login"),
    (b"<order><Body><x/></Body></order>", "xml", "", b""),
    (b"<Envelope><Body", "xml", "", b""),
])  # fmt: skip
def test_named_operations(body, media, kind, name):
    found = operation_of(body, media)
    assert (found["type"], found["name"]) == (kind, name)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@examples(500)
@given(st.dictionaries(st.text(min_size=1, max_size=6), JSON_VALUES, max_size=5), st.sampled_from([None, 1]), st.booleans())
def test_members_as_the_standard_library_reads_them(value, indent, plain):
    text = json.dumps(value, indent=indent, ensure_ascii=plain).encode()
    buffer, at, found = padded(text), outermost(padded(text), 0, len(text)), []
    while True:
        key, key_end, begin, at = next_member(buffer, at, len(text))
        if key < 0:
            break
        found.append((json.loads(text[key - 1 : key_end + 1]), json.loads(text[begin:at])))
    assert found == list(value.items())


@examples(300)
@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=40))
def test_strings_unescaped(text):
    escaped = json.dumps(text).encode()
    target = np.zeros(200, np.uint8)
    end = unescape(padded(escaped), 1, len(escaped) - 1, target, 0, 100)
    assert target[:end].tobytes() == text.encode()


@examples(1500)
@given(st.binary(max_size=80), st.sampled_from(["json", "xml", "graphql"]), st.integers(0, 60))
def test_any_bytes(noise, media, cut):
    """No error on anything: noise, and honest bodies that noise cuts."""
    bodies = {"json": sent('query A($x:Int){a:b(c:"\\u0041"){d}}', operationName="A"), "graphql": b"query A{b{...on C{d}}}",
              "xml": b"<s:Envelope><s:Body><m:Op/></s:Body></s:Envelope>"}  # fmt: skip
    operation_of(noise, media)
    operation_of(bodies[media][:cut] + noise, media)
    operation_of(query=b"query=" + noise)


def test_long_names_and_many_fields_are_bounded():
    document = "query " + "N" * 500 + "{" + " ".join(f"field{k}: f{k}" for k in range(900)) + "}"
    found = operation_of(sent(document)[:16_384])
    assert found["name"] == b""
    assert found["aliases"] == 900
    assert len(b",".join(found["fields"])) <= 192
    assert SLACK > 64


@given(st.text("%0aFzG+&=", max_size=24))
@examples(1500)
def test_percent_signs_that_encode_nothing_stand_for_themselves(given_text):
    text, target = padded(given_text.encode()), np.zeros(64, np.uint8)
    length = unquote(text, 0, len(given_text), target, 64)
    assert target[:length].tobytes() == urllib.parse.unquote_to_bytes(given_text.replace("+", " "))
