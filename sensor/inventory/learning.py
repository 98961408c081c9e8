"""Which words of paths are values: decided from the endpoints that were served, place by place, from the root down.

A word at a place is a name (`/users/search`) or a value (`/products/red-shoe`). Two signs tell, and neither alone:

- the unseen mass: of a fixed set of names everything is seen before long, of values there is always a next one. Good and
  Turing's estimate is the share of requests for words that were asked for once, f1 / n (Good 1953); its lower bound counts;
- structure: below a value, and in the answers for it, things are alike (`/reviews`, the same JSON keys); names differ.

Only answered requests teach (2xx, 3xx): what a scanner tries and does not find is no evidence. All figures are sums over what
was seen, so that the order in which it came makes no difference.
"""

import collections
import dataclasses
import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from sensor.core.placeholders import CLASSES
from sensor.inventory.lexical import FUZZY, MIXING

SLUG = "{slug}"
CONFIDENT = 1.64
"""Standard deviations below the estimate: one-sided, 95 %."""
UNSEEN = 0.2
"""Unseen mass, with its bound, from which on there is always a next value."""
FEW_ALIKE, MANY, VERY_MANY = 12, 64, 200
"""Words that must have been seen where structure says that they are values, says nothing, or contradicts. Early on the unseen
mass of names is large, too: only that there are fewer of them than MANY tells them apart."""
SATURATED = 8
"""Words that are enough where nearly all were seen but all are alike: a small catalogue, the tenants of a service."""
FUZZY_TEXTS = frozenset(f"{{{name}}}" for name, fuzzy in zip(CLASSES, FUZZY, strict=True) if fuzzy)
GENERATED, GENERATED_LETTERS = 8, 12
"""Characters from which on a word with a digit, and one of both cases, may be an identifier that nobody made up."""
SOME, SOME_WORDS = 0.1, 3
"""Share, and number, of the words that must have a sign for those that have it to be alike."""
ALIKE, DIFFERENT, INFORMED = 0.7, 0.4, 0.8
"""Agreement from which on words are alike, up to which they differ; share of them of which something must be known."""
HOT, HOT_REQUESTS = 5.0, 20
"""A word asked for so many times as often as any other, and at least so often, is a name: `/users/me`."""
FEW_SHAPES = 3
OWN_REQUESTS = 8
"""Requests after which a word whose structure is its own is a name."""
VERSION = re.compile(r"v\d[\d.]*([ab].*)?\Z", re.IGNORECASE)
"""`v1`, `v2.1`, `v1beta1`: as the kernel `is_version` has it."""
Sign = tuple[str, str, int]


@dataclasses.dataclass(frozen=True)
class Leaf:
    """One endpoint as it stands."""

    place: int
    method: str
    segments: tuple[str, ...]
    served: int
    """requests that were answered with 2xx or 3xx"""
    shape: int
    """of its JSON answers, 0 unknown"""


@dataclasses.dataclass(slots=True)
class Node:
    """A place in the tree of one host."""

    children: dict[str, "Node"] = dataclasses.field(default_factory=dict)
    leaves: list[Leaf] = dataclasses.field(default_factory=list)
    served: int = 0
    """requests that were served at or below it"""


@dataclasses.dataclass(frozen=True)
class Decision:
    """Words behind `prefix` are values, but for those that stay names."""

    prefix: str
    names: tuple[str, ...]
    reason: str


def decide(leaves: Iterable[Leaf], is_known: Callable[[str], bool], is_name: Callable[[str, str], bool]) -> Iterator[Decision]:
    """Decisions for one host, those above first.

    is_known: whether it was decided before that words behind a prefix are values; is_name: whether a word there is a name.
    """
    root = Node()
    for leaf in leaves:
        node = root
        node.served += leaf.served
        for segment in leaf.segments:
            node = node.children.setdefault(segment, Node())
            node.served += leaf.served
        node.leaves.append(leaf)
    yield from _decide_below(root, "", is_known, is_name)


def _decide_below(
    node: Node, prefix: str, is_known: Callable[[str], bool], is_name: Callable[[str, str], bool]
) -> Iterator[Decision]:
    words = {word: child for word, child in node.children.items() if is_word(word) and child.served}
    fuzzy = [segment for segment in node.children if segment in FUZZY_TEXTS]
    if (words or fuzzy) and is_known(prefix):
        _join(node, [word for word in (*words, *fuzzy) if not is_name(prefix, word)])
    elif reason := _why_values(words, sum(node.children[segment].served for segment in fuzzy)):
        names = tuple(sorted(_names(words)))
        yield Decision(prefix, names, reason)
        _join(node, [word for word in (*words, *fuzzy) if word not in names])
    for segment, child in sorted(node.children.items()):
        yield from _decide_below(child, f"{prefix}/{segment}", is_known, is_name)


def is_word(segment: str) -> bool:
    """Whether a segment can be a value that its characters do not give away."""
    return bool(segment) and not segment.startswith("{") and "#" not in segment and not VERSION.match(segment)


def may_be_value(segment: str) -> bool:
    """Whether a segment becomes a value where words are values."""
    return is_word(segment) or segment in FUZZY_TEXTS


def is_generated(word: str) -> bool:
    """Whether nobody made up a word: it is long and has a digit, or changes between cases more than `camelCase` does."""
    if any(c.isdigit() for c in word):
        return len(word) >= GENERATED
    changes = sum(a.isupper() != b.isupper() for a, b in itertools.pairwise(word))
    return len(word) >= GENERATED_LETTERS and changes > MIXING * (len(word) - 1)


