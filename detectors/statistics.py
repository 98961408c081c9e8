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


@kernel
def nats_against_others(own, taught, count, total, squares, prior, usual, spread, least):
    """Surprise of one value of a population against all others of it: normal, by their mean and deviation.

    taught: what the value itself added to `total` (and its square to `squares`), negative for nothing; count: how many are in
    these. Until many are known a mean of `usual` and a deviation of `spread` count for `prior` of them; least: deviation at the
    least, as nobody knows the tail of a few hundred.
    """
    before = max(0.0, taught)
    others = max(0.0, count - (0.0 if taught < 0 else 1.0))
    mean = (max(0.0, total - before) + prior * usual) / (others + prior)
    square = (max(0.0, squares - before * before) + prior * (spread * spread + usual * usual)) / (others + prior)
    return normal_tail_nats((own - mean) / max(least, math.sqrt(max(0.0, square - mean * mean))))
