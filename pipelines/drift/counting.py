"""Histograms of many columns by one pass over a table, on Spark."""

from collections import defaultdict
from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from pipelines.drift.histogram import NUMBER, OTHER, Histogram, histogram
from pipelines.drift.measures import Measure

NEWEST_VALUES = 10  # kept besides the most frequent ones: the most frequent of the current window


def counts(rows: DataFrame, window: Column, measures: Sequence[Measure], n_windows: int, n_values: int) -> DataFrame:
    """Count the values of each column in each window. One row for each value that is kept: bounded, however many rows there are.

    In:   rows; `window` is the number (from 0) of the window that a row is in, null where it is in none.
    Out:  column, value (null: missing), n_0 … n_{n_windows - 1} (long). Of a number all steps of the grid; of a category the
          `n_values` most frequent values and the NEWEST_VALUES most frequent of window 0, the rest together as OTHER.
    """
    said = [F.when(_applies(measure), F.struct(F.lit(measure.column).alias("column"), measure.text.alias("value")))
            for measure in measures]  # fmt: skip
    pairs = rows.select(window.alias("window"), F.explode(F.array_compact(F.array(*said))).alias("pair"))
    of_windows = [F.count_if(F.col("window") == n).alias(f"n_{n}") for n in range(n_windows)]
    inside = pairs.where(F.col("window").isNotNull()).select("window", "pair.column", "pair.value")
    return _trimmed(inside.groupBy("column", "value").agg(*of_windows), measures, n_windows, n_values)


def collected(table: str, measures: Sequence[Measure], counted: DataFrame, n_windows: int) -> list[Histogram]:
    """Take the rows of `counts` to the driver: a histogram of each column, empty where it had no row."""
    found: dict[str, dict[str | None, list[int]]] = defaultdict(dict)
    for column, value, *n in counted.collect():
        found[column][value] = n
    return [histogram(table, m.column, m.kind, found[m.column], n_windows) for m in measures]


def _applies(measure: Measure) -> Column:
    return F.lit(True) if measure.where is None else F.coalesce(measure.where, F.lit(False))


def _trimmed(counted: DataFrame, measures: Sequence[Measure], n_windows: int, n_values: int) -> DataFrame:
    names = [f"n_{n}" for n in range(n_windows)]
    numbers = [measure.column for measure in measures if measure.kind == NUMBER]
    total = sum((F.col(name) for name in names[1:]), F.col(names[0]))
    is_kept = (
        F.col("column").isin(*numbers)
        | F.col("value").isNull()
        | (_rank(total) <= n_values)
        | ((F.col(names[0]) > 0) & (_rank(F.col(names[0])) <= NEWEST_VALUES))
    )
    value = F.when(is_kept, F.col("value")).otherwise(F.lit(OTHER)).alias("value")
    kept = counted.select("column", value, *names)
    return kept.groupBy("column", "value").agg(*[F.sum(name).alias(name) for name in names])


def _rank(by: Column) -> Column:
    return F.row_number().over(Window.partitionBy("column").orderBy(by.desc(), F.col("value")))
