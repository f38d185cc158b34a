"""`liveshelf send`: what is sent, and what a person at a terminal is told."""

import json
import socket

import pytest
from click.testing import CliRunner
from kafka import KafkaConsumer

from jobs.send import main
from tests.tracker.recorder import Answer, Recorder


@pytest.fixture
def collector():
    with Recorder() as recorder:
        yield recorder


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    for name in ("COLLECTOR_WRITE_KEY", "COLLECTOR_WRITE_KEYS"):
        monkeypatch.delenv(name, raising=False)


def send(*arguments: str, text: str | None = None):
    return CliRunner().invoke(main, arguments, input=text)


def verdict(**values) -> Answer:
    return Answer(body=json.dumps({"accepted": 0, "rejected": [], **values}).encode())


def test_options_become_an_event_and_the_answer_says_where_it_went(collector, monkeypatch):
    monkeypatch.setenv("COLLECTOR_WRITE_KEYS", "shop:first-key,shop:second-key")
    collector.answers.append(verdict(accepted=1))
    result = send("add_to_cart", "--user", "u42", "--item", "mug", "--quantity", "2", "--url", collector.url)

    (request,) = collector.requests
    event = json.loads(request.text)
    assert result.exit_code == 0, result.output
    assert {name: event[name] for name in ("event_type", "user_id", "item_id", "quantity")} == {
        "event_type": "add_to_cart", "user_id": "u42", "item_id": "mug", "quantity": 2,
    }  # fmt: skip
    assert event["event_time"].endswith("+00:00") and "anonymous_id" not in event
    assert request.headers["X-Write-Key"] == "first-key"
    assert f"accepted by {collector.url}/v1/events: Kafka has it, with the key of u42" in result.output
    assert f"liveshelf show event {event['event_id']}" in result.output


def test_a_whole_event_comes_from_the_standard_input_and_options_win(collector):
    collector.answers.append(verdict(accepted=1))
    text = '{"event_type": "search", "query": "tea", "event_id": "e1", "shelf": 3}'
    result = send("--json", "-", "--query", "pot", "--url", collector.url, text=text)

    event = json.loads(collector.requests[0].text)
    assert result.exit_code == 0, result.output
    assert {**event, "event_time": ""} == {
        "event_id": "e1", "event_time": "", "event_type": "search", "query": "pot", "shelf": 3, "anonymous_id": "send-test",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        pytest.param(
            verdict(rejected=[{"index": 0, "event_id": "e", "field": "item_id", "reason": "is missing"}]),
            "rejected: item_id: is missing",
            id="rejected",
        ),
        pytest.param(Answer(401), "not taken (401): told to; give the key with --key", id="wrong-key"),
        pytest.param(Answer(503, {"Retry-After": "7"}), "try again in 7 seconds", id="no-kafka"),
        pytest.param(Answer(body=b"<html>"), "but not as a collector does: see --url", id="another-server"),
        pytest.param(verdict(dropped=1), "dropped: it says that the visitor does not consent", id="dropped"),
    ],
)
def test_what_was_not_accepted_is_told_and_the_exit_code_says_so(collector, answer, says):
    collector.answers.append(answer)
    result = send("page_view", "--url", collector.url)

    assert result.exit_code == 1
    assert says in result.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param([], "which event? One of page_view", id="nothing"),
        pytest.param(["--json", "{"], "--json: is not JSON", id="not-json"),
        pytest.param(["--json", "[]"], "expected one event, an object, got list", id="a-list"),
        pytest.param(["page_view", "--url", "shop"], "--url shop:", id="no-address"),
    ],
)
def test_what_cannot_be_sent_is_told(arguments, says):
    result = send(*arguments)

    assert result.exit_code == 1
    assert says in result.output


def test_nobody_listening_says_what_to_start():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    result = send("page_view", "--url", url)

    assert result.exit_code == 1
    assert f"nothing listens at {url}: start `liveshelf collect_events`" in result.output


def test_straight_to_kafka_it_is_in_the_topic(servers, topic, monkeypatch):
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", servers.bootstrap_servers)
    monkeypatch.setenv("LIVESHELF_KAFKA__TOPIC", topic)
    result = send("page_view", "--visitor", "a1", "--kafka")

    assert result.exit_code == 0, result.output
    assert f"sent to topic {topic}, with the key of a1" in result.output
    consumer = KafkaConsumer(topic, bootstrap_servers=servers.bootstrap_servers, auto_offset_reset="earliest")
    record = next(iter(consumer))
    consumer.close()
    assert (record.key, json.loads(record.value)["event_type"]) == (b"a1", "page_view")
