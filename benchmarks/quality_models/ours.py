"""Our own rankers, as the quality benchmark asks for them: given the training log, scores of all items as of the cut.

Hyperparameters were chosen on earlier cuts alone (`--cut`).
"""

import numpy as np
from rich.progress import track

from benchmarks.hot_loop import HotLoop, micro_batches
from benchmarks.quality_models.protocol import Task
from benchmarks.whole_histories import WholeHistories
from pipelines.evaluation.metrics import Floats
from pipelines.model_sections import FactorizationConfig, ModelConfig
from pipelines.models.kinds import empty
from pipelines.models.ranker import Histories, Ranker
from pipelines.sections import ProfileConfig

# An invoice is up to hundreds of lines of one second: a user's caps, made for clicks, must let them through.
PROFILE = ProfileConfig(ring_size=200)
MODEL = ModelConfig(
    max_examples_per_user=30,
    max_examples_per_user_hour=30,
    event_weights={"purchase": 1.0},
    expire_after_days=365,
    factorization=FactorizationConfig(
        history_items=170,
        history_half_life_hours=24 * 180,
        negatives=512,
        learning_rate=0.2,
        term_learning_rate=0.03,
        initial_repeat_weights=(0.0, 0.0, 0.0, 0.0, 0.0),
    ),
)
MICRO_BATCH_EVENTS = 256
MINI_BATCH_EVENTS = 512


def fm_online(task: Task) -> Floats:
    """The factorization machine as the hot path trains it: one pass of micro-batches in time order."""
    loop = HotLoop(task.log, empty(MODEL), PROFILE)
    batches = list(micro_batches(len(task.log), MICRO_BATCH_EVENTS))
    for rows in track(batches, "fm_online", transient=True):
        loop.learn(loop.fold(rows))
    return scores_of(loop.ranker, loop.histories(task.users, task.cut_s), task)


def fm_batch(task: Task) -> Floats:
    """The same machine trained from whole histories, as `train_model` does: larger mini-batches, one pass in time order."""
    whole, ranker = WholeHistories(task.log), empty(MODEL)
    batches = list(micro_batches(len(task.log), MINI_BATCH_EVENTS))
    for number, rows in enumerate(track(batches, "fm_batch", transient=True)):
        ranker.apply([ranker.gradient(whole.batch(rows), seed=number).data])
    return scores_of(ranker, whole.histories(task.users, task.cut_s), task)


def scores_of(ranker: Ranker, histories: Histories, task: Task) -> Floats:
    """(V, I) scores by the log's numbers of the items; −inf of those that the ranker does not hold."""
    column = ranker.find(task.log.item_hash)
    scores = ranker.score(histories)[:, column].astype(np.float64)
    scores[:, column < 0] = -np.inf
    return scores
