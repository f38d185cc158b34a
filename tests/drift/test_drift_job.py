"""The job on a filed shop: what is planted is found and named, what is missing too, and a quiet shop is quiet."""

import json
from datetime import datetime, timedelta, timezone

import pytest
from deltalake import DeltaTable

from pipelines.drift_schemas import DRIFT
from pipelines.features.definitions import load_definitions
from pipelines.features.tables import table_path, table_schema
from pipelines.local.shop import Plant, Shop, ShopConfig
from tests.conftest import PROJECT
from tests.drift.lake import Lake

pytestmark = pytest.mark.spark

PER_DAY, DAYS = 1_500, 9
TIMES = ("as_of", "window_start", "reference_start")
CONFIG = ShopConfig(n_users=800, n_items=300, n_events=PER_DAY * DAYS, events_per_second=PER_DAY / 86_400, seed=4)
END = datetime.fromtimestamp(CONFIG.start_ms / 1000, timezone.utc) + timedelta(days=DAYS)


@pytest.fixture(scope="module")
def quiet(spark, tmp_path_factory):
    """A shop that nothing happens to."""
    lake = Lake(tmp_path_factory.mktemp("quiet"))
    lake.file(Shop(CONFIG))
    return lake


def told(result):
    return {row["name"]: row for row in json.loads(result.stdout)["features"]}


def kept(lake):
    return DeltaTable(lake.path("drift")).to_pyarrow_table().to_pylist()


def test_a_quiet_shop_raises_no_alarm_and_a_second_run_writes_nothing(quiet, tmp_path):
    results = [quiet.detect(END, "--json", "--result", str(tmp_path / "result.json")) for _ in range(2)]

    assert [result.exit_code for result in results] == [0, 0], results[0].stderr
    assert results[0].stdout == results[1].stdout == (tmp_path / "result.json").read_text() + "\n"
    found = json.loads(results[0].stdout)
    assert (found["is_drifting"], found["is_well"]) == (False, True)
    features = told(results[0])
    assert features["events.device_type"]["verdict"] == features["lists.served_ndcg"]["verdict"] == "stable"
    assert features["lists.category"]["verdict"] == "stable"
    rows = kept(quiet)
    assert len(rows) == len(features) and {row["drift_id"] for row in rows} == {found["drift_id"]}
    (device,) = [row for row in rows if row["name"] == "events.device_type"]
    assert sum(device["current"]) == device["n_current"] == pytest.approx(PER_DAY, rel=0.05)
    assert len(device["bins"]) == len(device["reference"]) == 3


def test_an_empty_window_is_an_alert_in_one_line(quiet):
    result = quiet.detect(END + timedelta(days=1), "--json")

    assert result.exit_code == 3
    assert [line.split("; ")[0] for line in json.loads(result.stdout)["alerts"]] == [
        f"{table}: no row in the last 24 hours" for table in ("events", "lists")
    ]


def test_a_shop_that_has_been_silent_for_weeks_is_an_alert(quiet):
    result = quiet.detect(END + timedelta(days=60))

    assert result.exit_code == 3 and "events: no row in the last 24 hours; nor since 2026-" in result.stderr


def test_a_lake_without_any_event_is_no_alert(spark, tmp_path):
    assert Lake(tmp_path).detect(END).exit_code == 0


def test_a_reference_that_is_too_short_is_refused_by_name(quiet):
    result = quiet.detect(END, "--reference-days", "2")

    assert result.exit_code == 1 and "raise reference_days" in result.stderr


@pytest.fixture(scope="module")
def planted(spark, tmp_path_factory):
    """A shop whose prices are in cents in its last day."""
    lake = Lake(tmp_path_factory.mktemp("planted"))
    lake.file(Shop(CONFIG, Plant("price_unit", PER_DAY * (DAYS - 1))), with_lists=False)
    return lake


def test_a_broken_price_unit_is_found_named_and_drawn(planted, tmp_path):
    result = planted.detect(END, "--report", str(tmp_path))

    assert result.exit_code == 3
    assert "events.price: median" in result.stderr and "PSI" in result.stderr
    shown = result.stdout.splitlines()
    assert [line.split()[:2] for line in shown if line.startswith("drift")] == [["drift", "events.price"]]
    page = (tmp_path / "drift.html").read_text()
    assert page.index("events.price") < page.index("events.device_type")
    assert page.count("data:image/svg+xml") >= 7
    assert 'src="http' not in page and "<script" not in page


def test_a_change_of_taste_is_found_in_the_lists_that_were_served(spark, tmp_path):
    lake = Lake(tmp_path)
    lake.file(Shop(CONFIG, Plant("taste_change", PER_DAY * (DAYS - 1))))

    result = lake.detect(END, "--json")

    served = told(result)["lists.served_ndcg"]
    assert (served["verdict"], result.exit_code) == ("drift", 3)
    assert served["figure"] > 0.5 and served["change"].startswith("NDCG@10 0.")


def test_a_column_that_is_gone_is_missing_because_the_last_run_had_it(planted, spark):
    assert planted.detect(END, "--exit-zero").exit_code == 0
    spark.sql(f"UPDATE delta.`{planted.path('events')}` SET extra = map()")

    result = planted.detect(END + timedelta(hours=1), "--json")

    gone = told(result)["events.brand"]
    assert (gone["verdict"], result.exit_code) == ("missing", 3)
    assert gone["change"].startswith("no row of either window has it; the last run had ")


def test_features_are_compared_with_what_earlier_runs_counted(spark, tmp_path):
    lake = Lake(tmp_path)
    definitions = load_definitions(PROJECT / "conf/features.yaml")

    def detect(day, factor):
        as_of = END + timedelta(days=day, minutes=-30)
        rows = [{"user": f"u{n}", "as_of": as_of, "interest_day": factor * (1 + n % 17)} for n in range(300)]
        path, schema = table_path(definitions, "user"), table_schema(definitions, "user")
        lake.write(path, schema, rows, mode="overwrite")
        return told(lake.detect(END + timedelta(days=day), "--json"))["user_features.interest_day"]

    first = detect(0, 1)
    rows = kept(lake)
    for days in (1, 2):  # as if it had run the days before, too
        times = {name: row_time - timedelta(days=days) for name, row_time in rows[0].items() if name in TIMES}
        lake.write("drift", DRIFT, [row | times | {"drift_id": f"earlier-{days}"} for row in rows])

    assert first["verdict"] == "no reference"
    changed = detect(1, 4)
    assert (changed["verdict"], changed["change"].split(",")[0]) == ("drift", "median 9 → 36")


def test_the_table_has_the_columns_of_its_schema(quiet):
    assert set(kept(quiet)[0]) == set(DRIFT.names)
