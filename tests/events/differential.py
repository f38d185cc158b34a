"""The same rules judged twice: by Great Expectations, and by the columns compiled from it."""

import json

import great_expectations as gx
from great_expectations.core import ExpectationSuite
from pyspark.sql import functions as F


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
    named = F.concat(rules.broken_rules(), rules.warnings()).alias("rules")
    judged = rows.select("id", named).collect()
    return {rule.name: {row.id for row in judged if rule.name in row.rules} for rule in rules.rules}
