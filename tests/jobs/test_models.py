"""`liveshelf models`: versions listed, shown, promoted, rolled back and compared."""

import json

import pytest
import yaml
from click.testing import CliRunner

from jobs import _model_texts
from jobs.models import main
from pipelines.evaluation.intervals import Interval
from pipelines.sections import TrackingConfig
from pipelines.tracking.registry import Registry
from pipelines.tracking.runs import DataVersion, training_run
from tests.tracking.builders import VIEWS, Facts

pytestmark = pytest.mark.slow

MORE_VIEWS = (*VIEWS, (7, 30, "purchase", 8), (8, 20, "purchase", 8))


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def tracking(root, request):
    name = request.node.name.translate(str.maketrans("[]/", "..."))
    return TrackingConfig(root=root, model_name=f"ranker-{name}")


@pytest.fixture
def registry(tracking):
    return Registry.open(tracking)


@pytest.fixture
def run(tmp_path, tracking, monkeypatch):
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({"tracking": tracking.model_dump(mode="json")}))
    monkeypatch.setattr(_model_texts.CONSOLE, "width", 200)

    def invoke(*arguments, code=0):
        result = CliRunner().invoke(main, [*map(str, arguments), "--config", str(config)], catch_exceptions=False)
        assert result.exit_code == code, result.output
        return " ".join(result.output.split())

    return invoke


@pytest.fixture
def two(registry):
    """A trained version, and an online one that learned on from it."""
    trained, online = Facts(kind="trained", batch_id=None), Facts(parent=1, views=MORE_VIEWS)
    data = DataVersion({"events": 12}, 1_570_000_000_000, 1_570_086_400_000, 1_000)
    with training_run(registry, "train", trained.config.model_dump(), data) as training:
        training.measured({"ndcg10_all": Interval(0.3, 0.25, 0.35)})
        training.step(100, {"loss": 6.25})
        first = training.register(trained.config, trained.data, trained.origin)
    return first, registry.add(online.config, online.data, online.origin)


def test_every_version_is_listed_with_alias_parent_and_quality(run, two):
    run("promote", 1)

    said = run("list")

    assert "2 online 1 " in said and "1 champion trained " in said
    assert "0.300 [0.250, 0.350]" in said and " 6 " in said
    listed = json.loads(run("list", "--json"))["versions"]
    assert [(each["number"], each["aliases"], each["tags"]["kind"]) for each in listed] == [
        (2, [], "online"), (1, ["champion"], "trained"),
    ]  # fmt: skip


def test_before_the_first_version_it_says_how_to_make_one(run):
    assert "no version of ranker-" in run("list") and "liveshelf train_model" in run("list")


def test_a_version_is_shown_with_parameters_data_offsets_and_intervals(run, two):
    said = run("show", 1)

    assert "ndcg10_all 0.300 [0.250, 0.350]" in said and "loss 6.25" in said
    assert "ndcg10_all_low" not in said
    assert "factorization.dimensions 3" in said
    assert "version.events 12" in said and "first 2019-10-02T07:06:40+00:00" in said
    online = run("show", "2")
    assert "lineage 2 ← 1" in online and "partition 0: 120, partition 1: 90" in online
    assert json.loads(run("show", 2, "--json"))["tags"]["batch_id"] == "7"


def test_a_version_is_promoted_by_number_or_alias_and_rolled_back(run, two, registry):
    assert "version 1 is champion. A running hot path changes to it within 2 s" in run("promote", 1)
    registry.name(registry.version(2), "challenger")

    assert "version 2 is champion, version 1 is previous." in run("promote", "challenger")
    assert "version 2 is champion already" in run("promote", "2")
    assert "version 1 is champion again, version 2 is previous." in run("rollback")
    assert registry.champion() == 1


def test_a_worse_version_is_promoted_by_force(run, registry, two):
    run("promote", 1)
    worse = Facts(features_version=9)
    number = registry.add(worse.config, worse.data, worse.origin).number

    assert "--force promotes it all the same" in run("promote", number, code=1)
    assert f"version {number} is champion" in run("promote", number, "--force")


def test_what_cannot_be_done_says_why(run, two):
    assert "there is no previous version to roll back to" in run("rollback", code=1)
    assert "no version '7' of ranker-" in run("show", 7, code=1)
    assert "there are: 2, 1" in run("promote", "champoin", code=1)


def test_two_versions_are_compared(run, two):
    said = run("diff", 1, 2)

    assert "data.events 1000 –" in said and "ndcg10_all 0.300 [0.250, 0.350] –" in said
    assert "factorization.dimensions" not in said and "ndcg10_all_low" not in said
    assert "items 5 → 6 + 1 gained: i8" in said
    assert "lost" not in said
    told = json.loads(run("diff", 2, 1, "--json"))
    assert told["lost"] == ["i8"] and told["gained"] == [] and told["n_items"] == [6, 5]
    assert told["moved"]["item"] > 0 and set(told["farthest"]) <= {f"i{item}" for item in range(1, 6)}


def test_a_version_does_not_differ_from_itself(run, two):
    said = run("diff", 2, 2)

    assert "parameters: no difference metrics: no difference items 6 → 6" in said
    assert set(json.loads(run("diff", 2, 2, "--json"))["moved"].values()) == {0.0}


def test_other_kinds_are_compared_by_their_items(run, registry):
    for ranker in ("mixture", "factorization"):
        facts = Facts(ranker=ranker)
        registry.add(facts.config, facts.data, facts.origin)

    assert "vectors are not compared: not both are factorization machines" in run("diff", 1, 2)
