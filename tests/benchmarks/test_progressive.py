"""Test, then train: on tiny logs, what is foretold, and that nothing is known before it happened."""

import gzip

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import progressive
from pipelines.model_sections import ModelConfig
from pipelines.models.kinds import KINDS, empty
from tests.benchmarks.shops import a_log

SECOND = 1 / 86_400
REES46 = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session"


def foretold(*rows, kind="own_history", batch=1):
    config = ModelConfig(kind=kind)
    return progressive.foretold(a_log(*rows), empty(config), config, batch)


@pytest.mark.parametrize("kind", KINDS)
def test_every_ranker_foretells_a_habit(kind):
    rows = [("ann", "tea", day) for day in range(6)] + [("bob", f"i{day}", day + 0.5) for day in range(6)]

    told = foretold(*rows, kind=kind)

    assert told.rank[told.user == 0].tolist()[2:] == [0] * 4
    assert (told.rank[told.user == 1] == progressive.NOT_MET).all()


def test_an_item_that_nobody_met_is_a_miss_however_short_the_catalogue():
    told = foretold(("ann", "tea", 0), ("bob", "jam", 1), ("bob", "cup", 2))

    assert told.hit_rates()["all"].mean == 0.0


def test_a_micro_batch_is_ranked_by_the_model_before_it():
    told = foretold(("ann", "tea", 0), ("bob", "jam", 1), ("bob", "jam", 2), batch=3)

    assert told.rank.tolist() == [progressive.NOT_MET] * 3


def test_history_reaches_into_the_micro_batch_but_not_into_the_second():
    told = foretold(("ann", "tea", 0), ("bob", "tea", 1), ("bob", "tea", 1), ("bob", "tea", 1 + SECOND), batch=4)

    assert told.had_history.tolist() == [False, False, False, True]
    assert told.is_new.tolist() == [True, True, True, False]


def test_hit_rates_are_told_of_all_of_known_users_and_of_new_items():
    told = progressive.Foretold(
        user=np.array([0, 0, 1, 1]),
        rank=np.array([progressive.NOT_MET, 0, 0, progressive.K - 1]),
        had_history=np.array([False, True, False, True]),
        is_new=np.array([True, True, True, False]),
    )

    assert {of: rate.mean for of, rate in told.hit_rates().items()} == {"all": 0.75, "with_history": 1.0, "new": 2 / 3}


def test_the_command_reads_a_log_and_leaves_the_published_results_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(progressive, "publish", lambda *_: pytest.fail("published"))
    lines = [f"2019-10-01 00:00:0{n} UTC,view,{n % 3},7,,b,9.5,{n % 2},s" for n in range(9)]
    path = tmp_path / "day.csv.gz"
    path.write_bytes(gzip.compress("\n".join([REES46, *lines, "cut in the mid"]).encode()))

    result = CliRunner().invoke(progressive.main, ["--data", str(path), "popularity"], catch_exceptions=False)

    assert result.exit_code == 0 and "9 events, micro-batches of 200" in result.output, result.output


def test_data_that_is_not_there_is_asked_for_by_name():
    result = CliRunner().invoke(progressive.main, ["--data", "/no/such/log"])

    assert result.exit_code == 1
    assert "/no/such/log: no such file" in result.output and "LIVESHELF_REES46" in result.output
