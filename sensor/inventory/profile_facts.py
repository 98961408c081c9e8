"""What the answers of an endpoint say of how it is run: flags, sites that may read it, statuses one by one."""

import numpy as np

from sensor.core.hashing import U
from sensor.core.jit import kernel
from sensor.core.records import FACT_BIT

MANY_ORIGINS = 4
"""Sites that an endpoint lets read its answers with credentials, from which on it is taken to let any."""
STATUSES = 16
"""Different statuses of an endpoint that are counted one by one; hardly any has more."""
STATUS = np.dtype([("code", "<u2"), ("count", "<u8")])
"""One status that was answered; code 0: free."""
F_ANY, F_CREDENTIALS = FACT_BIT["any_origin"], FACT_BIT["credentials_allowed"]
F_NULL, F_NULL_BOTH = FACT_BIT["null_origin"], FACT_BIT["null_origin_with_credentials"]
F_MANY = FACT_BIT["many_origins_with_credentials"]
F_BOTH, F_UNSIGNED = FACT_BIT["any_origin_with_credentials"], FACT_BIT["unsigned_jwt"]
UNIMPLEMENTED = 12
"""grpc-status of a procedure that does not exist."""


@kernel
def says_absent(status, grpc_status):
    """Answers that an endpoint which does not exist would give."""
    return grpc_status == UNIMPLEMENTED or status == 404 or status == 405 or status == 400 or status == 501 or status == 414


@kernel
def note_site(counts, site):
    """A site may read answers with credentials: where many may, whoever asks is let in. site: a hash, 0 none."""
    if site == U(0):
        return
    for k in range(MANY_ORIGINS - 1):
        if counts["origins"][k] == site:
            return
        if counts["origins"][k] == U(0):
            counts["origins"][k] = site
            return
    counts["facts"] |= np.uint32(F_MANY)


@kernel
def note_status(counts, code, count):
    """Count a status while there is room for it, if HTTP has it (RFC 9110 15). code: 0 for no response."""
    if not 100 <= code < 600:
        return
    for k in range(STATUSES):
        status = counts["statuses"][k]
        if status["code"] == code or status["code"] == 0:
            status["code"] = code
            status["count"] += U(count)
            return


@kernel
def note_facts(counts, facts, status, site):
    """What a transaction shows of how its endpoint is run; of a token without a signature only where it was taken.

    site: hash of that which may read the answer, 0 none.
    """
    if facts & F_CREDENTIALS:
        note_site(counts, site)
        if facts & F_ANY:
            facts |= np.uint32(F_BOTH)
        if facts & F_NULL:
            facts |= np.uint32(F_NULL_BOTH)
    if not 200 <= status < 400:
        facts &= np.uint32(~F_UNSIGNED & 0xFFFFFFFF)
    counts["facts"] |= facts
