"""docs/queries.md: every block is run, and Spark and DuckDB give the same rows."""

import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import Schema, write_deltalake

from pipelines.features.definitions import load_definitions
from pipelines.features.tables import table_path, table_schema
from pipelines.schemas import LISTS, QUARANTINE, Contract

pytestmark = pytest.mark.spark

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs/queries.md").read_text(encoding="utf-8")
LAKE_OF_THE_PAGE, USER = ".liveshelf/lake", "user-00933"
EVENTS = Contract().events
TODAY = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
YESTERDAY, LATER = TODAY - timedelta(days=1), timedelta(hours=2)


def an_event(event_id, event_type, item, at, user=USER, category="shoes", late_s=0.5, list_id=None):
    return {
        "event_id": event_id, "event_type": event_type, "user": user, "item_id": item, "event_time": at,
        "event_date": at.date(), "ingest_time": at + timedelta(seconds=late_s), "lateness_seconds": late_s,
        "extra": {"category": json.dumps(category)}, "list_id": list_id,
    }  # fmt: skip


FIRST = [
    an_event("v1", "product_view", "i1", YESTERDAY),
    an_event("v2", "click", "i2", YESTERDAY, user="u2", category="hats"),
    an_event("c1", "add_to_cart", "i1", YESTERDAY + LATER, late_s=3.0),
    an_event("c2", "add_to_cart", "i2", YESTERDAY - LATER, user="u2", category="hats"),  # of the day before
    an_event("b2", "purchase", "i2", YESTERDAY + LATER, user="u2", category="hats", late_s=7200.0),  # never in the cart
    an_event("b1", "purchase", "i1", YESTERDAY + 2 * LATER, list_id="l1"),
    an_event("s1", "search", None, YESTERDAY + LATER),
]
SECOND = [
    an_event("v3", "product_view", "i3", TODAY, category="hats"),
    an_event("v4", "product_view", "i1", TODAY, user="u2", list_id="l2"),
    an_event("c3", "add_to_cart", "i3", TODAY + LATER, user="u2", category="hats"),  # who did not look at it
]
BROKEN = [
    {"record_id": f"r{n}", "rules": rules, "ingest_time": TODAY + n * LATER, "ingest_date": TODAY.date()}
    for n, rules in enumerate([["price_in_range", "user_present"], ["user_present"], ["record_parseable"]])
]


PUBLISHED = [
    {"user": USER, "list_id": "l1", "cause": "interactions", "made_at": YESTERDAY, "made_date": YESTERDAY.date()},
    {"user": "u2", "list_id": "l2", "cause": "time", "made_at": YESTERDAY, "made_date": YESTERDAY.date()},
    {"user": "u3", "list_id": "l3", "cause": "time", "made_at": YESTERDAY, "made_date": YESTERDAY.date()},
]
ITEMS = [
    {"item_id": "i1", "as_of": YESTERDAY + 2 * LATER, "item_popularity_day": 9.5, "item_conversion_month": 0.04},
    {"item_id": "i2", "as_of": TODAY, "item_popularity_day": 8.0, "item_conversion_month": 0.02},  # ahead of i1 by now
    {"item_id": "i3", "as_of": TODAY + LATER, "item_popularity_day": 4.0, "item_conversion_month": 0.03},
]
INTERESTS = [
    {"user": USER, "category": "shoes", "as_of": YESTERDAY, "category_interest_day": 9.0},
    {"user": USER, "category": "hats", "as_of": TODAY, "category_interest_day": 5.0},
    {"user": "u2", "category": "hats", "as_of": TODAY, "category_interest_day": 99.0},
]


def write(path, rows, schema, day_column=None):
    arrow = pa.schema(Schema.from_json(schema.json()).to_arrow())
    table = pa.Table.from_pylist([dict.fromkeys(schema.names) | row for row in rows], arrow)
    write_deltalake(path, table, mode="append", partition_by=day_column)


