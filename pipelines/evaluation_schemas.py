"""The table of evaluations, in long form: a row for each metric of each segment."""

from pyspark.sql.types import DoubleType, LongType, StringType, StructType, TimestampType

from pipelines.schema_field import field

EVALUATIONS = StructType(
    [
        field("evaluation_id", StringType(), "one evaluation: of one kind, instant, holdout and version"),
        field("as_of", TimestampType(), "events before then count, UTC"),
        field("since", TimestampType(), "events from then on are judged by, UTC"),
        field(
            "kind", StringType(), "holdout (later choices), served (what was shown), gate (challenger against champion)"
        ),
        field("version", LongType(), "registered version of the model; null where the list came from none"),
        field("role", StringType(), "of the version then: champion, challenger, or version"),
        field(
            "ranking",
            StringType(),
            "holdout: model, popularity, own_history, above_popularity, above_own_history (the differences); served: the source "
            "of the lists; gate: challenger_above_champion",
        ),
        field("segment", StringType(), "all, or of which users, items, devices, places of the list"),
        field("metric", StringType(), "docs/evaluation.md explains each"),
        field("k", LongType(), "length of the lists; null where the metric has none"),
        field("value", DoubleType(), "of the metric"),
        field("low", DoubleType(), "lower end of its 95 % interval; null where it has none"),
        field("high", DoubleType(), "upper end"),
        field("n", LongType(), "choices, or impressions, that it is of"),
        field("n_users", LongType(), "of so many users"),
        field("note", StringType(), "gate: the decision and its reason"),
    ]
)
