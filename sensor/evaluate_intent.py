"""How right the model of intent is, on attacks that it was not trained on: who is told from whom, and how far its probabilities
can be believed."""

import dataclasses

import numpy as np

from sensor.intent.actors import weighed_features
from sensor.intent.model import CLASSES, SURE, kept_model, model_of
from sensor.intent_training import TRAINED_ON, Examples, gather, weights_of
from sensor.simulate.attacks import ATTACKS

HELD_OUT = tuple(name for name in ATTACKS if name not in TRAINED_ON)
"""Attacks that the model has never seen."""
BAD = CLASSES.index("bad_automation")
BINS = 10


@dataclasses.dataclass(slots=True)
class Curve:
    """Bad automation told from everybody else by its probability, on the sessions of one kind of scenario or of all."""

    scenario: str
    sessions: int
    bad: int
    """sessions of the attack"""
    auc: float
    """area under the ROC curve: how often one of the attack's is given more than one of the others"""
    found: float
    """share of the attack's sessions that are called bad automation"""
    accused: float
    """share of the others that are"""
    unknown: float
    """share of all that are given no intent"""
    points: list[tuple[float, float]]
    """the ROC curve: (share of others, share of the attack's) above each threshold"""


@dataclasses.dataclass(slots=True)
class Bin:
    """Sessions that were given about the same probability of being bad automation."""

    told: float
    """that probability, on the average"""
    true: float
    """share of them that are, were all classes as common as each other"""
    sessions: int


def area_under(scores: np.ndarray, positive: np.ndarray) -> float:
    """How often a positive's score is above a negative's, ties counting half (Mann and Whitney). positive: bool[n]."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    many, few = positive.sum(), (~positive).sum()
    return float((ranks[positive].sum() - many * (many + 1) / 2) / (many * few))


def roc(scores: np.ndarray, positive: np.ndarray) -> list[tuple[float, float]]:
    """The corners of the ROC curve, from (0, 0) to (1, 1)."""
    thresholds = np.unique(scores)[::-1]
    thresholds = thresholds[np.unique(np.linspace(0, len(thresholds) - 1, 200).astype(int))]
    points = [(float((scores[~positive] >= t).mean()), float((scores[positive] >= t).mean())) for t in thresholds]
    return [(0.0, 0.0), *points]


def curve(name: str, chances: np.ndarray, surprise: np.ndarray, classes: np.ndarray) -> Curve:
    """How well the sessions of a scenario are told. chances: float64[n, CLASSES]"""
    bad, best = classes == BAD, chances.argmax(axis=1)
    sure = (chances.max(axis=1) >= SURE) & (surprise <= kept_model().familiar)
    called = sure & (best == BAD)
    return Curve(
        name, len(classes), int(bad.sum()), round(area_under(chances[:, BAD], bad), 4), round(float(called[bad].mean()), 4),
        round(float(called[~bad].mean()), 4), round(float(1 - sure.mean()), 4), roc(chances[:, BAD], bad),
    )  # fmt: skip


def reliability(chances: np.ndarray, classes: np.ndarray) -> list[Bin]:
    """Probabilities against what came true, the classes weighed to be as common as each other."""
    weights, found = weights_of(classes), []
    place = np.minimum((chances[:, BAD] * BINS).astype(int), BINS - 1)
    for k in range(BINS):
        chosen = place == k
        if chosen.any():
            told = float(np.average(chances[chosen, BAD], weights=weights[chosen]))
            true = float(np.average(classes[chosen] == BAD, weights=weights[chosen]))
            found.append(Bin(round(told, 3), round(true, 3), int(chosen.sum())))
    return found


def evaluate_intent(seed: int, rounds: int = 3) -> tuple[list[Curve], list[Bin]]:
    """(each kind of attack and all of them, the probabilities) on scenarios made for it from `seed` on."""
    examples: Examples = gather(HELD_OUT, range(1_000 * seed, 1_000 * seed + rounds))
    chances, surprise = weighed_features(model_of(kept_model()), examples.features)
    curves = []
    for number, name in enumerate(HELD_OUT):
        chosen = examples.group == number
        curves.append(curve(name, chances[chosen], surprise[chosen], examples.classes[chosen]))
    curves.append(curve("all", chances, surprise, examples.classes))
    return curves, reliability(chances, examples.classes)
