"""The alert rules, by Prometheus' own tool: each fires when it should, and is silent when it should be."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from pipelines.collecting.metrics import Metrics as CollectorMetrics
from pipelines.serving.metrics import Metrics as ServingMetrics
from tests.docs.metrics import page
from tests.monitoring.alert_cases import CASES, Series
from tests.monitoring.renaming import metrics_of, with_another_name

PROJECT = Path(__file__).parents[2]
RULES = PROJECT / "conf/monitoring/alerts.yml"
ALERTS = {rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}


@pytest.fixture(scope="session")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("NOT TESTED by promtool: it is not installed (apt-get install prometheus)")
    return found


def n_firing(alert: str, series: Series, minute: int, expected: int) -> dict:
    """A unit test of promtool: so many of this alert fire at this minute."""
    firing = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) or vector(0)'
    expectation = {"expr": firing, "eval_time": f"{minute}m", "exp_samples": [{"labels": "{}", "value": expected}]}
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [expectation],
    }


@pytest.mark.slow
def test_every_alert_fires_when_it_should_and_only_then(promtool, tmp_path):
    tests = []
    for alert, case in CASES.items():
        tests += [n_firing(alert, case.fires, case.minute, 1), n_firing(alert, case.silent, case.minute, 0)]
    file = tmp_path / "alerts.test.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))

    ran = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.slow
def test_every_case_in_which_an_alert_fires_fails_when_a_metric_of_it_is_renamed(promtool, tmp_path):
    """Else a rule could ask for what nobody tells, and be silent for ever."""
    renamed = [(alert, metric) for alert, rule in ALERTS.items() for metric in metrics_of(rule["expr"])]
    files = [case_with_another_name(tmp_path, *each) for each in renamed]

    command = [promtool, "test", "rules", *map(str, files)]
    said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout

    assert {alert for alert, _ in renamed} == ALERTS.keys()
    verdicts = dict(re.findall(r"^Unit Testing: +(\S+)\s+(\w+)", said, re.MULTILINE))
    assert verdicts == {str(file): "FAILED" for file in files}, said


def case_with_another_name(folder: Path, alert: str, metric: str) -> Path:
    """A test file of promtool: the rule with the metric renamed, and the figures by which it should fire."""
    expr = with_another_name(ALERTS[alert]["expr"], metric)
    rules, file = folder / f"{alert}.{metric}.yml", folder / f"{alert}.{metric}.test.yml"
    rules.write_text(yaml.safe_dump({"groups": [{"name": "renamed", "rules": [ALERTS[alert] | {"expr": expr}]}]}))
    tests = [n_firing(alert, CASES[alert].fires, CASES[alert].minute, 1)]
    file.write_text(yaml.safe_dump({"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": tests}))
    return file


def test_every_alert_has_its_cases():
    assert CASES.keys() == ALERTS.keys()


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_how_bad_it_is_what_is_wrong_and_what_to_do(alert):
    rule = ALERTS[alert]

    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert re.fullmatch(r"[1-9]\d*[mh]", rule["for"])
    assert rule["annotations"]["summary"]
    page_of, anchor = rule["annotations"]["runbook"].split("#")
    assert anchor in anchors(PROJECT / page_of)


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def known_metrics() -> set[str]:
    services = [metrics().registry for metrics in (CollectorMetrics, ServingMetrics)]
    of_services = {
        name for registry in services for family in registry.collect() for name in (family.name, f"{family.name}_total")
    }
    return {*of_services, *re.findall(r"^\| `(liveshelf_\w+)`", page(), re.MULTILINE)}


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_asks_for_figures_that_there_are(alert):
    asked = set(re.findall(r"liveshelf_\w+", ALERTS[alert]["expr"]))

    assert {name.removesuffix("_bucket") for name in asked} <= known_metrics()