def blocks(kind):
    """(heading, text) of each block; the first line of a query names the engines it is for."""
    found, heading = [], ""
    for match in re.finditer(rf"^## ([^\n]*)$|^```{kind}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE):
        heading = match[1] or heading
        found += [(heading, match[2])] if match[2] else []
    return found


def queries(engine):
    of_engine = [(heading, sql) for heading, sql in blocks("sql") if engine in sql.partition("\n")[0]]
    numbers = [
        f"{heading} #{[h for h, _ in of_engine[:n]].count(heading) + 1}" for n, (heading, _) in enumerate(of_engine)
    ]
    return dict(zip(numbers, [sql for _, sql in of_engine], strict=True))


@pytest.fixture(scope="module")
def shells(spark, tmp_path_factory):
    """A name space for each engine, in which the page's Python blocks were run."""
    lake = str(tmp_path_factory.mktemp("lake"))
    for rows in (FIRST[:-1], FIRST[-1:], SECOND):  # versions 0, 1 and 2
        write(f"{lake}/events", rows, EVENTS, "event_date")
    write(f"{lake}/quarantine", BROKEN, QUARANTINE, "ingest_date")
    write(f"{lake}/lists", PUBLISHED, LISTS, "made_date")
    definitions = load_definitions(PROJECT / "conf/features.yaml")
    for entity, rows in (("item", ITEMS), ("user_category", INTERESTS)):
        write(f"{lake}/{table_path(definitions, entity)}", rows, table_schema(definitions, entity))
    made = {"Spark": {"spark": spark}, "DuckDB": {}}
    for _, block in blocks("python"):
        exec(block.replace(LAKE_OF_THE_PAGE, lake), made["Spark" if "spark." in block else "DuckDB"])
    yield made
    for name in (*made["Spark"]["tables"], "events_then"):
        spark.catalog.dropTempView(name)


@pytest.fixture(scope="module")
def answers(shells):
    """Engine → query → its rows; instants as microseconds."""
    run = {
        "Spark": lambda sql: shells["Spark"]["spark"].sql(sql).toArrow(),
        "DuckDB": lambda sql: shells["DuckDB"]["duck"].sql(sql).to_arrow_table(),
    }
    return {engine: {name: rows_of(ask(sql)) for name, sql in queries(engine).items()} for engine, ask in run.items()}


def rows_of(table):
    columns = [
        column.cast(pa.timestamp("us")).cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
        for column in table.columns
    ]
    return [tuple(row) for row in zip(*[column.to_pylist() for column in columns], strict=True)]


def test_both_engines_answer_every_question():
    assert list(queries("Spark")) == list(queries("DuckDB")) and len(queries("Spark")) == 10


@pytest.mark.parametrize("name", queries("Spark"))
def test_spark_and_duckdb_say_the_same(answers, name):
    expected = [tuple(map(_nearly, row)) for row in answers["DuckDB"][name]]

    assert answers["Spark"][name] == expected and expected


def _nearly(value):
    """Between the two questions about "now" a second or two go by."""
    return pytest.approx(value, rel=1e-3) if isinstance(value, float) else value


def test_they_say_what_is_in_the_tables(answers):
    said = {name.partition(" #")[0]: rows for name, rows in answers["DuckDB"].items()}
    before, yesterday, today = (TODAY - timedelta(days=n) for n in (2, 1, 0))

    assert (yesterday.date(), "purchase", 2, 2) in said["Events of each type and day"]
    assert said["From the view to the purchase"] == [(yesterday.date(), 2, 1, 1), (today.date(), 2, 0, 0)]
    assert [row[0] for row in said["The most popular items now"]] == ["i2", "i1", "i3"]
    assert [row[0] for row in said["The favourite categories of a user"]] == ["hats", "shoes"]
    assert [row[:2] for row in said["The quarantine by rule"]] == [
        ("user_present", 2), ("price_in_range", 1), ("record_parseable", 1)
    ]  # fmt: skip
    assert [row[1:] for row in said["What lists led to"]] == [("interactions", 1, 0, 1), ("time", 2, 1, 0)]
    assert [row[0] for row in said["How late events come"]] == [before.date(), yesterday.date(), today.date()]
    assert said["A table as it was"] == [(today.date(), "add_to_cart", 1), (today.date(), "product_view", 2)]


def test_rates_as_counted_and_smoothed(answers):
    name = "The conversion rate of each item"
    counted, smoothed = (answers["DuckDB"][f"{name} #{n}"] for n in (1, 2))

    assert counted == [("i1", 2, 1, 0.5), ("i2", 1, 1, 1.0), ("i3", 1, 0, 0.0)]
    assert [row[:2] for row in smoothed] == [("i1", 0.04), ("i3", 0.03), ("i2", 0.02)]
