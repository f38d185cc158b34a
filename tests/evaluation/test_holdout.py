"""A model judged by later choices: lists, what is relevant to them, and the figures, choice by choice as written down plainly."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from pipelines.evaluation.figures import figures_of, values_of
from pipelines.evaluation.holdout import ItemReference, JudgedChoices, Judging, judge, of_slice
from pipelines.evaluation.metrics import NO_ITEM
from pipelines.evaluation.segments import segments_of
from pipelines.evaluation_sections import EvaluationConfig
from pipelines.features.profile import key_time_s
from pipelines.models.arrays import from_bytes, to_bytes
from pipelines.models.kinds import empty
from pipelines.models.popular import Popular
from pipelines.models.progressive import histories_before
from pipelines.training.slices import read_slice
from tests.models.builders import a_batch, a_config, learned
from tests.training.shop import a_log, slice_rows

CONFIG = a_config(max_examples_per_user=100, max_examples_per_user_hour=100)
HOUR_S, HOURS, K = 3600, 0.5, 5
REMOVAL = 4  # remove_from_cart says nothing good
HOW = Judging(CONFIG, K, HOURS, reach=12, new_item_days=1.0)


@pytest.fixture(scope="module")
def model():
    return learned(*read_slice(slice_rows(a_log())).micro_batches(100, CONFIG.reach), config=CONFIG)


@pytest.fixture(scope="module")
def part():
    return read_slice(slice_rows(a_log(400, seed=4), n_history=100))


@pytest.fixture(scope="module")
def reference(part):
    item, n = np.unique(part.timeline.item, return_counts=True)
    first_s = np.where(item % 2 == 0, int(key_time_s(part.timeline.key).max()), 0)  # even ones are new
    return ItemReference(item, first_s, n)


@pytest.fixture(scope="module")
def choices(model, part, reference):
    return judge(model, part.whole(), part.user_hash, reference, HOW, n_most=10_000)


def rows_and_histories(part):
    timeline = part.timeline
    rows = np.flatnonzero(timeline.learn & (timeline.key & np.uint64(127) != np.uint64(REMOVAL)))
    return rows, histories_before(part.whole(), rows, CONFIG)


def chosen_soon(timeline, row):
    """Items that the user of a row chose then or within the hours after."""
    time_s = key_time_s(timeline.key)
    later = [
        r for r in range(row, len(timeline.user))
        if timeline.user[r] == timeline.user[row] and time_s[r] <= time_s[row] + HOURS * HOUR_S
        and timeline.learn[r] and int(timeline.key[r]) & 127 != REMOVAL
    ]  # fmt: skip
    return {int(timeline.item[r]) for r in later}


def test_lists_are_the_best_of_the_whole_catalogue_ties_by_item_id(model, part, choices):
    _, histories = rows_and_histories(part)
    names = model.item_ids.tolist()
    for ranking, scores in (("model", model.score(histories)), ("popularity", Popular().score(model.items, histories))):
        want = [sorted(range(model.n_items), key=lambda c: (-row[c], names[c]))[:K] for row in scores]
        assert choices.lists[ranking].columns.tolist() == want


def test_equal_scores_come_in_the_order_of_item_ids():
    model = learned(a_batch(*[(1, 60, "click", item) for item in (30, 4, 100, 20)]), config=a_config("own_history"))
    part = a_batch((7, 0, "click", 4))

    judged = judge(model, part, np.array([7]), ItemReference(np.array([], np.uint64), *[np.array([], int)] * 2), HOW, 9)

    listed = judged.lists["popularity"].columns[0]
    assert model.item_ids[listed[listed != NO_ITEM]].tolist() == sorted(model.item_ids.tolist())
    assert listed.tolist()[4:] == [NO_ITEM]


def test_every_metric_is_scikit_learns_or_what_its_words_say(model, part, choices):
    rows, histories = rows_and_histories(part)
    timeline, scores = part.timeline, model.score(histories).astype(float)
    relevant = [chosen_soon(timeline, row) for row in rows]
    items = model.items.index.item
    listed = choices.lists["model"].columns
    hits = [[int(items[c]) in query for c in row] for row, query in zip(listed, relevant, strict=True)]
    values = values_of(choices, "model")

    assert choices.n_relevant.tolist() == [len(of_query) for of_query in relevant]
    assert len({len(of_query) for of_query in relevant}) > 2  # or recall and hit rate would be one
    truth = np.array([[int(item) in of_query for item in items] for of_query in relevant])
    assert all(of_query <= set(items.tolist()) for of_query in relevant)
    want = [ndcg_score(t[None], s[None], k=K) for t, s in zip(truth, scores, strict=True)]
    np.testing.assert_allclose(values["ndcg"], want, rtol=1e-6)
    for row, (hit, n) in enumerate(zip(hits, choices.n_relevant.tolist(), strict=True)):
        first = hit.index(True) + 1 if any(hit) else None
        precisions = [sum(hit[: r + 1]) / (r + 1) for r in range(K) if hit[r]]
        assert values["recall"][row] == pytest.approx(sum(hit) / n)
        assert values["precision"][row] == pytest.approx(sum(hit) / K)
        assert values["hit_rate"][row] == any(hit)
        assert values["mrr"][row] == pytest.approx(1 / first if first else 0)
        assert values["map"][row] == pytest.approx(sum(precisions) / n)
    column = model.find(timeline.item[rows])
    place = np.array([(row == c).argmax() if c in row else K for row, c in zip(listed, column, strict=True)])
    np.testing.assert_allclose(values["next_ndcg"], np.where(place < K, 1 / np.log2(place + 2), 0))
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_probability = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(values["log_loss"], -log_probability[np.arange(len(rows)), column], rtol=1e-6)


def test_without_hours_after_it_what_is_chosen_in_that_second_is_relevant(model, part, reference):
    how = replace(HOW, relevant_hours=0.0)

    judged = judge(model, part.whole(), part.user_hash, reference, how, n_most=10_000)

    alone = judged.n_relevant == 1
    lists = judged.lists["model"]
    assert alone.mean() > 0.9 and judged.n_relevant.min() == 1
    np.testing.assert_array_equal(lists.is_relevant[alone], lists.is_chosen[alone])


def test_what_is_before_the_choice_makes_its_segment(part, choices, reference):
    rows, histories = rows_and_histories(part)
    timeline, time_s = part.timeline, key_time_s(part.timeline.key)
    before = [((timeline.user == timeline.user[r]) & (time_s < time_s[r])).sum() for r in rows]
    config = EvaluationConfig(new_user_interactions=2, heavy_user_interactions=5)

    found = segments_of(choices, config, 0, {int(part.context[rows[0], 0]): "tv"})

    before = np.minimum(before, HOW.reach)
    assert found["new_users"].tolist() == (before < 2).tolist()
    assert found["casual_users"].tolist() == ((before >= 2) & (before < 5)).tolist()
    assert found["heavy_users"].tolist() == (before >= 5).tolist()
    assert found["new_items"].tolist() == (timeline.item[rows] % 2 == 0).tolist()
    met = [set(histories.item[histories.user == n].tolist()) for n in range(len(rows))]
    assert found["not_met_before"].tolist() == [
        i not in m for i, m in zip(timeline.item[rows].tolist(), met, strict=True)
    ]
    assert found["device:tv"].tolist() == (part.context[rows, 0] == part.context[rows[0], 0]).tolist()
    assert all(rows.any() for rows in found.values()) and "device:tv" not in segments_of(
        choices, config, None, {1: "tv"}
    )


def test_the_same_choices_are_drawn_for_every_version(model, part, choices, reference):
    other = judge(empty(CONFIG), part.whole(), part.user_hash, reference, HOW, n_most=50)
    ours = judge(model, part.whole(), part.user_hash, reference, HOW, n_most=50)

    assert len(ours) == 50 < len(choices) and other.key.tolist() == ours.key.tolist()
    assert other.n_relevant.tolist() == ours.n_relevant.tolist()


def test_a_user_without_a_list_counts_as_zero(part, reference):
    judged = judge(empty(CONFIG), part.whole(), part.user_hash, reference, HOW, n_most=50)

    figures = {f.metric: f for f in figures_of(judged, {"all": np.ones(50, bool)}, 0) if f.ranking == "model"}

    assert (judged.lists["model"].columns == NO_ITEM).all()
    assert figures["ndcg"].value == figures["recall"].value == figures["map"].value == 0
    assert figures["ndcg"].n == 50 and "log_loss" not in figures and "coverage" not in figures


def test_tasks_are_joined_as_they_were(choices):
    halves = [choices.at(np.arange(30)), of_slice(choices.at(np.arange(30, len(choices))), 3)]

    joined = JudgedChoices.joined([from_bytes(to_bytes(half.as_arrays())) for half in halves])

    assert joined.slice.tolist() == [0] * 30 + [3] * (len(choices) - 30)
    for ranking, lists in joined.lists.items():
        for name, array in vars(lists).items():
            np.testing.assert_array_equal(array, getattr(choices.lists[ranking], name))
    np.testing.assert_array_equal(joined.context, choices.context)


def test_figures_are_means_with_intervals_and_differences_are_paired(choices):
    everybody, few = np.ones(len(choices), bool), np.arange(len(choices)) < 20
    told = figures_of(choices, {"all": everybody, "few": few, "none": ~everybody}, 24)
    figures = {(f.ranking, f.segment, f.metric): f for f in told}

    ndcg = figures["model", "all", "ndcg"]
    values = {ranking: values_of(choices, ranking)["ndcg"] for ranking in ("model", "popularity")}
    assert ndcg.value == pytest.approx(values["model"].mean()) and ndcg.low < ndcg.value < ndcg.high
    above = figures["above_popularity", "all", "ndcg"]
    assert above.value == pytest.approx((values["model"] - values["popularity"]).mean()) and above.low > 0
    assert figures["model", "few", "ndcg"].n == 20 and ("model", "none", "ndcg") not in figures
    coverage = figures["model", "all", "coverage"]
    assert coverage.value == len(np.unique(choices.lists["model"].columns)) / 24 and coverage.low is None
    assert figures["popularity", "all", "coverage"].value == K / 24
