"""What is compiled is what Great Expectations itself reports, row by row, for every kind that the compiler claims."""

import re

import great_expectations.expectations as gxe
import pytest
from pyspark.sql import functions as F

from pipelines.errors import RuleError
from pipelines.events.compiler import COMPILABLE
from pipelines.events.parse import parse_records
from pipelines.events.rules import compile_rules
from pipelines.events.suite import load_suite
from tests.events.builders import SUITE, a_value, kafka_records
from tests.events.differential import by_compiled, by_gx, write_suite
from tests.events.kinds import KINDS, MIXED, ROWS
from tests.events.test_dirty_records import CASES


@pytest.mark.spark
def test_each_kind_that_the_compiler_claims_gives_the_rows_of_gx(spark, tmp_path):
    rows = spark.createDataFrame(MIXED, ROWS)
    rules = compile_rules(spark, write_suite(tmp_path, KINDS), rows.schema)

    compiled = by_compiled(rows, rules)

    assert compiled == by_gx(rows, [rule.expectation for rule in load_suite(tmp_path / "suite.json")])
    assert [name for name, ids in compiled.items() if not 0 < len(ids) < len(MIXED)] == []  # it would prove little
    assert {kind.expectation_type for kind in KINDS} == COMPILABLE


@pytest.mark.spark
def test_the_clickstream_suite_gives_the_rows_of_gx(spark):
    values = [value for value, _ in CASES.values() if len(value or b"") < 500_000]
    rows = parse_records(kafka_records(spark, values)).drop("key", "value").withColumn("id", F.col("offset")).cache()

    compiled = by_compiled(rows, compile_rules(spark, SUITE, rows.schema))

    assert compiled == by_gx(rows, [rule.expectation for rule in load_suite(SUITE)])
    rows.unpersist()


@pytest.mark.spark
@pytest.mark.parametrize(
    ("refused", "why"),
    [
        (gxe.ExpectColumnValuesToBeUnique(column="a"), "compares a row with others"),
        (gxe.ExpectCompoundColumnsToBeUnique(column_list=["a", "b"]), "compares a row with others"),
        (gxe.ExpectColumnValuesToBeIncreasing(column="a"), "compares a row with others"),
        (gxe.ExpectColumnValueZScoresToBeLessThan(column="a", threshold=3, double_sided=True), "needs the mean"),
        (gxe.ExpectColumnValuesToMatchStrftimeFormat(column="text", strftime_format="%Y"), "runs Python"),
        (gxe.ExpectColumnValuesToMatchJsonSchema(column="text", json_schema={}), "runs Python"),
        (gxe.ExpectColumnValuesToMatchLikePattern(column="text", like_pattern="a%"), "is not among the kinds"),
        (gxe.ExpectColumnMeanToBeBetween(column="a", min_value=0), "is about many rows"),
        (gxe.ExpectTableRowCountToBeBetween(min_value=1), "is about many rows"),
        (gxe.ExpectColumnValuesToBeOfType(column="a", type_="IntegerType"), ""),
    ],
    ids=lambda value: getattr(value, "expectation_type", ""),
)
def test_what_cannot_be_judged_row_by_row_is_refused_by_name(spark, tmp_path, refused, why):
    suite = write_suite(tmp_path, [gxe.ExpectColumnValuesToNotBeNull(column="b"), refused])

    with pytest.raises(RuleError, match=f"'rule_1': {refused.expectation_type} cannot quarantine a row: {why}"):
        compile_rules(spark, suite, spark.createDataFrame([], ROWS).schema)


@pytest.mark.spark
def test_a_rule_about_many_rows_that_warns_is_left_to_the_audit(spark, tmp_path):
    about_many = gxe.ExpectTableRowCountToBeBetween(min_value=1)
    suite = write_suite(tmp_path, [gxe.ExpectColumnValuesToNotBeNull(column="b"), about_many], severity="warn")

    rules = compile_rules(spark, suite, spark.createDataFrame([], ROWS).schema)

    assert [[rule.name for rule in group] for group in (rules.rules, rules.batch_rules)] == [["rule_0"], ["rule_1"]]
    assert len(rules.columns) == 1


@pytest.mark.spark
def test_a_column_that_is_not_there_is_named(spark, tmp_path):
    suite = write_suite(tmp_path, [gxe.ExpectColumnValuesToNotBeNull(column="prise")])

    with pytest.raises(RuleError, match=r"'rule_0': there is no column 'prise'\. Known: id, a"):
        compile_rules(spark, suite, spark.createDataFrame([], ROWS).schema)


@pytest.mark.spark
def test_an_argument_that_spark_cannot_compare_is_refused_by_name(spark, tmp_path):
    suite = write_suite(tmp_path, [gxe.ExpectColumnValuesToBeBetween(column="text", min_value=0)])

    with pytest.raises(RuleError, match=r"'rule_0': Great Expectations cannot compile it: .*StringType"):
        compile_rules(spark, suite, spark.createDataFrame([], ROWS).schema)


@pytest.mark.spark
def test_a_warning_is_named_and_lets_the_row_pass(spark, tmp_path):
    rows = spark.createDataFrame(MIXED[:4], ROWS)
    suite = write_suite(tmp_path, [gxe.ExpectColumnValuesToNotBeNull(column="a")], severity="warn")
    rules = compile_rules(spark, suite, rows.schema)

    judged = rows.select(
        rules.broken_rules().alias("broken"), rules.warnings().alias("warned"), rules.is_valid
    ).collect()

    assert [tuple(row) for row in judged] == [([], w, True) for w in ([], [], ["rule_0"], ["rule_0"])]


@pytest.mark.spark
def test_the_rules_parse_no_record_again(spark, capsys):
    """Spark moves filters below projections, and with them copies of whatever the filter mentions."""
    events = parse_records(kafka_records(spark, [a_value()]))
    rules = compile_rules(spark, SUITE, events.schema)

    events.where(rules.is_valid).where("event_type = 'click'").select("user", "item_id").explain()

    assert capsys.readouterr().out.count("from_json(") == 1


@pytest.mark.spark
def test_the_generated_code_of_the_rules_is_small_enough_for_java_to_compile(spark, capsys):
    events = parse_records(kafka_records(spark, [a_value()]))
    rules = compile_rules(spark, SUITE, events.schema)

    events.where(rules.is_valid).select("user", "item_id", "event_time").explain("codegen")

    sizes = [int(size) for size in re.findall(r"maxMethodCodeSize:(\d+)", capsys.readouterr().out)]
    assert sizes and max(sizes) < 8_000  # bytes; HotSpot interprets larger methods for ever
