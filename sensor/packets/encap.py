"""What a segment was wrapped in, outermost first, kept as a small id for each distinct stack."""

import numpy as np

from sensor.core.bundle import Bundle
from sensor.core.hashing import U, mix
from sensor.core.jit import inlined, kernel

MAX_LAYERS = 16
"""Encapsulations within each other; deeper ones are a loop or an attack on the decoder."""
PROBES = 64
"""Places of the table looked at for one stack: labels can be chosen so that they all fall into one place."""
CAPACITY = 4096
"""Distinct stacks that are told apart; an attacker can make up VLAN ids at will."""

KINDS = (
    "vlan", "mpls", "pppoe", "ppp", "gre", "erspan", "vxlan", "geneve", "gtp", "ipip", "6in4", "4in6", "6in6", "teredo",
    "l2tp", "vntag", "nsh", "etherip", "pbb", "ayiya", "wlan",
)  # fmt: skip
(
    KIND_VLAN, KIND_MPLS, KIND_PPPOE, KIND_PPP, KIND_GRE, KIND_ERSPAN, KIND_VXLAN, KIND_GENEVE, KIND_GTP, KIND_IPIP, KIND_6IN4,
    KIND_4IN6, KIND_6IN6, KIND_TEREDO, KIND_L2TP, KIND_VNTAG, KIND_NSH, KIND_ETHERIP, KIND_PBB, KIND_AYIYA, KIND_WLAN,
) = range(len(KINDS))  # fmt: skip
NO_LABEL = 0xFFFFFFFF
"""Label of a layer that has no number of its own."""
SEPARATING = np.zeros(len(KINDS), np.uint8)
"""1 for the kinds whose label is the same in both directions and sets equal addresses apart. VLANs are a choice of their own.
The labels of MPLS, GTP, L2TP, ERSPAN and, with some senders, GRE differ by direction."""
SEPARATING[[KIND_VXLAN, KIND_GENEVE, KIND_PPPOE, KIND_NSH, KIND_PBB]] = 1

STACK = np.dtype([
    ("hash", "<u8"),               # of all layers
    ("scope", "<u8"),              # of those that set equal addresses apart
    ("depth", "u1"),               # layers
    ("vlan_separates", "u1"),      # whether VLANs set equal addresses apart
    ("tunnel_separates", "u1"),    # whether the kinds of SEPARATING do
    ("kind", "u1", (MAX_LAYERS,)),
    ("label", "<u4", (MAX_LAYERS,)),
])  # fmt: skip


class Encaps(Bundle):
    """The stack of the frame being decoded, and the table of all stacks seen."""

    current: np.ndarray
    """STACK[1]"""
    used: np.ndarray
    """int64[1]: stacks in the table"""
    slots: np.ndarray
    """int32[2 * CAPACITY]: open addressing into the table, -1 free"""
    table: np.ndarray
    """STACK[CAPACITY]"""


def new_encaps(vlan_separates: bool = True, tunnel_separates: bool = True) -> Encaps:
    """An empty table, whose entry 0 is the frame without encapsulation."""
    current = np.zeros(1, STACK)
    current["vlan_separates"], current["tunnel_separates"] = vlan_separates, tunnel_separates
    return Encaps(current, np.ones(1, np.int64), np.full(2 * CAPACITY, -1, np.int32), np.zeros(CAPACITY, STACK))


@inlined
def clear_stack(stack):
    """Begin with a new frame."""
    stack["depth"] = 0
    stack["hash"] = 0
    stack["scope"] = 0


@kernel
def push(stack, kind, label):
    """Note one more layer of the current frame: False when it is too deep."""
    depth = np.int64(stack["depth"])
    if depth == MAX_LAYERS:
        return False
    stack["kind"][depth] = kind
    stack["label"][depth] = label
    stack["depth"] = depth + 1
    step = (U(kind) << U(32)) | U(label)
    stack["hash"] = mix(stack["hash"] * U(31) + step + U(1))
    separates = stack["vlan_separates"] if kind == KIND_VLAN else SEPARATING[kind] & stack["tunnel_separates"]
    if separates and label != NO_LABEL:
        stack["scope"] = mix(stack["scope"] * U(31) + step + U(1))
    return True


@kernel
def intern(encaps):
    """Id of the current stack; -1 when the table has no room for it."""
    stack = encaps.current[0]
    if stack["depth"] == 0:
        return np.int64(0)
    mask = encaps.slots.shape[0] - 1
    slot = np.int64(stack["hash"] & U(mask))
    for _ in range(PROBES):
        if encaps.slots[slot] < 0:
            break
        if encaps.table[encaps.slots[slot]]["hash"] == stack["hash"]:
            return np.int64(encaps.slots[slot])
        slot = (slot + 1) & mask
    entry = encaps.used[0]
    if entry == CAPACITY or encaps.slots[slot] >= 0:
        return np.int64(-1)
    encaps.table[entry] = stack
    encaps.slots[slot] = entry
    encaps.used[0] = entry + 1
    return entry


def encap_texts(encaps: Encaps) -> list[str]:
    """The text of every stack by id, as `vlan:10/vxlan:7`; id 0 is empty."""
    return [
        "/".join(_layer_text(int(stack["kind"][k]), int(stack["label"][k])) for k in range(stack["depth"]))
        for stack in encaps.table[: encaps.used[0]]
    ]


def _layer_text(kind: int, label: int) -> str:
    return KINDS[kind] if label == NO_LABEL else f"{KINDS[kind]}:{label}"
