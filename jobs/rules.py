"""The rules that judge every event: list them, explain one, try them on a log.

\b
    liveshelf rules list                                    what there is, and why
    liveshelf rules explain price_in_range                  one rule in words
    liveshelf rules check --suite changed.json              does it compile?
    liveshelf rules try events.jsonl --format jsonl         what would become of these lines?

\b
Reads   conf/expectations/clickstream.json, or the file of --suite
Writes  nothing
"""

import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click
from pyspark.sql import DataFrame, SparkSession

from jobs._options import config_option
from jobs._progress import SendingProgress
from jobs._rule_names import check_rule_name
from jobs._rule_texts import as_json, print_dry_run, print_rule, print_rules
from jobs._spark import job_session
from pipelines.config import Config
from pipelines.events.logs import FORMATS, log_format
from pipelines.events.parse import parse_records
from pipelines.events.rules import CompiledRules, classify, compile_rules
from pipelines.events.suite import load_suite, ruleset_id
from pipelines.local.dry_run import dry_run
from pipelines.schemas import Contract
from pipelines.sources.log_files import LogLines

JOB = "rules"


@click.group(help=__doc__)
def main() -> None:
    pass


def suite_option(function: Callable[..., Any]) -> Callable[..., Any]:
    option = click.option(
        "--suite",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Another suite than that of the configuration (validation.suite).",
    )
    decorated: Callable[..., Any] = option(function)
    return decorated


@main.command("list")
@config_option
@suite_option
def list_rules(config: Config, suite: Path | None) -> None:
    """Name, severity, kind, columns and reason of every rule."""
    rules = load_suite(suite or config.validation.suite)
    of_one_row, _ = classify(rules)
    print_rules(rules, ruleset_id(of_one_row))


@main.command("explain")
@click.argument("name")
@config_option
@suite_option
@click.option("--compiled", "with_condition", is_flag=True, help="The Spark condition too; starts Spark.")
def explain_rule(config: Config, suite: Path | None, name: str, with_condition: bool) -> None:
    """All of the rule NAME: what must hold, why, and what becomes of a record that breaks it."""
    path = suite or config.validation.suite
    rules = {rule.name: rule for rule in load_suite(path)}
    check_rule_name(name, rules)
    print_rule(rules[name], _condition(config, path, name) if with_condition else None)


@main.command("check")
@config_option
@suite_option
def check_rules(config: Config, suite: Path | None) -> None:
    """Compile the suite as the streams do at their start; a rule that cannot be used is named."""
    path = suite or config.validation.suite
    rules = _compiled(config, path)
    batch = f" and {len(rules.batch_rules)} for the audit" if rules.batch_rules else ""
    click.echo(f"{path}: {len(rules.rules)} rules for the stream{batch}, ruleset {rules.ruleset}")


@main.command("try")
@click.argument("file", type=click.Path(path_type=Path))
@config_option
@suite_option
@click.option("--format", "format_name", required=True, help=f"What the log is: {', '.join(FORMATS)}.")
@click.option("--limit", type=click.IntRange(min=1), default=100_000, show_default=True, help="So many lines at most.")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object instead of tables.")
def try_rules(config: Config, suite: Path | None, file: Path, format_name: str, limit: int, is_json: bool) -> None:
    """Judge the lines of FILE as if they were sent now. Nothing is sent or written.

    FILE is a log, plain or gzip, or a folder of them.
    """
    log = log_format(format_name)
    lines = LogLines(file, log.header)
    spark = _quiet_session()
    rules = compile_rules(spark, suite or config.validation.suite, config.events.contract.checked)
    with SendingProgress(f"try {file.name}", lines.total_bytes, done="judged") as bar:
        result = dry_run(
            spark, lines, log, _judge(rules, config.events.contract), datetime.now(timezone.utc), limit=limit,
            on_judged=lambda n_lines: bar.show(n_lines, lines.bytes_read),
        )  # fmt: skip
        bar.finish(result.n_lines, lines.bytes_read)
    if is_json:
        click.echo(as_json(result))
    else:
        print_dry_run(result)


def _judge(rules: CompiledRules, contract: Contract) -> Callable[[DataFrame], DataFrame]:
    columns = {"rules": rules.broken_rules(), "warnings": rules.warnings()}
    return lambda records: parse_records(records, contract).withColumns(columns)


def _condition(config: Config, path: Path, name: str) -> str:
    """As Spark would write it in SQL, which is how it names a column that has no name."""
    compiled = _compiled(config, path)
    columns = {rule.name: column for rule, column in zip(compiled.rules, compiled.columns, strict=True)}
    if name not in columns:
        return "not: it is about many rows"
    nothing = job_session(JOB).createDataFrame([], config.events.contract.checked)
    return str(nothing.select(columns[name]).columns[0])


def _compiled(config: Config, suite: Path) -> CompiledRules:
    load_suite(suite)  # what can be refused without Spark is refused before it starts
    return compile_rules(job_session(JOB), suite, config.events.contract.checked)


def _quiet_session() -> SparkSession:
    spark = job_session(JOB)
    spark.sparkContext.setLogLevel("ERROR")  # it would warn of the size of each chunk
    return spark


if __name__ == "__main__":
    sys.exit(main())
