"""Trains the model of intent on scenarios that it makes itself: `python -m sensor.intent_training [OUTPUT]`.

Gradient boosting of steps of one feature each (Friedman 2001), with the multinomial log-likelihood, every class given the same
weight: a probability answers "of these three, all as common as each other, which?". A family of attacks is left out in turn;
the temperature that makes the probabilities of the families left out honest is built in (Guo et al. 2017).
"""

import concurrent.futures
import dataclasses
import pathlib
import sys
import tempfile
from collections.abc import Iterator

import msgspec
import numpy as np

from sensor.capture.files import CaptureFile
from sensor.core.addresses import address_text
from sensor.intent.features import COUNT, NAMES, write_all_features
from sensor.intent.model import CLASSES, PATH, STRETCHES, ModelFile
from sensor.pipeline import Pipeline
from sensor.settings import Config
from sensor.simulate.attacks import DISGUISES
from sensor.simulate.scenarios import ORDINARY, Scenario, write_scenario

TRAINED_ON = ("sweep", "scrape", "stuffing", "coupons", "fuzzing", "scanning")
"""Attacks that the model knows; the others are left to judge it by (sensor/evaluate_intent.py)."""
SEEDS = range(100, 104)
ROUNDS, RATE, SMOOTH, LEAST_WEIGHT = 120, 0.08, 1.0, 2.0
"""Passes over all features, size of a step, weight that holds a step back, and weight that a step rests on at least."""
CLASS_WEIGHT = 1_000.0
"""Of all examples of a class together."""


@dataclasses.dataclass(slots=True)
class Examples:
    """Sessions of labelled captures."""

    features: np.ndarray
    """float64[n, COUNT]"""
    classes: np.ndarray
    """int64[n]: place in CLASSES"""
    group: np.ndarray
    """int64[n]: number of the scenario's kind"""


def scenarios(kinds: tuple[str, ...], seeds: range) -> list[Scenario]:
    """What is made for training or judging: each attack by few and by many, fast and slow, in several disguises."""
    found = []
    for seed in seeds:
        for place, kind in enumerate(kinds):
            turn = seed + place
            sources, rate = ((1, 2.0), (20, 1.0), (150, 4.0), (5, 0.3))[turn % 4]
            found.append(
                Scenario(kind, seed=seed * 31 + place, hours=2.0, people=40, requests=2_000, sources=sources, rate=rate,
                         machines=12, visitors=30, disguise=DISGUISES[turn % len(DISGUISES)])
            )  # fmt: skip
    return found


def sessions_of(scenario: Scenario) -> tuple[np.ndarray, np.ndarray]:
    """(features, classes) of all sessions of a scenario, as they are told."""
    told: list[np.ndarray] = []
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "scenario.pcap"
        natures = write_scenario(scenario, path, None)["natures"]
        pipeline = Pipeline(Config(), (1, 2), [])
        pipeline.use([], told.append)
        pipeline.run(CaptureFile(str(path)))
        pipeline.finish("scenario")
        pipeline.tell_rest_of_actors()
        pipeline.close()
    sessions = np.concatenate(told)
    features = np.empty((len(sessions), COUNT))
    write_all_features(sessions, features)
    addresses = [address_text(int(hi), int(lo)) for hi, lo in zip(sessions["hi"], sessions["lo"], strict=True)]
    return features, np.array([CLASSES.index(natures[address]) for address in addresses])


def gather(kinds: tuple[str, ...], seeds: range) -> Examples:
    """The sessions of all scenarios of some kinds."""
    wanted = scenarios(kinds, seeds)
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        parts = list(pool.map(sessions_of, wanted))
    return Examples(
        np.concatenate([features for features, _ in parts]),
        np.concatenate([classes for _, classes in parts]),
        np.concatenate([np.full(len(part[1]), kinds.index(one.name)) for part, one in zip(parts, wanted, strict=True)]),
    )


def weights_of(classes: np.ndarray) -> np.ndarray:
    """float64[n]: each class as heavy as every other."""
    counts = np.maximum(1, np.bincount(classes, minlength=len(CLASSES)))
    return CLASS_WEIGHT / counts[classes]


