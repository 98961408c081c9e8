"""All parameters of a request taken together as one: what a grid sweep never asks for twice, while each alone repeats.

An actor's combinations are looked at only once it has asked for BUSY values of one parameter: most never do.
"""

import numpy as np

from sensor.core.hashing import mix
from sensor.core.jit import kernel
from sensor.inventory.values import IN_PATH, LOCATIONS, VALUE

IN_COMBINATION = len(LOCATIONS)
"""A location like those of single values."""
BUSY = 8
NAME_LIMIT = 15


def new_combination() -> np.ndarray:
    """VALUE[1], for the combination of the request in work. `at`, `len`: the second parameter's name; `kind`: how many."""
    return np.zeros(1, VALUE)


@kernel
def start_combination(combination, index):
    """A request without parameters yet."""
    combination["row"] = index
    combination["kind"] = 0
    combination["secret"] = 0
    combination["location"] = IN_COMBINATION
    combination["slot"] = 0
    combination["hash"] = 0
    combination["number"] = -1
    combination["name_len"] = 0
    combination["len"] = 0


@kernel
def add_to_combination(combination, value):
    """One more parameter of the request, in whatever order they come."""
    combination["slot"] += mix(value["slot"])
    combination["hash"] += mix(value["hash"] ^ mix(value["slot"]))
    combination["secret"] = max(combination["secret"], value["secret"])
    if value["location"] != IN_PATH and combination["name_len"] == 0:
        combination["name_at"] = value["name_at"]
        combination["name_len"] = value["name_len"]
    elif value["location"] != IN_PATH and combination["len"] == 0:
        combination["at"] = value["name_at"]
        combination["len"] = value["name_len"]
    combination["kind"] += np.uint8(combination["kind"] < 255)


@kernel
def keep_names(track, arena, combination):
    """The names of its first two parameters, for the explanation."""
    length = 0
    for part in range(2):
        at = np.int64(combination["name_at"]) if part == 0 else np.int64(combination["at"])
        size = np.int64(combination["name_len"]) if part == 0 else np.int64(combination["len"])
        if size > 0 and length > 0:
            track["name"][length] = 44  # a comma
            length += 1
        for k in range(min(size, NAME_LIMIT)):
            track["name"][length] = arena[at + k]
            length += 1
    track["name_len"] = length
