"""What goes on failing is told at its beginning, once in a while, and at its end."""

import pytest

from pipelines.errors import ServerError
from pipelines.logs.trouble import REMIND_SECONDS, Tallied, Trouble
from tests.logs.test_lines import Clock


@pytest.fixture
def clock():
    return Clock()


def test_a_loop_that_fails_each_second_says_so_once_and_when_it_is_over(lines, clock):
    trouble = Trouble("kafka_away", "kafka_back", clock)
    trouble.over()
    for _ in range(100):
        trouble.failed(ServerError("away"), topic="t")
        clock.now_s += 1
    trouble.over(topic="t")
    trouble.over(topic="t")

    said = lines()
    assert [(line["event"], line["times"]) for line in said] == [("kafka_away", 1), ("kafka_back", 100)]
    assert (said[0]["because"], said[0]["topic"], said[1]["lasted_s"]) == ("away", "t", 100.0)


def test_it_is_told_again_every_ten_minutes(lines, clock):
    trouble = Trouble("kafka_away", "kafka_back", clock)
    for _ in range(3):
        trouble.failed()
        clock.now_s += REMIND_SECONDS / 2

    assert [line["times"] for line in lines()] == [1, 3]


def test_a_trouble_that_comes_back_is_told_again(lines, clock):
    trouble = Trouble("kafka_away", "kafka_back", clock)
    for _ in range(2):
        trouble.failed()
        trouble.over()

    assert [line["event"] for line in lines()] == ["kafka_away", "kafka_back"] * 2


def test_what_happens_often_is_counted_by_kind(lines, clock):
    tallied = Tallied("requests_refused", "by_kind", clock=clock)
    for kind in ("key", "key", "rate"):
        tallied.add(kind)
    clock.now_s += 61
    tallied.add("key", error=ServerError("x"))

    said = lines()
    assert [line["by_kind"] for line in said] == [{"key": 1}, {"key": 2, "rate": 1}]
    assert said[1]["error"] == "ServerError"
