"""Every kind of expectation that the compiler claims, with its options; and the page that says so, made from this.

python -m tests.events.kinds        writes the generated parts of docs/expectations.md anew
"""

import re
from pathlib import Path

import great_expectations.expectations as gxe
from great_expectations.expectations.row_conditions import Column

from pipelines.events.suite import load_suite
from tests.events.builders import SUITE

PAGE = Path(__file__).parents[2] / "docs/expectations.md"
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
_NOT_OPTIONS = {"column", "column_A", "column_B", "column_list", "condition_parser"}
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
    gxe.ExpectColumnValuesToMatchRegexList(column="text", regex_list=["^x", "1"], match_on="all"),
    gxe.ExpectColumnValuesToMatchRegexList(column="text", regex_list=["^x", "é"], match_on="any"),
    gxe.ExpectColumnValuesToNotMatchRegexList(column="text", regex_list=["^X", "é"]),
    gxe.ExpectColumnValueLengthsToBeBetween(column="text", min_value=1, max_value=2),
    gxe.ExpectColumnValueLengthsToEqual(column="text", value=2),
    gxe.ExpectColumnPairValuesToBeEqual(column_A="text", column_B="other", ignore_row_if="both_values_are_missing"),
    gxe.ExpectColumnPairValuesToBeEqual(column_A="text", column_B="other", ignore_row_if="either_value_is_missing"),
    gxe.ExpectColumnPairValuesToBeEqual(column_A="text", column_B="other", ignore_row_if="neither"),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(column_A="a", column_B="b", or_equal=True),
    gxe.ExpectMulticolumnValuesToBeEqual(column_list=["a", "b", "c"]),
    gxe.ExpectMulticolumnSumToEqual(column_list=["a", "b"], sum_total=3, ignore_row_if="any_value_is_missing"),
    gxe.ExpectSelectColumnValuesToBeUniqueWithinRecord(column_list=["a", "b", "c"]),
    gxe.ExpectSelectColumnValuesToBeUniqueWithinRecord(column_list=["a", "b"], row_condition=Column("c") > 1),
]


def table_of_kinds() -> str:
    """One line per claimed kind: what the differential test runs of it."""
    lines = ["| expectation | tested with |", "|---|---|"]
    for kind in sorted({expectation.expectation_type for expectation in KINDS}):
        of_it = [expectation for expectation in KINDS if expectation.expectation_type == kind]
        options = {name for expectation in of_it for name in expectation.configuration.kwargs} - _NOT_OPTIONS
        lines.append(f"| `{kind}` | {', '.join(f'`{name}`' for name in sorted(options)) or 'no options'} |")
    return "\n".join(lines)


def table_of_rules() -> str:
    """One line per rule of the suite."""
    lines = ["| rule | severity | why |", "|---|---|---|"]
    lines += [f"| `{rule.name}` | {rule.severity} | {rule.because} |" for rule in load_suite(SUITE)]
    return "\n".join(lines)


def with_generated_parts(page: str) -> str:
    """The page with what stands between its marks made anew."""
    for name, text in (("kinds", table_of_kinds()), ("rules", table_of_rules())):
        marked = rf"(<!-- {name}: generated -->\n).*?(<!-- /{name} -->)"
        page = re.sub(marked, lambda found, text=text: f"{found[1]}{text}\n{found[2]}", page, flags=re.DOTALL)
    return page


if __name__ == "__main__":
    PAGE.write_text(with_generated_parts(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
