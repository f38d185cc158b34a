"""What of the events reaches the hot path, and the rebuild: interactions, and the logins of visitors."""

import pytest
from pyspark.sql import functions as F

from pipelines.events.parse import parse_records
from pipelines.features.filed import TopicPosition, to_filed_interactions, visitors_who_logged_in
from pipelines.features.interactions import to_arrivals, to_interactions
from pipelines.schemas import Contract
from tests.events.builders import a_value, kafka_records

pytestmark = pytest.mark.spark

LOGIN = {"event_type": "identify", "item_id": ...}
VALUES = [
    a_value(event_id="0", user_id=...),
    a_value(event_id="1"),
    a_value(event_id="2", event_type="page_view", item_id=...),
    a_value(event_id="3", **LOGIN),
    a_value(event_id="4", **LOGIN, anonymous_id="u-1"),
    a_value(event_id="5", **LOGIN, anonymous_id=...),
    a_value(event_id="6", **LOGIN, user_id=...),
    a_value(event_id="7", **LOGIN, anonymous_id="a" * 129),
    a_value(event_id="8", event_type="impression", user_id="u-1"),
]


@pytest.fixture(scope="module")
def events(spark):
    return parse_records(kafka_records(spark, VALUES), Contract()).cache()


def test_the_hot_path_gets_interactions_and_who_logged_in(events):
    rows = to_arrivals(events).orderBy("offset").collect()

    assert [(row.offset, row.user, row.is_named, row.visitor, row.code) for row in rows] == [
        (0, "a-1", False, None, 1), (1, "u-1", True, None, 1), (3, "u-1", True, "a-1", None),
    ]  # fmt: skip
    assert to_arrivals(events).columns[:9] == to_interactions(events).columns


def test_impressions_come_where_they_are_asked_for(events):
    rows = to_arrivals(events, with_impressions=True).orderBy("offset").collect()

    assert [(row.offset, row.user, row.visitor, row.code) for row in rows][2:] == [
        (3, "u-1", "a-1", None), (8, "u-1", None, 0),
    ]  # fmt: skip


def test_the_rest_gets_interactions_alone(events):
    assert [row.offset for row in to_interactions(events).orderBy("offset").collect()] == [0, 1]


def test_a_rebuild_gets_what_a_visitor_gave_and_to_whom(events):
    filed = to_filed_interactions(events, TopicPosition("t", 7, {0: 8}, {0: 8}), 4)
    rows = filed.orderBy("offset", F.col("giver").isNotNull()).collect()

    assert [(row.offset, row.user, row.is_named, row.giver, row.becomes) for row in rows] == [
        (0, "a-1", False, None, None), (0, "u-1", False, "a-1", None), (1, "u-1", True, None, None),
        (3, "a-1", False, None, "u-1"), (3, "u-1", False, "a-1", "u-1"),
    ]  # fmt: skip
    assert [row.is_login for row in rows] == [False, False, False, True, True]
    assert rows[1].source == 0 != rows[0].source and rows[4].since_s == 0
    assert rows[0].slice == rows[3].slice


def test_a_check_is_told_which_of_its_users_are_visitors_who_logged_in(events):
    assert visitors_who_logged_in(events, ["a-1", "u-1", "a-2"]) == {"a-1"}
