"""conf/features.yaml: what it says, and how it is refused."""

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from jobs.features import main
from pipelines.errors import ConfigError
from pipelines.features.definitions import load_definitions

CONF = Path(__file__).parents[2] / "conf/features.yaml"
TEXT = CONF.read_text(encoding="utf-8")


def loaded(tmp_path, old, new):
    assert old in TEXT
    path = tmp_path / "features.yaml"
    path.write_text(TEXT.replace(old, new, 1))
    return load_definitions(path)


# One row a feature: its column, table and formula's sum. A new entry of the file needs one here.
FEATURES = [
    ("interest_hour", "user"), ("interest_day", "user"), ("interest_month", "user"), ("purchases_day", "user"),
    ("purchases_month", "user"), ("purchase_rate_month", "user"), ("spend_month", "user"), ("n_items", "user"),
    ("last_seen", "user"), ("last_item", "user"), ("last_device", "user"), ("session_seconds", "user"),
    ("item_popularity_hour", "item"), ("item_popularity_day", "item"), ("item_popularity_month", "item"),
    ("item_purchases_day", "item"), ("item_purchases_month", "item"), ("item_conversion_month", "item"),
    ("item_cart_rate_month", "item"), ("item_click_rate_month", "item"), ("item_users", "item"), ("item_last_price", "item"),
    ("category_popularity_hour", "category"), ("category_popularity_day", "category"),
    ("category_popularity_month", "category"), ("category_conversion_month", "category"),
    ("category_interest_day", "user_category"), ("category_interest_month", "user_category"),
    ("category_last_time", "user_category"), ("brand_interest_day", "user_brand"),
    ("brand_interest_month", "user_brand"), ("segment_popularity_day", "segment"),
    ("segment_popularity_month", "segment"),
]  # fmt: skip


def test_one_entry_makes_a_feature_for_each_half_life_under_its_columns_name():
    assert [(feature.name, feature.entity) for feature in load_definitions(CONF).features] == FEATURES


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        pytest.param("kind: rate", "kind: ratio", "'ratio'.*'decayed_sum'", id="a-kind-that-is-not-there"),
        pytest.param("hits: [purchase]", "hitz: [purchase]", "unknown key 'hitz'; did you mean 'hits'", id="a-key"),
        pytest.param("half_lives: [month]", "half_lives: [moon]", "no half-life 'moon'. Known: hour", id="a-half-life"),
        pytest.param("entity: item", "entity: itm", "item_popularity: no entity 'itm'", id="an-entity"),
        pytest.param("purchase: 5}", "bought: 5}", "interest.*'bought'", id="an-event-type"),
        pytest.param("half_lives_hours: {hour: 1,", "half_lives_hours: {hour: 0.01,", "hour.*greater", id="too-short"),
        pytest.param("feature: item_popularity_hour", "feature: popularity", "trending: no feature 'popularity'", id="a-rank"),
        pytest.param("feature: item_click_rate_month", "feature: rate", "exploration: no feature 'rate'", id="what-is-tried"),
        pytest.param("  purchases:", "  as_of:", "as_of: the table has a column", id="a-name-that-is-taken"),
        pytest.param("online: true", "online: true\n    value: amount", "do not know 'amount'", id="online-with-a-value"),
        pytest.param("events: [purchase]\n", "events: [search]\n", "event type search", id="online-of-no-interaction"),
        pytest.param("context.device_type", "context.", "expected a field's name", id="a-path"),
        pytest.param("version: 1", "version: [", "is not YAML", id="no-yaml"),
        pytest.param("  item_users:", "  interest_day:", "'interest_day'", id="two-of-one-name"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(tmp_path, old, new, says):
    with pytest.raises(ConfigError, match=says):
        loaded(tmp_path, old, new)


@pytest.mark.parametrize(
    ("old", "new", "is_same"),
    [
        pytest.param("what it says about taste", "another text", True, id="a-text"),
        pytest.param("top: 1000", "top: 10", True, id="what-is-published"),
        pytest.param("purchase: 5", "purchase: 6", False, id="a-weight"),
        pytest.param("day: 24", "day: 12", False, id="a-half-life"),
        pytest.param("online: true", "online: false", False, id="what-profiles-carry"),
    ],
)
def test_only_a_change_of_meaning_changes_the_meaning(tmp_path, old, new, is_same):
    assert (loaded(tmp_path, old, new).meaning == load_definitions(CONF).meaning) == is_same


def test_profiles_carry_the_sums_of_online_features_by_event_type():
    online = load_definitions(CONF).online()

    assert online.names[:2] == ("interest_hour", "interest_day") and online.half_life_s[0] == 3600
    assert online.weight_of_code[4, 0] == -2.0  # remove_from_cart


@pytest.fixture
def run(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({"lake_root": str(tmp_path), "features": {"definitions": str(CONF)}}))
    return lambda *arguments: CliRunner().invoke(main, [*arguments, "--config", str(config)], catch_exceptions=False)


def test_every_feature_is_listed_with_its_table(run):
    said = run("list").output

    assert all(name in said for name, _ in FEATURES) and "v1/user_features" in said and "version 1" in said


def test_a_feature_is_explained_with_formula_and_sql(run):
    said = " ".join(run("explain", "interest_day").output.split())

    assert "remove_from_cart -2" in said
    assert "interest_day * power(2, -(unix_seconds(:at) - unix_seconds(as_of)) / 86400.0)" in said


@pytest.mark.parametrize("name", [name for name, _ in FEATURES])
def test_every_feature_can_be_explained(run, name):
    assert run("explain", name).exit_code == 0


def test_an_unknown_feature_is_refused_with_the_nearest_name(run):
    result = run("explain", "intrest_day")

    assert result.exit_code == 1 and "did you mean 'interest_day'" in result.output
