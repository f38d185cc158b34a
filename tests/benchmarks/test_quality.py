"""The quality benchmark on tiny shops: who is asked, what counts, and that no model's failure hides another's result."""

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import quality
from benchmarks.quality_models import libraries, ours, references
from benchmarks.quality_models.protocol import Split
from pipelines.errors import InputError
from tests.benchmarks.shops import CUT_S, a_log, a_shop_of_habits, write_retail_day

LOG = a_log(
    ("ann", "tea", -20), ("ann", "tea", -10), ("bob", "jam", -5), ("bob", "cup", -1), ("eve", "cup", -1), ("zoe", "jam", -1),
    ("ann", "tea", 1), ("ann", "cup", 2), ("bob", "jam", 3), ("eve", "new", 13.9), ("zoe", "jam", 14), ("kim", "tea", 1),
)  # fmt: skip
SPLIT = Split.at(LOG, CUT_S)
HABITS = Split.at(a_shop_of_habits(), CUT_S)


def test_asked_about_are_users_seen_in_training_who_bought_within_two_weeks():
    assert SPLIT.task.log.user_id[SPLIT.task.users].tolist() == ["ann", "bob", "eve"]
    assert SPLIT.task.log.item_id.tolist() == ["tea", "jam", "cup"]


def test_what_the_user_never_bought_is_judged_apart():
    scores = np.array([[3.0, 2.0, 1.0]] * 3)  # tea, jam, cup

    of_all, of_new = SPLIT.judged(scores)

    third, second = 1 / np.log2(4), 1 / np.log2(3)
    np.testing.assert_allclose(of_all, [(1 + third) / (1 + second), second, 0.0])  # eve bought what nobody could know
    np.testing.assert_allclose(of_new, [second, 0.0])  # ann's cup behind the jam; bob bought nothing new


@pytest.mark.parametrize(
    ("model", "best"),
    [
        pytest.param(references.popularity_rows, ["tea", "tea", "tea"], id="rows-ties-by-coming"),
        pytest.param(references.popularity_1d, ["cup", "cup", "cup"], id="recent"),
        pytest.param(references.own_history_45d, ["tea", "cup", "cup"], id="own-history"),
        pytest.param(references.own_history_count, ["tea", "cup", "cup"], id="ties-by-popularity"),
    ],
)
def test_what_the_plain_references_prefer(model, best):
    scores = model(SPLIT.task)

    assert SPLIT.task.log.item_id[scores.argmax(axis=1)].tolist() == best


@pytest.mark.parametrize("name", quality.MODELS)
def test_every_model_beats_chance_on_a_shop_of_habits(name, monkeypatch):
    monkeypatch.setattr(libraries, "FACTORS", 8)

    outcome = quality.outcome_of(HABITS, quality.MODELS[name])

    if outcome.problem.startswith("not installed"):
        pytest.skip(outcome.problem)
    assert not outcome.problem
    chance = np.random.default_rng(1).normal(size=HABITS.was_bought.shape)
    assert outcome.of_all.mean > HABITS.judged(chance)[0].mean()


@pytest.mark.parametrize("machine", [ours.fm_online, ours.fm_batch])
def test_the_machines_learn_habits(machine, monkeypatch):
    monkeypatch.setattr(ours, "MICRO_BATCH_EVENTS", 8)
    monkeypatch.setattr(ours, "MINI_BATCH_EVENTS", 8)

    of_all, _ = HABITS.judged(machine(HABITS.task))

    assert of_all.mean() > HABITS.judged(references.popularity_45d(HABITS.task))[0].mean() + 0.1


@pytest.mark.parametrize(
    ("error", "said"),
    [
        pytest.param(
            ImportError("No module named 'implicit'"), "not installed: No module named 'implicit'", id="missing"
        ),
        pytest.param(RuntimeError("no"), "failed: RuntimeError: no", id="broken"),
    ],
)
def test_a_model_that_fails_says_so_and_the_others_run(error, said):
    def fails(task):
        raise error

    outcomes = quality.compared(SPLIT, {"it": fails, "other": references.popularity_rows})

    assert outcomes["it"].problem == said and not outcomes["it"].figures("it")
    assert outcomes["other"].figures("other").keys() == {
        f"other_ndcg10_{of}{end}" for of in ("all", "new") for end in ("", "_low", "_high")
    }
    quality.CONSOLE.print(table := quality.table_of(outcomes, "two"))
    assert table.row_count == 2


def test_a_cut_outside_the_log_is_refused():
    with pytest.raises(InputError, match=r"cut 2001-09-09: expected purchases before it.*got 0"):
        Split.at(LOG, 1_000_000_000)


def test_the_command_reads_day_files_and_leaves_the_published_results_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(quality, "publish", lambda *_: pytest.fail("published"))
    write_retail_day(
        tmp_path, "2011-10-30",
        "1,85123A,MUG,6,2011-10-30 08:26:00,2.55,17850.0,United Kingdom",
        "1,85123b,CUP,6,2011-10-30 08:26:00,2.55,17850.0,United Kingdom",
        "C2,POST,P,-1,2011-10-30 09:00:00,2.55,12345.0,United Kingdom",  # cancelled: 12345 is not seen in training
        "3,84029,GIFT,1,2011-10-30 09:00:00,0.0,12346.0,France",
        "4,84029,GIFT,1,2011-10-30 09:00:00,1.0,,France",
    )  # fmt: skip
    write_retail_day(
        tmp_path, "2011-11-02",
        "5,85123B,CUP,6,2011-11-02 08:26:00,2.55,17850.0,United Kingdom",
        "5,84030,PEN,1,2011-11-02 08:26:00,2.55,17850.0,United Kingdom",
        "6,85123A,MUG,6,2011-11-02 08:26:00,2.55,12345.0,United Kingdom",
    )  # fmt: skip

    result = CliRunner().invoke(quality.main, ["--data", str(tmp_path), "popularity_rows"], catch_exceptions=False)

    assert result.exit_code == 0 and "1 users, as of 2011-11-01" in result.output, result.output


def test_data_that_is_not_there_is_asked_for_by_name():
    result = CliRunner().invoke(quality.main, ["--data", "/no/such/place"])

    assert result.exit_code == 1
    assert "/no/such/place: no such folder" in result.output and "LIVESHELF_ONLINE_RETAIL" in result.output
