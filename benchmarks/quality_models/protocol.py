"""The protocol of the quality benchmark: what is trained on, what is asked, and how an answer is judged.

Trained on every purchase before the cut; asked once, as of the cut, for a ranking of all items; judged by what the users seen
in training bought in the 14 days from it: of all items, and of the items new to the user alone.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from benchmarks.event_log import EventLog
from pipelines.errors import InputError
from pipelines.evaluation.metrics import Flags, Floats, Ints, Scores, hits_of, ndcg, ranked_columns

DAY_S = 86_400
TEST_DAYS = 14
K = 10


@dataclass(frozen=True)
class Task:
    """What a model is given, and whom it is asked about."""

    log: EventLog  # the training part, in time order
    cut_s: int  # epoch seconds: rank as of then
    users: Ints  # (V,) numbers of the users to rank for, ascending

    @cached_property
    def counts(self) -> sparse.csr_array:
        """(U, I) rows of the log."""
        return self.summed(np.ones(len(self.log)))

    @cached_property
    def recent(self) -> sparse.csr_array:
        """(U, I) rows of the log, each decayed with a half-life of 45 days: the weights that the libraries are given."""
        return self.summed(self.decay(45))

    def decay(self, half_life_days: float) -> Floats:
        """(n,) what a row of the log still weighs at the cut."""
        return np.asarray(np.exp2((self.log.time_s - self.cut_s) / (half_life_days * DAY_S)), np.float64)

    def popularity(self, half_life_days: float) -> Floats:
        """(I,) decayed rows of each item, as a part of the most popular one's."""
        total = np.bincount(self.log.item, self.decay(half_life_days), self.log.n_items)
        return np.asarray(total / total.max(), np.float64)

    def summed(self, weight: Floats) -> sparse.csr_array:
        """(U, I) a weight (n,) of each row, added up."""
        shape = (self.log.n_users, self.log.n_items)
        return sparse.csr_array(sparse.coo_array((weight, (self.log.user, self.log.item)), shape))


@dataclass(frozen=True)
class Split:
    """A log cut in two."""

    task: Task
    user: Ints  # (R,) index into task.users of each purchase in the test
    item: Ints  # (R,) number of its item; an item not seen in training has one that no ranking holds
    was_bought: Flags  # (V, I) before the cut

    @classmethod
    def at(cls, log: EventLog, cut_s: int) -> "Split":
        """Cut `log`. Raises InputError when there is nothing to train on, or nothing to test with."""
        training = log.before(cut_s)
        in_test = (log.time_s >= cut_s) & (log.time_s < cut_s + TEST_DAYS * DAY_S) & (log.user < training.n_users)
        if not len(training) or not in_test.any():
            day = np.datetime64(cut_s, "s").astype("datetime64[D]")
            raise InputError(
                f"cut {day}: expected purchases before it and, of the same users, in the {TEST_DAYS} days from it, "
                f"got {len(training)} and {in_test.sum()}: choose a cut inside the log"
            )
        users, place = np.unique(log.user[in_test], return_inverse=True)
        task = Task(training, cut_s, users)
        return cls(task, place, log.item[in_test], (task.counts[users] > 0).toarray())

    def judged(self, scores: Scores) -> tuple[Floats, Floats]:
        """NDCG@10 of (V, I) scores: of each user over all items, and of each with new ones over the items new to them.

        Raises ValueError when the scores have another shape, or one is NaN.
        """
        if scores.shape != self.was_bought.shape:
            raise ValueError(f"expected scores of shape {self.was_bought.shape}, got {scores.shape}")
        of_all = hits_of(ranked_columns(scores, K), self.user, self.item)
        new_scores = np.where(self.was_bought, -np.inf, scores)
        is_new = self._is_new
        of_new = hits_of(ranked_columns(new_scores, K), self.user[is_new], self.item[is_new])
        return ndcg(of_all), ndcg(of_new)

    @property
    def _is_new(self) -> Flags:
        known = self.item < self.was_bought.shape[1]
        bought = self.was_bought[self.user, np.where(known, self.item, 0)]
        return np.asarray(~(known & bought), np.bool_)
