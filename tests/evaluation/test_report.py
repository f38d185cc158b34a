"""The page about an evaluation: what it says when there is little to say, and that a name is text and no mark-up."""

from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from pipelines.evaluation.figures import Figure
from pipelines.evaluation.gate import Decision, Guard
from pipelines.evaluation.intervals import Interval
from pipelines.evaluation.plots import Moment, intervals, over_time, svg
from pipelines.evaluation.report import JudgedVersion, Told, page
from pipelines.evaluation.rows import Window, gate_rows, holdout_rows, served_rows
from pipelines.evaluation.served import ServedFigure
from pipelines.evaluation_schemas import EVALUATIONS

AS_OF = datetime(2026, 11, 1, 6, tzinfo=timezone.utc)
WINDOW = Window(AS_OF - timedelta(days=7), AS_OF, 10)
FIGURES = [
    Figure("model", "all", "ndcg", 0.4, 0.3, 0.5, 500, 90),
    Figure("model", "all", "hit_rate", 0.62, 0.6, 0.7, 500, 90),
    Figure("popularity", "all", "hit_rate", 0.31, 0.3, 0.4, 500, 90),
    Figure("model", "all", "coverage", 0.25, None, None, 500, 90),
    Figure("model", "device:<b>tv</b>", "ndcg", 0.2, 0.1, 0.3, 40, 9),
]
SERVED = [ServedFigure(None, Figure("personal", "all", "click_through", 0.05, 0.04, 0.06, 2_000, 300))]
KEPT = Decision(
    "keep", "not better", 7, 8, Interval(-0.1, -0.2, -0.05), (Guard("coverage", 0.5, 0.2, 0.1, 500),), 500, 90
)


def a_version(**values):
    about = {"number": 7, "role": "champion", "judged_from": WINDOW.since, "not_judged": "", "n_choices": 1_500}
    return JudgedVersion(**{**about, **values})


def told(*versions, **values):
    return Told(WINDOW, versions, **{"served": [], "history": [], "alerts": [], **values})


def test_it_says_in_a_sentence_what_the_lists_are_worth():
    unjudged = a_version(number=8, role="challenger", not_judged="it has seen <all>")
    everything = told(
        a_version(figures=FIGURES), unjudged, served=SERVED, decision=KEPT, alerts=["relevance has fallen"]
    )

    made = page(everything)

    assert "Of the lists of 10 that the champion 7 would have shown, 62% hold something" in made
    assert "most popular items: 31%" in made and "not judged, for it has seen &lt;all&gt;" in made
    assert "on &lt;b&gt;tv&lt;/b&gt;" in made and "<b>tv" not in made
    assert "<b>0.400</b>" in made and "[0.300, 0.500]" in made and "<b>0.250</b>" in made and "<b>5.00%</b>" in made
    assert 'class="mark alert">alert' in made and '<p class="card bad">relevance has fallen</p>' in made
    assert "worse by 60.0%, 10.0% worse is tolerated" in made and 'class="broken"' in made
    assert "1,500 choices of 90 users" in made and made == page(everything)


def test_without_a_version_and_lists_it_says_what_is_missing():
    made = page(told())

    assert "No version of the model yet." in made and "No impression in these days carries the id of a list" in made
    assert 'class="mark well">well' in made and "<img" not in made and "<table" not in made


def a_comparison():
    return intervals("a title", {"all": {"a": Interval(0.2, 0.1, 0.3), "b": Interval(0.1, 0.0, 0.2)}}, "NDCG")


def a_history():
    return over_time("a title", {"champion": [Moment(AS_OF, Interval(0.2, 0.1, 0.3))]}, "NDCG")


@pytest.mark.parametrize("plot", [a_comparison, a_history])
def test_a_plot_is_the_same_bytes_every_time(plot):
    assert svg(plot()).startswith(b"<?xml") and svg(plot()) == svg(plot()) and b"<dc:date>" not in svg(plot())


def test_marks_and_bars_are_drawn_where_the_intervals_are():
    (axes,) = intervals("t", {"all": {"a": Interval(0.2, 0.1, 0.3)}, "few": {"a": Interval(0.5, 0.4, 0.9)}}, "x").axes
    (bars,) = axes.containers

    assert bars.lines[0].get_xdata().tolist() == [0.2, 0.5]
    ends = [segment[:, 0].tolist() for segment in bars.lines[2][0].get_segments()]
    np.testing.assert_allclose(ends, [[0.1, 0.3], [0.4, 0.9]])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["all", "few"]


def test_rows_have_every_column_and_one_id_for_each_evaluation():
    holdout, other = (holdout_rows(WINDOW, number, "champion", FIGURES) for number in (7, 8))
    served, gate = served_rows(WINDOW, SERVED), gate_rows(WINDOW, KEPT, "ndcg")

    rows = [*holdout, *other, *served, *gate]
    assert all(row.keys() == set(EVALUATIONS.names) for row in rows)
    assert len({row["evaluation_id"] for row in rows}) == 4 and len({row["evaluation_id"] for row in holdout}) == 1
    again = holdout_rows(Window(WINDOW.since, AS_OF, 10), 7, "version", FIGURES)
    assert again[0]["evaluation_id"] == holdout[0]["evaluation_id"]
    of_five = holdout_rows(Window(WINDOW.since, AS_OF, 5), 7, "champion", FIGURES)
    assert of_five[0]["evaluation_id"] != holdout[0]["evaluation_id"]
    assert [row["k"] for row in holdout] == [10] * 5 and served[0]["k"] is None
    assert gate[0]["note"] == "keep: not better" and (gate[0]["low"], gate[0]["n"]) == (-0.2, 500)
    assert gate_rows(WINDOW, Decision("no challenger", "none", 7), "ndcg") == []
