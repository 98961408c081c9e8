"""Program text in error messages: stack traces, messages of databases. They tell an attacker what runs there (API8:2023)."""

import re

import numpy as np

from sensor.core.records import FACT_BIT, Batch

LOOKED_AT = 64
"""Error messages of one batch."""
LONGEST = 8_192
STACK_TRACE = FACT_BIT["stack_trace"]
TRACES = re.compile(
    rb"Traceback \(most recent call last\)"                          # Python
    rb"|\bat (?:[\w$]+\.)+[\w$<>]+\([\w$]+\.(?:java|kt|scala|groovy):\d+\)"  # JVM
    rb"|\bat [\w.<>`\[\], ]+\([^)]*\) in [^\n:]+:line \d+"           # .NET
    rb"|\bat (?:async )?[\w.<> ]+ \((?:file://)?/?[^\s()]+\.[cm]?[jt]s:\d+:\d+\)"  # Node
    rb"|goroutine \d+ \[[a-z ]+\]:"                                  # Go
    rb"|#\d+ [^\s]+\.php\(\d+\)|PHP (?:Fatal|Parse) error|<b>(?:Fatal error|Warning)</b>: "  # PHP
    rb"|\.rb:\d+:in [`'][^'\n]+'"                                    # Ruby
    rb"|thread '[^'\n]+' panicked at"                                # Rust
    rb"|SQLSTATE\[|ORA-\d{5}: |You have an error in your SQL syntax|PG::\w+Error|psycopg2?\.errors|Microsoft OLE DB Provider"
)  # fmt: skip


def find_traces(batch: Batch, counts: np.ndarray) -> None:
    """Note in PROFILE rows, by endpoint, which error messages hold program text. Those that are known to are not looked at."""
    rows = batch.rows
    wanted = (rows["response_body_len"] > 0) & (rows["status"] >= 400) & (rows["response_coding"] == 0)
    wanted &= counts["facts"][rows["endpoint"]] & STACK_TRACE == 0
    for index in np.flatnonzero(wanted)[:LOOKED_AT].tolist():
        if TRACES.search(batch.body(index, "response_body")[:LONGEST]):
            counts["facts"][rows["endpoint"][index]] |= np.uint16(STACK_TRACE)
