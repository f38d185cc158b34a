"""A service without a network: its application, called as a server would, in front of a Redis that tests steer."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlencode

from pipelines.catalogue.item import CatalogueItem
from pipelines.http.keys import Keys
from pipelines.list_sections import CatalogueConfig, ListsConfig, RulesConfig, ServingConfig
from pipelines.lists.document import PublishedList
from pipelines.serving.contact import AwayError
from pipelines.serving.service import World, make_app
from pipelines.stores.keys import CATALOGUE_VERSION, SERVING_MODE, fallback_key, list_key, profile_key
from pipelines.stores.serving_mode import ServingMode

NOW_MS = 1_800_000_000_000
HOUR_MS = 3_600_000


class FakeContact:
    """Redis' side: what is stored, or away."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.ranks: dict[str, list[str]] = {}
        self.is_away = False
        self.reads: list[tuple[str, ...]] = []

    @property
    def away_since_s(self) -> float | None:
        return 0.0 if self.is_away else None

    async def read(self, keys: Sequence[str]) -> list[bytes | None]:
        self.reads.append(tuple(keys))
        if self.is_away:
            raise AwayError("away")
        await asyncio.sleep(0)
        return [self.values.get(key) for key in keys]

    async def call(self, command: Sequence[Any]) -> Any:
        if self.is_away:
            raise AwayError("away")
        return [item.encode() for item in self.ranks.get(command[1], [])]

    async def close(self) -> None: ...


@dataclass
class FakeCatalogue:
    """The copy of the catalogue; what is `coming` is in it once somebody catches up."""

    items: dict[str, CatalogueItem] = field(default_factory=dict)
    coming: dict[str, CatalogueItem] = field(default_factory=dict)
    version: bytes | None = None
    error: Exception | None = None

    def catch_up(self, version: bytes | None) -> bool:
        if self.error:
            raise self.error
        self.items |= self.coming
        self.version = version
        return True

    def get(self, item_id: str) -> CatalogueItem | None:
        return self.items.get(item_id)

    def is_unavailable(self, item_id: str) -> bool:
        item = self.items.get(item_id)
        return item is not None and not item.is_available

    def __len__(self) -> int:
        return len(self.items)


class FakeDue:
    def __init__(self) -> None:
        self.asked: list[str] = []

    def ask(self, users: Sequence[str], at_ms: int) -> None:
        self.asked += users


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def items(self) -> list[str]:
        return [told["item_id"] for told in self.json["items"]]

    @property
    def reasons(self) -> list[str]:
        return [told["reason"] for told in self.json["items"]]


class Shop:
    """A service and what it reads. `get` asks it."""

    def __init__(
        self,
        tmp_path: Any,
        keys: Keys | None = None,
        rules: dict[str, Any] | None = None,
        similar=None,
        producer=None,
        state=None,
        **config,
    ) -> None:
        self.contact, self.catalogue, self.due, self.now_ms = FakeContact(), FakeCatalogue(), FakeDue(), NOW_MS
        self.static_file = tmp_path / "lists.json"
        serving = ServingConfig(static_file=self.static_file, fallback_seconds=1e-9, **config)
        world = World(
            lambda _metrics: self.contact,  # type: ignore[arg-type,return-value]
            self.catalogue,
            self.due,
            similar,
            producer,
            state,
            now_ms=lambda: self.now_ms,
        )
        lists = ListsConfig(n=4, rules=RulesConfig(**(rules or {})))
        self.app = make_app(serving, lists, CatalogueConfig(), keys or Keys(), world)

    def has_list(self, user: str, items: Sequence[str], age_hours: float = 0.0, **more: Any) -> None:
        as_of_ms = int(self.now_ms - age_hours * HOUR_MS)
        scores = [1.0 - place / 10 for place in range(len(items))]
        published = PublishedList(items, scores, as_of_ms, "m-1", "personal", f"list-of-{user}", **more)
        self.contact.values[list_key(user)] = published.to_json()

    def has_fallback(self, segment: str, items: Sequence[str], age_hours: float = 0.0) -> None:
        as_of_ms = int(self.now_ms - age_hours * HOUR_MS)
        published = PublishedList(items, [1.0] * len(items), as_of_ms, "features-v1", "segment", f"of-{segment}")
        self.contact.values[fallback_key(segment)] = published.to_json()

    def has_profile(self, user: str, profile: bytes) -> None:
        self.contact.values[profile_key(user)] = profile

    def has_items(self, *items: CatalogueItem) -> None:
        self.catalogue.items |= {item.item_id: item for item in items}

    def hears_of(self, *items: CatalogueItem, version: bytes = b"1-0") -> None:
        """They are in Redis; the copy gets them when it catches up."""
        self.catalogue.coming |= {item.item_id: item for item in items}
        self.contact.values[CATALOGUE_VERSION] = version

    def has_mode(self, mode: ServingMode) -> None:
        self.contact.values[SERVING_MODE] = mode.to_json()

    def list(self, user: str = "u1", headers: dict[str, str] | None = None, **query: Any) -> Answer:
        return self.get(f"/v1/lists/{quote(user)}", headers, **query)

    def get(self, path: str, headers: dict[str, str] | None = None, **query: Any) -> Answer:
        return asyncio.run(call(self.app, "GET", path, urlencode(query, doseq=True), headers or {}))

    def post(self, path: str, body: Any, headers: dict[str, str] | None = None, **query: Any) -> Answer:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return asyncio.run(call(self.app, "POST", path, urlencode(query, doseq=True), headers or {}, raw))

    def metric(self, name: str) -> float:
        """The sum over its labels."""
        lines = self.get("/metrics").body.decode().splitlines()
        name = f"liveshelf_serving_{name}"
        return sum(float(line.split()[-1]) for line in lines if line.partition("{")[0].split(" ")[0] == name)


async def call(
    app: Any, method: str, path: str, query: str | bytes, headers: dict[str, str], body: bytes = b""
) -> Answer:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    await app(_scope(method, path, query, pairs), receive, send)
    start, *bodies = sent
    named = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], named, b"".join(part.get("body", b"") for part in bodies))


def start_and_end(shop: Shop) -> None:
    """As a server does around all requests: what is done beside the answers is done once."""

    async def run() -> None:
        async with shop.app.router.lifespan_context(shop.app):
            for _ in range(50):  # turns of the loop
                await asyncio.sleep(0)

    asyncio.run(run())


def an_item(item_id: str, **facts: Any) -> CatalogueItem:
    return CatalogueItem(item_id, **facts)


def sold_out(item_id: str, **facts: Any) -> CatalogueItem:
    return CatalogueItem(item_id, in_stock=False, **facts)


def _scope(method: str, path: str, query: str | bytes, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode() if isinstance(query, str) else query,
        "headers": headers,
        "client": ("203.0.113.77", 4711),
        "server": ("127.0.0.1", 80),
    }
