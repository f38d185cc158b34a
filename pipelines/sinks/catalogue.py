"""Files the catalogue in Delta, and has what changed published."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.storagelevel import StorageLevel

from pipelines.catalogue.rows import last_of_each, may_be_shown, replaces, says_else
from pipelines.errors import InputError
from pipelines.logs.batches import tell_batch
from pipelines.schemas import CATALOGUE, CATALOGUE_REJECTED
from pipelines.sinks.commits import commit
from pipelines.sinks.delta_tables import ensure_table

FEW_ITEMS = 10  # so few may disappear whatever their share is


@dataclass(frozen=True)
class CatalogueChange:
    """What a load does to the table."""

    n_new: int
    n_changed: int
    n_unchanged: int
    n_older: int  # refused: the table has something newer
    n_gone: int
    n_rejected: int
    n_hidden: int  # items that may be shown before it, and not after it
    n_shown: int  # items that may be shown before it

    @property
    def n_told(self) -> int:
        """Items that records tell of."""
        return self.n_new + self.n_changed + self.n_unchanged + self.n_older

    def figures(self) -> dict[str, int]:
        """Return the counts by name."""
        return asdict(self)

    def check_share(self, max_share: float) -> None:
        """Raise InputError where more than that share of what may be shown would not be any more."""
        if self.n_hidden > FEW_ITEMS and self.n_hidden > max_share * self.n_shown:
            raise InputError(
                f"{self.n_hidden:,} of {self.n_shown:,} items that may be shown would not be any more, more than a share of "
                f"{max_share:g}: nothing was loaded. Look at the file with --dry-run; if it is right, give a higher "
                "--max-hidden-share"
            )


@dataclass(frozen=True)
class CatalogueTables:
    """Merges records of the catalogue into the table, files those that are none, then has what they were about published.

    Safe to replay, and to load files and records in any order: a row of an item gives way only to a newer one (rows.replaces),
    and a row that is there already is written once. Delta comes first: what is published is read from the table, so a run that
    died between the two heals by running again, and Redis never has what Delta has not. Safe beside other writers: commits.py.
    """

    path: str
    rejected_path: str
    publish: Callable[[DataFrame], None]  # rows of CATALOGUE
    on_batch: Callable[[dict[str, int]], None] | None = None  # told what each micro-batch did

    def __call__(self, batch: DataFrame, batch_id: int) -> None:
        told = batch.persist(StorageLevel.MEMORY_AND_DISK)
        try:
            change = self.change(told)
            self.write(told)
        finally:
            told.unpersist()
        tell_batch(
            rows=change.n_told + change.n_rejected,
            inserted=change.n_new,
            updated=change.n_changed,
            hidden=change.n_hidden,
            rejected=change.n_rejected,
        )
        if self.on_batch:
            figures = change.figures()
            del figures["n_shown"]  # of this batch's items: no figure to add up
            self.on_batch({"batch_id": batch_id, **figures})

    def change(
        self, told: DataFrame, complete_at: datetime | None = None, *, is_whole: bool = False
    ) -> CatalogueChange:
        """What `write` would do now; `n_shown` is of the items told of, or of the whole table.

        In:  CATALOGUE_TOLD. `complete_at`: the records are all that the shop sells at that time.
        """
        old, how = self._table(told.sparkSession), "full_outer" if complete_at or is_whole else "left"
        both = _source(told).alias("new").join(old.alias("old"), F.col("old.item_id") == F.col("new.item_id"), how)
        outcome, was_shown = _outcome(complete_at), F.coalesce(may_be_shown("old"), F.lit(False))
        is_shown = F.when(outcome.isin("new", "changed"), may_be_shown("new")).otherwise(
            was_shown & (outcome != "gone")
        )
        counts = [
            F.count_if(outcome == name).alias(f"n_{name}") for name in ("new", "changed", "unchanged", "older", "gone")
        ]
        sums = [F.count_if(was_shown & ~is_shown).alias("n_hidden"), F.count_if(was_shown).alias("n_shown")]
        figures = both.agg(*counts, *sums).collect()[0].asDict()
        return CatalogueChange(n_rejected=told.where(F.col("reasons").isNotNull()).count(), **figures)

    def write(self, told: DataFrame, complete_at: datetime | None = None) -> None:
        """Write what the records say, and publish the rows that they are about; with `complete_at`, all rows."""
        spark, source = told.sparkSession, _source(told)
        ensure_table(spark, self.path, "catalogue", CATALOGUE)
        self._file_rejected(told.where(F.col("reasons").isNotNull()))
        commit(self.path, lambda: self._merge(source, complete_at))
        rows = self._table(spark)
        self.publish(rows if complete_at else rows.join(source.select("item_id"), "item_id", "left_semi"))

    def publish_all(self, spark: SparkSession) -> int:
        """Publish the table as it is, for a Redis that lost it; returns how many rows it has."""
        rows = self._table(spark)
        self.publish(rows)
        return rows.count()

    def _table(self, spark: SparkSession) -> DataFrame:
        if not DeltaTable.isDeltaTable(spark, self.path):
            return spark.createDataFrame([], CATALOGUE)
        return spark.read.format("delta").load(self.path).select(CATALOGUE.names)

    def _merge(self, source: DataFrame, complete_at: datetime | None) -> None:
        is_item, is_gone = ~F.col("new.is_kept"), F.col("new.is_gone")
        is_newer = is_item & replaces("old", "new")
        later = (F.col("new.told_at") != F.col("old.told_at")) | (F.col("new.updated_at") != F.col("old.updated_at"))
        end: dict[str, str | Column] = {"is_gone": F.lit(True), "told_at": F.col("new.told_at")}
        row: dict[str, str | Column] = {name: F.col(f"new.{name}") for name in CATALOGUE.names}
        new_row = row | {"updated_at": F.coalesce("new.updated_at", "new.told_at")}
        merge = (
            DeltaTable.forPath(source.sparkSession, self.path)
            .alias("old")
            .merge(source.alias("new"), "old.item_id = new.item_id")
            .whenMatchedUpdate(is_newer & is_gone & (says_else("old", "new") | later), end)
            .whenMatchedUpdate(is_newer & ~is_gone & (says_else("old", "new") | later), row)
            .whenNotMatchedInsert(is_item, new_row)
        )
        if complete_at:
            merge = merge.whenNotMatchedBySourceUpdate(
                _ends(complete_at), {"is_gone": F.lit(True), "told_at": F.lit(complete_at)}
            )
        merge.execute()

    def _file_rejected(self, rejected: DataFrame) -> None:
        if not rejected.count():  # isEmpty would leave the workers with half-read input
            return
        spark, rejected_id = rejected.sparkSession, F.sha2(F.concat_ws("\n", "source", "record"), 256)
        rows = rejected.withColumn("rejected_id", rejected_id).dropDuplicates(["rejected_id"])
        ensure_table(spark, self.rejected_path, "catalogue_rejected", CATALOGUE_REJECTED)

        def insert() -> None:
            merge = DeltaTable.forPath(spark, self.rejected_path).alias("old")
            new = rows.select(CATALOGUE_REJECTED.names).alias("new")
            merge.merge(new, "old.rejected_id = new.rejected_id").whenNotMatchedInsertAll().execute()

        commit(self.rejected_path, insert)


def _source(told: DataFrame) -> DataFrame:
    """CATALOGUE and is_kept, one row per item: what is told of it, or that a rejected record is all there is of it."""
    items = last_of_each(told.where(F.col("reasons").isNull())).withColumn("is_kept", F.lit(False))
    named = told.where(F.col("reasons").isNotNull() & F.col("item_id").isNotNull()).select("item_id").distinct()
    kept = named.join(items, "item_id", "left_anti").withColumn("is_kept", F.lit(True))
    return items.unionByName(kept, allowMissingColumns=True)


def _outcome(complete_at: datetime | None) -> Column:
    """What becomes of an item: of row `old` of the table, row `new` of _source, or both."""
    ends = F.lit(False) if complete_at is None else _ends(complete_at)
    return (
        F.when(F.col("new.item_id").isNull(), F.when(ends, "gone").otherwise("kept"))
        .when(F.col("new.is_kept"), "kept")
        .when(F.col("old.item_id").isNull(), F.when(F.col("new.is_gone"), "gone").otherwise("new"))
        .when(~replaces("old", "new"), "older")
        .when(~says_else("old", "new"), "unchanged")
        .when(F.col("new.is_gone"), "gone")
        .otherwise("changed")
    )


def _ends(complete_at: datetime) -> Column:
    """Whether row `old` that a complete load does not have is of an item that is not sold any more."""
    return ~F.col("old.is_gone") & (F.col("old.told_at") <= F.lit(complete_at))
