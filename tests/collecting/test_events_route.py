"""POST /v1/events: what is taken, what is refused, and what the answer says."""

import asyncio
import gzip
import json

import pytest

from pipelines.sinks.event_producer import QueueFullError
from tests.collecting.builders import KEY, Client, FakeProducer, an_event, away

BEACON = {"Content-Type": "text/plain;charset=UTF-8"}
NDJSON = {"Content-Type": "application/x-ndjson"}


def lines(*values: object) -> bytes:
    return b"\n".join(value if isinstance(value, bytes) else json.dumps(value).encode() for value in values)


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(an_event(), {}, id="one"),
        pytest.param([an_event()], {}, id="an array"),
        pytest.param(lines(an_event()), NDJSON, id="a line"),
        pytest.param(lines(an_event(), b"", b" "), {}, id="a line and blank ones, without a type"),
        pytest.param(an_event(), BEACON, id="of a beacon"),
        pytest.param(gzip.compress(json.dumps(an_event()).encode()), {"Content-Encoding": "gzip"}, id="gzip"),
        pytest.param(json.dumps(an_event(), indent=2).encode(), {}, id="over several lines"),
    ],
)
def test_an_event_is_accepted_in_every_form(client, body, headers):
    answer = client.events(body, headers)

    assert (answer.status, answer.json) == (200, {"accepted": 1, "rejected": [], "dropped": 0})
    assert [event["event_id"] for event in client.producer.events] == ["e-1"]


@pytest.mark.parametrize("headers", [{}, NDJSON, BEACON], ids=["no type", "ndjson", "beacon"])
def test_several_lines_are_several_events(client, headers):
    answer = client.events(lines(an_event(), an_event(event_id="e-2")), headers)

    assert answer.json["accepted"] == 2


def test_good_events_pass_though_others_fail_and_each_fault_is_named(client):
    answer = client.events([an_event(item_id=...), an_event(event_id="e-2"), 7, an_event(event_id="e-3", price=-1)])

    assert answer.status == 200
    assert answer.json["accepted"] == 1
    assert [(r["index"], r["event_id"], r["field"]) for r in answer.json["rejected"]] == [
        (0, "e-1", "item_id"),
        (2, None, ""),
        (3, "e-3", "price"),
    ]
    assert answer.json["rejected"][2]["reason"] == "expected a number from 0 to 10,000,000,000"
    assert [event["event_id"] for event in client.producer.events] == ["e-2"]


def test_a_broken_line_does_not_spoil_the_others(client):
    answer = client.events(lines(an_event(), b'{"event_id": "cut of', an_event(event_id="e-2")), NDJSON)

    assert answer.json["accepted"] == 2
    assert [(r["index"], r["field"]) for r in answer.json["rejected"]] == [(1, "")]
    assert "no JSON" in answer.json["rejected"][0]["reason"]


def test_the_same_event_again_is_accepted_again(client):
    for _ in range(2):
        assert client.events(an_event()).json["accepted"] == 1


def test_events_are_keyed_by_the_user_else_by_the_visitor(client):
    client.events(
        [
            an_event(user_id="u-1"),
            an_event(),
            an_event(user_id=""),
            an_event(user_id=7),
            an_event(event_type="identify", user_id="用户", item_id=...),
        ]
    )

    assert client.producer.keys == ["u-1", "a-1", "a-1", "7", "用户"]


def test_unknown_fields_travel_along_unchanged(client):
    extra = {"color": "red", "n": 2**64 + 1, "deep": {"a": [1, None, 0.1]}, "text": "Grüße \u2028"}

    client.events(an_event(**extra))

    (event,) = client.producer.events
    assert {name: event[name] for name in extra} == extra


def test_a_number_beyond_64_bits_stays_the_user_it_is(client):
    client.events([an_event(user_id=2**64 + 1), an_event(user_id=2**64 + 2)])

    assert client.producer.keys == [str(2**64 + 1), str(2**64 + 2)]


def test_half_a_surrogate_pair_as_of_a_text_cut_in_two_is_read(client):
    answer = client.events(rb'[{"event_id":"e-1","event_type":"search","user_id":"u","query":"caf\ud83d"}]')

    assert answer.json["accepted"] == 1
    assert client.producer.events[0]["query"] == "caf?"


