"""The page of the state beside the lists: who sees it, what it says, and what it costs Redis."""

import pytest
from redis import Redis
from redis.exceptions import RedisError

from jobs.serve_lists import has_status_page
from pipelines.http.keys import Keys
from pipelines.list_sections import ServingConfig
from pipelines.monitoring.state_page import StatePage
from pipelines.stores.heartbeat import HeartbeatStore
from tests.serving.builders import HOUR_MS, Shop

KEY = "a-key-of-a-reader"


class RedisAway(Redis):
    """Counts how often it is asked."""

    n_asked = 0

    def execute_command(self, *args, **options):
        self.n_asked += 1
        raise RedisError("refused")


@pytest.fixture
def away() -> RedisAway:
    return RedisAway()


def test_the_page_says_what_lists_were_answered_with(tmp_path, away):
    shop = Shop(tmp_path, state=away)
    shop.has_list("u1", ["a", "b"])
    shop.list("u1")
    shop.list("u1")
    shop.now_ms += 10 * 24 * HOUR_MS
    for user in ("u1", "nobody"):  # too old, and none: nothing stands in
        shop.list(user)

    answer = shop.get("/status")

    assert answer.status == 200 and answer.headers["content-type"].startswith("text/html")
    page = answer.body.decode()
    assert "Redis does not answer: RedisError: refused" in page and "answered: personal</dt><dd>2<" in page
    assert "answered: none</dt><dd>2<" in page


@pytest.mark.parametrize(("key", "status"), [({}, 401), ({"key": "wrong"}, 401), ({"key": KEY}, 200)])
def test_who_needs_a_key_for_lists_needs_it_for_the_page(tmp_path, away, key, status):
    shop = Shop(tmp_path, Keys({KEY.encode(): "app"}), require_key=True, state=away)

    assert shop.get("/status", **key).status == status


def test_where_the_page_is_off_the_answer_says_how_to_have_it(tmp_path):
    answer = Shop(tmp_path).get("/status")

    assert answer.status == 404 and "serving.status_page: true" in answer.json["error"]


@pytest.mark.parametrize(
    ("config", "is_there"),
    [
        ({"host": "127.0.0.1"}, True),
        ({"host": "0.0.0.0"}, False),
        ({"host": "0.0.0.0", "status_page": True}, True),
        ({"host": "127.0.0.1", "status_page": False}, False),
    ],
)
def test_the_page_is_there_where_only_this_machine_reaches_the_service_unless_said_otherwise(config, is_there):
    assert has_status_page(ServingConfig(**config)) is is_there


def test_redis_is_not_asked_again_for_whoever_reloads_in_a_hurry(away):
    page = StatePage(away)

    first, second = page.html(), page.html()

    assert first == second and away.n_asked == 1


@pytest.mark.servers
def test_the_page_shows_streams_and_answers_by_source(redis_client):
    HeartbeatStore(redis_client).beat("personalize", {"n_new": 4, "state": "running"})

    html = StatePage(redis_client, served=lambda: {"segment": 7, "personal": 1_234}).html()

    assert "<td>personalize</td>" in html
    assert html.index("answered: personal</dt><dd>1,234") < html.index("answered: segment</dt><dd>7")
