"""Actors and their intent, as rows of the store."""

import dataclasses

import numpy as np

from sensor.core.addresses import address_text
from sensor.core.intents import UNKNOWN
from sensor.core.records import Batch
from sensor.intent.features import COUNT, NAMES, in_words
from sensor.intent.model import CLASSES, SURE, Model, ModelFile, kept_model, model_of, weigh, weigh_all
from sensor.intent.sessions import IDENTITIES, IDLE, LEAST, Sessions, new_sessions, take_sessions

REASONS = 3
"""Features that are told with an intent: those that spoke for it most."""


@dataclasses.dataclass(slots=True)
class Verdicts:
    """Sessions with what the model makes of them, row by row."""

    sessions: np.ndarray
    """SESSION[n]"""
    features: np.ndarray
    """float64[n, COUNT]"""
    points: np.ndarray
    """float64[n, COUNT, CLASSES]: what each feature adds to each class"""
    chances: np.ndarray
    """float64[n, CLASSES]"""
    surprise: np.ndarray
    """float64[n]: bits a feature"""


def weighed(model: Model, sessions: np.ndarray) -> Verdicts:
    """What the model makes of SESSION[n]."""
    n = len(sessions)
    found = Verdicts(
        sessions, np.empty((n, COUNT)), np.empty((n, COUNT, len(CLASSES))), np.empty((n, len(CLASSES))), np.empty(n)
    )
    weigh_all(model, sessions, found.features, found.points, found.chances, found.surprise)
    return found


def weighed_features(model: Model, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(chances: float64[n, CLASSES], surprise: float64[n]) of sessions whose features are known: float64[n, COUNT]."""
    points, chances = np.empty((COUNT, len(CLASSES))), np.empty((len(features), len(CLASSES)))
    surprise = np.array([weigh(model, row, points, chances[k]) for k, row in enumerate(features)])
    return chances, surprise


class Actors:
    """Everybody who acts."""

    def __init__(self) -> None:
        self._state: Sessions = new_sessions()

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything that it remembers, by name."""
        return self._state.arrays()

    def taken(self, batch: Batch, values: np.ndarray) -> np.ndarray:
        """Take the next batch with its parameters (VALUE[n]): what is to be told, as SESSION[n]."""
        told = []
        row = at = 0
        while True:
            row, at = take_sessions(self._state, batch.rows, row, batch.arena, values, at)
            count = int(self._state.control[0])
            told.append(self._state.news[:count].copy())
            self._state.control[0] = 0
            if row >= len(batch.rows):
                return np.concatenate(told)

    def rest(self, now: int | None = None) -> np.ndarray:
        """SESSION[n] of those that ended before `now` (packet time, ns), or all, of which something is to be told."""
        table = self._state.table
        chosen = (table["requests"] >= LEAST) & (table["requests"] != table["told"])
        if now is not None:
            chosen &= table["last_ts"] < now - IDLE
        table["told"][chosen] = table["requests"][chosen]
        found = table[chosen]
        return found[np.lexsort((found["key"], found["first_ts"]))]


class Judge:
    """The model that comes with the program, or another."""

    def __init__(self, kept: ModelFile | None = None):
        self._kept = kept or kept_model()
        self.model = model_of(self._kept)

    def rows(self, sessions: np.ndarray) -> list[dict]:
        """SESSION[n] as rows of the store."""
        if not len(sessions):
            return []
        found = weighed(self.model, sessions)
        best = found.chances.argmax(axis=1)
        sure = (found.chances.max(axis=1) >= SURE) & (found.surprise <= self._kept.familiar)
        why = leading(found.points, best)
        features, chances = found.features.round(4).tolist(), found.chances.round(4).tolist()
        return [
            {
                "actor": actor_text(session),
                "address": address_text(int(session["hi"]), int(session["lo"])),
                "first_seen": int(session["first_ts"]),
                "last_seen": int(session["last_ts"]),
                "transactions": int(session["requests"]),
                "intent": CLASSES[best[k]] if sure[k] else UNKNOWN,
                **dict(zip(CLASSES, chances[k], strict=True)),
                "surprise": round(float(found.surprise[k]), 3),
                "reasons": [in_words(f, features[k][f]) for f in why[k]],
                "features": dict(zip(NAMES, features[k], strict=True)),
            }
            for k, session in enumerate(sessions)
        ]


def latest(sessions: np.ndarray) -> np.ndarray:
    """The last of SESSION[n] of each actor since it came, in their order."""
    _, behind = np.unique(sessions[["key", "first_ts"]][::-1], return_index=True)
    return sessions[np.sort(len(sessions) - 1 - behind)]


def actor_text(session: np.void) -> str:
    """As in the column `actor` of transactions."""
    identity = IDENTITIES[int(session["identity"])]
    if identity == "ip":
        return f"ip:{address_text(int(session['hi']), int(session['lo']))}"
    return f"{identity}:{int(session['who']):016x}"


def leading(points: np.ndarray, best: np.ndarray) -> list[list[int]]:
    """The features of each session that spoke most for its class. points: float64[n, COUNT, CLASSES]; best: int64[n]."""
    own = np.take_along_axis(points, best[:, None, None], axis=2)[:, :, 0]
    lead = own - (points.sum(axis=2) - own) / (points.shape[2] - 1)
    order = np.argsort(-lead, axis=1, kind="stable")[:, :REASONS]
    return [[int(f) for f in row if lead[k, f] > 0] for k, row in enumerate(order)]
