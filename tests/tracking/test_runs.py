"""What MLflow has of a training run, and its figures."""

import io

import numpy as np
import pytest

from pipelines.errors import InputError
from pipelines.evaluation.intervals import Interval
from pipelines.evaluation.plots import calibration, wilson_interval
from pipelines.tracking.plots import coverage, learning_curve
from pipelines.tracking.run_values import flat
from pipelines.tracking.runs import DataVersion, training_run
from tests.tracking.builders import Facts

pytestmark = pytest.mark.slow

DATA = DataVersion({"events": 12, "features/v3/item_features": 4}, 1_570_000_000_000, 1_570_086_400_000, 1_000)


def test_a_run_has_parameters_data_curves_intervals_figures_and_the_model(registry):
    facts = Facts(kind="trained")
    with training_run(registry, "first", facts.config.model_dump(), DATA) as run:
        for n_examples in (100, 200):
            run.step(n_examples, {"loss": 600 / n_examples})
        run.measured({"ndcg10_all": Interval(0.3, 0.25, 0.35)})
        run.figure("coverage", coverage(np.array([3, 0, 1])))
        version = run.register(facts.config, facts.data, facts.origin)

    client = registry.tracking.client
    found = client.get_run(run.run_id)
    assert found.info.status == "FINISHED" and found.info.run_name == "first"
    assert found.data.params["factorization.dimensions"] == "3" and found.data.params["kind"] == "factorization"
    assert {name: value for name, value in found.data.params.items() if name.startswith("data.")} == {
        "data.version.events": "12", "data.version.features/v3/item_features": "4", "data.events": "1000",
        "data.first": "2019-10-02T07:06:40+00:00", "data.last": "2019-10-03T07:06:40+00:00",
    }  # fmt: skip
    assert registry.metrics(version) == {
        "loss": 3.0,
        "ndcg10_all": 0.3,
        "ndcg10_all_low": 0.25,
        "ndcg10_all_high": 0.35,
    }
    assert [(point.step, point.value) for point in client.get_metric_history(run.run_id, "loss")] == [
        (100, 6.0),
        (200, 3.0),
    ]
    assert {file.path for file in client.list_artifacts(run.run_id)} == {"figures", "ranker"}
    assert [file.path for file in client.list_artifacts(run.run_id, "figures")] == ["figures/coverage.png"]
    assert version.run_id == run.run_id and registry.model_bytes(version) == facts.data


def test_a_run_that_raises_has_failed(registry):
    with pytest.raises(InputError), training_run(registry, "second", {}, DATA) as run:
        raise InputError("no events")

    assert registry.tracking.client.get_run(run.run_id).info.status == "FAILED"


def test_a_trial_belongs_to_its_search(registry):
    with (
        training_run(registry, "search", {}, DATA) as search,
        training_run(registry, "1", {}, DATA, search.run_id) as trial,
    ):
        pass

    assert registry.tracking.client.get_run(trial.run_id).data.tags["mlflow.parentRunId"] == search.run_id


def test_more_parameters_than_mlflow_takes_at_once_are_kept(registry):
    with training_run(registry, "many", {f"p{n}": n for n in range(250)}, DATA) as run:
        pass

    assert len(registry.tracking.client.get_run(run.run_id).data.params) == 250 + 5


def test_nested_parameters_get_dotted_names():
    assert flat({"a": 1, "b": {"c": {"d": 2}, "e": [3]}}) == {"a": 1, "b.c.d": 2, "b.e": [3]}


NOTHING = np.empty(0)


@pytest.mark.parametrize(
    "draw",
    [
        pytest.param(lambda: learning_curve(np.array([1.0, 2.0]), {"loss": np.array([3.0, np.nan])}), id="a-gap"),
        pytest.param(lambda: learning_curve(NOTHING, {"loss": NOTHING}), id="no-step"),
        pytest.param(lambda: calibration(NOTHING, NOTHING), id="no-prediction"),
        pytest.param(lambda: calibration(np.array([0.1, 0.2]), np.zeros(2)), id="never"),
        pytest.param(lambda: calibration(np.linspace(0, 1, 50), np.ones(50)), id="always"),
        pytest.param(lambda: coverage(np.empty(0, np.int64)), id="no-item"),
        pytest.param(lambda: coverage(np.zeros(3, np.int64)), id="no-list"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_a_figure_is_drawn_whatever_there_is(draw):
    target = io.BytesIO()
    draw().savefig(target)

    assert target.getvalue().startswith(b"\x89PNG")


def test_a_calibrated_model_lies_on_the_line():
    predicted = np.repeat([0.1, 0.5], 1_000)
    happened = np.concatenate([np.arange(1_000) < 100, np.arange(1_000) < 500]).astype(float)

    (line,) = [drawn for drawn in calibration(predicted, happened, n_bins=2).axes[0].lines if drawn.get_marker() == "o"]

    assert line.get_xydata() == pytest.approx(np.array([[0.1, 0.1], [0.5, 0.5]]))


def test_coverage_says_which_share_the_most_shown_items_take():
    lists, *_ = coverage(np.array([1, 0, 6, 3])).axes[0].lines

    assert lists.get_ydata().tolist() == [0.0, 0.6, 0.9, 1.0, 1.0]


@pytest.mark.parametrize(
    ("r", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_an_interval_is_wilsons(r, n, low, high):
    """Figures of Newcombe, "Two-sided confidence intervals for the single proportion", Stat. Med. 17 (1998), method 3."""
    assert np.round(wilson_interval(np.array([r / n]), np.array([float(n)])), 4)[:, 0].tolist() == [low, high]
