"""What the hot path does with a micro-batch, in one process: the same fold, the same gradient, the same step.

In place of Redis, profiles lie in a list, as the bytes that Redis would hold; in place of the driver, `apply` follows at once.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from benchmarks.event_log import EventLog
from pipelines.features.fold import Interactions, fold
from pipelines.features.online import OnlineSums
from pipelines.features.profile import Ints, Words
from pipelines.features.profile_bytes import decode, encode
from pipelines.hot_path.arrivals import Arrivals
from pipelines.models.ranker import Histories, Ranker, TrainingBatch
from pipelines.sections import ProfileConfig

SOURCE = 1  # one partition of one topic


class HotLoop:
    """Folds the rows of a log into profiles and learns from them."""

    def __init__(self, log: EventLog, ranker: Ranker, profile: ProfileConfig) -> None:
        self.log = log
        self.ranker = ranker
        self._config = profile
        self._profiles: list[bytes | None] = [None] * log.n_users
        self._context: Words = np.zeros((log.n_users, log.context.shape[1]), np.uint64)  # newest of each user
        self._n_steps = 0

    def fold(self, rows: slice) -> TrainingBatch:
        """Fold rows of the log, once each and in order, and store the profiles. Returns what there is to learn."""
        arrivals, users = self._arrivals(rows)
        before = decode([self._profiles[user] for user in users.tolist()])
        folded = fold(before, arrivals.batch, self._config, OnlineSums.none())
        for user, value in zip(users.tolist(), encode(folded.profiles, np.arange(len(users))), strict=True):
            self._profiles[user] = value
        self._context[self.log.user[rows]] = self.log.context[rows]
        context = arrivals.context_at(folded.arrival)
        return TrainingBatch(folded.timeline, context, arrivals.facts, max_examples=len(folded.timeline.user))

    def learn(self, batch: TrainingBatch) -> None:
        """Take a step."""
        gradient = self.ranker.gradient(batch, seed=self._n_steps)
        self.ranker.apply([gradient.data])
        self.ranker.trim()
        self._n_steps += 1

    def histories(self, users: Ints, as_of_s: int) -> Histories:
        """What the profiles say of some users, for a list as of that second."""
        profiles = decode([self._profiles[user] for user in users.tolist()])
        as_of = np.full(len(users), as_of_s)
        return Histories(len(users), profiles.owner, profiles.key, profiles.item, as_of, self._context[users])

    def _arrivals(self, rows: slice) -> tuple[Arrivals, Ints]:
        """Rows of the log as the stage gets them, and the users' numbers."""
        log = self.log
        users, place = np.unique(log.user[rows], return_inverse=True)
        offset = np.arange(rows.start, rows.start + len(place))
        batch = Interactions(place, log.key[rows], log.item_hash[log.item[rows]], offset, SOURCE)
        item_id = pa.array(log.item_id[log.item[rows]], pa.string())
        told = (log.category[rows], log.brand[rows], log.context[rows])
        names = [str(name) for name in log.user_id[users]]
        is_named = np.ones(len(names), np.bool_)
        return Arrivals(names, is_named, batch, item_id, *told, ingest_ms=log.time_s[rows] * 1000, partition=0), users


def micro_batches(n: int, size: int) -> Iterator[slice]:
    """Slices of `size` rows, the last one maybe shorter, that cover n rows."""
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))
