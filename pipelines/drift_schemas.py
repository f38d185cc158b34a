"""The table `drift`: what `detect_drift` found."""

from pyspark.sql.types import ArrayType, BooleanType, DoubleType, LongType, StringType, StructType, TimestampType

from pipelines.schema_field import field

DRIFT = StructType(
    [
        field("drift_id", StringType(), "one run: of an instant, windows and settings"),
        field("as_of", TimestampType(), "end of the current window, UTC"),
        field("window_start", TimestampType(), "its beginning, UTC"),
        field("reference_start", TimestampType(), "beginning of the earliest window of the reference, UTC"),
        field("is_drifting", BooleanType(), "whether the run found anything"),
        field("name", StringType(), "table.column; there is one row for each"),
        field("kind", StringType(), "number, category or concept"),
        field(
            "verdict",
            StringType(),
            "drift, missing (both alert), stable, usual weekday, too few rows, no reference or no data",
        ),
        field("change", StringType(), "what changed most, for people"),
        field(
            "figure",
            DoubleType(),
            "population stability index; of a concept how much the mean fell; null: not compared",
        ),
        field("threshold", DoubleType(), "above which it is drift"),
        field("p", DoubleType(), "how likely chance makes the figure as large"),
        field("jensen_shannon", DoubleType(), "distance, base 2"),
        field("kolmogorov_smirnov", DoubleType(), "of a number: distance"),
        field("kolmogorov_smirnov_p", DoubleType(), "how likely chance makes that as large, by effective sizes"),
        field("chi_square", DoubleType(), "Pearson's X², as if events were independent"),
        field("degrees_of_freedom", LongType(), "of it"),
        field(
            "dispersion", DoubleType(), "how much more windows of the reference differ than independent events would"
        ),
        field("n_current", LongType(), "rows of the current window"),
        field("n_reference", LongType(), "rows of all windows of the reference"),
        field("bins", ArrayType(StringType(), False), "what is compared; of a concept the times of the points"),
        field(
            "reference", ArrayType(DoubleType(), False), "rows of the reference in each bin; of a concept what is usual"
        ),
        field("current", ArrayType(DoubleType(), False), "rows of the current window in each; of a concept the points"),
        field(
            "values", ArrayType(StringType(), True), "values before they were put into bins; of numbers: drift/grid.py"
        ),
        field(
            "counts", ArrayType(LongType(), False), "rows of the current window of each: later runs compare with them"
        ),
    ]
)
