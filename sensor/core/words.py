"""Whether a text begins with, ends with, or holds one of a few words, in whatever case; what a byte of a URL stands for."""

import numpy as np

from sensor.core.addresses import hex_value
from sensor.core.jit import kernel

PERCENT = 37


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


@kernel
def ends_with_one_of(text, at, end, words):
    """Whether text[at:end] ends with one of the words, behind something else. words: as words_table makes them."""
    for word in range(words.shape[0]):
        length = 0
        while words[word, length]:
            length += 1
        if end - at > length and begins_with(text, end - length, end, words[word]):
            return True
    return False


@kernel
def url_byte(text, at, end):
    """(byte that stands at text[at], percent-encoded (RFC 3986 2.1) or not; how many bytes it takes)."""
    if text[at] == PERCENT and at + 2 < end and hex_value(text[at + 1]) >= 0 and hex_value(text[at + 2]) >= 0:
        return 16 * hex_value(text[at + 1]) + hex_value(text[at + 2]), 3
    return np.int64(text[at]), 1