def edges_of(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Where the stretches of a feature end: quantiles of the weighed sessions, each once."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    wanted = np.arange(1, STRETCHES) / STRETCHES * total[-1]
    edges = np.unique(values[order][np.searchsorted(total, wanted)])
    return edges[edges < values.max()]


def boosted(stretches: np.ndarray, sizes: list[int], classes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """float64[COUNT, STRETCHES, CLASSES]: points of an additive model. stretches: int64[n, COUNT]; sizes: by feature."""
    points = np.zeros((COUNT, STRETCHES, len(CLASSES)))
    scores = np.zeros((len(classes), len(CLASSES)))
    for _ in range(ROUNDS):
        for feature in range(COUNT):
            chances = softmax(scores)
            for c in range(len(CLASSES)):
                slope = weights * ((classes == c) - chances[:, c])
                curve = weights * chances[:, c] * (1 - chances[:, c])
                step = best_step(stretches[:, feature], sizes[feature], slope, curve)
                points[feature, : sizes[feature], c] += step
                scores[:, c] += step[stretches[:, feature]]
    return points


def best_step(stretches: np.ndarray, size: int, slope: np.ndarray, curve: np.ndarray) -> np.ndarray:
    """float64[size]: the step up or down at one edge that fits best, times RATE; zeros where no edge is worth one."""
    slopes = np.cumsum(np.bincount(stretches, slope, size))
    curves = np.cumsum(np.bincount(stretches, curve, size))
    below, above = slopes[:-1], slopes[-1] - slopes[:-1]
    light, heavy = curves[:-1] + SMOOTH, curves[-1] - curves[:-1] + SMOOTH
    gain = below**2 / light + above**2 / heavy
    gain[(light < LEAST_WEIGHT) | (heavy < LEAST_WEIGHT)] = -1
    step = np.zeros(size)
    if len(gain) and gain.max() > 0:
        edge = int(np.argmax(gain))
        step[: edge + 1], step[edge + 1 :] = RATE * below[edge] / light[edge], RATE * above[edge] / heavy[edge]
    return step


def softmax(scores: np.ndarray) -> np.ndarray:
    """Probabilities of float64[n, CLASSES]."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def temperature(scores: np.ndarray, classes: np.ndarray, weights: np.ndarray) -> float:
    """By what scores of examples that were not trained on are to be divided for their probabilities to be the likeliest."""
    tried = np.geomspace(0.5, 8, 60)
    losses = [-np.sum(weights * np.log(softmax(scores / t)[np.arange(len(classes)), classes] + 1e-12)) for t in tried]
    return float(tried[int(np.argmin(losses))])


def train(examples: Examples) -> Iterator[str | ModelFile]:
    """What is to be told meanwhile, and the model at last."""
    weights = weights_of(examples.classes)
    edges = [edges_of(examples.features[:, f], weights) for f in range(COUNT)]
    stretches = np.stack([np.searchsorted(edges[f], examples.features[:, f]) for f in range(COUNT)], axis=1)
    sizes = [len(one) + 1 for one in edges]
    left_out = np.zeros((len(weights), len(CLASSES)))
    folds = examples.group % len(TRAINED_ON)
    for fold, kind in enumerate(TRAINED_ON):
        learn, judge = folds != fold, folds == fold
        points = boosted(stretches[learn], sizes, examples.classes[learn], weights_of(examples.classes[learn]))
        left_out[judge] = sum(points[f][stretches[judge, f]] for f in range(COUNT))
        right = left_out[judge].argmax(axis=1) == examples.classes[judge]
        yield f"without {kind}: {right.mean():.1%} of {judge.sum():,} sessions told right"
    heat = temperature(left_out, examples.classes, weights)
    yield f"temperature {heat:.2f}"
    points = boosted(stretches, sizes, examples.classes, weights) / heat
    shares = [np.bincount(stretches[:, f], weights, sizes[f]) / weights.sum() for f in range(COUNT)]
    surprise = np.mean([-np.log2(np.maximum(shares[f], 1e-4))[stretches[:, f]] for f in range(COUNT)], axis=0)
    yield ModelFile(
        classes=list(CLASSES), features=list(NAMES), trained_on=[ORDINARY, *TRAINED_ON], prior=[0.0] * len(CLASSES),
        edges=[[round(float(edge), 4) for edge in one] for one in edges],
        points=[np.round(points[f, : sizes[f]], 4).tolist() for f in range(COUNT)],
        shares=[np.round(one, 5).tolist() for one in shares],
        familiar=round(float(surprise.max()), 3),
    )  # fmt: skip


def main(path: pathlib.Path) -> None:
    """Make the scenarios, train on them, write the model."""
    examples = gather(TRAINED_ON, SEEDS)
    counts = np.bincount(examples.classes, minlength=len(CLASSES))
    print(", ".join(f"{count:,} sessions of {name}" for name, count in zip(CLASSES, counts, strict=True)))
    for told in train(examples):
        if isinstance(told, str):
            print(told)
        else:
            path.write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=0) + b"\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else PATH)
