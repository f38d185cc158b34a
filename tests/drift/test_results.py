"""What a run says: lines of alerts, rows of the table, what is gone since the last run, and the page."""

from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from pipelines.drift.concept import detect, points_of
from pipelines.drift.histogram import CATEGORY, Histogram, histogram
from pipelines.drift.report import drift_page
from pipelines.drift.results import CONCEPT_NAME, DriftResult, gone
from pipelines.drift.snapshots import with_earlier
from pipelines.drift.verdicts import judge
from pipelines.drift.windows import Windows
from pipelines.drift_schemas import DRIFT
from pipelines.drift_sections import DriftConfig
from tests.drift.builders import categories, drawn

CONFIG = DriftConfig()
AS_OF = datetime(2026, 11, 8, tzinfo=timezone.utc)
WINDOWS = Windows.of(AS_OF, CONFIG)
SHARES = {"mobile": 0.3, "desktop": 0.6, "tablet": 0.1}
NOTHING = detect(points_of([], 0, 50), 0)


def quiet(seed=0, column="device_type"):
    return drawn(np.random.default_rng(seed), SHARES, 1_000, column=column)


def changed(column="device_type"):
    of = quiet(column=column)
    counts = of.counts.copy()
    counts[:, 0] = [330, 580, 90][: len(counts)]
    return Histogram(of.table, column, CATEGORY, of.values, counts)


def emptied(column):
    of = quiet(column=column)
    counts = of.counts.copy()
    counts[:, 0] = 0
    return Histogram(of.table, column, CATEGORY, of.values, counts)


def result(*histograms, concept=NOTHING, is_silent=False):
    return DriftResult(WINDOWS, CONFIG, tuple(judge(histograms, CONFIG)), concept, is_silent)


def test_an_alert_says_what_changed_with_figure_and_limit():
    (line,) = result(quiet(column="x"), changed()).alerts()

    assert line.startswith("events.device_type: ") and " → " in line
    assert line.endswith(")") and "(PSI 0." in line and ", limit 0.1" in line


def test_a_table_without_a_row_is_one_alert():
    assert result(*[emptied(column) for column in "abc"]).alerts() == [
        "events: no row in the last 24 hours; 0 rows, usually 1,000"
    ]
    assert len(result(emptied("a"), quiet(column="b")).alerts()) == 1


def test_silence_in_all_windows_is_an_alert():
    assert result(is_silent=True).alerts() == ["events: no row in the last 24 hours; nor since 2026-10-31 00:00 UTC"]
    assert result(is_silent=True).is_drifting and not result().is_drifting


def test_a_concept_that_changed_is_an_alert():
    start_s = round(WINDOWS.start.timestamp())
    slices = [(start_s + 600 * n, 50, 15.0 + n % 3 if n < 0 else 5.0) for n in range(-900, 140)]
    of = result(quiet(), concept=detect(points_of(slices, start_s, 50), start_s))

    assert of.alerts() == [f"{CONCEPT_NAME}: NDCG@10 0.320 → 0.100, fell by 69%, limit 10%"]
    (row,) = [row for row in of.rows() if row["name"] == CONCEPT_NAME]
    assert (row["kind"], row["verdict"], row["n_current"]) == ("concept", "drift", 140 * 50)


def test_rows_have_the_columns_of_the_table_and_both_histograms():
    rows = result(quiet()).rows()

    assert all(set(row) <= set(DRIFT.names) for row in rows) and set(rows[0]) == set(DRIFT.names)
    assert sum(rows[0]["current"]) == 1_000 and sum(rows[0]["reference"]) == 7_000
    assert len(rows[0]["bins"]) == len(rows[0]["current"]) == len(rows[0]["reference"])


@pytest.mark.parametrize(
    ("change", "is_same"),
    [({}, True), ({"psi": 0.2}, False), ({"window_hours": 6}, False)],
    ids=["same", "psi", "hours"],
)
def test_a_run_is_named_by_its_instant_and_its_settings(change, is_same):
    other = DriftConfig(**change)

    assert (DriftResult(Windows.of(AS_OF, other), other, (), NOTHING).drift_id == result().drift_id) is is_same


def test_what_the_last_run_had_and_nobody_has_now_is_missing():
    never = categories({None: 100}, *[{None: 100}] * 7, column="brand")
    judged = judge([never, quiet()], CONFIG)
    before = {"name": "events.brand", "n_current": 900, "verdict": "stable"}

    assert [one.verdict for one in gone(judged, [])] == ["stable", "no data"]
    (first, _) = gone(judged, [before])
    assert (first.verdict, first.change) == ("missing", "no row of either window has it; the last run had 900")
    (first, _) = gone(judged, [before | {"verdict": "missing"}])
    assert first.verdict == "stable"  # told once, not for ever


def earlier(days, n, hours=24.0, off=timedelta(0)):
    as_of = AS_OF - timedelta(days=days) + off
    run = {"name": "users.x", "as_of": as_of, "window_start": as_of - timedelta(hours=hours)}
    return run | {"values": ["a", None], "counts": [n, 1]}


def test_earlier_runs_are_the_blocks_of_a_table_without_a_past():
    now = histogram("users", "x", CATEGORY, {"a": [5], "b": [2]}, 1)
    rows = [
        earlier(1, 10),
        earlier(2, 20, off=timedelta(hours=2)),
        earlier(2, 21, off=timedelta(hours=-1)),
        earlier(3, 30, hours=6),
        earlier(4, 40, off=timedelta(hours=4)),
        earlier(7, 70),
    ]

    (of,) = with_earlier([now], rows, WINDOWS)

    assert dict(zip(of.values, of.counts.tolist(), strict=True)) == {
        "a": [5, 10, 21, 0, 0, 0, 0, 70],
        "b": [2, 0, 0, 0, 0, 0, 0, 0],
        None: [0, 1, 1, 0, 0, 0, 0, 1],
    }


def test_the_page_shows_what_drifted_first_and_needs_nothing_else():
    bad_name = categories({"<b>x</b>": 500}, *[{"y": 500}] * 7, column="z")
    page = drift_page(result(quiet(column="a"), changed("b"), bad_name))

    assert page.index("events.b") < page.index("events.a")
    assert page.count('src="data:image/svg+xml;base64,') == 3
    assert "<b>x</b>" not in page and "<script" not in page and 'src="http' not in page
    assert drift_page(result(quiet())) == drift_page(result(quiet()))  # the same run, the same bytes
