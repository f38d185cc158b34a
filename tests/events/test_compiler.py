"""What is compiled is what Great Expectations itself reports, row by row, for every kind that the compiler claims."""

import json
import re

import great_expectations as gx
import great_expectations.expectations as gxe
import pytest
from great_expectations.core import ExpectationSuite
from great_expectations.expectations.row_conditions import Column
from pyspark.sql import functions as F

from pipelines.errors import RuleError
from pipelines.events.compiler import COMPILABLE
from pipelines.events.parse import parse_records
from pipelines.events.rules import compile_rules
from pipelines.events.suite import load_suite
from tests.events.builders import SUITE, a_value, kafka_records
from tests.events.test_dirty_records import CASES

ROWS = "id int, a int, b int, c int, text string, other string, price double"
NAN, INF = float("nan"), float("inf")
MIXED = [
    (0, 1, 1, 1, "x1", "x1", 1.0),
    (1, 1, 2, 3, "X1", "x1", 0.0),
    (2, None, 2, 3, None, "x1", -0.0),
    (3, None, None, None, None, None, None),
    (4, 2, 1, None, "x1\n", "x1", NAN),
    (5, 3, 3, 4, "", "", INF),
    (6, 5, 0, 1, "long text", "x", -INF),
    (7, 0, 5, 1, "é", "e", 1e300),
]
_X = r"\Ax\d(?![\s\S])"
KINDS = [
    gxe.ExpectColumnValuesToNotBeNull(column="a"),
    gxe.ExpectColumnValuesToNotBeNull(column="a", row_condition=Column("b") == 2),
    gxe.ExpectColumnValuesToNotBeNull(column="text", row_condition="b >= 1", condition_parser="spark"),
    gxe.ExpectColumnValuesToBeNull(column="a"),
    gxe.ExpectColumnValuesToBeInSet(column="text", value_set=["x1", ""]),
    gxe.ExpectColumnValuesToBeInSet(column="a", value_set=[1], row_condition=Column("text").is_in(["x1", ""])),
    gxe.ExpectColumnValuesToNotBeInSet(column="text", value_set=["x1"]),
    gxe.ExpectColumnValuesToBeBetween(column="price", min_value=0, max_value=10),
    gxe.ExpectColumnValuesToBeBetween(column="price", min_value=0, strict_min=True),
    gxe.ExpectColumnValuesToBeBetween(column="a", max_value=2, mostly=0.1),
    gxe.ExpectColumnValuesToMatchRegex(column="text", regex=_X),
    gxe.ExpectColumnValuesToNotMatchRegex(column="text", regex=_X),
    gxe.ExpectColumnValueLengthsToBeBetween(column="text", min_value=1, max_value=2),
    gxe.ExpectColumnValueLengthsToEqual(column="text", value=2),
    gxe.ExpectColumnPairValuesToBeEqual(column_A="text", column_B="other", ignore_row_if="both_values_are_missing"),
    gxe.ExpectColumnPairValuesToBeEqual(column_A="text", column_B="other", ignore_row_if="either_value_is_missing"),
    gxe.ExpectColumnPairValuesToBeEqual(column_A="text", column_B="other", ignore_row_if="neither"),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(column_A="a", column_B="b", or_equal=True),
    gxe.ExpectMulticolumnSumToEqual(column_list=["a", "b"], sum_total=3, ignore_row_if="any_value_is_missing"),
    gxe.ExpectSelectColumnValuesToBeUniqueWithinRecord(column_list=["a", "b", "c"]),
    gxe.ExpectSelectColumnValuesToBeUniqueWithinRecord(column_list=["a", "b"], row_condition=Column("c") > 1),
]


def write_suite(folder, expectations, **meta):
    for n, expectation in enumerate(expectations):
        expectation.meta = {"name": f"rule_{n}", "severity": "quarantine", "because": "a test"} | meta
    path = folder / "suite.json"
    path.write_text(json.dumps(ExpectationSuite(name="s", expectations=expectations).to_json_dict()))
    return path


def by_gx(rows, expectations):
    """Return rule name → ids of the rows that GX calls unexpected."""
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_spark("rows", persist=False)
    batch = (
        source.add_dataframe_asset("rows").add_batch_definition_whole_dataframe("all").get_batch({"dataframe": rows})
    )
    asked = {"result_format": "COMPLETE", "unexpected_index_column_names": ["id"]}
    result = batch.validate(ExpectationSuite(name="s", expectations=expectations), result_format=asked)
    assert not [r.exception_info for r in result.results if r.exception_info.get("raised_exception")]
    return {
        r.expectation_config.meta["name"]: {row["id"] for row in r.result.get("unexpected_index_list") or []}
        for r in result.results
    }


def by_compiled(rows, rules):
    judged = rows.select("id", rules.broken_rules().alias("rules")).collect()
    return {name: {row.id for row in judged if name in row.rules} for name in rules.names}


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
    "refused",
    [
        gxe.ExpectColumnValuesToBeUnique(column="a"),
        gxe.ExpectCompoundColumnsToBeUnique(column_list=["a", "b"]),
        gxe.ExpectColumnValueZScoresToBeLessThan(column="a", threshold=3, double_sided=True),
        gxe.ExpectColumnValuesToMatchStrftimeFormat(column="text", strftime_format="%Y"),
        gxe.ExpectColumnMeanToBeBetween(column="a", min_value=0),
        gxe.ExpectTableRowCountToBeBetween(min_value=1),
    ],
    ids=lambda expectation: expectation.expectation_type,
)
def test_what_cannot_be_judged_row_by_row_is_refused_by_name(spark, tmp_path, refused):
    suite = write_suite(tmp_path, [gxe.ExpectColumnValuesToNotBeNull(column="b"), refused])

    with pytest.raises(RuleError, match=f"'rule_1': {refused.expectation_type} cannot be judged row by row"):
        compile_rules(spark, suite, spark.createDataFrame([], ROWS).schema)


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
