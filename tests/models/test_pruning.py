"""Lists of a large catalogue are made from few candidates, and are those of all items."""

import numpy as np
import pytest

from pipelines.features.profile import key_time_s
from pipelines.lists.selection import top_n
from pipelines.models import best as best_module
from pipelines.models.factorization import kept, machine, pruning
from pipelines.models.factorization.item_scores import ItemScores
from pipelines.models.factorization.item_side import ItemSide
from pipelines.models.factorization.pruning import Own, Shelves
from pipelines.models.factorization.tables import Table, empty_tables
from pipelines.models.items import Items
from pipelines.models.kinds import KINDS, from_bytes
from pipelines.models.model import Model
from pipelines.models.progressive import evaluate
from pipelines.models.ranker import LeftOut
from tests.models.builders import a_batch, a_config, histories, learn, learned, some_facts

N = 10
N_USERS, N_ITEMS, D = 60, 3_000, 8
NOBODY = Own(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))


@pytest.fixture(autouse=True)
def small_shelves(monkeypatch):
    """So that a catalogue of hundreds has many."""
    for module, name, value in (
        (pruning, "HEAD_ITEMS", 40),
        (machine, "HEAD_ITEMS", 40),
        (pruning, "SHELF_ITEMS", 32),
        (pruning, "ITEMS_PER_CLUSTER", 20),
        (pruning, "USERS_AT_ONCE", 16),
    ):
        monkeypatch.setattr(module, name, value)


def some_scores(vectors, free) -> ItemScores:
    """Of items without category and brand."""
    config, n_items = a_config(factorization={"dimensions": D}), len(free)
    tables = empty_tables(config.factorization, 0, 3)
    for name, values in (("item", vectors), ("bias", np.reshape(free, (-1, 1)))):
        tables[name] = Table(np.asarray(values, np.float32), np.ones(n_items, np.float32))
    tables["term"].values[:] = 0.0
    items = Items.none(config).with_facts(some_facts(dict.fromkeys(range(n_items), (0, 0))), 0)
    return ItemScores.of(ItemSide(config, tables, items))


