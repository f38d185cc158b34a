"""A log as point-in-time training batches: each event with all that its user did before, however long ago."""

import numpy as np

from benchmarks.event_log import EventLog
from pipelines.features.fold import Timeline
from pipelines.features.profile import Ints
from pipelines.models.past import ranges
from pipelines.models.ranker import Histories, ItemFacts, TrainingBatch


class WholeHistories:
    """What the feature tables know and a profile, which keeps the newest interactions alone, does not."""

    def __init__(self, log: EventLog) -> None:
        self.log = log
        order = np.lexsort((log.key, log.user))
        user, key = log.user[order], log.key[order]
        is_copy = np.zeros(len(order), np.bool_)
        is_copy[1:] = (user[1:] == user[:-1]) & (key[1:] == key[:-1])
        self._row = order[~is_copy]  # of the log, by user and time
        self._start = np.searchsorted(log.user[self._row], np.arange(log.n_users + 1))

    def batch(self, rows: slice) -> TrainingBatch:
        """Rows of the log to learn from, after what came before them."""
        row = self._rows_of(np.unique(self.log.user[rows]))
        row = row[row < rows.stop]
        timeline = self._timeline(row, row >= rows.start)
        return TrainingBatch(timeline, self.log.context[row], self._facts(rows), max_examples=len(row))

    def histories(self, users: Ints, as_of_s: int) -> Histories:
        """All that some users (ascending) did, for a list as of that second."""
        row = self._rows_of(users)
        timeline = self._timeline(row, np.zeros(len(row), np.bool_))
        last = self._row[self._start[users + 1] - 1]
        as_of = np.full(len(users), as_of_s)
        return Histories(len(users), timeline.user, timeline.key, timeline.item, as_of, self.log.context[last])

    def _rows_of(self, users: Ints) -> Ints:
        return self._row[ranges(self._start[users], self._start[users + 1] - self._start[users])]

    def _timeline(self, row: Ints, learn: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Timeline:
        _, user = np.unique(self.log.user[row], return_inverse=True)
        return Timeline(user, self.log.key[row], self.log.item_hash[self.log.item[row]], learn)

    def _facts(self, rows: slice) -> ItemFacts:
        log = self.log
        hashes, first = np.unique(log.item_hash[log.item[rows]], return_index=True)
        at = rows.start + first
        return ItemFacts(hashes, log.item_id[log.item[at]], log.category[at], log.brand[at])
