"""The pages: complete without a network, bounded in number, and with the differences first in sight."""

import html.parser
import json
from datetime import datetime, timedelta, timezone

import great_expectations.expectations as gxe
import pandas as pd
import pytest

from pipelines.audit.pages import audit_page
from pipelines.audit.results import AuditResult, RuleResult, compared
from pipelines.audit.site import DataDocs
from pipelines.audit.validation import validate
from pipelines.events.suite import Rule

AS_OF = datetime(2024, 6, 1, 12, 0, tzinfo=timezone.utc)
ROWS = pd.DataFrame({"text": ["a", None, "<script>"], "n": [1, 2, 98765]}, dtype=object)
EXPECTATIONS = {
    "present": gxe.ExpectColumnValuesToNotBeNull(column="text", meta={"name": "present"}),
    "small": gxe.ExpectColumnValuesToBeBetween(column="n", max_value=2, meta={"name": "small"}),
    "many": gxe.ExpectTableRowCountToBeBetween(min_value=5, meta={"name": "many"}),
}
SEVERITIES = {"present": "quarantine", "small": "warn", "many": "alert"}
RULES = [Rule(name, SEVERITIES[name], "It is <b>needed</b>.", EXPECTATIONS[name]) for name in EXPECTATIONS]


def an_audit(as_of=AS_OF, differs=False, kind="sample"):
    outcomes, reports = validate(ROWS, RULES, "s")
    rules = (*compared(outcomes[:2], {"present": 1, "small": 0 if differs else 1}), RuleResult(outcomes[2]))
    return AuditResult(kind, "pandas", "three rows", "r1", as_of, 3, rules, tuple(reports))


class Loaded(html.parser.HTMLParser):
    """What a page would load or run, and where it leads."""

    def __init__(self, text):
        super().__init__()
        self.loads, self.links, self.scripts = [], [], 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.scripts += tag == "script" or any(name.startswith("on") for name in values)
        self.loads += [value for name, value in values.items() if name in ("src", "srcset", "data", "poster")]
        if tag == "link":
            self.loads.append(values.get("href"))
        elif "href" in values:
            self.links.append(values["href"])


def test_a_page_loads_nothing_and_runs_no_script():
    page = audit_page(an_audit())

    loaded = Loaded(page)

    assert (loaded.loads, loaded.scripts) == ([], 0)
    assert loaded.links == ["../index.html"]
    assert "http://" not in page and "https://" not in page and "@import" not in page and "url(" not in page
    assert "default-src 'none'" in page


def test_a_page_has_both_counts_the_reasons_and_the_report_of_gx():
    page = audit_page(an_audit(differs=True))

    assert "differs" in page and "three rows" in page
    assert "It is &lt;b&gt;needed&lt;/b&gt;." in page
    assert "Must have greater than or equal to" in page  # GX's own words
    assert "script>" not in page and "98765" not in page  # no value of a row


def test_an_audit_is_listed_and_written_again_stays_one(tmp_path):
    docs = DataDocs(tmp_path)

    pages = [
        docs.write(audit) for audit in (an_audit(), an_audit(), an_audit(AS_OF + timedelta(minutes=1), kind="hours"))
    ]

    links = Loaded((tmp_path / "index.html").read_text()).links
    assert links == [f"audits/{page.name}" for page in (pages[2], pages[0])]
    assert all((tmp_path / link).is_file() for link in links)


def test_only_the_newest_of_each_kind_and_verdict_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.audit.site.audit_page", lambda result: "a page")
    docs = DataDocs(tmp_path, kept=3)

    docs.write(an_audit(differs=True))
    for n in range(1, 6):
        docs.write(an_audit(AS_OF + timedelta(minutes=n)))

    kept = sorted(path.name[:15] for path in (tmp_path / "audits").glob("*.html"))
    assert kept == ["20240601T120000", "20240601T120300", "20240601T120400", "20240601T120500"]
    assert len(list((tmp_path / "audits").glob("*.json"))) == 4
    assert sorted(path.name for path in tmp_path.rglob(".*")) == []


def test_a_summary_is_there_for_machines(tmp_path):
    page = DataDocs(tmp_path).write(an_audit(differs=True))

    assert json.loads(page.with_suffix(".json").read_text())["verdict"] == "differs"


@pytest.mark.parametrize(("mostly", "verdict"), [(0.5, "equal"), (0.9, "warning"), (1.0, "equal")])
def test_mostly_says_when_many_broken_rows_are_a_warning(mostly, verdict):
    expectation = gxe.ExpectColumnValuesToNotBeNull(column="text", mostly=mostly, meta={"name": "present"})

    outcomes, _ = validate(ROWS, [Rule("present", "quarantine", "A test.", expectation)], "s")

    assert compared(outcomes, {"present": 1})[0].verdict == verdict


@pytest.mark.parametrize(
    ("n_compiled", "is_alert", "verdict"),
    [(1, False, "warning"), (1, True, "alert"), (0, True, "differs")],
)
def test_the_verdict_is_the_worst_that_was_found(n_compiled, is_alert, verdict):
    outcomes, _ = validate(ROWS, RULES, "s")
    many = outcomes[2] if is_alert else type(outcomes[2])(Rule("many", "warn", "", None), is_success=False)

    rules = (*compared(outcomes[:1], {"present": n_compiled}), RuleResult(many))

    assert AuditResult("sample", "pandas", "", "r", AS_OF, 3, rules).verdict == verdict
