"""The model of intent: an additive one, whose every part can be read.

Each feature adds points to each class, by the stretch that its value lies in; the classes' points become probabilities by the
softmax. A generalised additive model with steps instead of curves (Lou, Caruana, Gehrke and Hooker 2013, "accurate
intelligible models"): what a feature contributed is what it added, nothing is hidden in between. It is trained by
sensor/intent_training.py and kept as JSON beside this file.
"""

import functools
import math
import pathlib

import msgspec
import numpy as np

from sensor.core.bundle import Bundle
from sensor.core.intents import INTENTS
from sensor.core.jit import kernel
from sensor.intent.features import COUNT, NAMES, write_features

CLASSES = INTENTS
SURE = 0.6
"""Probability below which an intent is unknown."""
STRETCHES = 16
"""Of each feature's range, at most."""
PATH = pathlib.Path(__file__).with_name("model.json")


class ModelFile(msgspec.Struct, forbid_unknown_fields=True):
    """The model as it lies on disk."""

    classes: list[str]
    features: list[str]
    trained_on: list[str]
    """scenarios that it knows"""
    prior: list[float]
    """points of each class before anything is known"""
    edges: list[list[float]]
    """by feature: where its stretches end, rising; a value at an edge lies below it"""
    points: list[list[list[float]]]
    """by feature, stretch and class"""
    shares: list[list[float]]
    """by feature and stretch: of the sessions that it was trained on"""
    familiar: float
    """bits of surprise a feature that the oddest of the sessions had that it was trained on"""


class Model(Bundle):
    """The model as kernels read it."""

    prior: np.ndarray
    """float64[CLASSES]"""
    edges: np.ndarray
    """float64[COUNT, STRETCHES - 1], infinite behind the last"""
    points: np.ndarray
    """float64[COUNT, STRETCHES, CLASSES]"""
    surprise: np.ndarray
    """float64[COUNT, STRETCHES]: bits, -log2 of the share of sessions in it"""


class ModelError(Exception):
    """A model that does not fit this program; the text is a sentence for the user."""


def model_of(kept: ModelFile) -> Model:
    """Raises ModelError."""
    if tuple(kept.classes) != CLASSES or tuple(kept.features) != NAMES:
        raise ModelError("The model of intent was trained for other classes or features: train it anew.")
    edges = np.full((COUNT, STRETCHES - 1), np.inf)
    points, surprise = np.zeros((COUNT, STRETCHES, len(CLASSES))), np.zeros((COUNT, STRETCHES))
    for k in range(COUNT):
        stretches = len(kept.points[k])
        edges[k, : stretches - 1] = kept.edges[k]
        points[k, :stretches] = kept.points[k]
        surprise[k, :stretches] = -np.log2(np.maximum(kept.shares[k], 1e-4))
    return Model(np.array(kept.prior, np.float64), edges, points, surprise)


@functools.cache
def kept_model() -> ModelFile:
    """The model that comes with the program."""
    return msgspec.json.decode(PATH.read_bytes(), type=ModelFile)


@kernel
def stretch_of(edges, value):
    """Number of the stretch that a value lies in. edges: float64[…], rising."""
    k = 0
    while k < edges.shape[0] and value > edges[k]:
        k += 1
    return k


@kernel
def weigh(model, features, points, chances):
    """What each feature adds to each class, their probabilities, and the mean surprise of the features in bits.

    features: float64[COUNT]; points: float64[COUNT, CLASSES], chances: float64[CLASSES], both written.
    """
    surprise = 0.0
    for c in range(chances.shape[0]):
        chances[c] = model.prior[c]
    for k in range(features.shape[0]):
        stretch = stretch_of(model.edges[k], features[k])
        surprise += model.surprise[k, stretch]
        for c in range(chances.shape[0]):
            points[k, c] = model.points[k, stretch, c]
            chances[c] += points[k, c]
    most = max(chances[0], max(chances[1], chances[2]))
    total = 0.0
    for c in range(chances.shape[0]):
        chances[c] = math.exp(chances[c] - most)
        total += chances[c]
    for c in range(chances.shape[0]):
        chances[c] /= total
    return surprise / features.shape[0]


@kernel
def weigh_all(model, sessions, features, points, chances, surprise):
    """`weigh` of SESSION[n]. features: float64[n, COUNT], points: float64[n, COUNT, CLASSES], chances: float64[n, CLASSES],
    surprise: float64[n]: all are written.
    """
    for k in range(sessions.shape[0]):
        write_features(sessions[k], features[k])
        surprise[k] = weigh(model, features[k], points[k], chances[k])
