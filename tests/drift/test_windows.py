"""Which window a time is in: the current one, the same hours of days before, or none."""

from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from pydantic import ValidationError

from pipelines.drift.windows import OUTSIDE, Windows
from pipelines.drift_sections import DriftConfig

AS_OF = datetime(2026, 11, 8, 12, tzinfo=timezone.utc)  # a Sunday
HOURS = timedelta(hours=1)


def index(windows, *hours_before):
    times = [round((windows.as_of - hours * HOURS).timestamp() * 1000) for hours in hours_before]
    return windows.index(np.array(times)).tolist()


@pytest.mark.parametrize(
    ("hours", "hours_before", "window"),
    [
        pytest.param(24, 0, OUTSIDE, id="the-end-is-not-in-it"),
        pytest.param(24, 1e-6, 0, id="just-before"),
        pytest.param(24, 24, 0, id="the-beginning-is-in-it"),
        pytest.param(24, 24.001, 1, id="the-day-before"),
        pytest.param(24, 7 * 24 + 24, 7, id="the-earliest-block"),
        pytest.param(24, 8 * 24 + 1, OUTSIDE, id="before-the-reference"),
        pytest.param(24, -1, OUTSIDE, id="later"),
        pytest.param(6, 5, 0, id="a-morning"),
        pytest.param(6, 7, OUTSIDE, id="the-night-before-is-no-morning"),
        pytest.param(6, 24 + 5, 1, id="the-morning-before"),
        pytest.param(36, 40, OUTSIDE, id="blocks-are-whole-days-apart"),
        pytest.param(36, 50, 1, id="two-days-before"),
    ],
)
def test_a_window_is_the_same_hours_of_another_day(hours, hours_before, window):
    assert index(Windows(AS_OF, hours, 7), hours_before) == [window]


def test_the_same_weekday_is_whole_weeks_before():
    assert Windows(AS_OF, 24, 14).same_weekday == (7, 14)
    assert Windows(AS_OF, 48, 14).same_weekday == (7, 14)
    assert Windows(AS_OF, 24, 6).same_weekday == ()
    assert Windows(AS_OF, 48, 7).reference_start == AS_OF - timedelta(days=2 + 14)


def test_a_reference_of_too_few_windows_is_refused():
    assert DriftConfig(window_hours=6, reference_days=3).n_blocks == 3
    with pytest.raises(ValidationError, match=r"holds 2 windows of 24 hours, and 3 are needed .* raise reference_days"):
        DriftConfig(reference_days=2.5)
