"""Workers that share the model's arrays hold the driver's bytes, as those do that have their own."""

import errno

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from pipelines.hot_path import shared_model as shared_module
from pipelines.hot_path.model_copy import ModelCopy
from pipelines.hot_path.shared_model import SharedModel, folder_of_user
from pipelines.models.kinds import empty, from_bytes
from tests.hot_path.published import Published
from tests.models.builders import DAY_S, a_batch, a_config, histories

CONFIG = a_config(max_items=150, expire_after_days=30.0)


class Driver:
    """Learns from micro-batches and publishes every step."""

    def __init__(self, config=CONFIG, store: Published | None = None) -> None:
        self.config, self.lineage = config, "one"
        self.store, self.model, self.batch_id, self._n_items = store or Published(), empty(config), -1, 0
        self.store.snapshot(self.lineage, -1, self.model)

    def step(self, n_new: int = 3, days: float = 0.0) -> None:
        """Learn of some new items, at least, and of old ones, each clicked twice."""
        random = np.random.default_rng(self.batch_id + 1)
        items = [
            *range(self._n_items + 1, self._n_items + n_new + 1),
            *random.integers(1, max(self._n_items, 1) + 1, 4).tolist(),
        ]
        self._n_items += n_new
        rows = [
            (user, DAY_S * (200 - days) - n, "click", int(item))
            for n, item in enumerate(items)
            for user in (n, n + 500)
        ]
        facts = {int(item): (1 + int(item) % 4, int(item) % 3) for item in items}
        gradient = self.model.gradient(a_batch(*rows, facts=facts), self.batch_id + 1)
        self.publish(self.model.apply([gradient.data]), self.model.trim())

    def publish(self, patch: bytes, is_moved: bool) -> None:
        self.batch_id += 1
        if is_moved:
            self.snapshot()
            self.store.patch(self.batch_id)
        else:
            self.store.patch(self.batch_id, patch)

    def snapshot(self) -> None:
        self.store.snapshot(self.lineage, self.batch_id, self.model)

    def promote(self, model: bytes) -> None:
        """Go on from another version; with it the columns are others."""
        self.model = from_bytes(self.config, model)
        self.publish(b"", is_moved=True)


def a_worker(driver: Driver, folder, application="app") -> ModelCopy:
    """A process has a SharedModel of its own."""
    return ModelCopy(driver.store, driver.config, SharedModel(str(folder), application))


def caught_up(driver: Driver, *workers: ModelCopy) -> bool:
    for worker in workers:
        worker.catch_up()
    scores = driver.model.score(asked()).tobytes()
    assert all(worker.model.score(asked()).tobytes() == scores for worker in workers), "something kept is out of date"
    return all(worker.model.to_bytes() == driver.model.to_bytes() for worker in workers)


def mapped(worker: ModelCopy):
    return worker._shared._mapped


def a_file(worker: ModelCopy):
    (path,) = worker._shared.folder.glob("*.model")
    return path


def asked(n_users: int = 4):
    return histories(
        *((user, 60 - n, "click", 1 + user + 3 * n) for user in range(n_users) for n in range(3)), n_users=n_users
    )


@pytest.fixture
def driver() -> Driver:
    driver = Driver()
    for _ in range(3):
        driver.step()
    driver.snapshot()
    return driver


WHAT_COMES = st.sampled_from(
    ["step", "known items", "many items", "later", "snapshot", "promote", "lose", "another checkpoint", "leave"]
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(WHAT_COMES, st.sets(st.integers(0, 3), min_size=1)), min_size=1, max_size=14))
def test_whoever_catches_up_holds_the_drivers_bytes(tmp_path_factory, life):
    """Each time the driver publishes, some of four workers have a task; who has none sleeps."""
    folder, driver = tmp_path_factory.mktemp("shared"), Driver()
    driver.step()
    first = driver.model.to_bytes()
    workers = [a_worker(driver, folder) for _ in range(4)]
    for what, awake in life:
        if what == "leave":
            workers[min(awake)] = a_worker(driver, folder)
        elif what == "snapshot":
            driver.snapshot()
        elif what == "promote":
            driver.promote(first)
        elif what == "lose":
            driver.store.lose()
            driver.step()
            driver.snapshot()
        elif what == "another checkpoint":
            driver.lineage, driver.batch_id = driver.lineage + "+", 2
            driver.snapshot()
        else:
            driver.step({"many items": 70, "known items": 0}.get(what, 3), days=40 if what == "later" else 0)

        assert caught_up(driver, *(workers[number] for number in sorted(awake)))
    assert caught_up(driver, *workers)
    assert len(list(workers[0]._shared.folder.iterdir())) == 2  # the arrays and the lock


def test_a_step_is_written_by_one_and_seen_by_all(driver, tmp_path):
    one, other = workers = [a_worker(driver, tmp_path) for _ in range(2)]
    caught_up(driver, *workers)
    driver.step()
    one.catch_up()
    mark = one.model.scorer.tables["item"].values[:1]
    mark[:] = 7.0

    other.catch_up()

    assert (other.model.scorer.tables["item"].values[0] == 7.0).all()
    assert mapped(one).batch_id == mapped(other).batch_id == driver.batch_id == other.batch_id


def test_new_items_beyond_the_spare_rows_move_all_to_a_longer_file(driver, tmp_path):
    one, other = workers = [a_worker(driver, tmp_path) for _ in range(2)]
    caught_up(driver, *workers)
    before = a_file(one).stat()
    driver.step(n_new=100)

    assert caught_up(driver, *workers)
    after = a_file(one).stat()
    assert after.st_ino != before.st_ino and after.st_size > before.st_size
    assert not mapped(one).is_replaced(a_file(one)) and not mapped(other).is_replaced(a_file(one))


