"""Records which quarantined records are sent again, so that each becomes one event however often the job dies."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.storagelevel import StorageLevel

from pipelines.schemas import REPLAYS
from pipelines.sinks.commits import commit
from pipelines.sinks.delta_tables import ensure_table

SendRows = Callable[[DataFrame], None]  # sends key and value of each row; returns when all are confirmed


@dataclass(frozen=True)
class Replays:
    """The table `replays`: a row per record_id, first planned, then marked as sent.

    Exactly once in effect, wherever it is interrupted. The plan holds the very bytes that are sent, and is written before
    the first of them goes. Dead before the mark, the next run sends the same bytes under the same event_id again, and
    every reader folds that away. What is planned is never planned again, so a record cannot become two events.
    Two runs at once: the later one plans what the earlier one has not.
    """

    spark: SparkSession
    path: str

    def plan(self, accepted: DataFrame, *, rule: str, fix: str | None, ruleset: str, now: datetime) -> int:
        """Insert what is accepted and has no plan yet; returns how many rows that is.

        In:  record_id, event_id, key, value; one row per record_id.
        """
        ensure_table(self.spark, self.path, "replays", REPLAYS)
        about = {"rule": F.lit(rule), "fix": F.lit(fix), "ruleset": F.lit(ruleset), "planned_at": F.lit(now)}
        rows = accepted.withColumns({**about, "sent_at": F.lit(None)})
        rows = rows.select([F.col(field.name).cast(field.dataType).alias(field.name) for field in REPLAYS.fields])

        def insert() -> int:
            merge = self._table().alias("old").merge(rows.alias("new"), "old.record_id = new.record_id")
            return int(merge.whenNotMatchedInsertAll().execute().collect()[0]["num_inserted_rows"])

        return commit(self.path, insert)

    def unsent(self) -> DataFrame:
        """Rows that are planned and not marked as sent, as they are now, whatever is written later."""
        if not DeltaTable.isDeltaTable(self.spark, self.path):
            return self.spark.createDataFrame([], REPLAYS)
        version = self._table().history(1).collect()[0]["version"]
        pinned = self.spark.read.format("delta").option("versionAsOf", version).load(self.path)
        return pinned.where(F.col("sent_at").isNull())

    def send(self, planned: DataFrame, send_rows: SendRows, now: datetime) -> int:
        """Send rows of `unsent`, then mark them; returns how many. Raises what `send_rows` raises: then none is marked."""
        planned = planned.persist(StorageLevel.MEMORY_AND_DISK)
        try:
            if n := planned.count():
                send_rows(planned)
                self.mark_sent(planned, now)
            return n
        finally:
            planned.unpersist()

    def mark_sent(self, planned: DataFrame, now: datetime) -> None:
        """Set `sent_at` of these rows. Safe to repeat: the first time stays."""
        sent = planned.select("record_id").alias("new")

        def mark() -> None:
            merge = self._table().alias("old").merge(sent, "old.record_id = new.record_id")
            merge.whenMatchedUpdate("old.sent_at IS NULL", {"sent_at": F.lit(now)}).execute()

        commit(self.path, mark)

    def _table(self) -> DeltaTable:
        return DeltaTable.forPath(self.spark, self.path)
