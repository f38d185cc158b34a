"""Planted drifts are found within a stated number of events; a shop that nothing happens to raises no alarm for a month."""

import pytest
from click.testing import CliRunner

from benchmarks.drift import CONFIG, DETECTORS, LIMIT_EVENTS, STABLE_DAYS, STABLE_SEEDS, events_to_alert, false_alarms
from jobs import simulate
from pipelines.errors import InputError
from pipelines.local.shop import Plant, Shop, ShopConfig
from pipelines.local.shop.planted import NEW_CATEGORY

CONFIG_OF_SHOP = ShopConfig(n_users=100, n_items=100, n_events=1_500)
CHANGED_FROM = 500
# kind → fields that change, and no others
CHANGES = {
    "new_category": {"item_id", "category", "brand"},
    "device_mix": {"context"},
    "price_unit": {"price"},
    "taste_change": {"item_id", "category", "brand", "price"},
}


def fields_of(plant=None):
    return [event.fields for event in Shop(CONFIG_OF_SHOP, plant).good_events()]


@pytest.mark.parametrize("kind", CHANGES)
def test_a_plant_changes_its_fields_from_its_event_on_and_the_same_at_each_run(kind):
    before, after = fields_of(), fields_of(Plant(kind, CHANGED_FROM))

    assert before[:CHANGED_FROM] == after[:CHANGED_FROM]
    changed = {name for b, a in zip(before, after, strict=True) for name in b if b[name] != a[name]}
    assert changed == CHANGES[kind]
    assert fields_of(Plant(kind, CHANGED_FROM)) == after


def test_a_new_category_is_a_fifth_of_the_sessions():
    events = fields_of(Plant("new_category", 0))

    share = sum(e["category"] == NEW_CATEGORY for e in events if "category" in e) / sum("category" in e for e in events)
    assert 0.1 < share < 0.3
    assert {e["item_id"] for e in events if e.get("category") == NEW_CATEGORY}.isdisjoint(
        Shop(CONFIG_OF_SHOP).catalogue.item_ids
    )


def test_the_records_that_are_sent_have_the_change():
    values = [sent.record.value for sent in Shop(CONFIG_OF_SHOP, Plant("new_category", 0)).records()]

    assert any(NEW_CATEGORY.encode() in value for value in values)


def test_simulate_plants_what_it_is_told_to(tmp_path):
    plain, planted = tmp_path / "plain.jsonl", tmp_path / "planted.jsonl"
    arguments = ["--events", "200", "--start-ms", "1767225600000", "--out"]
    for path, more in ((plain, []), (planted, ["--plant", "new_category", "--plant-after", "0.5"])):
        assert CliRunner().invoke(simulate.main, [*arguments, str(path), *more], catch_exceptions=False).exit_code == 0

    before, after = (path.read_bytes().splitlines() for path in (plain, planted))
    changed = [n for n, (b, a) in enumerate(zip(before, after, strict=True)) if b != a]
    assert changed and min(changed) >= 95


def test_an_unknown_plant_is_refused_by_name():
    with pytest.raises(InputError, match=r"expected one of new_category, .* got 'weather'"):
        Plant("weather", 0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", DETECTORS)
def test_a_planted_drift_is_found_by_its_detector_within_so_many_events(kind):
    found = [events_to_alert(kind, seed) for seed in (11, 12)]

    print(f"\n{kind}: told after {found} events")
    assert max(found) <= LIMIT_EVENTS[kind]


@pytest.mark.slow
def test_shops_that_nothing_happens_to_raise_no_alarm_for_a_month():
    told = dict(false_alarms())

    print(
        f"\nfalse alarms of {len(STABLE_SEEDS)} seeds: {told['false_alarm_rate']:.2%} of {told['runs_without_drift']:.0f} runs"
    )
    assert told["runs_without_drift"] == len(STABLE_SEEDS) * STABLE_DAYS
    assert told["false_alarm_rate"] <= CONFIG.false_alarms
    assert (
        told["psi_alone_alarm_rate"] > 0.5 and told["chi_square_alone_alarm_rate"] > 0.5
    )  # these shops do try a detector
