"""Parameters that take few values: words such as `asc` and `desc`, which are told because they name nobody.

After n values among which none was new the chance that the next one is new is at most 1 / (n + 2) (Laplace's rule of
succession): a list of words is told from SURE of them on.
"""

import numpy as np

from sensor.core.jit import kernel
from sensor.inventory.lexical import KIND, LITERAL, UPPER
from sensor.inventory.values import IN_HEADER, IN_PATH

WORDS, LETTERS = 8, 16
"""How many words are kept, and their bytes; a parameter with another value has no list."""
SURE = 100
CASE = 32
OF_PEOPLE = (
    b"name", b"user", b"login", b"mail", b"author", b"owner", b"contact", b"customer", b"client", b"person", b"member",
    b"first", b"last", b"nick", b"city", b"town", b"street", b"address", b"gender", b"sex", b"religion", b"diagnos", b"health",
    b"secret", b"passw", b"token", b"key", b"code", b"search", b"query", b"term", b"comment", b"text", b"title", b"note",
    b"message", b"driver", b"employ", b"doctor", b"patient", b"teach", b"student", b"agent", b"rider", b"buyer", b"seller",
    b"recipient", b"sender", b"assign", b"creat", b"_by", b"guest", b"manager", b"staff", b"worker", b"courier", b"subject",
    b"auth", b"pass", b"pwd", b"pin", b"cred", b"sign", b"verif", b"clinic", b"hospital", b"phone", b"birth",
)  # fmt: skip
"""Parts of names of parameters whose words may be about somebody, or anything that somebody wrote: none is kept."""
PARTS = np.array([np.frombuffer(part.ljust(LETTERS, b"\0"), np.uint8) for part in OF_PEOPLE])
PART_LENGTHS = np.array([len(part) for part in OF_PEOPLE])


@kernel
def is_of_people(entry):
    """Whether a parameter's name, regardless of case, has one of PARTS in it."""
    name, length = entry["name"], np.int64(entry["name_len"])
    for part in range(PARTS.shape[0]):
        for at in range(length - PART_LENGTHS[part] + 1):
            same = 0
            while same < PART_LENGTHS[part]:
                byte = name[at + same]
                if (byte | CASE if KIND[byte] & UPPER else byte) != PARTS[part, same]:
                    break
                same += 1
            if same == PART_LENGTHS[part]:
                return True
    return False


@kernel
def give_up(entry, words):
    """The parameter has no list: nothing of it stays."""
    entry["words"] = WORDS + 1
    words[:] = 0


@kernel
def note_few(entry, words, value, arena):
    """Keep a value as one of a few words. entry: PARAMETER, counted already; words: uint8[WORDS, LETTERS] of it."""
    location = value["location"]
    if entry["words"] > WORDS or location == IN_PATH or location >= IN_HEADER:  # header fields of both ways, cookies
        return
    if entry["words"] == 0 and is_of_people(entry):
        give_up(entry, words)
        return
    at, length = np.int64(value["at"]), np.int64(value["len"])
    if value["kind"] != LITERAL or value["secret"] or value["exposed"] or length == 0 or length > LETTERS:
        give_up(entry, words)
        return
    for k in range(entry["words"]):
        if is_word(words[k], arena, at, length):
            return
    if entry["words"] == WORDS:
        give_up(entry, words)
        return
    for k in range(LETTERS):
        words[entry["words"], k] = arena[at + k] if k < length else 0
    entry["newest"] = entry["seen"]
    entry["words"] += np.uint8(1)


@kernel
def is_word(word, arena, at, length):
    """Whether a kept word, zeros behind it, is arena[at : at + length]."""
    for k in range(LETTERS):
        if word[k] != (arena[at + k] if k < length else 0):
            return False
    return True


@kernel
def merge_few(entry, words, other, other_words):
    """Add the words of one parameter to those of another, before anything else of it is."""
    if other["words"] > WORDS or entry["words"] > WORDS:
        give_up(entry, words)
        return
    for k in range(other["words"]):
        known = False
        for j in range(entry["words"]):
            known |= is_word(words[j], other_words[k], 0, LETTERS)
        if known:
            continue
        if entry["words"] == WORDS:
            give_up(entry, words)
            return
        for letter in range(LETTERS):
            words[entry["words"], letter] = other_words[k, letter]
        entry["words"] += np.uint8(1)
        entry["newest"] = entry["seen"] + other["newest"]


def told_words(entry: np.void, words: np.ndarray) -> list[str]:
    """The words of a parameter, where they are few, surely all, and of nobody; else none."""
    count = int(entry["words"])
    is_sure = int(entry["seen"]) - int(entry["newest"]) >= SURE
    if not 0 < count <= WORDS or not is_sure or entry["secret"] or entry["exposed"]:
        return []
    texts = [words[k].tobytes().rstrip(b"\0") for k in range(count)]
    if not all(text.isascii() for text in texts) or any(text.istitle() for text in texts):  # `Anna` is a name
        return []
    return sorted(text.decode() for text in texts)
