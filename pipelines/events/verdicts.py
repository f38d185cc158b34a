"""Puts the rules' verdict beside each event, in the shape that both tables are filled from."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipelines.events.rules import CompiledRules
from pipelines.schemas import Contract


def with_verdicts(events: DataFrame, rules: CompiledRules, contract: Contract | None = None) -> DataFrame:
    """Judge each event.

    In:   rows of `parse_records`, with `extra`.
    Out:  Contract.verdicts, one row per record: `rules` is empty for a valid event. The raw bytes and the record's id
          are kept for the others only.
    """
    judged = events.withColumns(
        {"rules": rules.broken_rules(), "warnings": rules.warnings(), "ruleset": F.lit(rules.ruleset)}
    )
    is_broken = F.size("rules") > 0
    kept_if_broken = {
        "record_id": record_id(),
        "key": F.col("key"),
        "value": F.col("value"),
        "ingest_date": F.col("ingest_time").cast("date"),
    }
    columns = [
        F.when(is_broken, kept_if_broken[name]).alias(name) if name in kept_if_broken else F.col(name)
        for name in (contract or Contract()).verdicts.names
    ]
    return judged.select(columns)


def record_id() -> Column:
    """SHA-256 over the digests of `key` and `value`; a missing one differs from an empty one. Hexadecimal."""
    return F.sha2(F.concat(*[F.coalesce(F.sha2(name, 256), F.lit("none")) for name in ("key", "value")]), 256)
