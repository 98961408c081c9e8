"""What can go wrong with a store, each as one sentence that says what to do."""

import re


class StoreError(Exception):
    """A failure of the store; the text is one sentence for the user and never holds a password."""

    rows = 0
    """transactions that were lost by it"""


class StoreAwayError(StoreError):
    """The store cannot be reached at the moment."""


class EmptyStoreError(StoreError):
    """There is no schema in it."""

    def __init__(self, name: str):
        super().__init__(f"The store {name} is empty; fill it with `tapwatch replay` or run `tapwatch schema apply`.")


_UNREACHABLE = re.compile(
    r"Max retries|Connection refused|NewConnectionError|timed out|Name or service|getaddrinfo"
    r"|Connection aborted|Connection reset|RemoteDisconnected|Remote end closed|Broken pipe|unreachable"
    r"|HTTP(?: status)? 50[0234]"
)
_NOISE = re.compile(r"\(version [^()]*(\([^()]*\))?[^()]*\)|^.*?DB::Exception: (Code: \d+\. DB::Exception: )*", re.DOTALL)
_TAIL = re.compile(r": In scope |, expected one of|\. Expected one of|: While processing ", re.IGNORECASE)
_BAD_LOGIN = {192, 193, 194, 516}
_NOT_ALLOWED = {497}
_READ_ONLY = {164}
_NO_MEMORY = {241}
_BUSY = {159, 202, 209, 210, 225, 242, 243, 252, 319, 999}
"""Timeout, too many queries, network, no keeper, replica read-only, disk full, too many parts, fate unknown: it may pass."""


def explain(error: BaseException, name: str) -> StoreError:
    """The StoreError for an exception of clickhouse-connect or chdb; `name` is the store's, without a password."""
    code = getattr(error, "code", None)
    if code in _BAD_LOGIN:
        return StoreError(f"The server of the store {name} refused the user name or password; correct them in --store.")
    if code in _READ_ONLY:
        return StoreError("Only reading is allowed here: use SELECT, SHOW, DESCRIBE or EXPLAIN.")
    if code in _NOT_ALLOWED:
        return StoreError(f"The user of the store {name} lacks a right: {gist(str(error))}")
    if code in _NO_MEMORY:
        return StoreAwayError("The query needs more memory than the store may use; add a filter or a LIMIT.")
    if code in _BUSY:
        return StoreAwayError(f"The store {name} takes nothing at the moment: {gist(str(error))}")
    if _UNREACHABLE.search(str(error)):
        return StoreAwayError(
            f"The store {name} cannot be reached; check that its server runs and that --store names it rightly."
        )
    return StoreError(f"The store {name} failed: {gist(str(error))}")


def gist(message: str) -> str:
    """The first sentence of a ClickHouse message: without codes, scopes, version and stack trace."""
    text = message.split("Stack trace")[0]
    text = _TAIL.split(_NOISE.sub("", text))[0]
    text = "".join(c if c.isprintable() else " " for c in text)
    text = re.sub(r"\s+", " ", text).strip(" .,")
    return (text[:300] or "no reason was given") + "."
