"""Profiles rebuilt in the live Redis, beside the hot path, without Spark."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from pipelines.errors import ConflictError
from pipelines.features.profile_bytes import decode
from pipelines.hot_path import rebuild
from pipelines.hot_path.learner import OnlineLearner
from pipelines.hot_path.rebuild import RebuildReport, rebuild_other_versions, rebuild_slice, whole_slices
from pipelines.hot_path.worker import StageSettings, Worker
from pipelines.stores.keys import profile_key
from pipelines.stores.model import ModelStore
from pipelines.stores.rebuild_progress import RebuildProgress
from tests.hot_path.micro_batches import FakeBatch, list_of, run, some_logins, some_rows, the_sums
from tests.hot_path.test_stage import TAG, settings

__all__ = ["settings"]  # a fixture

SEVEN = [("u1", f"i{number}", number) for number in range(7)]
SOURCE = (0 << 32) | TAG


def filed(clicks, first_offset=0, is_named=True) -> pa.Table:
    """Rows of `to_filed_interactions`."""
    rows = pa.Table.from_batches([some_rows(clicks, first_offset, is_named=is_named)])
    more = {
        "source": pa.array([SOURCE] * len(rows), pa.int64()),
        "is_login": pa.array([False] * len(rows)),
        "giver": pa.nulls(len(rows), pa.string()),
        "becomes": pa.nulls(len(rows), pa.string()),
        "since_s": pa.nulls(len(rows), pa.int64()),
    }
    for name, values in more.items():
        rows = rows.append_column(name, values)
    return rows


def stored(client, user="u1"):
    return decode([client.get(profile_key(user))])


def assert_has(client, n_interactions, generation) -> None:
    profile = stored(client)
    assert (profile.n_interactions[0], profile.generation[0]) == (n_interactions, generation)
    newest = n_interactions - 1
    expected = sum(2.0 ** ((number - newest) / 3600) for number in range(n_interactions))
    assert profile.sums[0, 0] == pytest.approx(expected, rel=1e-12)


def test_a_lost_profile_is_restored_with_its_mark_and_its_list(settings, redis_client):
    learner_of_a_model(settings, redis_client)
    redis_client.delete(profile_key("u1"), "list:{u1}")

    report = rebuild_slice(settings, Worker(settings), filed(SEVEN))

    assert report == RebuildReport(n_interactions=7, n_users=1, n_replaced=1)
    assert_has(redis_client, 7, generation=1)
    assert stored(redis_client).marks[0, 0].tolist() == [SOURCE, 7]
    assert list_of(redis_client, "u1").items
    (replayed,) = run(settings, 1, some_rows(SEVEN))
    assert (replayed["n_replayed"], replayed["n_new"]) == (7, 0)


def learner_of_a_model(settings, client) -> None:
    """A model in Redis that knows the items, as a learner publishes it."""
    store = ModelStore(client)
    learner = OnlineLearner(store, settings.model, lambda figures: None)
    learner(FakeBatch(run(settings, 0, some_rows(SEVEN)), lineage="lineage"), 0)


def test_a_rebuild_of_what_is_right_writes_nothing(settings, redis_client):
    run(settings, 0, some_rows(SEVEN))
    before = redis_client.get(profile_key("u1"))

    report = rebuild_slice(settings, Worker(settings), filed(SEVEN))

    assert report.n_same == 1 and redis_client.get(profile_key("u1")) == before


class Raced(Worker):
    """A hot path that writes between each read of the rebuild and its write, some times."""

    def __init__(self, settings: StageSettings, times: int) -> None:
        super().__init__(settings)
        read, self._left, self._offset = self.users.read_profiles, times, 3

        def read_then_lose(users):
            values = read(users)
            if self._left:
                self._left -= 1
                run(settings, self._offset, some_rows(SEVEN[self._offset : self._offset + 1], self._offset))
                self._offset += 1
            return values

        self.users.read_profiles = read_then_lose


def test_what_the_hot_path_writes_meanwhile_is_kept_and_joined(settings, redis_client):
    report = rebuild_slice(settings, Raced(settings, times=2), filed(SEVEN[:3]))

    assert report.n_replaced == 1
    assert_has(redis_client, 5, generation=1)


def test_a_user_who_is_never_still_ends_the_rebuild_with_a_reason(settings, monkeypatch):
    monkeypatch.setattr(rebuild, "MAX_ROUNDS", 2)

    with pytest.raises(ConflictError, match=r"'u1'.*changed 2 times"):
        rebuild_slice(settings, Raced(settings, times=3), filed(SEVEN[:3]))


def of_a_login(gifts, user="u1", visitor="a1") -> pa.Table:
    """Rows of `to_filed_interactions` of a user: what the visitor gave, and the login."""
    n = len(gifts)
    rows = filed([(user, item, number) for _, item, number in [*gifts, ("", "", 0)]], is_named=False)
    for name, values in (
        ("source", pa.array([0] * (n + 1), pa.int64())),
        ("giver", pa.array([visitor] * (n + 1))),
        ("is_login", pa.array([False] * n + [True])),
        ("becomes", pa.array([None] * n + [user], pa.string())),
        ("since_s", pa.array([None] * n + [0], pa.int64())),
    ):
        rows = rows.set_column(rows.schema.get_field_index(name), name, values)
    return rows


def test_a_lost_link_comes_back_with_all_that_the_visitor_did_meanwhile(settings, redis_client):
    done = [("a1", f"i{number}", number) for number in range(7)]
    run(settings, 0, some_rows(done[4:6], first_offset=4, is_named=False))  # after the loss, and not filed yet

    rebuild_slice(settings, Worker(settings), of_a_login(done[:4]))
    run(settings, 1, some_rows(done[6:], first_offset=6, is_named=False))
    run(settings, 2, some_logins([("u1", "a1", 0)], partition=1))

    assert stored(redis_client, "a1").links[0].user == "u1" and stored(redis_client, "a1").n_interactions[0] == 3
    assert stored(redis_client).n_interactions[0] == 7 and stored(redis_client).is_joined[0]


def test_a_link_alone_outlives_a_new_version(settings, redis_client):
    run(settings, 0, some_logins([("u1", "a1", 0)]))
    before = redis_client.get(profile_key("a1"))
    newer = replace(settings, online=the_sums(2))

    rebuild_other_versions(newer, Worker(newer))

    assert redis_client.get(profile_key("a1")) == before


def test_profiles_that_events_does_not_know_come_along_to_a_new_version(settings, redis_client):
    run(settings, 0, some_rows([("unfiled", "i1", 1), ("unfiled", "i2", 2)]))
    redis_client.set(profile_key("old"), b"\x01" + bytes(15))
    newer = replace(settings, online=replace(the_sums(2), weight_of_code=the_sums().weight_of_code * 10))

    report = rebuild_other_versions(newer, Worker(newer))

    profile = stored(redis_client, "unfiled")
    assert report.n_replaced == 1 and (profile.features_version[0], profile.n_interactions[0]) == (2, 2)
    assert profile.sums[0, 0] == pytest.approx(10 * (1 + 2 ** (-1 / 3600)))
    assert redis_client.get(profile_key("old")) is None, "a profile that nobody can read stops the hot path"


def test_a_plan_goes_on_where_it_was_and_another_one_begins(redis_client):
    progress = RebuildProgress(redis_client)
    assert progress.begin("a") == set()
    progress.mark(3)
    progress.mark(3)

    assert progress.begin("a") == {3}
    assert progress.begin("b") == set()
    progress.finish()
    assert redis_client.keys("*rebuild*") == []


def test_slices_are_cut_whole_from_a_partition_however_its_batches_lie():
    rows = filed(SEVEN).append_column("slice", pa.array([4, 4, 9, 9, 9, 9, 11], pa.int64()))
    batches = [batch for table in (rows[:1], rows[1:4], rows[4:]) for batch in table.to_batches()]

    cut = [(number, rows["time_s"].to_pylist()) for number, rows in whole_slices(iter(batches))]

    times = (1_570_000_000 + np.arange(7)).tolist()
    assert cut == [(4, times[:2]), (9, times[2:6]), (11, times[6:])]
