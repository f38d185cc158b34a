"""The job `evaluate_model`: from tables and the registry to figures, rows, a page, and what the gate decides."""

import json
import math
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from click.testing import CliRunner
from deltalake import DeltaTable

from jobs import _evaluation_texts, evaluate_model
from pipelines.evaluation.rows import Window
from pipelines.evaluation.served import grouped, served_figures, served_places
from pipelines.evaluation_schemas import EVALUATIONS
from pipelines.models.kinds import empty, from_bytes
from pipelines.models.model import Model
from pipelines.schemas import LISTS
from pipelines.sinks.results import ResultTable
from pipelines.tracking.versions import Origin
from tests.jobs.test_train_model import FEW, SCHEMA, Lake
from tests.training.shop import a_log

pytestmark = pytest.mark.spark

LOG, SEEN = a_log(), 900
TYPES = ("click", "add_to_cart", "purchase")
SHOWN_PLACES = 5


def instant(number):
    return datetime.fromtimestamp(LOG[number][2], timezone.utc)


AS_OF = instant(-1)
WINDOW = Window(AS_OF - timedelta(days=0.3), AS_OF, 10)


def told_events():
    """(user, list, item number, place, event type, time): lists of the last hours, what was seen of them, what came of it."""
    rng = np.random.default_rng(5)
    for number in range(60):
        user, at = number % 13, AS_OF - timedelta(minutes=4 * number + 1)
        list_id = f"list-{number}" if number % 4 else f"features-v1-17000000{number:02d}-all"
        for place in range(SHOWN_PLACES):
            told = user, list_id, (number + place) % 24, place
            for _ in range(1 + place % 2):  # some are seen twice
                yield *told, "impression", at
            for kind, chance in zip(TYPES, (0.4, 0.2, 0.1), strict=True):
                if rng.random() < chance:
                    yield *told, kind, at + timedelta(seconds=30)
    yield 1, "list-1", 20, 9, "click", AS_OF - timedelta(minutes=9)  # of a place that nobody saw
    yield 1, "list-1", 1, 0, "click", AS_OF + timedelta(seconds=1)  # too late
    yield 1, "list-1", 1, 0, "purchase", AS_OF - timedelta(days=1)  # too early


def made_lists():
    """Version 1 or 2 made them, or one without a number; the first place is pinned, the second is there to be tried."""
    for number in range(60):
        if number % 4:
            made_at = AS_OF - timedelta(minutes=4 * number + 2)
            model = f"{number % 3 or 'new'}-abc-{number}"
            items = [f"i{(number + place) % 24}" for place in range(10)]
            values = {
                "user": f"u{number % 13}", "list_id": f"list-{number}", "made_at": made_at, "made_date": made_at.date(),
                "cause": "time", "source": "personal", "model": model, "items": items, "scores": [0.0] * 10, "spare": [],
                "reasons": {"pin": [0], "explore": [0, 1]},
            }  # fmt: skip
            yield tuple(values.get(column) for column in LISTS.names)


def list_events():
    for number, (user, list_id, item, place, kind, at) in enumerate(told_events()):
        values = {
            "event_id": f"l{number}", "event_type": kind, "user": f"u{user}", "item_id": f"i{item}", "list_id": list_id,
            "position": place, "event_time": at, "ingest_time": at, "event_date": at.date(), "extra": {},
        }  # fmt: skip
        yield tuple(values.get(column) for column in SCHEMA.names)


def add_lists(spark, path):
    spark.createDataFrame(list(made_lists()), LISTS).coalesce(1).write.format("delta").save(path)


def register(registry, kind, as_of=None):
    """What version 1 has counted, under a ranker of this kind; by default as old as that."""
    trained = registry.version(1)
    counted = from_bytes(registry.model_config(trained), registry.model_bytes(trained))
    config = counted.config.model_copy(update={"kind": kind})
    as_of_s = int(as_of.timestamp()) if as_of else counted.as_of_s
    origin = Origin("trained", int(trained.tags["features_version"]), counted.n_items, as_of_s)
    return registry.add(config, Model(config, counted.items, empty(config).scorer).to_bytes(), origin)


@pytest.fixture(scope="module")
def lake(spark, tmp_path_factory):
    """A champion of planted taste, a challenger that is popularity alone, and lists that were served."""
    made = Lake(spark, tmp_path_factory.mktemp("evaluate"))
    made.add(LOG)
    assert made.train(*FEW, "--until", instant(SEEN).strftime("%Y-%m-%dT%H:%M:%S")).exit_code == 0
    made.registry.name(register(made.registry, "popularity"), "challenger")
    spark.createDataFrame(list(list_events()), SCHEMA).coalesce(1).write.format("delta").mode("append").save(made._path)
    add_lists(spark, str(made.config.parent / "lake/lists"))
    return made


