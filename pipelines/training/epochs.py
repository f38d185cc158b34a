"""Training on Spark: one job for each slice of time; its tasks learn apart, the driver mixes what they learned.

With one partition this is plain sequential learning, micro-batch by micro-batch. The same slices, settings and number of
partitions give the same model, to the last byte.
"""

import math
import resource
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql import DataFrame

from pipelines.features.timelines import SLICE
from pipelines.models.arrays import Arrays, from_bytes, to_bytes
from pipelines.models.kinds import from_bytes as read_model
from pipelines.models.model import Model
from pipelines.models.popularity import Popularity
from pipelines.training.mixing import mixed
from pipelines.training.slices import Slice, read_slice
from pipelines.training.tasks import MODEL, SUMS, LearningSettings, learned, ranked
from pipelines.training.validation import Choices

REPORT = "partition long, memory_kb long, data binary"
OfPart = Callable[[Slice, bytes, int], Arrays]  # part of the slice, model, partition


@dataclass(frozen=True)
class Point:
    """A slice that was learned: means over its examples, each tested before it was learned from; NaN where there is none."""

    n_rows: int  # interactions
    n_examples: int  # that were learned from, as the caps allow
    loss: float
    loss_of_popularity: float
    ndcg: float
    recall: float
    ndcg_of_popularity: float
    memory_kb: int  # peak of the largest Python worker


def learn(
    timelines: DataFrame,
    model: Model,
    settings: LearningSettings,
    slices: Sequence[int],
    on_slice: Callable[[Point], None],
) -> Model:
    """Let a copy of `model` go on over some slices of `timelines` (features/timelines.py), in their order.

    `timelines` is read once for each slice: persist it. `on_slice` is called after each.
    """
    for number in slices:

        def of_part(part: Slice, data: bytes, partition: int, number: int = number) -> Arrays:
            return learned(settings, data, part, number, partition)

        parts, memory_kb = on_partitions(timelines, number, model, of_part)
        if parts:
            models = [read_model(settings.config, part[MODEL].tobytes()) for part in parts]
            model = mixed(model, models, [int(part["n_examples"][0]) for part in parts])
            model.trim()
        on_slice(_point(parts, memory_kb))
    return model


def rewound(model: Model) -> Model:
    """The model as a new pass over the same slices begins with it: what it learned it keeps, what it counted comes again.

    Its popularity would else know the future.
    """
    items = model.items
    popularity = Popularity.empty(items.popularity.half_life_s).grown(len(items))
    counted_anew = replace(items, n_events=np.zeros_like(items.n_events), popularity=popularity)
    return Model(model.config, counted_anew, model.scorer)


def validate(
    timelines: DataFrame, model: Model, slices: Sequence[int], n_choices_of_task: int, seed: int = 0
) -> Choices | None:
    """Rank choices of some slices, at most so many of each partition of each; the same ones for the same seed.

    None where there is no choice.
    """
    config = model.config

    def of_part(part: Slice, data: bytes, partition: int) -> Arrays:  # noqa: ARG001
        return ranked(config, data, part, n_choices_of_task, seed)

    parts = [part for number in slices for part in on_partitions(timelines, number, model, of_part)[0]]
    parts = [part for part in parts if len(part["user"])]
    return Choices.joined(parts) if parts else None


def on_partitions(timelines: DataFrame, number: int, model: Model, of_part: OfPart) -> tuple[list[Arrays], int]:
    """Run over the parts of a slice that have rows. Returns arrays by partition, and the peak of a Python worker in kB."""
    data = timelines.sparkSession.sparkContext.broadcast(model.to_bytes())

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        gathered = [batch for batch in batches if batch.num_rows]
        if not gathered:
            return
        part = read_slice(pa.Table.from_batches(gathered).combine_chunks())
        partition = TaskContext.get().partitionId()  # type: ignore[union-attr]
        arrays = to_bytes(of_part(part, data.value, partition))
        memory_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        yield pa.RecordBatch.from_pydict({"partition": [partition], "memory_kb": [memory_kb], "data": [arrays]})

    try:
        rows = timelines.where(timelines[SLICE] == number).mapInArrow(run, REPORT).toArrow().sort_by("partition")
    finally:
        data.destroy()
    parts = [from_bytes(row) for row in rows["data"].to_pylist()]
    return parts, max(rows["memory_kb"].to_pylist(), default=0)


def _point(parts: Sequence[Arrays], memory_kb: int) -> Point:
    total = {name: float(sum(part[name][0] for part in parts)) for name in SUMS}

    def mean(name: str, of: str) -> float:
        return total[name] / total[of] if total[of] else math.nan

    return Point(
        int(total["n_rows"]),
        int(total["n_examples"]),
        mean("loss", "n_examples"),
        mean("loss_of_popularity", "n_examples"),
        mean("ndcg", "n_evaluated"),
        mean("recall", "n_evaluated"),
        mean("ndcg_of_popularity", "n_evaluated"),
        memory_kb,
    )
