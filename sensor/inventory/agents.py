"""What a client calls itself in User-Agent: a claim, not a proof."""

from sensor.core.jit import kernel
from sensor.core.words import begins_with, holds_one_of, words_table

AGENT_KINDS = ("none", "browser", "app", "crawler", "tool")
AGENT = {name: code for code, name in enumerate(AGENT_KINDS)}
NONE, BROWSER, APP, CRAWLER, TOOL = range(len(AGENT_KINDS))
LONGEST_AGENT = 512
"""Bytes of a User-Agent that are looked at."""


CRAWLERS = words_table("bot", "spid", "craw")
APPS = words_table("okhttp", "cfnetwork", "dalvik", "darwin")
BROWSERS = words_table("mozilla/5.0")


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
