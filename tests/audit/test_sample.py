"""Great Expectations on pandas counts what the compiled rules count, and a wrong verdict is found."""

from collections import Counter

import great_expectations.expectations as gxe
import pytest
from great_expectations.expectations.row_conditions import Column
from pyspark.sql import functions as F

from pipelines.audit.comparison import audit_sample
from pipelines.audit.sampling import MAX_SAMPLED_BYTES, take_sample, to_pandas
from pipelines.audit.validation import validate, why_not_on_pandas
from pipelines.events.rules import compile_rules
from pipelines.events.suite import Rule
from pipelines.schemas import Contract
from tests.audit.builders import AS_OF, judged
from tests.events.builders import SUITE, a_value
from tests.events.kinds import KINDS, MIXED, ROWS
from tests.events.test_dirty_records import CASES, of_size

pytestmark = pytest.mark.spark

SAME_ON_PANDAS_ONLY_WITHOUT_NULLS = [
    gxe.ExpectColumnValuesToBeNull(column="id", row_condition=Column("b") != 2),
    gxe.ExpectColumnValuesToBeNull(column="id", row_condition=(Column("b") > 1) | (Column("c") != 1)),
    gxe.ExpectColumnValuesToBeNull(column="id", row_condition=Column("text").is_not_in(["x1"])),
    gxe.ExpectColumnValuesToBeNull(column="id", row_condition="b = 1 OR text IS NULL", condition_parser="spark"),
    gxe.ExpectColumnPairValuesToBeEqual(column_A="text", column_B="other", ignore_row_if="neither"),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(column_A="a", column_B="b"),
    gxe.ExpectMulticolumnSumToEqual(column_list=["a", "b"], sum_total=3, ignore_row_if="never"),
]
MORE_KINDS = [
    gxe.ExpectColumnValuesToBeNull(column="id", row_condition=Column("flag") == True),  # noqa: E712  GX's form
    gxe.ExpectColumnValuesToBeNull(column="id", row_condition=Column("c").is_null()),
    gxe.ExpectColumnValuesToBeNull(column="id", row_condition=(Column("b") > 1) & Column("big").is_not_null()),
    gxe.ExpectColumnValuesToBeInSet(column="flag", value_set=[True]),
    gxe.ExpectColumnValuesToNotBeNull(column="flag"),
    gxe.ExpectColumnValuesToNotBeNull(column="at"),
    gxe.ExpectColumnValuesToNotBeNull(column="price"),
    gxe.ExpectColumnValuesToBeBetween(column="big", min_value=2**60 + 3),
    gxe.ExpectColumnValuesToBeInSet(column="big", value_set=[2**60 + 3]),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(column_A="a", column_B="b", ignore_row_if="either_value_is_missing"),
]


@pytest.fixture(scope="module")
def rules(spark):
    return compile_rules(spark, SUITE, Contract().checked)


@pytest.fixture(scope="module")
def dirty(spark, rules):
    rows = judged(spark, rules, [value for value, _ in CASES.values()]).cache()
    yield rows
    rows.unpersist()


def audit(sample, rules):
    return audit_sample(sample, rules.rules, ruleset=rules.ruleset, scope="a test", as_of=AS_OF)


def named(expectations):
    for n, expectation in enumerate(expectations):
        expectation.meta = {"name": f"rule_{n}"}
    return [Rule(f"rule_{n}", "warn", "a test", expectation) for n, expectation in enumerate(expectations)]


def test_both_count_the_same_on_every_kind_of_dirt(dirty, rules):
    result = audit(to_pandas(dirty), rules)

    assert result.n_rows == len(CASES)
    assert {r.outcome.rule.name: r.verdict for r in result.rules} == {rule.name: "equal" for rule in rules.rules}
    broken = Counter(name for _, names in CASES.values() for name in names.split())
    assert {r.outcome.rule.name: r.n_compiled for r in result.rules if r.outcome.rule.name in broken} == broken
    assert result.verdict == "well"


