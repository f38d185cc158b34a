"""Spark counts what numpy counts: columns in windows, and how well lists fit."""

from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from pyspark.sql import functions as F

from benchmarks.drift_shop import hourly_counts, served_slices
from pipelines.drift.counting import collected, counts
from pipelines.drift.grid import key_column, keys
from pipelines.drift.histogram import CATEGORY, NUMBER, OTHER
from pipelines.drift.measures import Measure, of_events, of_lists, places_of_lists
from pipelines.drift.served import served_ndcg
from pipelines.drift.windows import OUTSIDE, Windows
from pipelines.drift_sections import DriftConfig
from pipelines.features.definitions import load_definitions
from pipelines.local.shop import Shop, ShopConfig
from pipelines.schemas import CATALOGUE, LISTS
from pipelines.sources.delta import read_table
from tests.conftest import PROJECT
from tests.drift.lake import Lake

pytestmark = pytest.mark.spark

PER_DAY, DAYS = 600, 9
SHOP = Shop(ShopConfig(n_users=300, n_items=200, n_events=PER_DAY * DAYS, events_per_second=PER_DAY / 86_400, seed=3))
AS_OF = datetime.fromtimestamp(SHOP.config.start_ms / 1000, timezone.utc) + timedelta(days=DAYS)


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    lake = Lake(tmp_path_factory.mktemp("counting"))
    lake.file(SHOP)
    return lake


@pytest.fixture(scope="module")
def events(spark, lake):
    return read_table(spark, lake.path("events"), "events").persist()


@pytest.mark.parametrize("hours", [24, 6])
def test_spark_counts_the_events_as_numpy_does(events, hours):
    windows = Windows(AS_OF, hours, 7)
    measures = of_events(events, load_definitions(PROJECT / "conf/features.yaml"), DriftConfig().fields)

    counted = counts(events, windows.index_column(F.col("event_time")), measures, 8, n_values=1_000)
    found = {of.column: of for of in collected("events", measures, counted, 8)}

    expected = {of.column: of for of in hourly_counts(SHOP, SHOP.good_events()).histograms(windows)}
    assert set(found) == set(expected)
    for column, of in expected.items():
        assert found[column].values == of.values, column
        assert found[column].counts.tolist() == of.counts.tolist(), column
    assert expected["event_type"].counts.sum() > 0.95 * PER_DAY * 8 * hours / 24


def test_spark_sums_up_how_lists_fit_as_numpy_does(spark, lake, events):
    lists = read_table(spark, lake.path("lists"), "lists")

    rows = served_ndcg(events, lists, k=10).collect()

    found = {row.slice_s: (row.n, pytest.approx(row.ndcg)) for row in rows}
    assert sum(n for n, _ in found.values()) > 1_000
    assert {second: (n, ndcg) for second, n, ndcg in served_slices(SHOP, SHOP.good_events())} == found


def test_a_number_has_the_same_key_in_spark_and_in_numpy(spark):
    nothing = [None, float("nan"), float("inf"), float("-inf")]
    values = [0.0, -0.0, 1.0, 2.0**-3, 2.0**29, 8.0, 0.1, 19.99, -3.5, 1e300, 5e-324, *(float(n) for n in range(17))]
    rows = spark.createDataFrame([(value,) for value in nothing + values], "x double")

    found = [row[0] for row in rows.select(key_column(F.col("x"))).collect()]

    assert found == [None] * len(nothing) + keys(np.array(values)).tolist()


def test_a_time_is_in_the_same_window_in_spark_and_in_numpy(spark):
    rng = np.random.default_rng(1)
    as_of_ms = round(AS_OF.timestamp() * 1000)
    times = as_of_ms - np.concatenate([rng.integers(-(10**7), 9 * 86_400_000, 500), 3_600_000 * np.arange(-2, 200)])
    for windows in (Windows(AS_OF, 24, 7), Windows(AS_OF, 6, 7), Windows(AS_OF, 30, 3)):
        rows = spark.createDataFrame([(int(t),) for t in times], "t long")
        told = rows.select(windows.index_column(F.timestamp_millis("t"))).toPandas().iloc[:, 0]

        assert [OUTSIDE if np.isnan(w) else int(w) for w in told.astype(float)] == windows.index(times).tolist()


def test_rare_values_are_one_and_new_ones_kept(spark):
    rows = [("a", 1)] * 5 + [("b", 1)] * 3 + [("c", 1), ("d", 1), ("new", 0), (None, 0), ("", 0)]
    frame = spark.createDataFrame(rows, "x string, w int")
    measures = [Measure("x", CATEGORY, F.col("x")), Measure("w", NUMBER, F.col("w").cast("double"), F.col("x") == "a")]

    found = collected("t", measures, counts(frame, F.col("w"), measures, 2, n_values=2), 2)

    assert dict(zip(found[0].values, found[0].counts.tolist(), strict=True)) == {
        "a": [0, 5],
        "b": [0, 3],
        "new": [1, 0],
        OTHER: [0, 2],
        None: [2, 0],
    }
    assert found[1].counts.tolist() == [[0, 5]]  # rows outside `where` do not count


def test_a_list_is_counted_once_and_its_places_one_by_one(spark):
    made = [{"made_at": AS_OF, "source": "personal", "cause": "time", "items": ["i", "j"], "scores": [3.0, 1.0],
             "reasons": {"explore": [1]}, "user": "u", "list_id": "1"},
            {"made_at": AS_OF, "source": "personal", "cause": "time", "items": [], "scores": [], "reasons": {},
             "user": "u", "list_id": "2"}]  # fmt: skip
    lists = spark.createDataFrame([tuple(row.get(name) for name in LISTS.names) for row in made], LISTS)
    catalogue = spark.createDataFrame([("i", *[None] * 12)], CATALOGUE).withColumn("category", F.lit("tea"))

    measures = of_lists()
    counted = counts(places_of_lists(lists, catalogue), F.lit(0), measures, 1, n_values=10)
    found = {
        of.column: dict(zip(of.values, of.current.tolist(), strict=True))
        for of in collected("lists", measures, counted, 1)
    }

    assert found["source"] == {"personal": 2}
    assert found["n_items"] == {"0": 1, str(keys(np.array([2.0]))[0]): 1}
    assert found["spread"] == found["margin"] == {str(keys(np.array([2.0]))[0]): 1, None: 1}
    assert found["item_id"] == {"i": 1, "j": 1}
    assert found["category"] == {"tea": 1, None: 1}
    assert found["reason"] == {"model": 1, "explore": 1}
