"""A collector that keeps what it is sent, and answers what it is told to."""

import json
import threading
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.tracker.loopback import LoopbackServer, QuietHandler

TRACKER = Path(__file__).parents[2] / "pipelines/collecting/static/tracker.min.js"
PATIENCE_SECONDS = 90.0
Event = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True)
class Received:
    text: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    answer: Answer

    @property
    def events(self) -> list[Event]:
        return list(json.loads(self.text))


class Recorder(LoopbackServer):
    """The same HTTP as the real collector. `answers` are given one after the other, then 200 for ever."""

    def __init__(self) -> None:
        self.answers: deque[Answer] = deque()
        self.requests: list[Received] = []
        self._changed = threading.Condition()
        recorder = self

        class Handler(QuietHandler):
            def do_GET(self) -> None:
                self.reply(200, "text/javascript", TRACKER.read_bytes(), {"Cache-Control": "public, max-age=3600"})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = recorder._receive(self.path, dict(self.headers.items()), body)
                cors = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After"}
                self.reply(answer.status, "application/json", answer.body or b"", {**cors, **answer.headers})

        super().__init__(Handler)

    def _receive(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        text = body.decode()
        with self._changed:
            answer = self.answers.popleft() if self.answers else Answer()
            if answer.body is None:
                n_events = len(json.loads(text)) if answer.status == 200 else 0
                verdict = {"accepted": n_events, "rejected": []} if answer.status == 200 else {"error": "told to"}
                answer = Answer(answer.status, answer.headers, json.dumps(verdict).encode())
            self.requests.append(Received(text, parse_qs(urlsplit(path).query), headers, answer))
            self._changed.notify_all()
        return answer

    @property
    def taken(self) -> list[Event]:
        """Every event of the requests that were answered 200, repeated ones too."""
        return [event for request in self.requests if request.answer.status == 200 for event in request.events]

    @property
    def events(self) -> list[Event]:
        """The same, each event id once, in the order of arrival."""
        first: dict[str, Event] = {}
        for event in self.taken:
            first.setdefault(event["event_id"], event)
        return list(first.values())

    def wait_for(self, n_events: int, *types: str) -> list[Event]:
        """Wait until so many events (of these types) have come, and return them."""

        def of_types() -> list[Event]:
            return [event for event in self.events if not types or event["event_type"] in types]

        with self._changed:
            if not self._changed.wait_for(lambda: len(of_types()) >= n_events, PATIENCE_SECONDS):
                raise AssertionError(f"expected {n_events} events {types}, got {what_of(of_types())}")
        return of_types()

    def wait_for_requests(self, n_requests: int) -> list[Received]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.requests) >= n_requests, PATIENCE_SECONDS)
        return self.requests


def what_of(events: list[Event]) -> list[str]:
    """What each event tells, in few words."""
    return [
        " ".join(str(event[name]) for name in ("event_type", "item_id", "query") if name in event) for event in events
    ]
