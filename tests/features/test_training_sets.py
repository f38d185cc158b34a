"""Training sets in Spark: many keys at once, again and again the same, with the code that docs/features.md shows."""

import random
import re
from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.errors import InputError
from pipelines.features.point_in_time import labels_of, with_features
from pipelines.sources.delta import newest_version
from tests.features.test_point_in_time import DAY, HOUR, MICRO, WITHOUT_HISTORY, expected_of
from tests.features.test_two_compilers import (
    DEFINITIONS,
    START,
    assert_same,
    frame,
    oracle,  # noqa: F401  a fixture
    random_events,
)

pytestmark = pytest.mark.spark

PAGE = (Path(__file__).parents[2] / "docs/features.md").read_text(encoding="utf-8")
ENTITIES = ["user", "item", "user_category", "segment"]


def some_late_events():
    chance = random.Random(8)
    delays = [timedelta(0), timedelta(seconds=1), HOUR, 3 * DAY]
    return [e | {"ingest_time": e["event_time"] + chance.choice(delays)} for e in random_events(chance, 250)]


def test_a_training_set_of_many_keys_is_what_the_formulas_say(spark, oracle):  # noqa: F811
    events = some_late_events()
    rows = frame(spark, events).coalesce(2)
    until = START + 2 * HOUR
    labels = labels_of(rows, DEFINITIONS, ["purchase"], ENTITIES[:-1]).selectExpr("*", "'all' AS segment")

    training = with_features(labels, rows, DEFINITIONS, ENTITIES, until, n_slices=3)
    got = training.collect()

    assert training.columns == labels.columns + [f.name for e in ENTITIES for f in DEFINITIONS.of(e)]
    assert {row.event_id for row in got} == {e["event_id"] for e in events if e["event_type"] == "purchase"}
    bounded = labels_of(rows, DEFINITIONS, ["purchase"], ["user"], until).select("event_id", "known_by").collect()
    arrived = {e["event_id"]: min(e["ingest_time"], until) for e in events}
    assert all(row.known_by == arrived[row.event_id] for row in [*got, *bounded]) and until in arrived.values()
    n_compared = 0
    for row in got:
        for entity in ENTITIES:
            key = tuple(row[name] for name in DEFINITIONS.entities[entity])
            expected = expected_of(oracle, entity, events, key, row.as_of, row.known_by)
            if expected:
                assert_same(entity, {key: row.asDict()}, {key: expected})
                n_compared += 1
            else:
                assert row.asDict() | {n: v for n, v in WITHOUT_HISTORY.items() if n in of(entity)} == row.asDict()
    assert n_compared > 50


def of(entity):
    return {feature.name for feature in DEFINITIONS.of(entity)}


def test_the_same_training_set_twice_is_the_same_rows(spark, tmp_path):
    """With the code that docs/features.md shows; in between, the table gets more events."""
    path = str(tmp_path / "events")
    code = re.search(r"## Training sets\n.*?```python\n(.*?)```", PAGE, re.DOTALL)[1]
    events = some_late_events()[:40]
    frame(spark, events).coalesce(1).write.format("delta").save(path)
    version = newest_version(spark, path)

    def shown():
        names = {"spark": spark, "path": path, "version": version, "definitions": DEFINITIONS}
        exec(code, names)
        return sorted(map(repr, names["training"].collect()))

    once = shown()
    newer = [e | {"event_id": f"{e['event_id']}b", "ingest_time": e["ingest_time"] - MICRO} for e in events]
    frame(spark, newer).coalesce(1).write.format("delta").mode("append").save(path)

    assert shown() == once and once


@pytest.mark.parametrize(
    ("columns", "entities", "says"),
    [
        pytest.param("'u' AS user", ["shop"], "no entity 'shop'", id="unknown-entity"),
        pytest.param("1 AS user", ["user"], "`user` of type string, got int", id="type-of-a-key"),
        pytest.param("'u' AS user", ["user_category"], "`category` of type string, got the columns", id="no-key"),
        pytest.param("'u' AS user, 1 AS n_items", ["user"], "'n_items' would be there twice", id="column-of-a-feature"),
        pytest.param("'u' AS user", ["user", "user"], "would be there twice", id="entity-twice"),
    ],
)
def test_labels_that_do_not_fit_are_refused(spark, columns, entities, says):
    labels = spark.range(1).selectExpr(*columns.split(", "), "now() AS as_of", "now() AS known_by")

    with pytest.raises(InputError, match=re.escape(says)):
        with_features(labels, frame(spark, []), DEFINITIONS, entities)


def test_labels_of_a_segment_are_refused(spark):
    with pytest.raises(InputError, match="several segments"):
        labels_of(frame(spark, []), DEFINITIONS, ["purchase"], ["segment"])
