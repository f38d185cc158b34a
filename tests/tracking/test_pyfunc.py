"""The model as a pyfunc: it ranks as the hot path does, from what people write."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.errors import InputError
from pipelines.models.ranker import Histories
from pipelines.tracking.history_table import histories
from pipelines.tracking.pyfunc import RankerModel, save
from pipelines.tracking.text_hash import text_hash
from tests.models.builders import NOW_S, a_batch, a_config, best, learned
from tests.tracking.builders import VIEWS, Facts

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]
TEXTS = [*("x" * n for n in range(1, 70)), "item-00001", "Zürich", "日本語の名前です" * 5, "a\x00b"]


def a_row(*events, as_of_s=NOW_S, **context):
    """A user of these (seconds ago, event type, item)."""
    items, types, times = (
        [f"i{item}" for *_, item in events],
        [kind for _, kind, _ in events],
        [ago for ago, *_ in events],
    )
    history = {"history_items": items, "history_event_types": types}
    times_ms = [(NOW_S - ago) * 1000 + 999 for ago in times]
    return {"user": "u", **history, "history_times_ms": times_ms, "as_of_ms": as_of_s * 1000 + 999, **context}


def a_ranker(model=None):
    ranker = RankerModel()
    ranker.model = model or Facts().model
    return ranker


def test_it_ranks_as_the_model_does():
    facts = Facts()
    rows = [(90, "product_view", 1), (60, "purchase", 3), (30, "remove_from_cart", 2)]

    lists = a_ranker().predict(None, pd.DataFrame([a_row(*rows), a_row()]), {"n": 5})

    assert lists["items"].tolist() == [best(facts.model, *((0, *row) for row in rows)), best(facts.model)]
    assert lists["user"].tolist() == ["u", "u"]
    assert all(scores == sorted(scores, reverse=True) for scores in lists["scores"])
    assert len(a_ranker().predict(None, pd.DataFrame([a_row()]))["items"][0]) == facts.model.n_items < 10


def test_order_missing_lists_and_the_future_do_not_matter():
    rows = [(90, "product_view", 1), (60, "purchase", 3)]
    missing = a_row() | dict.fromkeys(("history_items", "history_event_types", "history_times_ms"))
    table = pd.DataFrame([a_row(*rows), a_row(*rows[::-1]), a_row(*rows, (-5, "purchase", 4)), a_row(), missing])

    plain, turned, with_future, nothing, with_none = a_ranker().predict(None, table)["scores"].tolist()

    assert plain == turned == with_future
    assert nothing == with_none != plain


def test_without_an_instant_the_newest_interaction_is_it():
    table = pd.DataFrame([a_row((90, "product_view", 1)), a_row()]).drop(columns="as_of_ms")

    read = histories(Facts().model, table)

    assert read.as_of_s.tolist() == [NOW_S - 90, 0]


def test_an_unknown_item_is_met_but_says_nothing():
    model = learned(*[a_batch(*VIEWS)], config=a_config(factorization={"history_items": 1}))
    known, then_unknown = [(90, "product_view", 1)], [(90, "product_view", 1), (60, "product_view", 99)]
    table = pd.DataFrame([a_row(*known), a_row(*then_unknown), a_row(*then_unknown[::-1]), a_row()])

    read = histories(model, table)
    scores = model.score(read)

    assert isinstance(read, Histories) and read.item.tolist() == [1, *[1, text_hash("i99")] * 2]
    assert scores[1].tolist() == scores[2].tolist() == scores[3].tolist() != scores[0].tolist()


def test_the_context_is_hashed_as_in_the_stream():
    read = histories(Facts().model, pd.DataFrame([a_row(country="FR"), a_row(country=None), a_row(country="")]))

    assert read.context.tolist() == [[0, text_hash("FR")], [0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"history_items": ["i1"]}, "row 1: expected lists of one length, got history_items 1, history_event_types 0"),
        (a_row((1, "wink", 1)), "row 1: wink: no interaction; known: product_view, "),
    ],
)
def test_a_history_that_makes_no_sense_is_named(changes, says):
    with pytest.raises(InputError, match=says):
        histories(Facts().model, pd.DataFrame([a_row(), a_row() | changes]))


def test_what_is_saved_takes_its_own_example_with_signature_and_pinned_requirements(tmp_path):
    import mlflow

    facts = Facts()
    save(tmp_path / "ranker", facts.config, facts.data, ["i1", "i3"])

    model = mlflow.pyfunc.load_model(str(tmp_path / "ranker"))
    lists = model.predict(model.input_example, params={"n": 2})
    assert lists.shape == (2, 3) and [len(items) for items in lists["items"]] == [2, 2]
    assert model.metadata.get_params_schema().to_dict() == [{"name": "n", "type": "long", "default": 10, "shape": None}]
    assert "device" in model.metadata.get_input_schema().input_names()
    requirements = (tmp_path / "ranker/requirements.txt").read_text().split()
    assert all("==" in line for line in requirements) and f"numpy=={np.__version__}" in requirements


SAVE_FROM_ZIP = """
import sys
from pathlib import Path
import pipelines
from pipelines.tracking.pyfunc import save
from tests.tracking.builders import Facts
assert ".zip" in pipelines.__file__
save(Path(sys.argv[1]), Facts().config, Facts().data, ["i1"])
"""


def test_a_model_is_saved_where_the_code_came_in_a_zip(tmp_path):
    """As under spark-submit, on a machine where Liveshelf is not installed."""
    with zipfile.ZipFile(tmp_path / "pyfiles.zip", "w") as packed:
        for path in (PROJECT / "pipelines").rglob("*.py"):
            packed.write(path, path.relative_to(PROJECT))
    environment = os.environ | {"PYTHONPATH": f"{tmp_path / 'pyfiles.zip'}{os.pathsep}{PROJECT}"}

    subprocess.run(
        [sys.executable, "-c", SAVE_FROM_ZIP, str(tmp_path / "ranker")], env=environment, cwd=tmp_path, check=True
    )

    assert "RankerModel" in (tmp_path / "ranker/pyfunc_code.py").read_text()


@pytest.mark.spark
def test_texts_are_hashed_as_by_spark(spark):
    from pyspark.sql import functions as F

    texts = spark.createDataFrame([(text,) for text in TEXTS], "text string")
    by_spark = dict(texts.select("text", F.xxhash64("text")).collect())

    assert {text: text_hash(text) for text in TEXTS} == {text: value % 2**64 for text, value in by_spark.items()}
