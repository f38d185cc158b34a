"""The gate: better beyond the interval, and no guard broken."""

import numpy as np
import pytest

from pipelines.evaluation.gate import Guard, Judged, decide
from pipelines.evaluation.holdout import JudgedChoices, JudgedLists
from pipelines.evaluation.metrics import NO_ITEM
from pipelines.evaluation_sections import GateConfig

N, K = 400, 4
ALL = {"all": np.ones(N, bool), "new_items": np.arange(N) < 80}


def judged(version, *, hit_share, loss=2.0, seed=0, columns=None, n=N, new_item_hit_share=None):
    """Choices of two users each, whose item is the first of its list in such a share of the cases."""
    rng = np.random.default_rng(seed)
    hit = np.zeros((n, K), bool)
    hit[:, 0] = rng.random(n) < hit_share
    if new_item_hit_share is not None:
        hit[:80, 0] = rng.random(80) < new_item_hit_share
    nothing = np.full(n, np.nan)
    columns = np.tile(np.arange(K), (n, 1)) if columns is None else columns
    lists = JudgedLists(
        columns, hit, hit, nothing, nothing, nothing, nothing, np.full(n, loss), np.full((n, K), np.nan)
    )
    numbers = np.arange(n)
    flags = np.zeros(n, bool)
    choices = JudgedChoices(
        numbers * 0, numbers // 2, numbers.astype(np.uint64), numbers, flags, flags, np.zeros((n, 0), np.uint64),
        np.ones(n, int), {"model": lists},
    )  # fmt: skip
    return Judged(version, choices, n_items=10)


SAME, BETTER = {"hit_share": 0.3}, {"hit_share": 0.6}
HALF_OF_THE_ITEMS = np.tile([0, 1, NO_ITEM, NO_ITEM], (N, 1))


@pytest.mark.parametrize(
    ("challenger", "outcome", "why"),
    [
        pytest.param(BETTER, "promote", "better beyond the interval: ndcg +0.", id="better"),
        pytest.param({"hit_share": 0.1}, "keep", "not better beyond the interval: ndcg -0.", id="worse"),
        pytest.param(SAME, "keep", "not better beyond the interval: ndcg +0.0000 [+0.0000,", id="the-same"),
        pytest.param({"hit_share": 0.31, "seed": 3}, "keep", "not better beyond", id="better-by-chance"),
        pytest.param({**BETTER, "loss": 2.03}, "promote", "no guard is broken", id="guard-within-tolerance"),
        pytest.param({**BETTER, "loss": 2.05}, "keep", "log_loss 2.05, the champion's 2: worse by 2.5%,", id="guard"),
        pytest.param({**BETTER, "loss": np.nan}, "promote", "(next_ndcg.new_items, coverage)", id="no-probabilities"),
        pytest.param({**BETTER, "new_item_hit_share": 0.05}, "keep", "broken: next_ndcg.new_items", id="new-items"),
        pytest.param(
            {**BETTER, "columns": HALF_OF_THE_ITEMS}, "keep", "coverage 0.2, the champion's 0.4", id="coverage"
        ),
    ],
)
def test_a_challenger_passes_when_it_is_better_and_breaks_no_guard(challenger, outcome, why):
    decision = decide(judged(1, **SAME), judged(2, **challenger), ALL, GateConfig())

    assert decision.outcome == outcome and why in decision.reason, decision.reason
    assert (decision.champion, decision.challenger, decision.n, decision.n_users) == (1, 2, N, N // 2)


def test_with_few_choices_the_champion_stays():
    old, new = (judged(n, hit_share=0.9 * n - 0.9, n=199) for n in (1, 2))

    decision = decide(old, new, {"all": np.ones(199, bool)}, GateConfig())

    assert decision.outcome == "keep" and "199 choices only, evaluation.gate.min_choices is 200" in decision.reason


def test_the_interval_is_of_the_paired_difference_over_users():
    """Each is uncertain by more than the difference, but the challenger is better in every case."""
    old, new = judged(1, hit_share=0.3), judged(2, hit_share=0.3)
    hit = new.choices.lists["model"].is_relevant
    hit[np.flatnonzero(~hit[:, 0])[:8], 0] = True

    decision = decide(old, new, ALL, GateConfig())

    assert decision.outcome == "promote" and decision.difference.high < 0.05


def test_a_guard_with_few_choices_is_not_judged():
    old, new = judged(1, hit_share=0.3), judged(2, hit_share=0.6, new_item_hit_share=0.0)
    few = {**ALL, "new_items": np.arange(N) < 49}

    assert decide(old, new, few, GateConfig()).outcome == "promote"


def test_other_choices_are_refused():
    with pytest.raises(ValueError, match="expected the same choices of both versions, got 400 and 300"):
        decide(judged(1, hit_share=0.3), judged(2, hit_share=0.3, n=300), ALL, GateConfig())


@pytest.mark.parametrize(
    ("metric", "champion", "challenger", "worse_by"),
    [
        ("coverage", 0.5, 0.4, 0.2),
        ("coverage", 0.5, 0.6, -0.2),
        ("coverage", 0.0, 0.0, 0.0),
        ("coverage", 0.0, 0.1, -np.inf),
        ("log_loss", 2.0, 2.5, 0.25),
        ("log_loss", 2.0, 1.0, -0.5),
        ("miscalibration", 0.0, 0.1, np.inf),
        ("next_ndcg.new_items", 0.4, 0.3, 0.25),
    ],
)
def test_worse_is_a_share_of_the_champions_value(metric, champion, challenger, worse_by):
    guard = Guard(metric, champion, challenger, tolerance=0.2, n=100)

    assert guard.worse_by == pytest.approx(worse_by) and guard.is_broken == (worse_by > 0.2 + 1e-12)


@pytest.mark.parametrize(
    ("guards", "told"),
    [
        ({"luck": 0.1}, "luck: no guard metric; known: log_loss"),
        ({"coverage": -0.1}, "coverage: expected a tolerance from 0"),
    ],
)
def test_the_configuration_names_guards_that_there_are(guards, told):
    with pytest.raises(ValueError, match=told):
        GateConfig(guards=guards)
