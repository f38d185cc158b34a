"""What is said of a model that foretells later choices."""

import numpy as np
import pytest

from pipelines.models.arrays import from_bytes, to_bytes
from pipelines.models.kinds import empty
from pipelines.models.own_history import OwnHistory
from pipelines.models.popular import Popular
from pipelines.models.progressive import histories_before
from pipelines.training.slices import read_slice
from pipelines.training.validation import Choices, K, calibration_of, choices_of, headline, judged
from tests.models.builders import a_batch, a_config, learned
from tests.training.shop import a_log, slice_rows

CONFIG = a_config(max_examples_per_user=100, max_examples_per_user_hour=100)


@pytest.fixture(scope="module")
def model():
    batches = read_slice(slice_rows(a_log())).micro_batches(100, CONFIG.reach)
    return learned(*batches, config=CONFIG)


@pytest.fixture(scope="module")
def batch():
    return read_slice(slice_rows(a_log(seed=4), n_history=300)).whole()


def test_ranks_and_losses_are_those_of_the_scores_of_the_whole_catalogue(model, batch):
    choices = choices_of(model, batch, n_most=10_000, seed=0)

    rows = np.flatnonzero(batch.timeline.learn & (batch.timeline.key & np.uint64(127) != np.uint64(4)))  # no removals
    histories = histories_before(batch, rows, CONFIG)
    column = model.find(batch.timeline.item[rows])
    scorers = {"rank": model.scorer, "popularity": Popular(), "own_history": OwnHistory(CONFIG)}
    for name, scorer in scorers.items():
        scores = scorer.score(model.items, histories)
        own = scores[np.arange(len(rows)), column]
        assert (scores >= own[:, None]).sum(axis=1).tolist() == getattr(choices, name).tolist()
    scores = model.score(histories).astype(np.float64)
    probability = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert np.allclose(choices.loss, -np.log(probability[np.arange(len(rows)), column]))
    assert np.allclose(choices.probability, np.sort(probability, axis=1)[:, : -K - 1 : -1])
    met = [set(histories.item[histories.user == n].tolist()) for n in range(len(rows))]
    chosen = batch.timeline.item[rows].tolist()
    assert choices.is_new.tolist() == [item not in known for item, known in zip(chosen, met, strict=True)]
    new = np.flatnonzero(choices.is_new)
    others = [[c for c in range(model.n_items) if int(model.items.index.item[c]) not in met[n]] for n in new]
    above = [(scores[n, c] >= scores[n, column[n]]).sum() for n, c in zip(new, others, strict=True)]
    assert len(new) > 20 and choices.rank_new[new].tolist() == above


def test_a_model_that_learned_beats_popularity_where_taste_is_planted(model, batch):
    choices = choices_of(model, batch, n_most=500, seed=0)
    metrics = judged(choices)

    assert len(choices.user) == 500 and metrics["ndcg10_all"].mean == pytest.approx(headline(choices))
    assert metrics["ndcg10_above_popularity"].low > 0.1
    assert metrics["log_loss"].high < metrics["popularity_log_loss"].low
    predicted, happened = calibration_of(choices)
    assert happened.sum() == choices.is_chosen.sum() and abs(predicted.mean() - happened.mean()) < 0.02


@pytest.mark.parametrize("known", [[], [1], [1, 2]], ids=["no-item", "fewer-than-a-list", "two"])
def test_an_item_that_the_model_does_not_know_is_in_no_list(known):
    model = learned(a_batch(*[(0, 60, "click", item) for item in known]), config=CONFIG) if known else empty(CONFIG)

    choices = choices_of(model, a_batch((1, 0, "click", 77), (2, 0, "click", 78)), n_most=10, seed=0)

    assert headline(choices) == 0 and np.isnan(choices.loss).all() and not choices.is_chosen.any()
    assert {"ndcg10_all", "ndcg10_new"} < judged(choices).keys() and "log_loss" not in judged(choices)


def test_choices_of_several_tasks_are_joined(model, batch):
    choices = choices_of(model, batch, n_most=50, seed=0)
    parts = [from_bytes(to_bytes(choices.as_arrays())) for _ in range(2)]

    joined = Choices.joined(parts)

    assert joined.best.tolist() == choices.best.tolist() * 2 and joined.rank.tolist() == choices.rank.tolist() * 2


def test_a_kind_that_gives_no_probabilities_has_no_log_loss(batch):
    model = learned(*read_slice(slice_rows(a_log())).micro_batches(100, 40), config=a_config("mixture"))

    choices = choices_of(model, batch, n_most=50, seed=0)

    assert "log_loss" not in judged(choices) and len(calibration_of(choices)[0]) == 0
