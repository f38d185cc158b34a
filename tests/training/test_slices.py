"""A slice is learned in time order, and each micro-batch has the history that its rows need."""

from itertools import pairwise

import numpy as np
import pytest

from pipelines.features.profile import key_time_s
from pipelines.models.kinds import empty
from pipelines.models.ranker import TrainingBatch
from pipelines.training.slices import read_slice
from tests.models.builders import a_config
from tests.training.shop import a_log, slice_rows


@pytest.mark.parametrize("seconds", [20, 0.05], ids=["hours", "many-of-one-second"])
def test_micro_batches_are_in_time_order_cover_all_rows_and_cut_no_second(seconds):
    log = a_log(400, seconds=seconds)
    part = read_slice(slice_rows(log, n_history=100))

    batches = list(part.micro_batches(30, reach=3))

    learned = [np.sort(batch.timeline.key[batch.timeline.learn]) for batch in batches]
    assert np.array_equal(np.sort(np.concatenate(learned)), np.sort(part.timeline.key[part.timeline.learn]))
    for earlier, later in pairwise(learned):
        assert key_time_s(earlier).max() < key_time_s(later).min()
    assert all(len(keys) >= 30 for keys in learned[:-1])


@pytest.mark.parametrize(
    ("n_users", "seconds", "most_in_an_hour"),
    [(9, 200, 6), (40, 20, 6), (9, 0.05, 200)],
    ids=["days", "hours", "seconds"],
)
def test_a_micro_batch_teaches_what_it_would_with_all_that_came_before(n_users, seconds, most_in_an_hour):
    config = a_config(max_examples_per_user_hour=most_in_an_hour, factorization={"history_items": 5})
    part = read_slice(slice_rows(a_log(600, n_users=n_users, seconds=seconds), n_history=150))
    model, n_examples = empty(config), 0
    for batch in part.micro_batches(50, config.reach):
        last_s = key_time_s(batch.timeline.key[batch.timeline.learn]).max()
        whole = part.whole()
        before = key_time_s(whole.timeline.key) <= last_s
        learn = np.isin(whole.timeline.key, batch.timeline.key[batch.timeline.learn])
        timeline = type(whole.timeline)(
            *(getattr(whole.timeline, name)[before] for name in ("user", "key", "item")), learn=learn[before]
        )
        everything = TrainingBatch(timeline, whole.context[before], batch.facts, max_examples=10_000)

        gradient = model.gradient(batch, seed=1)

        assert gradient == model.gradient(everything, seed=1)
        model.apply([gradient.data])
        n_examples += gradient.n_examples
    assert n_examples > 50


def test_what_events_say_of_an_item_is_what_the_last_one_says():
    log = [(1, 5, 100, "click"), (2, 5, 50, "click"), (3, 5, 200, "click")]
    rows = slice_rows(log)
    told = rows.set_column(rows.schema.get_field_index("brand_hash"), "brand_hash", [[8, 7, 0]])  # of users 1, 2, 3

    (batch,) = read_slice(told).micro_batches(10, reach=3)

    assert batch.facts.item_id.tolist() == ["i5"] and batch.facts.brand.tolist() == [8]