def test_lists_are_the_same_with_shared_arrays_and_write_nothing_to_them(driver, tmp_path):
    workers = [a_worker(driver, tmp_path), a_worker(driver, tmp_path), ModelCopy(driver.store, CONFIG)]
    assert caught_up(driver, *workers)
    before = a_file(workers[0]).read_bytes()
    coming = [a_batch((user, 5, "click", 900 + user), facts={900 + user: (2, 1)}) for user in range(3)]

    lists = []
    for worker, batch in zip([*workers, *workers], [*coming, *coming[1:], coming[0]], strict=True):
        worker.model.gradient(batch, 1)
        shown = worker.model.with_items(batch.facts, batch.timeline)
        assert shown.n_items == driver.model.n_items + 1
        lists.append([array.tobytes() for array in worker.model.best(asked(), 5)])
        twin = ModelCopy(driver.store, CONFIG)
        twin.catch_up()
        of_twin = twin.model.with_items(batch.facts, batch.timeline)
        assert shown.score(asked()).tobytes() == of_twin.score(asked()).tobytes()

    assert lists == lists[:1] * 6
    assert a_file(workers[0]).read_bytes() == before


def test_a_sleeper_is_not_served_by_arrays_of_other_columns(driver, tmp_path):
    early, first = a_worker(driver, tmp_path), driver.model.to_bytes()
    assert caught_up(driver, early)
    driver.step()
    driver.promote(first)
    driver.step(n_new=1)
    late = a_worker(driver, tmp_path)
    assert caught_up(driver, late)

    assert not mapped(late).serves("one", early.batch_id)
    assert caught_up(driver, early, late) and early.batch_id == driver.batch_id


def no_room(*_args, **_more):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("when", ["at the start", "later"])
def test_where_there_is_no_room_each_has_its_own_and_one_warning_says_so(driver, tmp_path, monkeypatch, when):
    worker, other = a_worker(driver, tmp_path), a_worker(driver, tmp_path)
    if when == "later":
        assert caught_up(driver, worker, other)
    monkeypatch.setattr(shared_module, "write_arrays", no_room)
    with capture_logs() as said:
        for n_new in (100, 2, 100):
            driver.step(n_new)
            assert caught_up(driver, worker, other)

    warnings = [line for line in said if line["event"] == "model_not_shared"]
    assert len(warnings) == 2, "one of each worker"
    assert warnings[0]["error"].strerror == "No space left on device" and warnings[0]["folder"]
    owned = worker.model.scorer.tables["category"].values
    owned[:] = 9.0
    assert not (other.model.scorer.tables["category"].values == 9.0).any()


def test_a_write_that_fails_leaves_no_file(driver, tmp_path):
    arrays = driver.model.arrays()
    (tmp_path / "taken.model").mkdir()

    with pytest.raises(OSError):
        shared_module.write_arrays(tmp_path / "taken.model", arrays, lineage="one", since=0, batch_id=0)

    assert [path.name for path in tmp_path.iterdir()] == ["taken.model"]


def test_a_folder_of_somebody_else_is_not_used(driver, tmp_path, monkeypatch):
    worker = a_worker(driver, tmp_path)
    monkeypatch.setattr(shared_module.os, "getuid", lambda: 123_456)

    with capture_logs() as said:
        assert caught_up(driver, worker)
    assert [line["error"].strerror for line in said if "error" in line] == ["it belongs to somebody else"]


def test_what_dead_applications_left_is_removed_and_what_others_use_is_not(driver, tmp_path):
    living, dead = a_worker(driver, tmp_path, "living"), a_worker(driver, tmp_path, "dead")
    assert caught_up(driver, living, dead)
    folder = living._shared.folder
    (folder / "killed.model.new").write_bytes(b"half")
    del dead

    new = a_worker(driver, tmp_path, "new")
    assert caught_up(driver, new)
    assert {path.name for path in folder.iterdir()} == {"living.model", "new.model", "lock"}

    new._shared.remove()
    driver.step()
    assert {path.name for path in folder.iterdir()} == {"living.model", "lock"}
    assert caught_up(driver, living)


def test_a_file_that_somebody_deleted_is_made_anew(driver, tmp_path):
    one, other = a_worker(driver, tmp_path), a_worker(driver, tmp_path)
    assert caught_up(driver, one, other)
    a_file(one).unlink()
    driver.step()

    assert caught_up(driver, one, other)
    assert not mapped(one).is_replaced(a_file(one)) and not mapped(other).is_replaced(a_file(one))


def test_a_kind_without_large_arrays_is_not_shared(tmp_path):
    driver = Driver(a_config("popularity"))
    worker = a_worker(driver, tmp_path)
    driver.step()

    assert caught_up(driver, worker)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_the_users_own_in_shared_memory_or_the_temp_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(shared_module, "SHARED_MEMORY", tmp_path)
    assert folder_of_user("auto").parent == tmp_path
    monkeypatch.setattr(shared_module, "SHARED_MEMORY", tmp_path / "missing")
    monkeypatch.setattr(shared_module.tempfile, "gettempdir", lambda: "/elsewhere")
    assert str(folder_of_user("auto").parent) == "/elsewhere"
    assert folder_of_user(str(tmp_path)).parent == tmp_path
