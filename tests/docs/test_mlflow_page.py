"""docs/mlflow.md: what it says of versions is so, and what it shows runs."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.sections import TrackingConfig
from pipelines.tracking.promotion import promote
from pipelines.tracking.registry import Registry
from tests.tracking.builders import Facts

PAGE = (Path(__file__).parents[2] / "docs/mlflow.md").read_text(encoding="utf-8")


def test_the_tags_of_a_version_are_explained():
    table = PAGE.split("| tag | meaning |")[1].split("\n\n")[0]

    assert set(re.findall(r"^\| `(\w+)`", table, re.M)) == set(replace(Facts().origin, parent=1).tags(b""))


@pytest.mark.parametrize("key", ["snapshot_minutes", "champion_poll_seconds", "kept_online_versions"])
def test_the_defaults_are_those_of_the_configuration(key):
    assert f"`tracking.{key}` ({getattr(TrackingConfig(), key):g})" in PAGE


@pytest.mark.slow
def test_the_model_is_used_as_it_is_shown(tmp_path, monkeypatch, capsys):
    registry = Registry.open(TrackingConfig(root=tmp_path))
    facts = Facts()
    promote(registry, registry.add(facts.config, facts.data, facts.origin))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", registry.tracking.uri)
    (shown,) = re.findall(r"```python\n(.+?)```", PAGE, re.S)

    exec(shown, {})

    assert re.fullmatch(r"\['i\d', 'i\d', 'i\d'\] \[-?\d.*\]\n", capsys.readouterr().out)
