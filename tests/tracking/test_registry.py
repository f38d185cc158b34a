"""Versions: what is kept of each, how they are named, and what happens when a change is interrupted."""

import hashlib
import json
from pathlib import Path

import pytest

from pipelines.errors import InputError, ModelVersionError, ServerError
from pipelines.evaluation.intervals import Interval
from pipelines.tracking.promotion import promote, rollback
from pipelines.tracking.retention import delete_old_online
from tests.tracking.builders import Facts

pytestmark = pytest.mark.slow


def aliases(registry):
    return {alias: version.number for version in registry.versions() for alias in version.aliases}


def test_a_version_has_its_bytes_and_what_they_were_made_of(registry, add):
    parent = add(kind="trained", batch_id=None)
    facts = Facts(parent=parent.number)

    version = registry.version(add(parent=parent.number).number)

    assert registry.model_bytes(version) == facts.data
    assert registry.model_config(version) == facts.config
    assert json.loads(version.tags["offsets"]) == {"0": 120, "1": 90}
    assert version.parent == parent.number
    assert {name: version.tags[name] for name in ("kind", "batch_id", "features_version", "n_items", "as_of")} == {
        "kind": "online", "batch_id": "7", "features_version": "3", "n_items": "5", "as_of": "2019-10-02T07:06:40+00:00",
    }  # fmt: skip
    assert version.tags["data_sha256"] == hashlib.sha256(facts.data).hexdigest()
    assert "batch_id" not in parent.tags and parent.parent is None


def test_there_is_no_champion_before_the_first(registry, add):
    assert registry.champion() is None
    add()
    assert registry.champion() is None


def test_a_promotion_remembers_who_was_champion(registry, add):
    first, second = add(), add()
    assert promote(registry, first) is None

    assert promote(registry, second).number == first.number

    assert registry.champion() == second.number
    assert aliases(registry) == {"champion": second.number, "previous": first.number}


def test_who_becomes_champion_is_challenger_no_more(registry, add):
    version = add()
    registry.name(version, "challenger")

    promote(registry, registry.version("challenger"))

    assert aliases(registry) == {"champion": version.number}


def test_a_rollback_is_undone_by_another(registry, add):
    first, second = add(), add()
    promote(registry, first)
    promote(registry, second)

    rollback(registry)
    assert aliases(registry) == {"champion": first.number, "previous": second.number}
    rollback(registry)
    assert aliases(registry) == {"champion": second.number, "previous": first.number}


def test_without_a_previous_there_is_no_rollback(registry, add):
    with pytest.raises(InputError, match="no previous version"):
        rollback(registry)
    promote(registry, add())
    with pytest.raises(InputError, match="no previous version"):
        rollback(registry)


class Killed(BaseException):
    """The process ends between two writes."""


def interrupted(registry, monkeypatch, change):
    """Do `change`, but die before the second alias is written."""
    write, n_written = registry.name, 0

    def write_once(version, alias):
        nonlocal n_written
        if n_written:
            raise Killed
        n_written += 1
        write(version, alias)

    with monkeypatch.context() as patched:
        patched.setattr(registry, "name", write_once)
        with pytest.raises(Killed):
            change()


def test_an_interrupted_promotion_keeps_the_champion_and_can_be_done_again(registry, add, monkeypatch):
    first, second, third = add(), add(), add()
    promote(registry, first)
    promote(registry, second)

    interrupted(registry, monkeypatch, lambda: promote(registry, third))

    assert aliases(registry) == {"champion": second.number, "previous": second.number}
    with pytest.raises(InputError, match="was interrupted"):
        rollback(registry)
    promote(registry, third)
    assert aliases(registry) == {"champion": third.number, "previous": second.number}


def test_an_interrupted_rollback_has_rolled_back(registry, add, monkeypatch):
    first, second = add(), add()
    promote(registry, first)
    promote(registry, second)

    interrupted(registry, monkeypatch, lambda: rollback(registry))

    assert registry.champion() == first.number
    with pytest.raises(InputError, match="was interrupted"):
        rollback(registry)
    promote(registry, second)
    assert aliases(registry) == {"champion": second.number, "previous": first.number}


