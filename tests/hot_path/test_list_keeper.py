"""A round of the keeper of lists, on Spark: lists by time, renewals, and the table of lists."""

from dataclasses import replace
from pathlib import Path

import pytest
from deltalake import DeltaTable

from pipelines.catalogue.item import CatalogueItem
from pipelines.hot_path.list_keeper import ListKeeper, shared_out
from pipelines.hot_path.versions import Promoted
from pipelines.hot_path.worker import StageSettings, worker_for
from pipelines.list_sections import ListsConfig
from pipelines.model_sections import ModelConfig
from pipelines.sections import ProfileConfig
from pipelines.sinks.lists import ListTable
from pipelines.stores.catalogue import CatalogueStore
from pipelines.stores.due import DueStore
from pipelines.stores.list_log import ListLog
from pipelines.stores.renewals import RenewalStore
from tests.hot_path.micro_batches import FakeBatch, a_learner, list_of, model_bytes, run, some_rows, the_sums

pytestmark = [pytest.mark.spark, pytest.mark.servers]
NOW_S = 1_900_000_000
USERS = [f"u{number}" for number in range(12)]


class Shop:
    """The stage with its learner, and the keeper of lists beside it; nobody waits for a clock."""

    def __init__(self, spark, redis_url, client, table: Path, **lists):
        self.settings = StageSettings(
            redis_url, 7, ProfileConfig(), ListsConfig(n=3, **lists), ModelConfig(), the_sums()
        )
        self.spark, self.client, self.table = spark, client, table
        self.champion: str | None = None
        self.learner = a_learner(redis_url, champions=self)
        self.n_batches = self.n_events = 0
        self.log = ListLog(client)

    def take(self, version):
        """What is champion: as the learner asks."""
        is_new = self.champion not in (None, version)
        return Promoted(self.champion, model_bytes(self.settings)) if is_new else None

    def clicks(self, *rows, start_s=1_570_000_000):
        named = [(user, item, self.n_events + place) for place, (user, item) in enumerate(rows)]
        batch = some_rows(named, first_offset=self.n_events, start_s=start_s)
        self.learner(FakeBatch(run(self.settings, self.n_batches, batch)), self.n_batches)
        self.n_batches, self.n_events = self.n_batches + 1, self.n_events + len(rows)

    def round(self, now_s=NOW_S) -> ListKeeper:
        """One round, by a keeper that begins and ends with it."""
        one = ListKeeper(
            self.spark, self.settings, DueStore(self.client), self.log, RenewalStore(self.client),
            ListTable(str(self.table)), lambda: self.learner.model_version, lambda: now_s,
        )  # fmt: skip
        one.stop()
        return one

    def filed(self) -> list[dict]:
        rows = DeltaTable(str(self.table)).to_pyarrow_table().to_pylist()
        return sorted(rows, key=lambda row: (row["made_at"], row["user"]))

    def causes(self) -> dict[str, list[str]]:
        return {user: [row["cause"] for row in self.filed() if row["user"] == user] for user in USERS}


@pytest.fixture
def shop(spark, redis_url, redis_client, tmp_path) -> Shop:
    worker_for.cache_clear()
    shop = Shop(spark, redis_url, redis_client, tmp_path / "lists")
    shop.clicks(*[("teacher", f"i{number}") for number in range(10)])
    return shop


def test_a_shop_where_nobody_clicks_any_more_still_gets_its_lists(shop):
    shop.clicks(*[(user, "i1") for user in USERS])
    assert [list_of(shop.client, user) for user in USERS] == [None] * len(USERS)

    first = shop.round()
    again = shop.round()

    assert all(len(list_of(shop.client, user).items) == 3 for user in USERS)
    assert (first.figures()["n_swept_lists"], again.figures()["n_swept_lists"]) == (len(USERS), 0)
    assert first.figures()["n_lists_by_time"] + first.figures()["n_lists_renewed"] == len(USERS)
    assert shop.causes() == {user: ["time"] for user in USERS}


