"""Whether a text begins with, or holds, one of a few words, in whatever case."""

import numpy as np

from sensor.core.jit import kernel


def words_table(*words: str) -> np.ndarray:
    """Words for `begins_with` and `holds_one_of`: uint8[words, longest + 1]: lower case, zeros behind."""
    table = np.zeros((len(words), max(map(len, words)) + 1), np.uint8)
    for row, word in zip(table, words, strict=True):
        row[: len(word)] = np.frombuffer(word.encode(), np.uint8)
    return table


@kernel
def begins_with(text, at, end, word):
    """Whether text[at:end] begins with a lower-case word, in whatever case. word: uint8[…], zeros behind it."""
    k = 0
    while word[k]:
        if at + k >= end or text[at + k] | 32 != word[k] | 32:
            return False
        k += 1
    return True


@kernel
def holds_one_of(text, at, end, words):
    """Whether text[at:end] has one of the words in it. words: as words_table makes them."""
    for k in range(at, end):
        for word in range(words.shape[0]):
            if begins_with(text, k, end, words[word]):
                return True
    return False


@kernel
def begins_with_one_of(text, at, end, words):
    """Whether text[at:end] begins with one of the words. words: as words_table makes them."""
    for word in range(words.shape[0]):
        if begins_with(text, at, end, words[word]):
            return True
    return False
