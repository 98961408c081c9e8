"""Program text in error messages: stack traces, messages of databases. They tell an attacker what runs there (API8:2023)."""

import re

import numpy as np

from sensor.core.records import FACT_BIT, Batch

LOOKED_AT = 64
"""Error messages of one batch, each of another endpoint."""
LONGEST = 4_096
"""Bytes of one. All runs of the pattern are bounded, so that a page made for it costs little more than others."""
STACK_TRACE = FACT_BIT["stack_trace"]
TRACES = re.compile(
    rb"Traceback \(most recent call last\)"                          # Python
    rb"|\bat (?:[\w$]{1,80}\.){1,20}[\w$<>]{1,80}\([\w$]{1,80}\.(?:java|kt|scala|groovy):\d{1,6}\)"  # JVM
    rb"|\bat [\w.<>`\[\],]{1,120}\([^)\n]{0,120}\) in [^\n:]{1,120}:[^\n]{0,120}line \d"           # .NET
    rb"|\bat (?:async )?[\w.<>]{1,80} \((?:file://)?/?[^\s()]{1,120}\.[cm]?[jt]s:\d{1,6}:\d{1,6}\)"  # Node
    rb"|goroutine \d{1,9} \[[a-z ]{1,40}\]:"                                  # Go
    rb"|#\d{1,4} [^\s]{1,120}\.php\(\d{1,6}\)|PHP (?:Fatal|Parse) error|<b>(?:Fatal error|Warning)</b>: "  # PHP
    rb"|\.rb:\d{1,6}:in [`'][^'\n]{1,120}'"                                    # Ruby
    rb"|thread '[^'\n]{1,80}' panicked at"                                # Rust
    rb"|SQLSTATE\[|ORA-\d{5}: |You have an error in your SQL syntax|PG::\w+Error|psycopg2?\.errors|Microsoft OLE DB Provider"
)  # fmt: skip


def find_traces(batch: Batch, counts: np.ndarray) -> None:
    """Note in PROFILE rows, by endpoint, which error messages hold program text. Those that are known to are not looked at."""
    rows = batch.rows
    wanted = (rows["response_body_len"] > 0) & (rows["status"] >= 400) & (rows["response_coding"] == 0)
    wanted &= counts["facts"][rows["endpoint"]] & STACK_TRACE == 0
    errors = np.flatnonzero(wanted)
    _, firsts = np.unique(rows["endpoint"][errors], return_index=True)  # one of each endpoint: none hides another's
    for index in errors[np.sort(firsts)][:LOOKED_AT].tolist():
        if TRACES.search(batch.body(index, "response_body")[:LONGEST]):
            counts["facts"][rows["endpoint"][index]] |= np.uint32(STACK_TRACE)
