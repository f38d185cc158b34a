"""What `detect_drift` reads: the tables, each by one pass, and what earlier runs counted."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console
from rich.progress import Progress

from pipelines.config import Config
from pipelines.drift.concept import ConceptChange, detect, points_of
from pipelines.drift.counting import collected, counts
from pipelines.drift.histogram import Histogram
from pipelines.drift.measures import (
    EVENTS,
    LISTS,
    SNAPSHOTS,
    Measure,
    of_events,
    of_lists,
    of_snapshot,
    places_of_lists,
)
from pipelines.drift.results import DriftResult, gone
from pipelines.drift.served import served_ndcg
from pipelines.drift.snapshots import with_earlier
from pipelines.drift.verdicts import Judged, judge
from pipelines.drift.windows import Windows
from pipelines.features.definitions import Definitions, load_definitions
from pipelines.features.tables import table_name, table_path, table_schema
from pipelines.sources.delta import read_table
from pipelines.sources.results import read_results

_T = TypeVar("_T")
REMEMBERED = timedelta(days=30)  # what was there in the last run of so many days, and is not any more, is missing


@dataclass
class Looking:
    """One run's look at the tables, up to `windows.as_of`."""

    spark: SparkSession
    config: Config
    windows: Windows
    definitions: Definitions = field(init=False)
    _rows: dict[str, DataFrame] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.definitions = load_definitions(self.config.features.definitions)

    def result(self) -> DriftResult:
        """Read everything, and judge it."""
        config, windows = self.config.drift, self.windows
        earlier = self._earlier()
        with _steps(2 + len(SNAPSHOTS) + 1) as step:
            histograms = [*step("events", self._events), *step("lists", self._lists)]
            for entity in SNAPSHOTS:
                counted = step(table_name(entity), partial(self._snapshot, entity))
                histograms += with_earlier(counted, earlier, windows)
            concept = step("served lists", self._concept)
        judged = judge(histograms, config, windows.same_weekday)
        last = max((row["as_of"] for row in earlier), default=None)
        judged = gone(judged, [row for row in earlier if row["as_of"] == last])
        return DriftResult(windows, config, tuple(judged), concept, self._is_silent(judged))

    def _is_silent(self, judged: Sequence[Judged]) -> bool:
        """Whether something was once filed in `events`, and nothing in these windows."""
        if any(one.n_current or one.n_reference for one in judged if one.histogram.table == EVENTS):
            return False
        return bool(read_table(self.spark, self.config.table(EVENTS), EVENTS).limit(1).count())

    def _earlier(self) -> list[dict[str, Any]]:
        since = min(self.windows.reference_start, self.windows.as_of - REMEMBERED)
        return read_results(self.config.table("drift"), since, self.windows.as_of)

    def _events(self) -> list[Histogram]:
        events = self._rows_of(EVENTS)
        measures = of_events(events, self.definitions, self.config.drift.fields)
        return self._counted(EVENTS, events, "event_time", measures)

    def _lists(self) -> list[Histogram]:
        catalogue = read_table(self.spark, self.config.table("catalogue"), "catalogue")
        return self._counted(LISTS, places_of_lists(self._rows_of(LISTS), catalogue), "made_at", of_lists())

    def _counted(self, table: str, rows: DataFrame, time: str, measures: list[Measure]) -> list[Histogram]:
        window, n = self.windows.index_column(F.col(time)), self.windows.n_blocks + 1
        return collected(table, measures, counts(rows, window, measures, n, self.config.drift.values), n)

    def _snapshot(self, entity: str) -> list[Histogram]:
        """Rows of users or items that something happened to in the window; nothing of a table that is a window ahead."""
        schema, path = table_schema(self.definitions, entity), table_path(self.definitions, entity)
        rows = read_table(self.spark, self.config.table(path), table_name(entity), schema)
        end = self.windows.as_of + timedelta(hours=self.windows.hours)
        newest = rows.agg(F.max("as_of")).first()
        if newest is not None and newest[0] is not None and newest[0].timestamp() > end.timestamp():
            rows = rows.limit(0)  # made long after `as_of`: it does not say what was then
        measures = of_snapshot(self.definitions, entity)
        window = F.when(F.col("as_of") >= F.lit(self.windows.start), F.lit(0))
        counted = counts(rows, window, measures, 1, self.config.drift.values)
        return collected(table_name(entity), measures, counted, 1)

    def _concept(self) -> ConceptChange:
        config, start_s = self.config.drift.concept, round(self.windows.start.timestamp())
        sums = served_ndcg(self._rows_of(EVENTS), self._rows_of(LISTS), config.ndcg_at).collect()
        slices = [(row.slice_s, row.n, row.ndcg) for row in sums]
        return detect(points_of(slices, start_s, config.choices_per_point), start_s)

    def _rows_of(self, name: str) -> DataFrame:
        """The rows of the windows and what lies between them; whole days are left out by the partitions."""
        if name not in self._rows:
            self._rows[name] = self._read(name)
        return self._rows[name]

    def _read(self, name: str) -> DataFrame:
        time, date = {EVENTS: ("event_time", "event_date"), LISTS: ("made_at", "made_date")}[name]
        schema = self.config.events.contract.events if name == EVENTS else None
        rows = read_table(self.spark, self.config.table(name), name, schema)
        first, end = self.windows.reference_start, self.windows.as_of
        in_days = F.col(date).between(F.lit(first.date()), F.lit(end.date()))
        return rows.where(in_days & (F.col(time) >= F.lit(first)) & (F.col(time) < F.lit(end)))


@contextmanager
def _steps(n: int) -> Iterator[Callable[[str, Callable[[], _T]], _T]]:
    """A bar on the terminal: which table is being read."""
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("drift", total=n)

        def step(name: str, work: Callable[[], _T]) -> _T:
            progress.update(task, description=name)
            done = work()
            progress.advance(task)
            return done

        yield step
