"""Makes the ranks and the fallback lists from the feature tables, and publishes them."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from pipelines.features.definitions import Definitions, Rank
from pipelines.features.ranking import best_rows, fallback_lists, is_decayed, newest_as_of, trial_counts
from pipelines.features.tables import table_name, table_path, table_schema
from pipelines.lists.document import PublishedList
from pipelines.logs.log import log
from pipelines.sources.delta import read_table
from pipelines.stores.ranks import PublishedRank, RankStore
from pipelines.stores.trials import TrialCounts, TrialStore


@dataclass(frozen=True)
class RankPublisher:
    """Publishes what the definitions rank. Safe to repeat: all values are absolute, and follow from the tables alone."""

    spark: SparkSession
    table: Callable[[str], str]  # path of a table of the lake
    definitions: Definitions
    store: RankStore
    trials: TrialStore

    def publish(self) -> Mapping[str, Any]:
        """Read the tables as they are now and publish; returns figures for the heartbeat."""
        started = time.perf_counter()
        n_members = n_lists = 0
        for entity in sorted({rank.feature.entity for rank in self.definitions.ranks}):
            for rank in self._ranks(entity):
                self.store.publish_rank(rank)
                n_members += len(rank.members)
        if self.definitions.fallbacks:
            documents = dict(self._fallbacks(self.definitions.feature(self.definitions.fallbacks.feature).entity))
            self.store.publish_fallbacks(documents)
            n_lists = len(documents)
        n_tried = self._publish_trials()
        publish_ms = round((time.perf_counter() - started) * 1000)
        log.info("ranks_published", members=n_members, fallbacks=n_lists, tried=n_tried, duration_ms=publish_ms)
        return {
            "ranked_members": n_members,
            "fallback_lists": n_lists,
            "tried_items": n_tried,
            "publish_ms": publish_ms,
        }

    def _ranks(self, entity: str) -> Iterator[PublishedRank]:
        rows, at_s = self._rows(entity)
        if at_s is not None:
            yield from (
                self._rank(rows, rank, at_s) for rank in self.definitions.ranks if rank.feature.entity == entity
            )

    def _rank(self, rows: DataFrame, rank: Rank, at_s: int) -> PublishedRank:
        feature = rank.feature
        best = best_rows(rows, self.definitions, rank, at_s).collect()  # bounded by `top`
        return PublishedRank(
            rank.name,
            [row["member"] for row in best],
            [row["score"] for row in best],
            as_of_ms=at_s * 1000,
            feature=feature.name,
            version=self.definitions.version,
            half_life_s=feature.half_life_s if is_decayed(feature) else None,
        )

    def _fallbacks(self, entity: str) -> Iterator[tuple[str, bytes]]:
        rows, at_s = self._rows(entity)
        if at_s is None:
            return
        model = f"features-v{self.definitions.version}"
        for row in fallback_lists(rows, self.definitions, at_s).collect():  # bounded by segments and items
            list_id = f"{model}-{at_s}-{row['segment']}"
            published = PublishedList(row["items"], row["scores"], at_s * 1000, model, "segment", list_id)
            yield row["segment"], published.to_json()

    def _publish_trials(self) -> int:
        """How items did where they were shown; returns of how many."""
        if self.definitions.exploration is None:
            return 0
        rows, at_s = self._rows(self.definitions.feature(self.definitions.exploration.feature).entity)
        if at_s is None:
            return 0
        told = trial_counts(rows, self.definitions, at_s).toPandas()  # bounded by `top`
        columns = (told[name].tolist() for name in ("item", "clicks", "impressions"))
        self.trials.publish(TrialCounts(at_s * 1000, *columns), ttl_seconds=self.store.ttl_seconds)
        return len(told)

    def _rows(self, entity: str) -> tuple[DataFrame, int | None]:
        """The table as it is now, however often it is looked at, and its newest `as_of`."""
        path = self.table(table_path(self.definitions, entity))
        rows = read_table(self.spark, path, table_name(entity), table_schema(self.definitions, entity))
        return rows, newest_as_of(rows).collect()[0]["as_of_s"]
