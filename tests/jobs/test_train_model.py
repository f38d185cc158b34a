"""The job `train_model`: from the table `events` to a version of the model in MLflow."""

from datetime import datetime, timezone

import pytest
import yaml
from click.testing import CliRunner

from jobs import train_model
from jobs.__main__ import main as liveshelf
from pipelines.config import load_config
from pipelines.schemas import Contract
from pipelines.sinks.delta_tables import ensure_table
from tests.training.shop import a_log

pytestmark = pytest.mark.spark

SCHEMA = Contract().events
SMALL = {"dimensions": 8, "negatives": 16, "category_rows": 8, "brand_rows": 8, "context_rows": 8}
FEW = ["--slices", "4", "--batch-examples", "60", "--partitions", "1"]


def rows_of(log, name="e"):
    def row(number, user, item, time_s, kind):
        at = datetime.fromtimestamp(time_s, timezone.utc)
        values = {
            "event_id": f"{name}{number}", "event_type": kind, "user": f"u{user}", "item_id": f"i{item}",
            "event_time": at, "ingest_time": at, "event_date": at.date(), "extra": {}, "context": {"device_type": "tv"},
        }  # fmt: skip
        return tuple(values.get(column) for column in SCHEMA.names)

    return [row(number, *told) for number, told in enumerate(log)]


class Lake:
    """A lake, an MLflow and a configuration of their own."""

    def __init__(self, spark, root, **model):
        self._spark, self._path = spark, str(root / "lake/events")
        self.config = root / "config.yaml"
        settings = {
            "lake_root": str(root / "lake"), "tracking": {"root": str(root / "mlflow")},
            "model": {"factorization": SMALL, **model},
        }  # fmt: skip
        self.config.write_text(yaml.safe_dump(settings))

    def add(self, log, name="e"):
        ensure_table(self._spark, self._path, "events", SCHEMA)
        rows = self._spark.createDataFrame(rows_of(log, name), SCHEMA)
        rows.coalesce(1).write.format("delta").mode("append").save(self._path)

    def train(self, *options):
        return CliRunner().invoke(train_model.main, [*options, "--config", str(self.config)])

    @property
    def registry(self):
        from pipelines.tracking.registry import Registry

        return Registry.open(load_config(self.config).tracking)


@pytest.fixture(scope="module")
def lake(spark, tmp_path_factory):
    made = Lake(spark, tmp_path_factory.mktemp("train"))
    made.add(a_log())
    return made


@pytest.fixture(scope="module")
def first(lake):
    """The output of a first training."""
    result = lake.train(*FEW)
    assert result.exit_code == 0, result.output
    return result.output


def test_mlflow_has_all_of_a_training_that_beats_popularity(lake, first):
    registry = lake.registry
    version = registry.version(1)
    parameters, metrics = registry.parameters(version), registry.metrics(version)

    assert version.aliases == ("champion",) and version.tags["kind"] == "trained"
    assert parameters["factorization.dimensions"] == "8" and parameters["data.events"] == "1500"
    assert (parameters["data.version.events"], parameters["training.n_slices"]) == ("1", "4")
    last = datetime.fromtimestamp(a_log()[-1][2], timezone.utc).isoformat()
    assert (parameters["data.first"][:10], parameters["data.last"]) == ("2023-11-14", last)
    assert metrics["ndcg10_above_popularity_low"] > 0.05
    assert metrics["ndcg10_all_low"] < metrics["ndcg10_all"] < metrics["ndcg10_all_high"]
    assert metrics["examples_per_s"] > 0 and metrics["worker_mb"] > 10 and "progressive_loss" in metrics
    client = registry.tracking.client
    assert {file.path.split("/")[1] for file in client.list_artifacts(version.run_id, "figures")} == {
        "learning_curve.png", "calibration.png", "coverage.png",
    }  # fmt: skip
    files = {file.path for file in client.list_artifacts(version.run_id, "ranker")}
    assert {"ranker/MLmodel", "ranker/requirements.txt", "ranker/input_example.json"} < files
    assert "1,500 interactions of events, version 1" in first and "liveshelf-ranker (champion)" in first


def test_the_same_data_gives_the_same_bytes_and_a_challenger_whatever_came_later(lake, first):
    lake.add(a_log(100, seed=9), name="later")

    result = lake.train(*FEW, "--version", "1")

    registry = lake.registry
    one, other = registry.version(1), registry.version("challenger")
    assert result.exit_code == 0 and "liveshelf models promote" in result.output
    assert other.number != 1 and registry.champion() == 1
    assert registry.model_bytes(one) == registry.model_bytes(other)


def test_trials_are_runs_beneath_their_search_and_the_best_is_trained(lake, first):
    result = lake.train(*FEW, "--trials", "2", "--epochs", "2", "--promote", "--version", "1")

    assert result.exit_code == 0, result.output
    registry = lake.registry
    version = registry.version("champion")
    client = registry.tracking.client
    search_id = client.get_run(version.run_id).data.tags["mlflow.parentRunId"]
    beneath = client.search_runs([registry.tracking.experiment_id], f"tags.`mlflow.parentRunId` = '{search_id}'")
    trials = {run.info.run_name: run.data for run in beneath if run.info.run_id != version.run_id}
    assert trials.keys() == {"trial 0", "trial 1"} and version.number > 1
    best = max(trials.values(), key=lambda data: data.metrics["ndcg10_all"])
    rate = "factorization.learning_rate"
    assert registry.parameters(version)[rate] == best.params[rate]
    assert trials["trial 0"].params[rate] == "0.1"  # the configuration as it is
    assert trials["trial 1"].params["data.events"] < registry.parameters(version)["data.events"]


@pytest.mark.parametrize("kind", ["mixture", "popularity"])
def test_other_kinds_are_trained_too(lake, kind):
    result = lake.train(*FEW, "--kind", kind, "--version", "1")

    assert result.exit_code == 0, result.output
    assert lake.registry.parameters(lake.registry.versions()[0])["kind"] == kind


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--until", "2001-01-01"], "0 interactions to learn from, expected 200 at least"),
        (
            ["--since", "2023-11-14T22:14:00", "--until", "2023-11-14T22:15:00"],
            "interactions to learn from, expected 200",
        ),
        (["--kind", "nothing"], "'nothing' is not one of"),
        (["--kind", "popularity", "--trials", "3"], "kind popularity has nothing to search"),
        (["--kind", "mixture", "--epochs", "3"], "only counts; one pass is all it needs"),
        (["--kind", "mixture", "--partitions", "3"], "is learned by one partition"),
        (["--version", "77"], "has versions up to 2; leave it out"),
    ],
)
def test_what_cannot_be_done_is_said(lake, options, told):
    result = lake.train(*options)

    assert result.exit_code != 0 and told in result.output and "Traceback" not in result.output


def test_a_lake_without_events_says_what_makes_them(spark, tmp_path):
    result = Lake(spark, tmp_path).train()

    assert result.exit_code == 1 and "`liveshelf validate_events` makes it" in result.output


def test_help_teaches():
    result = CliRunner().invoke(liveshelf, ["train_model", "--help"])

    assert result.exit_code == 0 and "liveshelf train_model --trials 20" in result.output
