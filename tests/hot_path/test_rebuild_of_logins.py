"""From filed events to rebuilt profiles, as Spark runs it, with logins among the events."""

import pytest

from pipelines.events.parse import parse_records
from pipelines.features.filed import TopicPosition, to_filed_interactions
from pipelines.hot_path.spark import with_rebuilding
from pipelines.hot_path.worker import StageSettings
from pipelines.list_sections import ListsConfig
from pipelines.model_sections import ModelConfig
from pipelines.schemas import Contract
from pipelines.sections import ProfileConfig
from tests.events.builders import a_value, kafka_records
from tests.hot_path.micro_batches import the_sums

pytestmark = [pytest.mark.spark, pytest.mark.servers]


def test_a_lost_user_is_rebuilt_and_a_lost_visitor_who_logged_in_is_not(spark, redis_url, redis_client):
    settings = StageSettings(redis_url, 7, ProfileConfig(), ListsConfig(n=3), ModelConfig(), the_sums())
    values = [a_value(event_id="0", user_id=...), a_value(event_id="1"), a_value(event_id="2", event_type="identify")]
    events = parse_records(kafka_records(spark, values), Contract())
    filed = to_filed_interactions(events, TopicPosition("t", 7, {0: 3}, {0: 3}), 2)

    reports = [row.asDict() for row in with_rebuilding(filed, settings).collect()]

    totals = {name: sum(report[name] for report in reports) for name in ("n_users", "n_replaced", "n_of_logins")}
    assert totals == {"n_users": 2, "n_replaced": 1, "n_of_logins": 1}
    assert redis_client.keys("profile:*") == [b"profile:{u-1}"]
