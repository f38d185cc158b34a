"""Accounts for every record of the topic: each has exactly one fate, and none is lost or filed twice."""

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F
from pyspark.storagelevel import StorageLevel

from pipelines.events.verdicts import record_id

VALID, QUARANTINED, DUPLICATE, LOST = "valid", "quarantined", "duplicate", "lost"
TWICE, UNKNOWN = "twice", "unknown"  # faults of the tables: an id or coordinates twice, a row of no record
COORDINATES = ["topic", "partition", "offset"]


@dataclass(frozen=True)
class Account:
    """How many records had which fate, and how many rows of the tables should not be there."""

    n_valid: int
    n_quarantined: int
    n_duplicates: int
    n_lost: int
    n_twice: int
    n_unknown: int

    @property
    def n_produced(self) -> int:
        """Records in the topic."""
        return self.n_valid + self.n_quarantined + self.n_duplicates + self.n_lost

    @property
    def is_exact(self) -> bool:
        """Whether produced = valid + quarantined + duplicates, and the tables hold nothing else."""
        return not (self.n_lost or self.n_twice or self.n_unknown)


@dataclass(frozen=True)
class Reconciliation:
    """The account, and where its faults are."""

    account: Account
    examples: list[Row]  # of lost records and faulty rows: topic, partition, offset, id, fault


def reconcile(claims: DataFrame, events: DataFrame, quarantine: DataFrame, n_examples: int = 10) -> Reconciliation:
    """Count the fates of all records and the faults of all rows, with some examples of what is wrong.

    The claims are read once: a topic that grows meanwhile must not give two answers.
    """
    claims = claims.persist(StorageLevel.MEMORY_AND_DISK)
    try:
        fates = fate_per_record(claims, events, quarantine)
        faults = faults_per_row(claims, events, quarantine)
        lost = fates.where(F.col("fate") == LOST)
        lost = lost.select(*COORDINATES, F.coalesce("event_id", "record_id").alias("id"), F.col("fate").alias("fault"))
        wrong = lost.unionByName(faults).orderBy("fault", *COORDINATES).limit(n_examples)
        counts = _counts(fates, "fate") | _counts(faults, "fault")
        account = Account(*[counts.get(name, 0) for name in (VALID, QUARANTINED, DUPLICATE, LOST, TWICE, UNKNOWN)])
        return Reconciliation(account, [] if account.is_exact else wrong.collect())
    finally:
        claims.unpersist()


def _counts(rows: DataFrame, column: str) -> dict[str, int]:
    return {row[column]: row["count"] for row in rows.groupBy(column).count().collect()}


def to_claims(checked: DataFrame) -> DataFrame:
    """Reduce records to what their fate is decided by.

    In:   rows of `parse_records`: the whole topic.
    Out:  topic, partition, offset, event_id (null where there is none), record_id. A few dozen bytes a record.
    """
    return checked.select(*COORDINATES, "event_id", record_id().alias("record_id"))


def fate_per_record(claims: DataFrame, events: DataFrame, quarantine: DataFrame) -> DataFrame:
    """Give each record its fate.

    In:   claims of the whole topic; the tables `events` and `quarantine`.
    Out:  the claims with `fate`: VALID or QUARANTINED where the table has the record's own id under its coordinates;
          DUPLICATE where it has that id under others; else LOST. One row per record, whatever the tables hold.
    """
    with_events = _with_filed(claims, events, "event_id")
    filed = _with_filed(with_events, quarantine, "record_id")
    fate = (
        F.when(_is_own("event_id"), VALID)
        .when(_is_own("record_id"), QUARANTINED)
        .when(F.col("event_id_at").isNotNull() | F.col("record_id_at").isNotNull(), DUPLICATE)
        .otherwise(LOST)
    )
    return filed.withColumn("fate", fate).select(*claims.columns, "fate")


def faults_per_row(claims: DataFrame, events: DataFrame, quarantine: DataFrame) -> DataFrame:
    """Find the rows that the tables should not hold.

    Out:  topic, partition, offset, id, fault. TWICE: an event_id is there more than once, or one record was filed more
          than once. UNKNOWN: the topic has no such record at these coordinates, though it reaches back that far.
    """
    filed = _filed(events, "event_id").unionByName(_filed(quarantine, "record_id"))
    repeated_ids = _repeated(_filed(events, "event_id"), ["id"])
    repeated_records = _repeated(filed, COORDINATES)
    return repeated_ids.unionByName(repeated_records).distinct().unionByName(_unknown(claims, filed))


def _with_filed(claims: DataFrame, table: DataFrame, key: str) -> DataFrame:
    """Add `{key}_at`: all coordinates under which the table has the claim's id; null where it has it nowhere."""
    places = table.groupBy(key).agg(F.collect_set(_coordinates()).alias(f"{key}_at"))
    return claims.join(places, key, "left")


def _is_own(key: str) -> Column:
    return F.coalesce(F.array_contains(f"{key}_at", _coordinates()), F.lit(False))


def _coordinates() -> Column:
    return F.struct(*COORDINATES)


def _filed(table: DataFrame, key: str) -> DataFrame:
    return table.select(*COORDINATES, F.col(key).alias("id"))


def _repeated(filed: DataFrame, key: list[str]) -> DataFrame:
    repeated = filed.groupBy(key).count().where(F.col("count") > 1).select(key)
    return filed.join(repeated, key, "left_semi").select(*COORDINATES, "id", F.lit(TWICE).alias("fault"))


def _unknown(claims: DataFrame, filed: DataFrame) -> DataFrame:
    # What the broker has deleted by age cannot be checked any more, and is no fault.
    starts = claims.groupBy("topic", "partition").agg(F.min("offset").alias("first_offset"))
    within = filed.join(starts, ["topic", "partition"], "left").where(F.col("offset") >= F.col("first_offset"))
    either_id = claims.select(*COORDINATES, F.explode(F.array("event_id", "record_id")).alias("id"))
    strangers = within.join(either_id, [*COORDINATES, "id"], "left_anti")
    return strangers.select(*COORDINATES, "id", F.lit(UNKNOWN).alias("fault"))
