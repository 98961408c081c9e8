"""What the operator says of paths and hosts, before anything is learned: templates, names that are no values, joined hosts.

Templates are a tree of segments, one for each host and one for all. A path is looked up in it, literal segments before
placeholders; the tree is the operator's, so that no path costs more than its states.
"""

from collections.abc import Iterable

import numpy as np

from sensor.core.bundle import Bundle
from sensor.core.hashing import U, hash_bytes, mix
from sensor.core.jit import kernel
from sensor.core.placeholders import PLACEHOLDER
from sensor.core.wide import SLACK, copy, padded
from sensor.inventory.learned import add, holds, place_hash, prefix_hash, text_hash
from sensor.inventory.values import find_in

SEGMENTS = 32
"""Of a path; a longer one fits no template."""
LONGEST = 512
"""Bytes of a template or of a joined host."""
ANY_HOST, FIRST_STATE = 1, 2
PLACEHOLDER_EDGE = U(0x2545F4914F6CDD1D)
"""What stands for a placeholder among the segments."""
NO_TEMPLATE = -1
SLASH, COLON = 47, 58
WANT_LITERAL, WANT_PLACEHOLDER, EXHAUSTED = range(3)


class Patterns(Bundle):
    """Read by the kernels that write templates."""

    edges: np.ndarray
    """uint64[2 ** n]: hashes of (state, segment), 0 free; at most half of it is used"""
    targets: np.ndarray
    """int32[2 ** n]: the state that the edge leads to"""
    templates: np.ndarray
    """int32[states]: template that ends there, NO_TEMPLATE"""
    texts: np.ndarray
    """uint8[…]: templates side by side, then joined hosts"""
    spans: np.ndarray
    """int64[templates, 2]: offset and bytes of each"""
    hosts: np.ndarray
    """int64[joined, 2]: offset and bytes of each; the suffix of its hosts begins behind the placeholder"""
    kept: np.ndarray
    """uint64[2 ** n]: places behind which words stay names, as place_hash has them; 0 free"""
    path: np.ndarray
    """int64[SEGMENTS, 4]: begin and end of each segment, state before it, what is tried next"""


def size_for(count: int) -> int:
    """Places of a set of hashes that is at most half full."""
    return 1 << max(3, (2 * count).bit_length())


def new_patterns(
    templates: Iterable[tuple[str, str]] = (), kept: Iterable[tuple[str, str]] = (), hosts: Iterable[str] = ()
) -> Patterns:
    """templates: (host or empty for all, `/v1/shops/{shop}`); kept: (the same, prefix); hosts: `{tenant}.example.com`."""
    listed, joined = sorted(set(templates)), sorted(set(hosts))
    tree: dict[tuple[int, str], int] = {}
    roots, ends, used = {"": ANY_HOST}, {}, FIRST_STATE
    for number, (host, path) in enumerate(listed):
        if host not in roots:
            roots[host], used = used, used + 1
        state = roots[host]
        for segment in path.split("/")[1:]:
            key = state, "{}" if PLACEHOLDER.fullmatch(segment) else segment
            if key not in tree:
                tree[key], used = used, used + 1
            state = tree[key]
        ends[state] = number
    size = size_for(len(tree) + len(roots))
    edges, targets = np.zeros(size, np.uint64), np.zeros(size, np.int32)
    for host, state in roots.items():
        if host:
            _put(edges, targets, int(host_edge(text_hash(host, 1))), state)
    for (state, segment), target in tree.items():
        _put(edges, targets, int(edge_of(U(state), PLACEHOLDER_EDGE if segment == "{}" else text_hash(segment, 8))), target)
    texts = [path.encode() for _, path in listed] + [host.encode() for host in joined]
    sizes = np.array([len(text) for text in texts], np.int64)
    spans = np.stack([np.cumsum(sizes) - sizes, sizes], axis=1).reshape(-1, 2)
    finals = np.full(used, NO_TEMPLATE, np.int32)
    for state, number in ends.items():
        finals[state] = number
    places = {prefix_hash(text_hash(host, 1) if host else U(0), prefix) for host, prefix in kept}
    names = np.zeros(size_for(len(places)), np.uint64)
    for used, place in enumerate(places):
        add(names, used, len(places), place)
    return Patterns(
        edges, targets, finals, padded(b"".join(texts)), spans[: len(listed)], spans[len(listed) :], names,
        np.zeros((SEGMENTS, 4), np.int64),
    )  # fmt: skip


def _put(edges: np.ndarray, targets: np.ndarray, key: int, target: int) -> None:
    slot = key & (len(edges) - 1)
    while edges[slot] and edges[slot] != key:
        slot = (slot + 1) & (len(edges) - 1)
    edges[slot], targets[slot] = key, target


@kernel
def host_edge(host):
    """Hash of the edge to the tree of a host; host: its hash."""
    return mix(host ^ U(9)) | U(1)


