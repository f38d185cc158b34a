"""A million served positions while stock flips: nothing that is hidden, sold out or bought is among them."""

import asyncio
import random
import threading
import time
from collections.abc import Iterator

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from pipelines.catalogue.item import CatalogueItem
from pipelines.http.keys import Keys
from pipelines.list_sections import CatalogueConfig, ListsConfig, RulesConfig, ServingConfig
from pipelines.lists.document import PublishedList
from pipelines.local.valkey import start_valkey, valkey_url
from pipelines.serving.contact import Contact
from pipelines.serving.service import World, make_app
from pipelines.stores.catalogue import CatalogueStore, Hold
from pipelines.stores.catalogue_copy import CatalogueCopy
from pipelines.stores.due import DueStore
from pipelines.stores.ranks import RankStore
from pipelines.stores.users import UserState, UserStore
from tests.serving.builders import call
from tests.serving.test_filters import a_profile

pytestmark = [pytest.mark.slow, pytest.mark.servers]

N_USERS, N_ITEMS, N, N_SPARE = 10_000, 5_000, 10, 3
N_POSITIONS = 1_000_000
BOUGHT_AGAIN = "Food"
BATCH = 200
RULES = RulesConfig(repurchased_categories=(BOUGHT_AGAIN,))


@pytest.fixture
def url(tmp_path) -> Iterator[str]:
    process = start_valkey(tmp_path)
    yield valkey_url(process.port)
    process.stop()


def item_id(n: int) -> str:
    return f"item-{n}"


def category(n: int) -> str:
    return BOUGHT_AGAIN if n % 5 == 0 else f"Shoes > Kind {n % 7}"


def an_item(n: int, updated_ms: int, is_available: bool, is_hidden: bool = False) -> CatalogueItem:
    """Not available: sold out, or hidden."""
    in_stock, hidden = is_available or is_hidden, not is_available and is_hidden
    return CatalogueItem(item_id(n), f"Item {n}", category(n), in_stock=in_stock, hidden=hidden, updated_ms=updated_ms)


class Shop:
    """What is in Redis, and what each user bought."""

    def __init__(self, client: Redis) -> None:
        self._random, now_ms = random.Random(8), time.time_ns() // 1_000_000
        self.bought: dict[str, set[str]] = {}
        CatalogueStore(client).write(an_item(n, 1, is_available=True) for n in range(N_ITEMS))
        states = [self._user(f"u{n}", now_ms) for n in range(N_USERS)]
        UserStore(client, profile_ttl_seconds=3_600, list_ttl_seconds=3_600).write(states)
        segments = ["all", "country:DE", "device:mobile", *{f"category:{category(n)}" for n in range(35)}]
        fallbacks = {segment: self._published(range(0, N_ITEMS, 3), 150, now_ms).to_json() for segment in segments}
        RankStore(client, ttl_seconds=3_600).publish_fallbacks(fallbacks)

    def _user(self, user: str, now_ms: int) -> UserState:
        """Everyone bought something; one in five has no list, one in twenty a list that is too old."""
        n = int(user[1:])
        bought = self._random.sample(range(N_ITEMS), 6)
        kept_out = {item_id(item) for item in bought if category(item) != BOUGHT_AGAIN}
        self.bought[user] = kept_out
        profile = a_profile([(item_id(item), "purchase") for item in bought], ring_size=4)
        if n % 5 == 0:
            return UserState(user, profile, None)
        mine = [item for item in range(N_ITEMS) if item not in bought]
        as_of_ms = now_ms - (1_000 * 3_600_000 if n % 20 == 1 else 0)
        return UserState(user, profile, self._published(mine, N + N_SPARE, as_of_ms).to_json())

    def _published(self, items, n: int, as_of_ms: int) -> PublishedList:
        chosen = [item_id(item) for item in self._random.sample(items, n)]
        return PublishedList(chosen[:N], [1.0] * N, as_of_ms, "m", "personal", "l", chosen[N:])


