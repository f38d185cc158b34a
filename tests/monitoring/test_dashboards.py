"""The dashboards are made from what is written down, and ask for figures that there are."""

import json
import re

import pytest

from dashboards.__main__ import BOARDS, FOLDER
from tests.monitoring.renaming import metrics_of, with_another_name
from tests.monitoring.test_alerts import known_metrics

PANELS = [pytest.param(panel, id=f"{name}: {panel.title}") for name, board in BOARDS.items() for panel in board.panels]


@pytest.mark.parametrize("name", BOARDS)
def test_a_file_is_what_is_written_down(name):
    written = (FOLDER / f"{name}.json").read_text(encoding="utf-8")

    assert written == BOARDS[name].to_json(), "run: .venv/bin/python -m dashboards"


def test_there_is_no_other_file():
    assert {path.stem for path in FOLDER.iterdir()} == set(BOARDS)


def unknown(expr: str) -> set[str]:
    """Metrics that it asks for and that nobody tells."""
    return {re.sub(r"_(bucket|count)$", "", metric) for metric in metrics_of(expr)} - known_metrics()


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_asks_for_figures_that_there_are_and_another_name_is_noticed(panel):
    for expr in panel.queries.values():
        assert metrics_of(expr) and not unknown(expr)
        for metric in metrics_of(expr):
            assert unknown(with_another_name(expr, metric)), metric


@pytest.mark.parametrize("name", BOARDS)
def test_every_query_of_a_panel_has_a_name_of_its_own_and_a_title_comes_once(name):
    panels = [panel for panel in json.loads(BOARDS[name].to_json())["panels"] if panel["type"] != "row"]

    assert len({panel["title"] for panel in panels}) == len(panels)
    for panel in panels:
        ref_ids = [target["refId"] for target in panel["targets"]]
        assert len(set(ref_ids)) == len(ref_ids) > 0 and all(ref_ids)
        assert panel["description"]
