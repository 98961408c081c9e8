"""What the profile of an endpoint tells: quantiles, numbers of clients, media types, statuses."""

import numpy as np

from sensor.inventory.loglog import estimate
from sensor.inventory.profile import EXACT_CLIENTS, TYPE_LIMIT, TYPES, Profiles


def quantile(profiles: Profiles, place: int, which: int, share: float) -> int | None:
    """A quantile of one histogram, within an eighth; None without values."""
    counts = profiles.counts[place]
    total = int(counts["measured"][which])
    if not total:
        return None
    cumulated = np.cumsum(profiles.histograms[place, which], dtype=np.int64)
    bucket = int(np.searchsorted(cumulated, max(1, round(share * total))))
    if bucket < 4:
        middle = bucket
    else:
        top, rest = divmod(bucket - 4, 4)
        middle = ((4 + rest) << top) + (1 << top) // 2
    return int(min(max(middle, int(counts["smallest"][which])), int(counts["largest"][which])))


def distinct_clients(profiles: Profiles, place: int) -> int:
    """Distinct addresses: exact up to EXACT_CLIENTS, then the HyperLogLog estimate with linear counting for small numbers."""
    exact = int(profiles.counts["clients"][place])
    if exact <= EXACT_CLIENTS:
        return exact
    return max(EXACT_CLIENTS + 1, round(estimate(profiles.registers[place])))


def media_types(profiles: Profiles, place: int, side: int) -> list[str]:
    """Media types seen, in order of appearance."""
    found = []
    for k in range(int(profiles.counts["types"][place][side])):
        at = ((place * 2 + side) * TYPES + k) * (TYPE_LIMIT + 1)
        size = int(profiles.type_texts[at])
        found.append(profiles.type_texts[at + 1 : at + 1 + size].tobytes().decode("ascii", "backslashreplace"))
    return found


def statuses(profiles: Profiles, place: int) -> dict[int, int]:
    """Answers by their status, as far as there was room for it, in the order of the numbers."""
    found = profiles.counts["statuses"][place]
    return {int(code): int(count) for code, count in sorted(found[found["code"] > 0].tolist())}
