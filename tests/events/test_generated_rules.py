"""A property: whatever the rows, the arguments and the row condition, the compiled verdict is that of Great Expectations."""

import random

import great_expectations.expectations as gxe
import pytest
from great_expectations.expectations.row_conditions import Column

from pipelines.events.compiler import COMPILABLE
from pipelines.events.rules import compile_rules
from tests.events.differential import by_compiled, by_gx, write_suite
from tests.events.kinds import ROWS

N_ROWS, RULES_PER_KIND = 300, 2
INTS = [None, None, -1, 0, 1, 2, 3, 5]
TEXTS = [None, "", " ", "x1", "X1", "x1\n", " x1", "x", "é", "e", "1", "long text", "x1\u2028", "%", "nan"]
PRICES = [None, float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 1.0, 9.99, 10.0, 1e300, -5.5]
REGEXES = [r"\Ax\d(?![\s\S])", "^x", "1$", "[éX]", "", r"\s", ".{3,}"]
IGNORED_PAIRS = ["both_values_are_missing", "either_value_is_missing", "neither"]
IGNORED_ROWS = ["all_values_are_missing", "any_value_is_missing", "never"]


def some_rows(chance):
    pools = (INTS, INTS, INTS, TEXTS, TEXTS, PRICES)
    return [(n, *(chance.choice(pool) for pool in pools)) for n in range(N_ROWS)]


def a_condition(chance):
    return chance.choice(
        [None, None, Column("b") >= chance.choice([0, 1, 2]), Column("text").is_in(chance.sample(TEXTS[1:], 3)),
         Column("a").is_null(), Column("price").is_not_null(), (Column("a") == 1) | (Column("c") > 1)]
    )  # fmt: skip


def an_interval(chance, pool):
    low, high = sorted(chance.sample(pool, 2))
    bounds = chance.choice([{"min_value": low}, {"max_value": high}, {"min_value": low, "max_value": high}])
    return bounds | {f"strict_{name[:3]}": chance.random() < 0.5 for name in bounds}


def an_expectation(kind, chance):
    number, text = {"column": chance.choice("abc")}, {"column": "text"}
    pair = {"column_A": "a", "column_B": "b", "ignore_row_if": chance.choice(IGNORED_PAIRS)}
    several = {"column_list": ["a", "b", "c"], "ignore_row_if": chance.choice(IGNORED_ROWS)}
    regexes = chance.sample(REGEXES, 2)
    arguments = {
        "expect_column_values_to_not_be_null": number,
        "expect_column_values_to_be_null": number,
        "expect_column_values_to_be_in_set": text | {"value_set": chance.sample(TEXTS[1:], 3)},
        "expect_column_values_to_not_be_in_set": number | {"value_set": chance.sample([-1, 0, 1, 2], 2)},
        "expect_column_values_to_be_between": {"column": "price"} | an_interval(chance, [-1.0, 0.0, 1.0, 10.0]),
        "expect_column_values_to_match_regex": text | {"regex": regexes[0]},
        "expect_column_values_to_not_match_regex": text | {"regex": regexes[0]},
        "expect_column_values_to_match_regex_list": text
        | {"regex_list": regexes, "match_on": chance.choice(["any", "all"])},
        "expect_column_values_to_not_match_regex_list": text | {"regex_list": regexes},
        "expect_column_value_lengths_to_be_between": text | {"min_value": 1, "max_value": chance.choice([1, 2, 3])},
        "expect_column_value_lengths_to_equal": text | {"value": chance.choice([0, 1, 2])},
        "expect_column_pair_values_to_be_equal": pair | {"column_A": "text", "column_B": "other"},
        "expect_column_pair_values_a_to_be_greater_than_b": pair | {"or_equal": chance.random() < 0.5},
        "expect_multicolumn_sum_to_equal": several | {"sum_total": chance.choice([2, 3, 4])},
        "expect_multicolumn_values_to_be_equal": several,
        "expect_select_column_values_to_be_unique_within_record": several,
    }[kind]
    classes = {getattr(gxe, name).__name__: getattr(gxe, name) for name in dir(gxe) if name.startswith("Expect")}
    of_kind = next(c for c in classes.values() if getattr(c, "expectation_type", "") == kind)
    return of_kind(**arguments, row_condition=a_condition(chance), mostly=chance.choice([1.0, 0.9, 0.0]))


@pytest.mark.spark
@pytest.mark.parametrize("seed", range(3))
def test_generated_rules_give_the_rows_of_gx_on_generated_rows(spark, tmp_path, seed):
    chance = random.Random(seed)
    rows = spark.createDataFrame(some_rows(chance), ROWS).cache()
    expectations = [an_expectation(kind, chance) for kind in sorted(COMPILABLE) for _ in range(RULES_PER_KIND)]
    rules = compile_rules(spark, write_suite(tmp_path, expectations), rows.schema)

    compiled, expected = by_compiled(rows, rules), by_gx(rows, [rule.expectation for rule in rules.rules])

    described = {rule.name: (rule.kind, rule.arguments) for rule in rules.rules}
    assert {name: described[name] for name in compiled if compiled[name] != expected[name]} == {}
    assert sum(0 < len(ids) < N_ROWS for ids in compiled.values()) > len(COMPILABLE)  # else it proves little
    rows.unpersist()