def _why_values(words: dict[str, Node], identifiers: int) -> str:
    """Why these are values, for a person; nothing where they are names, or it is too early to say.

    identifiers: requests at the same place for what is an identifier by its characters.
    """
    generated = sum(child.served for word, child in words.items() if is_generated(word))
    if generated and identifiers > sum(child.served for child in words.values()) - generated:
        return f"{generated} requests for what looks generated, beside {identifiers} for identifiers"
    if len(words) < SATURATED:
        return ""
    counts = [child.served for child in words.values()]
    unseen = unseen_mass(counts)
    agreement, sure = _agreement(words)
    known = f"{len(words)} words in {sum(counts)} requests"
    if agreement is not None and agreement >= ALIKE:
        if len(words) >= FEW_ALIKE and unseen >= UNSEEN:
            return f"{known}, at least {unseen:.0%} of requests for new ones, {agreement:.0%} alike"
        return f"{known}, {agreement:.0%} alike" if sure else ""
    enough = VERY_MANY if agreement is not None and agreement <= DIFFERENT else MANY
    if len(words) >= enough and unseen >= UNSEEN:
        return f"{known}, at least {unseen:.0%} of requests for new ones"
    return ""


def unseen_mass(counts: list[int]) -> float:
    """Lower bound of the probability that the next word is a new one (Good 1953), from how often each was asked for."""
    total = sum(counts)
    once, twice = counts.count(1), counts.count(2)
    if not total:
        return 0.0
    return once / total - CONFIDENT * math.sqrt(once * (1 - once / total) + 2 * twice) / total


def _signs(node: Node) -> tuple[set[Sign], set[Sign]]:
    """What is known of a word's structure: (shapes of answers at and below it, names below it).

    Paths are relative to the word. In those of shapes words count as `*`: they may be values, too.
    """
    shapes: set[Sign] = set()
    names: set[Sign] = set()
    todo = [(node, "", "", False)]
    while todo:
        one, path, exact, named = todo.pop()
        for leaf in one.leaves:
            if leaf.served and leaf.shape:
                shapes.add((path, leaf.method, leaf.shape))
            if leaf.served and named:
                names.add((exact, leaf.method, 0))
        for segment, child in one.children.items():
            is_name = not segment.startswith("{")
            todo.append((child, path + ("/*" if is_name else f"/{segment}"), f"{exact}/{segment}", named or is_name))
    return shapes, names


def _shared(found: list[set[Sign]]) -> tuple[float, list[float]] | None:
    """(share of these words that have a sign in common with some others, shares of them that have the commonest signs).

    None where of too few of them anything is known.
    """
    known = [signs for signs in found if signs]
    if not known or len(known) < INFORMED * len(found):
        return None
    popular = collections.Counter(sign for signs in known for sign in signs)
    some = max(SOME_WORDS, SOME * len(known))
    alike = sum(1 for signs in known if any(popular[sign] >= some for sign in signs)) / len(known)
    return alike, [count / len(known) for _, count in popular.most_common(2)]


def _agreement(words: dict[str, Node]) -> tuple[float | None, bool]:
    """(how many of these words are like others: None where that is not known, whether nearly all are so in the same way).

    Names below them that differ say nothing: they may be values themselves. Answers that differ do.
    """
    signs = [_signs(child) for child in words.values()]
    by_shape, by_name = _shared([shapes for shapes, _ in signs]), _shared([names for _, names in signs])
    if by_shape is not None:
        alike, shares = by_shape
        return alike, shares[0] >= ALIKE
    if by_name is not None and by_name[0] >= ALIKE:
        alike, shares = by_name
        return alike, len(shares) > 1 and shares[1] >= ALIKE
    return None, False


def _names(words: dict[str, Node]) -> Iterator[str]:
    """Words among values that stay names: asked for far more often than any other, or with answers of their own."""
    shapes = {word: _signs(child)[0] for word, child in words.items()}
    popular = collections.Counter(sign for found in shapes.values() for sign in found)
    common = max(popular.values(), default=0) >= ALIKE * sum(1 for found in shapes.values() if found) > 0
    hot = _hot([child.served for child in words.values()])
    for word, child in words.items():
        if is_generated(word):
            continue
        is_own = common and child.served >= OWN_REQUESTS and bool(shapes[word])
        if child.served >= hot or (is_own and all(popular[sign] == 1 for sign in shapes[word])):
            yield word


def _hot(counts: list[int]) -> float:
    """Requests from which on one of these words is a name by its heat."""
    ranked = sorted(counts, reverse=True)
    if len(ranked) > 1 and ranked[0] >= HOT_REQUESTS and ranked[0] >= HOT * ranked[1]:
        return ranked[0]
    return math.inf


class Word(NamedTuple):
    """A word that is taken for a value."""

    text: str
    served: int
    shape: int
    """of its answers, 0 unknown"""


def turn_out_names(words: list[Word]) -> list[int]:
    """Which of the most asked for words of one place turn out to be names, by the same signs."""
    shapes = collections.Counter(word.shape for word in words if word.shape)
    known = sum(shapes.values())
    common = known > FEW_SHAPES and shapes.most_common(1)[0][1] >= ALIKE * known
    hot = _hot([word.served for word in words])
    found = []
    for number, word in enumerate(words):
        is_own = common and word.served >= OWN_REQUESTS and word.shape and shapes[word.shape] == 1
        if (word.served >= hot or is_own) and not is_generated(word.text):
            found.append(number)
    return found


def _join(node: Node, words: list[str]) -> None:
    """Put the subtrees of some words together, as that of the value which they are."""
    for word in words:
        _graft(node.children.setdefault(SLUG, Node()), node.children.pop(word))


def _graft(onto: Node, other: Node) -> None:
    onto.leaves += other.leaves
    onto.served += other.served
    for segment, child in other.children.items():
        if segment in onto.children:
            _graft(onto.children[segment], child)
        else:
            onto.children[segment] = child