def evaluate(lake, *options, as_of=AS_OF):
    arguments = ["--as-of", as_of.isoformat(), "--holdout-days", "0.3", "--config", str(lake.config), *options]
    return CliRunner().invoke(evaluate_model.main, arguments, catch_exceptions=False)


def written(lake):
    path = lake.config.parent / "lake/evaluations"
    return DeltaTable(path).to_pyarrow_table().to_pylist() if path.exists() else []


def known_to_mlflow(lake):
    versions = lake.registry.versions()
    return [(v.number, v.aliases, dict(v.tags), lake.registry.metrics(v)) for v in versions]


@pytest.fixture(scope="module")
def dry(lake):
    before = written(lake), known_to_mlflow(lake)
    ended = evaluate(lake, "--gate", "--dry-run", "--json")
    assert (written(lake), known_to_mlflow(lake)) == before == ([], known_to_mlflow(lake))
    return ended


@pytest.fixture(scope="module")
def evaluated(lake, dry, tmp_path_factory):
    """What machines get, and the page."""
    folder = tmp_path_factory.mktemp("page")
    ended = evaluate(lake, "--gate", "--report", str(folder), "--result", str(folder / "result.json"))
    assert ended.exit_code == 0, ended.output
    return ended.output, json.loads((folder / "result.json").read_text()), next(folder.glob("*.html")).read_text()


def test_a_dry_run_says_the_same_and_changes_nothing(dry, evaluated):
    said = json.loads(dry.stdout)

    same = {"is_dry_run": False, "report": evaluated[1]["report"]}
    assert said | same == evaluated[1] and said["is_dry_run"]


def test_machines_get_models_with_intervals_beside_baselines(evaluated):
    _, told, _ = evaluated
    champion, challenger = told["models"]

    assert [(model["version"], model["role"]) for model in told["models"]] == [(1, "champion"), (2, "challenger")]
    assert champion["n_choices"] == challenger["n_choices"] > 200 and champion["not_judged"] is None
    assert champion["judged_from"] > instant(SEEN - 1).isoformat()  # inside the holdout: it has learned from the rest
    ndcg, popular = (champion["figures"][f"{ranking}.ndcg"] for ranking in ("model", "popularity"))
    assert popular["high"] < ndcg["low"] < ndcg["value"] < ndcg["high"]
    assert challenger["figures"]["model.ndcg"]["value"] == challenger["figures"]["popularity.ndcg"]["value"]
    assert told["is_well"] and not told["is_relevance_falling"]


def test_the_gate_keeps_the_champion_and_says_why(lake, evaluated):
    output, told, _ = evaluated
    tags = lake.registry.version(2).tags

    assert told["gate"]["decision"] == "keep" and "not better beyond the interval: ndcg -0." in told["gate"]["reason"]
    assert (tags["gate_decision"], tags["gate_reason"]) == ("keep", told["gate"]["reason"])
    assert lake.registry.champion() == 1 and "The gate says of version 2: keep" in " ".join(output.split())
    (row,) = [row for row in written(lake) if row["kind"] == "gate"]
    assert row["note"] == f"keep: {told['gate']['reason']}" and row["high"] < 0 and row["version"] == 2


def test_rows_and_metrics_say_what_machines_got_in_every_segment(lake, evaluated):
    rows = [row for row in written(lake) if row["kind"] == "holdout"]
    metrics = lake.registry.metrics(lake.registry.version(1))

    told = evaluated[1]["models"][0]["figures"]
    own = {f"{r['ranking']}.{r['metric']}": r for r in rows if (r["version"], r["segment"]) == (1, "all")}
    assert own.keys() == told.keys()
    for name, row in own.items():
        assert {key: row[key] for key in ("value", "low", "high", "n", "n_users")} == told[name]
    assert metrics["holdout_ndcg"] == told["model.ndcg"]["value"]
    assert metrics["holdout_popularity_ndcg_low"] == told["popularity.ndcg"]["low"]
    assert {r["segment"] for r in rows} >= {"all", "heavy_users", "casual_users", "not_met_before", "device:tv"}
    assert {r["role"] for r in rows} == {"champion", "challenger"} and {r["as_of"] for r in rows} == {AS_OF}


def test_the_same_instant_is_written_once(lake, evaluated):
    n_rows = len(written(lake))

    assert evaluate(lake, "--json").exit_code == 0 and len(written(lake)) == n_rows > 100


