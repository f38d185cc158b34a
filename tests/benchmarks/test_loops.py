"""The two ways to feed a log to a ranker: through profiles as the hot path does, and with whole histories."""

import numpy as np
import pytest

from benchmarks.hot_loop import HotLoop, micro_batches
from benchmarks.whole_histories import WholeHistories
from pipelines.model_sections import ModelConfig
from pipelines.models.kinds import empty
from pipelines.sections import ProfileConfig
from tests.benchmarks.shops import CUT_S, a_log, a_shop_of_habits

LOG = a_shop_of_habits()
USERS = np.array([1, 4, 7])


def a_loop(log=LOG, batch=256, ring_size=200):
    loop = HotLoop(log, empty(ModelConfig(kind="popularity")), ProfileConfig(ring_size=ring_size))
    for rows in micro_batches(len(log), batch):
        loop.learn(loop.fold(rows))
    return loop


def same(one, other):
    for name, values in vars(one).items():
        np.testing.assert_array_equal(values, getattr(other, name), err_msg=name)


def test_micro_batches_cover_every_row_once():
    assert [(rows.start, rows.stop) for rows in micro_batches(5, 2)] == [(0, 2), (2, 4), (4, 5)]


@pytest.mark.parametrize("batch", [1, 7, 256])
def test_profiles_of_any_micro_batches_say_what_the_log_says(batch):
    same(a_loop(batch=batch).histories(USERS, CUT_S), WholeHistories(LOG).histories(USERS, CUT_S))


def test_a_profile_keeps_the_newest_only():
    histories, whole = a_loop(ring_size=4).histories(USERS, CUT_S), WholeHistories(LOG).histories(USERS, CUT_S)

    for user in range(3):
        assert histories.item[histories.user == user].tolist() == whole.item[whole.user == user][-4:].tolist()


def test_a_batch_has_what_came_before_it_and_nothing_later():
    rows = slice(100, 110)
    batch = WholeHistories(LOG).batch(rows)

    learned = batch.timeline.key[batch.timeline.learn]
    assert set(learned.tolist()) == set(LOG.key[rows].tolist())
    among = np.isin(LOG.user[: rows.stop], LOG.user[rows])
    assert sorted(batch.timeline.key.tolist()) == sorted(LOG.key[: rows.stop][among].tolist())


def test_both_ways_learn_the_same_of_short_histories():
    loop = HotLoop(LOG, empty(ModelConfig()), ProfileConfig())
    whole, ranker = WholeHistories(LOG), empty(ModelConfig())
    for number, rows in enumerate(micro_batches(150, 50)):  # no user has more than the ring holds
        loop.learn(loop.fold(rows))
        ranker.apply([ranker.gradient(whole.batch(rows), seed=number).data])

    assert ranker.to_bytes() == loop.ranker.to_bytes()


def test_an_exact_copy_is_the_same_event():
    log = a_log(("ann", "tea", 0), ("bob", "jam", 1))
    doubled = type(log)(**{name: np.repeat(v, 2, axis=0) if len(v) == 2 and name not in ("user_id", "item_id", "item_hash") else v
                           for name, v in vars(log).items()})  # fmt: skip

    assert WholeHistories(doubled).batch(slice(0, 4)).timeline.learn.sum() == 2
    assert a_loop(doubled).histories(np.array([0, 1]), CUT_S).user.tolist() == [0, 1]
