"""Judged rows, as the stream writes them."""

from datetime import datetime, timezone

from pyspark.sql import DataFrame, SparkSession

from pipelines.events.extra import with_extra_fields
from pipelines.events.parse import parse_records
from pipelines.events.rules import CompiledRules
from pipelines.events.verdicts import with_verdicts
from tests.events.builders import kafka_records

AS_OF = datetime(2024, 6, 1, 12, 30, tzinfo=timezone.utc)


def judged(spark: SparkSession, rules: CompiledRules, values: list[bytes | None], first_offset: int = 0) -> DataFrame:
    return with_verdicts(with_extra_fields(parse_records(kafka_records(spark, values, first_offset))), rules)