def test_relevance_below_that_of_earlier_evaluations_is_an_alert(lake, evaluated):
    (row,) = [
        row for row in written(lake)
        if (row["version"], row["ranking"], row["segment"], row["metric"]) == (1, "model", "all", "ndcg")
    ]  # fmt: skip
    for hours in (30, 40, 50):
        earlier = {"evaluation_id": f"earlier-{hours}", "as_of": AS_OF - timedelta(hours=hours), "value": 0.99}
        ResultTable(str(lake.config.parent / "lake/evaluations"), EVALUATIONS, "evaluation_id").append([row | earlier])

    ended = evaluate(lake, "--version", "1", "--json", "--dry-run", as_of=AS_OF + timedelta(seconds=1))

    told = json.loads(ended.stdout)
    assert ended.exit_code == 3 and told["is_relevance_falling"] and not told["is_well"]
    assert "NDCG@10 of the champion is 0." in told["alerts"][0] and "before was 0.990" in told["alerts"][0]
    assert told["gate"] is None and len(told["models"]) == 2  # version 1 is the champion: it is judged once


def test_a_version_that_has_seen_all_is_not_judged(lake, evaluated):
    lake.registry.name(register(lake.registry, "own_history", as_of=AS_OF), "challenger")

    ended = evaluate(lake, "--gate", "--json", "--dry-run", "--exit-zero")

    told = json.loads(ended.stdout)
    (seen,) = [model for model in told["models"] if model["role"] == "challenger"]
    assert seen["n_choices"] == 0 and "nobody chose anything after what it has learned from" in seen["not_judged"]
    assert told["gate"]["decision"] == "keep" and seen["not_judged"] in told["gate"]["reason"]


def test_the_page_has_words_plots_and_tables(evaluated):
    page = evaluated[2]

    for words in (
        "How good are the lists?",
        "champion 1",
        "NDCG@10",
        "own history",
        "on tv",
        "places by pin",
        "The gate",
    ):
        assert words in page
    assert page.count("data:image/svg+xml;base64,") >= 5 and "http" not in page.replace("http-equiv", "")


def test_served_rates_are_those_of_places_that_were_seen(spark, lake, evaluated):
    events = spark.createDataFrame(list(list_events()), SCHEMA)
    lists = spark.createDataFrame(list(made_lists()), LISTS)
    found = served_figures(grouped(served_places(events, lists, WINDOW.since, WINDOW.as_of)))

    figures = {(s.figure.ranking, s.version, s.figure.segment, s.figure.metric): s.figure for s in found}
    told = [row for row in told_events() if WINDOW.since <= row[5] < WINDOW.as_of]
    seen = {row[:3] for row in told if row[4] == "impression"}
    by = {kind: {row[:3] for row in told if row[4] == kind} & seen for kind in TYPES}
    place = {row[:3]: row[3] for row in told}
    for source, prefix in (("personal", "list-"), ("segment", "features-")):
        for segment, places in {"all": range(5), "places 1 to 3": range(3), "places 4 to 10": (3, 4)}.items():
            own = {p for p in seen if p[1].startswith(prefix) and place[p] in places}
            for metric, kind in zip(("click_through", "cart_rate", "conversion"), TYPES, strict=True):
                figure = figures[source, None, segment, metric]
                assert (figure.value, figure.n) == (len(by[kind] & own) / len(own), len(own))
                assert figure.low <= figure.value <= figure.high and figure.n_users == len({p[0] for p in own})
    of_one = {p for p in seen if p[1].startswith("list-") and int(p[1][5:]) % 3 == 1}
    assert figures["personal", 1, "all", "click_through"].n == len(of_one)
    pinned = figures["personal", 1, "reason:pin", "click_through"]
    assert pinned.n == len([p for p in of_one if place[p] == 0])  # pin comes before explore
    assert figures["personal", 1, "reason:explore", "click_through"].n == pinned.n
    assert {version for source, version, *_ in figures if source == "personal"} == {None, 1, 2}
    assert all(math.isfinite(figure.low) for figure in figures.values())
    in_table = [row for row in written(lake) if row["kind"] == "served" and row["as_of"] == AS_OF]
    assert len(in_table) == len(found) and {row["value"] for row in in_table} == {s.figure.value for s in found}


def test_before_the_first_event_and_version_there_is_nothing_to_judge(spark, tmp_path, monkeypatch):
    monkeypatch.setattr(_evaluation_texts.CONSOLE, "width", 200)

    ended = evaluate(Lake(spark, tmp_path), "--gate", "--report", str(tmp_path))

    assert ended.exit_code == 0, ended.output
    assert "no version to judge: `liveshelf train_model` makes the first" in ended.output
    assert "no challenger; no version is called challenger" in ended.output
    assert "No version of the model yet." in next(tmp_path.glob("*.html")).read_text()