@kernel
def edge_of(state, segment):
    """Hash of the edge from a state; segment: hash of a literal one, or PLACEHOLDER_EDGE."""
    return mix(mix(state) ^ segment) | U(1)


@kernel
def follow(patterns, edge):
    """The state that an edge leads to, 0 where there is none."""
    mask = patterns.edges.shape[0] - 1
    slot = np.int64(edge & U(mask))
    while patterns.edges[slot] != U(0):
        if patterns.edges[slot] == edge:
            return np.int64(patterns.targets[slot])
        slot = (slot + 1) & mask
    return np.int64(0)


@kernel
def split_path(patterns, arena, at, end):
    """Note where the segments of arena[at:end] stand: their number, 0 where they are too many or it is no path."""
    count = 0
    while at < end:
        if arena[at] != SLASH or count == SEGMENTS:
            return 0
        stop = find_in(arena, at + 1, end, SLASH)
        patterns.path[count, 0], patterns.path[count, 1] = at + 1, stop
        count += 1
        at = stop
    return count


@kernel
def walk_tree(patterns, arena, count, state):
    """Template of the segments that were noted, in the tree that begins with a state; NO_TEMPLATE."""
    path, level = patterns.path, 0
    path[0, 2], path[0, 3] = state, WANT_LITERAL
    while level >= 0:
        begin, end, state, wanted = path[level, 0], path[level, 1], path[level, 2], path[level, 3]
        if wanted == EXHAUSTED:
            level -= 1
            continue
        path[level, 3] = wanted + 1
        if wanted == WANT_LITERAL:
            following = follow(patterns, edge_of(U(state), hash_bytes(arena, begin, end - begin, U(8))))
        else:
            following = follow(patterns, edge_of(U(state), PLACEHOLDER_EDGE)) if end > begin else np.int64(0)
        if following == 0:
            continue
        if level + 1 < count:
            level += 1
            path[level, 2], path[level, 3] = following, WANT_LITERAL
        elif patterns.templates[following] != NO_TEMPLATE:
            return np.int64(patterns.templates[following])
    return np.int64(NO_TEMPLATE)


@kernel
def find_template(patterns, arena, at, end, host):
    """The operator's template for the path arena[at:end], NO_TEMPLATE. host: its hash; its own templates go first.

    Segments that are placeholders are then those whose third value in `path` led on by EXHAUSTED (see is_placeholder).
    """
    if patterns.spans.shape[0] == 0:
        return np.int64(NO_TEMPLATE)
    count = split_path(patterns, arena, at, end)
    if count == 0:
        return np.int64(NO_TEMPLATE)
    own = follow(patterns, host_edge(host))
    found = walk_tree(patterns, arena, count, own) if own > 0 else np.int64(NO_TEMPLATE)
    return found if found != NO_TEMPLATE else walk_tree(patterns, arena, count, np.int64(ANY_HOST))


@kernel
def is_placeholder(patterns, segment):
    """Whether a segment of the path for which a template was just found stands for a placeholder."""
    return patterns.path[segment, 3] == EXHAUSTED


@kernel
def is_kept(patterns, host, arena, template, length):
    """Whether the operator says that words behind a template, on this host or on all, are names."""
    return holds(patterns.kept, place_hash(host, arena, template, length)) or holds(
        patterns.kept, place_hash(U(0), arena, template, length)
    )


@kernel
def joined_host(patterns, arena, at, end):
    """(the joined host that a host is one of or -1, where its port begins, `end` where it has none)."""
    port = find_in(arena, at, end, COLON)
    for k in range(patterns.hosts.shape[0]):
        first, size = patterns.hosts[k, 0], patterns.hosts[k, 1]
        suffix = first
        while patterns.texts[suffix] != 125:  # }
            suffix += 1
        suffix += 1
        length = first + size - suffix
        label = port - length
        if label <= at:
            continue
        same = True
        for j in range(length):
            same &= arena[label + j] == patterns.texts[suffix + j]
        for j in range(at, label):
            same &= arena[j] != 46
        if same:
            return np.int64(k), port
    return np.int64(-1), port


@kernel
def join_hosts(patterns, rows, arena, used):
    """Give rows the name of the joined host that their host is one of: the bytes of the arena that are used then."""
    if patterns.hosts.shape[0] == 0:
        return used
    for index in range(rows.shape[0]):
        row = rows[index]
        at = np.int64(row["host_at"])
        end = at + np.int64(row["host_len"])
        which, port = joined_host(patterns, arena, at, end)
        if which >= 0:
            size = patterns.hosts[which, 1]
            copy(arena, used, patterns.texts, patterns.hosts[which, 0], size)
            copy(arena, used + size, arena, port, end - port)
            row["host_at"] = used
            row["host_len"] = size + end - port
            used += size + end - port
    return used


def room_of_hosts(patterns: Patterns, rows: np.ndarray) -> int:
    """Bytes of the arena that the names of joined hosts may take."""
    return int(rows["host_len"].sum()) + len(rows) * LONGEST + SLACK if len(patterns.hosts) else 0
