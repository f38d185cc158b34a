"""A slice of time as one task learns from it: micro-batches in time order, each with the history that it needs."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipelines.features.fold import Timeline
from pipelines.features.interactions import BRAND, CATEGORY, context_hashes
from pipelines.features.profile import Flags, Ints, Words, key_time_s
from pipelines.features.timelines import KEY, LEARN, USER
from pipelines.models.ranker import ItemFacts, TrainingBatch


@dataclass(frozen=True)
class Slice:
    """The rows of some users in a slice of time, by user and time, after the history of each."""

    timeline: Timeline  # M rows
    context: Words  # (M, F)
    facts: ItemFacts  # (M,) of each row, not of each item
    user_hash: Ints  # (M,)

    def whole(self) -> TrainingBatch:
        """All of it at once."""
        return self._batch(np.arange(len(self.timeline.user)), self.timeline.learn)

    def micro_batches(self, n_examples: int, reach: int) -> Iterator[TrainingBatch]:
        """Cut the rows to learn from into batches of `n_examples` in time order, or a few more: a second is never cut.

        Before the first second of a user's rows lie those `reach` rows before, or all there are.
        """
        time_s = key_time_s(self.timeline.key)
        rows = np.flatnonzero(self.timeline.learn)
        rows = rows[np.argsort(time_s[rows], kind="stable")]
        start = 0
        while start < len(rows):
            end = int(np.searchsorted(time_s[rows], time_s[rows[min(start + n_examples, len(rows)) - 1]], side="right"))
            learned = rows[start:end]
            yield self._with_history(learned, reach)
            start = end

    def _with_history(self, learned: Ints, reach: int) -> TrainingBatch:
        user = self.timeline.user
        start = np.maximum(learned - reach, np.searchsorted(user, user[learned]))
        covered = np.zeros(len(user) + 1, np.int64)  # +1 where a learned row's reach begins, −1 after the row
        np.add.at(covered, start, 1)
        np.add.at(covered, learned + 1, -1)
        learn = np.zeros(len(user), np.bool_)
        learn[learned] = True
        return self._batch(np.flatnonzero(np.cumsum(covered[:-1])), learn)

    def _batch(self, rows: Ints, learn: Flags) -> TrainingBatch:
        timeline = self.timeline
        _, user = np.unique(timeline.user[rows], return_inverse=True)
        part = Timeline(user, timeline.key[rows], timeline.item[rows], learn[rows])
        context = np.where(part.learn[:, None], self.context[rows], np.uint64(0))
        learned = rows[part.learn]
        by_time = learned[np.argsort(key_time_s(timeline.key[learned]), kind="stable")]
        return TrainingBatch(part, context, ItemFacts.joined([self.facts.at(by_time)]), max_examples=len(rows))


def read_slice(rows: pa.Table) -> Slice:
    """Take the rows of one slice and one partition, in the order in which `to_timelines` gives them."""
    hashed = {name: rows[name].to_numpy().view(np.uint64) for name in (USER, KEY, "item_hash", CATEGORY, BRAND)}
    user = np.cumsum(np.diff(hashed[USER], prepend=hashed[USER][:1]) != 0)
    learn = rows[LEARN].to_numpy(zero_copy_only=False)
    item_id = np.array(rows["item"].to_pylist(), dtype=object)
    facts = ItemFacts(hashed["item_hash"], item_id, hashed[CATEGORY], hashed[BRAND])
    return Slice(
        Timeline(user, hashed[KEY], hashed["item_hash"], learn), context_hashes(rows), facts, rows[USER].to_numpy()
    )
