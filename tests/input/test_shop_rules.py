"""What the shop says is broken is exactly what the rules find."""

from pathlib import Path

import pytest
from pyspark.sql import functions as F

from pipelines.events.parse import parse_records
from pipelines.events.rules import compile_rules
from pipelines.local.shop import Shop, ShopConfig
from pipelines.schemas import Contract

SUITE = Path(__file__).parents[2] / "conf/expectations/clickstream.json"
CONFIG = ShopConfig(n_users=100, n_items=100, n_events=1_000, broken_share=0.08)


@pytest.mark.spark
def test_each_record_breaks_exactly_the_rules_that_the_shop_names(spark):
    sent = list(Shop(CONFIG).records())
    rows = [(shop_record.record.key, shop_record.record.value, "t", 0, n) for n, shop_record in enumerate(sent)]
    columns = "key binary, value binary, topic string, partition int, offset long"
    records = spark.createDataFrame(rows, columns).withColumn("timestamp", F.lit("2026-02-01").cast("timestamp"))

    rules = compile_rules(spark, SUITE, Contract().checked)
    judged = parse_records(records).select("offset", rules.broken_rules().alias("rules")).collect()

    expected = {n: s.broken_as.rules if s.broken_as else frozenset() for n, s in enumerate(sent)}
    assert {row.offset: frozenset(row.rules) for row in judged} == expected
