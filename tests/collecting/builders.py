"""A collector without a network: its application, called as a server would, in front of a Kafka that tests steer."""

import asyncio
import json
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from pipelines.collecting.secrets import Secrets
from pipelines.collecting.service import make_app
from pipelines.collector_sections import CollectorConfig
from pipelines.http.keys import Keys
from pipelines.schemas import Contract
from pipelines.sinks.event_producer import NotTakenError, Record

KEY = "a-key-of-the-shop-1"
SECRETS = Secrets(Keys({KEY.encode(): "shop"}), shopify="shopify-secret", segment="")


@dataclass
class FakeProducer:
    """Kafka's side: acknowledges at once, or fails as told; keeps what it was given."""

    error: Exception | None = None  # raised by send_all
    failure: Exception | None = None  # of the acknowledgement
    is_slow: bool = False  # acknowledges when `release` is called
    reason: str = ""
    sent: list[Record] = field(default_factory=list)
    waiting: list["Future[None]"] = field(default_factory=list)
    n_pending: int = 0
    pending_bytes: int = 0
    is_closed: bool = False
    waited_seconds: float | None = None

    def send_all(self, records: Sequence[Record]) -> "Future[None]":
        if self.error:
            raise self.error
        self.sent += records
        future: Future[None] = Future()
        if self.is_slow:
            self.waiting.append(future)
        elif self.failure:
            future.set_exception(self.failure)
        else:
            future.set_result(None)
        return future

    def release(self) -> None:
        for future in self.waiting:
            future.set_result(None)
        self.waiting.clear()

    def wait_connected(self, timeout_seconds: float) -> bool:
        self.waited_seconds = timeout_seconds
        return True

    def why_not_ready(self) -> str:
        return self.reason

    def close(self, timeout_seconds: float) -> bool:
        self.is_closed = True
        return True

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(value) for _, value in self.sent]

    @property
    def keys(self) -> list[str]:
        return [key.decode() for key, _ in self.sent if key]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Calls an application. `post` of anything but bytes sends it as JSON."""

    def __init__(
        self, producer: FakeProducer | None = None, secrets: Secrets = SECRETS, contract=None, **config: Any
    ) -> None:
        self.producer = producer or FakeProducer()
        config.setdefault("allowed_origins", ("https://shop.example",))
        self.app = make_app(CollectorConfig(**config), contract or Contract(), secrets, self.producer)

    def post(self, path: str, body: Any, headers: dict[str, str] | None = None, key: str | None = KEY) -> Answer:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return asyncio.run(self.call("POST", path, [raw], self._with_key(headers, key)))

    def events(self, body: Any, headers: dict[str, str] | None = None) -> Answer:
        return self.post("/v1/events", body, headers)

    def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        return asyncio.run(self.call("GET", path, [b""], headers or {}))

    def preflight(self, path: str, headers: dict[str, str]) -> Answer:
        return asyncio.run(self.call("OPTIONS", path, [b""], headers))

    async def call(
        self,
        method: str,
        target: str,
        chunks: Sequence[bytes] = (b"",),
        headers: dict[str, str] | None = None,
        before_chunk: Callable[[int], Any] | None = None,
    ) -> Answer:
        """`before_chunk` is awaited before each chunk: a slow client."""
        url, sent, numbers = urlsplit(target), [], iter(range(len(chunks)))

        async def receive() -> dict[str, Any]:
            number = next(numbers, None)
            if number is None:
                await asyncio.Event().wait()  # connected, and silent
            if before_chunk:
                await before_chunk(number)
            return {"type": "http.request", "body": chunks[number], "more_body": number + 1 < len(chunks)}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
        await self.app(_scope(method, url.path, url.query, pairs), receive, send)
        start, *bodies = sent
        named = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], named, b"".join(part.get("body", b"") for part in bodies))

    def metric(self, name: str) -> float:
        """The sum over its labels."""
        lines = self.get("/metrics").body.decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.partition("{")[0].split(" ")[0] == name)

    @staticmethod
    def _with_key(headers: dict[str, str] | None, key: str | None) -> dict[str, str]:
        return {**({"X-Write-Key": key} if key else {}), **(headers or {})}


def an_event(**changes: Any) -> dict[str, Any]:
    """A valid view, with `changes`; a field changed to `...` is left out."""
    event = {"event_id": "e-1", "event_type": "product_view", "anonymous_id": "a-1", "item_id": "i-1"} | changes
    return {name: value for name, value in event.items() if value is not ...}


def away() -> NotTakenError:
    return NotTakenError("Kafka is away")


def _scope(method: str, path: str, query: str, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": headers,
        "client": ("203.0.113.77", 4711),
        "server": ("127.0.0.1", 80),
    }