@pytest.mark.parametrize(
    ("body", "headers", "status", "says"),
    [
        pytest.param(b"", {}, 400, "JSON", id="nothing"),
        pytest.param(b"  \n ", {}, 400, "JSON", id="blanks"),
        pytest.param(b"  \n ", NDJSON, 400, "empty", id="no lines"),
        pytest.param(b"<html>", {}, 400, "no JSON", id="HTML"),
        pytest.param(b"<html>\n<body>", {}, 400, "no JSON", id="HTML of two lines"),
        pytest.param(b'"text"', {}, 400, "expected an event", id="a text"),
        pytest.param(b"null", {}, 400, "expected an event", id="null"),
        pytest.param(b"\xff\xfe{\x00}\x00", {}, 400, "no JSON", id="UTF-16"),
        pytest.param(b'{"price": NaN}', {}, 400, "no JSON", id="NaN"),
        pytest.param(b'{"price": 1e999}', {}, 400, "no JSON", id="beyond a double"),
        pytest.param(b'{"n": ' + b"9" * 5000 + b"}", {}, 400, "no JSON", id="a number of 5,000 digits"),
        pytest.param(b"[" * 100_000, {}, 400, "no JSON", id="never closed"),
        pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, {}, 400, "no JSON", id="100,000 deep"),
        pytest.param(b"not gzip", {"Content-Encoding": "gzip"}, 400, "not gzip", id="not gzip"),
        pytest.param(gzip.compress(b"[]" * 99)[:-9], {"Content-Encoding": "gzip"}, 400, "cut off", id="gzip cut off"),
        pytest.param(b"x", {"Content-Encoding": "br"}, 415, "'br': expected gzip", id="brotli"),
        pytest.param(b" " * 1_000_001, {}, 413, "1,000,000 bytes", id="a byte too many"),
        pytest.param(b"", {"Content-Length": "1000001"}, 413, "1,000,000 bytes", id="announced as too long"),
        pytest.param(b"[" + b"1," * 500 + b"1]", {}, 413, "501 events: expected at most 500", id="501 events"),
        pytest.param(b"1\n" * 501, NDJSON, 413, "501 events", id="501 lines"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(client, body, headers, status, says):
    answer = client.events(body, headers)

    assert answer.status == status
    assert says in answer.json["error"]
    assert client.producer.sent == []


def test_no_events_are_no_error(client):
    assert client.events([]).json == {"accepted": 0, "rejected": [], "dropped": 0}


def test_500_events_are_taken(client):
    assert client.events([an_event(event_id=f"e-{n}") for n in range(500)]).json["accepted"] == 500


def test_a_zip_bomb_is_unpacked_no_further_than_allowed(client, monkeypatch):
    unpacked = []
    real = __import__("zlib").decompressobj

    class Counting:
        def __init__(self, *args):
            self._real = real(*args)

        def decompress(self, data, max_length):
            part = self._real.decompress(data, max_length)
            unpacked.append(len(part))
            return part

    monkeypatch.setattr("pipelines.collecting.bodies.zlib.decompressobj", Counting)
    bomb = gzip.compress(b" " * 200_000_000, compresslevel=9)

    answer = client.events(bomb, {"Content-Encoding": "gzip"})

    assert answer.status == 413
    assert unpacked == [1_000_001]


def test_an_event_nested_too_deep_is_rejected_alone(client):
    deep = json.loads("[" * 16 + "]" * 16)

    answer = client.events([an_event(more=deep), an_event(event_id="e-2", more=deep[0])])

    assert answer.json["accepted"] == 1
    assert answer.json["rejected"] == [
        {"index": 0, "event_id": "e-1", "field": "more", "reason": "nested more than 16 deep"}
    ]


def test_a_body_that_never_ends_is_given_up():
    async def wait_for_ever(number: int) -> None:
        if number:
            await asyncio.Event().wait()

    client = Client(body_timeout_seconds=0.05)

    answer = asyncio.run(
        client.call("POST", "/v1/events", [b"[", b"]"], {"X-Write-Key": KEY}, before_chunk=wait_for_ever)
    )

    assert (answer.status, answer.json["error"]) == (408, "the request was not whole after 0.05 s")


def test_requests_that_are_read_at_once_are_bounded_together():
    client = Client(max_reading_bytes=1_000_000)

    async def two_halves() -> list[int]:
        arrived = [asyncio.Event(), asyncio.Event()]

        async def one(n: int) -> int:
            async def after_the_other(number: int) -> None:
                if number == 1:
                    arrived[n].set()
                    await arrived[1 - n].wait()

            chunks = [b" " * 600_000, json.dumps(an_event()).encode()]
            return (await client.call("POST", "/v1/events", chunks, {"X-Write-Key": KEY}, after_the_other)).status

        first = asyncio.create_task(one(0))
        second = asyncio.create_task(one(1))
        done, _ = await asyncio.wait([first, second], return_when=asyncio.FIRST_COMPLETED)
        refused = [task.result() for task in done]
        for event in arrived:
            event.set()
        return sorted({*refused, await first, await second})

    assert asyncio.run(two_halves()) == [200, 503]
    assert client.events(an_event()).status == 200  # what was read is forgotten


@pytest.mark.parametrize(
    "producer",
    [FakeProducer(error=away()), FakeProducer(failure=away()), FakeProducer(error=QueueFullError("full"))],
    ids=["away", "not acknowledged", "queue full"],
)
def test_without_an_acknowledgement_nothing_is_accepted(producer):
    client = Client(producer)

    answer = client.events([an_event(), an_event(item_id=...)])

    assert answer.status == 503
    assert answer.headers["retry-after"] == "5"
    assert "none of these events is accepted" in answer.json["error"]
    assert client.metric("liveshelf_collector_events_accepted_total") == 0


def test_the_answer_waits_for_the_acknowledgement():
    client = Client(FakeProducer(is_slow=True))

    async def run() -> bool:
        task = asyncio.create_task(
            client.call("POST", "/v1/events", [json.dumps(an_event()).encode()], {"X-Write-Key": KEY})
        )
        while not client.producer.waiting:
            await asyncio.sleep(0)
        was_done = task.done()
        client.producer.release()
        assert (await task).json["accepted"] == 1
        return was_done

    assert asyncio.run(run()) is False


def test_an_event_that_grows_beyond_a_record_is_rejected():
    client = Client(max_body_bytes=1_048_576)
    numbers = b"[" + b",".join([b"1e15"] * 180_000) + b"]"

    answer = client.events(json.dumps(an_event(more="@")).encode().replace(b'"@"', numbers))

    assert answer.json["accepted"] == 0
    assert "expected at most 1,048,576" in answer.json["rejected"][0]["reason"]
