"""Which interactions of a micro-batch a model learns from: no user may drag it, and no backlog may hold it up."""

import numpy as np

from pipelines.features.fold import Timeline
from pipelines.features.profile import Ints, key_time_s
from pipelines.model_sections import ModelConfig

HOUR_S = 3600


def capped_rows(timeline: Timeline, config: ModelConfig) -> Ints:
    """Rows to learn from, ascending: those among the newest few of their user, and none that follows many within an hour.

    So one that comes late, after as many newer ones, is not learned from. Both looks go back a bounded number of rows: a
    replayed micro-batch, of which only what the ring holds is left, with as much history, chooses the same.
    """
    everybody, user = np.arange(len(timeline.user)), timeline.user
    after = np.cumsum(np.bincount(user, minlength=1))[user] - 1 - everybody  # rows of the user that follow
    rows = np.flatnonzero(timeline.learn & (after < config.max_examples_per_user))
    time_s, before = key_time_s(timeline.key), np.maximum(rows - config.max_examples_per_user_hour, 0)
    is_hasty = (rows - before == config.max_examples_per_user_hour) & (timeline.user[before] == timeline.user[rows])
    is_hasty &= time_s[rows] - time_s[before] < HOUR_S
    kept: Ints = rows[~is_hasty]
    return kept


def sampled(rows: Ints, most: int, seed: int) -> Ints:
    """At most so many of the rows, evenly by chance, in their order."""
    if len(rows) <= most:
        return rows
    chosen: Ints = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
    return chosen