def test_an_unknown_version_names_those_there_are(registry, add):
    with pytest.raises(InputError, match=r"no version '1' of .* there are: none"):
        registry.version("1")
    promote(registry, add())
    for name in ("9", "latests", "previous", "0"):
        with pytest.raises(InputError, match=f"no version '{name}' of .*; there are: 1, champion"):
            registry.version(name)


def test_changed_bytes_are_refused(registry, add):
    version = add()
    path = Path(registry._client.get_run(version.run_id).info.artifact_uri.removeprefix("file://"))
    path = path / "ranker/artifacts/model.arrow"
    path.write_bytes(path.read_bytes()[:-1] + b"!")

    with pytest.raises(ModelVersionError, match="expected bytes with the sha256"):
        registry.model_bytes(version)
    with pytest.raises(ModelVersionError):
        promote(registry, version, is_forced=True)
    assert registry.champion() is None


def test_bytes_that_are_no_model_are_not_promoted(registry, add):
    with pytest.raises(ModelVersionError, match="cannot be read"):
        promote(registry, add(data=b"no model"), is_forced=True)


def test_other_features_are_promoted_by_force_only(registry, add):
    promote(registry, add())
    other = add(features_version=4)

    with pytest.raises(ModelVersionError, match=r"features version 4.*--force"):
        promote(registry, other)
    promote(registry, other, is_forced=True)
    assert registry.champion() == other.number


@pytest.mark.parametrize(
    ("challenger", "is_promoted"),
    [
        pytest.param((0.20, 0.15, 0.249), False, id="intervals-apart"),
        pytest.param((0.20, 0.15, 0.251), True, id="intervals-that-meet"),
        pytest.param((0.40, 0.35, 0.45), True, id="better"),
        pytest.param(None, True, id="not-measured"),
    ],
)
def test_who_is_clearly_worse_is_promoted_by_force_only(registry, measured_version, challenger, is_promoted):
    promote(registry, measured_version((0.30, 0.25, 0.35)))
    version = measured_version(challenger)

    if is_promoted:
        promote(registry, version)
    else:
        with pytest.raises(ModelVersionError, match=r"ndcg10_all is 0.200 \[0.150, 0.249\], the champion's 0.300"):
            promote(registry, version)
        promote(registry, version, is_forced=True)
    assert registry.champion() == version.number


@pytest.fixture
def measured_version(registry):
    from pipelines.tracking.runs import DataVersion, training_run

    def make(interval):
        facts = Facts(kind="trained")
        with training_run(registry, "train", {}, DataVersion({"events": 3}, 0, 1000, 10)) as run:
            if interval:
                run.measured({"ndcg10_all": Interval(*interval)})
            return run.register(facts.config, facts.data, facts.origin)

    return make


def test_old_online_versions_leave_with_their_artifacts(registry, add):
    trained = add(kind="trained")
    old = [add() for _ in range(3)]
    new = [add() for _ in range(2)]
    promote(registry, old[1])
    promote(registry, new[1])
    artifacts = [Path(registry._client.get_run(each.run_id).info.artifact_uri.removeprefix("file://")) for each in old]
    assert all(folder.exists() for folder in artifacts)

    deleted = delete_old_online(registry, n_kept=2)

    assert [each.number for each in deleted] == [old[0].number]
    kept = {each.number for each in registry.versions()}
    assert kept == {each.number for each in (trained, *old[1:], *new)}
    assert [folder.exists() for folder in artifacts] == [False, True, True]
    assert delete_old_online(registry, n_kept=2) == []


def test_a_version_promoted_meanwhile_is_not_deleted(registry, add, monkeypatch):
    old, _new = add(), add()
    listed = registry.versions()
    promote(registry, old)
    monkeypatch.setattr(registry, "versions", lambda: listed)

    assert delete_old_online(registry, n_kept=1) == []
    assert registry.champion() == old.number


def test_a_deleted_experiment_is_explained(tracking, mlflow_root):
    from pipelines.tracking.connection import connect

    config = tracking.model_copy(update={"experiment": "deleted"})
    found = connect(config)
    found.client.delete_experiment(found.experiment_id)

    with pytest.raises(ServerError, match="'deleted' was deleted: `mlflow experiments restore"):
        connect(config)
