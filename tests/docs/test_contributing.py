"""What CONTRIBUTING.md says about rules is run."""

import difflib
import re
import textwrap
from pathlib import Path

from pipelines.events.rules import classify
from pipelines.events.suite import load_suite
from tests.events.builders import SUITE

PROJECT = Path(__file__).parents[2]
_BLOCK = re.compile(r"## Add a rule\n.*?```python\n(.*?)```", re.DOTALL)


def test_the_snippet_adds_one_rule_and_changes_nothing_else(tmp_path, monkeypatch):
    (block,) = _BLOCK.findall((PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    path = tmp_path / "conf/expectations/clickstream.json"
    path.parent.mkdir(parents=True)
    path.write_text(SUITE.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    exec(textwrap.dedent(block), {})

    *others, new = load_suite(path)
    assert (new.name, new.severity) == ("quantity_usual", "warn") and new in classify([new])[0]
    assert [rule.name for rule in others] == [rule.name for rule in load_suite(SUITE)]
    lines = [each.read_text(encoding="utf-8").splitlines() for each in (SUITE, path)]
    assert not [line for line in difflib.ndiff(*lines) if line.startswith("- ")]
