"""What the tasks of a Spark stage give back to the driver: a row each, bounded by the number of tasks.

All integers are long: Arrow's int64 is not accepted for `int`.
"""

from pyspark.sql.types import ArrayType, BinaryType, DoubleType, LongType, StringType, StructType

from pipelines.schema_field import field

# One row a task of the hot path gives back to the driver.
HOT_PATH_REPORT = StructType(
    [
        field("partition", LongType(), "Kafka partition"),
        field("n_interactions", LongType(), "rows the task got"),
        field("n_new", LongType(), "folded"),
        field("n_repeated", LongType(), "the same event again"),
        field("n_replayed", LongType(), "read again after an interruption"),
        field("n_forgotten", LongType(), "older than the whole ring"),
        field("n_impressions", LongType(), "items that were shown, of users in the task and others"),
        field("n_users", LongType(), "users in the task"),
        field("n_lists", LongType(), "lists made again"),
        field("n_refused", LongType(), "users whose stored profile was further on"),
        field("n_joined", LongType(), "visitors who became users, or another user"),
        field("read_us", LongType(), "reading profiles and model, microseconds"),
        field("fold_us", LongType(), "folding"),
        field("learn_us", LongType(), "the gradient"),
        field("score_us", LongType(), "scoring and making lists"),
        field("write_us", LongType(), "writing profiles and lists"),
        field(
            "lag_ms",
            ArrayType(LongType(), False),
            "event in Kafka → list written, a sample of the events behind the lists",
        ),
        field("n_examples", LongType(), "choices the model learned from"),
        field(
            "loss", DoubleType(), "their log-loss before that, summed, nats; NaN where a number in the gradient is none"
        ),
        field("loss_of_popularity", DoubleType(), "the same of popularity alone"),
        field("n_evaluated", LongType(), "choices that were ranked against the whole catalogue before"),
        field("ndcg", DoubleType(), "their NDCG, summed"),
        field("recall", DoubleType(), "how many of them were among the first k"),
        field("ndcg_of_popularity", DoubleType(), "their NDCG by popularity alone, summed"),
        field("gradient", BinaryType(), "what the task's events add to the model"),
    ]
)

# One row a slice of the users gives back to the driver.
REBUILD_REPORT = StructType(
    [
        field("slice", LongType(), "number of the slice"),
        field("n_interactions", LongType(), "that `events` has of its users"),
        field("n_users", LongType(), "users in the slice"),
        field("n_replaced", LongType(), "profiles that were written"),
        field("n_same", LongType(), "profiles that said the same already"),
        field("n_of_logins", LongType(), "users left as they are: they have more of visitors than is filed so far"),
    ]
)

# One row a shard of the users gives back to the driver.
SWEEP_REPORT = StructType(
    [
        field("shard", LongType(), "number of the shard"),
        field("n_claimed", LongType(), "users taken from the queue"),
        field("n_lists", LongType(), "lists published"),
        field("n_refused", LongType(), "users who are due again"),
    ]
)
RENEWALS_REPORT = StructType(
    [
        field("n_sought", LongType(), "users whose list is to be made again"),
        field(
            "model_version", StringType(), "registered version of the model that they were compared with; new: of none"
        ),
    ]
)
