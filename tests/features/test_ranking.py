"""Which rows a rank and a fallback list hold, and in which order."""

from datetime import datetime, timezone

import pytest
from pyspark.sql import functions as F

from pipelines.errors import ConfigError
from pipelines.features.definitions import Definitions
from pipelines.features.entries import Document
from pipelines.features.ranking import best_rows, check_ranked, fallback_lists, newest_as_of, trial_counts
from pipelines.features.tables import table_schema

DAY_S = 86_400
NOON_S = int(datetime(2024, 6, 1, 12, tzinfo=timezone.utc).timestamp())
POPULARITY = {"kind": "decayed_count", "about": "", "events": ["click"], "half_lives": ["day"]}
RATE = {
    "kind": "rate", "about": "", "hits": ["purchase"], "of": ["click"], "prior": 0.5, "prior_events": 2, "half_lives": ["day"]
}  # fmt: skip
DOCUMENT = {
    "version": 3,
    "half_lives_hours": {"day": 24},
    "entities": {"item": ["item_id"], "segment": ["segment", "item_id"], "user": ["user"]},
    "features": {
        "popularity": {"entity": "item", **POPULARITY},
        "conversion": {"entity": "item", **RATE},
        "liked": {"entity": "segment", **POPULARITY},
        "last_item": {"entity": "user", "kind": "last_value", "about": "", "events": ["click"], "field": "item_id"},
    },
    "ranks": {
        "trending": {"feature": "popularity_day", "top": 3},
        "converting": {"feature": "conversion_day", "top": 2},
    },
    "fallbacks": {"feature": "liked_day", "n": 2, "max_segments": 2},
    "exploration": {"feature": "conversion_day", "top": 3},
}


def the_definitions(**changed):
    return Definitions(Document.model_validate(DOCUMENT | changed))


def a_frame(spark, entity, rows):
    """Rows as of so many days after noon; what they do not say is null."""
    schema = table_schema(the_definitions(), entity)
    epoch = [row | {"as_of": datetime.fromtimestamp(NOON_S + row["as_of"] * DAY_S)} for row in rows]
    return spark.createDataFrame([tuple(row.get(name) for name in schema.names) for row in epoch], schema)


def items(spark, *rows):
    """(item, days after noon, popularity, hits, of)"""
    names = ("item_id", "as_of", "popularity_day", "__conversion_day_hits", "__conversion_day_of")
    return a_frame(spark, "item", [dict(zip(names, row, strict=True)) for row in rows])


@pytest.mark.spark
def test_a_rank_is_in_the_order_of_the_values_at_any_later_time_without_what_has_none(spark):
    rows = items(
        spark,
        ("old", 0, 7.0, 0.0, 0.0), ("new", 2, 2.0, 0.0, 0.0), ("tie", 1, 4.0, 0.0, 0.0), ("less", 2, 0.5, 0.0, 0.0),
        ("none", 2, 0.0, 0.0, 0.0),
        ("disliked", 2, -9.0, 0.0, 0.0), ("odd", 2, float("nan"), 0.0, 0.0),
        ("endless", 2, float("inf"), 0.0, 0.0), ("null", 2, None, 0.0, 0.0),
    )  # fmt: skip
    definitions = the_definitions()

    best = best_rows(rows, definitions, definitions.ranks[0], at_s=NOON_S).collect()

    assert [row.member for row in best] == ["tie", "new", "old"]
    assert [row.score for row in best[:2]] == [NOON_S + 3 * DAY_S] * 2
    value_now = F.col("popularity_day") * F.pow(F.lit(2.0), (F.unix_seconds("as_of") - NOON_S - 2 * DAY_S) / DAY_S)
    values = {row.item_id: row.value for row in rows.select("item_id", value_now.alias("value")).collect()}
    assert [2 ** ((row.score - NOON_S - 2 * DAY_S) / DAY_S) for row in best] == pytest.approx(
        [values[row.member] for row in best]
    )


@pytest.mark.spark
def test_rates_are_ranked_as_of_one_instant(spark):
    rows = items(spark, ("was good", 0, 1.0, 64.0, 64.0), ("is good", 4, 1.0, 6.0, 8.0), ("bad", 4, 1.0, 0.0, 8.0))
    definitions = the_definitions()

    at_s = newest_as_of(rows).first().as_of_s
    best = best_rows(rows, definitions, definitions.ranks[1], at_s).collect()

    assert at_s == NOON_S + 4 * DAY_S
    assert [(row.member, round(row.score, 9)) for row in best] == [("was good", round(5 / 6, 9)), ("is good", 0.7)]


@pytest.mark.spark
def test_the_segments_in_which_most_happens_have_a_list_of_their_best(spark):
    likes = [
        ("all", "a", 4.0), ("all", "b", 8.0), ("all", "c", 2.0), ("device:tv", "a", 1.0), ("device:car", "a", 2.0),
        ("device:car", "b", 2.0), ("device:car", "z", 0.0),
    ]  # fmt: skip
    rows = a_frame(spark, "segment", [{"segment": s, "item_id": i, "as_of": 0, "liked_day": v} for s, i, v in likes])

    lists = fallback_lists(rows, the_definitions(), NOON_S + DAY_S).collect()

    assert {row.segment: (row["items"], [round(score, 9) for score in row.scores]) for row in lists} == {
        "all": (["b", "a"], [4.0, 2.0]),
        "device:car": (["a", "b"], [1.0, 1.0]),
    }


@pytest.mark.spark
def test_counts_of_what_was_shown_are_as_of_one_instant_and_of_the_newest(spark):
    rows = items(
        spark, ("two days ago", 0, 1.0, 4.0, 8.0), ("now", 2, 1.0, None, 5.0), ("never shown", 2, 1.0, 3.0, 0.0),
        ("yesterday", 1, 1.0, 2.0, 2.0), ("long ago", -9, 1.0, 2.0, 2.0),
    )  # fmt: skip

    counts = trial_counts(rows, the_definitions(), NOON_S + 2 * DAY_S).collect()

    assert {row["item"]: (row.clicks, row.impressions) for row in counts} == {
        "now": (0.0, 5.0), "yesterday": (1.0, 1.0), "two days ago": (1.0, 2.0)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        pytest.param({"ranks": {"r": {"feature": "last_item"}}}, "ranks: r: expected a number", id="text"),
        pytest.param({"ranks": {"r": {"feature": "liked_day"}}}, "ranks: r: expected an entity of one key", id="two-keys"),
        pytest.param({"fallbacks": {"feature": "popularity_day"}}, "fallbacks: expected .* of \\[item_id\\]", id="no-segment"),
        pytest.param({"exploration": {"feature": "popularity_day"}}, "exploration: expected a rate", id="no-rate"),
    ],
)  # fmt: skip
def test_what_cannot_be_ranked_is_refused(changed, says):
    check_ranked(the_definitions())

    with pytest.raises(ConfigError, match=says):
        check_ranked(the_definitions(**changed))
