"""How long ago something was, in words."""

import pytest

from jobs import _ages
from jobs._ages import age


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-3, "just now"),
        (1.9, "just now"),
        (2, "2 seconds ago"),
        (71, "71 seconds ago"),
        (119, "119 seconds ago"),
        (120, "2 minutes ago"),
        (7_200, "2 hours ago"),
        (3 * 86_400, "3 days ago"),
        (800 * 86_400, "2 years ago"),
    ],
)
def test_an_age_is_said_in_its_largest_unit_of_which_there_are_two(monkeypatch, seconds, said):
    monkeypatch.setattr(_ages.time, "time", lambda: 1_000_000_000.0)

    assert age(1_000_000_000.0 - seconds) == said