@pytest.mark.parametrize(
    ("change", "n_gx", "n_compiled"),
    [
        pytest.param("array_append(rules, 'price_in_range')", 0, 1, id="a-verdict-that-is-none"),
        pytest.param("array_remove(rules, 'user_present')", 1, 0, id="a-verdict-that-is-missing"),
    ],
)
def test_a_wrong_verdict_of_the_compiled_rules_is_found(spark, rules, change, n_gx, n_compiled):
    rows = judged(spark, rules, [a_value(user_id=..., anonymous_id=...)]).withColumn("rules", F.expr(change))

    result = audit(to_pandas(rows), rules)

    (differing,) = result.differing
    assert (differing.outcome.n_unexpected, differing.n_compiled) == (n_gx, n_compiled)
    assert result.verdict == "differs"


def both_engines(spark, expectations):
    extra = [(i % 3 == 0 or None, AS_OF if i % 4 else None, 2**60 + i if i % 5 else None) for i in range(len(MIXED))]
    schema = f"{ROWS}, flag boolean, at timestamp, big bigint"
    rows = spark.createDataFrame([(*row, *more) for row, more in zip(MIXED, extra, strict=True)], schema)
    on_spark, _ = validate(rows, named(expectations), "s")
    on_pandas, _ = validate(to_pandas(rows), named(expectations), "s")
    return on_spark, on_pandas


def test_both_engines_count_the_same_for_each_kind_or_the_rule_is_left_out_by_name(spark):
    on_spark, on_pandas = both_engines(spark, [*KINDS, *MORE_KINDS])

    audited = [(s, p) for s, p in zip(on_spark, on_pandas, strict=True) if not p.not_audited]
    assert [s for s, _ in audited] == [p for _, p in audited]
    assert {p.rule.kind: p.not_audited for p in on_pandas if p.not_audited and "SQL" not in p.not_audited} == {
        kind: why_not_on_pandas(rule)
        for rule in named(KINDS)
        for kind in [rule.kind]
        if kind in ("expect_column_pair_values_a_to_be_greater_than_b", "expect_column_pair_values_to_be_equal")
        and why_not_on_pandas(rule)
    }
    assert len(audited) >= len(KINDS) + len(MORE_KINDS) - 3


def test_where_the_engines_of_gx_differ_the_rule_is_not_audited_on_pandas(spark):
    on_spark, on_pandas = both_engines(spark, SAME_ON_PANDAS_ONLY_WITHOUT_NULLS)

    assert all(outcome.n_unexpected for outcome in on_spark)
    assert all(outcome.not_audited and "failed" not in outcome.not_audited for outcome in on_pandas)


def test_a_rule_that_gx_fails_at_is_not_called_equal(spark):
    rules = named([gxe.ExpectColumnValuesToBeBetween(column="text", min_value=0), KINDS[0]])

    outcomes, _ = validate(to_pandas(spark.createDataFrame(MIXED, ROWS)), rules, "s")

    assert "Great Expectations failed" in outcomes[0].not_audited and outcomes[0].is_success is None
    assert outcomes[1].n_unexpected == 2


def test_missing_values_are_none_and_numbers_keep_their_kind(spark):
    rows = spark.createDataFrame(
        [(2**60 + 1, True, float("nan"), AS_OF), (None,) * 4], "big bigint, flag boolean, price double, at timestamp"
    )

    first, second = to_pandas(rows).to_dict("records")

    assert (first["big"], first["flag"], first["price"]) == (2**60 + 1, True, float("inf"))
    assert (type(first["big"]), type(first["flag"])) == (int, bool)
    assert first["at"].to_pydatetime() == AS_OF.replace(tzinfo=None)
    assert list(second.values()) == [None] * 4


def test_the_sample_is_bounded_even_and_the_same_every_time(spark, rules):
    rows = judged(spark, rules, [b"{"] * 1000).cache()

    first, again = (take_sample(rows.repartition(n), 100) for n in (1, 7))

    assert len(first) == 100 and list(first["offset"]) == list(again["offset"])
    assert 25 <= sum(offset < 500 for offset in first["offset"]) <= 75
    assert len(take_sample(rows, 5000)) == 1000
    rows.unpersist()


def test_a_large_parsed_record_stays_out_of_the_sample_and_an_unparsed_one_does_not(spark, rules):
    values = [of_size(MAX_SAMPLED_BYTES), of_size(MAX_SAMPLED_BYTES + 1), b"x" * (MAX_SAMPLED_BYTES + 1), None]

    assert sorted(take_sample(judged(spark, rules, values), 10)["offset"]) == [0, 2, 3]