def gaussian(seed: int, *, n_items: int = N_ITEMS, spread: float = 0.3):
    """Queries, and items around a few hundred centres: as close to them as `spread`."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(n_items // 20, D))
    vectors = centres[random.integers(0, len(centres), n_items)] + spread * random.normal(size=(n_items, D))
    queries = random.normal(size=(N_USERS, D)).astype(np.float32)
    return queries, some_scores(vectors, random.normal(size=n_items))


def exact(queries, scores: ItemScores, own: Own = NOBODY, n: int = N):
    """Columns and scores by sorting all of them; ties by column."""
    everything = queries @ scores.vectors.T + scores.free
    everything[own.row, own.column] += own.bonus
    columns = np.argsort(-everything, axis=1, kind="stable")[:, :n]
    return columns, np.take_along_axis(everything, columns, axis=1)


def recall(found, wanted) -> float:
    return float(np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(found.tolist(), wanted.tolist(), strict=True)]))


def some_own(seed: int, n_each: int = 5, n_items: int = N_ITEMS, bonus: float = 90.0) -> Own:
    random = np.random.default_rng(seed)
    column = np.sort([random.choice(n_items, n_each, replace=False) for _ in range(N_USERS)], axis=1)
    return Own(np.repeat(np.arange(N_USERS), n_each), column.ravel(), np.full(column.size, bonus, np.float32))


def test_nothing_is_lost_where_no_user_needs_more_shelves_than_it_may_look_at(monkeypatch):
    monkeypatch.setattr(pruning, "SHELVES_PER_USER", N_ITEMS)
    queries, scores = gaussian(1, spread=1.0)
    own = some_own(2, bonus=1.0)

    columns, best = Shelves.of(scores).best(queries, scores, own, N)

    wanted, wanted_scores = exact(queries, scores, own)
    np.testing.assert_array_equal(columns, wanted)
    np.testing.assert_allclose(best, wanted_scores, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_of_clustered_items_nearly_all_of_the_best_are_found(seed):
    queries, scores = gaussian(seed)

    columns, best = Shelves.of(scores).best(queries, scores, NOBODY, N)

    assert recall(columns, exact(queries, scores)[0]) >= 0.95
    found = np.einsum("ud,und->un", queries, scores.vectors[columns]) + scores.free[columns]
    np.testing.assert_allclose(best, found, rtol=1e-5, atol=1e-5)
    assert (np.diff(best, axis=1) <= 0).all()


def test_a_user_looks_at_a_bounded_number_of_shelves_of_bounded_length():
    queries, scores = gaussian(4, spread=1.0)
    shelves = Shelves.of(scores)
    search = pruning._Search(
        shelves, scores, shelves.head, scores.vectors[shelves.head], np.zeros(len(shelves.radius)), N
    )

    user, _ = search._promising(queries, np.full(N_USERS, -np.inf))

    assert np.bincount(user).tolist() == [pruning.SHELVES_PER_USER] * N_USERS
    assert np.diff(shelves.start).max() <= pruning.SHELF_ITEMS
    assert sorted([*shelves.head, *shelves.column]) == list(range(N_ITEMS))


def test_what_a_user_met_before_is_found_wherever_it_stands_and_listed_once():
    queries, scores = gaussian(5)
    own = some_own(6)

    columns, _ = Shelves.of(scores).best(queries, scores, own, N)

    assert (np.sort(columns[:, :5], axis=1) == own.column.reshape(N_USERS, 5)).all()
    assert all(len(set(row)) == N for row in columns.tolist())


def test_what_repetition_pushes_down_is_not_listed_without_it():
    queries, scores = gaussian(7)
    shelves = Shelves.of(scores)
    before = shelves.best(queries, scores, NOBODY, N)[0]
    disliked = np.sort(before[:, :3], axis=1)
    own = Own(np.repeat(np.arange(N_USERS), 3), disliked.ravel(), np.full(disliked.size, -50.0, np.float32))

    after = shelves.best(queries, scores, own, N)[0]

    assert not any(set(row) & set(met) for row, met in zip(after.tolist(), disliked.tolist(), strict=True))


def test_items_that_came_after_the_clustering_are_candidates_of_everybody():
    queries, scores = gaussian(8)
    older = some_scores(scores.vectors[:-50], scores.free[:-50] - 30.0)
    newer = some_scores(scores.vectors, np.append(older.free, scores.free[-50:]))

    columns, _ = Shelves.of(older).best(queries, newer, some_own(9, bonus=0.0), N)

    assert (columns >= len(older.free)).all()
    np.testing.assert_array_equal(columns, exact(queries, newer)[0])


def test_an_item_that_became_popular_after_the_clustering_is_found():
    queries, scores = gaussian(10)
    shelves = Shelves.of(scores)
    hot = int(shelves.column[7])
    free = scores.free.copy()
    free[hot] += 40.0

    columns, _ = shelves.best(queries, some_scores(scores.vectors, free), NOBODY, N)

    assert (columns[:, 0] == hot).all()


def test_equal_scores_come_in_the_order_of_the_columns():
    queries = np.zeros((3, D), np.float32)
    scores = some_scores(np.random.default_rng(0).normal(size=(400, D)), np.repeat([3.0, 2.0, 1.0, 0.0], 100))

    columns, best = Shelves.of(scores).best(queries, scores, NOBODY, N)

    assert (np.diff(columns, axis=1) > 0).all() and (best == 3.0).all()


def test_the_same_items_are_clustered_the_same_way():
    _, scores = gaussian(11)
    one, other = Shelves.of(scores), Shelves.of(scores)

    assert all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in vars(one))


def a_shop(seed: int, *, n_items: int = 300, first: int = 1, n_users: int = 40):
    """A micro-batch in which a user clicks items of one category."""
    random = np.random.default_rng(seed)
    category = random.integers(1, 6, n_users)
    rows = [
        (user, 90 - n, "click", int(random.integers(0, n_items // 5)) * 5 + int(category[user]) + first - 1)
        for user in range(n_users)
        for n in range(12)
    ]
    return a_batch(*rows, facts={item: (1 + item % 5, 1 + item % 4) for item in range(first, n_items + first + 5)})


def a_large_shop(**changes) -> Model:
    config = a_config(admit_after_events=1, factorization={"exact_up_to_items": 0, **changes})
    return learned(*(a_shop(seed) for seed in range(12)), config=config)


def asked():
    random = np.random.default_rng(0)
    rows = [
        (user, 60 - n, "click", int(item)) for user in range(20) for n, item in enumerate(random.integers(1, 300, 6))
    ]
    return histories(*rows, n_users=20)


def by_all_scores(model: Model, n: int = N):
    scores = model.score(asked())
    columns = top_n(scores, n)
    return columns, np.take_along_axis(scores, columns, axis=1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_best_of_a_small_catalogue_are_those_of_all_scores(kind, monkeypatch):
    model = learned(*(a_shop(seed) for seed in range(3)), config=a_config(kind, admit_after_events=1))
    monkeypatch.setattr(best_module, "MAX_SCORES", 3 * model.n_items)  # three users at once

    columns, scores = model.best(asked(), N)

    wanted, wanted_scores = by_all_scores(model)
    np.testing.assert_array_equal(columns, wanted)
    np.testing.assert_allclose(scores, wanted_scores, rtol=1e-5, atol=1e-6)


def test_the_best_of_a_large_catalogue_are_nearly_those_of_all_scores():
    model = a_large_shop()

    columns, scores = model.best(asked(), N)

    wanted, _ = by_all_scores(model)
    assert recall(columns, wanted) >= 0.98
    all_scores = model.score(asked())
    np.testing.assert_allclose(scores, np.take_along_axis(all_scores, columns, axis=1), rtol=1e-5, atol=1e-5)


def some_left_out(model: Model, share: float, seed: int = 3) -> LeftOut:
    """Items for nobody, and of each user the two best of all others, one in the middle, and one that is for nobody anyway."""
    of_all = np.random.default_rng(seed).random(model.n_items) < share
    ranked = np.argsort(np.where(of_all, np.inf, -model.score(asked())), axis=1)
    column = ranked[:, [0, 1, 30, -1]]
    return LeftOut(of_all, np.repeat(np.arange(len(column)), 4), column.ravel())


def scores_but(model: Model, left_out: LeftOut):
    scores = model.score(asked()).copy()
    scores[:, left_out.of_all] = -np.inf
    for user, column in zip(left_out.user, left_out.column, strict=True):
        scores[user, column] = -np.inf
    return scores


def has_left_out(columns, left_out: LeftOut) -> bool:
    pairs = set(zip(left_out.user.tolist(), left_out.column.tolist(), strict=True))
    return left_out.of_all[columns].any() or any(
        (user, column) in pairs for user, own in enumerate(columns.tolist()) for column in own
    )


@pytest.mark.parametrize("kind", KINDS)
def test_items_that_must_not_come_use_up_no_place(kind, monkeypatch):
    model = learned(*(a_shop(seed) for seed in range(3)), config=a_config(kind, admit_after_events=1))
    monkeypatch.setattr(best_module, "MAX_SCORES", 3 * model.n_items)
    left_out = some_left_out(model, 0.6)

    columns, scores = model.best(asked(), N, left_out)

    np.testing.assert_array_equal(columns, top_n(scores_but(model, left_out), N))
    assert not has_left_out(columns, left_out) and np.isfinite(scores).all()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9], ids=str)
def test_items_that_must_not_come_use_up_no_place_in_a_large_catalogue(share):
    model = a_large_shop()
    left_out = some_left_out(model, share)

    columns, scores = model.best(asked(), N, left_out)

    wanted = top_n(scores_but(model, left_out), N)
    assert not has_left_out(columns, left_out) and np.isfinite(scores).all()
    assert recall(columns, wanted) >= 0.98


@pytest.mark.parametrize("exact_up_to_items", [0, 10_000], ids=["candidates", "exact"])
def test_where_too_few_items_may_come_the_rest_scores_minus_infinity(exact_up_to_items):
    model = a_large_shop(exact_up_to_items=exact_up_to_items)
    of_all = np.ones(model.n_items, np.bool_)
    of_all[[5, 70, 90]] = False
    users = np.arange(20)

    columns, scores = model.best(asked(), N, LeftOut(of_all, users, np.full(20, 90)))

    assert (np.sort(columns[:, :2], axis=1) == [5, 70]).all() and np.isfinite(scores[:, :2]).all()
    assert (scores[:, 2:] == -np.inf).all()


@pytest.mark.parametrize("n", [1, N, 400])
def test_a_list_is_as_long_as_asked_for_or_as_the_catalogue(n):
    model = a_large_shop()

    columns, scores = model.best(asked(), n)

    assert columns.shape == scores.shape == (20, min(n, model.n_items))
    assert model.best(histories(n_users=0), n)[0].shape == (0, min(n, model.n_items))


@pytest.mark.parametrize("exact_up_to_items", [0, 10_000], ids=["by-parts", "by-vectors"])
def test_lists_are_made_with_the_parameters_of_now(exact_up_to_items):
    model = a_large_shop(exact_up_to_items=exact_up_to_items)
    for seed in range(20, 26):
        model.best(asked(), N)  # keeps what it needs
        learn(model, a_shop(seed, first=1 + 40 * (seed % 2)))

        columns, scores = model.best(asked(), N)

        anew = from_bytes(model.config, model.to_bytes()).score(asked())
        np.testing.assert_allclose(scores, np.take_along_axis(anew, columns, axis=1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("told", [(3, 0), (0, 3)], ids=["category", "brand"])
def test_a_category_or_brand_that_is_told_anew_moves_its_item(told):
    model = a_large_shop()
    before, column = model.score(asked()), model.find(np.array([1], np.uint64))[0]
    told_anew = model.gradient(a_batch((0, 5, "click", 1), facts={1: told}), 0)

    model.apply([told_anew.data], learns=False)

    moved = np.abs(model.score(asked()) - before).max(axis=0)
    assert moved[column] > 10 * np.median(moved)


def test_scores_by_parts_are_those_of_the_vectors():
    model = a_large_shop()
    side = ItemSide(model.config, model.scorer.tables, model.items)
    queries = np.random.default_rng(0).normal(size=(7, side.tables["item"].n_dimensions)).astype(np.float32)
    scores, columns = ItemScores.of(side), np.array([3, 1, 200])

    by_vectors = scores.of_all(queries, by_parts=False)

    np.testing.assert_allclose(scores.of_all(queries, by_parts=True), by_vectors, rtol=1e-4, atol=1e-5)
    some = scores.by_parts(scores.asked(queries), np.array([5, 0]), columns)
    np.testing.assert_allclose(some, by_vectors[[5, 0]][:, columns], rtol=1e-4, atol=1e-5)


def test_a_copy_with_new_items_lists_them_and_leaves_the_lists_of_the_model_alone():
    model = a_large_shop()
    before = model.best(asked(), N)[0]
    batch = a_batch(*((user, 5, "purchase", 900 + user) for user in range(30)))

    extended = model.with_items(batch.facts, batch.timeline)
    extended.best(asked(), N)

    assert extended.n_items == model.n_items + 30
    assert extended.scorer._kept._clustering is model.scorer._kept._clustering  # else each copy would cluster
    np.testing.assert_array_equal(model.best(asked(), N)[0], before)


@pytest.mark.parametrize(
    ("steps", "new_items", "anew"),
    [(3, 0, False), (kept.MOST_STEPS, 0, True), (0, kept.MOST_NEW_ITEMS, False), (0, kept.MOST_NEW_ITEMS + 1, True)],
    ids=["some-steps", "many-steps", "some-items", "many-items"],
)
def test_items_are_clustered_anew_after_many_steps_or_many_new_items(steps, new_items, anew):
    _, scores = gaussian(12, n_items=500)
    clustering = kept._Clustering()
    first = clustering.of(scores)
    clustering.age += steps
    grown = some_scores(np.tile(scores.vectors, (4, 1))[: 500 + new_items], np.tile(scores.free, 4)[: 500 + new_items])

    assert (clustering.of(grown) is not first) == anew


def test_items_are_clustered_anew_when_a_copy_knew_more_of_them():
    _, scores = gaussian(13, n_items=500)
    clustering = kept._Clustering()
    clustering.of(scores)

    fewer = some_scores(scores.vectors[:-1], scores.free[:-1])

    assert clustering.of(fewer).n_items == 499


def test_histories_of_some_users_are_theirs():
    everybody = histories((0, 9, "click", 1), (1, 8, "click", 2), (1, 7, "click", 3), (3, 6, "click", 4), n_users=4)

    some = everybody.of_users(slice(1, 4))

    assert (some.n_users, some.user.tolist(), some.item.tolist()) == (3, [0, 0, 2], [2, 3, 4])
    assert (key_time_s(some.key) == key_time_s(everybody.key)[1:]).all() and len(some.context) == len(some.as_of_s) == 3


def test_choices_are_foretold_from_the_candidates_too(monkeypatch):
    model, batch = a_large_shop(), a_shop(50)
    exact = from_bytes(a_config(factorization={"exact_up_to_items": 10_000}), model.to_bytes())
    config = a_config(guards={"evaluated_at": N})
    wanted = evaluate(exact, batch, config, 0)
    monkeypatch.setattr(machine.FactorizationMachine, "score", None)  # of all items

    told = evaluate(model, batch, config, 0)

    assert told.n == wanted.n > 10 and told.ndcg_of_popularity == wanted.ndcg_of_popularity
    assert told.ndcg == pytest.approx(wanted.ndcg, rel=0.05) and told.recall > 0
