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
import math
import re
from collections.abc import Callable, Iterable, Iterator

SLUG = "{slug}"
CONFIDENT = 1.64
"""Standard deviations below the estimate: one-sided, 95 %."""
UNSEEN = 0.2
"""Unseen mass from which on there is always a next value. The bound of sixty names, evenly used, has fallen below it by the
time that MANY of them were seen."""
FEW_ALIKE, MANY, VERY_MANY = 12, 40, 200
"""Words that must have been seen where structure says that they are values, says nothing, or contradicts."""
SATURATED = 8
"""Words that are enough where nearly all were seen but all are alike: a small catalogue, the tenants of a service."""
ALIKE, DIFFERENT, INFORMED = 0.7, 0.4, 0.8
"""Agreement from which on words are alike, up to which they differ; share of them of which something must be known."""
HOT, HOT_REQUESTS = 5.0, 20
"""A word asked for so many times as often as any other, and at least so often, is a name: `/users/me`."""
OWN_REQUESTS = 8
"""Requests after which a word whose structure is its own is a name."""
VERSION = re.compile(r"v\d+(\.\d+)*(alpha\d*|beta\d*)?\Z|\d+\.\d+\Z", re.IGNORECASE)
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
    if words and is_known(prefix):
        _join(node, [word for word in words if not is_name(prefix, word)])
    elif reason := _why_values(words):
        names = tuple(sorted(_names(words)))
        yield Decision(prefix, names, reason)
        _join(node, [word for word in words if word not in names])
    for segment, child in sorted(node.children.items()):
        yield from _decide_below(child, f"{prefix}/{segment}", is_known, is_name)


def is_word(segment: str) -> bool:
    """Whether a segment can be a value that its characters do not give away."""
    return bool(segment) and not segment.startswith("{") and "#" not in segment and not VERSION.match(segment)


def _why_values(words: dict[str, Node]) -> str:
    """Why these are values, for a person; nothing where they are names, or it is too early to say."""
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


def _mean_share(found: list[set[Sign]]) -> float | None:
    """The mean share of these words that a word shares its commonest sign with; None where of too few anything is known."""
    known = [signs for signs in found if signs]
    if not known or len(known) < INFORMED * len(found):
        return None
    popular = collections.Counter(sign for signs in known for sign in signs)
    return sum(max(popular[sign] for sign in signs) for signs in known) / len(known) ** 2


def _agreement(words: dict[str, Node]) -> tuple[float | None, bool]:
    """(how much these words have in common: None where that is not known, whether it is much in more than one way).

    Names below them that differ say nothing: they may be values themselves. Answers that differ do.
    """
    signs = [_signs(child) for child in words.values()]
    by_shape, by_name = _mean_share([shapes for shapes, _ in signs]), _mean_share([names for _, names in signs])
    if by_shape is not None and by_shape >= ALIKE:
        return by_shape, True
    if by_name is not None and by_name >= ALIKE and by_shape is None:
        popular = collections.Counter(sign for _, names in signs for sign in names)
        return by_name, sum(1 for count in popular.values() if count >= ALIKE * len(words)) > 1
    return by_shape, False


def _names(words: dict[str, Node]) -> Iterator[str]:
    """Words among values that stay names: asked for far more often than any other, or with answers of their own."""
    shapes = {word: _signs(child)[0] for word, child in words.items()}
    popular = collections.Counter(sign for found in shapes.values() for sign in found)
    common = max(popular.values(), default=0) >= ALIKE * sum(1 for found in shapes.values() if found) > 0
    ranked = sorted((child.served for child in words.values()), reverse=True)
    for word, child in words.items():
        next_most = ranked[1] if child.served == ranked[0] else ranked[0]
        is_hot = child.served >= HOT_REQUESTS and child.served >= HOT * next_most
        is_own = common and child.served >= OWN_REQUESTS and bool(shapes[word])
        if is_hot or (is_own and all(popular[sign] == 1 for sign in shapes[word])):
            yield word


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
