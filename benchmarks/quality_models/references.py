"""Plain models that everything else must beat, each a few lines of linear algebra."""

import numpy as np

from benchmarks.quality_models.protocol import Task
from pipelines.evaluation.metrics import Floats

EASE_L2 = 100.0
TIES = 1e-6  # less than any difference between decayed histories, so popularity orders what is equal


def popularity_rows(task: Task) -> Floats:
    """How often an item was bought."""
    return _for_all(task, np.bincount(task.log.item, minlength=task.log.n_items).astype(np.float64))


def popularity_45d(task: Task) -> Floats:
    return _for_all(task, task.popularity(45))


def popularity_1d(task: Task) -> Floats:
    return _for_all(task, task.popularity(1))


def own_history_45d(task: Task) -> Floats:
    """The user's own decayed purchases; ties, and what was never bought, by decayed popularity."""
    return np.asarray(task.recent[task.users].toarray() + TIES * task.popularity(45))


def own_history_count(task: Task) -> Floats:
    """How often the user bought an item; ties, and what was never bought, by the popularity of the last days."""
    return np.asarray(task.counts[task.users].toarray() + TIES * task.popularity(7))


def item_cosine(task: Task) -> Floats:
    """Cosine of the sets of buyers of two items, summed over the user's decayed history; an item is its own neighbour."""
    bought = (task.counts > 0).astype(np.float64)
    unit = bought / np.sqrt(bought.sum(axis=0))
    return np.asarray((task.recent[task.users] @ (unit.T @ unit)).toarray())


def ease(task: Task) -> Floats:
    """Linear autoencoder without a diagonal (Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019)."""
    gram = (task.recent.T @ task.recent).toarray()
    gram[np.diag_indices_from(gram)] += EASE_L2
    inverse = np.linalg.inv(gram)
    weight = inverse / -np.diag(inverse)
    np.fill_diagonal(weight, 0.0)
    return np.asarray(task.recent[task.users] @ weight)


def with_recent_popularity(task: Task, scores: Floats) -> Floats:
    """(V, I) scores and the popularity of two days, each brought to mean 0 and deviation 1 over a user's items, summed."""
    return _standard(scores) + _standard(_for_all(task, task.popularity(2)))


def ease_popularity_2d(task: Task) -> Floats:
    return with_recent_popularity(task, ease(task))


def _for_all(task: Task, score: Floats) -> Floats:
    return np.broadcast_to(score, (len(task.users), len(score))).astype(np.float64)


def _standard(scores: Floats) -> Floats:
    deviation = np.maximum(scores.std(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return np.asarray((scores - scores.mean(axis=1, keepdims=True)) / deviation)
