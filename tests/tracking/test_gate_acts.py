"""What the gate decided is done, unless the registry has changed since; either way the challenger says it."""

from datetime import datetime, timezone

import pytest

from pipelines.evaluation.gate import Decision
from pipelines.tracking.promotion import act_on, promote

pytestmark = pytest.mark.slow

AS_OF = datetime(2026, 11, 1, 6, tzinfo=timezone.utc)


@pytest.fixture
def three(registry, add):
    """The champion, the challenger, and another one."""
    versions = [add(), add(), add()]
    promote(registry, versions[0])
    registry.name(versions[1], "challenger")
    return [version.number for version in versions]


def tags_of(registry, number):
    return {name: text for name, text in registry.version(number).tags.items() if name.startswith("gate")}


def test_a_promotion_is_made_and_can_be_repeated(registry, three):
    champion, challenger, _ = three
    decision = Decision("promote", "better", champion, challenger)

    for _ in range(2):
        assert act_on(registry, decision, AS_OF).outcome == "promote"
        assert registry.version(challenger).aliases == ("champion",)
        assert registry.version(champion).aliases == ("previous",)
    assert tags_of(registry, challenger) == {
        "gate_decision": "promote", "gate_reason": "better", "gate_as_of": "2026-11-01T06:00:00+00:00",
    }  # fmt: skip


def test_a_refusal_changes_no_alias(registry, three):
    champion, challenger, _ = three

    act_on(registry, Decision("keep", "no better", champion, challenger), AS_OF)

    assert registry.champion() == champion and registry.version(challenger).aliases == ("challenger",)
    assert tags_of(registry, challenger)["gate_reason"] == "no better"


def test_where_another_version_was_promoted_meanwhile_it_stays(registry, three):
    champion, challenger, other = three
    promote(registry, registry.version(other))

    done = act_on(registry, Decision("promote", "better", champion, challenger), AS_OF)

    assert done.outcome == "keep" and registry.champion() == other
    assert f"champion is version {other}, but version {champion} was compared" in done.reason
    assert tags_of(registry, challenger)["gate_reason"] == done.reason


def test_the_same_metric_of_the_same_instant_is_kept_once(registry, three):
    version, client = registry.version(three[0]), registry.tracking.client

    for _ in range(2):
        registry.measured_later(version, {"holdout_ndcg": 0.25}, 1_700_000_000)

    (point,) = client.get_metric_history(version.run_id, "holdout_ndcg")
    assert (point.value, point.step, point.timestamp) == (0.25, 1_700_000_000, 1_700_000_000_000)