def test_a_filed_list_says_what_was_published(shop):
    shop.clicks(*[("u1", f"i{number}") for number in range(5)])
    shop.round()

    published, (row,) = list_of(shop.client, "u1"), [row for row in shop.filed() if row["user"] == "u1"]
    assert row["items"] == published.items and row["scores"] == published.scores
    assert row["list_id"] == published.list_id and row["model"] == published.model
    assert round(row["made_at"].timestamp() * 1000) == published.as_of_ms
    assert (row["partition"], row["offset"], row["cause"]) == (0, 14, "interactions")


def test_an_interruption_between_filing_and_forgetting_files_nothing_twice(shop, monkeypatch):
    shop.clicks(*[(user, "i1") for user in USERS])
    with monkeypatch.context() as crash:
        crash.setattr(ListLog, "finish", lambda *_: (_ for _ in ()).throw(RuntimeError("killed")))
        assert shop.round().figures()["lists_error"] == "RuntimeError: killed"
    n_filed = len(shop.filed())
    shop.clicks(*[("late", f"i{number}") for number in range(5)])

    shop.round()
    assert len(shop.filed()) == n_filed == 1 + len(USERS)
    shop.round()
    assert [row["user"] for row in shop.filed()].count("late") == 1 and len(shop.filed()) == n_filed + 1


def test_another_champion_renews_the_lists_of_the_active_the_most_recent_first(shop):
    for place, user in enumerate(USERS):
        shop.clicks(*[(user, f"i{number}") for number in range(5)], start_s=NOW_S - 1_000_000 + 100_000 * place)
    shop.settings = replace(
        shop.settings, lists=ListsConfig(n=3, renewal_days=5, renewals_per_second=0.4, sweep_seconds=5)
    )
    shop.round()
    assert shop.causes() == {user: ["interactions"] for user in USERS}
    shop.champion = "8"
    shop.clicks(("teacher", "i1"))

    assert shop.round().figures()["n_renewals_sought"] == 6
    renewed = []
    for _ in range(6):
        shop.round()
        renewed.append({user for user, causes in shop.causes().items() if "champion" in causes})

    assert {list_of(shop.client, user).model.split("-")[0] for user in renewed[-1]} == {"8"}
    assert renewed[-1] == set(USERS[-6:])  # active within five days
    assert [len(users) for users in renewed] == [2, 4, 6, 6, 6, 6]  # 0.4 a second, in rounds of five
    assert all(causes.count("champion") <= 1 for causes in shop.causes().values())


def test_a_list_with_an_item_that_is_gone_is_renewed_and_no_other(shop):
    for user in USERS[:3]:
        shop.clicks(*[(user, f"i{number}") for number in range(5)], start_s=NOW_S - 1_000)
    before = {user: list_of(shop.client, user) for user in USERS[:3]}
    shop.round()
    gone = before["u0"].items[0]
    having = {user for user, made in before.items() if gone in made.items}
    CatalogueStore(shop.client).write([CatalogueItem(gone, hidden=True, updated_ms=1)])

    assert shop.round().figures()["n_renewals_sought"] == len(having) > 0
    shop.round()

    assert {user for user, causes in shop.causes().items() if "unavailable" in causes} == having
    assert not [user for user in USERS[:3] if gone in list_of(shop.client, user).items]
    assert shop.round().figures()["n_renewals_sought"] == 0


def test_nothing_is_renewed_for_a_new_shop(shop):
    shop.clicks(*[("u1", f"i{number}") for number in range(5)])

    assert shop.round().figures()["n_renewals_sought"] == 0


@pytest.mark.parametrize(
    ("waiting", "n_most", "expected"),
    [
        pytest.param({3: 10, 5: 1}, 100, {3: 10, 5: 1}, id="all"),
        pytest.param({3: 10, 5: 10}, 7, {3: 4, 5: 3}, id="even-shares"),
        pytest.param({1: 9, 2: 9, 3: 9}, 2, {1: 1, 2: 1}, id="fewer-than-shards"),
    ],
)
def test_a_round_takes_no_more_than_it_may(waiting, n_most, expected):
    assert shared_out(waiting, n_most) == expected
