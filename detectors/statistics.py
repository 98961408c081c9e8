"""Tail probabilities that detectors share, as surprise in nats (minus the natural logarithm of a probability)."""

import math

from sensor.core.jit import kernel


@kernel
def normal_tail_nats(z):
    """-ln P(Z >= z) of a standard normal variable; 0 for z <= 0 counts as no surprise."""
    if z <= 0.0:
        return 0.0
    if z > 12.0:  # erfc underflows; the first term of its asymptotic series is exact to 1 % there
        return 0.5 * z * z + math.log(z * 2.5066282746310002)
    return -math.log(0.5 * math.erfc(z / 1.4142135623730951))


@kernel
def more_than_expected_nats(hits, trials, share):
    """Chernoff bound on -ln P(X >= hits), X binomial: trials * KL(hits / trials || share); 0 for hits up to the mean."""
    if trials <= 0:
        return 0.0
    seen = hits / trials
    if seen <= share:
        return 0.0
    if seen >= 1.0:
        return -trials * math.log(share)
    return trials * (seen * math.log(seen / share) + (1.0 - seen) * math.log((1.0 - seen) / (1.0 - share)))


@kernel
def fewer_than_expected_nats(hits, trials, share):
    """Chernoff bound on -ln P(X <= hits)."""
    return more_than_expected_nats(trials - hits, trials, 1.0 - share)
