"""What a client calls itself in User-Agent: a claim, not a proof."""

import numpy as np

from sensor.core.jit import kernel

AGENT_KINDS = ("none", "browser", "app", "crawler", "tool")
AGENT = {name: code for code, name in enumerate(AGENT_KINDS)}
NONE, BROWSER, APP, CRAWLER, TOOL = range(len(AGENT_KINDS))
LONGEST_AGENT = 512
"""Bytes of a User-Agent that are looked at."""


def words_table(*words: str) -> np.ndarray:
    """Words for `begins_with` and `holds_one_of`: uint8[words, longest + 1]: lower case, zeros behind."""
    table = np.zeros((len(words), max(map(len, words)) + 1), np.uint8)
    for row, word in zip(table, words, strict=True):
        row[: len(word)] = np.frombuffer(word.encode(), np.uint8)
    return table


CRAWLERS = words_table("bot", "spid", "craw")
APPS = words_table("okhttp", "cfnetwork", "dalvik", "darwin")
BROWSERS = words_table("mozilla/5.0")


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
def calls_itself_crawler(text, at, end):
    """Whether a User-Agent says that it is a bot, spider or crawler."""
    return holds_one_of(text, at, min(end, at + LONGEST_AGENT), CRAWLERS)


@kernel
def agent_kind(text, at, end):
    """Which of AGENT_KINDS a User-Agent claims to be."""
    end = min(end, at + LONGEST_AGENT)
    if at >= end:
        return NONE
    if holds_one_of(text, at, end, CRAWLERS):
        return CRAWLER
    if holds_one_of(text, at, end, APPS):
        return APP
    return BROWSER if begins_with(text, at, end, BROWSERS[0]) else TOOL
