"""Lists are asked for once per user and minute, beside the answers."""

import asyncio

from redis.exceptions import ConnectionError as RedisConnectionError

from pipelines.serving.asking import Asking
from pipelines.serving.metrics import Metrics
from tests.serving.builders import FakeDue


def hand_over(asking: Asking) -> None:
    asyncio.run(asking.hand_over())


def test_a_user_is_asked_for_once_a_minute():
    due, now = FakeDue(), [0.0]
    asking = Asking(due, Metrics(), lambda: now[0])
    for second in (0, 1, 59.9, 60, 61, 120):
        now[0] = second
        asking.ask("u1")
        hand_over(asking)

    assert due.asked == ["u1"] * 3


def test_those_that_wait_are_handed_over_together_and_once():
    due = FakeDue()
    asking = Asking(due, Metrics())
    for user in ("u2", "u1", "u2"):
        asking.ask(user)
    hand_over(asking)
    hand_over(asking)

    assert due.asked == ["u1", "u2"]


def test_while_redis_is_away_it_is_no_error_and_they_are_asked_for_later():
    due, now = FakeDue(), [0.0]
    asking = Asking(due, Metrics(), lambda: now[0])
    ask, due.ask = due.ask, lambda users, at_ms: (_ for _ in ()).throw(RedisConnectionError("away"))
    asking.ask("u1")
    hand_over(asking)
    due.ask, now[0] = ask, 61.0
    asking.ask("u1")
    hand_over(asking)

    assert due.asked == ["u1"]