class Flips:
    """Takes items out of stock, hides and holds them, and brings them back, as fast as Redis takes it."""

    def __init__(self, url: str) -> None:
        self.gone_since: dict[str, float] = {}  # items whose end was written, until somebody begins to bring them back
        self.n_flips, self._stopped = 0, threading.Event()
        self._client = Redis.from_url(url)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        store, dice, updated_ms = CatalogueStore(self._client), random.Random(9), 1
        held: set[int] = set()
        while not self._stopped.is_set():
            updated_ms += 1
            for n in dice.sample(range(N_ITEMS), 8):
                item = item_id(n)
                if item in self.gone_since and dice.random() < 0.9:
                    del self.gone_since[item]  # from now on it may be shown
                    store.write([an_item(n, updated_ms, is_available=True)])
                    if n in held:
                        store.release(item)
                        held.discard(n)
                elif item not in self.gone_since and dice.random() < 0.4:
                    kind = dice.choice(["sold out", "hidden", "held"])
                    if kind == "held":
                        store.hold(item, Hold("recalled", 1))
                        held.add(n)
                    else:
                        store.write([an_item(n, updated_ms, is_available=False, is_hidden=kind == "hidden")])
                    self.gone_since[item] = time.monotonic()
                else:
                    continue
                self.n_flips += 1
            self._stopped.wait(0.01)

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()


class Served:
    """Counts positions, and those that should not be."""

    def __init__(self, shop: Shop, flips: Flips) -> None:
        self._shop, self._flips = shop, flips
        self.n_positions = 0
        self.gone: list[str] = []
        self.bought: list[tuple[str, str]] = []
        self.twice: list[list[str]] = []

    def add(self, user: str, told: dict, began: float) -> None:
        items = [item["item_id"] for item in told["items"]]
        gone_since = self._flips.gone_since
        self.gone += [item for item in items if (since := gone_since.get(item)) is not None and since < began]
        self.bought += [(user, item) for item in items if item in self._shop.bought[user]]
        self.twice += [items] if len(set(items)) < len(items) else []
        self.n_positions += len(items)


def test_nothing_hidden_sold_out_or_bought_is_served_while_stock_flips(url, tmp_path):
    with Redis.from_url(url) as client:
        shop = Shop(client)
        app = a_service(client, url, tmp_path)
        flips = Flips(url)
        served = Served(shop, flips)
        try:
            asyncio.run(read_all(app, served))
        finally:
            flips.stop()
        figures = asyncio.run(call(app, "GET", "/metrics", "", {})).body.decode()

    assert served.n_positions >= N_POSITIONS
    assert (len(served.gone), len(served.bought), served.twice) == (0, 0, [])
    assert "liveshelf_serving_redis_errors_total{" not in figures  # memory and file were not asked
    assert flips.n_flips > 2_000
    assert total(figures, "filtered_items", why="unavailable") > 20_000
    assert total(figures, "filtered_items", why="bought") > 100
    assert total(figures, "filled_items", reason="popular") > 20_000
    assert total(figures, "lists", source="personal") > 20_000
    assert total(figures, "lists_asked_for") > 1_000


def a_service(client: Redis, url: str, tmp_path):
    serving = ServingConfig(static_file=tmp_path / "lists.json", requests_per_minute=10**9, redis_timeout_ms=10_000)
    world = World(lambda metrics: Contact(url, 10.0, 0.5, metrics), CatalogueCopy(client), DueStore(client))
    return make_app(serving, ListsConfig(n=N, n_spare=N_SPARE, rules=RULES), CatalogueConfig(), Keys(), world)


async def read_all(app, served: Served) -> None:
    async with app.router.lifespan_context(app):
        await asyncio.gather(*[read(app, served, random.Random(seed)) for seed in range(16)])


async def read(app, served: Served, dice: random.Random) -> None:
    """Half of the positions one list at a time, half by batches, and now and then by country or category."""
    queries = ["", "", "", "country=DE", "device=mobile", "category=Shoes", "n=25"]
    while served.n_positions < N_POSITIONS:
        for _ in range(BATCH):
            user = f"u{dice.randrange(N_USERS)}"
            began = time.monotonic()
            answer = await call(app, "GET", f"/v1/lists/{user}", dice.choice(queries), {})
            assert answer.status == 200
            served.add(user, orjson.loads(answer.body), began)
        users = [f"u{dice.randrange(N_USERS)}" for _ in range(BATCH)]
        began = time.monotonic()
        answer = await call(app, "POST", "/v1/lists/batch", "", {}, orjson.dumps(users))
        for told in orjson.loads(answer.body)["lists"]:
            served.add(told["user_id"], told, began)


def total(figures: str, name: str, **labels: str) -> float:
    """Of all series that have at least these labels."""
    families = text_string_to_metric_families(figures)
    samples = (sample for family in families for sample in family.samples)
    told = [
        sample.value
        for sample in samples
        if sample.name == f"liveshelf_serving_{name}_total" and labels.items() <= sample.labels.items()
    ]
    assert told, f"no liveshelf_serving_{name}_total with {labels}"
    return sum(told)
