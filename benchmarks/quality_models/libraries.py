"""The field's libraries, with their own defaults but for the 64 factors and the decayed weights that all are given.

Each is imported only when it is asked for: one that is not installed is reported, and the others run.
"""

from importlib import import_module

import numpy as np
from rich.progress import track
from scipy import sparse

from benchmarks.quality_models.protocol import Task
from benchmarks.quality_models.references import with_recent_popularity
from pipelines.evaluation.metrics import Floats

FACTORS = 64
LIGHTFM_EPOCHS = 10
NEIGHBOURS = 100
RIVER_FACTORS = 10  # its default; time grows with them, not by much


def als(task: Task) -> Floats:
    """Of implicit: alternating least squares (Hu, Koren, Volinsky, ICDM 2008)."""
    model = import_module("implicit.als").AlternatingLeastSquares(factors=FACTORS, random_state=0, num_threads=1)
    model.fit(_weights(task), show_progress=False)
    return np.asarray(model.user_factors[task.users] @ model.item_factors.T, np.float64)


def als_popularity_2d(task: Task) -> Floats:
    return with_recent_popularity(task, als(task))


def bpr(task: Task) -> Floats:
    """Of implicit: Bayesian personalised ranking (Rendle and others, UAI 2009)."""
    model = import_module("implicit.bpr").BayesianPersonalizedRanking(factors=FACTORS, random_state=0, num_threads=1)
    model.fit(_weights(task), show_progress=False)
    return np.asarray(model.user_factors[task.users] @ model.item_factors.T, np.float64)


def bm25(task: Task) -> Floats:
    """Of implicit: BM25-weighted item neighbourhood."""
    model = import_module("implicit.nearest_neighbours").BM25Recommender(K=NEIGHBOURS, num_threads=1)
    model.fit(_weights(task), show_progress=False)
    return np.asarray((_weights(task)[task.users] @ model.similarity).toarray(), np.float64)


def lightfm_warp(task: Task) -> Floats:
    """lightfm-next with the WARP loss (Kula 2015); the decayed weights are its sample weights."""
    weight = sparse.coo_matrix(_weights(task))
    bought = sparse.coo_matrix((np.ones_like(weight.data), (weight.row, weight.col)), weight.shape)
    model = import_module("lightfm").LightFM(no_components=FACTORS, loss="warp", random_state=0)
    model.fit(bought, sample_weight=weight, epochs=LIGHTFM_EPOCHS, num_threads=1)
    _, user = model.get_user_representations()
    bias, item = model.get_item_representations()
    return np.asarray(user[task.users] @ item.T + bias, np.float64)


def river_fm(task: Task) -> Floats:
    """Of river, the online FMClassifier: one pass in time order, user and item as features, after each purchase one random item
    as an example of what was not bought. AdaGrad 0.1, as ours.
    """
    facto, optim = import_module("river.facto"), import_module("river.optim")
    model = facto.FMClassifier(
        RIVER_FACTORS, weight_optimizer=optim.AdaGrad(0.1), latent_optimizer=optim.AdaGrad(0.1), seed=0
    )
    log, n_items = task.log, task.log.n_items
    other = np.random.default_rng(0).integers(n_items, size=len(log)).tolist()
    rows = zip(log.user.tolist(), log.item.tolist(), other, strict=True)
    for user, item, negative in track(rows, "river", len(log), transient=True):
        model.learn_one({f"user {user}": 1.0, f"item {item}": 1.0}, True)
        model.learn_one({f"user {user}": 1.0, f"item {negative}": 1.0}, False)
    bias = np.array([model.weights[f"item {item}"] for item in range(n_items)])
    item_factors = np.array([model.latents[f"item {item}"] for item in range(n_items)])
    user_factors = np.array([model.latents[f"user {user}"] for user in task.users])
    return np.asarray(user_factors @ item_factors.T + bias, np.float64)


def _weights(task: Task) -> sparse.csr_matrix:
    """The decayed weights in the older of SciPy's two kinds of matrix, which the libraries expect."""
    return sparse.csr_matrix(task.recent.astype(np.float32))
