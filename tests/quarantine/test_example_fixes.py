"""The fixes that we show make valid events of the dirt that they are for, and leave all else alone."""

import json

import pytest

from examples.fixes import comma_in_price, complete_type, seconds_to_milliseconds
from tests.events.builders import a_value


@pytest.mark.parametrize(
    ("fix", "broken", "mended"),
    [
        (comma_in_price, {"price": "12,50"}, {"price": 12.5}),
        (comma_in_price, {"price": "-3,5"}, {"price": -3.5}),  # a rule judges it, not the fix
        (seconds_to_milliseconds, {"event_time": 1_717_243_198}, {"event_time": 1_717_243_198_000}),
        (complete_type, {"event_type": "remove_from_c"}, {"event_type": "remove_from_cart"}),
    ],
)
def test_an_example_mends_what_it_is_for(fix, broken, mended):
    assert json.loads(fix(a_value(**broken))) == json.loads(a_value(**mended))


@pytest.mark.parametrize(
    ("fix", "other"),
    [
        (comma_in_price, {"price": "1,234,567"}),
        (comma_in_price, {"price": "cheap"}),
        (seconds_to_milliseconds, {"event_time": "yesterday"}),
        (seconds_to_milliseconds, {"event_time": -1}),
        (complete_type, {"event_type": "p"}),
        (complete_type, {"event_type": "wishlist_share"}),
        (complete_type, {"event_type": None}),
    ],
)
def test_an_example_leaves_other_dirt_alone(fix, other):
    assert fix(a_value(**other)) is None


@pytest.mark.parametrize("fix", [comma_in_price, seconds_to_milliseconds, complete_type])
def test_an_example_leaves_a_good_event_alone(fix):
    assert fix(a_value()) is None
